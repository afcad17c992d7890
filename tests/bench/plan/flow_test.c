/* The verdict about a trial, from recorded arrivals. */
#include <math.h>

#include "bench/plan/flow.h"
#include "tests/support/support.h"

#define STEP_S 0.02
#define ROWS_MAX 64U
#define SAMPLES_MAX 2000U

static double at_s[SAMPLES_MAX], received[ROWS_MAX * SAMPLES_MAX];

/* The events of connection `row` that a subject delivered until `t`. */
typedef double subject(const struct ps_flow *flow, unsigned row, double t);

static double due_on(const struct ps_flow *flow, unsigned row, double t)
{
    double reached = flow->rate * fmin(fmax(t, 0), flow->seconds);
    return reached >= row ? floor((reached - row) / flow->connections) + 1 : 0;
}

static struct ps_flow_result judge_with(struct ps_flow flow, subject *deliver)
{
    struct ps_flow_result result;
    flow.rows = flow.rows > 0 ? flow.rows : flow.connections;
    flow.samples = (unsigned)((flow.seconds + 0.1) / STEP_S);
    flow.at_s = at_s;
    flow.received = received;
    for (unsigned i = 0; i < flow.samples; i++)
        at_s[i] = (i + 1) * STEP_S;
    for (unsigned row = 0; row < flow.rows; row++)
        for (unsigned i = 0; i < flow.samples; i++)
            received[row * flow.samples + i] = deliver(&flow, row, at_s[i]);
    ps_flow_judge(&flow, &result);
    return result;
}

static double all_at_once(const struct ps_flow *flow, unsigned row, double t)
{
    return due_on(flow, row, t - 0.003);
}

static double batches(const struct ps_flow *flow, unsigned row, double t)
{
    return due_on(flow, row, floor(t / 0.2) * 0.2);
}

/* Stops for 150 ms each second, and catches up twice as fast. */
static double pauses(const struct ps_flow *flow, unsigned row, double t)
{
    double second = floor(t), into = t - second;
    return due_on(flow, row, into < 0.15 ? second : into < 0.3 ? second + 2 * (into - 0.15) : t);
}

static double stalls_once(const struct ps_flow *flow, unsigned row, double t)
{
    return due_on(flow, row, t > 1.9 && t < 2.3 ? 1.9 : t);
}

static void test_level(void **state)
{
    static subject *const subjects[] = {all_at_once, batches, pauses, stalls_once};
    static const unsigned connections[] = {1, 3, 64};
    for (size_t i = 0; i < PS_COUNT_OF(subjects); i++)
        for (size_t k = 0; k < PS_COUNT_OF(connections); k++) {
            struct ps_flow flow = {.rate = 8000, .seconds = 4, .connections = connections[k]};
            struct ps_flow_result result = judge_with(flow, subjects[i]);
            assert_int_equal(result.verdict, PS_FLOW_LEVEL);
            assert_true(fabs(result.goodput / 8000 - 1) < 0.02);
        }
}

/* Forwards 7,600 of 8,000 events/s; connections share them evenly. */
static double even(const struct ps_flow *flow, unsigned row, double t)
{
    return floor(due_on(flow, row, t) * 0.95);
}

/* The same rate, but the last connection alone bears the difference. */
static double unfair(const struct ps_flow *flow, unsigned row, double t)
{
    double due = due_on(flow, row, t);
    return row + 1 < flow->connections ? due : fmax(due - floor(0.05 * flow->rate * t), 0);
}

static void test_behind(void **state)
{
    static subject *const subjects[] = {even, unfair};
    for (size_t i = 0; i < PS_COUNT_OF(subjects); i++)
        for (unsigned connections = 1; connections <= 16; connections *= 4) {
            struct ps_flow flow = {.rate = 8000, .seconds = 4, .connections = connections};
            struct ps_flow_result result = judge_with(flow, subjects[i]);
            assert_int_equal(result.verdict, PS_FLOW_BEHIND);
            assert_true(result.decisive);
            assert_true(fabs(result.goodput / 7600 - 1) < 0.005);
            assert_true(fabs(result.on_its_way - 0.05 * 8000 * 4) < 100);
        }
    struct ps_flow flow = {.rate = 8000, .seconds = 4, .connections = 4};
    assert_int_equal(judge_with(flow, unfair).connection, 3);
}

/* One of 64 connections has a limit of its own: 3 % below its share, 0.05 % of all events. */
static double one_slow(const struct ps_flow *flow, unsigned row, double t)
{
    return floor(due_on(flow, row, t) * (row == 17 ? 0.97 : 1));
}

static void test_starved(void **state)
{
    struct ps_flow flow = {.rate = 64000, .seconds = 10, .connections = 64};
    struct ps_flow_result result = judge_with(flow, one_slow);
    assert_int_equal(result.verdict, PS_FLOW_STARVED);
    assert_int_equal(result.connection, 17);
    assert_true(fabs(result.goodput_worst / (64000 * 0.97) - 1) < 0.003);
    assert_true(result.goodput > 63900);
}

/* Fast for 10 s, then 4,000 events/s: the rate at the end decides. */
static double sags(const struct ps_flow *flow, unsigned row, double t)
{
    return floor(t < 10 ? flow->rate * t : flow->rate * 10 + 4000 * (t - 10));
}

static void test_sags(void **state)
{
    struct ps_flow flow = {.rate = 5000, .seconds = 16, .connections = 1};
    struct ps_flow_result result = judge_with(flow, sags);
    assert_int_equal(result.verdict, PS_FLOW_BEHIND);
    assert_true(fabs(result.goodput / 4000 - 1) < 0.01);
    flow.seconds = 4;
    assert_int_equal(judge_with(flow, sags).verdict, PS_FLOW_LEVEL); /* too short to see it */
}

/* Lost events do not wait anywhere; a percentile over a large part of the trial does not prove that the queue was level. */
static void test_lost_and_slow(void **state)
{
    struct ps_flow flow = {.rate = 8000, .seconds = 4, .connections = 2, .lost = 0.05 * 8000 * 4};
    assert_int_equal(judge_with(flow, even).verdict, PS_FLOW_LEVEL);
    flow = (struct ps_flow){.rate = 8000, .seconds = 4, .connections = 2, .latency_p99_s = 36};
    assert_int_equal(judge_with(flow, all_at_once).verdict, PS_FLOW_SLOW);
    flow.latency_p99_s = 0.9;
    assert_int_equal(judge_with(flow, all_at_once).verdict, PS_FLOW_LEVEL);
    /* The machine stalls for 0.3 s: shorter delays prove nothing. */
    flow = (struct ps_flow){.rate = 8000, .seconds = 4, .connections = 2, .stall_s = 0.3};
    assert_int_equal(judge_with(flow, even).verdict, PS_FLOW_LEVEL);
}

static double nothing(const struct ps_flow *flow, unsigned row, double t)
{
    return 0;
}

static double halves(const struct ps_flow *flow, unsigned row, double t)
{
    double sum = 0;
    for (unsigned connection = row; connection < flow->connections; connection += flow->rows)
        sum += due_on(flow, connection, t);
    return sum;
}

static void test_edges(void **state)
{
    struct ps_flow flow = {.rate = 100, .seconds = 4, .connections = 2};
    assert_int_equal(judge_with(flow, nothing).verdict, PS_FLOW_BEHIND);
    struct ps_flow_result result;
    ps_flow_judge(&(struct ps_flow){.rate = 100, .seconds = 4}, &result);
    assert_int_equal(result.verdict, PS_FLOW_UNKNOWN);
    static const double only[] = {1};
    ps_flow_judge(&(struct ps_flow){.rate = 100,
                                    .seconds = 4,
                                    .connections = 1,
                                    .rows = 1,
                                    .samples = 1,
                                    .at_s = only,
                                    .received = only},
                  &result);
    assert_int_equal(result.verdict, PS_FLOW_UNKNOWN);
    /* More connections than rows, and fewer events than connections in a step. */
    flow = (struct ps_flow){.rate = 1000, .seconds = 4, .connections = 200, .rows = 64};
    assert_int_equal(judge_with(flow, halves).verdict, PS_FLOW_LEVEL);
}

/* A client that lingers for 3 s sends a batch of each of its queues when it is full, every 0.9 s. The last window ends at another
 * point of the batches than the first one, by some of their events. */
static double lingers(const struct ps_flow *flow, unsigned row, double t)
{
    double step = floor(t / 0.9), beat_s = 0.1 * fmin(step * 0.9 / flow->seconds, 1);
    return due_on(flow, row, step * 0.9 - beat_s);
}

/* The same, but too slow by a twentieth. */
static double lingers_behind(const struct ps_flow *flow, unsigned row, double t)
{
    return due_on(flow, row, floor(t / 0.9) * 0.9 * 0.95);
}

static void test_batches_of_seconds(void **state)
{
    static const double lengths_s[] = {10.6, 16};
    for (size_t i = 0; i < PS_COUNT_OF(lengths_s); i++) {
        struct ps_flow flow = {.rate = 40000, .seconds = lengths_s[i], .connections = 1, .rhythm_s = 3};
        assert_int_equal(judge_with(flow, lingers).verdict, PS_FLOW_LEVEL);
        assert_int_equal(judge_with(flow, lingers_behind).verdict, PS_FLOW_BEHIND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level),  cmocka_unit_test(test_batches_of_seconds),
        cmocka_unit_test(test_behind), cmocka_unit_test(test_starved),
        cmocka_unit_test(test_sags),   cmocka_unit_test(test_lost_and_slow),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
