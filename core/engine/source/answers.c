/* Reports to a source the outcome of the batches that it closed: accepted, refused, delivered. Thread: its worker. */
#include "core/engine/worker.h"

static const struct ps_source_ops *ops_of(const struct ps_source_runner *runner)
{
    return runner->base.spec->ops->source;
}

bool ps_source_runner_is_replayable(const struct ps_source_runner *runner)
{
    return ops_of(runner)->needs > PS_LEVEL_ACCEPTED;
}

bool ps_source_runner_waits_for(const struct ps_source_runner *runner, const struct ps_channel_plan *channel)
{
    return ps_source_runner_is_replayable(runner) || ps_channel_is_durable(channel->spec->stage.ops->channel);
}

void ps_source_runner_accept(struct ps_source_runner *runner, const struct ps_batch *batch,
                             const struct ps_now *now)
{
    ps_count(runner->base.counters, PS_COUNTER_EventAcceptedCount, ps_batch_home(batch)->read_count);
    if (!ops_of(runner)->counts_calls)
        ps_count(runner->base.counters, PS_COUNTER_AppendBatchAcceptedCount, 1);
    ps_count(runner->base.counters, PS_COUNTER_batches, 1);
    if (ops_of(runner)->accepted != NULL)
        ops_of(runner)->accepted(runner->base.spec->plan, runner->base.state, batch, now);
}

void ps_source_runner_refuse(struct ps_source_runner *runner, struct ps_batch *batch, const char *reason,
                             const struct ps_now *now)
{
    ps_batch_home(batch)->refused = true;
    ps_count(runner->base.counters, PS_COUNTER_ChannelWriteFail, 1);
    ops_of(runner)->refused(runner->base.spec->plan, runner->base.state, batch, reason, now);
}

/* Called when every required channel has promised the batch and those before it, or when one channel gave the batch
 * up, which happens only if the source can refuse its clients. */
static void report(void *argument, struct ps_batch *batch)
{
    struct ps_source_runner *runner = argument;
    const struct ps_now *now = ps_worker_now(runner->base.worker);
    if (ps_source_runner_is_replayable(runner)) {
        if (ops_of(runner)->delivered != NULL && ps_runner_is_open(&runner->base))
            ops_of(runner)->delivered(runner->base.spec->plan, runner->base.state, batch, now);
    } else if (!ps_batch_home(batch)->refused && ps_runner_has_stage(&runner->base)) {
        if (ps_batch_home(batch)->lost)
            ps_source_runner_refuse(runner, batch, "a channel could not keep it", now);
        else
            ps_source_runner_accept(runner, batch, now);
    }
}

void ps_source_runner_open_window(struct ps_source_runner *runner)
{
    runner->window = ps_window_create(ps_source_runner_is_replayable(runner), report, runner);
}
