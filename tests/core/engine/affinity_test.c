/* On which CPUs workers run: pinned only when told, and never outside the mask that the process was given. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "core/engine/agent/internal.h"
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

static struct ps_plan *build(struct flow *flow, const struct ps_stage_ops *selector)
{
    const struct ps_machine machine = {.cores = 64, .memory_bytes = UINT64_C(1) << 30};
    struct ps_err err = {0};
    struct ps_plan *plan = ps_plan_create(flow_spec(flow), &machine, NULL, &err);
    assert_non_null(plan);
    assert_int_equal(ps_plan_build(plan, &err), PS_OK);
    plan->spec->sources[0].selector.ops = selector;
    return plan;
}

/* Runs a small agent, exchanges its plan as a reload does, and ends it; returns the CPU of its worker. The stages
 * of the second plan are opened with the same mask as those of the first. */
static int run(struct ps_texts cpus)
{
    struct ps_stage_ops selector = flow_selector;
    struct ps_err err = {0};
    struct ps_left carried, lost;
    cpu_set_t first;
    struct flow flow = {
        .total = 1000, .source_count = 1, .channel_count = 1, .sink_count = 1, .options = {.workers = 1}};
    flow_init(&flow);
    selector.open = note_mask;
    struct ps_plan *plan = build(&flow, &selector), *next = build(&flow, &selector);
    const struct ps_engine_settings settings = {
        .worker_count = plan->worker_count, .memory_budget_bytes = plan->block_budget_bytes, .cpus = cpus};
    struct ps_engine *engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    CPU_ZERO(&opened_with);
    assert_int_equal(ps_engine_start(engine, &err), PS_OK);
    int cpu = ps_worker_cpu(ps_engine_worker(engine, 0));
    for (unsigned i = 0; i < 2; i++) {
        order(engine, PS_PHASE_RUN, plan);
        order(engine, PS_PHASE_DRAIN, plan);
        order(engine, PS_PHASE_RECALL, plan);
        order(engine, PS_PHASE_CLOSE, plan);
        ps_engine_carry_over(engine, plan, i == 0 ? next : NULL, &carried, &lost);
        if (i == 0) {
            struct ps_plan *before = plan;
            first = opened_with;
            CPU_ZERO(&opened_with);
            plan = next;
            next = before;
        }
    }
    order(engine, PS_PHASE_CLOSE, NULL);
    assert_true(CPU_EQUAL(&first, &opened_with));
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    ps_plan_destroy(next);
    flow_fini(&flow);
    return cpu;
}

static void test_not_told(void **state)
{
    cpu_set_t mine;
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

/* A pinned worker opens stages unpinned: threads of libraries inherit the mask. Needs two CPUs. */
static void test_opens_unpinned(void **state)
{
    cpu_set_t mine;
    unsigned cpu = 0;
    char text[16];
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    while (!CPU_ISSET(cpu, &mine))
        cpu++;
    snprintf(text, sizeof text, "%u", cpu);
    assert_int_equal(run((struct ps_texts){1, (const char *const[]){text}}), cpu);
    assert_true(CPU_EQUAL(&mine, &opened_with));
}

/* A reload may add workers: they get the CPUs that the new configuration names. The worker that runs keeps its own until the next start. */
static void test_added_workers(void **state)
{
    static const struct ps_machine machine = {.cores = 64, .memory_bytes = UINT64_C(1) << 30};
    struct ps_err err = {0};
    struct ps_agent_account account;
    cpu_set_t mine;
    unsigned cpu = 0;
    char text[16];
    struct flow flow = {.total = 1000,
                        .source_count = 1,
                        .channel_count = 1,
                        .sink_count = 1,
                        .options = {.workers = 1, .drain_timeout_ms = 20000, .reload_timeout_ms = 20000}};
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    while (!CPU_ISSET(cpu, &mine))
        cpu++;
    snprintf(text, sizeof text, "%u", cpu);
    flow_init(&flow);
    struct ps_agent *agent = ps_agent_start(flow_spec(&flow), &machine, &err);
    if (agent == NULL)
        fail_msg("%s", err.text);
    flow.options.workers = 3;
    flow.options.cpus = (struct ps_texts){3, (const char *const[]){text, text, text}};
    if (ps_test_agent_reload(agent, flow_spec(&flow), &machine, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ps_engine_worker_count(agent->engine), 3);
    assert_int_equal(ps_worker_cpu(ps_engine_worker(agent->engine, 0)), -1);
    assert_int_equal(ps_worker_cpu(ps_engine_worker(agent->engine, 1)), cpu);
    assert_int_equal(ps_worker_cpu(ps_engine_worker(agent->engine, 2)), cpu);
    ps_agent_stop(agent, 20000, NULL, NULL, &account);
    flow_fini(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_told),
        cmocka_unit_test(test_mask_stays),
        cmocka_unit_test(test_opens_unpinned),
        cmocka_unit_test(test_added_workers),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
