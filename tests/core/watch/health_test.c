/* Health: whether the agent is live, whether it is ready, and the line that says why not. */
#include "tests/support/support.h"

#include "core/clock.h"
#include "core/watch/metrics/metrics.h"

#define NOW_NS (1000 * PS_NS_PER_S)

static struct ps_metrics_component components[2];
static struct ps_metrics_worker worker;
static struct ps_metrics metrics;

static int setup(void **state)
{
    components[0] = (struct ps_metrics_component){.kind = PS_KIND_SOURCE, .name = "r1", .type = "seq"};
    components[1] = (struct ps_metrics_component){.kind = PS_KIND_SINK, .name = "k1", .type = "kafka"};
    worker = (struct ps_metrics_worker){.heartbeat_ns = NOW_NS};
    metrics = (struct ps_metrics){
        .process = {.agent = "a1", .stall_limit_ns = 60 * PS_NS_PER_S},
        .components = components,
        .workers = &worker,
        .component_count = 2,
        .worker_count = 1,
    };
    return 0;
}

static void expect(bool (*good)(const struct ps_metrics *, uint64_t, struct ps_page *), const char *problems)
{
    struct ps_page page = {0};
    assert_int_equal(good(&metrics, NOW_NS, &page), problems[0] == '\0');
    assert_string_equal(page.text != NULL ? page.text : "", problems);
    ps_page_fini(&page);
}

static void expect_sample(const char *line)
{
    struct ps_page page = {0};
    ps_metrics_prometheus(&metrics, &page);
    ps_page_text(&page, "");
    if (strstr(page.text, line) == NULL)
        fail_msg("no line %s", line);
    ps_page_fini(&page);
}

static void test_all_is_well(void **state)
{
    expect(ps_metrics_live, "");
    expect(ps_metrics_ready, "");
    expect_sample("\npenstock_configuration_reload_successful 1\n");
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 1\n");
}

static void test_not_open(void **state)
{
    components[0].state = PS_METRICS_OPENING;
    components[0].error = "port 514 is in use";
    components[1].state = PS_METRICS_CLOSED;
    expect(ps_metrics_live, "");
    expect(ps_metrics_ready, "source r1 is not open: port 514 is in use\nsink k1 is closed\n");
}

static void test_halted_source(void **state)
{
    components[0].state = PS_METRICS_HALTED;
    components[0].error = "/spool/a has changed";
    expect(ps_metrics_live, "");
    expect(ps_metrics_ready, "source r1 has stopped reading: /spool/a has changed\n");
    expect_sample("\npenstock_component_up{kind=\"source\",component=\"r1\"} 0\n");
}

/* A restart of the process would not bring the broker back. */
static void test_stalled_sink(void **state)
{
    components[1].stalled_ns = 60 * PS_NS_PER_S - 1;
    expect(ps_metrics_ready, "");
    components[1].stalled_ns = 61 * PS_NS_PER_S;
    expect(ps_metrics_ready, "sink k1 has events, but has delivered none for 1 min 1 s\n");
    expect(ps_metrics_live, "");
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 0\n");
    metrics.process.stall_limit_ns = 0; /* penstock.ready.stall = 0 */
    expect(ps_metrics_ready, "");
}

static void test_failed_reload(void **state)
{
    metrics.process.reload_failure = "a.properties:3: error: x";
    expect(ps_metrics_live, "");
    expect(ps_metrics_ready, "the last reload failed; the agent still runs the previous configuration: "
                             "a.properties:3: error: x\n");
    expect_sample("\npenstock_configuration_reload_successful 0\n");
}

/* The agent runs without a component: the page has a line for it, and if a channel has no other one (`cut`) the agent
 * is not ready. */
static void test_left_out(void **state)
{
    metrics.process.dropped = "source r2 is left out: a.properties:3: dropped: x; do y\n";
    struct ps_page page = {0};
    assert_true(ps_metrics_ready(&metrics, NOW_NS, &page));
    assert_string_equal(page.text, metrics.process.dropped);
    ps_page_fini(&page);
    metrics.process.cut = true;
    expect(ps_metrics_ready, "source r2 is left out: a.properties:3: dropped: x; do y\n");
    expect(ps_metrics_live, "");
}

/* The component is up: it runs on with its earlier settings. */
static void test_outdated(void **state)
{
    components[0].kind = PS_KIND_SELECTOR;
    components[0].outdated = "a.rules:2:1: error: no action `drip`; the rules before it stay active";
    expect(ps_metrics_live, "");
    expect(ps_metrics_ready,
           "selector r1: a.rules:2:1: error: no action `drip`; the rules before it stay active\n");
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 1\n");
    components[0].outdated = NULL;
    expect(ps_metrics_ready, "");
}

static void test_stopping(void **state)
{
    metrics.process.stopping = true;
    expect(ps_metrics_live, "");
    expect(ps_metrics_ready, "the agent is stopping\n");
}

static void test_stuck_worker(void **state)
{
    worker.heartbeat_ns = NOW_NS - PS_METRICS_STUCK_NS + 1;
    expect(ps_metrics_live, "");
    worker.heartbeat_ns = NOW_NS - 12 * PS_NS_PER_S;
    expect(ps_metrics_live, "worker 0 is stuck: it has completed no cycle for 12 s\n");
    expect(ps_metrics_ready, "worker 0 is stuck: it has completed no cycle for 12 s\n");
    components[1].state = PS_METRICS_CLOSED; /* one problem does not hide the other */
    expect(ps_metrics_ready, "sink k1 is closed\nworker 0 is stuck: it has completed no cycle for 12 s\n");
    worker.parked = true;
    expect(ps_metrics_live, "");
}

/* Both sinks of a group have failed. While one of them is open for another try, the agent is not ready, as before
 * and after the try. */
static void test_group_that_is_tried(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(components); i++)
        components[i] = (struct ps_metrics_component){.kind = PS_KIND_SINK,
                                                      .name = i == 0 ? "k1" : "k2",
                                                      .type = "kafka",
                                                      .group = "g1",
                                                      .member = PS_METRICS_MEMBER_PENALISED,
                                                      .state = PS_METRICS_CLOSED};
    expect(ps_metrics_ready, "sink k1 is closed\nsink k2 is closed\n");
    components[0].state = PS_METRICS_OPEN;
    expect(ps_metrics_ready,
           "sink k1 is left out of group g1, because the sink failed; no other sink of the group delivers\n"
           "sink k2 is closed\n");
    components[1].state = PS_METRICS_OPEN;
    expect(ps_metrics_ready,
           "sink k1 is left out of group g1, because the sink failed; no other sink of the group delivers\n"
           "sink k2 is left out of group g1, because the sink failed; no other sink of the group delivers\n");
    components[1].member = PS_METRICS_MEMBER_ACTIVE;
    struct ps_page page = {0};
    assert_true(ps_metrics_ready(&metrics, NOW_NS, &page));
    assert_string_equal(
        page.text,
        "sink k1 is left out of group g1, because the sink failed; another sink of the group delivers\n");
    ps_page_fini(&page);
}

/* Two failures in a row are ordinary; the third one is told, with its reason. */
static void test_failing(void **state)
{
    components[1].trouble_count = 2;
    components[1].error = "the broker says no";
    expect(ps_metrics_ready, "");
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 1\n");
    components[1].trouble_count = 3;
    expect(ps_metrics_ready, "sink k1 has failed 3 times in a row: the broker says no\n");
    expect(ps_metrics_live, "");
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 0\n");
    components[1].stuck_ms = INT64_C(1796000000000);
    expect(ps_metrics_ready, "sink k1 has failed 3 times in a row: the broker says no\n");
    components[1].trouble_count = 0; /* a delivery of other events does not hide those that wait */
    expect(
        ps_metrics_ready,
        "sink k1 delivers events, but tries some in vain: the broker says no (since 2026-11-30T00:53:20Z)\n");
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 0\n");
    components[1].stuck_ms = 0;
    expect(ps_metrics_ready, "");
    components[1].trouble_count = 3;
    components[1].error = NULL;
    expect(ps_metrics_ready, "sink k1 has failed 3 times in a row: no reason is known\n");
    components[1].stalled_ns = 61 * PS_NS_PER_S; /* the failures are the reason */
    expect(ps_metrics_ready, "sink k1 has failed 3 times in a row: no reason is known\n");
    components[1].state = PS_METRICS_OPENING;
    expect(ps_metrics_ready, "sink k1 is not open\n");
}

/* What a source lacks is a failure, unless it is only input. */
static void test_lacks(void **state)
{
    components[0].error = "no file matches";
    components[0].since_ms = INT64_C(1796000000000);
    components[0].lack = PS_LACK_INPUT;
    struct ps_page page = {0};
    assert_true(ps_metrics_ready(&metrics, NOW_NS, &page));
    assert_string_equal(page.text,
                        "source r1 has nothing to read: no file matches (since 2026-11-30T00:53:20Z)\n");
    ps_page_fini(&page);
    expect_sample("\npenstock_component_up{kind=\"source\",component=\"r1\"} 1\n");
    expect_sample("\npenstock_source_state{component=\"r1\",state=\"nothing_to_read\"} 1\n");
    components[0].lack = PS_LACK_NEVER;
    expect(ps_metrics_ready,
           "source r1 has not reached its input yet: no file matches (since 2026-11-30T00:53:20Z)\n");
    components[0].lack = PS_LACK_GONE;
    expect(ps_metrics_ready, "source r1 misses its input: no file matches (since 2026-11-30T00:53:20Z)\n");
    expect_sample("\npenstock_component_up{kind=\"source\",component=\"r1\"} 0\n");
    expect_sample("\npenstock_source_state{component=\"r1\",state=\"gone\"} 1\n");
    components[0].state = PS_METRICS_OPENING; /* it failed: that is the reason now */
    expect(ps_metrics_ready, "source r1 is not open: no file matches (since 2026-11-30T00:53:20Z)\n");
    expect_sample("\npenstock_source_state{component=\"r1\",state=\"not_open\"} 1\n");
    expect(ps_metrics_live, "");
}

/* The server of a sink may restart: an outage of seconds is only told. */
static void test_sink_lacks(void **state)
{
    components[1].error = "1/1 brokers are down";
    components[1].lack = PS_LACK_LOST;
    components[1].lack_ns = 10 * PS_NS_PER_S - 1;
    struct ps_page page = {0};
    assert_true(ps_metrics_ready(&metrics, NOW_NS, &page));
    assert_string_equal(page.text, "sink k1 has lost its destination: 1/1 brokers are down\n");
    ps_page_fini(&page);
    components[1].lack_ns++;
    expect(ps_metrics_ready, "sink k1 has lost its destination: 1/1 brokers are down\n");
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 0\n");
    metrics.process.stall_limit_ns = 0; /* penstock.ready.stall = 0: sinks are never a failure */
    expect_sample("\npenstock_component_up{kind=\"sink\",component=\"k1\"} 1\n");
}

/* A channel that refuses puts for another reason than being full is down, and has one line. */
static void test_channel_in_trouble(void **state)
{
    components[0].kind = PS_KIND_CHANNEL;
    components[0].name = "c1";
    components[0].outdated = "/data/log-7 cannot be written: No space left on device";
    expect(ps_metrics_ready, "channel c1: /data/log-7 cannot be written: No space left on device\n");
    expect_sample("\npenstock_component_up{kind=\"channel\",component=\"c1\"} 0\n");
}

/* At the limits exactly. */
static void test_limits(void **state)
{
    components[1].stalled_ns = 60 * PS_NS_PER_S;
    expect(ps_metrics_ready, "sink k1 has events, but has delivered none for 1 min\n");
    components[1].stalled_ns = 0;
    worker.heartbeat_ns = NOW_NS - PS_METRICS_STUCK_NS;
    struct ps_page page = {0};
    assert_false(ps_metrics_live(&metrics, NOW_NS, &page));
    ps_page_fini(&page);
    worker.heartbeat_ns = NOW_NS + PS_NS_PER_S; /* it began a cycle since the snapshot */
    expect(ps_metrics_live, "");
}

/* Each worker counts, also behind one that is parked. */
static void test_several_workers(void **state)
{
    struct ps_metrics_worker workers[] = {{.parked = true},
                                          {.id = 1, .heartbeat_ns = NOW_NS - 20 * PS_NS_PER_S},
                                          {.id = 2, .heartbeat_ns = NOW_NS},
                                          {.id = 3, .heartbeat_ns = NOW_NS - 30 * PS_NS_PER_S}};
    metrics.workers = workers;
    metrics.worker_count = PS_COUNT_OF(workers);
    expect(ps_metrics_live, "worker 1 is stuck: it has completed no cycle for 20 s\n"
                            "worker 3 is stuck: it has completed no cycle for 30 s\n");
}

/* A sink that is not open is made up for by another sink of its own group that delivers, and by no other one. */
static void test_groups(void **state)
{
    static const struct {
        const char *group, *other;
        enum ps_metrics_state state;
        enum ps_metrics_member member;
        bool ready;
    } rows[] = {{"g1", "g1", PS_METRICS_OPEN, PS_METRICS_MEMBER_ACTIVE, true},
                {"g1", "g1", PS_METRICS_OPEN, PS_METRICS_MEMBER_STANDBY, true},
                {"g1", "g1", PS_METRICS_OPEN, PS_METRICS_MEMBER_NOT, true},
                {"g1", "g1", PS_METRICS_CLOSED, PS_METRICS_MEMBER_ACTIVE, false},
                {"g1", "g1", PS_METRICS_OPEN, PS_METRICS_MEMBER_PENALISED, false},
                {"g1", "g2", PS_METRICS_OPEN, PS_METRICS_MEMBER_ACTIVE, false},
                {"g1", NULL, PS_METRICS_OPEN, PS_METRICS_MEMBER_ACTIVE, false},
                {NULL, "g1", PS_METRICS_OPEN, PS_METRICS_MEMBER_ACTIVE, false},
                {NULL, NULL, PS_METRICS_OPEN, PS_METRICS_MEMBER_ACTIVE, false}};
    for (size_t i = 0; i < 2 * PS_COUNT_OF(rows); i++) {
        size_t row = i / 2, which = i % 2; /* the sink that is closed is the first or the second one */
        struct ps_page page = {0};
        components[which] = (struct ps_metrics_component){.kind = PS_KIND_SINK,
                                                          .name = "k1",
                                                          .type = "kafka",
                                                          .group = rows[row].group,
                                                          .member = PS_METRICS_MEMBER_PENALISED,
                                                          .state = PS_METRICS_CLOSED};
        components[1 - which] = (struct ps_metrics_component){.kind = PS_KIND_SINK,
                                                              .name = "k2",
                                                              .type = "kafka",
                                                              .group = rows[row].other,
                                                              .member = rows[row].member,
                                                              .state = rows[row].state};
        if (ps_metrics_ready(&metrics, NOW_NS, &page) != rows[row].ready)
            fail_msg("row %zu, closed sink %zu: %s", row, which, page.text);
        assert_non_null(strstr(page.text, "sink k1 is closed\n"));
        ps_page_fini(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_failing, setup),
        cmocka_unit_test_setup(test_lacks, setup),
        cmocka_unit_test_setup(test_sink_lacks, setup),
        cmocka_unit_test_setup(test_channel_in_trouble, setup),
        cmocka_unit_test_setup(test_lacks, setup),
        cmocka_unit_test_setup(test_sink_lacks, setup),
        cmocka_unit_test_setup(test_channel_in_trouble, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_several_workers, setup),
        cmocka_unit_test_setup(test_groups, setup),
        cmocka_unit_test_setup(test_all_is_well, setup),
        cmocka_unit_test_setup(test_not_open, setup),
        cmocka_unit_test_setup(test_halted_source, setup),
        cmocka_unit_test_setup(test_stalled_sink, setup),
        cmocka_unit_test_setup(test_left_out, setup),
        cmocka_unit_test_setup(test_failed_reload, setup),
        cmocka_unit_test_setup(test_outdated, setup),
        cmocka_unit_test_setup(test_stopping, setup),
        cmocka_unit_test_setup(test_stuck_worker, setup),
        cmocka_unit_test_setup(test_group_that_is_tried, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
