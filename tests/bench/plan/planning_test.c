/* A plan refuses bad goals before its first trial, and prints why a trial was not held. */
#include "bench/plan/goal.h"
#include "bench/plan/planning.h"
#include "bench/plan/planning_text.h"
#include "tests/support/support.h"

#include <stdio.h>
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

/* Prints the line of one trial, judged by `ndr`. */
static void line_of(const struct ps_trial *trial, char *text, size_t room)
{
    const struct ps_planning_config config = {.search = {.goals = {{.name = "ndr"}},
                                                         .goal_count = 1,
                                                         .rate_min = 1,
                                                         .rate_max = 1000,
                                                         .rate_first = 1000,
                                                         .precision = 0.1,
                                                         .budget_s = 100}};
    struct ps_planning planning = {
        .config = &config, .search = ps_search_create(&config.search), .trial_count = 1};
    struct ps_trial copy = *trial;
    struct ps_search_ask ask;
    struct ps_search_answer answer;
    struct ps_live live;
    FILE *to = fmemopen(text, room, "w");
    assert_true(ps_search_next(planning.search, &ask));
    ps_trial_answer(trial, config.search.goals, 1, &answer);
    ps_search_feed(planning.search, &answer);
    planning.trials = &copy;
    ps_live_init(&live, to, false, false);
    ps_planning_print_trial(&live, &planning);
    fclose(to);
    ps_search_destroy(planning.search);
}

/* The line of a trial that was not held says why, and nothing that is not so. */
static void test_reasons(void **state)
{
    char text[512];
    const struct ps_trial slow = {.rate = 1000,
                                  .seconds = 4,
                                  .sent = 4000,
                                  .received = 4000,
                                  .behind = true,
                                  .generator_held = true,
                                  .flow = {.verdict = PS_FLOW_SLOW}};
    line_of(&slow, text, sizeof text);
    assert_null(strstr(text, "falls behind by 0 %"));
    assert_non_null(strstr(text, "one event in a hundred came later than a quarter of the trial"));
    const struct ps_trial bunched = {.rate = 1000,
                                     .seconds = 4,
                                     .sent = 4000,
                                     .received = 3900,
                                     .lost = 100,
                                     .bunched = 150,
                                     .generator_held = true,
                                     .schedule_error_p99_ns = 1000,
                                     .flow = {.verdict = PS_FLOW_LEVEL}};
    line_of(&bunched, text, sizeof text);
    assert_non_null(strstr(text, "lost 100, but the generator sent 150 late and in a bunch"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_needs_a_far_end),
        cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
