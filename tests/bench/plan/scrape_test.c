/* Parsing a page of metrics: labels, lines that are not samples, and pages of agents with many rules. */
#include "bench/plan/scrape.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

static void test_parse(void **state)
{
    static const char page[] = "# HELP a_total Things\n"
                               "# TYPE a_total counter\n"
                               "a_total{component=\"r\\\"}1\"} 5\n"
                               "a_total{component=\"r2\"} 7 1700000000000\n"
                               "plain 1e3\n"
                               "broken{component=\"x\n"
                               "not_a_number{x=\"y\"} NaN\n"
                               "\n";
    struct ps_scrape scrape;
    char value[32];
    ps_scrape_parse(&scrape, page, sizeof page - 1);
    assert_int_equal(scrape.count, 3);
    assert_true(ps_scrape_value(&scrape, "a_total", "component=\"r2\"", 0) == 7);
    assert_true(ps_scrape_value(&scrape, "plain", NULL, 0) == 1000);
    assert_true(ps_scrape_value(&scrape, "absent", NULL, -1) == -1);
    assert_true(ps_scrape_sum(&scrape, "a_total") == 12);
    assert_true(ps_scrape_label(&scrape.samples[0], "component", value, sizeof value));
    assert_string_equal(value, "r\"}1");
    ps_scrape_fini(&scrape);
}

/* 10,000 rules have three samples each, and the channels' come after them. */
static void test_many_samples(void **state)
{
    char *page = NULL;
    size_t length = 0;
    FILE *memory = ps_must_open_text(&page, &length, "a page");
    for (unsigned i = 0; i < 30000; i++)
        fprintf(memory, "penstock_selector_rule_hits_total{component=\"r1\",rule=\"rule-%u\"} %u\n", i, i);
    fputs("penstock_channel_size_events{component=\"c1\"} 42\n", memory);
    fclose(memory);
    struct ps_scrape scrape;
    ps_scrape_parse(&scrape, page, length);
    assert_int_equal(scrape.count, 30001);
    assert_true(ps_scrape_value(&scrape, "penstock_channel_size_events", "component=\"c1\"", 0) == 42);
    ps_scrape_fini(&scrape);
    free(page);
}

/* The limit holds: samples beyond it are left out. */
static void test_limit(void **state)
{
    size_t length = (size_t)4 * (PS_SCRAPE_SAMPLES_MAX + 10);
    char *page = ps_must_alloc(length, 1, "a page");
    for (size_t at = 0; at < length; at += 4)
        memcpy(page + at, "a 1\n", 4);
    struct ps_scrape scrape;
    ps_scrape_parse(&scrape, page, length);
    assert_int_equal(scrape.count, PS_SCRAPE_SAMPLES_MAX);
    ps_scrape_fini(&scrape);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_many_samples),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
