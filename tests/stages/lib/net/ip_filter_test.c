#include "stages/lib/net/ip_filter.h"
#include "tests/support/arena.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

static bool admits(const char *const *rules, const char *ip, const char *host, bool local)
{
    struct ps_ip_filter filter;
    struct ps_texts texts = {.items = rules};
    struct ps_err err = {.length = 0};
    while (rules[texts.count] != NULL)
        texts.count++;
    assert_int_equal(ps_ip_filter_parse(&filter, &texts, ps_test_arena(), &err), PS_OK);
    const struct ps_slice address = {ip, (uint32_t)strlen(ip)}, name = {host, (uint32_t)strlen(host)};
    return ps_ip_filter_admits(&filter, &address, &name, local);
}

/* The first example is the one of Flume's guide. */
static void test_rules(void **state)
{
    static const char *const guide[] = {"allow:ip:127.*", "allow:name:localhost", "deny:ip:*", NULL};
    static const char *const names[] = {"deny:name:*.bad.org", "allow:name:a?c.org", "deny:ip:10.*.3", NULL};
    assert_true(admits(guide, "127.0.0.1", "x", false));
    assert_true(admits(guide, "10.0.0.7", "x", true));
    assert_false(admits(guide, "10.0.0.7", "x", false));
    assert_false(admits(names, "10.1.2.3", "www.bad.org", false));
    assert_true(admits(names, "10.1.2.3", "abc.org", false));
    assert_false(admits(names, "10.1.2.3", "abbc.org", false));
    assert_true(admits(names, "10.1.2.33", "abbc.org", false));
    assert_true(admits(names, "10.1.2.4", "", false)); /* no rule matches */
}

/* Patterns against texts: stars that match nothing, at each place; each question mark is one character. */
static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"*", "", true},
        {"*", "a", true},
        {"**", "", true},
        {"**", "ab", true},
        {"a*", "a", true},
        {"a*", "ab", true},
        {"a**", "a", true},
        {"*a", "a", true},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"a*b", "ab", true},
        {"a*b", "axb", true},
        {"a*b", "axbx", false},
        {"a*b", "abab", true},
        {"*a*", "a", true},
        {"*a*", "bab", true},
        {"*a*", "b", false},
        {"a*b*c", "abc", true},
        {"a*b*c", "ab", false},
        {"a?", "a", false},
        {"a?", "ab", true},
        {"a?", "abc", false},
        {"?", "", false},
        {"*?", "a", true},
        {"*?", "", false},
        {"?*", "a", true},
        {"a", "a", true},
        {"a", "", false},
        {"a", "ab", false},
        {"ab", "a", false},
        {"10.1.*", "10.1.2", true},
        {"10.1.2*", "10.1.2", true},
        {"10.1.*", "10.10.2", false},
        {"*.1", "1.1.1", true},
        {"*ab", "aab", true},
        {"*aab", "aaab", true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char rule[64];
        snprintf(rule, sizeof rule, "deny:name:%s", cases[i].pattern);
        if (admits((const char *const[]){rule, NULL}, "10.0.0.1", cases[i].text, false) == cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].text);
        snprintf(rule, sizeof rule, "deny:ip:%s", cases[i].pattern);
        if (admits((const char *const[]){rule, NULL}, cases[i].text, "x", false) == cases[i].matches)
            fail_msg("ip: %s and %s", cases[i].pattern, cases[i].text);
    }
}

static void test_mistakes(void **state)
{
    static const char *const bad[] = {
        "", "allow", "allow:ip", "permit:ip:*", "deny:host:*", "Allow:ip:127.*", "deny :ip:*", NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        struct ps_ip_filter filter;
        struct ps_texts texts = {.count = 1, .items = &bad[i]};
        struct ps_err err = {.length = 0};
        assert_int_equal(ps_ip_filter_parse(&filter, &texts, ps_test_arena(), &err), PS_FAIL);
    }
}

/* A pattern is no network, no regular expression and no short IPv6 address: no peer matches such a rule. */
static void test_useless_rules(void **state)
{
    static const struct {
        const char *rule;
        bool useless;
    } rows[] = {{"allow:ip:10.*", false},
                {"deny:ip:*", false},
                {"allow:ip:10.0.0.0/8", true},
                {"allow:ip:10.0.(1|2).*", true},
                {"allow:ip:0:0:0:0:0:0:0:1", false},
                {"allow:ip:::1", true},
                {"allow:ip:FE80:*", true},
                {"allow:ip:fe80:*%Eth/0", false},
                {"allow:ip:localhost", true},
                {"allow:name:localhost", false},
                {"allow:name:*.Example_1.org", false},
                {"deny:name:web[12].example.org", true}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_ip_filter filter;
        struct ps_err err = {.length = 0};
        const char *const rules[] = {"allow:ip:127.*", rows[i].rule};
        assert_int_equal(ps_ip_filter_parse(&filter, &(struct ps_texts){2, rules}, ps_test_arena(), &err),
                         PS_OK);
        assert_ptr_equal(ps_ip_filter_useless(&filter), rows[i].useless ? &filter.rules[1] : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_patterns),
                                       cmocka_unit_test(test_mistakes), cmocka_unit_test(test_useless_rules)};
    return cmocka_run_group_tests(tests, ps_test_arena_setup, ps_test_arena_teardown);
}
