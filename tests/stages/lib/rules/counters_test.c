/* Counters, samples and limits, which outlive a set of rules: they are kept by the rules' names over reloads, in
 * bounded memory. */
#include "tests/support/rules/set.h"

#include "stages/lib/rules/set_internal.h"

static void one(struct ps_test_rules *rules, struct ps_test_event event)
{
    ps_test_rules_work(rules, PS_LEASE(&rules->stage, event));
}

/* Returns the channels that one more event with this body goes to: "c1 " or "". */
static const char *goes(struct ps_test_rules *rules, const char *body)
{
    struct ps_lease *lease = PS_LEASE(&rules->stage, PS_BODY(body));
    ps_test_rules_work(rules, lease);
    return ps_test_rules_ways(rules, lease, 0);
}

static void order(void *argument, const char *rule, const struct ps_rules_count *count)
{
    char *names = argument;
    strcat(strcat(names, rule), " ");
}

static void test_counts_survive(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("rule a { when body ~ /a/ drop }\nrule b { when body ~ /b/ drop }", true);
    one(rules, PS_BODY("a"));
    one(rules, PS_BODY("b"));
    ps_test_rules_use(rules, "rule c { when body ~ /c/ drop }\nrule b { when body ~ /bb/ route c1 }");
    one(rules, PS_BODY("a"));
    one(rules, PS_BODY("bb"));
    one(rules, PS_BODY("c"));
    assert_int_equal(ps_test_rules_count(rules, "a").hits, 1);
    assert_int_equal(ps_test_rules_count(rules, "b").hits, 2);
    assert_int_equal(ps_test_rules_count(rules, "b").dropped, 1);
    assert_int_equal(ps_test_rules_count(rules, "c").hits, 1);
    char names[64] = "";
    ps_rules_counters_each(rules->counters, order, names);
    assert_string_equal(names, "b c a "); /* names of no current set are last */
    ps_test_rules_use(rules, "rule a { when body ~ /a/ drop }");
    one(rules, PS_BODY("a"));
    assert_int_equal(ps_test_rules_count(rules, "a").hits, 2);
    ps_test_rules_end(rules);
}

/* A reload refills no bucket; a changed limit starts with a full one. */
static void test_limits_survive(void **unused)
{
    const char *text = "rule a { when body ~ /a/ limit 1/s burst 3 route c1 }";
    struct ps_test_rules *rules = ps_test_rules_start(text, true);
    assert_string_equal(goes(rules, "a"), "c1 ");
    assert_string_equal(goes(rules, "a"), "c1 ");
    ps_test_rules_use(rules, "rule new priority 9 { when body ~ /n/ drop }\n"
                             "rule a { when body ~ /a/ set header.x = \"y\" limit 1/s burst 3 route c1 }");
    assert_string_equal(goes(rules, "a"), "c1 ");
    assert_string_equal(goes(rules, "a"), "");
    ps_test_rules_use(rules, "rule a { when body ~ /a/ limit 1/s burst 2 route c1 }");
    assert_string_equal(goes(rules, "a"), "c1 ");
    assert_string_equal(goes(rules, "a"), "c1 ");
    assert_string_equal(goes(rules, "a"), "");
    ps_test_rules_end(rules);
}

static void test_samples_survive(void **unused)
{
    const char *text = "rule a { when body ~ /a/ sample 1/3 route c1 }";
    struct ps_test_rules *rules = ps_test_rules_start(text, true);
    for (unsigned i = 0; i < 12; i++) {
        assert_string_equal(goes(rules, "a"), i % 3 == 0 ? "c1 " : "");
        if (i % 2 == 0)
            ps_test_rules_use(rules, text);
    }
    ps_test_rules_end(rules);
}

/* More keys than are remembered: the one not seen for the longest time is forgotten. */
static void test_keys_are_bounded(void **unused)
{
    char body[32];
    struct ps_test_rules *rules =
        ps_test_rules_start("rule a { when true limit 1/h per body burst 1 route c1 }", true);
    for (unsigned i = 0; i < 4096; i++) {
        snprintf(body, sizeof body, "key %u", i);
        assert_string_equal(goes(rules, body), "c1 ");
        if (i % 200 == 0)
            ps_test_stage_recycle(&rules->stage);
    }
    assert_string_equal(goes(rules, "key 0"), ""); /* seen now, so the last to be forgotten */
    assert_int_equal(ps_test_rules_count(rules, "a").keys_replaced, 0);
    assert_string_equal(goes(rules, "one more"), "c1 ");
    assert_int_equal(ps_test_rules_count(rules, "a").keys_replaced, 1);
    assert_string_equal(goes(rules, "key 0"), "");
    assert_string_equal(goes(rules, "key 2"), "");
    assert_string_equal(goes(rules, "key 1"), "c1 "); /* was forgotten */
    assert_int_equal(ps_test_rules_count(rules, "a").keys_replaced, 2);
    ps_test_rules_end(rules);
}

#define WORKERS 4U

/* Offers ten events of each kind to each worker. Asserts that each worker passes `a`, `b` and `c` of them. */
static void pass_shares(struct ps_test_rules *rules, const struct ps_rules_set *set,
                        struct ps_rules_scratch *const *scratches, unsigned a, unsigned b, unsigned c)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        unsigned passed[3] = {0, 0, 0};
        for (unsigned k = 0; k < 10; k++) {
            struct ps_lease *lease = PS_LEASE(&rules->stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"));
            rules->route.channel_count = 4;
            memset(&rules->route.slots, 0, sizeof rules->route.slots);
            assert_int_equal(
                ps_rules_set_work(set, scratches[i], lease, &rules->route, &rules->stage.now, NULL, NULL),
                PS_DONE);
            for (uint32_t e = 0; e < 3; e++)
                passed[e] += ps_test_route_way(&rules->route, lease, e, 0) == PS_WAY_REQUIRED;
        }
        assert_int_equal(passed[0], a);
        assert_int_equal(passed[1], b);
        assert_int_equal(passed[2], c);
    }
}

/* A worker has its share of a limit's rate and burst, but at least one event; another worker's events take
 * nothing from it. */
static void test_shares(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("rule x { when body ~ /x/ drop }", true);
    struct ps_rules_set_options options = ps_test_rules_options(rules);
    struct ps_rules_counters *counters = ps_rules_counters_create(WORKERS);
    options.counters = counters;
    options.instances = WORKERS;
    struct ps_rules_set *set =
        ps_test_rules_compile(rules,
                              "rule a { when body ~ /a/ limit 8/s route c1 }\n"
                              "rule b { when body ~ /b/ limit 1/s route c1 }\n"
                              "rule c { when body ~ /c/ limit 4/s per body burst 12 route c1 }",
                              options);
    assert_non_null(set);
    struct ps_rules_scratch *scratches[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        scratches[i] = ps_rules_scratch_create(set, i, NULL);
        assert_non_null(scratches[i]);
    }
    pass_shares(rules, set, scratches, 2, 1, 3);
    pass_shares(rules, set, scratches, 0, 0, 0);
    ps_test_stage_pass_ms(&rules->stage, 1000);
    pass_shares(rules, set, scratches, 2, 0, 1);
    ps_test_stage_pass_ms(&rules->stage, 3000);
    pass_shares(rules, set, scratches, 2, 1, 3);
    struct ps_test_rules_wanted wanted = {.name = "a"};
    ps_rules_counters_each(counters, ps_test_rules_pick, &wanted);
    assert_int_equal(wanted.count.hits, 4 * 10 * WORKERS);
    assert_int_equal(wanted.count.dropped, (4 * 10 - 3 * 2) * WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        ps_rules_scratch_destroy(scratches[i]);
    ps_rules_set_destroy(set);
    ps_rules_counters_destroy(counters);
    ps_test_rules_end(rules);
}

struct tally {
    size_t names;
    uint64_t first; /* hits of rule r0 */
};

static void tally(void *argument, const char *rule, const struct ps_rules_count *count)
{
    struct tally *sum = argument;
    sum->names++;
    if (strcmp(rule, "r0") == 0)
        sum->first += count->hits;
}

/* Names come and go for ever: at most 10,000 names that no set has any more are remembered. */
static void test_names_are_bounded(void **unused)
{
    struct ps_rules_counters *counters = ps_rules_counters_create(2);
    char name[32];
    uint32_t kept = ps_rules_counters_hold(counters, "kept");
    ps_rules_count_add(&ps_rules_counters_counts(counters, kept, 1)->hits, 7);
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(name, sizeof name, "r%u", i);
        uint32_t entry = ps_rules_counters_hold(counters, name);
        assert_int_equal(ps_rules_counters_counts(counters, entry, 0)->hits,
                         0); /* not the value of an earlier name */
        ps_rules_count_add(&ps_rules_counters_counts(counters, entry, 0)->hits, 1);
        ps_rules_counters_drop(counters, entry);
    }
    struct tally sum = {0, 0};
    ps_rules_counters_each(counters, tally, &sum);
    assert_int_equal(sum.names, 10001);
    assert_int_equal(sum.first, 0); /* the counters have forgotten the name */
    assert_int_equal(ps_rules_counters_hold(counters, "kept"), kept);
    assert_int_equal(ps_rules_counters_counts(counters, kept, 1)->hits, 7);
    ps_rules_counters_destroy(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_survive),  cmocka_unit_test(test_limits_survive),
        cmocka_unit_test(test_samples_survive), cmocka_unit_test(test_keys_are_bounded),
        cmocka_unit_test(test_shares),          cmocka_unit_test(test_names_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
