/* Runs one sink on its worker: takes leases, offers them, rests after failures as Flume's sink runner, and gives back delivered ones. */
#include <stdlib.h>
#include <string.h>

#include "core/flow/engine_channel.h"
#include "core/engine/sink/group.h"
#include "core/engine/sink/setback.h"
#include "core/engine/sink/stuck.h"
#include "core/engine/worker.h"
#include "core/quantity.h"

#define LEASES_PER_CYCLE 16U
/* Interval at which a lease is offered again to a sink that had no room and returned no time: its destination (a
 * log) may have room then, and wakes nobody. The same for a durable channel without memory to read into. */
#define LATER_LOOK_NS (10 * PS_NS_PER_MS)
#define RESTING_LOOK_NS (100 * PS_NS_PER_MS) /* at a shared channel, by a sink that takes nothing now */

static const struct ps_sink_ops *ops_of(const struct ps_sink_runner *runner)
{
    return runner->base.spec->ops->sink;
}

static const struct ps_channel_ops *channel_of(const struct ps_sink_runner *runner)
{
    return runner->channel->spec->stage.ops->channel;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void sink_progress(struct ps_sink_runner *runner, const struct ps_now *now)
{
    __atomic_store_n(&runner->progress_ns, now->mono_ns, __ATOMIC_RELAXED);
}

/* Counts a lease that is settled and hands it back to the channel. */
static void sink_finish(struct ps_sink_runner *runner, struct ps_lease **lease)
{
    struct ps_lease *done = *lease;
    ps_sink_stuck_leaves(runner, done);
    const struct ps_now *now = ps_worker_now(runner->base.worker);
    PS_ASSERT(done->settled >= done->count);
    uint64_t opened = done->batch->opened.mono_ns;
    ps_histogram_record(&runner->latency, now->mono_ns > opened ? now->mono_ns - opened : 0, done->count);
    ps_count(runner->channel_counters, PS_COUNTER_EventTakeSuccessCount, done->count);
    ps_count(runner->base.counters, PS_COUNTER_EventDrainSuccessCount, done->count - done->dead);
    ps_count(runner->base.counters, PS_COUNTER_bytes, done->bytes);
    ps_count(runner->base.counters, PS_COUNTER_batches, 1);
    sink_progress(runner, now);
    if (PS_UNLIKELY(runner->trouble_count > 0))
        __atomic_store_n(&runner->trouble_count, 0, __ATOMIC_RELAXED);
    if (runner->group != NULL)
        ps_sink_group_delivered(runner, now);
    runner->base.reached |= done->count > done->dead;
    if (PS_UNLIKELY(runner->setbacks > 0) && done->count > 0)
        ps_sink_setback_over(runner);
    channel_of(runner)->done(runner->channel->spec->stage.plan, runner->consumer, lease, &runner->base.port);
}

static void sink_port_done(struct ps_port *port, struct ps_lease **lease)
{
    struct ps_sink_runner *runner = (struct ps_sink_runner *)port->runner;
    PS_ASSERT(runner->inflight > 0);
    runner->inflight--;
    runner->inflight_bytes -= (*lease)->memory_bytes;
    sink_finish(runner, lease);
}

static void sink_note_trouble(struct ps_sink_runner *runner, const char *reason)
{
    ps_runner_set_error(&runner->base, reason);
    __atomic_store_n(&runner->trouble_count, runner->trouble_count + 1, __ATOMIC_RELAXED);
    ps_sink_stuck_failed(runner, ps_worker_now(runner->base.worker));
}

/* The sink fails if another one of its group can take its leases, gives them back if one of its channel can, else keeps trying. */
static void sink_port_troubled(struct ps_port *port, const struct ps_err *reason)
{
    struct ps_sink_runner *runner = (struct ps_sink_runner *)port->runner;
    if (runner->group != NULL && ps_sink_group_has_others(runner)) {
        ps_port_failed(port, reason);
        return;
    }
    sink_note_trouble(runner, reason->text);
    runner->has_reason = true;
    runner->in_part = port->in_part;
    if (!runner->works) /* else sink_feed knows when `work` returns whether the sink rolls back */
        ps_sink_setback(runner, ps_worker_now(runner->base.worker));
}

struct ps_sink_runner *ps_sink_runner_create(struct ps_worker *worker, struct ps_plan *plan, size_t sink)
{
    struct ps_sink_plan *sink_plan = &plan->sinks[sink];
    const char *component = sink_plan->spec->stage.component;
    struct ps_sink_runner *runner = ps_must_alloc(1, sizeof *runner, component);
    ps_runner_init(&runner->base, worker, sink_plan->stage, 0, 1);
    runner->plan = sink_plan;
    runner->base.port.done = sink_port_done;
    runner->spec = sink_plan->spec;
    ps_sink_runner_set_retries(runner, &runner->spec->common);
    if (runner->spec->group != NULL && runner->spec->group->settings.count > 1)
        runner->base.port.retry_max = 0; /* the other members get its leases */
    runner->base.group_logs = runner->spec->group != NULL && runner->spec->group->settings.count > 1;
    runner->base.port.hands_over = runner->base.group_logs;
    ps_runner_set_letters(&runner->base, plan, sink_plan->spec->common.deadletter, &sink_plan->letters);
    runner->base.port.troubled = sink_port_troubled;
    runner->channel = &plan->channels[sink_plan->spec->channel];
    runner->consumer = sink_plan->consumer;
    runner->quota_bytes = plan->sink_quota_bytes;
    runner->channel_counters = &runner->channel->counters[runner->channel->producer_count + runner->consumer];
    runner->base.port.send_latency = &runner->send_latency;
    return runner;
}

void ps_sink_runner_destroy(struct ps_sink_runner *runner)
{
    ps_sink_group_leave(runner);
    ps_runner_fini(&runner->base);
    free(runner);
}

static void sink_untake(struct ps_sink_runner *runner, struct ps_lease **lease)
{
    ps_sink_stuck_leaves(runner, *lease);
    channel_of(runner)->untake(runner->channel->spec->stage.plan, runner->consumer, lease);
    ps_sink_runner_pass_on(runner); /* another sink of the channel may take it */
}

static struct ps_lease *take_next(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_lease *lease = channel_of(runner)->take(runner->channel->spec->stage.plan, runner->consumer,
                                                      &runner->base.port, now);
    if (lease != NULL)
        ps_sink_stuck_took(runner, lease);
    return lease;
}

/* Takes the lease behind those that the sink has tried in vain. If there are fewer, the last one. */
static struct ps_lease *take_another(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_lease *tried[PS_SETBACK_SKIPS_MAX + 1];
    unsigned count = 0, skips = ps_sink_setback_skips(runner);
    while (count <= skips && (tried[count] = take_next(runner, now)) != NULL)
        count++;
    for (unsigned i = count - (count > 0); i-- > 0;)
        sink_untake(runner, &tried[i]);
    return count > 0 ? tried[count - 1] : NULL;
}

static struct ps_lease *sink_take(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_lease *lease =
        PS_UNLIKELY(runner->setbacks > 0) ? take_another(runner, now) : take_next(runner, now);
    if (lease == NULL)
        return NULL;
    ps_count(runner->channel_counters, PS_COUNTER_EventTakeAttemptCount, lease->count);
    ps_count(runner->base.counters, PS_COUNTER_EventDrainAttemptCount, lease->count);
    ps_count(runner->base.counters,
             lease->batch->full ? PS_COUNTER_BatchCompleteCount : PS_COUNTER_BatchUnderflowCount, 1);
    ps_tap_offer(runner->base.tap, lease);
    return lease;
}

static void sink_roll_back(struct ps_sink_runner *runner, const struct ps_now *now)
{
    uint64_t rest_ns = ps_port_rest_ns(&runner->base.port, ++runner->failures);
    if (ps_sink_runner_gives_up(runner))
        return;
    if (!runner->has_reason)
        sink_note_trouble(runner, "the sink gives its batches back to the channel; the log has the reason");
    runner->backoff_until_ns = now->mono_ns + rest_ns;
    if (ps_sink_setback_keeps(runner))
        return;
    ps_log(PS_LOG_DEBUG, runner->base.spec->component,
           "gives %s %s back to %s and rests %s: failure %u in a row",
           ps_quantity_print_count(runner->offered->count).text,
           ps_quantity_word(runner->offered->count, "event", "events"),
           runner->channel->spec->stage.component, ps_quantity_print_ns(rest_ns).text, runner->failures);
    sink_untake(runner, &runner->offered);
    ps_sink_setback_rolled_back(runner);
}

/* Returns whether the sink may take another lease from the channel. A sink whose server does not answer must leave
 * memory to the other sinks; but every sink may always have one lease. */
bool ps_sink_runner_has_room(const struct ps_sink_runner *runner)
{
    return runner->inflight == 0 || runner->inflight_bytes + PS_BATCH_FILL_BYTES <= runner->quota_bytes;
}

/* Returns whether the sink leaves its leases to other sinks of the channel. A group has a rule of its own. */
static bool declines(const struct ps_sink_runner *runner)
{
    return PS_UNLIKELY(runner->base.port.declines) && runner->group == NULL && runner->inflight == 0 &&
           ps_sink_setback_shares(runner);
}

static bool sink_may_take(struct ps_sink_runner *runner, const struct ps_now *now)
{
    if (!ps_sink_setback_admits(runner) || declines(runner))
        return false;
    return runner->group != NULL ? ps_sink_group_admits(runner, now) : ps_sink_runner_has_room(runner);
}

/* Called when a member of a group rolls back: the next member gets the lease. The leases that this member took earlier
 * are older, so it must give those back as well. */
static void sink_fail_over(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_err err = {0};
    runner->failures++;
    if (ps_sink_runner_gives_up(runner))
        return;
    if (runner->inflight == 0) {
        ps_sink_group_failed(runner, now);
        runner->told = false; /* the sink stays open, so a later failure is reported again */
        sink_untake(runner, &runner->offered);
        return;
    }
    ps_err_set(&err, "rolled a batch back while it held %s more %s",
               ps_quantity_print_count(runner->inflight).text,
               ps_quantity_word(runner->inflight, "batch", "batches"));
    ps_port_failed(&runner->base.port, &err);
}

/* Offers leases until the sink has enough or the channel is empty. Returns whether the sink handled any. */
static bool sink_feed(struct ps_sink_runner *runner, const struct ps_now *now)
{
    const struct ps_stage_spec *spec = runner->base.spec;
    bool moved = false, took = false;
    runner->wants = true;
    for (unsigned i = 0; runner->wants && i < LEASES_PER_CYCLE; i++) {
        if (runner->offered == NULL) {
            runner->wants = !runner->leaves && sink_may_take(runner, now);
            if (!runner->wants)
                break;
            runner->offered = sink_take(runner, now);
            runner->given = false;
            took |= runner->offered != NULL;
        }
        if (runner->offered == NULL)
            break;
        if (PS_UNLIKELY(ps_deadletter_pending_has_begun(&runner->dead_letters))) {
            runner->wants = ps_sink_runner_write_dead_letters(runner);
            if (!runner->wants)
                break;
            sink_finish(runner, &runner->offered);
            moved = true;
            continue;
        }
        uint32_t memory_bytes = runner->offered->memory_bytes;
        runner->has_reason = false;
        runner->works = true;
        enum ps_result result = ops_of(runner)->work(spec->plan, runner->base.state, &runner->offered, now);
        runner->works = false;
        if (runner->group != NULL && result != PS_RETRY && !runner->given)
            ps_sink_group_taken(runner);
        runner->given = true;
        if (result == PS_LATER || result == PS_RETRY) {
            runner->wants = false;
            if (result == PS_RETRY && runner->group != NULL)
                sink_fail_over(runner, now);
            else if (result == PS_RETRY)
                sink_roll_back(runner, now);
            else if (PS_UNLIKELY(runner->has_reason))
                ps_sink_setback(runner, now);
            else if (declines(runner))
                sink_untake(runner, &runner->offered);
            break;
        }
        runner->failures = 0;
        moved = true;
        if (result == PS_DONE) {
            sink_finish(runner, &runner->offered);
        } else {
            PS_ASSERT(runner->offered == NULL);
            runner->inflight++;
            runner->inflight_bytes += memory_bytes;
        }
        if (PS_UNLIKELY(runner->has_reason))
            ps_sink_setback(runner, now);
        runner->wants = ps_runner_is_open(&runner->base); /* the sink may have reported a failure */
    }
    if (took)
        ps_wake_producers(runner->base.worker, runner->channel);
    return moved;
}

/* Notes when the sink last made progress, and whether it has events. An idle sink counts as making progress in each
 * cycle; a worker parks for at most one second, so the time is at most one second old. */
static void sink_note_events(struct ps_sink_runner *runner, bool moved, const struct ps_now *now)
{
    bool idle = !moved && ps_sink_runner_is_idle(runner);
    bool holds = runner->inflight > 0 || runner->offered != NULL;
    if (idle || runner->progress_ns == 0) /* 0: its first cycle */
        sink_progress(runner, now);
    else if (runner->group != NULL && !holds && ps_sink_group_progress_ns(runner) > runner->progress_ns)
        __atomic_store_n(&runner->progress_ns, ps_sink_group_progress_ns(runner), __ATOMIC_RELAXED);
    __atomic_store_n(&runner->has_events, !idle, __ATOMIC_RELAXED);
    ps_runner_note(&runner->base,
                   &(struct ps_runner_look){.held = runner->inflight + (runner->offered != NULL),
                                            .rests_until_ns = runner->backoff_until_ns});
}

uint64_t ps_sink_runner_stalled_ns(const struct ps_sink_runner *runner, uint64_t mono_ns)
{
    uint64_t progress_ns = __atomic_load_n(&runner->progress_ns, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&runner->has_events, __ATOMIC_RELAXED) || mono_ns < progress_ns)
        return 0;
    return mono_ns - progress_ns;
}

/* Called when the sink reported a failure, that it restarts as planned, or has a setback. Takes back its leases, closes it, and opens
 * it again, after a failure with a wait before. */
static bool sink_end(struct ps_sink_runner *runner, const struct ps_now *now)
{
    bool failed = !runner->base.port.planned;
    if (runner->group != NULL && failed && !runner->told)
        ps_sink_group_failed(runner, now);
    if (!ps_sink_runner_recall(runner, now))
        return false;
    runner->recalled = false;
    runner->inflight = runner->inflight_bytes = 0;
    ps_sink_stuck_clear(runner);
    runner->failures = 0;
    runner->backoff_until_ns = 0;
    runner->base.keeps_lack = runner->gives_back;
    if (runner->gives_back)
        ps_sink_setback_rests(runner, now);
    else
        __atomic_store_n(&runner->trouble_count, 0, __ATOMIC_RELAXED);
    ps_runner_end(&runner->base, now);
    if (runner->group != NULL && failed)
        ps_sink_group_closed(runner, now);
    return true;
}

/* Returns whether the sink is open. Each failed open counts as a failure for the group. */
static bool sink_open(struct ps_sink_runner *runner, const struct ps_now *now)
{
    if (PS_LIKELY(ps_runner_is_open(&runner->base)))
        return true;
    if (ps_runner_may_open(&runner->base, now))
        runner->told = false;
    return PS_UNLIKELY(runner->gives_back) ? ps_sink_setback_open(runner, now)
                                           : ps_runner_open(&runner->base, now);
}

/* Calls the stage's `tick`. Returns when it must be called again. */
static uint64_t stage_tick(struct ps_sink_runner *runner, const struct ps_now *now)
{
    if (ops_of(runner)->tick == NULL || !ps_runner_is_open(&runner->base))
        return PS_NEVER;
    return ops_of(runner)->tick(runner->base.spec->plan, runner->base.state, now);
}

static uint64_t channel_tick(struct ps_sink_runner *runner, const struct ps_now *now)
{
    if (channel_of(runner)->consumer_tick == NULL)
        return PS_NEVER;
    return channel_of(runner)->consumer_tick(runner->channel->spec->stage.plan, runner->consumer,
                                             &runner->base.port, now);
}

static bool sink_turn(struct ps_sink_runner *runner, bool draining, const struct ps_now *now)
{
    struct ps_runner *base = &runner->base;
    if (PS_UNLIKELY(base->status == PS_RUNNER_ENDING))
        return sink_end(runner, now);
    if (!sink_open(runner, now))
        return false;
    bool moved = false;
    uint64_t wake_ns = PS_NEVER;
    uint64_t inflight = runner->inflight, refused = base->port.blocks->refused_count;
    runner->leaves = draining && ps_sink_runner_may_leave(runner);
    if (now->mono_ns >= runner->backoff_until_ns) {
        moved = sink_feed(runner, now);
        bool empty = !moved && runner->offered == NULL;
        if (empty && !runner->empty) /* counted when it becomes empty, not in each cycle */
            ps_count(base->counters, PS_COUNTER_BatchEmptyCount, 1);
        runner->empty = empty;
    }
    if (now->mono_ns < runner->backoff_until_ns)
        wake_ns = runner->backoff_until_ns;
    if (runner->group != NULL)
        wake_ns = least(wake_ns, ps_sink_group_wake_ns(runner, now));
    if (draining && ops_of(runner)->drain != NULL && ps_runner_is_open(base))
        ops_of(runner)->drain(base->spec->plan, base->state, now);
    wake_ns = least(stage_tick(runner, now), wake_ns);
    /* The sink returned LATER without a time, or the channel had no memory to read a batch into. */
    bool looks =
        (runner->offered != NULL && wake_ns == PS_NEVER) || base->port.blocks->refused_count != refused;
    if (looks && wake_ns > now->mono_ns + LATER_LOOK_NS)
        wake_ns = now->mono_ns + LATER_LOOK_NS;
    base->deadline_ns = wake_ns;
    sink_note_events(runner, moved, now);
    return moved || runner->inflight < inflight || base->status == PS_RUNNER_ENDING;
}

static uint64_t free_ns(const struct ps_sink_runner *runner)
{
    uint64_t since_ns =
        runner->free_since_ns > runner->progress_ns ? runner->free_since_ns : runner->progress_ns;
    return since_ns + PS_STOP_PATIENCE_NS;
}

bool ps_sink_runner_need_not_wait(const struct ps_sink_runner *runner, const struct ps_now *now)
{
    return runner->free_since_ns != 0 && now->mono_ns >= free_ns(runner);
}

static void sink_note_stop(struct ps_sink_runner *runner, const struct ps_now *now)
{
    if (!ps_worker_stops(runner->base.worker) ||
        (!ps_sink_runner_may_leave(runner) && !ps_worker_leaves(runner->base.worker, runner->channel))) {
        runner->free_since_ns = 0;
        return;
    }
    if (runner->free_since_ns == 0)
        runner->free_since_ns = now->mono_ns;
    if (free_ns(runner) > now->mono_ns)
        runner->base.deadline_ns = least(runner->base.deadline_ns, free_ns(runner));
}

/* If a put has chosen this worker for a lease that the sink does not take now, another worker is woken for it. */
bool ps_sink_runner_cycle(struct ps_sink_runner *runner, bool draining, const struct ps_now *now)
{
    bool wanted = runner->wants;
    runner->wants = false;
    uint64_t changes = runner->group != NULL ? ps_sink_group_changes(runner) : 0;
    bool moved = sink_turn(runner, draining, now);
    if (runner->group != NULL) {
        ps_sink_group_note(runner, now);
        moved |= ps_sink_group_changes(runner) != changes;
    }
    if (runner->base.status == PS_RUNNER_FAILED) /* a failed sink's only deadline is its next opening */
        runner->base.deadline_ns = runner->base.retry_ns;
    uint64_t channel_ns = channel_tick(runner, now);
    /* What other sinks gave back cannot be taken now. The end of the rest, or of what is in flight, wakes the worker. */
    if (!runner->wants && channel_ns < now->mono_ns + RESTING_LOOK_NS && ps_sink_setback_shares(runner))
        channel_ns = now->mono_ns + RESTING_LOOK_NS;
    runner->base.deadline_ns = least(channel_ns, runner->base.deadline_ns);
    bool may_write = ps_worker_sink_may_write_dead_letters(runner->base.worker, runner);
    moved |= ps_dead_letter_channel_cycle(runner->base.letters, may_write, &runner->base.deadline_ns, now);
    /* If the stop does not wait for this sink, the sink withdraws its letters. Then the sinks of the letters' channel
     * need not make room for them either. */
    bool may_leave =
        ps_sink_runner_need_not_wait(runner, now) && ps_dead_letter_channel_may_leave(runner->base.letters);
    ps_dead_letter_channel_hold_back(runner->base.letters, draining && may_write && !may_leave);
    if (PS_UNLIKELY(draining))
        sink_note_stop(runner, now);
    if (wanted && !runner->wants)
        ps_sink_runner_pass_on(runner);
    return moved;
}

void ps_sink_runner_rest(struct ps_sink_runner *runner, const struct ps_now *now)
{
    if (PS_UNLIKELY(runner->base.status == PS_RUNNER_ENDING)) {
        ps_runner_watch(&runner->base, false);
        /* a sink that holds something cannot end now: in CLOSE control may use the channel */
        if (ps_sink_runner_holds_nothing(runner))
            (void)sink_end(runner, now);
    }
    uint64_t due_ns = stage_tick(runner, now);
    /* retry_ns does not count: the sink is not opened again here */
    runner->base.deadline_ns = least(channel_tick(runner, now), due_ns);
}

bool ps_sink_runner_may_leave(const struct ps_sink_runner *runner)
{
    const struct ps_channel_ops *channel = channel_of(runner);
    return (ps_channel_is_durable(channel) || ps_engine_channel(channel)->at_risk != NULL) &&
           ps_channel_at_risk(channel, runner->channel->spec->stage.plan) == 0 &&
           !ps_is_holding_back(runner->channel) &&
           !ps_worker_must_empty(runner->base.worker, runner->channel);
}

bool ps_sink_runner_holds_nothing(const struct ps_sink_runner *runner)
{
    return runner->offered == NULL && runner->inflight == 0;
}

bool ps_sink_runner_is_idle(const struct ps_sink_runner *runner)
{
    return ps_sink_runner_holds_nothing(runner) &&
           ps_channel_at_risk(channel_of(runner), runner->channel->spec->stage.plan) == 0;
}

/* Gives back the newest lease first, so that the oldest one is at the head of the channel in the end. */
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
    ps_runner_watch(&runner->base, false); /* only `tick` reads its sockets, and it is no longer called */
    ps_deadletter_pending_stop(&runner->dead_letters, &runner->base.port);
    const struct ps_lease *offered = runner->offered;
    if (offered != NULL && offered->count > 0 && offered->settled == offered->count)
        /* dead letters have settled the lease, or the sink did so before it returned PS_LATER */
        sink_finish(runner, &runner->offered);
    else if (offered != NULL) /* the offered lease is the newest one */
        sink_untake(runner, &runner->offered);
    if (ps_runner_has_stage(&runner->base) && ops_of(runner)->recall != NULL) {
        struct ps_lease *back = NULL;
        runner->recalled = ops_of(runner)->recall(runner->base.spec->plan, runner->base.state, &back, now);
        ps_port_finish_settled(&runner->base.port, &back);
        struct ps_lease **end = &runner->recall_list;
        while (*end != NULL)
            end = &(*end)->next;
        *end = back;
        runner->base.deadline_ns = now->mono_ns + PS_NS_PER_MS;
    } else {
        runner->recalled = true;
    }
    if (runner->recalled) {
        ps_dead_letter_channel_withdraw(runner->base.letters);
        untake_reversed(runner, runner->recall_list);
        runner->recall_list = NULL;
    }
    return runner->recalled;
}

bool ps_sink_runner_part(struct ps_sink_runner *runner, const struct ps_plan *next, const struct ps_now *now)
{
    const struct ps_engine_channel_ops *ops = ps_engine_channel(channel_of(runner));
    if (ops->part == NULL || ps_plan_keeps_channel(next, runner->channel) ||
        ops->part(runner->channel->spec->stage.plan, runner->consumer, now))
        return true;
    runner->base.deadline_ns = now->mono_ns + PS_NS_PER_MS;
    return false;
}

/* Channels that cannot be stripped are channels of plug-ins. A shared channel is left alone: it has no end, and another
 * program may empty it. */
void ps_sink_runner_take_rest(struct ps_sink_runner *runner, const struct ps_plan *next,
                              struct ps_lease **left, const struct ps_now *now)
{
    const struct ps_channel_ops *channel = channel_of(runner);
    const struct ps_stage_spec *stage = &runner->channel->spec->stage;
    if (ps_channel_is_durable(channel) || stage->ops->shared || ps_engine_channel(channel)->strip != NULL ||
        ps_plan_keeps_channel(next, runner->channel))
        return;
    while (*left != NULL)
        left = &(*left)->next;
    for (struct ps_lease *lease;
         (lease = channel->take(stage->plan, runner->consumer, &runner->base.port, now)) != NULL;) {
        /* the lease has the number that the channel had at the put; a reload may have renumbered the channel */
        ps_lease_home(lease)->channel = (uint16_t)runner->spec->channel;
        lease->next = NULL;
        *left = lease;
        left = &lease->next;
    }
}

/* A channel that stays keeps the returned leases, and its state on this worker, for the sink that follows. */
void ps_sink_runner_close(struct ps_sink_runner *runner, const struct ps_plan *next, bool leaves,
                          const struct ps_now *now)
{
    PS_ASSERT(runner->offered == NULL && runner->recall_list == NULL);
    ps_sink_runner_leave(runner);
    runner->base.keeps_lack = false;
    ps_runner_close(&runner->base, now);
    __atomic_store_n(&runner->gives_back, false, __ATOMIC_RELAXED);
    ps_dead_letter_channel_close(runner->base.letters, next, NULL, now);
    if (leaves && channel_of(runner)->leave != NULL && !ps_plan_keeps_channel(next, runner->channel))
        channel_of(runner)->leave(runner->channel->spec->stage.plan, runner->consumer, &runner->base.port);
    runner->closed = true;
}

/* ---- a reload that leaves the sink as it is ---- */

void ps_sink_runner_adopt(struct ps_sink_runner *runner, struct ps_plan *plan, size_t sink)
{
    const struct ps_sink_plan *sink_plan = &plan->sinks[sink];
    PS_ASSERT(sink_plan->adopts == runner->plan && sink_plan->consumer == runner->consumer);
    ps_sink_runner_leave(runner);
    runner->plan = sink_plan;
    runner->spec = sink_plan->spec;
    runner->channel = &plan->channels[sink_plan->spec->channel];
    runner->quota_bytes = plan->sink_quota_bytes;
    ps_dead_letter_channel_adopt(runner->base.letters, plan, &sink_plan->letters);
}
