/* What is prepared of rules: captures from several headers, the number of channels, and the keys that each limit may remember. */
#include "tests/support/rules/set.h"

#include "stages/lib/rules/set_internal.h"

#include <stdarg.h>

static struct {
    char *bytes;
    size_t length, room;
} text;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list arguments;
    if (text.room - text.length < 256) {
        text.room = 2 * text.room + 4096;
        text.bytes = realloc(text.bytes, text.room);
        assert_non_null(text.bytes);
    }
    va_start(arguments, format);
    int length = vsnprintf(text.bytes + text.length, text.room - text.length, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && length < 256);
    text.length += (size_t)length;
}

static int forget(void **state)
{
    free(text.bytes);
    memset(&text, 0, sizeof text);
    return 0;
}

/* Groups come from the header that their own expression names, as it was received. */
static void test_captures_of_several_headers(void **state)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "mode all\n"
        "rule a { when header.h ~ /^(?<a>.)/ and header.k ~ /^(?<b>.)/ set header.h = \"new\" }\n"
        "rule b { when header.k ~ /(?<c>.)$/ and header.h ~ /(?<d>.)$/ and body ~ /(?<e>.)$/ set header.k = "
        "\"new\" }\n"
        "rule c { when header.m ~ /(?<f>.)/ or header.k ~ /(?<g>.)/ or header.h ~ /(?<i>.)/ }\n",
        false);
    struct ps_lease *lease = PS_LEASE(&rules->stage, PS_EVENT("body", "h", "h1", "k", "k2", "m", "m3"),
                                      PS_EVENT("body", "h", "H4", "k", "K5"));
    ps_test_rules_work(rules, lease);
    static const char *const wanted[2][8] = {{"h", "k", "2", "1", "y", "m", "k", "h"},
                                             {"H", "K", "5", "4", "y", NULL, "K", "H"}};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "i"};
    for (uint32_t i = 0; i < 2; i++) {
        struct ps_test_event event = ps_test_lease_event(&rules->stage, lease, i);
        for (size_t k = 0; k < PS_COUNT_OF(names); k++) {
            const char *value = ps_test_event_header(&event, names[k]);
            if ((value == NULL) != (wanted[i][k] == NULL) ||
                (value != NULL && strcmp(value, wanted[i][k]) != 0))
                fail_msg("event %u: %s is %s", i, names[k], value != NULL ? value : "not there");
        }
    }
    ps_test_rules_end(rules);
}

/* Rules that name as many channels as a set may have, and one more, which is refused at its place. */
static void test_most_channels(void **state)
{
    enum { MOST = 4096 };
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when true drop }", true);
    struct ps_rules_set_options options = {.any_channel = true, .routes = true};
    for (unsigned i = 0; i < MOST; i++)
        put("rule r%u { when header.h == \"%u\" route n%u }\n", i, i, i);
    struct ps_rules_set *set = ps_test_rules_compile(rules, text.bytes, options);
    assert_non_null(set);
    struct ps_texts channels = ps_rules_set_channels(set);
    assert_int_equal(channels.count, MOST);
    assert_string_equal(channels.items[MOST - 1], "n4095");
    for (uint32_t i = 0; i < MOST; i++) {
        assert_int_equal(set->rule[i].route_count, 1);
        assert_int_equal(set->rule[i].routes[0], 2 * i);
    }
    ps_rules_set_destroy(set);
    put("rule again { when header.h == \"x\" route n0 }\nrule more { when header.h == \"y\" route more }\n");
    assert_null(ps_test_rules_compile(rules, text.bytes, options));
    assert_int_equal(rules->problems.count, 1);
    assert_int_equal(rules->problems.items[0].place.line, MOST + 2);
    assert_string_equal(rules->problems.items[0].what, "more than 4096 channels");
    ps_test_rules_end(rules);
}

/* Makes a set with this number of limits that have keys, and one that has none. Returns how many keys each may have. */
static uint32_t keys_of(struct ps_test_rules *rules, unsigned limits)
{
    text.length = 0;
    put("rule all { when true limit 5/s route c1 }\n");
    for (unsigned i = 0; i < limits; i++)
        put("rule r%u { when true limit 5/s per body route c1 }\n", i);
    struct ps_rules_set_options options = ps_test_rules_options(rules);
    options.counters = NULL;
    struct ps_rules_set *set = ps_test_rules_compile(rules, text.bytes, options);
    assert_non_null(set);
    assert_int_equal(set->meter_count, limits + 1);
    assert_int_equal(set->meters[0].key_count, 1);
    uint32_t keys = set->meters[limits].key_count;
    for (unsigned i = 1; i <= limits; i++)
        assert_int_equal(set->meters[i].key_count, keys);
    ps_rules_set_destroy(set);
    return keys;
}

static void test_keys_are_shared(void **state)
{
    static const unsigned rows[][2] = {{1, 4096},   {2, 4096},   {256, 4096},
                                       {257, 4080}, {512, 2048}, {16384, 64},
                                       {16383, 64}, {20000, 64}, /* at least */ {10000, 104}};
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when true drop }", true);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        assert_int_equal(keys_of(rules, rows[i][0]), rows[i][1]);
    ps_test_rules_end(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures_of_several_headers),
        cmocka_unit_test_teardown(test_most_channels, forget),
        cmocka_unit_test_teardown(test_keys_are_shared, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
