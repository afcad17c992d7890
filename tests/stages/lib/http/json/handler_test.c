/* Requests with JSON while memory runs out. A try without memory leaves the batch unchanged, and the text readable.
 * In the end the events are those that one try with enough memory gives. Random requests, in each of Flume's character
 * sets. */
#include "stages/lib/http/json/handler.h"

#include "tests/stages/lib/http/json/scarce_memory.h"
#include "tests/support/allocations.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES (1U << 18)
#define EVENTS_MAX 40U

static struct ps_json_handler handler;
static char text[TEXT_BYTES], request[4 * TEXT_BYTES];
static uint32_t text_length, request_length;

static int setup(void **unused)
{
    struct ps_err err = {0};
    memory_open();
    assert_int_equal(ps_json_handler_init(&handler, &err), PS_OK);
    return 0;
}

static int teardown(void **unused)
{
    ps_json_handler_fini(&handler);
    memory_close();
    return 0;
}

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_length += (uint32_t)vsnprintf(text + text_length, TEXT_BYTES - text_length, format, arguments);
    va_end(arguments);
    assert_true(text_length < TEXT_BYTES);
}

static void words_put(unsigned count)
{
    static const char *const words[] = {
        "a", "\\n", "\\u00e4", "\\\"", "word", "\xc3\xa4", "\\ud83d\\ude00", "plain text", "\\/"};
    for (; count > 0; count--)
        put("%s", words[draw(PS_COUNT_OF(words))]);
}

static uint32_t request_draw(void)
{
    uint32_t events = 1 + (uint32_t)draw(draw(3) == 0 ? EVENTS_MAX : 3);
    text_length = 0;
    put("[");
    for (uint32_t i = 0; i < events; i++) {
        put("%s{\"headers\":{", i > 0 ? "," : "");
        for (unsigned k = 0, count = (unsigned)draw(5); k < count; k++) {
            put("%s\"n%s%u\":\"", k > 0 ? "," : "", draw(6) == 0 ? "\\u0061" : "", (unsigned)draw(9) * 8 + k);
            words_put((unsigned)draw(4));
            put("\"");
        }
        put("},\"body\":\"");
        words_put((unsigned)draw(draw(10) == 0 ? 400 : 12));
        put("\"}");
    }
    put("]");
    return events;
}

/* Writes the text in the character set: each unit has this number of bytes, the first one the highest. */
static void request_encode(unsigned unit_bytes)
{
    request_length = 0;
    for (uint32_t i = 0; i < text_length;) {
        uint32_t code = (unsigned char)text[i++];
        if (unit_bytes > 1 && code >= 0xC0)
            code =
                (code & 0x1F) << 6 | ((unsigned char)text[i++] & 0x3F); /* the words have two bytes at most */
        for (unsigned k = unit_bytes; k > 0; k--)
            request[request_length++] = (char)(code >> 8 * (k - 1));
    }
}

struct asked {
    struct ps_batch *batch;
    unsigned failures;
};

/* Takes the request with as much memory as there is, or with too little at first. */
static struct asked ask(const char *head, const struct ps_http_message *message, uint32_t events, bool scarce)
{
    struct asked asked = {.batch = ps_batch_take(&bump, (struct ps_now){0})};
    struct ps_http_text kept = {.block = NULL};
    assert_non_null(asked.batch);
    char *body = ps_batch_alloc(asked.batch, request_length);
    assert_non_null(body);
    memcpy(body, request, request_length);
    struct ps_batch_point point = ps_batch_point(asked.batch);
    for (;;) {
        struct ps_http_exchange exchange = {.message = message,
                                            .head = head,
                                            .body = body,
                                            .body_length = request_length,
                                            .origin = 5,
                                            .text = &kept};
        if (scarce && draw(4) != 0)
            memory_take(asked.batch);
        enum ps_http_taken taken = ps_json_handler_take(&handler, &cache, asked.batch, &exchange);
        memory_return();
        if (taken == PS_HTTP_TAKEN) {
            assert_int_equal(exchange.events, events);
            break;
        }
        assert_true(taken == PS_HTTP_MEMORY || taken == PS_HTTP_FULL); /* FULL: no memory for more rows */
        assert_true(scarce);
        assert_int_equal(asked.batch->count, 0);
        ps_batch_rewind(asked.batch, &point); /* as the server does */
        assert_true(asked.batch->tickets == NULL && asked.batch->own_mask == 0);
        assert_true(taken == PS_HTTP_FULL || kept.block == NULL);
        if (kept.block != NULL)
            ps_block_drop(&cache, kept.block);
        kept = (struct ps_http_text){.block = NULL};
        asked.failures++;
    }
    assert_int_equal(asked.batch->count, events);
    assert_true(asked.batch->tickets->events == events && asked.batch->tickets->next == NULL);
    if (kept.block != NULL)
        ps_block_drop(&cache, kept.block);
    return asked;
}

static void expect_same(const struct ps_batch *got, const struct ps_batch *wanted)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct ps_event *a = &got->events[i], *b = &wanted->events[i];
        assert_int_equal(a->body_length, b->body_length);
        if (a->body_length > 0)
            assert_memory_equal(a->body, b->body, a->body_length);
        struct ps_header_cursor left = ps_headers_begin(got, a), right = ps_headers_begin(wanted, b);
        const struct ps_header *header, *other;
        while ((other = ps_headers_next(&right)) != NULL) {
            header = ps_headers_next(&left);
            assert_non_null(header);
            assert_true(header->name->length == other->name->length &&
                        header->value_length == other->value_length);
            assert_memory_equal(header->name->text, other->name->text, other->name->length);
            if (other->value_length > 0)
                assert_memory_equal(header->value, other->value, other->value_length);
        }
        assert_null(ps_headers_next(&left));
    }
}

static void test_memory_runs_out(void **unused)
{
    static const struct {
        const char *type;
        unsigned unit_bytes;
    } charsets[] = {{"application/json", 1},
                    {"application/json; charset=UTF-8", 1},
                    {"application/json; charset=utf-16", 2},
                    {"application/json; charset=UTF-32", 4}};
    unsigned failures = 0;
    for (unsigned round = 0; round < 600; round++) {
        size_t which = round % PS_COUNT_OF(charsets);
        const char *head = charsets[which].type;
        struct ps_http_message message = {.content_type = {.at = 0, .length = (uint32_t)strlen(head)}};
        uint32_t events = request_draw();
        request_encode(charsets[which].unit_bytes);
        struct asked rich = ask(head, &message, events, false), poor = ask(head, &message, events, true);
        expect_same(poor.batch, rich.batch);
        failures += poor.failures;
        ps_batch_give(rich.batch);
        ps_batch_give(poor.batch);
    }
    assert_true(failures > 100);
}

/* Takes the text as a request of this many events, with enough memory. */
static struct ps_batch *taken(uint32_t events)
{
    static const char head[] = "application/json";
    const struct ps_http_message message = {.content_type = {.at = 0, .length = sizeof head - 1}};
    request_encode(1);
    return ask(head, &message, events, false).batch;
}

/* Takes a request with some hundred names. */
static void take_many_names(void)
{
    text_length = 0;
    put("[{\"headers\":{\"many\":\"\"");
    for (unsigned i = 0; i < 2000; i++)
        put(",\"many%u\":\"\"", i);
    put("}}]");
    ps_batch_give(taken(1));
}

/* A header whose value is null is no header, and does not change others of its name: neither in its own event nor in the next ones. */
static void test_null_values(void **unused)
{
    static const struct {
        const char *json, *wanted; /* the headers of all events */
    } cases[] = {
        {"[{\"headers\":{\"a\":null}}]", ";"},
        {"[{\"headers\":{\"a\":null,\"a\":\"1\"}}]", "a=1;"},
        {"[{\"headers\":{\"b\":null}},{\"headers\":{\"b\":\"1\"}}]", ";b=1;"},
        {"[{\"headers\":{\"d\":\"2\",\"c\":null}},{\"headers\":{\"c\":\"1\",\"d\":null}},{\"headers\":{\"d\":"
         "\"3\"}}]",
         "d=2;c=1;d=3;"},
        {"[{\"headers\":{\"e\":\"1\"}},{\"headers\":{\"e\":null}},{\"headers\":{\"e\":\"2\"}}]", "e=1;;e=2;"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char found[256] = "";
        uint32_t events = 0;
        take_many_names();
        text_length = 0;
        put("%s", cases[i].json);
        for (const char *at = cases[i].wanted; *at != '\0'; at++)
            events += *at == ';';
        struct ps_batch *batch = taken(events);
        for (uint32_t k = 0; k < events; k++) {
            struct ps_header_cursor cursor = ps_headers_begin(batch, &batch->events[k]);
            const struct ps_header *header;
            while ((header = ps_headers_next(&cursor)) != NULL)
                snprintf(found + strlen(found), sizeof found - strlen(found), "%.*s=%.*s",
                         (int)header->name->length, header->name->text, (int)header->value_length,
                         header->value);
            snprintf(found + strlen(found), sizeof found - strlen(found), ";");
        }
        assert_string_equal(found, cases[i].wanted);
        ps_batch_give(batch);
    }
}

#define NAMES 600U /* more than the handler has places for names: many share one */
#define REPEATS 3U

/* Each event has the same names, and the value that it gave each of them. */
static void test_more_names_than_places(void **unused)
{
    text_length = 0;
    put("[");
    for (unsigned event = 0; event < REPEATS; event++) {
        put("%s{\"headers\":{", event > 0 ? "," : "");
        for (unsigned i = 0; i < NAMES; i++) /* some with an escape, which is no other name */
            put("%s\"%s%u\":\"%u.%u\"", i > 0 ? "," : "", i % 7 == event ? "\\u006e" : "n", i, event, i);
        put("}}");
    }
    put("]");
    struct ps_batch *batch = taken(REPEATS);
    for (unsigned event = 0; event < REPEATS; event++) {
        bool found[NAMES] = {false};
        unsigned count = 0;
        struct ps_header_cursor cursor = ps_headers_begin(batch, &batch->events[event]);
        for (const struct ps_header *header; (header = ps_headers_next(&cursor)) != NULL; count++) {
            char name[16], wanted[16];
            assert_true(header->name->length < sizeof name);
            snprintf(name, sizeof name, "%.*s", (int)header->name->length, header->name->text);
            unsigned long number = strtoul(name + 1, NULL, 10);
            assert_true(name[0] == 'n' && number < NAMES && !found[number]);
            found[number] = true;
            snprintf(wanted, sizeof wanted, "%u.%lu", event, number);
            if (header->value_length != strlen(wanted) ||
                memcmp(header->value, wanted, header->value_length) != 0)
                fail_msg("event %u: %s=%.*s", event, name, (int)header->value_length, header->value);
        }
        assert_int_equal(count, NAMES);
    }
    ps_batch_give(batch);
}

/* ---- the decoded text of a long body ---- */

static const char wide_type[] = "application/json; charset=utf-16";

/* Makes a request of three events that is too long to be decoded into a batch's own memory. */
static void put_wide(void)
{
    text_length = 0;
    put("[");
    for (unsigned i = 0; i < 3; i++)
        put("%s{\"body\":\"%02000u\"}", i > 0 ? "," : "", i);
    put("]");
    request_encode(2);
}

static struct ps_batch *batch_with(char **body)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(batch);
    *body = ps_batch_alloc(batch, request_length);
    assert_non_null(*body);
    memcpy(*body, request, request_length);
    return batch;
}

static enum ps_http_taken try_once(struct ps_batch *batch, char *body, struct ps_http_text *kept)
{
    const struct ps_http_message message = {.content_type = {.at = 0, .length = sizeof wide_type - 1}};
    struct ps_http_exchange exchange = {.message = &message,
                                        .head = wide_type,
                                        .body = body,
                                        .body_length = request_length,
                                        .origin = 5,
                                        .text = kept};
    return ps_json_handler_take(&handler, &cache, batch, &exchange);
}

static unsigned waits; /* tries that ended with PS_HTTP_MEMORY */

/* Tries the request while so many blocks are free. Returns whether it was taken. */
static bool is_taken_with(unsigned spare)
{
    struct ps_http_text kept = {.block = NULL};
    char *body;
    struct ps_batch *batch = batch_with(&body);
    while (hoarded_count < BLOCKS && (hoarded[hoarded_count] = ps_block_take(&cache)) != NULL)
        hoarded_count++;
    uint32_t room;
    assert_non_null(ps_batch_reserve(batch, 1, &room));
    ps_batch_commit(batch, room); /* the batch has no room left */
    struct ps_batch_point point = ps_batch_point(batch);
    for (unsigned i = 0; i < spare && hoarded_count > 0; i++)
        ps_block_drop(&cache, hoarded[--hoarded_count]);
    enum ps_http_taken taken = try_once(batch, body, &kept);
    assert_int_equal(batch->count, taken == PS_HTTP_TAKEN ? 3 : 0);
    if (taken == PS_HTTP_MEMORY) {
        waits++;
        assert_null(kept.block);
        assert_true(!kept.decoded && !kept.counted);
    } else { /* FULL: no memory for rows */
        assert_true(taken == PS_HTTP_TAKEN || taken == PS_HTTP_FULL);
        assert_true(kept.block != NULL && kept.decoded);
        ps_block_drop(&cache, kept.block);
    }
    if (taken != PS_HTTP_TAKEN)
        ps_batch_rewind(batch, &point);
    for (unsigned i = 0; i < spare && taken == PS_HTTP_MEMORY; i++) { /* others find all of it */
        hoarded[hoarded_count] = ps_block_take(&cache);
        assert_non_null(hoarded[hoarded_count++]);
    }
    memory_return();
    ps_batch_give(batch);
    return taken == PS_HTTP_TAKEN;
}

/* There is memory for the decoded text, but not for the events: a request that waits for memory gives the text back. If it kept it, requests
 * could wait for each other for ever. */
static void test_a_request_that_waits_keeps_no_memory(void **unused)
{
    put_wide();
    waits = 0;
    for (unsigned spare = 0; !is_taken_with(spare); spare++)
        assert_true(spare < BLOCKS);
    assert_true(waits >= 2); /* with one block there was a text, and no room for its events */
}

/* A batch that is full leaves the decoded text as it is: the next batch does not decode it again. */
static void test_a_full_batch_keeps_the_text(void **unused)
{
    struct ps_http_text kept = {.block = NULL};
    char *body;
    put_wide();
    struct ps_batch *batch = batch_with(&body);
    assert_non_null(ps_batch_add(batch, body, 1)); /* the events of a request are in one batch */
    struct ps_batch_point point = ps_batch_point(batch);
    assert_int_equal(try_once(batch, body, &kept), PS_HTTP_FULL);
    ps_batch_rewind(batch, &point);
    const struct ps_block *decoded = kept.block;
    assert_true(decoded != NULL && kept.decoded);
    struct ps_batch *next = batch_with(&body);
    memset(body, 0, request_length); /* it is not read again */
    assert_int_equal(try_once(next, body, &kept), PS_HTTP_TAKEN);
    assert_ptr_equal(kept.block, decoded);
    assert_int_equal(next->count, 3);
    ps_block_drop(&cache, kept.block);
    ps_batch_give(batch);
    ps_batch_give(next);
}

/* Without the memory for one of its tables a handler is not made, and keeps nothing. */
static void test_no_memory_at_the_start(void **unused)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer has its own allocator");
    static struct ps_json_handler made;
    unsigned failures = 0;
    for (uint64_t nth = 1;; nth++) {
        struct ps_err err = {0};
        ps_test_allocation_fails = nth;
        enum ps_status status = ps_json_handler_init(&made, &err);
        uint64_t left = ps_test_allocation_fails;
        ps_test_allocation_fails = 0;
        if (status == PS_OK) {
            assert_non_null(made.same_names);
            assert_non_null(made.lists);
            assert_non_null(made.masks);
            assert_true(made.scan.events != NULL && made.scan.headers != NULL && made.scan.places != NULL);
            ps_json_handler_fini(&made);
            if (left > 0)
                break;
        } else {
            assert_true(left == 0 && err.text[0] != '\0');
            assert_true(made.same_names == NULL && made.lists == NULL && made.masks == NULL);
            failures++;
        }
    }
    assert_true(failures >= 8); /* three tables of the handler, five of its scan */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_null_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_runs_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_names_than_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_request_that_waits_keeps_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_batch_keeps_the_text, setup, teardown),
        cmocka_unit_test(test_no_memory_at_the_start)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
