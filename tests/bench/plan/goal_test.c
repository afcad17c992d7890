/* Parsing goals. */
#include "bench/plan/goal.h"
#include "tests/support/support.h"

static void test_good(void **state)
{
    static const struct {
        const char *text;
        double loss_max, percentile;
        uint64_t limit_ns;
        const char *says;
    } cases[] = {
        {"ndr", 0, 0, 0, "loss 0"},
        {"pdr=0.1%", 0.001, 0, 0, "loss <= 0.1 %"},
        {"pdr=0.005", 0.005, 0, 0, "loss <= 0.5 %"},
        {"p99<20ms", 0, 99, 20000000, "p99 < 20 ms, loss 0"},
        {"p99.9<1s", 0, 99.9, 1000000000, NULL},
        {"p50<800us", 0, 50, 800000, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_goal goal;
        struct ps_err err = {0};
        char text[96];
        assert_int_equal(ps_goal_parse(&goal, "--goal", cases[i].text, &err), PS_OK);
        assert_string_equal(goal.name, cases[i].text);
        assert_true(goal.loss_max == cases[i].loss_max && goal.percentile == cases[i].percentile);
        assert_int_equal(goal.latency_limit_ns, cases[i].limit_ns);
        ps_goal_text(&goal, text, sizeof text);
        if (cases[i].says != NULL)
            assert_string_equal(text, cases[i].says);
    }
}

/* A bare number would mean seconds, a thousand times what most people expect. */
static void test_unit_is_required(void **state)
{
    struct ps_goal goal;
    struct ps_err err = {0};
    assert_int_equal(ps_goal_parse(&goal, "--goal", "p99<20", &err), PS_FAIL);
    assert_string_equal(err.text,
                        "--goal p99<20: the limit has no unit; write p99<20ms, or p99<20s for seconds");
    assert_int_equal(ps_goal_parse(&goal, "--goal", "p99.9<0.5", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "p99.9<0.5ms"));
}

static void test_bad(void **state)
{
    static const char *const texts[] = {"",
                                        "ndrx",
                                        "NDR",
                                        "pdr",
                                        "pdr=",
                                        "pdr=2",
                                        "pdr=100%",
                                        "pdr=x",
                                        "p99",
                                        "p99<",
                                        "p99<x",
                                        "p<20ms",
                                        "p0<1s",
                                        "p100<1s",
                                        "p99>20ms",
                                        "p99<0s",
                                        "p99<-1s",
                                        "pnan<1ms",
                                        "a goal that is far too long to be one of those that are known here"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_goal goal;
        struct ps_err err = {0};
        if (ps_goal_parse(&goal, "--goal", texts[i], &err) == PS_OK)
            fail_msg("`%s` was taken", texts[i]);
        assert_non_null(strstr(err.text, "--goal"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_unit_is_required),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
