/* Requests of the BLOB handlers without a server: parts of a query, the most parameters, and the parameters that must be there. */
#include "stages/lib/http/blob_handler.h"

#include "tests/support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ps_test_stage stage;
static struct ps_http_exchange exchange;

static int setup(void **state)
{
    ps_test_stage_init(&stage, &ps_source_http); /* for its memory */
    return 0;
}

static int teardown(void **state)
{
    ps_test_stage_fini(&stage);
    return 0;
}

/* Takes a request with this target, behind which the next bytes look like more of it. */
static enum ps_http_taken take(const struct ps_blob_handler *handler, struct ps_batch *batch,
                               const char *target)
{
    static struct ps_http_message message;
    static char *head;
    static char body[] = "body";
    size_t length = strlen(target);
    free(head);
    head = malloc(length + 64);
    assert_non_null(head);
    sprintf(head, "POST %s&z=9 HTTP/1.1\r\nX: text/plain;?\r\n", target);
    message = (struct ps_http_message){
        .url = {5, (uint32_t)length},
        .content_type = {(uint32_t)(strstr(head, "text") - head), sizeof "text/plain" - 1}};
    exchange = (struct ps_http_exchange){
        .message = &message, .head = head, .body = body, .body_length = 4, .origin = 7};
    return ps_blob_handler_take(handler, batch, &exchange);
}

/* Returns the headers of the batch's last event, the last one first: "b=2 a=1 ". */
static const char *headers_of(const struct ps_batch *batch)
{
    static char text[512];
    const struct ps_event *event = &batch->events[batch->count - 1];
    text[0] = '\0';
    for (const struct ps_header *header = event->headers; header != NULL; header = header->next) {
        assert_true((batch->own_mask & event->mask & header->name->mask) == header->name->mask);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s=%.*s ", header->name->text,
                 (int)header->value_length, header->value);
    }
    return text;
}

static void test_queries(void **state)
{
    static const char *const rows[][2] = {
        {"/", ""},
        {"/?", ""},
        {"/?&", ""},
        {"/?a", "a= "},
        {"/?a=1", "a=1 "},
        {"/?a=1&b=2", "b=2 a=1 "},
        {"/?b=2&a=1&b=3&a=4&c", "c= a=1 b=2 "},
        {"/?a=1#b=2", "a=1 "},
        {"/?a=1&#", "a=1 "},
        {"/?#", ""},
        {"/?a==&=b", "=b a== "},
        {"/?a=b?c=d", "a=b?c=d "},
        {"/?%61=1&a=2", "a=1 "},
        {"/?a=%26%3D%25%2B+", "a=&=%+  "},
        {"/?+a+=1", " a =1 "},
        {"http://h/?a=1", "a=1 "},
    };
    struct ps_blob_handler handler = {.content_type = false};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_batch *batch = ps_test_stage_take_batch(&stage);
        assert_int_equal(take(&handler, batch, rows[i][0]), PS_HTTP_TAKEN);
        assert_int_equal(exchange.events, 1);
        assert_true(batch->count == 1 && batch->tickets->origin == 7 && batch->tickets->events == 1);
        if (strcmp(headers_of(batch), rows[i][1]) != 0)
            fail_msg("%s: %s", rows[i][0], headers_of(batch));
    }
    handler.content_type = true;
    struct ps_batch *batch = ps_test_stage_take_batch(&stage);
    assert_int_equal(take(&handler, batch, "/?a=1"), PS_HTTP_TAKEN);
    assert_string_equal(headers_of(batch), "Content-Type=text/plain a=1 ");
}

static void expect_refused(const struct ps_blob_handler *handler, const char *target, unsigned status,
                           const char *reason)
{
    struct ps_batch *batch = ps_test_stage_take_batch(&stage);
    assert_int_equal(take(handler, batch, target), PS_HTTP_REFUSED);
    assert_int_equal(exchange.status, status);
    assert_string_equal(exchange.reason, reason);
    assert_true((exchange.intro != NULL) == (status == 500));
    assert_int_equal(batch->count, 0);
}

/* As many parameters as a query may have, and one more; empty ones between them do not count. */
static void test_most_parameters(void **state)
{
    const struct ps_blob_handler handler = {.content_type = false};
    char *target = malloc(PS_BLOB_PARAMETERS_MAX * 16 + 64);
    assert_non_null(target);
    size_t length = (size_t)sprintf(target, "/?");
    for (unsigned i = 0; i < PS_BLOB_PARAMETERS_MAX; i++)
        length += (size_t)sprintf(target + length, "p%u=%u&&", i, i);
    struct ps_batch *batch = ps_test_stage_take_batch(&stage);
    assert_int_equal(take(&handler, batch, target), PS_HTTP_TAKEN);
    unsigned count = 0;
    for (const struct ps_header *header = batch->events[0].headers; header != NULL; header = header->next)
        count++;
    assert_int_equal(count, PS_BLOB_PARAMETERS_MAX);
    sprintf(target + length, "p0"); /* one that would not be a header of its own counts, too */
    expect_refused(&handler, target, 400, "the request has too many parameters");
    free(target);
}

/* A percent sign needs two digits, which belong to the same text. */
static void test_percent_signs(void **state)
{
    static const char *const targets[] = {"/?a=%",  "/?a=%4",  "/?a=%4g",   "/?a=%g4", "/?%=a",
                                          "/?%4=1", "/?a%4&1", "/?a=1&b=%", "/?a=%4#1"};
    const struct ps_blob_handler handler = {.content_type = false};
    for (size_t i = 0; i < PS_COUNT_OF(targets); i++)
        expect_refused(&handler, targets[i], 400, "a parameter has a % without two hexadecimal digits");
}

/* Each of the parameters must be there, the first as well as the last. */
static void test_mandatory(void **state)
{
    static const char missing[] = "Please specify every mandatory parameter in the request.";
    const struct ps_blob_handler handler = {.mandatory = ps_blob_handler_mandatory(stage.arena, "a,b,c")};
    assert_int_equal(handler.mandatory.count, 3);
    expect_refused(&handler, "/?b=1&c=2", 500, missing);
    expect_refused(&handler, "/?a=1&c=2", 500, missing);
    expect_refused(&handler, "/?a=1&b=2", 500, missing);
    expect_refused(&handler, "/?a=1&b=2&cc=3", 500, missing);
    expect_refused(&handler, "/?a=1&b=2&C=3", 500, missing);
    expect_refused(&handler, "/", 500, missing);
    struct ps_batch *batch = ps_test_stage_take_batch(&stage);
    assert_int_equal(take(&handler, batch, "/?c=1&b&a=2&d=3"), PS_HTTP_TAKEN);
    assert_string_equal(headers_of(batch), "d=3 a=2 b= c=1 ");
}

static void test_names_of_the_list(void **state)
{
    static const struct {
        const char *list;
        size_t count;
        const char *names[3];
    } rows[] = {{NULL, 0, {NULL}},          {"", 0, {NULL}},
                {",", 0, {NULL}},           {"a", 1, {"a"}},
                {"a,,", 1, {"a"}},          {"a,,b", 3, {"a", "", "b"}},
                {" a ,b", 2, {" a ", "b"}}, {",a", 2, {"", "a"}}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_texts names = ps_blob_handler_mandatory(stage.arena, rows[i].list);
        assert_int_equal(names.count, rows[i].count);
        for (size_t k = 0; k < names.count; k++)
            assert_string_equal(names.items[k], rows[i].names[k]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_queries), TEST(test_most_parameters),
                                       TEST(test_percent_signs), TEST(test_mandatory),
                                       TEST(test_names_of_the_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
