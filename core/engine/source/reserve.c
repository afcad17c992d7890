/* Room in the channels for events that a source promises before it puts them (core/flow/engine_source.h). Thread: its
 * worker. */
#include "core/engine/worker.h"
#include "core/flow/engine_channel.h"
#include "core/flow/engine_source.h"

bool ps_source_runner_refuses(const struct ps_source_runner *runner)
{
    return runner->base.spec->ops->source->when_full != PS_WAIT &&
           (runner->chain.lease == NULL || !runner->chain.lease->batch->promised);
}

/* Asks each channel of the source to reserve room. Returns the smallest number of events for which a channel has
 * room. */
static uint64_t reserve(struct ps_source_runner *runner, uint64_t events)
{
    for (size_t i = 0; i < runner->plan->spec->channel_count; i++) {
        const struct ps_stage_spec *channel = &runner->channels[runner->plan->spec->channels[i]].spec->stage;
        const struct ps_engine_channel_ops *ops = ps_engine_channel(channel->ops->channel);
        uint64_t room = ops->reserve != NULL ? ops->reserve(channel->plan, runner->producers[i], events) : 0;
        events = room < events ? room : events;
    }
    return events;
}

void ps_source_runner_reserve(struct ps_source_runner *runner, const struct ps_now *now)
{
    const struct ps_engine_source_ops *ops = runner->base.spec->ops->source->engine;
    if (PS_LIKELY(ops == NULL || ops->reserves == NULL) || !ps_runner_is_open(&runner->base))
        return;
    uint64_t wanted = ops->reserves(runner->base.spec->plan, runner->base.state);
    uint64_t events = reserve(runner, wanted);
    if (events < wanted)
        /* reduces the room in channels that have more than the smallest one */
        events = reserve(runner, events);
    ops->reserved(runner->base.spec->plan, runner->base.state, events, now);
}

void ps_source_runner_reserve_nothing(struct ps_source_runner *runner)
{
    const struct ps_engine_source_ops *ops = runner->base.spec->ops->source->engine;
    if (ops != NULL && ops->reserves != NULL)
        (void)reserve(runner, 0);
}
