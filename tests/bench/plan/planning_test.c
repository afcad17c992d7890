/* What a plan refuses before its first trial. */
#include "bench/plan/goal.h"
#include "bench/plan/planning.h"
#include "tests/support/support.h"

#include <string.h>

static const volatile sig_atomic_t stopped = 1; /* no trial is begun */

/* Runs a plan with these goals, which end with NULL. */
static enum ps_status run(const char *const *goals, const char *from, struct ps_err *err)
{
    static struct ps_planning planning;
    static struct ps_planning_config config;
    config = (struct ps_planning_config){
        .subject = {.target = "tcp://127.0.0.1:1", .from = {from}, .from_count = from != NULL},
        .search = {.rate_min = 1, .rate_max = 1000, .precision = 0.1, .budget_s = 1},
        .format = "fixed",
        .shape = "constant",
        .stop = &stopped};
    for (; goals[config.search.goal_count] != NULL; config.search.goal_count++)
        assert_int_equal(ps_goal_parse(&config.search.goals[config.search.goal_count], "--goal",
                                       goals[config.search.goal_count], err),
                         PS_OK);
    enum ps_status status = ps_planning_run(&planning, &config, err);
    if (status != PS_OK)
        assert_false(planning.tried_to_start);
    assert_int_equal(planning.trial_count, 0);
    ps_planning_fini(&planning);
    return status;
}

/* Without a far end no latency is known: each goal that has one is refused, wherever it stands in the list. */
static void test_latency_needs_a_far_end(void **state)
{
    static const char *const lists[][5] = {
        {"p99<5ms", NULL}, {"p99<5ms", "ndr"}, {"ndr", "p99<5ms"}, {"ndr", "pdr=1%", "p99<5ms"}};
    static const char *const losses[] = {"ndr", "pdr=1%", NULL};
    for (size_t i = 0; i < PS_COUNT_OF(lists); i++) {
        struct ps_err err = {0};
        assert_int_equal(run(lists[i], NULL, &err), PS_FAIL);
        if (strstr(err.text, "--goal p99<5ms: latency can only be measured at a far end") == NULL)
            fail_msg("list %zu: %s", i, err.text);
        if (run(lists[i], "tcp://127.0.0.1:1", &err) != PS_OK)
            fail_msg("list %zu with a far end: %s", i, err.text);
    }
    struct ps_err err = {0};
    assert_int_equal(run(losses, NULL, &err), PS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_needs_a_far_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
