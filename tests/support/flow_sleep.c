/* Checks that sleeping workers have nothing to do. */
#include "tests/support/flow_channel.h"

#include "core/flow/engine_channel.h"
#include "core/engine/sink/group.h"
#include "core/engine/sink/setback.h"
#include "core/engine/worker_internal.h"

#define MEMORY_LOOK_NS (10 * PS_NS_PER_MS)
#define LETTERS_LOOK_NS (10 * PS_NS_PER_MS)

static const struct flow_store *store_of(const struct flow *flow, const struct ps_plan *plan,
                                         const struct ps_channel_plan *channel)
{
    return channel->spec->stage.ops == &flow_channel_stage ? flow->stores[channel - plan->channels] : NULL;
}

/* Returns how many leases are in the rings of the channel, for any of its sinks; for a durable channel: 1 if it has a
 * frame, else 0. */
static uint64_t in_rings(const struct flow *flow, const struct ps_plan *plan,
                         const struct ps_channel_plan *channel)
{
    const struct flow_store *store = store_of(flow, plan, channel);
    uint64_t leases = 0;
    if (store != NULL)
        return flow_store_has_frames(store);
    for (unsigned i = 0; i < channel->producer_count; i++) {
        struct ps_fill fill;
        channel->spec->stage.ops->channel->engine->ring(channel->spec->stage.plan, i, &fill);
        leases += fill.size;
    }
    return leases;
}

static void lost(const struct flow *flow, unsigned id, const char *what)
{
    fail_msg("worker %u sleeps although %s (seed %llu)", id, what, (unsigned long long)flow->seed);
}

/* All workers sleep: no lease may wait for a sink that would take it, and no source may have events for which
 * there is room. */
void flow_check_sleeper(const struct flow *flow, const struct ps_plan *plan, struct ps_worker *worker,
                        unsigned id, const struct ps_now *now)
{
    size_t count;
    if (worker->home_first != NULL || worker->arrived != NULL || worker->inbox.newest != NULL)
        lost(flow, id, "a lease has come home");
    struct ps_sink_runner **sinks = ps_worker_sinks(worker, &count);
    for (size_t i = 0; i < count; i++) {
        const struct flow_store *from = store_of(flow, plan, sinks[i]->channel);
        if (from != NULL && flow_store_is_short(from, sinks[i]->consumer)) {
            if (sinks[i]->wants && ps_worker_deadline_ns(worker) > worker->now.mono_ns + MEMORY_LOOK_NS)
                lost(flow, id, "there may be memory again for its sink");
            continue;
        }
        if (sinks[i]->wants && in_rings(flow, plan, sinks[i]->channel) > 0)
            lost(flow, id, "its sink could take a lease");
        /* the only sink of a group rests after a failed attempt, and then takes one lease at a time */
        if (now->mono_ns < sinks[i]->backoff_until_ns || !ps_sink_setback_admits(sinks[i]))
            continue;
        if (sinks[i]->group != NULL && ps_runner_is_open(&sinks[i]->base) && sinks[i]->offered == NULL &&
            in_rings(flow, plan, sinks[i]->channel) > 0 && ps_sink_group_admits(sinks[i], now))
            lost(flow, id, "its sink group could take a lease");
    }
    struct ps_source_runner **sources = ps_worker_sources(worker, &count);
    for (size_t i = 0; i < count; i++) {
        const struct ps_source_runner *source = sources[i];
        if (!ps_runner_letters_written(&source->base)) { /* the batch waits for its letters */
            if (source->chain.lease != NULL && ps_runner_is_open(&source->base) &&
                ps_worker_deadline_ns(worker) > worker->now.mono_ns + LETTERS_LOOK_NS)
                lost(flow, id, "there may be room for its dead letters");
            continue;
        }
        for (size_t k = 0; k < source->plan->spec->channel_count; k++) {
            const struct ps_channel_plan *channel = &source->channels[source->plan->spec->channels[k]];
            const struct ps_stage_spec *stage = &channel->spec->stage;
            struct ps_fill fill;
            const struct flow_store *store = store_of(flow, plan, channel);
            stage->ops->channel->fill(stage->plan, &fill);
            if (store != NULL && flow_store_has_news(store, id, now->mono_ns))
                lost(flow, id, "a promise is not home");
            if (store != NULL && flow_store_is_broken(store))
                continue;
            if (source->chain.lease != NULL && source->chain.routed && source->pending[2 * k] != NULL &&
                fill.size == 0)
                lost(flow, id, "its source could put a batch");
            if (source->inherited != NULL && source->plan->spec->channel_count == 1 && fill.size == 0)
                lost(flow, id, "its source could put what it inherited");
            if (source->chain.lease == NULL && source->inherited == NULL &&
                !ps_batch_is_empty(source->batch) &&
                stage->ops->channel->hungry(stage->plan, source->producers[k]))
                lost(flow, id, "a consumer is hungry for its open batch");
        }
    }
}
