/* The cost of a machine: how its text is parsed, and the sum for a trial. */
#include "bench/plan/cost.h"
#include "bench/plan/projection.h"
#include "tests/support/support.h"

#include <math.h>

static void test_written(void **state)
{
    static const struct {
        const char *text, *currency;
        double per_hour;
    } cases[] = {
        {"0.34/h", "", 0.34},    {"0.34EUR/h", "EUR", 0.34}, {"0.34 EUR/h", "EUR", 0.34},
        {"$0.34/h", "$", 0.34},  {"USD 12/day", "USD", 0.5}, {"730/month", "", 1},
        {"8760 €/year", "€", 1}, {".5/h", "", 0.5},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_cost cost;
        struct ps_err err = {0};
        if (ps_cost_parse(&cost, "--cost-per-machine", cases[i].text, &err) != PS_OK)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(cost.currency, cases[i].currency);
        assert_true(fabs(cost.per_hour - cases[i].per_hour) < 1e-12);
    }
}

static void test_mistakes(void **state)
{
    static const char *const texts[] = {"",
                                        "/h",
                                        "EUR/h",
                                        "0.34",
                                        "0.34/",
                                        "0.34/hour",
                                        "0/h",
                                        "-1/h",
                                        "1.2.3/h",
                                        "./h",
                                        "2e9/h",
                                        "$1EUR/h",
                                        "1h",
                                        "1/h/h",
                                        "9999999999999/h",
                                        "1 currencies of the world/h"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_cost cost;
        struct ps_err err = {0};
        if (ps_cost_parse(&cost, "--cost-per-machine", texts[i], &err) == PS_OK)
            fail_msg("`%s` was taken: %g %s", texts[i], cost.per_hour, cost.currency);
        assert_non_null(strstr(err.text, "--cost-per-machine"));
    }
}

static void test_printed(void **state)
{
    char text[48];
    assert_string_equal(ps_cost_print(1.02, "EUR", text, sizeof text), "1.02 EUR");
    assert_string_equal(ps_cost_print(744.6, "", text, sizeof text), "744.60");
    assert_string_equal(ps_cost_print(8935.2, "$", text, sizeof text), "8,935 $");
    assert_string_equal(ps_cost_print(0.000354, "EUR", text, sizeof text), "0.000354 EUR");
}

static void test_projected(void **state)
{
    struct ps_projection_wish wish = {.rate = 100000, .size_bytes = 200, .headroom = 0.3, .spare = 1};
    const struct ps_projection_measured measured = {.rate = 50000, .size_bytes = 200, .workers = 1};
    struct ps_projection projection;
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, NULL), PS_OK);
    assert_true(projection.cost_per_hour == 0 && projection.cost_per_month == 0);
    assert_int_equal(ps_cost_parse(&wish.cost, "", "0.34 EUR/h", NULL), PS_OK);
    assert_int_equal(ps_projection_make(&wish, &measured, &projection, NULL), PS_OK);
    assert_int_equal(projection.machines, 4); /* 2.86 -> 3, and a spare one */
    assert_true(fabs(projection.cost_per_hour - 1.36) < 1e-9);
    assert_true(fabs(projection.cost_per_month - 992.8) < 1e-9);
    assert_true(fabs(projection.cost_per_million - 1.36 / 360) < 1e-9); /* 360 million an hour */
    bool told = false;
    for (unsigned i = 0; i < projection.assumption_count; i++)
        told = told || strstr(projection.assumptions[i], "each machine costs 0.34 EUR an hour") != NULL;
    assert_true(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_printed),
        cmocka_unit_test(test_projected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
