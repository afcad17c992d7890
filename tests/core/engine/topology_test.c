/* Limits of every array, each with a message that names the limit and the key. */
#include "tests/support/flow.h"

#include <stdio.h>

/* A plan that has only what the check reads. */
struct made {
    struct ps_agent_spec spec;
    struct ps_plan plan;
    struct ps_source_spec source_spec;
    struct ps_source_plan source;
};

static void make(struct made *made)
{
    *made = (struct made){
        .spec = {.name = "a1", .source_count = 1},
        .source_spec = {.stage = {.name = "r1", .component = "source r1", .ops = &flow_source_stream},
                        .channel_count = 1},
        .source = {.instance_count = 1},
        .plan = {.worker_count = 2, .memory_budget_bytes = 64 << 20},
    };
    made->source.spec = &made->source_spec;
    made->plan.spec = &made->spec;
    made->plan.sources = &made->source;
}

static void refused(const struct made *made, const char *what, const char *key)
{
    struct ps_err err = {0};
    assert_int_equal(ps_topology_check(&made->plan, &err), PS_FAIL);
    if (strstr(err.text, what) == NULL || strstr(err.text, key) == NULL)
        fail_msg("\"%s\" says neither \"%s\" nor \"%s\"", err.text, what, key);
}

static void test_limits(void **state)
{
    struct ps_err err = {0};
    struct made made;
    make(&made);
    assert_int_equal(ps_topology_check(&made.plan, &err), PS_OK);
    made.source_spec.channel_count = PS_CHANNELS_PER_SOURCE_MAX;
    assert_int_equal(ps_topology_check(&made.plan, &err), PS_OK);
    made.source_spec.channel_count++;
    refused(&made, "65 channels", "at most 64");
    make(&made);
    made.source.instance_count = 3;
    refused(&made, "2 workers", "a1.penstock.workers");
    made.source.instance_count = 2;
    struct ps_stage_ops alone = flow_source_stream;
    alone.exclusive = true;
    assert_int_equal(ps_topology_check(&made.plan, &err), PS_OK);
    made.source_spec.stage.ops = &alone;
    refused(&made, "several workers", "penstock.workers");
    make(&made);
    made.spec.sink_count = PS_UNITS_MAX - 1;
    assert_int_equal(ps_topology_check(&made.plan, &err), PS_OK);
    made.spec.sink_count++;
    refused(&made, "4097 sources and sinks", "4096");
    make(&made);
    made.plan.worker_count = PS_WORKERS_MAX + 1;
    refused(&made, "65 workers", "a1.penstock.workers");
    make(&made);
    made.spec.options.cpus = (struct ps_texts){1, (const char *const[]){"0"}};
    refused(&made, "names 1 CPUs for 2 workers", "a1.penstock.cpus");
}

static void take_line(void *argument, const char *text)
{
    strcat(argument, text);
    strcat(argument, "\n");
}

static void test_describe(void **state)
{
    static char text[8192];
    struct ps_err err = {0};
    struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
    struct flow flow = {
        .total = 1, .source_count = 1, .channel_count = 1, .sink_count = 2, .sources = {{.instances = 2}}};
    flow.options.workers = 2;
    flow_init(&flow);
    struct ps_plan *plan = ps_plan_create(flow_spec(&flow), &machine, NULL, &err);
    assert_non_null(plan);
    ps_plan_describe(plan, PS_PLAN_BUDGET | PS_PLAN_COMPONENTS | PS_PLAN_FLOWS, take_line, text);
    assert_non_null(strstr(text, "memory budget 32 MiB, 2 workers\n"));
    assert_non_null(strstr(text, "source r0 (flow-stream); into c0\n"));
    assert_non_null(strstr(text, "flow r0 -> c0 -> k0: "));
    assert_non_null(strstr(text, "flow r0 -> c0 -> k1: "));
    assert_null(strstr(text, "ring"));
    text[0] = '\0';
    ps_plan_describe(plan, PS_PLAN_ENGINE, take_line, text);
    assert_non_null(strstr(text, "worker 1: source r0 (flow-stream), instance 2 of 2"));
    assert_non_null(strstr(text, "2 producers, 2 consumers, 2 SPMC rings"));
    assert_non_null(strstr(text, "from channel c0"));
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
