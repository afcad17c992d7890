#include <stdio.h>

#include "tests/support/stage.h"

/* Calls `work` until the source makes no more events. Returns their number. */
static size_t run(struct ps_test_stage *stage)
{
    size_t before = stage->event_count;
    for (int i = 0; i < 100000 && ps_test_source_work(stage) == PS_DONE; i++)
        ;
    if (stage->batch != NULL)
        ps_test_source_close_batch(stage);
    return stage->event_count - before;
}

static void test_bytes(void **unused)
{
    static const char *const sizes[] = {"0", "1", "500", "100000", "262144", "300000"};
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_source_stress, PS_KEYS("size", sizes[i], "maxTotalEvents", "50"));
        assert_int_equal(run(&stage), 50);
        assert_int_equal(ps_test_source_work(&stage), PS_BACKOFF);
        size_t size = strtoul(sizes[i], NULL, 10);
        for (size_t e = 0; e < 50; e++) {
            assert_int_equal(stage.events[e].length, size);
            assert_int_equal(ps_test_event_header_count(&stage.events[e]), 0);
            for (size_t b = 0; b < size; b++)
                if (stage.events[e].body[b] != 0x7F)
                    fail_msg("byte %zu of event %zu", b, e);
        }
        ps_test_stage_fini(&stage);
    }
}

/* The numbers of Flume's TestStressSource: the total is exact, successful ones come in whole batches. */
static void test_totals(void **unused)
{
    static const struct {
        const char *keys[8];
        size_t events;
    } cases[] = {
        {{"maxTotalEvents", "35", NULL}, 35},
        {{"maxSuccessfulEvents", "35", NULL}, 35},
        {{"maxTotalEvents", "35", "batchSize", "10", NULL}, 35},
        {{"maxSuccessfulEvents", "35", "batchSize", "10", NULL}, 40},
        {{"maxSuccessfulEvents", "30", "batchSize", "10", "maxTotalEvents", "100", NULL}, 30},
        {{"maxSuccessfulEvents", "100", "maxTotalEvents", "35", "batchSize", "20", NULL}, 35},
        {{"maxTotalEvents", "0", NULL}, 0},
        {{"maxTotalEvents", "100000", "size", "3", NULL}, 100000},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_source_stress, cases[i].keys);
        assert_int_equal(run(&stage), cases[i].events);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), cases[i].events);
        ps_test_stage_fini(&stage);
    }
}

static void test_rate(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_stress, PS_KEYS("maxEventsPerSecond", "1000", "size", "1"));
    size_t sum = run(&stage);
    assert_int_equal(sum, 1); /* the first event comes at once */
    for (int ms = 0; ms < 5000; ms += 7) {
        uint64_t next_ns = stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        assert_in_range(next_ns, stage.now.mono_ns + PS_NS_PER_MS, stage.now.mono_ns + 2 * PS_NS_PER_MS);
        ps_test_stage_pass_ms(&stage, 7);
        size_t came = run(&stage);
        assert_in_range(came, 6, 8);
        sum += came;
    }
    assert_in_range(sum, 5000, 5010);
    /* After a long pause the events of one second come at once, not those of the whole pause. */
    ps_test_stage_pass_ms(&stage, 60000);
    assert_in_range(run(&stage), 1000, 1001);
    ps_test_stage_pass_ms(&stage, 100);
    assert_in_range(run(&stage), 99, 101);
    ps_test_stage_fini(&stage);
}

/* Event number k comes k / rate seconds after the first one, at most a millisecond late, and the worker wakes for it alone. */
static void test_times_of_events(void **unused)
{
    static const unsigned rates[] = {1, 3, 7, 100, 999};
    for (size_t i = 0; i < PS_COUNT_OF(rates); i++) {
        struct ps_test_stage stage;
        char rate[16];
        snprintf(rate, sizeof rate, "%u", rates[i]);
        ps_test_stage_start(&stage, &ps_source_stress, PS_KEYS("maxEventsPerSecond", rate, "size", "1"));
        uint64_t begin_ns = stage.now.mono_ns, wakes = 0;
        assert_int_equal(run(&stage), 1);
        for (unsigned k = 1; k <= 3 * rates[i];) {
            uint64_t due_ns = begin_ns + k * PS_NS_PER_S / rates[i];
            stage.now.mono_ns = stage.ops->source->tick(stage.plan, stage.state, &stage.now);
            wakes++;
            size_t came = run(&stage);
            assert_true(came <= 2);
            if (came > 0)
                assert_in_range(stage.now.mono_ns, due_ns, due_ns + 2 * PS_NS_PER_MS);
            k += (unsigned)came;
        }
        assert_in_range(wakes, 3 * rates[i] / 2, 6 * rates[i]);
        ps_test_stage_fini(&stage);
    }
}

/* The shares of three workers add up to the total. */
static void test_shares(void **unused)
{
    size_t sum = 0;
    for (unsigned instance = 0; instance < 3; instance++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_source_stress);
        stage.context.instances = 3;
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("maxTotalEvents", "1000")), PS_OK);
        assert_int_equal(ps_test_stage_build(&stage), PS_OK);
        stage.port.instance = instance;
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        size_t part = run(&stage);
        assert_in_range(part, 333, 334);
        sum += part;
        ps_test_stage_fini(&stage);
    }
    assert_int_equal(sum, 1000);
}

/* A paced source whose channel is full needs no tick. */
static void test_paused(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_stress, PS_KEYS("maxEventsPerSecond", "1000"));
    assert_int_equal(ps_test_source_work(&stage), PS_DONE);
    const struct ps_source_ops *ops = stage.ops->source;
    assert_true(ops->tick(stage.plan, stage.state, &stage.now) <= stage.now.mono_ns + PS_NS_PER_S);
    ops->paused(stage.plan, stage.state, true, &stage.now);
    assert_true(ops->tick(stage.plan, stage.state, &stage.now) == PS_NEVER);
    ops->paused(stage.plan, stage.state, false, &stage.now);
    assert_true(ops->tick(stage.plan, stage.state, &stage.now) != PS_NEVER);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),           cmocka_unit_test(test_totals), cmocka_unit_test(test_rate),
        cmocka_unit_test(test_times_of_events), cmocka_unit_test(test_shares), cmocka_unit_test(test_paused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
