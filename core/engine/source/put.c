/* Takes a source's closed batch through the chain into the channels: each lease is put, or waits for room, or is
 * refused after the keep-alive. Thread: its worker. */
#include <stdio.h>
#include <string.h>

#include "core/engine/worker.h"

static const struct ps_source_ops *ops_of(const struct ps_source_runner *runner)
{
    return runner->base.spec->ops->source;
}

void ps_source_runner_wake_at(struct ps_source_runner *runner, uint64_t mono_ns)
{
    if (mono_ns < runner->base.deadline_ns)
        runner->base.deadline_ns = mono_ns;
}

static void drop_optional(struct ps_source_runner *runner, struct ps_lease **pending)
{
    ps_count(runner->base.counters, PS_COUNTER_dropped, (*pending)->count);
    ps_window_release(*pending);
    *pending = NULL;
}

/* Tries to put every lease that is not put yet. Returns true when none is left. */
static bool put_pending(struct ps_source_runner *runner, const struct ps_now *now)
{
    size_t slots = 2 * runner->plan->spec->channel_count;
    bool all = true;
    for (size_t i = 0; i < slots; i++) {
        struct ps_lease *lease = runner->pending[i];
        if (lease == NULL)
            continue;
        struct ps_channel_plan *channel = &runner->channels[ps_lease_home(lease)->channel];
        unsigned producer = runner->producers[i / 2];
        struct ps_counters *counters = &channel->counters[producer];
        uint32_t count = lease->count;
        ps_batch_charge(lease, &runner->marks[i / 2]);
        if (!runner->waiting)
            ps_count(counters, PS_COUNTER_EventPutAttemptCount, count);
        enum ps_put put = channel->spec->stage.ops->channel->put(channel->spec->stage.plan, producer,
                                                                 &runner->pending[i], now);
        if (put != PS_PUT_FULL) {
            ps_count(counters, PS_COUNTER_EventPutSuccessCount, count);
            ps_batch_mark(runner->chain.lease, &runner->marks[i / 2]);
            ps_channel_took(runner->base.worker, channel, lease, put);
        } else if (!lease->required) {
            drop_optional(runner, &runner->pending[i]);
        } else {
            all = false;
        }
    }
    return all;
}

void ps_source_runner_begin_chain(struct ps_source_runner *runner, struct ps_lease *chain, size_t stage)
{
    runner->chain.lease = chain;
    chain->refusable = ps_source_runner_refuses(runner);
    runner->chain.stage = stage;
    runner->chain.wait_ns = 0; /* a chain that was given up may have left a time */
    runner->chain.fails = runner->chain.rests = runner->chain.halves = false;
    runner->chain.failed_ns = 0;
    runner->chain.routed = false;
}

void ps_source_runner_end_chain(struct ps_source_runner *runner)
{
    struct ps_lease *chain = runner->chain.lease;
    runner->chain.lease = NULL;
    ps_window_release(chain);
    if (PS_UNLIKELY(runner->chain.rest != NULL))
        ps_source_runner_begin_half(runner);
}

/* Called when all leases were put. A source that is not replayable learns this from the window: immediately, or when
 * the last channel has fulfilled its promise. */
static void chain_put(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (ps_source_runner_is_replayable(runner))
        ps_source_runner_accept(runner, runner->chain.lease->batch, now);
    ps_source_runner_end_chain(runner);
}

void ps_source_runner_forget_chain(struct ps_source_runner *runner)
{
    memset(runner->pending, 0, 2 * runner->plan->spec->channel_count * sizeof(struct ps_lease *));
}

void ps_source_runner_withdraw(struct ps_source_runner *runner)
{
    for (size_t i = 0; i < 2 * runner->plan->spec->channel_count; i++) {
        struct ps_lease *lease = runner->pending[i];
        if (lease == NULL)
            continue;
        lease->failed = true;
        ps_window_release(lease);
        runner->pending[i] = NULL;
    }
}

static void chain_refuse(struct ps_source_runner *runner, const struct ps_now *now)
{
    char reason[600] = "a channel is full";
    (void)ps_source_runner_why_full(runner, reason, sizeof reason);
    ps_source_runner_withdraw(runner);
    ps_source_runner_refuse(runner, runner->chain.lease->batch, reason, now);
    ps_source_runner_end_chain(runner);
}

bool ps_source_runner_chain_failed(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (!ps_source_runner_refuses(runner))
        return false;
    ps_chain_fewer_rows(runner);
    ps_source_runner_forget_chain(runner);
    ps_source_runner_refuse(runner, runner->chain.lease->batch, "an interceptor cannot handle the events",
                            now);
    ps_source_runner_end_chain(runner);
    return true;
}

static uint64_t keep_alive_ns(const struct ps_source_runner *runner)
{
    uint64_t longest_ms = 0;
    for (size_t i = 0; i < 2 * runner->plan->spec->channel_count; i++) {
        if (runner->pending[i] == NULL)
            continue;
        const struct ps_stage_spec *channel =
            &runner->channels[ps_lease_home(runner->pending[i])->channel].spec->stage;
        uint64_t ms = channel->ops->channel->keep_alive_ms != NULL
                          ? channel->ops->channel->keep_alive_ms(channel->plan)
                          : 0;
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms * PS_NS_PER_MS;
}

void ps_source_runner_tick_channels(struct ps_source_runner *runner, const struct ps_now *now)
{
    for (size_t i = 0; i < runner->plan->spec->channel_count; i++) {
        const struct ps_stage_spec *channel = &runner->channels[runner->plan->spec->channels[i]].spec->stage;
        if (channel->ops->channel->tick != NULL)
            ps_source_runner_wake_at(runner, channel->ops->channel->tick(channel->plan, runner->producers[i],
                                                                         &runner->base.port, now));
    }
}

bool ps_source_runner_put(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (PS_UNLIKELY(runner->inherited != NULL)) {
        ps_source_runner_wait(runner, true, now);
        return false;
    }
    if (runner->chain.lease == NULL)
        return true;
    if (!runner->chain.routed) {
        runner->chain.routed = ps_chain_run(runner, now);
        if (!runner->chain.routed && runner->chain.fails && ps_source_runner_chain_failed(runner, now))
            return true;
        if (!runner->chain.routed) {
            ps_source_runner_wake_at(runner, now->mono_ns + PS_NS_PER_MS);
            return false;
        }
    }
    if (!ps_runner_letters_written(&runner->base)) {
        ps_source_runner_wake_at(runner, now->mono_ns + PS_SOURCE_LETTERS_LOOK_NS);
        return false;
    }
    if (put_pending(runner, now)) {
        ps_source_runner_wait(runner, false, now);
        runner->refuses = false;
        chain_put(runner, now);
        return runner->chain.lease == NULL || ps_source_runner_put(runner, now);
    }
    ps_source_runner_wait(runner, true, now);
    if (ps_source_runner_refuses(runner)) {
        uint64_t until = runner->waiting_since_ns + keep_alive_ns(runner);
        if (now->mono_ns >= until || runner->refuses) {
            chain_refuse(runner, now);
            runner->refuses = ops_of(runner)->when_full == PS_REFUSE_TOGETHER;
            ps_source_runner_wait(runner, false, now);
            return true;
        }
        ps_source_runner_wake_at(runner, until);
    }
    return false;
}
