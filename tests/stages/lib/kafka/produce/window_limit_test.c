/* The amount in flight over a computed line: its round trip, and the number of waves in one round trip. */
#include "stages/lib/kafka/produce/window_limit.h"
#include "core/clock.h"
#include "tests/support/support.h"

#define MIB (UINT64_C(1) << 20)
#define LEASES_PER_WAVE 4U

static struct ps_kafka_window_limit limit;

struct line {
    uint64_t round_trip_ms;
    double waves;    /* waves that the line carries in a round trip */
    uint32_t source; /* waves that there are to send in a round trip */
};

static struct {
    uint64_t now_ns, wave;
    double delivered_waves, most_waves;
} run;

static void start(uint64_t bytes_max)
{
    memset(&run, 0, sizeof run);
    run.now_ns = PS_NS_PER_S;
    ps_kafka_window_limit_init(&limit, bytes_max);
}

/* Plays a round trip: the bytes in flight when it begins are delivered as fast as the line carries them. */
static void turn(const struct line *line)
{
    uint64_t in_flight = limit.waves < line->source ? limit.waves : line->source;
    double trips = (double)in_flight / line->waves;
    uint64_t held_ns = (uint64_t)((trips > 1 ? trips : 1) * (double)line->round_trip_ms * PS_NS_PER_MS);
    uint64_t first = run.wave + 1;
    run.wave += in_flight;
    if (line->source > limit.waves)
        assert_false(ps_kafka_window_limit_allows(&limit, in_flight, in_flight * PS_KAFKA_WAVE_BYTES));
    run.now_ns += held_ns;
    for (uint64_t wave = first; wave <= run.wave; wave++) {
        for (unsigned lease = 0; lease < LEASES_PER_WAVE; lease++)
            ps_kafka_window_limit_delivered(&limit, wave, run.wave, held_ns, run.now_ns);
    }
    run.delivered_waves += (double)in_flight;
    run.most_waves = (double)in_flight > run.most_waves ? (double)in_flight : run.most_waves;
}

static void pass(const struct line *line, uint64_t seconds)
{
    uint64_t until_ns = run.now_ns + seconds * PS_NS_PER_S;
    while (run.now_ns < until_ns)
        turn(line);
}

/* The values kept while a trial is under way. */
static uint32_t kept(void)
{
    return limit.trial == PS_KAFKA_TRIAL_NONE ? limit.waves : limit.waves_before;
}

static void measured(uint64_t ms)
{
    ps_kafka_window_limit_measured(&limit, ms * PS_NS_PER_MS);
}

/* A line without a limit of its own: the data in flight grow up to their limit. */
static void test_grows_on_a_long_line(void **state)
{
    static const uint64_t round_trips_ms[] = {10, 50, 100, 200};
    for (size_t i = 0; i < PS_COUNT_OF(round_trips_ms); i++) {
        start(64 * MIB);
        assert_int_equal(limit.waves, 3);
        pass(&(struct line){round_trips_ms[i], 1000, 1000}, 5); /* the round trip is not known yet */
        assert_int_equal(limit.waves, 3);
        measured(round_trips_ms[i]);
        pass(&(struct line){round_trips_ms[i], 1000, 1000}, 10);
        assert_in_range(kept(), 48, 64);
    }
}

/* While a larger amount is faster, each trial has one and a half times the amount, and one more. */
static void test_steps(void **state)
{
    static const uint32_t steps[] = {3, 5, 8, 13, 20, 31, 47, 64};
    const struct line line = {100, 1000, 1000};
    start(64 * MIB);
    measured(100);
    for (size_t i = 0; i < PS_COUNT_OF(steps); i++) {
        assert_int_equal(limit.waves, steps[i]);
        for (unsigned turns = 0; limit.waves == steps[i] && turns < 1000 && i + 1 < PS_COUNT_OF(steps);
             turns++)
            turn(&line);
    }
}

/* A short line keeps three waves at any speed of the broker: their cost is measured and accepted. */
static void test_short_line(void **state)
{
    start(64 * MIB);
    measured(9);
    pass(&(struct line){9, 1000, 1000}, 60);
    assert_int_equal(run.most_waves, 3);
}

/* Small waves are limited by their number, large ones by their bytes. */
static void test_short_line_counts_bytes(void **state)
{
    start(64 * MIB);
    assert_true(ps_kafka_window_limit_allows(&limit, 2, 2 * MIB / 1024));
    assert_true(ps_kafka_window_limit_allows(&limit, 1, PS_KAFKA_SHORT_BYTES - 1));
    assert_false(ps_kafka_window_limit_allows(&limit, 1, PS_KAFKA_SHORT_BYTES));
    assert_false(ps_kafka_window_limit_allows(&limit, 3, 0));
    measured(9);
    assert_false(ps_kafka_window_limit_allows(&limit, 1, PS_KAFKA_SHORT_BYTES));
    measured(10);
    assert_true(ps_kafka_window_limit_allows(&limit, 2, 2 * MIB));
}

/* Where the line, the brokers or their partitions are the limit, more waves would only wait. */
static void test_stops_where_it_is_no_faster(void **state)
{
    for (uint32_t waves = 1; waves < 40; waves += 3) {
        const struct line line = {100, waves, 1000};
        start(64 * MIB);
        measured(100);
        pass(&line, 300);
        uint32_t fair = waves < 3 ? 3 : waves;
        assert_in_range(kept(), fair * 9 / 10, fair * 3 / 2 + 1);
        assert_true(run.most_waves <= fair * 9.0 / 4 + 2); /* the last trial */
        run.delivered_waves = 0;
        pass(&line, 100);
        assert_true(run.delivered_waves >= 0.9 * waves * 1000);
    }
}

/* The limit follows the line down as well: to a smaller capacity, and to brokers near by. */
static void test_goes_back(void **state)
{
    start(64 * MIB);
    measured(100);
    pass(&(struct line){100, 1000, 1000}, 20);
    assert_in_range(kept(), 48, 64);
    pass(&(struct line){100, 8, 1000}, 600);
    assert_in_range(kept(), 8, 13);
    measured(2);
    pass(&(struct line){2, 8, 1000}, 1);
    assert_int_equal(limit.waves, 3);
}

/* A source that is slower than the line does not make it grow. */
static void test_slow_source(void **state)
{
    start(64 * MIB);
    measured(100);
    pass(&(struct line){100, 1000, 3}, 60);
    assert_int_equal(limit.waves, 3);
}

static void test_limit_of_the_operator(void **state)
{
    static const uint32_t most[] = {1, 2, 3, 5, 17};
    for (size_t i = 0; i < PS_COUNT_OF(most); i++) {
        start(most[i] * MIB + 5);
        measured(200);
        pass(&(struct line){200, 1000, 1000}, 60);
        assert_int_equal(kept(), most[i]);
        assert_int_equal(run.most_waves, most[i]);
    }
    start(0);
    assert_int_equal(limit.waves, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_on_a_long_line),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_short_line),
        cmocka_unit_test(test_short_line_counts_bytes),
        cmocka_unit_test(test_stops_where_it_is_no_faster),
        cmocka_unit_test(test_goes_back),
        cmocka_unit_test(test_slow_source),
        cmocka_unit_test(test_limit_of_the_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
