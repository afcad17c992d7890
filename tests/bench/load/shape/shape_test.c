/* When events are due: closed forms, the same schedule for any number of lanes, no drift, traces, and
 * messages for bad shapes. */
#include "tests/support/support.h"

#include "bench/load/schedule.h"
#include "bench/load/shape/internal.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define S PS_NS_PER_S

static struct ps_shape *make(const char *text, double rate, uint64_t duration_ns)
{
    struct ps_shape_config config = {text, rate, duration_ns};
    struct ps_shape *shape = NULL;
    struct ps_err err = {0};
    if (ps_shape_create(&shape, &config, &err) != PS_OK)
        fail_msg("%s: %s", text, err.text);
    return shape;
}

static uint64_t due(const struct ps_shape *shape, uint64_t event)
{
    unsigned piece = 0;
    return ps_shape_due_ns(shape, (double)event, &piece);
}

static void assert_near(uint64_t is, double wanted, double within)
{
    if (fabs((double)is - wanted) > within)
        fail_msg("%llu is not within %g of %.3f", (unsigned long long)is, within, wanted);
}

/* ---- closed forms ---- */

static void test_constant_is_exact(void **state)
{
    static const uint64_t rates[] = {1, 3, 7, 1000, 99999, 100000, 999983, 1000000, 30000000};
    for (size_t r = 0; r < PS_COUNT_OF(rates); r++) {
        struct ps_shape *shape = make("constant", (double)rates[r], 0);
        for (uint64_t event = 0; event < UINT64_C(1) << 42; event = event * 3 + 1) {
            unsigned __int128 exact = (unsigned __int128)event * S * 2 / rates[r]; /* half nanoseconds */
            if (exact >> 63 != 0 || (uint64_t)(exact / 2) > 86400 * S)
                break; /* a day */
            assert_near(due(shape, event), (double)((uint64_t)exact) / 2, 1);
        }
        assert_int_equal(due(shape, 0), 0);
        assert_int_equal(due(shape, rates[r] * 3600), 3600 * S); /* no drift in an hour */
        assert_int_equal(ps_shape_event_count(shape, 10 * S), rates[r] * 10);
        assert_int_equal(ps_shape_event_count(shape, 0), 0);
        assert_int_equal(ps_shape_event_count(shape, 1), 1);
        ps_shape_destroy(shape);
    }
}

static void test_burst_is_on_and_off(void **state)
{
    struct ps_shape *shape = make("burst:on=1s,off=4s", 1000, 0);
    for (uint64_t cycle = 0; cycle < 1000; cycle += 111) {
        assert_int_equal(due(shape, cycle * 1000), cycle * 5 * S);
        assert_int_equal(due(shape, cycle * 1000 + 999), cycle * 5 * S + 999 * PS_NS_PER_MS);
    }
    assert_int_equal(ps_shape_event_count(shape, 1 * S), 1000);
    assert_int_equal(ps_shape_event_count(shape, 5 * S), 1000);
    assert_int_equal(ps_shape_event_count(shape, 5 * S + 1), 1001);
    ps_shape_destroy(shape);
    shape = make("burst:on=1s,off=1s,idle=10", 1000, 0);
    assert_int_equal(due(shape, 1005), 1 * S + S / 2);
    assert_int_equal(ps_shape_event_count(shape, 20 * S), 10100);
    ps_shape_destroy(shape);
    shape = make("burst:on=1us,off=1us", 1000000, 0); /* the shortest */
    assert_int_equal(due(shape, 7), 14000);
    ps_shape_destroy(shape);
}

static void test_ramp_is_a_square_root(void **state)
{
    struct ps_shape *shape = make("ramp:from=0,to=2000,over=10s", 0, 0);
    for (uint64_t event = 0; event <= 10000; event += 13) /* area: 100 t^2 */
        assert_near(due(shape, event), sqrt((double)event / 100) * 1e9, 1);
    assert_int_equal(due(shape, 10000), 10 * S);
    assert_int_equal(due(shape, 10000 + 2000), 11 * S); /* the rate stays at 2,000 */
    ps_shape_destroy(shape);
    shape = make("ramp:from=2000,to=0", 0, 10 * S);
    for (uint64_t event = 0; event < 10000; event += 13)
        assert_near(due(shape, event), (10 - sqrt(100 - (double)event / 100)) * 1e9, 200);
    assert_int_equal(due(shape, 10001), PS_NEVER);
    ps_shape_destroy(shape);
    shape = make("ramp", 500, 10 * S); /* from 0 to --rate over --duration */
    assert_int_equal(ps_shape_event_count(shape, 10 * S), 2500);
    ps_shape_destroy(shape);
}

static void test_steps_are_even(void **state)
{
    struct ps_shape *shape = make("step:from=100,to=500,steps=5,over=5s", 0, 0);
    static const uint64_t begins[] = {0, 100, 300, 600, 1000, 1500};
    for (size_t i = 0; i < PS_COUNT_OF(begins); i++)
        assert_int_equal(due(shape, begins[i]), i * S);
    assert_int_equal(due(shape, 1500 + 500), 6 * S);
    ps_shape_destroy(shape);
    shape = make("step:from=0,to=100,steps=2,over=2s", 0, 0); /* no event in the first step */
    assert_int_equal(due(shape, 0), 1 * S);
    ps_shape_destroy(shape);
}

static void test_sine_is_a_sine(void **state)
{
    struct ps_shape *shape = make("sine:min=1000,max=9000,period=8s", 0, 0);
    for (uint64_t cycle = 0; cycle <= 1000; cycle += 250) /* 5000 on average, without drift */
        assert_int_equal(due(shape, cycle * 40000), cycle * 8 * S);
    for (unsigned i = 1; i <= 64; i++) {
        double t = 8.0 * i / 64, area = 5000 * t - 4000 * 8 / (2 * M_PI) * sin(2 * M_PI * t / 8);
        assert_near(ps_shape_event_count(shape, (uint64_t)(t * 1e9)), area, 1.1);
    }
    ps_shape_destroy(shape);
}

/* ---- properties ---- */

static const char *const texts[] = {
    "constant",
    "burst:on=10ms,off=70ms",
    "burst:on=333us,off=1ms,idle=12345",
    "ramp:from=10,to=1M,over=900ms",
    "ramp:from=1M,to=7,over=1100ms",
    "step:from=1k,to=400k,steps=7,over=1s",
    "sine:min=0,max=300k,period=130ms",
    "sine:min=5k,max=100k,period=3s",
};

static void test_due_times_rise_and_counts_invert_them(void **state)
{
    uint64_t seed = ps_test_seed();
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_shape *shape = make(texts[i], 70000 + (double)(ps_test_random(&seed) % 1000000) / 7, 0);
        uint64_t before = 0, event = 0;
        unsigned piece = 0;
        for (unsigned k = 0; k < 20000; k++) {
            uint64_t at = ps_shape_due_ns(shape, (double)event, &piece);
            assert_true(at >= before);
            assert_int_equal(at, due(shape, event)); /* wherever the search begins */
            assert_true(ps_shape_event_count(shape, at) <= event);
            assert_true(ps_shape_event_count(shape, at + 1) > event);
            before = at;
            event += 1 + ps_test_random(&seed) % 100;
        }
        ps_shape_destroy(shape);
    }
}

static void schedule_init(struct ps_schedule *schedule, const struct ps_shape *shape, uint32_t lane,
                          uint32_t lanes, uint64_t event_max, uint64_t end_ns)
{
    struct ps_schedule_config config = {.shape = shape,
                                        .lane = lane,
                                        .lane_count = lanes,
                                        .event_max = event_max,
                                        .end_ns = end_ns,
                                        .seed = 42};
    ps_schedule_init(schedule, &config);
}

/* Lanes that take turns at random produce the one global schedule, each event once. */
static void test_any_number_of_lanes_gives_the_same_schedule(void **state)
{
    uint64_t seed = ps_test_seed();
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_shape *shape = make(texts[i], 50000, 0);
        uint32_t lanes = 1 + (uint32_t)(ps_test_random(&seed) % 13);
        uint64_t end_ns = 300 * PS_NS_PER_MS, total = ps_shape_event_count(shape, end_ns), seen = 0;
        uint64_t limit = ps_test_random(&seed) % 2 == 0 ? 0 : 1 + ps_test_random(&seed) % (total + 1);
        struct ps_schedule schedules[13];
        uint64_t next[13];
        for (uint32_t lane = 0; lane < lanes; lane++) {
            schedule_init(&schedules[lane], shape, lane, lanes, limit, end_ns);
            next[lane] = lane;
        }
        for (uint64_t now = 0; now < end_ns + S / 10; now += ps_test_random(&seed) % 1000000) {
            uint32_t lane = (uint32_t)(ps_test_random(&seed) % lanes);
            uint64_t times[50];
            uint32_t count = ps_schedule_take(&schedules[lane], now, 50, times);
            for (uint32_t k = 0; k < count; k++, next[lane] += lanes) {
                assert_int_equal(times[k], due(shape, next[lane]));
                assert_true(times[k] <= now);
            }
            seen += count;
        }
        for (uint32_t lane = 0; lane < lanes; lane++) {
            seen += ps_schedule_skip(&schedules[lane], PS_NEVER - 1);
            assert_true(schedules[lane].next_ns == PS_NEVER);
        }
        assert_int_equal(seen, limit > 0 && limit < total ? limit : total);
        ps_shape_destroy(shape);
    }
}

/* The mean and the variance of the number of arrivals per second are the rate; lanes are independent; the
 * same seed gives the same arrivals. */
static void test_poisson_is_poisson(void **state)
{
    struct ps_shape *shape = make("poisson", 1000, 0);
    struct ps_schedule schedules[4], again;
    double mean = 0, square = 0;
    enum { SECONDS = 2000 };
    for (uint32_t lane = 0; lane < 4; lane++)
        schedule_init(&schedules[lane], shape, lane, 4, 0, PS_NEVER);
    for (unsigned second = 1; second <= SECONDS; second++) {
        double count = 0;
        for (uint32_t lane = 0; lane < 4; lane++)
            count += (double)ps_schedule_skip(&schedules[lane], second * S - 1);
        mean += count / SECONDS;
        square += count * count / SECONDS;
    }
    assert_true(fabs(mean - 1000) < 5); /* 7 standard errors; the seed is fixed */
    assert_true(fabs((square - mean * mean) / 1000 - 1) < 0.2);
    uint64_t first[100], second[100];
    schedule_init(&schedules[0], shape, 1, 4, 0, PS_NEVER);
    schedule_init(&again, shape, 1, 4, 0, PS_NEVER);
    assert_int_equal(ps_schedule_take(&schedules[0], PS_NEVER - 1, 100, first), 100);
    assert_int_equal(ps_schedule_take(&again, PS_NEVER - 1, 100, second), 100);
    assert_memory_equal(first, second, sizeof first);
    schedule_init(&again, shape, 2, 4, 0, PS_NEVER);
    assert_int_equal(ps_schedule_take(&again, PS_NEVER - 1, 100, second), 100);
    assert_memory_not_equal(first, second, sizeof first);
    ps_shape_destroy(shape);
    shape = make("poisson", 1000, 0); /* --events is exact */
    uint64_t total = 0;
    for (uint32_t lane = 0; lane < 3; lane++) {
        schedule_init(&again, shape, lane, 3, 1000, PS_NEVER);
        total += ps_schedule_skip(&again, PS_NEVER - 1);
    }
    assert_int_equal(total, 1000);
    ps_shape_destroy(shape);
}

static void test_closed_is_always_due(void **state)
{
    struct ps_shape *shape = make(NULL, 0, 0);
    struct ps_schedule schedule;
    uint64_t times[1000];
    assert_true(shape->closed);
    schedule_init(&schedule, shape, 1, 2, 2001, PS_NEVER);
    assert_int_equal(ps_schedule_take(&schedule, 5, 600, times), 600);
    assert_int_equal(times[599], 5);
    assert_int_equal(ps_schedule_take(&schedule, 7, 600, times), 400);
    assert_true(schedule.next_ns == PS_NEVER);
    schedule_init(&schedule, shape, 0, 1, 0, 100);
    assert_int_equal(ps_schedule_take(&schedule, 99, 1000, times), 1000);
    assert_int_equal(ps_schedule_take(&schedule, 100, 1000, times), 0);
    assert_true(schedule.next_ns == PS_NEVER);
    ps_shape_destroy(shape);
}

static void test_a_cut_ends_it(void **state)
{
    struct ps_shape *shape = make("constant", 1000, 0);
    struct ps_schedule schedule;
    schedule_init(&schedule, shape, 0, 1, 0, PS_NEVER);
    assert_int_equal(ps_schedule_skip(&schedule, 100 * PS_NS_PER_MS), 101);
    ps_schedule_cut(&schedule, 105 * PS_NS_PER_MS);
    assert_int_equal(ps_schedule_skip(&schedule, 10 * S), 4); /* 101 to 104 ms */
    ps_schedule_cut(&schedule, 200 * PS_NS_PER_MS);           /* never later */
    assert_int_equal(ps_schedule_skip(&schedule, 10 * S), 0);
    ps_shape_destroy(shape);
}

/* ---- traces ---- */

static const char *trace_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/ps-trace-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void trace_expect(const char *keys, const char *text, const uint64_t *times, uint64_t count)
{
    char spec[128];
    const char *path = trace_file(text);
    snprintf(spec, sizeof spec, "replay:%s%s", path, keys);
    struct ps_shape *shape = make(spec, 0, 0);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(due(shape, i), times[i]);
    assert_int_equal(due(shape, count), PS_NEVER);
    assert_int_equal(ps_shape_event_count(shape, PS_NEVER - 1), count);
    assert_int_equal(ps_shape_event_count(shape, times[count - 1]), count - 1);
    ps_shape_destroy(shape);
    unlink(path);
}

static void test_traces_are_replayed(void **state)
{
    static const uint64_t times[] = {0, 250000000, 1000000000};
    static const uint64_t twice[] = {0, 125000000, 500000000};
    trace_expect("", "0.0\n0.25\n1.0\n", times, 3);
    trace_expect("", "# from a log\n\n5.0 GET /\n6.0\n5.25,200\n", times, 3); /* out of order, more columns */
    trace_expect("", "0\n250000000\n1000000000", times, 3);
    trace_expect(",unit=ms", "0\r\n250\r\n1000\r\n", times, 3);
    trace_expect(",speed=2", "0.0\n0.25\n1.0\n", twice, 3);
    trace_expect(",speed=2,unit=ms", "0\n250\n1000\n", twice, 3);
    trace_expect("", "2026-11-20T11:38:16.750Z\n2026-11-20T11:38:17Z one\n2026-11-20T13:38:17.75+02:00\n",
                 times, 3);
    trace_expect("", "2026-11-20 11:38:16,750 INFO\n2026-11-20 11:38:17,000 x\n2026-11-20 11:38:17,750 y\n",
                 times, 3);
}

static void trace_refused(const char *text, const char *wanted)
{
    char spec[128];
    const char *path = trace_file(text);
    snprintf(spec, sizeof spec, "replay:%s", path);
    struct ps_shape_config config = {spec, 0, 0};
    struct ps_shape *shape = NULL;
    struct ps_err err = {0};
    assert_int_equal(ps_shape_create(&shape, &config, &err), PS_FAIL);
    if (strstr(err.text, wanted) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, wanted);
    unlink(path);
}

static void test_bad_traces_are_named(void **state)
{
    trace_refused("0.1\n0.2\nsoon\n", "line 3 is not an arrival");
    trace_refused("0.1\n2026-11-20T11:38:17Z\n", "line 2 is a time and the lines before it are not");
    trace_refused("# nothing\n", "it contains no arrival");
    trace_refused("2026-13-20T11:38:17Z\n", "line 1 is not an arrival");
    trace_refused("1e400\n", "line 1 is not an arrival");
    trace_refused("99999999999999999999\n", "line 1 is not an arrival");
}

/* ---- bad shapes ---- */

static void test_bad_shapes_are_named(void **state)
{
    static const struct {
        const char *text;
        double rate;
        const char *wanted;
    } cases[] = {
        {"constnat", 1, "there is no shape `constnat`; did you mean constant?"},
        {"x", 1, "there are constant, poisson, burst"},
        {"constant", 0, "needs --rate"},
        {"poisson", 0, "needs --rate"},
        {"burst:on=1s,off=4s", 0, "--rate is missing: it is the rate during a burst"},
        {"burst:on=1s", 5, "needs off=DURATION"},
        {"burst:on=1s,off=4s,arivals=poisson", 5, "there is no key `arivals`; did you mean arrivals?"},
        {"burst:on=1s,off=4s,on=2s", 5, "`on` is given twice"},
        {"burst:on=1s,off", 5, "at `off` write key=value"},
        {"burst:on=1s,off=", 5, "at `off=` write key=value"},
        {"burst:on=soon,off=1s", 5, "`soon` is not a duration"},
        {"burst:on=999ns,off=1s", 5, "shorter than a microsecond"},
        {"burst:on=1s,off=999ns", 5, "shorter than a microsecond"},
        {"ramp:from=0,to=10", 0, "needs over=DURATION, or --duration"},
        {"ramp:over=1s", 0, "needs to=RATE, or --rate"},
        {"ramp:from=0,to=0,over=1s", 0, "sends nothing"},
        {"ramp:from=ten,to=5,over=1s", 0, "`ten` is not a number"},
        {"step:from=1,to=2,steps=1,over=1s", 0, "1 is not from 2 to 100000"},
        {"step:to=2,over=1s", 0, "needs from=RATE"},
        {"sine:min=5,max=4,period=1s", 0, "min must not be above max"},
        {"sine:min=5,max=9", 0, "needs period=DURATION"},
        {"sine:minimum=5,max=9", 0, "there is no key `minimum`"},
        {"constant:rate=5", 5, "constant has no keys"},
        {"closed", 5, "closed has no rate"},
        {"burst:on=1s,off=4s,arrivals=odd", 5, "arrivals is even or poisson, not `odd`"},
        {"replay:", 0, "needs a file"},
        {"replay:/nonexistent/file", 0, "No such file"},
        {"replay:/nonexistent/file,unit=days", 0, "unit is ns, us, ms or s, not `days`"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_shape_config config = {cases[i].text, cases[i].rate, 0};
        struct ps_shape *shape = NULL;
        struct ps_err err = {0};
        assert_int_equal(ps_shape_create(&shape, &config, &err), PS_FAIL);
        if (strstr(err.text, cases[i].wanted) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, err.text, cases[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_is_exact),
        cmocka_unit_test(test_burst_is_on_and_off),
        cmocka_unit_test(test_ramp_is_a_square_root),
        cmocka_unit_test(test_steps_are_even),
        cmocka_unit_test(test_sine_is_a_sine),
        cmocka_unit_test(test_due_times_rise_and_counts_invert_them),
        cmocka_unit_test(test_any_number_of_lanes_gives_the_same_schedule),
        cmocka_unit_test(test_poisson_is_poisson),
        cmocka_unit_test(test_closed_is_always_due),
        cmocka_unit_test(test_a_cut_ends_it),
        cmocka_unit_test(test_traces_are_replayed),
        cmocka_unit_test(test_bad_traces_are_named),
        cmocka_unit_test(test_bad_shapes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
