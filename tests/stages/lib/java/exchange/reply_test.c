/* Replies of an interceptor in the Java host compared with a model: random events with and without an origin, of which a reply changes the body,
 * the headers, both or nothing, with too little memory now and then. A wrong reply leaves the lease as it was. */
#include "core/stage.h"
#include "stages/lib/java/exchange/reply.h"

#include "tests/stages/lib/java/exchange/drawn_entries.h"

#define ROWS_MAX 120U

static struct drawn before[ROWS_MAX], shared;
static struct ps_port port;

static void headers_set(struct ps_batch *batch, struct ps_event *event, const struct drawn *from)
{
    char name[32], value[32];
    for (uint32_t i = 0; i < from->header_count; i++) {
        const struct ps_name *interned = ps_batch_name(batch, name, name_print(from->names[i], name));
        uint32_t length = value_print(from->values[i], value);
        char *copy = ps_batch_alloc(batch, 32);
        assert_true(interned != NULL && copy != NULL);
        memcpy(copy, value, sizeof value);
        assert_true(event != NULL ? ps_batch_header_set(batch, event, interned, copy, length)
                                  : ps_batch_shared_set(batch, interned, copy, length, true));
    }
}

static struct ps_lease *lease_make(uint32_t count)
{
    static char body[65536];
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(batch);
    event_draw(&shared);
    shared.header_count = draw(2) == 0 ? 0 : (uint32_t)draw(4);
    headers_set(batch, NULL, &shared);
    for (uint32_t i = 0; i < count; i++) {
        event_draw(&before[i]);
        before[i].body_length %= 100;
        for (uint32_t k = 0; k < before[i].body_length; k++)
            body[k] = byte_of(&before[i], k);
        struct ps_event *event = ps_batch_add_copy(batch, body, before[i].body_length);
        assert_non_null(event);
        headers_set(batch, event, &before[i]);
    }
    ps_batch_close(batch);
    return ps_batch_chain(batch);
}

static void expect_row(struct ps_lease *lease, uint32_t row, uint32_t origin, uint32_t flags,
                       const struct drawn *entry)
{
    unsigned values[NAMES];
    bool has_origin = origin != PS_JAVA_NO_ORIGIN;
    memset(values, 0xFF, sizeof values);
    if (has_origin && (flags & PS_JAVA_EVENT_HEADERS) == 0) {
        values_add(&shared, values);
        values_add(&before[origin], values);
    }
    values_add(entry, values);
    struct ps_event *event = ps_lease_event(lease, row);
    expect_headers(lease->batch, event, values);
    if ((flags & PS_JAVA_EVENT_BODY) != 0)
        expect_body(event, entry);
    else if (has_origin)
        expect_body(event, &before[origin]);
    else
        assert_int_equal(event->body_length, 0);
}

static void play(uint32_t count, uint32_t replies)
{
    static struct ps_java_reply reply;
    uint32_t origins[EVENTS_MAX], flags[EVENTS_MAX], bytes = 0;
    struct ps_lease *lease = lease_make(count);
    for (uint32_t i = 0; i < replies; i++) {
        event_draw(&drawn[i]);
        origins[i] = draw(3) == 0 ? PS_JAVA_NO_ORIGIN : (uint32_t)draw(count);
        flags[i] =
            origins[i] == PS_JAVA_NO_ORIGIN ? PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS : (uint32_t)draw(4);
        if ((flags[i] & PS_JAVA_EVENT_HEADERS) == 0)
            drawn[i].header_count = 0;
        drawn[i].body_length %= 2000;
        bytes += entry_write(area + bytes, &drawn[i], origins[i], flags[i]);
    }
    ps_java_reply_begin(&reply, bytes, replies);
    enum ps_java_put outcome;
    unsigned tries = 0;
    do {
        assert_true(++tries < 1000);
        if (draw(2) == 0)
            memory_take_all();
        outcome = ps_java_reply_put(&reply, lease, &port, area);
        assert_true(outcome == PS_JAVA_PUT_DONE || (outcome == PS_JAVA_PUT_MEMORY && hoarded_count > 0));
        memory_return();
    } while (outcome == PS_JAVA_PUT_MEMORY);
    assert_int_equal(lease->count, replies);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < replies; i++) {
        expect_row(lease, i, origins[i], flags[i], &drawn[i]);
        sum += ps_lease_event(lease, i)->body_length;
    }
    assert_int_equal(lease->bytes, sum);
    ps_batch_give(lease->batch);
}

static void test_drawn(void **unused)
{
    for (unsigned round = 0; round < 300; round++) {
        uint32_t count = 1 + (uint32_t)draw(draw(3) == 0 ? ROWS_MAX : 5);
        play(count, (uint32_t)draw(draw(3) == 0 ? 2 * count : 6));
    }
}

/* The origin of an entry is one too large, an entry is one too many, a byte is left, an entry adds a header to those of its origin, which have no
 * limit together then, or has a longer body or more headers than bytes: nothing changes. */
static void test_wrong(void **unused)
{
    static struct ps_java_reply reply;
    for (unsigned kind = 0; kind < 8; kind++) {
        struct ps_lease *lease = lease_make(4);
        const struct drawn event = {.body_length = 4, .header_count = kind == 5, .names = {1}, .values = {1}};
        uint32_t bytes = 0;
        for (uint32_t i = 0; i < 3; i++) {
            struct ps_java_event head;
            char *entry = area + bytes;
            bytes += entry_write(entry, &event,
                                 kind == 1 && i == 2   ? 4
                                 : kind == 4 && i == 1 ? 4
                                                       : i + 1,
                                 PS_JAVA_EVENT_BODY | (kind > 5 ? PS_JAVA_EVENT_HEADERS : 0));
            memcpy(&head, entry, sizeof head);
            head.body_length += kind == 6 && i == 1 ? 1 : 0;
            head.header_count += kind == 7 && i == 2 ? 1 : 0;
            memcpy(entry, &head, sizeof head);
        }
        ps_java_reply_begin(&reply, kind == 2 ? bytes + 4 : bytes, kind == 3 ? 4 : 3);
        enum ps_java_put wanted = kind == 0 ? PS_JAVA_PUT_DONE : PS_JAVA_PUT_WRONG;
        assert_int_equal(ps_java_reply_put(&reply, lease, &port, area), wanted);
        assert_int_equal(lease->count, kind == 0 ? 3 : 4);
        for (uint32_t i = 0; kind != 0 && i < 4; i++)
            expect_body(ps_lease_event(lease, i), &before[i]);
        ps_batch_give(lease->batch);
    }
}

/* ---- events that are given up ---- */

static struct {
    struct ps_dead_letter_queue queue;
    bool is_full;
    uint32_t lengths[4]; /* of the bodies */
} letters;

static uint64_t letter_put(struct ps_dead_letter_queue *queue, const struct ps_dead_letter *letter)
{
    assert_string_equal(letter->reason.code, "event-unfit");
    letters.lengths[queue->sent++] = letter->event->body_length;
    letters.is_full = true;
    return queue->sent;
}

static bool letters_have_room(const struct ps_dead_letter_queue *)
{
    return !letters.is_full;
}

static uint64_t letters_written(const struct ps_dead_letter_queue *queue)
{
    return queue->sent;
}

static const struct ps_dead_letter_queue_ops letter_ops = {
    .put = letter_put, .has_room = letters_have_room, .written = letters_written};

/* Those that the source gave become dead letters, as they were, with or without room for these; an added one just goes. */
static void give_up(bool has_letters, uint32_t kept)
{
    static struct ps_java_reply reply;
    static struct ps_counters counters;
    const struct drawn nothing = {.body_length = 0};
    struct ps_lease *lease = lease_make(4);
    uint32_t bytes = 0, lengths[] = {before[1].body_length, before[3].body_length};
    memset(&letters, 0, sizeof letters);
    letters.queue.ops = &letter_ops;
    port = (struct ps_port){.dead_letter_queue = has_letters ? &letters.queue : NULL, .counters = &counters};
    static const uint32_t origins[] = {1, PS_JAVA_NO_ORIGIN, 3};
    for (uint32_t i = 0; i < kept; i++)
        bytes += entry_write(area + bytes, &nothing, 2, 0);
    for (size_t i = 0; i < PS_COUNT_OF(origins); i++)
        bytes += entry_write(area + bytes, &nothing, origins[i], PS_JAVA_EVENT_GIVEN_UP);
    ps_java_reply_begin(&reply, bytes, kept + 3);
    while (ps_java_reply_put(&reply, lease, &port, area) == PS_JAVA_PUT_MEMORY) {
        assert_true(letters.is_full);
        letters.is_full = false;
    }
    assert_int_equal(lease->count, kept);
    if (kept > 0)
        expect_body(ps_lease_event(lease, 0), &before[2]);
    assert_int_equal(letters.queue.sent, has_letters ? 2 : 0);
    if (has_letters)
        assert_memory_equal(letters.lengths, lengths, sizeof lengths);
    ps_batch_give(lease->batch);
    port = (struct ps_port){0};
}

static void test_given_up(void **unused)
{
    for (unsigned kind = 0; kind < 4; kind++)
        give_up(kind % 2 == 0, kind / 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, memory_setup, memory_teardown)
    const struct CMUnitTest tests[] = {TEST(drawn), TEST(wrong), TEST(given_up)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
