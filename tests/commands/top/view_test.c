/* The figures of `penstock top`, from two scrapes written by hand. */
#include "commands/top/top.h"
#include "tests/support/arena.h"
#include "tests/support/support.h"

#include <math.h>

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
    ps_top_view(&view, ps_test_arena(), before[0] != '\0' ? &first : NULL, &second);
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

/* Each figure comes from its own metric, and a rate is what came in two seconds. */
static void test_each_figure(void **state)
{
#define OF(name, component, number) "penstock_" name "{component=\"" component "\"} " number "\n"
    static const char text[] =
        "process_start_time_seconds 1\n"
        "penstock_build_info{version=\"1.2\",agent=\"a1\"} 1\n"
        "process_cpu_seconds_total 3\n"
        "penstock_memory_used_bytes 11\n"
        "penstock_memory_budget_bytes 22\n"
        "penstock_reloads_total{result=\"ok\"} 9\n"
        "penstock_reloads_total{result=\"failed\"} 4\n"
        "penstock_log_lines_total{level=\"info\"} 8\n"
        "penstock_log_lines_total{level=\"error\"} 5\n"
        "penstock_log_lines_total{level=\"warn\"} 6\n"
        "penstock_worker_busy_seconds_total{worker=\"0\"} 1\n"
        "penstock_worker_busy_seconds_total{worker=\"1\"} 1.8\n"
        "penstock_worker_busy_seconds_total{worker=\"2\"} 0.2\n" SOURCE SINK
        "penstock_component_info{kind=\"channel\",component=\"c1\",type=\"memory\",instances=\"1\"} 1\n"
        "penstock_component_up{kind=\"source\",component=\"r1\"} 0\n"
        "penstock_component_up{kind=\"sink\",component=\"k1\"} 1\n"
        "penstock_component_channel_info{kind=\"source\",component=\"r1\",channel=\"c1\"} 1\n"
        "penstock_component_channel_info{kind=\"sink\",component=\"k1\",channel=\"c2\"} 1\n"
        /* the source */
        OF("source_events_received_total", "r1", "2") OF("source_bytes_total", "r1", "4")
            OF("source_events_dropped_total", "r1", "6") OF("source_events_kernel_dropped_total", "r1", "10")
                OF("source_events_malformed_total", "r1", "14")
                    OF("source_event_read_failures_total", "r1", "22")
                        OF("source_channel_write_failures_total", "r1", "26")
                            OF("source_processing_failures_total", "r1", "34")
                                OF("source_open_connections", "r1", "19")
        /* the channel */
        OF("channel_size_events", "c1", "23") OF("channel_capacity_events", "c1", "29")
            OF("channel_events_put_total", "c1", "62") OF("channel_events_taken_total", "c1", "74")
        /* the sink, and another one that is not listed */
        OF("sink_events_delivered_total", "k1", "82") OF("sink_bytes_total", "k1", "86")
            OF("sink_events_retried_total", "k1", "94") OF("sink_event_write_failures_total", "k1", "106")
                OF("sink_events_refused_total", "k1", "118")
                    OF("sink_channel_read_failures_total", "k1", "122")
                        OF("sink_connections_failed_total", "k1", "134")
                            OF("sink_events_delivered_total", "k12", "999");
    struct top_view view = view_of("process_start_time_seconds 1\n", text);
    assert_string_equal(view.agent, "a1");
    assert_string_equal(view.version, "1.2");
    assert_near(view.cpu, 1.5);
    assert_near(view.used_bytes, 11);
    assert_near(view.budget_bytes, 22);
    assert_near(view.reloads_failed, 4);
    assert_near(view.log_errors, 5);
    assert_near(view.log_warnings, 6);
    assert_int_equal(view.worker_count, 3);
    assert_string_equal(view.busiest_worker, "1");
    assert_near(view.busiest, 0.9);
    assert_int_equal(view.source_count, 1);
    const struct top_source *source = &view.sources[0];
    assert_string_equal(source->type, "seq");
    assert_false(source->up);
    assert_near(source->received_s, 1);
    assert_near(source->bytes_s, 2);
    assert_near(source->dropped_s, 3 + 5);
    assert_near(source->failed_s, 7 + 11 + 13 + 17);
    assert_near(source->connections, 19);
    assert_int_equal(view.channel_count, 1);
    assert_near(view.channels[0].size, 23);
    assert_near(view.channels[0].capacity, 29);
    assert_near(view.channels[0].put_s, 31);
    assert_near(view.channels[0].taken_s, 37);
    assert_int_equal(view.sink_count, 1);
    const struct top_sink *sink = &view.sinks[0];
    assert_true(sink->up);
    assert_near(sink->delivered_s, 41);
    assert_near(sink->bytes_s, 43);
    assert_near(sink->retried_s, 47);
    assert_near(sink->failed_s, 53 + 59 + 61 + 67);
    assert_int_equal(view.link_count, 2);
    assert_true(view.links[0].source && !view.links[1].source);
    assert_string_equal(view.links[0].channel, "c1");
    assert_string_equal(view.links[1].component, "k1");
    assert_string_equal(view.links[1].channel, "c2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_percentiles), cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_each_figure)};
    return cmocka_run_group_tests(tests, ps_test_arena_setup, ps_test_arena_teardown);
}
