/* On which CPUs workers run: pinned only when told, and never outside the mask that the process was given. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "core/engine/engine.h"
#include "tests/support/flow.h"

static cpu_set_t opened_with; /* the mask of the worker's thread in the selector's `open` */

static enum ps_status note_mask(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    (void)pthread_getaffinity_np(pthread_self(), sizeof opened_with, &opened_with);
    return flow_selector.open != NULL ? flow_selector.open(plan, state, port, err) : PS_OK;
}

static void order(struct ps_engine *engine, enum ps_phase phase, struct ps_plan *plan)
{
    assert_true(ps_engine_wait(engine, ps_engine_order(engine, phase, plan, NULL), 10000));
}

/* Runs a small agent to its end; returns the CPU of its worker. */
static int run(struct ps_texts cpus)
{
    const struct ps_machine machine = {.cores = 64, .memory_bytes = UINT64_C(1) << 30};
    struct ps_stage_ops selector = flow_selector;
    struct ps_err err = {0};
    struct ps_left carried, lost;
    struct flow flow = {
        .total = 1000, .source_count = 1, .channel_count = 1, .sink_count = 1, .options = {.workers = 1}};
    flow_init(&flow);
    struct ps_plan *plan = ps_plan_create(flow_spec(&flow), &machine, 0, &err);
    assert_non_null(plan);
    assert_int_equal(ps_plan_build(plan, &err), PS_OK);
    selector.open = note_mask;
    plan->spec->sources[0].selector.ops = &selector;
    const struct ps_engine_settings settings = {.worker_count = plan->worker_count,
                                                .memory_budget_bytes = plan->block_budget_bytes,
                                                .batches_max = ps_topology_batches(plan),
                                                .leases_max = plan->leases_max,
                                                .cpus = cpus};
    struct ps_engine *engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    CPU_ZERO(&opened_with);
    assert_int_equal(ps_engine_start(engine, &err), PS_OK);
    int cpu = ps_worker_cpu(ps_engine_worker(engine, 0));
    order(engine, PS_PHASE_RUN, plan);
    order(engine, PS_PHASE_DRAIN, plan);
    order(engine, PS_PHASE_RECALL, plan);
    order(engine, PS_PHASE_CLOSE, plan);
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    order(engine, PS_PHASE_CLOSE, NULL);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_fini(&flow);
    return cpu;
}

static void test_not_told(void **state)
{
    cpu_set_t mine;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    assert_int_equal(run((struct ps_texts){0}), -1);
    assert_true(CPU_EQUAL(&mine, &opened_with));
}

/* Opening a stage does not lift the mask of the process. Needs two CPUs to show anything. */
static void test_mask_stays(void **state)
{
    cpu_set_t before, one;
    unsigned cpu = 0;
    char text[16];
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    snprintf(text, sizeof text, "%u", cpu);
    assert_int_equal(run((struct ps_texts){1, (const char *const[]){text}}), cpu);
    assert_true(CPU_EQUAL(&one, &opened_with));
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_told),
        cmocka_unit_test(test_mask_stays),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
