/* A running agent: its metrics during a reload whose components take long to open. */
#include "tests/support/flow.h"

#include "core/engine/agent/internal.h"
#include "core/flow/engine_channel.h"

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_memory;

#define PATIENCE_NS (PS_TEST_PATIENCE_MS * PS_NS_PER_MS)

static const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};

/* ---- a sink that does not open until it may ---- */

static sem_t opening, may_open;
static unsigned waits_ended; /* opens that waited in vain; atomic */

static enum ps_status slow_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(PATIENCE_NS / PS_NS_PER_S);
    sem_post(&opening);
    if (sem_timedwait(&may_open, &until) != 0)
        __atomic_store_n(&waits_ended, 1, __ATOMIC_RELAXED);
    return flow_sink_stage.open(plan, state, port, err);
}

/* ---- what metrics see ---- */

struct sight {
    enum ps_metrics_state sink, source;
    char error[64]; /* of the sink */
    unsigned sources, sinks;
    uint64_t failed_count;
};

static void see_process(void *argument, const struct ps_metrics_process *process)
{
    ((struct sight *)argument)->failed_count = process->reload_failed_count;
}

static void see_component(void *argument, const struct ps_metrics_component *component)
{
    struct sight *sight = argument;
    if (component->kind == PS_KIND_SOURCE && strcmp(component->name, "r0") == 0) {
        sight->source = component->state;
        sight->sources++;
    } else if (component->kind == PS_KIND_SINK) {
        sight->sink = component->state;
        snprintf(sight->error, sizeof sight->error, "%s", component->error != NULL ? component->error : "");
        sight->sinks++;
    }
}

static void see_worker(void *argument, const struct ps_metrics_worker *worker)
{
}

static struct sight look(struct ps_agent *agent)
{
    struct sight sight = {0};
    struct ps_metrics_source source = ps_agent_metrics(agent);
    source.visit(source.argument, &(struct ps_metrics_visitor){.argument = &sight,
                                                               .process = see_process,
                                                               .component = see_component,
                                                               .worker = see_worker});
    return sight;
}

static struct sight wait_for(struct ps_agent *agent, enum ps_metrics_state sink)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    struct sight sight;
    while ((sight = look(agent)).sink != sink) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("the sink's state stays %d", (int)sight.sink);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return sight;
}

/* ---- a reload on its own thread, in place of the control thread ---- */

struct reload {
    struct ps_agent *agent;
    struct ps_agent_spec *spec;
    enum ps_status status;
    struct ps_err err;
};

static void *reload_main(void *argument)
{
    struct reload *reload = argument;
    reload->status = ps_test_agent_reload(reload->agent, reload->spec, &machine, &reload->err);
    return NULL;
}

/* A sink blocks in `open` in the middle of a reload. Metrics answer meanwhile, from the new plan: that sink is not
 * open yet, the source that stayed open is. */
static void test_metrics_answer_while_components_open(void **state)
{
    struct ps_stage_ops slow = flow_sink_stage;
    struct ps_err err = {0};
    struct flow flow = {.total = 1, .source_count = 1, .channel_count = 1, .sink_count = 1};
    pthread_t thread;
    slow.open = slow_open;
    slow.name = "slow";
    flow.options.workers = 2;
    flow_init(&flow);
    sem_init(&opening, 0, 0);
    sem_init(&may_open, 0, 0);
    struct ps_agent *agent = ps_agent_start(flow_spec(&flow), &machine, &err);
    if (agent == NULL)
        fail_msg("%s", err.text);
    wait_for(agent, PS_METRICS_OPEN);
    struct reload reload = {.agent = agent, .spec = flow_spec(&flow)};
    reload.spec->sinks[0].stage.ops = &slow;
    assert_int_equal(pthread_create(&thread, NULL, reload_main, &reload), 0);
    assert_int_equal(sem_wait(&opening), 0);
    struct sight sight = wait_for(agent, PS_METRICS_OPENING);
    assert_int_equal(sight.source, PS_METRICS_OPEN);
    assert_int_equal(sight.sources, 1);
    assert_int_equal(sight.sinks, 1);
    assert_int_equal(__atomic_load_n(&waits_ended, __ATOMIC_RELAXED),
                     0); /* it answered before the open was over */
    sem_post(&may_open);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(reload.status, PS_OK);
    assert_int_equal(wait_for(agent, PS_METRICS_OPEN).failed_count, 0);
    struct ps_agent_account account;
    ps_agent_stop(agent, 20000, NULL, NULL, &account);
    assert_int_equal(account.undelivered, 0);
    flow_fini(&flow);
}

static unsigned accepted_of(struct ps_agent *agent)
{
    struct ps_agent_account account;
    ps_agent_stop(agent, 20000, NULL, NULL, &account);
    return (unsigned)account.accepted;
}

static void await_made(struct flow *flow)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!flow_is_made(flow)) {
        assert_true(ps_test_patient_ns() < until_ns);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* Starts an agent of the flow whose source is `stage`. */
static struct ps_agent *start_with_source(struct flow *flow, const struct ps_stage_ops *stage)
{
    struct ps_err err = {0};
    struct ps_agent_spec *spec = flow_spec(flow);
    spec->sources[0].stage.ops = stage;
    struct ps_agent *agent = ps_agent_start(spec, &machine, &err);
    if (agent == NULL)
        fail_msg("%s", err.text);
    return agent;
}

/* ---- a source in the middle of its turn when the orders come ---- */

static sem_t inside, may_put;
static bool gate; /* the next call of `work` waits; atomic */

static enum ps_result gated_work(const void *plan, void *state, struct ps_batch *batch,
                                 const struct ps_now *now)
{
    if (!__atomic_load_n(&gate, __ATOMIC_RELAXED))
        return PS_IDLE;
    static bool waited; /* there is one instance */
    if (!waited) {
        waited = true;
        sem_post(&inside);
        sem_wait(&may_put);
    }
    return flow_source_stream.source->work(plan, state, batch, now);
}

/* Waits until a worker has carried out the orders that follow the first. */
static void await_pause(struct ps_agent *agent)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    bool done = false;
    while (!done) {
        for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++)
            done |= ps_worker_done_number(ps_engine_worker(agent->engine, i)) > 1;
        if (ps_test_patient_ns() > until_ns)
            fail_msg("no worker pauses");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* The worker of the sink has found the channel empty, and pauses; then the source on the other worker, which was in its turn,
 * puts an event. The channel is not empty: a reload that removes it is refused. */
static void test_put_after_the_sink_paused(void **state)
{
    struct flow flow = {.total = 1, .source_count = 1, .channel_count = 1, .sink_count = 1};
    struct ps_source_ops source = *flow_source_stream.source;
    struct ps_stage_ops stage = flow_source_stream;
    pthread_t thread;
    source.work = gated_work;
    stage.source = &source;
    flow.options = (struct ps_agent_options){.workers = 2, .drain_timeout_ms = 1, .reload_timeout_ms = 1000};
    flow_init(&flow);
    sem_init(&inside, 0, 0);
    sem_init(&may_put, 0, 0);
    __atomic_store_n(&flow.sinks[0].dead, true, __ATOMIC_RELAXED);
    struct ps_agent *agent = start_with_source(&flow, &stage);
    __atomic_store_n(&gate, true, __ATOMIC_RELAXED);
    assert_int_equal(sem_wait(&inside), 0);
    flow.names[0]++;
    struct reload reload = {.agent = agent, .spec = flow_spec(&flow)};
    reload.spec->sources[0].stage.ops = &stage;
    assert_int_equal(pthread_create(&thread, NULL, reload_main, &reload), 0);
    await_pause(agent);
    sem_post(&may_put);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(reload.status, PS_FAIL);
    flow.names[0]--;
    __atomic_store_n(&flow.sinks[0].dead, false, __ATOMIC_RELAXED);
    assert_int_equal(accepted_of(agent), 1);
    flow_verify(&flow, FLOW_EXACTLY_ONCE);
    flow_fini(&flow);
}

/* ---- a channel whose thread waits for a disk ---- */

#define LOOKS 3U
static unsigned looks; /* of control, while it waits for the channel */
static unsigned saves;
static bool halts;

static void counted_save(void *plan)
{
    assert_false(halts);
    saves++;
}

static bool slow_halt(void *plan)
{
    halts = true;
    return looks >= LOOKS;
}

/* Control serves signals and the watchdog here. Until the channel has ended, it does not hold the lock that metrics take. */
static unsigned look_meanwhile(void *argument)
{
    if (halts && looks < LOOKS) {
        look(argument);
        looks++;
    }
    return 0;
}

/* The strip of such a channel would wait for its thread. */
static struct ps_lease *strip_after_halt(void *plan)
{
    assert_true(looks >= LOOKS);
    return ps_engine_channel(ps_channel_memory.channel)->strip(plan);
}

static void test_control_goes_on_while_a_channel_ends(void **state)
{
    struct ps_engine_channel_ops engine = *ps_engine_channel(ps_channel_memory.channel);
    struct ps_channel_ops channel = *ps_channel_memory.channel;
    struct ps_stage_ops stage = ps_channel_memory;
    struct ps_err err = {0};
    struct ps_agent_account account;
    struct flow flow = {.total = 20, .source_count = 1, .channel_count = 1, .sink_count = 1};
    engine.save = counted_save;
    engine.halt = slow_halt;
    engine.strip = strip_after_halt;
    channel.engine = &engine;
    stage.channel = &channel;
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    spec->channels[0].stage.ops = &stage;
    struct ps_agent *agent = ps_agent_start(spec, &machine, &err);
    assert_non_null(agent);
    await_made(&flow);
    spec = flow_spec(&flow);
    spec->channels[0].stage.ops = &stage;
    struct ps_plan *next;
    assert_int_equal(ps_agent_reload_begin(agent, spec, &machine, &next, &err), PS_OK);
    assert_int_equal(ps_plan_build(next, &err), PS_OK);
    assert_int_equal(ps_agent_reload_end(agent, next, look_meanwhile, agent, &err), PS_OK);
    assert_int_equal(looks, LOOKS);
    assert_int_equal(saves, 0); /* a reload hands over what the memory has */
    looks = 0;
    halts = false;
    ps_agent_stop(agent, 20000, look_meanwhile, agent, &account);
    assert_int_equal(looks, LOOKS);
    assert_int_equal(saves, 1);
    assert_int_equal(account.accepted, 20);
    flow_verify(&flow, FLOW_EXACTLY_ONCE);
    flow_fini(&flow);
}

/* ---- a worker that stands still ---- */

static bool hangs; /* the next call of `work` waits; atomic */

static enum ps_result hanging_work(const void *plan, void *state, struct ps_batch *batch,
                                   const struct ps_now *now)
{
    if (__atomic_exchange_n(&hangs, false, __ATOMIC_RELAXED)) {
        sem_post(&inside);
        sem_wait(&may_put);
    }
    return flow_source_stream.source->work(plan, state, batch, now);
}

/* Each worker in turn waits in a stage. Its heartbeat is set back by an hour, so that no other worker of a busy machine is as
 * late. */
static void test_each_worker_may_stand_still(void **state)
{
    const uint64_t hour_ms = UINT64_C(3600) * 1000;
    sem_init(&inside, 0, 0);
    sem_init(&may_put, 0, 0);
    for (unsigned at = 0; at < 3; at++) {
        struct flow flow = {.total = 20, .source_count = 3, .channel_count = 1, .sink_count = 1};
        struct ps_source_ops source = *flow_source_stream.source;
        struct ps_stage_ops stage = flow_source_stream;
        struct ps_err err = {0};
        source.work = hanging_work;
        stage.source = &source;
        flow.options.workers = 4;
        flow_init(&flow);
        struct ps_agent_spec *spec = flow_spec(&flow);
        spec->sources[at].stage.ops = &stage;
        __atomic_store_n(&hangs, true, __ATOMIC_RELAXED);
        struct ps_agent *agent = ps_agent_start(spec, &machine, &err);
        if (agent == NULL)
            fail_msg("%s", err.text);
        assert_int_equal(sem_wait(&inside), 0);
        unsigned wanted = ps_agent_plan(agent)->sources[at].workers[0], worker = UINT_MAX;
        uint64_t still_ns = 0;
        assert_true(ps_agent_is_moving(agent, hour_ms, &worker, &still_ns));
        const struct ps_worker_stats *stats = ps_worker_stats(ps_engine_worker(agent->engine, wanted));
        __atomic_sub_fetch((uint64_t *)(uintptr_t)&stats->heartbeat_ns, hour_ms * PS_NS_PER_MS,
                           __ATOMIC_RELAXED);
        assert_true(ps_agent_is_moving(agent, 2 * hour_ms, &worker, &still_ns));
        assert_int_equal(worker, UINT_MAX);
        assert_false(ps_agent_is_moving(agent, hour_ms - 1, &worker, &still_ns));
        assert_int_equal(worker, wanted);
        assert_true(still_ns >= hour_ms * PS_NS_PER_MS);
        sem_post(&may_put);
        await_made(&flow);
        (void)accepted_of(agent);
        flow_verify(&flow, FLOW_EXACTLY_ONCE);
        flow_fini(&flow);
    }
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_answer_while_components_open),
        cmocka_unit_test(test_put_after_the_sink_paused),
        cmocka_unit_test(test_control_goes_on_while_a_channel_ends),
        cmocka_unit_test(test_each_worker_may_stand_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
