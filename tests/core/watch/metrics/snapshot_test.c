/* A snapshot of the metrics is served after the engine's lock was released: it has copies of all texts, also of those in a
 * plug-in that may have been unloaded since then. */
#include "core/watch/metrics/metrics.h"
#include "tests/support/support.h"

#include <stdio.h>

static char lent[5][16]; /* the visited component points at them */

static void visit_lent(void *argument, const struct ps_metrics_visitor *visitor)
{
    static const char *const texts[] = {"ownNumber", "Own help", "own_hits", "Hits help", "place"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++)
        snprintf(lent[i], sizeof lent[i], "%s", texts[i]);
    const char *extra[] = {lent[0], NULL}, *help[] = {lent[1], NULL};
    enum ps_counter json[] = {PS_COUNTER_RollbackCount, PS_COUNTER_COUNT};
    const struct ps_series series[] = {{lent[2], lent[3], lent[4], "a", .value = 1},
                                       {lent[2], lent[3], lent[4], "b", .value = 2}};
    struct ps_metrics_component component = {.kind = PS_KIND_SINK, .name = "k1", .type = "own"};
    component.extra = extra;
    component.extra_help = help;
    component.json_counters = json;
    component.series = series;
    component.series_count = PS_COUNT_OF(series);
    visitor->process(visitor->argument, &(struct ps_metrics_process){.agent = "a1"});
    visitor->component(visitor->argument, &component);
    memset(json, 0, sizeof json);
    memset(lent, '?', sizeof lent);
}

static void test_owns_its_texts(void **state)
{
    const struct ps_metrics_source source = {.visit = visit_lent};
    struct ps_metrics metrics;
    struct ps_page page = {.text = NULL};
    ps_metrics_take(&metrics, &source);
    ps_metrics_prometheus(&metrics, &page);
    assert_non_null(strstr(page.text, "# HELP penstock_sink_own_number_total Own help\n"));
    assert_non_null(strstr(page.text, "# HELP penstock_sink_own_hits_total Hits help\n"));
    assert_non_null(strstr(page.text, "place=\"a\"} 1\n"));
    assert_non_null(strstr(page.text, "place=\"b\"} 2\n"));
    assert_null(strchr(page.text, '?'));
    ps_page_fini(&page);
    page = (struct ps_page){.text = NULL};
    ps_metrics_json(&metrics, &page);
    assert_non_null(strstr(page.text, "RollbackCount"));
    ps_page_fini(&page);
    ps_metrics_fini(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_owns_its_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
