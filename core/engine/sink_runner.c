/* Runs one sink on its worker: takes leases from its channel, offers them, rolls back, rests after failures
 * as Flume's sink runner does, and sends home what was delivered. */
#include <stdlib.h>
#include <string.h>

#include "core/engine/worker.h"

#define LEASES_PER_CYCLE 16U
#define BACKOFF_STEP_NS PS_NS_PER_S /* SinkRunner: 1 s more each time, at most 5 s */
#define BACKOFF_MAX_NS (5 * PS_NS_PER_S)

static const struct ps_sink_ops *ops_of(const struct ps_sink_runner *runner)
{
    return runner->base.spec->ops->sink;
}

static const struct ps_channel_ops *channel_of(const struct ps_sink_runner *runner)
{
    return runner->channel->spec->stage.ops->channel;
}

static void sink_progress(struct ps_sink_runner *runner, const struct ps_now *now)
{
    __atomic_store_n(&runner->progress_ns, now->mono_ns, __ATOMIC_RELAXED);
}

/* Counts a lease that is settled and hands it back to the channel. */
static void sink_finish(struct ps_sink_runner *runner, struct ps_lease **lease)
{
    struct ps_lease *done = *lease;
    const struct ps_now *now = ps_worker_now(runner->base.worker);
    PS_ASSERT(done->settled >= done->count);
    uint64_t opened = done->batch->opened.mono_ns;
    ps_histogram_record(runner->latency, now->mono_ns > opened ? now->mono_ns - opened : 0, done->count);
    ps_count(runner->channel_counters, PS_COUNTER_EventTakeSuccessCount, done->count);
    ps_count(runner->base.counters, PS_COUNTER_EventDrainSuccessCount, done->count);
    ps_count(runner->base.counters, PS_COUNTER_bytes, done->bytes);
    ps_count(runner->base.counters, PS_COUNTER_batches, 1);
    sink_progress(runner, now);
    channel_of(runner)->done(runner->channel->spec->stage.plan, runner->consumer, lease, &runner->base.port);
}

static void sink_port_done(struct ps_port *port, struct ps_lease **lease)
{
    struct ps_sink_runner *runner = (struct ps_sink_runner *)port->runner;
    PS_ASSERT(runner->inflight > 0);
    runner->inflight--;
    sink_finish(runner, lease);
}

struct ps_sink_runner *ps_sink_runner_create(struct ps_worker *worker, struct ps_plan *plan, size_t sink)
{
    struct ps_sink_plan *sink_plan = &plan->sinks[sink];
    const char *component = sink_plan->spec->stage.component;
    struct ps_sink_runner *runner = ps_must_alloc(1, sizeof *runner, component);
    ps_runner_init(&runner->base, worker, &sink_plan->spec->stage, 0, 1);
    runner->base.port.done = sink_port_done;
    runner->channel = &plan->channels[sink_plan->spec->channel];
    runner->consumer = sink_plan->consumer;
    runner->channel_counters = &runner->channel->counters[runner->channel->producer_count + runner->consumer];
    runner->latency = ps_must_alloc(1, sizeof *runner->latency, component);
    return runner;
}

void ps_sink_runner_destroy(struct ps_sink_runner *runner)
{
    free(runner->latency);
    ps_runner_fini(&runner->base);
    free(runner);
}

static struct ps_lease *sink_take(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_lease *lease =
        channel_of(runner)->take(runner->channel->spec->stage.plan, runner->consumer, now);
    if (lease == NULL)
        return NULL;
    ps_count(runner->channel_counters, PS_COUNTER_EventTakeAttemptCount, lease->count);
    ps_count(runner->base.counters, PS_COUNTER_EventDrainAttemptCount, lease->count);
    ps_count(runner->base.counters,
             lease->batch->full ? PS_COUNTER_BatchCompleteCount : PS_COUNTER_BatchUnderflowCount, 1);
    ps_tap_offer(runner->base.tap, lease);
    return lease;
}

static void sink_untake(struct ps_sink_runner *runner, struct ps_lease **lease)
{
    channel_of(runner)->untake(runner->channel->spec->stage.plan, runner->consumer, lease);
}

static void sink_roll_back(struct ps_sink_runner *runner, const struct ps_now *now)
{
    sink_untake(runner, &runner->offered);
    uint64_t rest_ns = ++runner->failures * BACKOFF_STEP_NS;
    runner->backoff_until_ns = now->mono_ns + (rest_ns < BACKOFF_MAX_NS ? rest_ns : BACKOFF_MAX_NS);
}

/* Offers leases until the sink has enough or the channel is empty. Returns whether it handled any. */
static bool sink_feed(struct ps_sink_runner *runner, const struct ps_now *now)
{
    const struct ps_stage_spec *spec = runner->base.spec;
    bool moved = false;
    for (unsigned i = 0; i < LEASES_PER_CYCLE; i++) {
        if (runner->offered == NULL)
            runner->offered = sink_take(runner, now);
        if (runner->offered == NULL)
            break;
        enum ps_result result = ops_of(runner)->work(spec->plan, runner->base.state, &runner->offered, now);
        if (result == PS_LATER)
            break;
        if (result == PS_RETRY) {
            sink_roll_back(runner, now);
            break;
        }
        runner->failures = 0;
        moved = true;
        if (result == PS_DONE) {
            sink_finish(runner, &runner->offered);
        } else {
            PS_ASSERT(runner->offered == NULL);
            runner->inflight++;
        }
    }
    return moved;
}

/* A worker parks for a second at most, so an idle sink's time is never older than that. */
static void sink_note_events(struct ps_sink_runner *runner, bool moved, const struct ps_now *now)
{
    bool idle = !moved && ps_sink_runner_is_idle(runner);
    if (idle || runner->progress_ns == 0) /* 0: its first cycle */
        sink_progress(runner, now);
    __atomic_store_n(&runner->has_events, !idle, __ATOMIC_RELAXED);
}

uint64_t ps_sink_runner_stalled_ns(const struct ps_sink_runner *runner, uint64_t mono_ns)
{
    uint64_t progress_ns = __atomic_load_n(&runner->progress_ns, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&runner->has_events, __ATOMIC_RELAXED) || mono_ns < progress_ns)
        return 0;
    return mono_ns - progress_ns;
}

bool ps_sink_runner_cycle(struct ps_sink_runner *runner, bool draining, const struct ps_now *now)
{
    struct ps_runner *base = &runner->base;
    if (!ps_runner_open(base, now))
        return false;
    bool moved = false;
    uint64_t wake_ns = PS_NEVER;
    uint64_t inflight = runner->inflight;
    if (now->mono_ns >= runner->backoff_until_ns) {
        moved = sink_feed(runner, now);
        bool empty = !moved && runner->offered == NULL;
        if (empty && !runner->empty) /* once each time it becomes empty, not once a cycle */
            ps_count(base->counters, PS_COUNTER_BatchEmptyCount, 1);
        runner->empty = empty;
        if (moved) { /* room was made */
            for (unsigned k = 0; k < runner->channel->producer_count; k++)
                ps_worker_touch(base->worker, runner->channel->producer_workers[k]);
        }
    }
    if (now->mono_ns < runner->backoff_until_ns)
        wake_ns = runner->backoff_until_ns;
    if (draining && ops_of(runner)->drain != NULL)
        ops_of(runner)->drain(base->spec->plan, base->state, now);
    if (ops_of(runner)->tick != NULL) {
        uint64_t due_ns = ops_of(runner)->tick(base->spec->plan, base->state, now);
        wake_ns = due_ns < wake_ns ? due_ns : wake_ns;
    }
    base->deadline_ns = wake_ns;
    sink_note_events(runner, moved, now);
    return moved || runner->inflight < inflight;
}

bool ps_sink_runner_is_idle(const struct ps_sink_runner *runner)
{
    struct ps_fill fill;
    channel_of(runner)->fill(runner->channel->spec->stage.plan, &fill);
    return runner->offered == NULL && runner->inflight == 0 && fill.size == 0;
}

/* Newest first, so that the oldest ends up at the head of the channel. */
static void untake_reversed(struct ps_sink_runner *runner, struct ps_lease *list)
{
    struct ps_lease *reversed = NULL;
    while (list != NULL) {
        struct ps_lease *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    while (reversed != NULL) {
        struct ps_lease *lease = reversed;
        reversed = reversed->next;
        lease->next = NULL;
        sink_untake(runner, &lease);
    }
}

bool ps_sink_runner_recall(struct ps_sink_runner *runner, const struct ps_now *now)
{
    if (runner->recalled)
        return true;
    if (runner->offered != NULL) /* the newest of all */
        sink_untake(runner, &runner->offered);
    if (ps_runner_is_open(&runner->base) && ops_of(runner)->recall != NULL) {
        struct ps_lease *back = NULL;
        runner->recalled = ops_of(runner)->recall(runner->base.spec->plan, runner->base.state, &back, now);
        struct ps_lease **end = &runner->recall_list;
        while (*end != NULL)
            end = &(*end)->next;
        *end = back;
        runner->base.deadline_ns = now->mono_ns + PS_NS_PER_MS;
    } else {
        runner->recalled = true;
    }
    if (runner->recalled) {
        untake_reversed(runner, runner->recall_list);
        runner->recall_list = NULL;
    }
    return runner->recalled;
}

void ps_sink_runner_close(struct ps_sink_runner *runner, const struct ps_now *now)
{
    PS_ASSERT(runner->offered == NULL && runner->recall_list == NULL);
    ps_runner_close(&runner->base, now);
}
