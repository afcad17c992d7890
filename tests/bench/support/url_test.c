#include "tests/support/support.h"

#include <arpa/inet.h>

#include "bench/support/url.h"

static void test_parts(void **state)
{
    static const struct {
        const char *text, *scheme, *hosts, *host, *port, *path;
    } cases[] = {
        {"tcp://127.0.0.1:5140", "tcp", "127.0.0.1:5140", "127.0.0.1", "5140", ""},
        {"TCP://web:1", "tcp", "web:1", "web", "1", ""},
        {"udp://[::1]:514", "udp", "[::1]:514", "::1", "514", ""},
        {"kafka://a:9092,b:9093/logs", "kafka", "a:9092,b:9093", "a", "9092", "/logs"},
        {"http://web/a%20b/c", "http", "web", "web", "", "/a b/c"},
        {"file:///var/log/x.log", "file", "", "", "", "/var/log/x.log"},
        {"/var/log/x:y", "file", "", "", "", "/var/log/x:y"},
        {"./here", "file", "", "", "", "./here"},
        {"data", "file", "", "", "", "data"},
        {"-", "stdout", "", "", "", ""},
        {"stdout:", "stdout", "", "", "", ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_url url;
        struct ps_err err = {0};
        assert_int_equal(ps_url_parse(&url, cases[i].text, &err), PS_OK);
        assert_string_equal(url.scheme, cases[i].scheme);
        assert_string_equal(url.hosts, cases[i].hosts);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.port, cases[i].port);
        assert_string_equal(url.path, cases[i].path);
        ps_url_fini(&url);
    }
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"tcp://::1:5140",   "tcp://[::1",      "tcp://h:port", "tcp://h:70000",
                                      "http://h/%4",      "http://h/?%zz=1", "http://h/?=1", "tcp://[::1]x:4",
                                      "http://h/?a=%00b", "tcp://h:123456"};
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        struct ps_url url;
        struct ps_err err = {0};
        assert_int_equal(ps_url_parse(&url, bad[i], &err), PS_FAIL);
        assert_non_null(strstr(err.text, bad[i]));
        ps_url_fini(&url);
    }
}

static void test_keys(void **state)
{
    struct ps_url url;
    struct ps_err err = {0};
    assert_int_equal(
        ps_url_parse(&url, "kafka://b:1/t?kafka.acks=all&ack&isolaton=x%26y&kafka.a.b=2&ack=no", &err),
        PS_OK);
    assert_string_equal(ps_url_get(&url, "ack", "yes"), "no");
    assert_string_equal(ps_url_get(&url, "isolation", "both"), "both");
    const char *name, *value;
    unsigned at = 0;
    assert_true(ps_url_next(&url, "kafka.", &at, &name, &value));
    assert_string_equal(name, "acks");
    assert_string_equal(value, "all");
    assert_true(ps_url_next(&url, "kafka.", &at, &name, &value));
    assert_string_equal(name, "a.b");
    assert_false(ps_url_next(&url, "kafka.", &at, &name, &value));
    assert_int_equal(ps_url_check(&url, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "has no key `isolaton`; did you mean `isolation`?"));
    assert_string_equal(ps_url_get(&url, "isolaton", ""), "x&y");
    assert_int_equal(ps_url_check(&url, &err), PS_OK);
    ps_url_fini(&url);
}

static void test_unknown_key_lists_what_there_is(void **state)
{
    struct ps_url url;
    struct ps_err err = {0};
    assert_int_equal(ps_url_parse(&url, "x:?zebra=1", &err), PS_OK);
    ps_url_get(&url, "ack", "");
    unsigned at = 0;
    const char *name, *value;
    ps_url_next(&url, "kafka.", &at, &name, &value);
    assert_int_equal(ps_url_check(&url, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "it has ack, kafka.*"));
    ps_url_fini(&url);
}

static void test_addresses(void **state)
{
    struct ps_url url;
    struct ps_err err = {0};
    struct sockaddr_storage address;
    unsigned bytes;
    assert_int_equal(ps_url_parse(&url, "tcp://127.0.0.1:5140", &err), PS_OK);
    assert_int_equal(ps_url_address(&url, &address, &bytes, &err), PS_OK);
    assert_int_equal(ntohs(((struct sockaddr_in *)&address)->sin_port), 5140);
    ps_url_fini(&url);
    assert_int_equal(ps_url_parse(&url, "tcp://127.0.0.1", &err), PS_OK);
    assert_int_equal(ps_url_address(&url, &address, &bytes, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "a port is missing"));
    ps_url_fini(&url);
    assert_int_equal(ps_url_parse(&url, "tcp://:5140", &err), PS_OK);
    assert_int_equal(ps_url_address(&url, &address, &bytes, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "a host is missing"));
    ps_url_fini(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts), cmocka_unit_test(test_refused), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_unknown_key_lists_what_there_is), cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
