/* A selector: events with the same value of a header go to the same channel.
 *
 *   a1.sources.r1.channels = c1 c2 c3
 *   a1.sources.r1.selector.type = hash_header
 *   a1.sources.r1.selector.header = user
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <string.h>

/* The keys, made once from the configuration. All workers read it. */
struct plan {
    const char *header, *fallback;
    const struct ps_name *name; /* of the header */
    unsigned fallback_channel, channel_count;
};

static const struct ps_option options[] = {
    {.key = "header",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, header),
     .fallback = "key",
     .flags = PS_OPTION_HEADER,
     .help = "name of the header whose value chooses the channel"},
    {.key = "default",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, fallback),
     .help = "channel of the events without this header; unset: the source's first one"},
    PS_OPTION_END,
};

/* The source's channels are numbered by their places in the configuration. */
static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct plan *plan = plan_;
    plan->name = ps_name_intern(plan->header);
    plan->channel_count = (unsigned)context->channels.count;
    if (plan->channel_count == 0)
        return ps_err_set(err, "there is no channel to choose from");
    if (plan->fallback == NULL)
        return PS_OK;
    while (plan->fallback_channel < plan->channel_count &&
           strcmp(context->channels.items[plan->fallback_channel], plan->fallback) != 0)
        plan->fallback_channel++;
    if (plan->fallback_channel == plan->channel_count)
        return ps_err_set(err, "default: the source has no channel %s", plan->fallback);
    return PS_OK;
}

/* Called with the events of one batch. Each event gets a route to one channel, which must take it. */
static enum ps_result work(const void *plan_, void *, const struct ps_lease *lease, struct ps_route *route,
                           const struct ps_now *)
{
    const struct plan *plan = plan_;
    for (uint32_t i = 0; i < lease->count; i++) {
        const struct ps_event *event = ps_lease_event(lease, i);
        unsigned channel = plan->fallback_channel;
        struct ps_slice value;
        if (ps_event_header(lease->batch, event, plan->name, &value))
            channel = ps_name_hash(value.data, value.length) % plan->channel_count;
        ps_route_row(route, channel, true, ps_lease_row(lease, i));
    }
    return PS_DONE;
}

static const struct ps_selector_ops selector = {.work = work};

static const struct ps_stage_ops hash_header = {
    PS_STAGE(PS_KIND_SELECTOR),
    .name = "hash_header",
    .summary = "events with the same value of a header go to the same channel",
    .options = options,
    .plan_size = sizeof(struct plan),
    .build = build,
    .selector = &selector,
};

PS_PLUGIN(&hash_header);
