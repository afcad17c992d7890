/* The dump of a running agent: a stuck worker, its component, and the components that wait for it; also while
 * control waits for that worker. */
#include "tests/support/flow.h"

#include "core/engine/agent/agent.h"
#include "core/engine/agent/internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};

static struct {
    uint32_t closed, reached; /* atomic: the stages below wait while it is closed; how many wait */
    struct ps_agent *agent;
    char text[8192]; /* the last dump */
} gate;

static void gate_wait(void)
{
    __atomic_add_fetch(&gate.reached, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&gate.closed, __ATOMIC_RELAXED) != 0)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void gate_set(bool closed)
{
    __atomic_store_n(&gate.reached, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&gate.closed, closed, __ATOMIC_RELAXED);
}

static void gate_await(void)
{
    while (__atomic_load_n(&gate.reached, __ATOMIC_RELAXED) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* flow.h's sink and interceptor, which wait at the gate. */
static enum ps_result sink_work(const void *plan, void *state, struct ps_lease **lease,
                                const struct ps_now *now)
{
    gate_wait();
    return flow_sink_stage.sink->work(plan, state, lease, now);
}

static enum ps_result interceptor_work(const void *plan, void *state, struct ps_lease *lease,
                                       const struct ps_now *now)
{
    gate_wait();
    return flow_interceptor.interceptor->work(plan, state, lease, now);
}

static enum ps_status sink_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    gate_wait();
    return flow_sink_stage.open(plan, state, port, err);
}

static void dump(void)
{
    struct ps_page page = {0};
    struct ps_metrics metrics;
    const struct ps_metrics_source source = ps_agent_look(gate.agent);
    ps_metrics_take(&metrics, &source);
    ps_metrics_dump(&metrics, ps_clock_now().mono_ns, &page);
    snprintf(gate.text, sizeof gate.text, "%s", page.text);
    ps_metrics_fini(&metrics);
    ps_page_fini(&page);
}

static void expect(const char *text)
{
    if (strstr(gate.text, text) == NULL)
        fail_msg("\"%s\" is not in\n%s", text, gate.text);
}

static void start(struct flow *flow, struct ps_agent_spec *spec)
{
    struct ps_err err = {0};
    gate.agent = ps_agent_start(spec, &machine, &err);
    if (gate.agent == NULL)
        fail_msg("%s", err.text);
}

static void stop(struct flow *flow)
{
    struct ps_agent_account account;
    ps_agent_stop(gate.agent, 20000, NULL, NULL, &account);
    assert_true(account.drained);
    flow_verify(flow, FLOW_EXACTLY_ONCE);
    flow_fini(flow);
}

static struct flow made(void)
{
    return (struct flow){.seed = ps_test_seed(),
                         .total = 1000,
                         .source_count = 1,
                         .channel_count = 1,
                         .sink_count = 1,
                         .sources = {{.kind = FLOW_STREAM, .instances = 1, .channels = 1}},
                         .sinks = {{.channel = 0}},
                         .capacity = "100",
                         .options = {.workers = 2, .drain_timeout_ms = 20000, .reload_timeout_ms = 20000}};
}

static void test_stuck_sink(void **state)
{
    struct flow flow = made();
    struct ps_stage_ops stage = flow_sink_stage;
    struct ps_sink_ops sink = *flow_sink_stage.sink;
    sink.work = sink_work;
    stage.sink = &sink;
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    spec->sinks[0].stage.ops = &stage;
    gate_set(true);
    start(&flow, spec);
    gate_await();
    char words[256];
    do /* until the source has found its channel full */
        dump();
    while (strstr(gate.text, "; waits for a full channel for ") == NULL);
    expect("last order: run\n");
    snprintf(words, sizeof words, ": in %s; ", spec->sinks[0].stage.component);
    expect(words);
    snprintf(words, sizeof words, "sink %s (", spec->sinks[0].stage.name);
    expect(words);
    expect(" of 100 events, ");
    gate_set(false);
    stop(&flow);
}

static void test_stuck_interceptor(void **state)
{
    struct flow flow = made();
    struct ps_stage_ops stage = flow_interceptor;
    const struct ps_interceptor_ops interceptor = {.work = interceptor_work};
    stage.interceptor = &interceptor;
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    assert_true(spec->sources[0].interceptor_count > 0);
    spec->sources[0].interceptors[0].ops = &stage;
    flow.sinks[0].dead = true; /* so that not all events pass before the gate is closed */
    gate_set(false);
    start(&flow, spec);
    gate_set(true);
    __atomic_store_n(&flow.sinks[0].dead, false, __ATOMIC_RELAXED);
    gate_await();
    dump();
    char words[256];
    snprintf(words, sizeof words, ": in %s; ", spec->sources[0].interceptors[0].component);
    expect(words);
    gate_set(false);
    stop(&flow);
}

/* Returns how many workers are parked, and whether the dump puts one of them into `component` as well. */
static unsigned parked(const char *component, bool *is_in)
{
    unsigned count = 0;
    struct ps_metrics metrics;
    const struct ps_metrics_source source = ps_agent_look(gate.agent);
    ps_metrics_take(&metrics, &source);
    *is_in = false;
    for (size_t i = 0; i < metrics.worker_count; i++) {
        const struct ps_metrics_worker *worker = &metrics.workers[i];
        count += worker->parked;
        *is_in |= worker->parked && worker->doing != NULL && strcmp(worker->doing, component) == 0;
    }
    ps_metrics_fini(&metrics);
    return count;
}

/* A worker parks while it has nothing to do; one that is stuck after that is no longer parked (/livez). */
static void test_parked_worker(void **state)
{
    struct flow flow = made();
    struct ps_stage_ops stage = flow_sink_stage;
    struct ps_sink_ops sink = *flow_sink_stage.sink;
    bool is_in;
    sink.work = sink_work;
    stage.sink = &sink;
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    const char *component = spec->sinks[0].stage.component;
    spec->sinks[0].stage.ops = &stage;
    flow.sinks[0].dead = true;
    gate_set(false);
    start(&flow, spec);
    for (unsigned waited = 0; parked(component, &is_in) < 2; waited++) { /* the channel is full */
        assert_true(waited < PS_TEST_PATIENCE_MS);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    gate_set(true);
    __atomic_store_n(&flow.sinks[0].dead, false, __ATOMIC_RELAXED);
    gate_await();
    (void)parked(component, &is_in);
    assert_false(is_in);
    gate_set(false);
    stop(&flow);
}

/* Called while control waits for the sink to open: until every worker has the new plan, the dump has no components. */
static unsigned look_and_open(void *argument)
{
    if (__atomic_load_n(&gate.reached, __ATOMIC_RELAXED) > 0 && gate.closed != 0) {
        dump();
        if (strstr(gate.text, "they are not in this dump") == NULL)
            gate_set(false);
    }
    return 0;
}

static void test_reload(void **state)
{
    struct ps_err err = {0};
    struct flow flow = made();
    struct ps_stage_ops stage = flow_sink_stage;
    stage.open = sink_open;
    flow_init(&flow);
    gate_set(false);
    start(&flow, flow_spec(&flow));
    struct ps_agent_spec *spec = flow_spec(&flow);
    spec->sinks[0].stage.ops = &stage;
    gate_set(true);
    gate.text[0] = '\0';
    struct ps_plan *next;
    assert_int_equal(ps_agent_reload_begin(gate.agent, spec, &machine, &next, &err), PS_OK);
    assert_int_equal(ps_plan_build(next, &err), PS_OK);
    assert_int_equal(ps_agent_reload_end(gate.agent, next, look_and_open, NULL, &err), PS_OK);
    char words[256];
    snprintf(words, sizeof words, ": in %s; ", spec->sinks[0].stage.component);
    expect(words);
    expect("; has not carried out the last order yet\n");
    expect(": not open; holds 0 leases; ");
    dump();
    assert_null(strstr(gate.text, ": not open; "));
    assert_null(strstr(gate.text, "has not carried out"));
    stop(&flow);
}

/* ---- each component once ---- */

static bool says_outdated(const void *plan, char *text, size_t room)
{
    snprintf(text, room, "old");
    return true;
}

static struct {
    char names[64][64];
    unsigned count, links;
} seen;

static void see_process(void *argument, const struct ps_metrics_process *process)
{
}

static void see_component(void *argument, const struct ps_metrics_component *component)
{
    char name[64];
    snprintf(name, sizeof name, "%d %s", (int)component->kind, component->name);
    for (unsigned i = 0; i < seen.count; i++)
        assert_string_not_equal(seen.names[i], name);
    assert_true(seen.count < PS_COUNT_OF(seen.names));
    memcpy(seen.names[seen.count++], name, sizeof name);
    seen.links += component->kind == PS_KIND_INTERCEPTOR || component->kind == PS_KIND_SELECTOR;
}

static void see_worker(void *argument, const struct ps_metrics_worker *worker)
{
}

/* However many instances a source has, each component is in the metrics once: a second line of a name makes the page of
 * Prometheus invalid. */
static void test_each_component_once(void **state)
{
    struct ps_stage_ops first = flow_interceptor, second = flow_second_interceptor, selector = flow_selector;
    first.outdated = second.outdated = selector.outdated = says_outdated;
    for (unsigned instances = 1; instances <= 3; instances++) {
        struct flow flow = made();
        flow.source_count = flow.channel_count = flow.sink_count = 2;
        flow.sources[0].instances = instances;
        flow.sources[1] = (struct flow_source){.kind = FLOW_STREAM, .instances = 1, .channels = 3};
        flow.sinks[1].channel = 1;
        flow.options.workers = 4;
        flow_init(&flow);
        struct ps_agent_spec *spec = flow_spec(&flow);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(spec->sources[i].interceptor_count, 2);
            spec->sources[i].interceptors[0].ops = &first;
            spec->sources[i].interceptors[1].ops = &second;
            spec->sources[i].selector.ops = &selector;
        }
        start(&flow, spec);
        seen.count = seen.links = 0;
        const struct ps_metrics_source source = ps_agent_metrics(gate.agent);
        source.visit(source.argument, &(struct ps_metrics_visitor){.process = see_process,
                                                                   .component = see_component,
                                                                   .worker = see_worker});
        assert_int_equal(seen.links, 6); /* of two sources */
        assert_int_equal(seen.count, 12);
        stop(&flow);
    }
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stuck_sink),          cmocka_unit_test(test_stuck_interceptor),
        cmocka_unit_test(test_parked_worker),       cmocka_unit_test(test_reload),
        cmocka_unit_test(test_each_component_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
