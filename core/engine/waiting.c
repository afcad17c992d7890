/* Decides which workers sleep and which are woken: a put wakes one worker with a sink that found the channel empty;
 * a take wakes the workers with a source that could not put its lease into the channel.
 *
 * A worker joins the waiters only to park (rings/waiters.h), so a busy worker costs the others one look at a word
 * for each lease. Thread: the runner's worker.
 *
 * A put relies on the worker that it chose. If that worker's sink will not take a lease now (its destination is slow
 * or failed), the worker chooses another: otherwise the lease would wait while a worker that could deliver it
 * sleeps.
 *
 * The sink of a durable channel takes nothing more in DRAIN, and joins no waiters then. But a producer that stops
 * may have a batch for which a full channel has no room: it sets `held_back` and wakes the workers of the channel's
 * sinks, which continue until it has put the batch. */
#include "core/engine/worker.h"

_Static_assert(PS_WORKERS_MAX <= PS_WAITERS_MAX, "a bit for each worker");
_Static_assert(PS_CHANNELS_PER_SOURCE_MAX <= 64, "a bit for each channel of a source");

static struct ps_channel_waiters *waiters_of(const struct ps_source_runner *runner, size_t nth)
{
    return runner->channels[runner->plan->spec->channels[nth]].waiters;
}

void ps_wake_consumer(struct ps_worker *worker, const struct ps_channel_plan *channel)
{
    ps_worker_touch(worker, ps_waiters_take_one(&channel->waiters->consumers));
}

void ps_channel_took(struct ps_worker *worker, const struct ps_channel_plan *channel, struct ps_lease *lease,
                     enum ps_put put)
{
    if (put == PS_PUT_LATER)
        ps_window_owe(lease);
    else if (!ps_channel_is_durable(channel->spec->stage.ops->channel))
        /* a durable channel wakes a consumer when it fulfils the promise */
        ps_wake_consumer(worker, channel);
}

void ps_wake_producers(struct ps_worker *worker, const struct ps_channel_plan *channel)
{
    ps_worker_touch(worker, ps_waiters_take_all(&channel->waiters->producers));
}

/* ---- sinks ---- */

void ps_sink_runner_pass_on(struct ps_sink_runner *runner)
{
    const struct ps_stage_spec *stage = &runner->channel->spec->stage;
    struct ps_fill fill;
    if (runner->channel->consumer_count == 1)
        return;
    stage->ops->channel->fill(stage->plan, &fill);
    if (fill.size > 0)
        ps_wake_consumer(runner->base.worker, runner->channel);
}

void ps_sink_runner_leave(struct ps_sink_runner *runner)
{
    if (!runner->joined)
        return;
    runner->joined = false;
    bool chosen = !ps_waiters_leave(&runner->channel->waiters->consumers, ps_worker_id(runner->base.worker));
    if (chosen && !runner->wants)
        ps_sink_runner_pass_on(runner);
}

bool ps_sink_runner_join(struct ps_sink_runner *runner)
{
    /* if this worker joined, a put may have chosen it: another worker must be woken before this one sleeps */
    if (!runner->wants)
        return runner->joined;
    runner->joined = true;
    return ps_waiters_join(&runner->channel->waiters->consumers, ps_worker_id(runner->base.worker));
}

/* ---- sources ---- */

/* Returns a mask of the channels for which the source has inherited leases that are not put yet: bit i is the source's
 * i-th channel. */
static uint64_t inherited_wait_for(const struct ps_source_runner *runner)
{
    uint64_t bits = 0;
    for (struct ps_lease *lease = runner->inherited; lease != NULL; lease = lease->next) {
        for (size_t i = 0; i < runner->plan->spec->channel_count; i++)
            bits |= (uint64_t)(runner->plan->spec->channels[i] == ps_lease_home(lease)->channel) << i;
    }
    return bits;
}

/* Returns a mask of the channels that had no room: bit i is the source's i-th channel. */
static uint64_t source_lacks_room(const struct ps_source_runner *runner)
{
    uint64_t bits = inherited_wait_for(runner);
    if (bits != 0 || runner->chain.lease == NULL)
        return bits;
    for (size_t i = 0; runner->chain.routed && i < 2 * runner->plan->spec->channel_count; i++)
        bits |= (uint64_t)(runner->pending[i] != NULL) << (i / 2);
    return bits;
}

/* Returns a mask of the channels that block the source: bit i is set if the source's i-th channel had no room, or for
 * all channels while the open batch waits for a hungry consumer. */
static uint64_t source_waits_for(const struct ps_source_runner *runner)
{
    size_t count = runner->plan->spec->channel_count;
    uint64_t bits = source_lacks_room(runner);
    if (bits != 0 || runner->chain.lease != NULL || ps_batch_is_empty(runner->batch))
        return bits;
    return count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

void ps_source_runner_leave(struct ps_source_runner *runner)
{
    for (; runner->joined != 0; runner->joined &= runner->joined - 1)
        (void)ps_waiters_leave(&waiters_of(runner, (size_t)__builtin_ctzll(runner->joined))->producers,
                               ps_worker_id(runner->base.worker));
}

bool ps_source_runner_join(struct ps_source_runner *runner)
{
    bool joined = false;
    for (uint64_t bits = source_waits_for(runner); bits != 0; bits &= bits - 1) {
        joined |= ps_waiters_join(&waiters_of(runner, (size_t)__builtin_ctzll(bits))->producers,
                                  ps_worker_id(runner->base.worker));
        runner->joined |= bits & -bits;
    }
    return joined;
}

/* ---- producers that stop ---- */

void ps_hold_back(struct ps_worker *worker, const struct ps_channel_plan *channel, unsigned producer,
                  bool held_back)
{
    struct ps_flag *flag = &channel->held_back[producer];
    if (PS_LIKELY(ps_flag_get(flag) == held_back))
        return;
    ps_flag_set(flag, held_back);
    for (unsigned i = 0; held_back && i < channel->consumer_count; i++)
        ps_worker_touch(worker, UINT64_C(1) << channel->consumer_workers[i]);
}

bool ps_is_holding_back(const struct ps_channel_plan *channel)
{
    bool any = false;
    for (unsigned i = 0; !any && i < channel->producer_count; i++)
        any = ps_flag_get(&channel->held_back[i]);
    return any;
}

void ps_source_runner_hold_back(struct ps_source_runner *runner, bool stops)
{
    uint64_t bits = stops ? source_lacks_room(runner) : 0;
    for (size_t i = 0; i < runner->plan->spec->channel_count; i++)
        ps_hold_back(runner->base.worker, &runner->channels[runner->plan->spec->channels[i]],
                     runner->producers[i], (bits >> i & 1) != 0);
}
