/* Selector replicating (Flume's ReplicatingChannelSelector, the default): sends every event to every channel.
 * Channels in `selector.optional` may miss events: the source does not wait for them. Thread: the source's
 * worker. */
#include "core/stage.h"

#include <string.h>

struct replicating_plan {
    struct ps_texts optional;
    size_t channel_count;
    bool *required; /* by channel */
};

static const struct ps_option options[] = {
    PS_OPTION_ROW("optional", LIST, offsetof(struct replicating_plan, optional),
                  "channels that may miss events: the source does not wait for them"),
    PS_OPTION_END,
};

static bool holds(const struct ps_texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (strcmp(texts->items[i], text) == 0)
            return true;
    }
    return false;
}

static enum ps_status replicating_check(const void *plan_, const struct ps_context *context)
{
    const struct replicating_plan *plan = plan_;
    for (size_t i = 0; i < plan->optional.count; i++) {
        if (!holds(&context->channels, plan->optional.items[i]))
            ps_report(context, PS_LOG_WARN, "optional",
                      "channel %s does not belong to this source and is left out", plan->optional.items[i]);
    }
    return PS_OK;
}

static enum ps_status replicating_build(void *plan_, struct ps_context *context, struct ps_err *)
{
    struct replicating_plan *plan = plan_;
    plan->channel_count = context->channels.count;
    plan->required = ps_arena_alloc(context->arena, plan->channel_count);
    for (size_t i = 0; i < plan->channel_count; i++)
        plan->required[i] = !holds(&plan->optional, context->channels.items[i]);
    return PS_OK;
}

static enum ps_result replicating_work(const void *plan_, void *, const struct ps_lease *,
                                       struct ps_route *route, const struct ps_now *)
{
    const struct replicating_plan *plan = plan_;
    for (unsigned channel = 0; channel < plan->channel_count; channel++)
        ps_route_all(route, channel, plan->required[channel]);
    return PS_DONE;
}

static const struct ps_selector_ops selector = {.work = replicating_work};

const struct ps_stage_ops ps_selector_replicating = {
    PS_STAGE(PS_KIND_SELECTOR),
    .name = "replicating",
    .aliases = PS_WORDS("org.apache.flume.channel.ReplicatingChannelSelector"),
    .summary = "every event to every channel",
    .options = options,
    .plan_size = sizeof(struct replicating_plan),
    .check = replicating_check,
    .build = replicating_build,
    .selector = &selector,
};
