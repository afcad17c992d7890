/* The command line of `penstock plan`: values at the edges of what is possible. */
#include "commands/plan/plan.h"
#include "tests/support/support.h"

static struct plan_wish wish;
static struct ps_err err;

/* Parses an agent file's plan with these options, which end with NULL. */
static enum ps_status parse_all(const char *const *options)
{
    static char words[64][64];
    const char *const first[] = {"plan", "-n", "a1", "-f", "x"};
    char *argv[PS_COUNT_OF(words) + 1] = {NULL};
    int count = 0;
    for (size_t i = 0; i < PS_COUNT_OF(first); i++)
        argv[count++] = strcpy(words[i], first[i]);
    for (; *options != NULL; options++, count++) {
        assert_in_range(count, 0, PS_COUNT_OF(words) - 1);
        snprintf(words[count], sizeof words[count], "%s", *options);
        argv[count] = words[count];
    }
    memset(&wish, 0, sizeof wish);
    err = (struct ps_err){0};
    return plan_parse(&wish, count, argv, &err);
}

static enum ps_status parse(const char *option, const char *value)
{
    return parse_all((const char *const[]){option, value, NULL});
}

static void test_workers(void **state)
{
    static const struct {
        const char *text;
        unsigned first, last; /* 0: refused */
    } cases[] = {{"1..4", 1, 4}, {"4", 4, 4},    {"1", 1, 1},    {"2..2", 2, 2},
                 {"0", 0, 0},    {"0..4", 0, 0}, {"3..2", 0, 0}, {"1..4x", 0, 0},
                 {"four", 0, 0}, {"1..", 0, 0},  {"-1..2", 0, 0}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        enum ps_status status = parse("--workers", cases[i].text);
        if ((status == PS_OK) != (cases[i].first > 0))
            fail_msg("--workers %s: %s", cases[i].text, err.text);
        if (status != PS_OK)
            continue;
        assert_int_equal(wish.config.workers_min, cases[i].first);
        assert_int_equal(wish.config.workers_max, cases[i].last);
    }
}

static void test_precision(void **state)
{
    assert_int_equal(parse("--precision", "0.1%"), PS_OK);
    assert_int_equal(parse("--precision", "50%"), PS_OK);
    assert_int_equal(parse("--precision", "0.09%"), PS_FAIL);
    assert_int_equal(parse("--precision", "51%"), PS_FAIL);
}

static void test_times(void **state)
{
    assert_int_equal(parse("--within", "90s"), PS_OK);
    assert_true(wish.within_s > 89.9 && wish.within_s < 90.1);
    assert_int_equal(parse("--within", "0s"), PS_FAIL);
}

#define PARSE(...) parse_all((const char *const[]){__VA_ARGS__, NULL})

/* The goal of a requirement is measured, once, and instead of the default. */
static void test_requirements(void **state)
{
    const struct ps_search_config *search = &wish.config.search;
    assert_int_equal(PARSE("--quiet"), PS_OK);
    assert_int_equal(search->goal_count, 1);
    assert_string_equal(search->goals[0].name, "ndr");
    assert_int_equal(PARSE("--require", "p99<20ms>=50k"), PS_OK);
    assert_int_equal(search->goal_count, 1);
    assert_string_equal(search->goals[0].name, "p99<20ms");
    assert_true(search->budget_s == 120);
    assert_int_equal(PARSE("--goal", "ndr", "--require", "p99<20ms>=50k", "--require", "ndr>=1", "--require",
                           "p99<20000us>=2"),
                     PS_OK);
    assert_int_equal(wish.requirement_count, 3);
    assert_int_equal(search->goal_count, 2);
    assert_string_equal(search->goals[0].name, "ndr");
    assert_string_equal(search->goals[1].name, "p99<20ms");
    assert_true(search->budget_s == 240);
    assert_int_equal(PARSE("--require", "ndr"), PS_FAIL);
}

static void test_too_many_requirements(void **state)
{
    assert_int_equal(PARSE("--goal", "p1<1s", "--goal", "p2<1s", "--goal", "p3<1s", "--goal", "p4<1s",
                           "--goal", "p5<1s", "--goal", "p6<1s", "--goal", "p7<1s", "--require", "p8<1s>=1"),
                     PS_OK);
    assert_int_equal(wish.config.search.goal_count, PS_GOALS_MAX);
    assert_int_equal(PARSE("--goal", "p1<1s", "--goal", "p2<1s", "--goal", "p3<1s", "--goal", "p4<1s",
                           "--goal", "p5<1s", "--goal", "p6<1s", "--goal", "p7<1s", "--goal", "p8<1s",
                           "--require", "ndr>=1"),
                     PS_FAIL);
    assert_non_null(strstr(err.text, "more than 8 goals"));
    assert_int_equal(PARSE("--require", "ndr>=1", "--require", "ndr>=2", "--require", "ndr>=3", "--require",
                           "ndr>=4", "--require", "ndr>=5", "--require", "ndr>=6", "--require", "ndr>=7",
                           "--require", "ndr>=8", "--require", "ndr>=9"),
                     PS_FAIL);
    assert_non_null(strstr(err.text, "--require: more than 8"));
}

static void test_files_and_cost(void **state)
{
    assert_int_equal(PARSE("--compare", "a", "--report", "b", "--result", "c", "--csv", "d", "--hgrm", "e",
                           "--hlog", "f", "--render", "g"),
                     PS_OK);
    assert_string_equal(wish.compare, "a");
    assert_string_equal(wish.report, "b");
    assert_string_equal(wish.result, "c");
    assert_string_equal(wish.csv, "d");
    assert_string_equal(wish.hgrm, "e");
    assert_string_equal(wish.hlog, "f");
    assert_string_equal(wish.render, "g");
    assert_int_equal(PARSE("--render", "g"), PS_OK); /* prints the text */
    assert_int_equal(PARSE("--machines-for", "1M", "--cost-per-machine", "0.34 EUR/h"), PS_OK);
    assert_string_equal(wish.config.wish.cost.currency, "EUR");
    assert_int_equal(PARSE("--cost-per-machine", "0.34/h"), PS_FAIL);
    assert_non_null(strstr(err.text, "--machines-for is missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_workers),
                                       cmocka_unit_test(test_precision),
                                       cmocka_unit_test(test_times),
                                       cmocka_unit_test(test_requirements),
                                       cmocka_unit_test(test_too_many_requirements),
                                       cmocka_unit_test(test_files_and_cost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
