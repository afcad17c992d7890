/* Parsing an agent's metrics page, and finding what limits it. */
#include <math.h>
#include <stdio.h>

#include "bench/plan/limits.h"
#include "tests/support/support.h"

static void parse(struct ps_scrape *scrape, const char *text)
{
    *scrape = (struct ps_scrape){0};
    ps_scrape_parse(scrape, text, strlen(text));
}

static void test_scrape(void **state)
{
    struct ps_scrape scrape;
    char value[64];
    parse(&scrape, "# HELP a help\n# TYPE a counter\na 1\na{x=\"1\"} 2\nb{x=\"q\\\"}\",y=\"z\"} 3.5 1234\n"
                   "\nbroken\nbroken{x=\"1\n=1\nc{} 4\nd NaN\ne 1e3\nf x\n");
    assert_int_equal(scrape.count, 5);
    assert_true(ps_scrape_value(&scrape, "a", "", -1) == 1);
    assert_true(ps_scrape_value(&scrape, "a", "x=\"1\"", -1) == 2);
    assert_true(ps_scrape_value(&scrape, "b", NULL, -1) == 3.5);
    assert_true(ps_scrape_value(&scrape, "c", NULL, -1) == 4);
    assert_true(ps_scrape_value(&scrape, "d", NULL, -1) == -1);
    assert_true(ps_scrape_value(&scrape, "e", NULL, -1) == 1000);
    assert_true(ps_scrape_sum(&scrape, "a") == 3);
    const struct ps_scrape_sample *sample = ps_scrape_find(&scrape, "b", NULL);
    assert_true(ps_scrape_label(sample, "x", value, sizeof value));
    assert_string_equal(value, "q\"}");
    assert_true(ps_scrape_label(sample, "y", value, sizeof value));
    assert_string_equal(value, "z");
    assert_false(ps_scrape_label(sample, "z", value, sizeof value));
    ps_scrape_fini(&scrape);
}

static void test_measure(void **state)
{
    struct ps_scrape before, after;
    struct ps_parts *parts = calloc(2, sizeof *parts), *during = parts + 1;
    parse(&before, "penstock_worker_busy_seconds_total{worker=\"0\",cpu=\"-1\"} 10\n"
                   "penstock_source_blocked_seconds_total{component=\"r1\"} 1\n"
                   "penstock_source_events_kernel_dropped_total{component=\"r1\"} 5\n"
                   "penstock_source_events_received_total{component=\"r1\"} 100\n"
                   "penstock_sink_kafka_requests_sent_total{component=\"k1\"} 100\n"
                   "process_cpu_seconds_total 20\n");
    /* appeared meanwhile */
    parse(&after, "penstock_worker_busy_seconds_total{worker=\"0\",cpu=\"-1\"} 11.5\n"
                  "penstock_worker_busy_seconds_total{worker=\"1\",cpu=\"-1\"} 1\n"
                  "penstock_source_blocked_seconds_total{component=\"r1\"} 2\n"
                  "penstock_source_events_kernel_dropped_total{component=\"r1\"} 15\n"
                  "penstock_source_events_received_total{component=\"r1\"} 190\n"
                  "penstock_sink_kafka_requests_sent_total{component=\"k1\"} 1100\n"
                  "penstock_sink_kafka_rtt_avg_seconds{component=\"k1\"} 0.002\n"
                  "penstock_sink_kafka_queue_messages{component=\"k1\"} 10\n"
                  "penstock_sink_kafka_queue_limit_messages{component=\"k1\"} 1000\n"
                  "penstock_channel_size_events{component=\"c1\"} 5\n"
                  "penstock_channel_capacity_events{component=\"c1\"} 100\n"
                  "penstock_channel_size_bytes{component=\"c1\"} 5\n"
                  "penstock_channel_capacity_bytes{component=\"c1\"} 0\n" /* no limit of its own */
                  "process_cpu_seconds_total 22\n");
    ps_parts_add(during, "channel c1", "capacity", PS_PART_QUEUE, 0.75);
    ps_parts_measure(parts, &before, &after, during, 2, 4);
    static const struct {
        const char *part;
        double value;
    } expected[] = {
        {"worker 0", 0.75},
        {"source r1 blocked", 0.5},
        {"source r1 kernel drops", 0.1},
        {"sink k1 broker round trip", 0.2},
        {"sink k1 client queue", 0.01},
        {"channel c1", 0.75},
        {"agent's CPU", 0.25},
    };
    assert_int_equal(parts->count, PS_COUNT_OF(expected));
    for (size_t i = 0; i < PS_COUNT_OF(expected); i++) {
        const struct ps_part *part = ps_parts_find(parts, expected[i].part);
        assert_non_null(part);
        assert_true(fabs(part->value - expected[i].value) < 1e-9);
    }
    ps_scrape_fini(&before);
    ps_scrape_fini(&after);
    free(parts);
}

static void add_trial(struct ps_limits_trial *trial, double rate, bool held)
{
    *trial = (struct ps_limits_trial){.rate = rate, .held = held};
    ps_parts_add(&trial->parts, "worker 0", "cycle time", PS_PART_TIME, fmin(0.05 + rate / 1000000, 1));
    ps_parts_add(&trial->parts, "worker 1", "cycle time", PS_PART_TIME, rate / 4000000);
    ps_parts_add(&trial->parts, "memory", "memory budget", PS_PART_TIME, 0.1);
    ps_parts_add(&trial->parts, "channel c1", "capacity", PS_PART_QUEUE, held ? 0.01 : 0.9);
    ps_parts_add(&trial->parts, "channel c2", "capacity", PS_PART_QUEUE, 0);
}

/* Parts whose use grows linearly: the saturation point is found. */
static void test_ranking(void **state)
{
    struct ps_limits_trial *trials = calloc(5, sizeof *trials);
    struct ps_limits *limits = calloc(1, sizeof *limits);
    static const double rates[] = {100000, 400000, 800000, 900000, 1600000};
    for (unsigned i = 0; i < 5; i++)
        add_trial(&trials[i], rates[i], i < 4);
    ps_parts_add(&trials[4].parts, "kernel drops", "datagrams", PS_PART_LOSS, 0.2); /* only there */
    ps_limits_find(limits, trials, 5, 900000);
    assert_int_equal(limits->count, 6);
    assert_string_equal(limits->items[0].part, "worker 0");
    assert_true(fabs(limits->items[0].saturates_at - 950000) < 1);
    assert_true(fabs(limits->items[0].utilisation - 0.95) < 1e-9);
    assert_true(fabs(limits->items[0].headroom - 0.05) < 1e-9);
    assert_non_null(strstr(limits->items[0].text, "straight line"));
    assert_string_equal(limits->items[1].part, "worker 1"); /* the next */
    assert_true(fabs(limits->items[1].saturates_at - 4000000) < 1);
    assert_string_equal(limits->items[2].part, "channel c1"); /* it filled at a rate that was too high */
    assert_true(fabs(limits->items[2].utilisation - 0.01) < 1e-9 &&
                fabs(limits->items[2].beyond - 0.9) < 1e-9);
    assert_non_null(strstr(limits->items[2].text, "90 % at 1,600,000 events/s: its consumer is slower"));
    assert_string_equal(limits->items[3].part, "kernel drops");
    assert_true(limits->items[3].utilisation == 0 && fabs(limits->items[3].beyond - 0.2) < 1e-9);
    assert_string_equal(limits->items[4].part, "memory"); /* does not grow */
    assert_true(limits->items[4].saturates_at == 0);

    /* One trial alone gives a line through 0, and no part near its end. */
    ps_limits_find(limits, &trials[1], 1, 400000);
    assert_string_equal(limits->items[0].part, "the pipeline itself");
    assert_string_equal(limits->items[1].part, "worker 0");
    assert_true(fabs(limits->items[1].saturates_at - 400000 / 0.45) < 1);
    assert_non_null(strstr(limits->items[1].text, "one rate only"));
    ps_limits_find(limits, trials, 5, 0);
    assert_int_equal(limits->count, 0);
    free(limits);
    free(trials);
}

/* A full channel is reported with its meaning. */
static void test_full_queue(void **state)
{
    struct ps_limits_trial *trial = calloc(1, sizeof *trial);
    struct ps_limits *limits = calloc(1, sizeof *limits);
    trial->rate = 1000;
    ps_parts_add(&trial->parts, "channel c1", "capacity", PS_PART_QUEUE, 0.98);
    ps_parts_add(&trial->parts, "source r1 kernel drops", "datagrams", PS_PART_LOSS, 0.25);
    ps_parts_add(&trial->parts, "not a number", "anything", PS_PART_TIME, NAN);
    ps_limits_find(limits, trial, 1, 1000);
    assert_int_equal(limits->count, 2);
    assert_non_null(strstr(limits->items[0].text, "slower than its producer"));
    assert_non_null(strstr(limits->items[1].text, "25 %"));
    free(limits);
    free(trial);
}

/* The queue of a sink that delivers in steps also holds what waits for the next one, and is a bottleneck only when it is full. */
static void test_queue_in_steps(void **state)
{
    struct ps_limits_trial *trials = calloc(2, sizeof *trials);
    struct ps_limits *limits = calloc(1, sizeof *limits);
    for (unsigned full = 0; full < 2; full++) {
        for (unsigned i = 0; i < 2; i++) {
            trials[i] = (struct ps_limits_trial){.rate = 1000.0 * (i + 1), .held = i == 0, .in_steps = true};
            ps_parts_add(&trials[i].parts, "sink k1 client queue", "queue limit", PS_PART_QUEUE,
                         i == 0 ? 0.31
                         : full ? 0.95
                                : 0.55);
        }
        ps_limits_find(limits, trials, 2, 1000);
        assert_int_equal(limits->count, full ? 1 : 2);
        assert_string_equal(limits->items[0].part, full ? "sink k1 client queue" : "the pipeline itself");
        bool slower = strstr(limits->items[limits->count - 1].text, "slower than its producer") != NULL;
        assert_true(slower == (full == 1));
    }
    free(limits);
    free(trials);
}

/* A worker that was full at 640,000 events/s does not limit a pipeline that fell behind at 277,000, where it was not. */
static void test_met_where_it_failed(void **state)
{
    static const double rates[] = {160000, 277000, 640000}, busy[] = {0.14, 0.24, 0.95};
    struct ps_limits_trial *trials = calloc(3, sizeof *trials);
    struct ps_limits *limits = calloc(1, sizeof *limits);
    for (unsigned i = 0; i < 3; i++) {
        trials[i] = (struct ps_limits_trial){.rate = rates[i], .held = i == 0};
        ps_parts_add(&trials[i].parts, "worker 0", "cycle time", PS_PART_TIME, busy[i]);
    }
    for (unsigned failed = 1; failed < 3; failed++) {
        ps_limits_find(limits, trials, 3, 160000);
        assert_true(ps_limits_keep_met(limits, trials, 3, rates[failed]) == (failed == 2));
    }
    free(limits);
    free(trials);
}

/* Recorded from `plan` against a token bucket of 8,000 lines/s while other programs kept the machine busy: the load of the
 * machine's CPUs, the share of the measured programs, and the share of the subject. */
static const struct {
    double rate;
    bool held;
    double machine, own, subject;
} token_bucket[] = {
    {2000, true, 0.885, 0.062, 0.011},  {4000, true, 0.902, 0.066, 0.016}, {7500, true, 0.878, 0.071, 0.021},
    {7800, true, 0.893, 0.072, 0.024},  {7900, true, 0.911, 0.071, 0.022}, {8100, false, 0.868, 0.073, 0.024},
    {8300, false, 0.899, 0.074, 0.025},
};

static struct ps_limits_trial *token_bucket_trials(bool with_machine)
{
    struct ps_limits_trial *trials = calloc(PS_COUNT_OF(token_bucket), sizeof *trials);
    for (size_t i = 0; i < PS_COUNT_OF(token_bucket); i++) {
        trials[i] = (struct ps_limits_trial){.rate = token_bucket[i].rate, .held = token_bucket[i].held};
        ps_parts_add(&trials[i].parts, "this machine's CPUs", "time", PS_PART_TIME,
                     with_machine ? token_bucket[i].machine : token_bucket[i].own);
        ps_parts_add(&trials[i].parts, "subject's CPU", "all CPUs", PS_PART_TIME, token_bucket[i].subject);
    }
    return trials;
}

/* A part that was busy at every rate, or that is far from its end, does not limit a token bucket. */
static void test_bystander(void **state)
{
    struct ps_limits *limits = calloc(1, sizeof *limits);
    for (unsigned with_machine = 0; with_machine < 2; with_machine++) {
        struct ps_limits_trial *trials = token_bucket_trials(with_machine);
        ps_limits_find(limits, trials, PS_COUNT_OF(token_bucket), 7900);
        assert_int_equal(limits->count, 3);
        assert_string_equal(limits->items[0].part, "the pipeline itself");
        assert_int_equal(limits->items[0].kind, PS_PART_PIPELINE);
        assert_non_null(strstr(limits->items[0].text, "the pipeline itself, not this machine"));
        struct ps_limits *unseen = malloc(sizeof *unseen);
        *unseen = *limits;
        ps_limits_end_not_seen(unseen, true, 7900);
        assert_string_equal(unseen->items[0].part, "--rate-max");
        assert_non_null(strstr(unseen->items[0].text, "nothing was near its end at 7,900 events/s"));
        *unseen = *limits;
        ps_limits_end_not_seen(unseen, false, 7900);
        assert_string_equal(unseen->items[0].part, "the load generator");
        free(unseen);
        for (unsigned i = 1; with_machine && i < limits->count; i++)
            if (strcmp(limits->items[i].part, "this machine's CPUs") == 0) {
                assert_true(limits->items[i].saturates_at == 0);
                assert_non_null(strstr(limits->items[i].text, "did not grow with the rate"));
            }
        free(trials);
    }
    free(limits);
}

/* A part at its end that did not grow is not first, however busy it is. */
static void test_busy_but_level(void **state)
{
    struct ps_limits *limits = calloc(1, sizeof *limits);
    struct ps_limits_trial *trials = calloc(3, sizeof *trials);
    for (unsigned i = 0; i < 3; i++) {
        trials[i] = (struct ps_limits_trial){.rate = 1000 * (i + 1), .held = true};
        ps_parts_add(&trials[i].parts, "worker 0", "cycle time", PS_PART_TIME, 0.99);
        ps_parts_add(&trials[i].parts, "worker 1", "cycle time", PS_PART_TIME, 0.3 * (i + 1));
    }
    ps_limits_find(limits, trials, 3, 3000);
    assert_int_equal(limits->count, 2);
    assert_string_equal(limits->items[0].part, "worker 1");
    assert_string_equal(limits->items[1].part, "worker 0");
    free(trials);
    free(limits);
}

/* A channel that filled is named, not the machine: its consumer is too slow, and no machine part is near. */
static void test_evidence(void **state)
{
    struct ps_limits *limits = calloc(1, sizeof *limits);
    struct ps_limits_trial *trials = token_bucket_trials(false);
    for (size_t i = 0; i < PS_COUNT_OF(token_bucket); i++)
        ps_parts_add(&trials[i].parts, "channel c1", "capacity", PS_PART_QUEUE, trials[i].held ? 0.02 : 0.9);
    ps_limits_find(limits, trials, PS_COUNT_OF(token_bucket), 7900);
    assert_string_equal(limits->items[0].part, "channel c1");
    free(trials);
    free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_met_where_it_failed),
        cmocka_unit_test(test_scrape),
        cmocka_unit_test(test_measure),
        cmocka_unit_test(test_ranking),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_queue_in_steps),
        cmocka_unit_test(test_bystander),
        cmocka_unit_test(test_busy_but_level),
        cmocka_unit_test(test_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
