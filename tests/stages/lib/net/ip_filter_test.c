#include "stages/lib/net/ip_filter.h"
#include "tests/support/support.h"

#include <string.h>

static struct ps_arena *arena;

static bool admits(const char *const *rules, const char *ip, const char *host, bool local)
{
    struct ps_ip_filter filter;
    struct ps_texts texts = {.items = rules};
    struct ps_err err = {.length = 0};
    while (rules[texts.count] != NULL)
        texts.count++;
    assert_int_equal(ps_ip_filter_parse(&filter, &texts, arena, &err), PS_OK);
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
    assert_true(admits(names, "10.1.2.4", "", false)); /* none matches */
}

static void test_mistakes(void **state)
{
    static const char *const bad[] = {
        "", "allow", "allow:ip", "permit:ip:*", "deny:host:*", "Allow:ip:127.*", "deny :ip:*", NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        struct ps_ip_filter filter;
        struct ps_texts texts = {.count = 1, .items = &bad[i]};
        struct ps_err err = {.length = 0};
        assert_int_equal(ps_ip_filter_parse(&filter, &texts, arena, &err), PS_FAIL);
    }
}

static int set_up(void **state)
{
    arena = ps_arena_create();
    return 0;
}

static int tear_down(void **state)
{
    ps_arena_destroy(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_mistakes)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
