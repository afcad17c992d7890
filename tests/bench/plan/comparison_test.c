/* Comparing two results: when a change is beyond noise. */
#include "bench/plan/comparison.h"
#include "tests/support/support.h"

#include <math.h>

static enum ps_comparison_verdict compared(struct ps_compared before, struct ps_compared now)
{
    double change, low, high;
    enum ps_comparison_verdict verdict = ps_compare_rates(&before, &now, &change, &low, &high);
    if (verdict != PS_COMPARED_UNKNOWN)
        assert_true(low <= change && change <= high);
    return verdict;
}

static void test_rates(void **state)
{
    /* Each interval reaches 3 % to both sides; the square root of the sum of both squares is 4.2 %. */
    const struct ps_compared before = {100, 97, 103};
    assert_int_equal(compared(before, before), PS_COMPARED_NONE);
    assert_int_equal(compared(before, (struct ps_compared){96.5, 93.6, 99.4}), PS_COMPARED_NONE);
    assert_int_equal(compared(before, (struct ps_compared){95, 92.15, 97.85}), PS_COMPARED_WORSE);
    assert_int_equal(compared(before, (struct ps_compared){103.5, 100.4, 106.6}), PS_COMPARED_NONE);
    assert_int_equal(compared(before, (struct ps_compared){105, 101.9, 108.1}), PS_COMPARED_BETTER);
    /* An exact figure leaves the other one's interval. */
    assert_int_equal(compared(before, (struct ps_compared){96.5, 96.5, 96.5}), PS_COMPARED_WORSE);
    /* A wide interval hides a large change. */
    assert_int_equal(compared(before, (struct ps_compared){80, 60, 104}), PS_COMPARED_NONE);
}

static void test_at_least_and_unknown(void **state)
{
    const struct ps_compared before = {100, 97, 103}, at_least = {120, 118, INFINITY}, none = {0, 0, 0};
    assert_int_equal(compared(before, at_least), PS_COMPARED_BETTER);
    assert_int_equal(compared(at_least, before), PS_COMPARED_WORSE);
    assert_int_equal(compared(before, (struct ps_compared){90, 88, INFINITY}), PS_COMPARED_UNKNOWN);
    assert_int_equal(compared((struct ps_compared){90, 88, INFINITY}, before), PS_COMPARED_UNKNOWN);
    assert_int_equal(compared(before, none), PS_COMPARED_UNKNOWN);
    assert_int_equal(compared(none, before), PS_COMPARED_UNKNOWN);
    assert_int_equal(compared(before, (struct ps_compared){50, 0, 0}), PS_COMPARED_UNKNOWN); /* no interval */
}

static json_t *document_of(const char *text)
{
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);
    if (document == NULL)
        fail_msg("%s", error.text);
    return document;
}

static const char *verdict_of(const json_t *document, const char *figure)
{
    size_t index;
    const json_t *item;
    json_array_foreach(json_object_get(json_object_get(document, "comparison"), "figures"), index,
                       item) if (strcmp(json_string_value(json_object_get(item, "figure")), figure) ==
                                 0) return json_string_value(json_object_get(item, "verdict"));
    return "absent";
}

static bool differs(const json_t *document, const char *text)
{
    size_t index;
    const json_t *item;
    json_array_foreach(json_object_get(json_object_get(document, "comparison"), "differences"), index,
                       item) if (strcmp(json_string_value(item), text) == 0) return true;
    return false;
}

#define NDR "{\"goal\":\"ndr\",\"loss_max\":0,\"percentile\":null,\"latency_limit_ns\":null,"
#define P99 "{\"goal\":\"p99<5ms\",\"loss_max\":0,\"percentile\":99,\"latency_limit_ns\":5000000,"

static void test_documents(void **state)
{
    json_t *old = document_of(
        "{\"penstock\":\"0.1\",\"started\":\"2026-01-02T03:04:05Z\",\"goals\":[" NDR
        "\"status\":\"found\",\"rate\":100000,\"low95\":97000,\"high95\":103000}," P99
        "\"status\":\"found\",\"rate\":60000,\"low95\":58000,\"high95\":62000}],"
        "\"scaling\":{\"points\":[{\"workers\":1,\"rate\":50000,\"low95\":49000,\"high95\":51000},"
        "{\"workers\":2,\"rate\":100000,\"low95\":97000,\"high95\":103000}]},"
        "\"subject\":{\"workers\":2},\"load\":{\"connections\":1,\"size_bytes\":120},"
        "\"machine\":{\"cpu\":\"A\",\"cpus\":2}}");
    json_t *now = document_of(
        "{\"goals\":[" P99 "\"status\":\"found\",\"rate\":61000,\"low95\":59000,\"high95\":63000}," NDR
        "\"status\":\"found\",\"rate\":80000,\"low95\":78000,\"high95\":82000},"
        "{\"goal\":\"pdr=1%\",\"loss_max\":0.01,\"status\":\"found\",\"rate\":9,\"low95\":8,\"high95\":10}],"
        "\"scaling\":{\"points\":[{\"workers\":1,\"rate\":40000,\"low95\":39000,\"high95\":41000},"
        "{\"workers\":2,\"rate\":80000,\"low95\":78000,\"high95\":82000}]},"
        "\"subject\":{\"workers\":2},\"load\":{\"connections\":4,\"size_bytes\":121},"
        "\"machine\":{\"cpu\":\"B\",\"cpus\":2}}");
    assert_int_equal(ps_comparison_make(now, old, "old.json"), 2);
    assert_string_equal(verdict_of(now, "ndr"), "worse");
    assert_string_equal(verdict_of(now, "p99<5ms"), "same");
    assert_string_equal(verdict_of(now, "pdr=1%"), "absent"); /* the old one has none */
    assert_string_equal(verdict_of(now, "1 worker"), "worse");
    assert_string_equal(verdict_of(now, "2 workers"), "absent"); /* it is the first goal's figure */
    assert_true(differs(now, "CPU: A before, B now"));
    assert_true(differs(now, "connections: 1 before, 4 now"));
    const json_t *comparison = json_object_get(now, "comparison");
    assert_int_equal(json_array_size(json_object_get(comparison, "differences")), 2);
    assert_int_equal(json_integer_value(json_object_get(comparison, "worse")), 2);
    assert_string_equal(json_string_value(json_object_get(comparison, "with")), "old.json");
    const json_t *ndr = json_array_get(json_object_get(comparison, "figures"), 1);
    assert_string_equal(json_string_value(json_object_get(ndr, "text")),
                        "100,000 before, 80,000 events/s now: -20.0 % (95 %: -23.1 to -16.8 %), worse beyond "
                        "noise");
    assert_true(fabs(json_number_value(json_object_get(ndr, "change")) + 0.2) < 1e-9);
    json_decref(old);
    json_decref(now);
}

/* A figure that is not held even at the lowest rate is worse, though it has no rate of its own. */
static void test_below_range(void **state)
{
    json_t *old =
        document_of("{\"goals\":[" NDR "\"status\":\"found\",\"rate\":100,\"low95\":97,\"high95\":103}]}");
    json_t *now = document_of("{\"goals\":[" NDR "\"status\":\"below-range\",\"rate\":null,\"upper\":10}]}");
    assert_int_equal(ps_comparison_make(now, old, "old.json"), 1);
    const json_t *figures = json_object_get(json_object_get(now, "comparison"), "figures");
    assert_non_null(strstr(json_string_value(json_object_get(json_array_get(figures, 0), "text")),
                           "100 before, less than 10 events/s now"));
    json_decref(now);
    now = document_of("{\"goals\":[" NDR "\"status\":\"failed\",\"rate\":null}]}");
    assert_int_equal(ps_comparison_make(now, old, "old.json"), 0);
    assert_string_equal(verdict_of(now, "ndr"), "unknown");
    json_decref(now);
    json_decref(old);
}

/* Members of other programs may have any type. */
static void test_foreign(void **state)
{
    json_t *old = document_of("{\"goals\":[3,{\"goal\":[],\"rate\":\"x\"}],\"scaling\":7,\"machine\":[1]}");
    json_t *now =
        document_of("{\"goals\":[" NDR "\"status\":\"found\",\"rate\":9,\"low95\":8,\"high95\":10}]}");
    assert_int_equal(ps_comparison_make(now, old, "old.json"), 0);
    json_decref(now);
    json_decref(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),     cmocka_unit_test(test_at_least_and_unknown),
        cmocka_unit_test(test_documents), cmocka_unit_test(test_below_range),
        cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
