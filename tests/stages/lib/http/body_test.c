/* Bodies of HTTP requests. (The client: tests/bench/load/target/http_test.c.) */
#include "stages/lib/http/body.h"
#include "tests/support/support.h"

static void body_is(enum ps_http_format format, const char *const *events, const char *wanted)
{
    struct ps_http_body body = {0};
    for (int again = 0; again < 2; again++) { /* a buffer can be used again */
        assert_true(ps_http_body_begin(&body, format));
        for (size_t i = 0; events[i] != NULL; i++)
            assert_true(ps_http_body_add(&body, format, events[i], strlen(events[i])));
        ps_http_body_end(&body, format);
        assert_int_equal(body.length, strlen(wanted));
        assert_memory_equal(body.bytes, wanted, body.length);
    }
    ps_http_body_fini(&body);
}

static void test_formats(void **state)
{
    static const char *const none[] = {NULL}, *const one[] = {"a,", NULL}, *const two[] = {"a\"b", "", NULL};
    body_is(PS_HTTP_FLUME, none, "[]");
    body_is(PS_HTTP_FLUME, one, "[{\"headers\":{},\"body\":\"a,\"}]");
    body_is(PS_HTTP_FLUME, two, "[{\"headers\":{},\"body\":\"a\\\"b\"},{\"headers\":{},\"body\":\"\"}]");
    body_is(PS_HTTP_LINES, two, "a\"b\n\n");
    body_is(PS_HTTP_PLAIN, one, "a,");
}

static void test_a_buffer_grows(void **state)
{
    struct ps_http_body body = {0};
    char event[1000];
    memset(event, '\x01', sizeof event); /* each byte becomes six */
    assert_true(ps_http_body_begin(&body, PS_HTTP_FLUME));
    for (int i = 0; i < 100; i++)
        assert_true(ps_http_body_add(&body, PS_HTTP_FLUME, event, sizeof event));
    ps_http_body_end(&body, PS_HTTP_FLUME);
    assert_int_equal(body.length, 2 + 100 * (6000 + strlen("{\"headers\":{},\"body\":\"\"}")) + 99);
    assert_true(body.length <= body.room);
    assert_int_equal(body.bytes[body.length - 1], ']');
    ps_http_body_fini(&body);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_a_buffer_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
