/* The figures that the main thread computes from the senders' counters: the progress of each second, the largest backlog,
 * how far the target fell behind, and the result of all senders and lanes. The senders are only counters here, each with
 * different numbers. */
#include "bench/load/lane/lane.h"
#include "bench/load/load_internal.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (77 * PS_NS_PER_S)
#define SENDERS 3U

static struct ps_load_config config;
static struct ps_load_watch watch;
static struct ps_sender *senders[SENDERS];
static struct ps_shape *shape;
static struct ps_live live;
static char *text;
static size_t text_length;

static void begin(const char *form, double rate, uint64_t duration_ns)
{
    struct ps_err err = {.length = 0};
    config = (struct ps_load_config){.shape = {.text = form, .rate = rate, .duration_ns = duration_ns},
                                     .connections = 5,
                                     .every_ns = PS_NS_PER_S,
                                     .tolerance = 0.01,
                                     .seed = 5};
    assert_int_equal(ps_shape_create(&shape, &config.shape, &err), PS_OK);
    watch = (struct ps_load_watch){.config = &config,
                                   .shape = shape,
                                   .senders = senders,
                                   .sender_count = SENDERS,
                                   .live = &live,
                                   .start_ns = START_NS,
                                   .end_ns = duration_ns > 0 ? duration_ns : PS_NEVER};
    ps_load_watch_init(&watch);
}

/* Each progress report is a new text. */
static void show_begin(void)
{
    if (live.to != NULL)
        fclose(live.to);
    free(text);
    text = NULL;
    live = (struct ps_live){.to = open_memstream(&text, &text_length), .json = true};
    assert_non_null(live.to);
}

static int setup(void **state)
{
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = calloc(1, sizeof *senders[i]);
        assert_int_equal(pthread_mutex_init(&senders[i]->lock, NULL), 0);
    }
    show_begin();
    return 0;
}

static int teardown(void **state)
{
    ps_load_watch_fini(&watch);
    ps_shape_destroy(shape);
    for (uint32_t i = 0; i < SENDERS; i++) {
        free(senders[i]->lanes);
        free(senders[i]);
    }
    fclose(live.to);
    live.to = NULL;
    free(text);
    text = NULL;
    return 0;
}

/* Looks at this time; returns the progress that is shown then (the caller drops it), or NULL. */
static json_t *look(double second)
{
    json_error_t error;
    show_begin();
    ps_load_watch_look(&watch, START_NS + (uint64_t)(second * 1e9 + 0.5));
    fflush(live.to);
    return text_length > 0 ? json_loads(text, 0, &error) : NULL;
}

static void is(const json_t *object, const char *key, double value)
{
    double found = json_number_value(json_object_get(object, key));
    if (object == NULL || found < value - 1e-6 || found > value + 1e-6)
        fail_msg("%s is %f, not %f", key, found, value);
}

static const char *error_of(const json_t *object)
{
    return json_string_value(json_object_get(object, "error"));
}

static void test_progress(void **state)
{
    begin(NULL, 1000, 10 * PS_NS_PER_S);
    for (uint32_t i = 0; i < SENDERS; i++)
        senders[i]->statistics = (struct ps_statistics){
            .sent = 100 + i, .completed = 90 + i, .failed = 3 + i, .bytes = 1000 + i, .memory_up = 1 + i};
    ps_histogram_record(&senders[0]->statistics.latency_ns, 50, 1);
    ps_histogram_record(&senders[2]->statistics.latency_ns, 100, 3);
    assert_null(look(0)); /* the start is not a look */
    assert_null(look(0.5));
    assert_int_equal(watch.sample_count, 1);
    assert_int_equal(watch.samples[0].due, 501);
    assert_int_equal(watch.samples[0].outstanding, 501 - 273 - 12);
    json_t *one = look(1);
    is(one, "t", 1);
    is(one, "due", 1001);
    is(one, "asked", 1001);
    is(one, "sent", 303);
    is(one, "completed", 273);
    is(one, "failed", 12);
    is(one, "bytes", 3003);
    is(one, "connections_up", 6);
    is(one, "rate", 273);
    is(one, "backlog", 698);
    is(json_object_get(one, "latency_ns"), "p50", 100);
    assert_true(json_is_false(json_object_get(one, "outage")));
    assert_null(error_of(one));
    json_decref(one);
    /* The figures of the next second; looks in between show nothing. */
    senders[1]->statistics.completed += 500;
    senders[1]->statistics.sent += 1697;
    ps_histogram_record(&senders[1]->statistics.latency_ns, 7, 1);
    assert_null(look(1.999));
    one = look(2.5); /* late: the rate is that of 1.5 s */
    is(one, "rate", 500 / 1.5);
    is(one, "asked", 1500 / 1.5);
    is(one, "backlog", 2501 - 2000);
    is(json_object_get(one, "latency_ns"), "max", 7);
    json_decref(one);
    assert_null(look(2.9));
    one = look(3);
    assert_non_null(one);
    json_decref(one);
    assert_int_equal(watch.backlog_max, 3001 - 2000);
    /* After the end of the schedule nothing more is due, and no sample is taken. */
    uint64_t samples = watch.sample_count;
    one = look(11);
    is(one, "due", 10000);
    json_decref(one);
    assert_int_equal(watch.sample_count, samples);
    assert_int_equal(watch.backlog_max, 8000);
}

/* A reason is shown while connections are down, and in the interval in which an error happened; not before or after. */
static void test_outages(void **state)
{
    static const struct {
        uint64_t down, downs, reasons; /* counters of the second sender */
        bool outage, error;
    } rows[] = {
        {0, 0, 0, false, false}, {1, 1, 1, true, true},   {1, 1, 1, true, true},
        {0, 1, 1, false, false}, {0, 2, 2, true, true},   {0, 2, 2, false, false},
        {0, 2, 3, false, true},  {0, 2, 3, false, false}, {1, 2, 3, true, true},
    };
    begin(NULL, 1000, 0);
    snprintf(senders[1]->last_reason, sizeof senders[1]->last_reason, "%s", "the reason of the second");
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        senders[1]->statistics.memory_down = rows[i].down;
        senders[1]->statistics.downs = rows[i].downs;
        senders[1]->statistics.reasons = rows[i].reasons;
        json_t *one = look(1.0 + (double)i);
        if (one == NULL || json_is_true(json_object_get(one, "outage")) != rows[i].outage ||
            (error_of(one) != NULL) != rows[i].error)
            fail_msg("row %zu: %s", i, text);
        if (rows[i].error)
            assert_string_equal(error_of(one), "the reason of the second");
        json_decref(one);
    }
}

static void test_closed_loop(void **state)
{
    begin("closed", 0, 0);
    senders[0]->statistics.sent = 40;
    senders[2]->statistics.sent = 60;
    senders[2]->statistics.completed = 30;
    senders[1]->statistics.failed = 5;
    json_t *one = look(1);
    is(one, "due", 100);
    is(one, "backlog", 0);
    is(one, "asked", 0);
    json_decref(one);
    assert_int_equal(watch.samples[0].outstanding, 65);
}

/* The last part of a second is shown if it is at least half a second. */
static void test_end(void **state)
{
    static const struct {
        double shown, end;
        bool is_shown;
    } rows[] = {{1, 1.499, false}, {1, 1.5, true}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        begin(NULL, 1000, 0);
        ps_load_watch_end(&watch, START_NS + (uint64_t)(rows[i].end * 1e9));
        fflush(live.to);
        assert_int_equal(watch.sample_count, 0); /* nothing was shown before */
        json_decref(look(rows[i].shown));
        show_begin();
        ps_load_watch_end(&watch, START_NS + (uint64_t)(rows[i].end * 1e9));
        fflush(live.to);
        assert_int_equal(text_length > 0, rows[i].is_shown);
        ps_load_watch_fini(&watch);
        ps_shape_destroy(shape);
    }
    begin(NULL, 1000, 0);
}

/* When there is no room for another sample, every other one is removed; the later one of each pair stays. */
static void test_many_samples(void **state)
{
    begin(NULL, 1000, 0);
    config.every_ns = 3600 * PS_NS_PER_S;
    watch.next_ns = config.every_ns;
    for (unsigned i = 1; i <= 1025; i++)
        assert_null(look(i / 20.0));
    assert_int_equal(watch.sample_count, 513);
    for (uint64_t i = 0; i < 512; i++)
        assert_int_equal(watch.samples[i].since_ns, 2 * (i + 1) * 50 * PS_NS_PER_MS);
    assert_int_equal(watch.samples[512].since_ns, 1025 * 50 * PS_NS_PER_MS);
}

/* The growth is the smallest backlog in the last 250 ms (or in the last hundredth, if that is longer) minus the
 * smallest one before. */
static void test_growth(void **state)
{
    static const struct {
        struct ps_load_sample samples[4];
        unsigned count;
        uint64_t growth;
    } rows[] = {
        {{{0, 0, 0}}, 0, 0},
        {{{100 * PS_NS_PER_MS, 9, 9}}, 1, 9}, /* all of it is in the last 250 ms: there is none before */
        {{{100 * PS_NS_PER_MS, 0, 4}, {1000 * PS_NS_PER_MS, 0, 9}}, 2, 5},
        {{{749 * PS_NS_PER_MS, 0, 4}, {1000 * PS_NS_PER_MS, 0, 9}}, 2, 5},
        {{{750 * PS_NS_PER_MS, 0, 4}, {1000 * PS_NS_PER_MS, 0, 9}}, 2, 4}, /* both belong to the end */
        {{{100 * PS_NS_PER_MS, 0, 6},
          {200 * PS_NS_PER_MS, 0, 4},
          {900 * PS_NS_PER_MS, 0, 30},
          {1000 * PS_NS_PER_MS, 0, 20}},
         4,
         16},
        {{{100 * PS_NS_PER_MS, 0, 9}, {1000 * PS_NS_PER_MS, 0, 9}}, 2, 0},
        {{{100 * PS_NS_PER_MS, 0, 10}, {1000 * PS_NS_PER_MS, 0, 9}}, 2, 0},
        {{{98999 * PS_NS_PER_MS, 0, 3}, {99000 * PS_NS_PER_MS, 0, 2}, {100000 * PS_NS_PER_MS, 0, 9}},
         3,
         0}, /* 1 s of 100 s */
        {{{98998 * PS_NS_PER_MS, 0, 1},
          {98999 * PS_NS_PER_MS, 0, 3},
          {99000 * PS_NS_PER_MS, 0, 6},
          {100000 * PS_NS_PER_MS, 0, 9}},
         4,
         5},
    };
    begin(NULL, 1000, 0);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        memcpy(watch.samples, rows[i].samples, sizeof rows[i].samples);
        watch.sample_count = rows[i].count;
        if (ps_load_watch_growth(&watch) != rows[i].growth)
            fail_msg("row %zu: %llu", i, (unsigned long long)ps_load_watch_growth(&watch));
    }
}

/* ---- the result ---- */

static struct ps_load load;

/* Five lanes in three senders: 0 and 3, 1 and 4, 2. */
static void lanes(void)
{
    load = (struct ps_load){.config = &config, .shape = shape, .thread_count = SENDERS, .start_ns = START_NS};
    for (uint32_t i = 0; i < SENDERS; i++) {
        load.senders[i] = senders[i];
        senders[i]->lane_count = i < 2 ? 2 : 1;
        senders[i]->lanes = calloc(2, sizeof *senders[i]->lanes);
        for (uint32_t k = 0; k < senders[i]->lane_count; k++) {
            uint32_t number = i + k * SENDERS;
            senders[i]->lanes[k] =
                (struct ps_lane){.number = number,
                                 .sequence = 100 + number,
                                 .failed = 10 + number,
                                 .last_due_ns = (number == 1 ? 9 : 2) * PS_NS_PER_S,
                                 .last_completed_ns = START_NS + (number == 3 ? 8 : 1) * PS_NS_PER_S};
        }
    }
}

static struct ps_load_result result_of(void)
{
    struct ps_load_result result = {.run = 1};
    ps_load_result_make(&load, &watch, &result);
    return result;
}

static void test_result(void **state)
{
    begin(NULL, 1000, 10 * PS_NS_PER_S);
    lanes();
    watch.backlog_max = 444;
    senders[0]->statistics.completed = 5000;
    senders[1]->statistics.completed = 4899;
    senders[2]->statistics.failed = 1;
    ps_histogram_record(&senders[0]->statistics.gap_ns, 1, 2);
    ps_histogram_record(&senders[1]->statistics.schedule_error_ns, 1, 3);
    ps_histogram_record(&senders[1]->statistics.schedule_error_net_ns, 1, 4);
    ps_histogram_record(&senders[2]->statistics.latency_ns, 1, 5);
    senders[1]->outage_count = 2;
    senders[1]->outages[0] = (struct ps_outage){START_NS - 5 * PS_NS_PER_S, START_NS + PS_NS_PER_S / 2,
                                                "first"}; /* it began before */
    senders[1]->outages[1] =
        (struct ps_outage){START_NS + 2 * PS_NS_PER_S, START_NS + 5 * PS_NS_PER_S, "second"};
    senders[2]->outage_count = 1;
    senders[2]->outages[0] =
        (struct ps_outage){START_NS - 5 * PS_NS_PER_S, START_NS - PS_NS_PER_S, "before the start"};
    senders[0]->reasons[0] = (struct ps_sender_reason){"a", 7};
    senders[2]->reasons[0] = (struct ps_sender_reason){"b", 8};
    senders[2]->reasons[1] = (struct ps_sender_reason){"c", 9};
    struct ps_load_result result = result_of();
    assert_int_equal(result.source_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(result.sources[i].events, 100 + i);
        assert_int_equal(result.sources[i].failed, 10 + i);
    }
    assert_int_equal(result.due, 10000);
    assert_int_equal(result.total.completed, 9899);
    assert_int_equal(result.total.failed, 1);
    assert_int_equal(result.total.gap_ns.count, 2);
    assert_int_equal(result.total.schedule_error_ns.count, 3);
    assert_int_equal(result.total.schedule_error_net_ns.count, 4);
    assert_int_equal(result.total.latency_ns.count, 5);
    assert_int_equal(result.backlog_max, 444);
    assert_true(result.seconds == 10 && result.asked_rate == 1000 && result.achieved_rate == 989.9);
    assert_false(result.held || result.closed_loop); /* 9,899 of 10,000 is more than 1 % less */
    assert_int_equal(result.outage_count, 3);
    assert_true(result.outages[0].t == 0 && result.outages[0].seconds == 0.5);
    assert_true(result.outages[1].t == 2 && result.outages[1].seconds == 3);
    assert_true(result.outages[2].t == 0 && result.outages[2].seconds == 0);
    assert_string_equal(result.outages[1].reason, "second");
    assert_int_equal(result.reason_count, 3);
    assert_string_equal(result.reasons[2].text, "c");
    assert_int_equal(result.reasons[2].count, 9);
    ps_load_result_fini(&result);
    senders[1]->statistics.completed++; /* exactly 1 % less */
    result = result_of();
    assert_true(result.held);
    ps_load_result_fini(&result);
    /* Failed events, and those by which the target fell behind, do not count as achieved. */
    watch.samples[0] = (struct ps_load_sample){PS_NS_PER_S, 0, 0};
    watch.samples[1] = (struct ps_load_sample){10 * PS_NS_PER_S, 0, 300};
    watch.sample_count = 2;
    result = result_of();
    assert_true(result.achieved_rate == (10000 - 300 - 1) / 10.0 && !result.held);
    ps_load_result_fini(&result);
}

/* More outages than there is room for. */
static void test_many_outages(void **state)
{
    begin(NULL, 1000, 10 * PS_NS_PER_S);
    lanes();
    for (uint32_t i = 0; i < 2; i++) {
        senders[i]->outage_count = PS_SENDER_OUTAGES + 5; /* more than it stores */
        for (uint32_t k = 0; k < PS_SENDER_OUTAGES; k++)
            senders[i]->outages[k] = (struct ps_outage){START_NS + (i * 100 + k) * PS_NS_PER_S,
                                                        START_NS + (i * 100 + k + 1) * PS_NS_PER_S, "x"};
        for (uint32_t k = 0; k < PS_SENDER_REASONS; k++)
            senders[i]->reasons[k] = (struct ps_sender_reason){"y", 1 + i * 100 + k};
    }
    struct ps_load_result result = result_of();
    assert_int_equal(result.outage_count, PS_SENDER_OUTAGES);
    assert_true(result.outages[PS_SENDER_OUTAGES - 1].t == PS_SENDER_OUTAGES - 1);
    assert_int_equal(result.reason_count, PS_SENDER_REASONS);
    assert_int_equal(result.reasons[PS_SENDER_REASONS - 1].count, PS_SENDER_REASONS);
    ps_load_result_fini(&result);
}

static void test_result_of_a_closed_loop(void **state)
{
    begin("closed", 0, 0);
    lanes();
    senders[0]->statistics.sent = 900;
    senders[1]->statistics.completed = 800;
    struct ps_load_result result = result_of();
    assert_true(result.closed_loop && result.held);
    assert_int_equal(result.due, 900);
    assert_true(result.seconds == 8 && result.asked_rate == 0 &&
                result.achieved_rate == 100); /* to the last completed event */
    ps_load_result_fini(&result);
}

/* Random arrivals: the due events are counted by the schedules of the lanes, once each. */
static void test_random_arrivals(void **state)
{
    begin("poisson", 1000, 10 * PS_NS_PER_S);
    uint64_t half = ps_load_watch_due(&watch, 5 * PS_NS_PER_S),
             again = ps_load_watch_due(&watch, 5 * PS_NS_PER_S);
    uint64_t all = ps_load_watch_due(&watch, 100 * PS_NS_PER_S);
    assert_true(half > 4500 && half < 5500 && again == half && all > 9500 && all < 10500);
}

static void test_limits_of_due(void **state)
{
    begin(NULL, 1000, PS_NS_PER_S);
    assert_int_equal(ps_load_watch_due(&watch, 0), 1);
    assert_int_equal(ps_load_watch_due(&watch, PS_NS_PER_S - 1), 1000);
    assert_int_equal(ps_load_watch_due(&watch, PS_NS_PER_S + 1), 1000);
    config.event_max = 999;
    assert_int_equal(ps_load_watch_due(&watch, PS_NS_PER_S - 1), 999);
    config.event_max = 1001;
    assert_int_equal(ps_load_watch_due(&watch, PS_NS_PER_S - 1), 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_progress),
        TEST(test_outages),
        TEST(test_closed_loop),
        TEST(test_end),
        TEST(test_many_samples),
        TEST(test_growth),
        TEST(test_result),
        TEST(test_many_outages),
        TEST(test_result_of_a_closed_loop),
        TEST(test_random_arrivals),
        TEST(test_limits_of_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
