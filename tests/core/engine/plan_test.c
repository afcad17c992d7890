/* Plans: numbers of workers, numbering of producers and consumers, and budgets, on machines of all sizes. */
#include "tests/support/flow.h"

#include <stdio.h>

static const struct ps_machine machine = {.cores = 9, .memory_bytes = UINT64_C(1) << 30};

static struct ps_plan *plan_of(struct flow *flow, const struct ps_machine *on, unsigned workers,
                               struct ps_err *err)
{
    if (flow->seen[0][0] == NULL)
        flow_init(flow);
    if (workers > 0)
        flow->options.workers = workers;
    return ps_plan_create(flow_spec(flow), on, NULL, err);
}

static struct flow small_flow(void)
{
    return (struct flow){.total = 1,
                         .source_count = 2,
                         .channel_count = 2,
                         .sink_count = 3,
                         .sinks = {{.channel = 0}, {.channel = 1}, {.channel = 1}}};
}

/* Workers: min(units, cores - 1), at least 1, and not fewer than the source with the most instances needs. */
static void test_worker_count(void **state)
{
    const struct {
        unsigned cores, instances;
        int64_t asked;
        unsigned expected;
    } cases[] = {
        {1, 1, 0, 1}, {2, 1, 0, 1}, {4, 1, 0, 3}, {64, 1, 0, 5}, {2, 3, 0, 3}, {2, 1, 7, 7}, {64, 4, 2, 4},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct ps_machine on = {.cores = cases[i].cores, .memory_bytes = UINT64_C(1) << 30};
        struct flow flow = small_flow();
        flow.sources[0].instances = cases[i].instances;
        flow.options.workers = cases[i].asked;
        struct ps_plan *plan = plan_of(&flow, &on, 0, &err);
        assert_non_null(plan);
        assert_int_equal(plan->worker_count, cases[i].expected);
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* Units take workers in turn; producers and consumers of a channel are numbered without gaps. */
static void test_places(void **state)
{
    struct ps_err err = {0};
    struct flow flow = small_flow();
    flow.sources[0].instances = 3;
    flow.sources[1].channels = 2;
    struct ps_plan *plan = plan_of(&flow, &machine, 3, &err);
    assert_non_null(plan);
    for (unsigned k = 0; k < 3; k++) {
        assert_int_equal(plan->sources[0].workers[k], k);
        assert_int_equal(plan->sources[0].producers[2 * k], k);
        assert_int_equal(plan->sources[0].producers[2 * k + 1], k);
    }
    assert_int_equal(plan->sources[1].workers[0], 0);
    assert_int_equal(plan->sources[1].producers[0], 3);
    assert_int_equal(plan->channels[0].producer_count, 3);
    assert_int_equal(plan->channels[1].producer_count, 4);
    assert_int_equal(plan->channels[1].producer_workers[3], 0);
    assert_int_equal(plan->channels[0].consumer_count, 1);
    assert_int_equal(plan->channels[1].consumer_count, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(plan->sinks[i].worker, (4 + i) % 3);
        assert_int_equal(plan->channels[flow.sinks[i].channel].consumer_workers[plan->sinks[i].consumer],
                         plan->sinks[i].worker);
    }
    assert_int_equal(plan->sources[0].batch_events_max, 250);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

static void test_budget(void **state)
{
    const struct {
        int64_t asked;
        uint64_t memory, hint, expected_mib; /* 0: refused */
    } cases[] = {
        {0, UINT64_C(4) << 30, 0, 1024},
        {0, UINT64_C(4) << 30, 100 << 20, 100},
        {0, UINT64_C(4) << 30, UINT64_C(2) << 30, 1024}, /* -Xmx lowers the default, and does not raise it */
        {0, 32 << 20, 0, 16},
        {64 << 20, UINT64_C(4) << 30, 100 << 20, 64},
        {(16 << 20) - 1, UINT64_C(4) << 30, 0, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct ps_machine on = {4, cases[i].memory, cases[i].hint};
        struct flow flow = small_flow();
        flow_init(&flow);
        flow.options.memory_budget = cases[i].asked;
        struct ps_plan *plan = plan_of(&flow, &on, 0, &err);
        if (cases[i].expected_mib == 0) {
            assert_null(plan);
            assert_non_null(strstr(err.text, "penstock.memory.budget"));
        } else {
            assert_non_null(plan);
            assert_int_equal(plan->memory_budget_bytes >> 20, cases[i].expected_mib);
            /* together they leave the sources what these need */
            assert_true(plan->channel_quota_bytes * plan->spec->channel_count +
                            plan->sink_quota_bytes * plan->spec->sink_count <
                        plan->block_budget_bytes);
        }
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* A budget above three quarters of what the process may use, alone or with the heap of Java components, causes a warning with
 * the figures and the cure. */
static void test_budget_and_limit(void **state)
{
    const struct {
        int64_t asked_mib;
        const char *warned;
        uint64_t heap_mib;
    } cases[] = {{0, NULL, 0},
                 {768, NULL, 0},
                 {769, "769 MiB", 0},
                 {1024, "1 GiB", 0},
                 {4096, "4 GiB", 0},
                 {256, NULL, 512},
                 {256, "256 MiB and the heap of Java components is 513 MiB", 513}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct flow flow = small_flow();
        flow.options.memory_budget = cases[i].asked_mib << 20;
        struct ps_machine on = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
        on.memory_bytes += 100; /* no multiple of 100 bytes */
        on.java_heap_bytes = cases[i].heap_mib << 20;
        struct ps_plan *plan = plan_of(&flow, &on, 0, &err);
        assert_non_null(plan);
        assert_int_equal(plan->memory_warning != NULL, cases[i].warned != NULL);
        if (cases[i].warned != NULL) {
            char expected[128];
            snprintf(expected, sizeof expected, "is %s, more than 75 %% of the 1 GiB", cases[i].warned);
            assert_non_null(strstr(plan->memory_warning, expected));
            assert_non_null(strstr(plan->memory_warning, "MemoryMax="));
            assert_int_equal(strstr(plan->memory_warning, "or -Xmx") != NULL, cases[i].heap_mib > 0);
        }
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_count),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_and_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
