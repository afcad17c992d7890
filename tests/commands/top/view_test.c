/* The figures of `penstock top`, from two scrapes written by hand. */
#include "commands/top/top.h"
#include "tests/support/support.h"

#include <math.h>

static struct ps_arena *arena;

static void scrape(struct ps_scrape *to, double at_s, const char *text)
{
    ps_scrape_parse(to, text, strlen(text));
    to->at_s = at_s;
}

static struct top_view view_of(const char *before, const char *now)
{
    struct ps_scrape first, second;
    struct top_view view;
    scrape(&first, 10, before);
    scrape(&second, 12, now);
    ps_top_view(&view, arena, before[0] != '\0' ? &first : NULL, &second);
    ps_scrape_fini(&first);
    ps_scrape_fini(&second);
    return view;
}

#define SINK "penstock_component_info{kind=\"sink\",component=\"k1\",type=\"kafka\",instances=\"1\"} 1\n"
#define BUCKET(limit, count)                                                                                 \
    "penstock_sink_latency_seconds_bucket{component=\"k1\",le=\"" limit "\"} " count "\n"

static void assert_near(double value, double expected)
{
    if (fabs(value - expected) > 1e-9)
        fail_msg("%.12g, not %.12g", value, expected);
}

/* Within a bucket the events are spread evenly, from its lower limit on; only events since the previous scrape are
 * used. */
static void test_percentiles(void **state)
{
    struct top_view view = view_of("process_start_time_seconds 1\n" BUCKET("0.01", "1000")
                                       BUCKET("0.1", "1000") BUCKET("1", "1000") BUCKET("+Inf", "1000"),
                                   "process_start_time_seconds 1\n" SINK BUCKET("0.01", "1010")
                                       BUCKET("0.1", "1030") BUCKET("1", "1100") BUCKET("+Inf", "1100"));
    assert_int_equal(view.sink_count, 1);
    assert_near(view.sinks[0].p50_s, 0.1 + 0.9 * 20 / 70);
    assert_near(view.sinks[0].p99_s, 0.1 + 0.9 * 69 / 70);
    view = view_of("", SINK BUCKET("0.01", "50") BUCKET("0.1", "50") BUCKET("+Inf", "100"));
    assert_near(view.sinks[0].p50_s, 0.01);
    assert_true(isinf(view.sinks[0].p99_s));
    view = view_of("", SINK BUCKET("0.01", "0") BUCKET("+Inf", "0"));
    assert_true(view.sinks[0].p50_s < 0);
}

#define SOURCE "penstock_component_info{kind=\"source\",component=\"r1\",type=\"seq\",instances=\"2\"} 1\n"
#define COUNTS(received, blocked)                                                                            \
    "penstock_source_events_received_total{component=\"r1\"} " received "\n"                                 \
    "penstock_source_blocked_seconds_total{component=\"r1\"} " blocked "\n"

/* Rates are over the time between the scrapes; an agent that was started in between has none yet. */
static void test_rates(void **state)
{
    struct top_view view = view_of("process_start_time_seconds 1\n" COUNTS("100", "1"),
                                   "process_start_time_seconds 1\n" SOURCE COUNTS("300", "3"));
    assert_int_equal(view.source_count, 1);
    assert_near(view.sources[0].received_s, 100);
    assert_near(view.sources[0].waits, 0.5); /* of two instances */
    view = view_of("process_start_time_seconds 1\n" COUNTS("100", "1"),
                   "process_start_time_seconds 1\n" SOURCE COUNTS("300", "9"));
    assert_near(view.sources[0].waits, 1);
    view = view_of("process_start_time_seconds 1\n" COUNTS("100", "1"),
                   "process_start_time_seconds 2\n" SOURCE COUNTS("300", "3"));
    assert_near(view.sources[0].received_s, 0);
}

static int setup(void **state)
{
    arena = ps_arena_create();
    return 0;
}

static int teardown(void **state)
{
    ps_arena_destroy(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_percentiles), cmocka_unit_test(test_rates)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
