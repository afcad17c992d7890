/* Runs one source on one worker: fills its open batch, closes it when it is full or when a consumer is hungry, sends
 * it down the chain and puts its leases, and answers the source when all required channels took them. At most one
 * closed batch is in the chain, which keeps the order in every channel. */
#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"
#include "core/flow/engine_channel.h"
#include "core/engine/worker.h"
#include "core/quantity.h"

#define CALLS_PER_CYCLE 8U /* calls of `work`; the limit gives sinks on the same worker their turn */
/* After this time `work` is not called again in a cycle: one batch may be expensive (thousands of rules). */
#define CALLS_NS (PS_NS_PER_MS / 5)
/* Interval at which a source that found the budget used up tries again: another worker may have freed blocks.
 * A source without a batch tries sooner at first: each time after as long as it has waited so far. */
#define MEMORY_WAIT_MIN_NS (2 * PS_NS_PER_MS)
#define MEMORY_LOOK_NS (10 * PS_NS_PER_MS)

static const struct ps_source_ops *ops_of(const struct ps_source_runner *runner)
{
    return runner->base.spec->ops->source;
}

struct ps_source_runner *ps_source_runner_create(struct ps_worker *worker, struct ps_plan *plan,
                                                 size_t source, unsigned instance)
{
    struct ps_source_plan *source_plan = &plan->sources[source];
    const struct ps_source_spec *spec = source_plan->stages;
    struct ps_source_runner *runner = ps_must_alloc(1, sizeof *runner, spec->stage.component);
    ps_runner_init(&runner->base, worker, &spec->stage, instance, source_plan->instance_count);
    ps_runner_set_letters(&runner->base, plan, spec->common->deadletter, &source_plan->letters[instance]);
    runner->plan = source_plan;
    runner->channels = plan->channels;
    runner->producers = &source_plan->producers[instance * spec->channel_count];
    runner->batch_events = ps_must_alloc(1, sizeof *runner->batch_events, spec->stage.component);
    runner->route = ps_route_create(spec->channel_count);
    runner->pending =
        ps_must_alloc(2 * spec->channel_count, sizeof(struct ps_lease *), spec->stage.component);
    runner->marks = ps_must_alloc(spec->channel_count, sizeof *runner->marks, spec->stage.component);
    runner->links = ps_links_create(runner, source_plan->chain_stages);
    ps_bump_init(&runner->bump, ps_worker_pool(worker));
    ps_source_runner_open_window(runner);
    return runner;
}

void ps_source_runner_destroy(struct ps_source_runner *runner)
{
    ps_links_destroy(runner->links);
    ps_links_destroy(runner->old_links);
    free(runner->pending);
    free(runner->marks);
    ps_route_destroy(runner->route);
    free(runner->batch_events);
    ps_runner_fini(&runner->base);
    free(runner);
}

/* ---- opening ---- */

/* Opens the chain before the source, because the source may have input immediately. */
static bool source_open(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_runner *base = &runner->base;
    if (PS_LIKELY(base->status == PS_RUNNER_OPEN))
        return true;
    if (base->status == PS_RUNNER_FAILED && now->mono_ns < base->retry_ns)
        return false;
    if (!ps_runner_open_dead_letter_queue(base, now) || !ps_chain_open(runner, now))
        return false;
    if (!ps_runner_open(base, now)) {
        ps_chain_close(runner);
        return false;
    }
    return true;
}

/* ---- filling ---- */

/* Returns whether any consumer is hungry: the events for this consumer in the open batch must not wait for another
 * consumer that is stuck. */
static bool source_hungry(const struct ps_source_runner *runner)
{
    for (size_t i = 0; i < runner->plan->spec->channel_count; i++) {
        const struct ps_stage_spec *channel = &runner->channels[runner->plan->spec->channels[i]].spec->stage;
        if (channel->ops->channel->hungry(channel->plan, runner->producers[i]))
            return true;
    }
    return false;
}

static void batch_discard(struct ps_source_runner *runner)
{
    if (runner->batch != NULL)
        ps_batch_give(runner->batch);
    runner->batch = NULL;
}

/* Closes the open batch and sends it into the chain. */
static bool batch_close(struct ps_source_runner *runner, const struct ps_now *now)
{
    struct ps_batch *batch = runner->batch;
    runner->batch = NULL;
    ps_histogram_record(runner->batch_events, batch->count, 1);
    ps_source_runner_count_close(runner, batch, now);
    ps_batch_close(batch);
    ps_window_enter(runner->window, batch);
    ps_source_runner_begin_chain(runner, ps_batch_chain(batch), 0);
    ps_tap_offer(runner->base.tap, runner->chain.lease);
    return ps_source_runner_put(runner, now);
}

static bool batch_open(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (runner->batch != NULL) {
        if (ps_batch_is_empty(runner->batch))
            runner->batch->opened = *now; /* latencies count from the read that brings the first event */
        return true;
    }
    runner->batch = ps_batch_take(&runner->bump, *now);
    if (runner->batch == NULL) {
        if (!runner->waiting)
            ps_worker_count_memory_wait(runner->base.worker);
        ps_source_runner_wait(runner, true, now);
        /* Another worker that frees blocks does not wake this one. */
        uint64_t wait_ns = now->mono_ns - runner->waiting_since_ns;
        wait_ns = wait_ns < MEMORY_WAIT_MIN_NS ? MEMORY_WAIT_MIN_NS
                  : wait_ns > MEMORY_LOOK_NS   ? MEMORY_LOOK_NS
                                               : wait_ns;
        ps_source_runner_wake_at(runner, now->mono_ns + wait_ns);
        return false;
    }
    ps_source_runner_wait(runner, false, now);
    if (ps_chain_rows_max(runner) < runner->batch->capacity)
        runner->batch->capacity = ps_chain_rows_max(runner);
    return true;
}

/* Returns whether the batch is full, or somebody waits for an answer. */
static bool batch_is_finished(const struct ps_batch *batch)
{
    return !ps_batch_is_empty(batch) && (batch->full || batch->flush || batch->count == batch->capacity);
}

static bool batch_is_due(const struct ps_source_runner *runner)
{
    return !ps_batch_is_empty(runner->batch) &&
           (batch_is_finished(runner->batch) || runner->draining || source_hungry(runner));
}

static void source_back_off(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_source_common *common = runner->plan->spec->common;
    uint64_t rest_ms = ps_backoff_linear((uint64_t)common->backoff_increment_ms,
                                         (uint64_t)common->backoff_max_ms, ++runner->backoff_count);
    runner->backoff_until_ns = now->mono_ns + rest_ms * PS_NS_PER_MS;
}

static bool turn_is_over(const struct ps_source_runner *runner, const struct ps_now *now)
{
    return !ps_worker_is_simulated(runner->base.worker) && ps_clock_now().mono_ns - now->mono_ns > CALLS_NS;
}

/* Calls `work` until it has nothing more, the source's budget is used up, or a batch must wait for a channel. */
static bool source_fill(struct ps_source_runner *runner, const struct ps_now *now)
{
    bool moved = false;
    for (unsigned call = 0; call < CALLS_PER_CYCLE; call++) {
        if (!ps_runner_is_open(&runner->base) || now->mono_ns < runner->backoff_until_ns ||
            !batch_open(runner, now))
            break;
        enum ps_result result =
            ops_of(runner)->work(runner->base.spec->plan, runner->base.state, runner->batch, now);
        if (result == PS_DONE) {
            moved = true;
            runner->backoff_count = 0;
        } else if (result != PS_IDLE) {
            source_back_off(runner, now);
        }
        struct ps_batch *batch = runner->batch;
        if (result == PS_IDLE && ps_batch_is_empty(batch))
            runner->refuses = false;
        if (batch->full && ps_batch_is_empty(batch))
            batch_discard(runner); /* input left by ps_batch_leave uses up its blocks: a new batch has room */
        else if (batch_is_finished(batch) && !batch_close(runner, now))
            break;
        if (result != PS_DONE || turn_is_over(runner, now))
            break;
    }
    if (runner->chain.lease == NULL && batch_is_due(runner)) {
        moved = true;
        batch_close(runner, now);
    }
    return moved;
}

/* Returns whether no sink takes from the channel, and there is no room for the lease. A channel that keeps its
 * events elsewhere returns PS_PUT_FULL also while it opens. */
static bool is_lost_on(const struct ps_channel_plan *channel, const struct ps_lease *lease)
{
    const struct ps_stage_spec *stage = &channel->spec->stage;
    const struct ps_channel_ops *ops = stage->ops->channel;
    struct ps_fill fill;
    if (!ps_plan_strands(NULL, channel))
        return false;
    if (!ps_channel_is_durable(ops) && ps_engine_channel(ops)->at_risk == NULL)
        return true;
    ops->fill(stage->plan, &fill);
    return fill.size + lease->count > fill.capacity;
}

/* While the agent stops: returns whether the source waits for room in channels from which no sink takes. Clients that
 * wait for an answer are refused instead, when the keep-alive is over. */
static bool waits_in_vain(const struct ps_source_runner *runner)
{
    if (!runner->ending.strands || !runner->waiting || runner->chain.lease == NULL || !runner->chain.routed ||
        runner->inherited != NULL || ps_source_runner_refuses(runner))
        return false;
    for (size_t i = 0; i < 2 * runner->plan->spec->channel_count; i++) {
        struct ps_lease *lease = runner->pending[i];
        if (lease != NULL && !is_lost_on(&runner->channels[ps_lease_home(lease)->channel], lease))
            return false;
    }
    return true;
}

/* While the agent stops: returns whether an interceptor has failed for the batch in the chain, or a process that it
 * needs has been down, for so long that the batch is given up, or refused. A source that has refused one batch
 * refuses the batches behind it at once. The stop does not wait for sources that read the batch again. */
static bool fails_in_vain(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (!runner->ending.ends || runner->chain.lease == NULL || runner->chain.routed ||
        runner->chain.failed_ns == 0 || ps_source_runner_is_replayable(runner))
        return false;
    if (runner->ending.ends_ns == 0)
        runner->ending.ends_ns = now->mono_ns;
    bool is_later = runner->chain.failed_ns > runner->ending.ends_ns && !ps_source_runner_refuses(runner);
    uint64_t since_ns = is_later ? runner->chain.failed_ns : runner->ending.ends_ns;
    if (now->mono_ns >= since_ns + PS_STOP_FAILING_NS)
        return runner->chain.rests; /* else a try is under way */
    ps_source_runner_wake_at(runner, since_ns + PS_STOP_FAILING_NS);
    return false;
}

static void source_is_drained(struct ps_source_runner *runner)
{
    runner->drained = true;
    runner->base.deadline_ns = PS_NEVER;
}

/* Called while the agent stops. Notes that the source need not wait when no further batch is returned, because it reads
 * the rest again at the next start. */
static void source_note_stop(struct ps_source_runner *runner, const struct ps_now *now)
{
    uint64_t out_count = ps_window_outstanding(runner->window);
    runner->ending.rereads = false;
    if (!ps_worker_stops(runner->base.worker) || !ps_source_runner_is_replayable(runner) ||
        (out_count == 0 && !runner->waiting))
        return;
    if (runner->ending.out_since_ns == 0 || runner->ending.out_count != out_count) {
        runner->ending.out_since_ns = now->mono_ns;
        runner->ending.out_count = out_count;
    }
    runner->ending.rereads = now->mono_ns >= runner->ending.out_since_ns + PS_STOP_PATIENCE_NS;
    if (runner->ending.rereads)
        runner->ending.answered = true;
    else
        ps_source_runner_wake_at(runner, runner->ending.out_since_ns + PS_STOP_PATIENCE_NS);
}

/* Called while the source stops. Calls `work` until `drain` returns true; then puts the last batches and waits until
 * they are returned. */
static void source_drain(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_source_ops *ops = ops_of(runner);
    if (waits_in_vain(runner)) { /* the bytes that the source has read are given up when it is closed */
        ps_runner_watch(&runner->base, false);
        runner->ending.answered = ps_source_runner_is_replayable(runner);
        source_is_drained(runner);
        return;
    }
    bool in_vain = fails_in_vain(runner, now);
    if (in_vain && ps_source_runner_chain_failed(runner, now)) {
        ps_source_runner_wake_at(runner, now->mono_ns + PS_NS_PER_MS);
    } else if (in_vain) { /* the batch is given up when it is closed, with a warning */
        ps_runner_watch(&runner->base, false);
        runner->ending.gives_up = true;
        source_is_drained(runner);
        return;
    }
    source_note_stop(runner, now);
    if (runner->inherited != NULL || runner->chain.lease != NULL || !ps_batch_is_empty(runner->batch))
        return;
    bool stopped = !ps_runner_is_open(&runner->base) || ops->drain == NULL ||
                   ops->drain(runner->base.spec->plan, runner->base.state, now);
    if (!stopped || runner->base.status == PS_RUNNER_ENDING) /* a failed source is closed first */
        return;
    /* `work` is no longer called, so readable sockets must not wake the worker. */
    ps_runner_watch(&runner->base, false);
    if (!ps_dead_letter_channel_is_home(runner->base.letters))
        return;
    batch_discard(runner);
    if (!ps_runner_is_open(&runner->base))
        runner->base.deadline_ns = PS_NEVER; /* the source is not opened again */
    runner->ending.answered = runner->ending.rereads || ps_window_is_settled(runner->window) ||
                              (runner->ending.strands_unpromised && ps_source_runner_is_replayable(runner));
    bool home =
        runner->ending.leaves_batches ? runner->ending.answered : ps_window_outstanding(runner->window) == 0;
    if (home)
        source_is_drained(runner);
}

/* Returns whether there is room for the dead letters of one more `work` call: one call makes only a few. */
static bool letters_have_room(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_dead_letter_queue *queue = runner->base.port.dead_letter_queue;
    if (PS_LIKELY(queue == NULL) || ps_dead_letter_queue_has_room(queue))
        return true;
    ps_source_runner_wake_at(runner, now->mono_ns + PS_SOURCE_LETTERS_LOOK_NS);
    return false;
}

/* Returns whether `work` may still be called. */
static bool source_may_read(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_source_ops *ops = ops_of(runner);
    return ps_runner_is_open(&runner->base) && letters_have_room(runner, now) &&
           (!runner->draining ||
            (ops->drain != NULL && !ops->drain(runner->base.spec->plan, runner->base.state, now)));
}

/* ---- a source that failed while it was open ---- */

/* Gives up the events of a replayable source that were not put into a channel: the source reads them again when it is
 * open again. */
static void source_give_up(struct ps_source_runner *runner)
{
    ps_dead_letter_channel_withdraw(runner->base.letters);
    if (runner->chain.lease == NULL)
        return;
    if (runner->chain.routed)
        ps_source_runner_withdraw(runner);
    else
        ps_source_runner_forget_chain(runner);
    if (runner->chain.fails)
        ps_chain_fewer_rows(runner);
    runner->chain.lease->failed = true;
    ps_source_runner_end_chain(runner);
}

/* Puts the events that the source has read and cannot read again. Returns false while a channel is full, or has not
 * fulfilled its promise: only the source that is still open can answer its clients. */
static bool source_put_rest(struct ps_source_runner *runner, const struct ps_now *now)
{
    ps_source_runner_reopen_chain(runner, now);
    return ps_source_runner_put(runner, now) &&
           (ps_batch_is_empty(runner->batch) || batch_close(runner, now)) &&
           ps_window_is_settled(runner->window);
}

/* Called when the source reported a failure. Ends its work in progress, closes it with its chain, and opens it again
 * after a while. */
static bool source_end(struct ps_source_runner *runner, const struct ps_now *now)
{
    bool held = runner->chain.lease != NULL || !ps_batch_is_empty(runner->batch);
    runner->base.deadline_ns = PS_NEVER;
    ps_runner_watch(&runner->base, false);
    if (ps_source_runner_is_replayable(runner))
        source_give_up(runner);
    else if (!source_put_rest(runner, now))
        return false;
    ps_source_runner_wait(runner, false, now);
    batch_discard(runner);
    ps_source_runner_reserve_nothing(runner);
    runner->backoff_until_ns = 0;
    runner->backoff_count = 0;
    ps_chain_close(runner);
    ps_runner_end(&runner->base, now);
    if (ps_source_runner_is_replayable(
            runner)) { /* batches in flight must not move the position of the source that is opened next */
        ps_count(runner->base.counters, PS_COUNTER_duplicated, ps_window_detach(runner->window));
        ps_source_runner_open_window(runner);
    }
    return held;
}

/* Runs one turn of an open source. */
static bool source_turn(struct ps_source_runner *runner, const struct ps_now *now)
{
    bool moved = false;
    runner->base.deadline_ns = PS_NEVER;
    if (ops_of(runner)->tick != NULL)
        runner->base.deadline_ns = ops_of(runner)->tick(runner->base.spec->plan, runner->base.state, now);
    ps_source_runner_wake_at(runner, ps_chain_tick(runner, now));
    const struct ps_block_cache *cache = runner->base.port.blocks;
    uint64_t refused = cache->refused_count;
    bool was_waiting = runner->chain.lease != NULL, reads = false;
    if (ps_source_runner_put(runner, now)) {
        moved = was_waiting;
        reads = runner->old_links == NULL &&
                source_may_read(runner, now); /* new events belong to the new chain */
        if (reads)
            moved |= source_fill(runner, now);
        else if (batch_is_due(runner))
            moved |= batch_close(runner, now);
    }
    ps_source_runner_reserve(runner, now);
    if (now->mono_ns < runner->backoff_until_ns)
        ps_source_runner_wake_at(runner, runner->backoff_until_ns);
    if (cache->refused_count != refused) {
        ps_source_runner_wake_at(runner, now->mono_ns + MEMORY_LOOK_NS);
        reads = false;
    }
    /* The worker does not watch the epoll while a channel is full, because it would spin. */
    ps_runner_watch(&runner->base, reads && !runner->waiting && now->mono_ns >= runner->backoff_until_ns);
    return moved;
}

/* Called after a reload that exchanged the chain. The old chain is closed when the source's earlier input has passed
 * it, or had enough time for that; the leases may still wait for a channel. A source that failed, and will read that
 * input again, gives it up (source_end). */
static void source_exchange_chain(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (runner->base.status == PS_RUNNER_ENDING && ps_source_runner_is_replayable(runner))
        return;
    if (runner->chain.lease == NULL && !ps_batch_is_empty(runner->batch))
        batch_close(runner, now);
    if (runner->chain.lease != NULL && !runner->chain.routed)
        runner->chain.routed = ps_chain_run(runner, now);
    bool is_inside = (runner->chain.lease != NULL && !runner->chain.routed) || runner->chain.rest != NULL;
    if (is_inside && !ps_source_runner_leave_old_chain(runner, now))
        return;
    batch_discard(runner); /* its capacity was limited for the old chain */
    ps_chain_exchange(runner, now);
}

bool ps_source_runner_cycle(struct ps_source_runner *runner, const struct ps_now *now)
{
    bool moved = false, put = false;
    if (PS_UNLIKELY(runner->old_links != NULL))
        source_exchange_chain(runner, now);
    bool ending = runner->base.status == PS_RUNNER_ENDING;
    if (PS_UNLIKELY(runner->inherited != NULL))
        put = ps_source_runner_put_inherited(runner, now);
    if (runner->drained)
        runner->base.deadline_ns = PS_NEVER;
    else if (PS_UNLIKELY(ending))
        moved = source_end(runner, now);
    else if (runner->draining || source_open(runner, now))
        moved = ps_runner_is_open(&runner->base) && source_turn(runner, now);
    if (runner->draining && !runner->drained)
        source_drain(runner, now);
    if (runner->base.status == PS_RUNNER_FAILED && !runner->draining)
        runner->base.deadline_ns = runner->base.retry_ns; /* replaces a deadline of earlier ticks */
    ps_source_runner_tick_channels(runner, now);
    moved |= ps_dead_letter_channel_cycle(runner->base.letters, true, &runner->base.deadline_ns, now);
    if (PS_UNLIKELY(runner->draining)) {
        ps_source_runner_hold_back(runner, !runner->ending.rereads);
        ps_dead_letter_channel_hold_back(runner->base.letters, true);
    }
    ps_source_runner_note(runner);
    return moved || put || (!ending && runner->base.status == PS_RUNNER_ENDING);
}

void ps_source_runner_drain(struct ps_source_runner *runner, const struct ps_plan *next)
{
    runner->draining = runner->ending.leaves_batches = true;
    runner->ending.ends = next == NULL;
    runner->ending.strands = runner->ending.strands_unpromised = false;
    for (size_t i = 0; i < runner->plan->spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &runner->channels[runner->plan->spec->channels[i]];
        runner->ending.leaves_batches &= ps_plan_keeps_channel(next, channel);
        if (!ps_plan_strands(next, channel))
            continue;
        runner->ending.strands = true;
        runner->ending.strands_unpromised |= !ps_channel_is_durable(channel->spec->stage.ops->channel);
    }
    /* the sinks of the other channels end only when these are empty */
    runner->ending.leaves_batches |= runner->ending.strands;
    runner->backoff_until_ns = 0;
}

void ps_source_runner_pause(struct ps_source_runner *runner, bool has_channels, const struct ps_now *now)
{
    ps_runner_watch(&runner->base, false);
    runner->base.deadline_ns = PS_NEVER;
    if (ps_runner_is_open(&runner->base) && ops_of(runner)->tick != NULL)
        runner->base.deadline_ns = ops_of(runner)->tick(runner->base.spec->plan, runner->base.state, now);
    if (ps_runner_is_open(&runner->base))
        ps_source_runner_wake_at(runner, ps_chain_tick(runner, now));
    if (has_channels) {
        ps_source_runner_tick_channels(runner, now);
        (void)ps_dead_letter_channel_cycle(runner->base.letters, false, &runner->base.deadline_ns, now);
    }
}

void ps_source_runner_adopt(struct ps_source_runner *runner, struct ps_plan *plan, size_t source)
{
    struct ps_source_plan *source_plan = &plan->sources[source];
    size_t count = source_plan->spec->channel_count;
    const struct ps_channel_plan *channels = runner->channels;
    PS_ASSERT(source_plan->adopts == runner->plan && runner->old_links == NULL);
    ps_source_runner_leave(runner);
    runner->plan = source_plan;
    runner->channels = plan->channels;
    runner->producers = &source_plan->producers[runner->base.instance * count];
    ps_source_runner_renumber(runner, runner->inherited, channels);
    for (size_t i = 0; i < 2 * count; i++) {
        if (runner->pending[i] != NULL)
            ps_lease_home(runner->pending[i])->channel = (uint16_t)source_plan->spec->channels[i / 2];
    }
    ps_dead_letter_channel_adopt(runner->base.letters, plan, &source_plan->letters[runner->base.instance]);
    if (source_plan->adopts_chain)
        return;
    runner->old_links = runner->links;
    runner->exchange_ns = 0;
    runner->links = ps_links_create(runner, source_plan->chain_stages);
}

/* Called when the source closes while interceptors have not finished the batch, or the halves behind it. */
static void close_chain(struct ps_source_runner *runner)
{
    uint32_t count = ps_source_runner_drop_halves(runner);
    if (!runner->chain.routed) {
        count += runner->chain.lease->count;
        ps_source_runner_forget_chain(runner);
        /* no channel has the events of the batch, so the window must not count them as put */
        runner->chain.lease->failed = ps_source_runner_is_replayable(runner);
        if (runner->chain.lease->failed) /* it reads them again */
            return;
    }
    ps_log(PS_LOG_WARN, runner->base.spec->component, "%s %s", ps_quantity_print_count(count).text,
           ps_quantity_word(count, "event is given up: an interceptor has not finished it",
                            "events are given up: an interceptor has not finished them"));
    ps_count(runner->base.counters, PS_COUNTER_dropped, count);
}

void ps_source_runner_close(struct ps_source_runner *runner, const struct ps_plan *next,
                            struct ps_lease **left, const struct ps_now *now)
{
    if (runner->window == NULL) /* closed before */
        return;
    ps_source_runner_leave(runner);
    ps_source_runner_reserve_nothing(runner);
    ps_source_runner_hold_back(runner, false);
    if (!ps_batch_is_empty(runner->batch)) {
        if (runner->chain.lease == NULL)
            batch_close(runner, now);
        else if (!ps_source_runner_is_replayable(runner))
            ps_log(PS_LOG_WARN, runner->base.spec->component, "%s %s given up: the channel is full",
                   ps_quantity_print_count(runner->batch->count).text,
                   ps_quantity_word(runner->batch->count, "event that was read is",
                                    "events that were read are"));
    }
    if (runner->chain.lease != NULL && !runner->chain.routed)
        runner->chain.routed = ps_chain_run(runner, now);
    if (runner->chain.lease != NULL && (!runner->chain.routed || runner->chain.rest != NULL))
        close_chain(runner);
    ps_source_runner_leave_leases(runner, next, left);
    ps_runner_watch(&runner->base, false);
    if (ps_runner_has_stage(&runner->base))
        ps_chain_close(runner);
    ps_runner_close(&runner->base, now);
    ps_dead_letter_channel_close(runner->base.letters, next,
                                 ps_source_runner_is_replayable(runner) ? NULL : left, now);
    if (runner->chain.lease != NULL) {
        const struct ps_batch_home *batch = ps_batch_home(runner->chain.lease->batch);
        runner->chain.lease->failed |= !ps_runner_letters_written(&runner->base);
        if (runner->chain.routed)
            ps_count(runner->base.counters, PS_COUNTER_EventAcceptedCount,
                     batch->read_count - batch->taken_back);
        ps_source_runner_end_chain(runner);
    }
    batch_discard(runner);
    uint64_t doubled = ps_window_detach(runner->window); /* source_end has counted those of earlier windows */
    if (ps_source_runner_is_replayable(runner))
        ps_count(runner->base.counters, PS_COUNTER_duplicated, doubled);
    runner->window = NULL;
    ps_runner_note(&runner->base, &(struct ps_runner_look){.held = 0});
    ps_bump_fini(&runner->bump);
}
