/* --compare of load and verify: what counts as worse, at the limits of noise; which older files are refused. */
#include "bench/support/changes.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

static const struct ps_change_figure figures[] = {
    {"rate", NULL, "achieved_rate", PS_CHANGE_RATE},
    {"p99", "latency_ns", "p99", PS_CHANGE_LATENCY},
    {"lost", NULL, "lost", PS_CHANGE_FAULTS},
};
static const char *const same[] = {"asked_rate", NULL};

static json_t *summary_of(double rate, double p99_ns, int lost)
{
    return json_pack("{s:s,s:f,s:{s:f},s:i,s:i}", "type", "summary", "achieved_rate", rate, "latency_ns",
                     "p99", p99_ns, "lost", lost, "asked_rate", 1000);
}

static void test_verdicts(void **state)
{
    static const struct {
        double rate, p99_ns;
        int lost;
        unsigned worse;
        const char *verdicts[3];
    } cases[] = {
        {1000, 50e6, 3, 0, {"same", "same", "same"}},
        {900, 55e6, 3, 0, {"same", "same", "same"}}, /* just 10 % */
        {899, 50e6, 3, 1, {"worse", "same", "same"}},
        {1101, 50e6, 3, 0, {"better", "same", "same"}},
        {1000, 55.1e6, 3, 1, {"same", "worse", "same"}},
        {1000, 44e6, 3, 0, {"same", "better", "same"}},
        {1000, 50e6, 4, 1, {"same", "same", "worse"}},
        {1000, 50e6, 2, 0, {"same", "same", "better"}},
        {100, 500e6, 9, 3, {"worse", "worse", "worse"}},
    };
    json_t *old = summary_of(1000, 50e6, 3);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        json_t *now = summary_of(cases[i].rate, cases[i].p99_ns, cases[i].lost);
        assert_int_equal(ps_changes_make(now, old, "old.json", figures, PS_COUNT_OF(figures), same),
                         cases[i].worse);
        const json_t *list = json_object_get(json_object_get(now, "comparison"), "figures");
        assert_int_equal(json_array_size(list), 3);
        for (size_t k = 0; k < 3; k++)
            assert_string_equal(json_string_value(json_object_get(json_array_get(list, k), "verdict")),
                                cases[i].verdicts[k]);
        json_decref(now);
    }
    json_decref(old);
}

/* Less than a millisecond is noise whatever its share; a figure that one of both has not is left out; another load is told. */
static void test_what_does_not_compare(void **state)
{
    json_t *old = summary_of(1000, 100e3, 0), *now = summary_of(1000, 1.09e6, 0);
    json_object_set_new(now, "lost", json_null());
    json_object_set_new(now, "asked_rate", json_integer(2000));
    assert_int_equal(ps_changes_make(now, old, "old.json", figures, PS_COUNT_OF(figures), same), 0);
    const json_t *comparison = json_object_get(now, "comparison");
    assert_int_equal(json_array_size(json_object_get(comparison, "figures")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(comparison, "differences"), 0)),
                        "asked_rate: 1000 before, 2000 now");
    json_decref(old);
    json_decref(now);
}

static void test_files(void **state)
{
    static const struct {
        const char *text;
        double rate; /* 0: refused */
    } cases[] = {
        {"", 0},
        {"no JSON\n", 0},
        {"{\"type\":\"progress\",\"achieved_rate\":5}\n", 0},
        {"{\"type\":\"summary\",\"records\":5}\n", 0}, /* of verify */
        {"{\"type\":\"summary\",\"achieved_rate\":5}\n", 5},
        {"{\"type\":\"summary\",\"achieved_rate\":5}", 5},
        {"{\"type\":\"progress\"}\n{\"type\":\"summary\",\"achieved_rate\":5}\n{\"type\":\"summary\","
         "\"achieved_rate\":6}\n{",
         6},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const char *path = ps_test_folder_path("old.json");
        struct ps_err err = {.length = 0};
        json_t *old = NULL;
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(cases[i].text, file);
        fclose(file);
        assert_int_equal(ps_changes_read(&old, path, "achieved_rate", &err),
                         cases[i].rate > 0 ? PS_OK : PS_FAIL);
        assert_true((old != NULL) == (cases[i].rate > 0));
        if (old == NULL)
            assert_non_null(strstr(err.text, "--compare"));
        else
            assert_true(json_number_value(json_object_get(old, "achieved_rate")) == cases[i].rate);
        json_decref(old);
    }
    struct ps_err err = {.length = 0};
    json_t *old = NULL;
    assert_int_equal(ps_changes_read(&old, "/no/such/file", "records", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts),
                                       cmocka_unit_test(test_what_does_not_compare),
                                       cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
