/* An interceptor: adds a checksum of the body as a header, and may drop events without a body.
 *
 *   a1.sources.r1.interceptors = i1
 *   a1.sources.r1.interceptors.i1.type = add_checksum
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <stdio.h>
#include <string.h>

#define CHECKSUM_BYTES 8U

/* The keys, made once from the configuration. All workers read it. */
struct plan {
    const char *header;
    bool drop_empty;
    const struct ps_name *name; /* of the header */
};

static const struct ps_option options[] = {
    {.key = "header",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, header),
     .fallback = "checksum",
     .flags = PS_OPTION_HEADER,
     .help = "name of the header; an event that has it keeps its value"},
    {.key = "dropEmpty",
     .type = PS_OPTION_BOOL,
     .offset = offsetof(struct plan, drop_empty),
     .fallback = "false",
     .help = "drop events without a body"},
    PS_OPTION_END,
};

static enum ps_status build(void *plan_, struct ps_context *, struct ps_err *)
{
    struct plan *plan = plan_;
    plan->name = ps_name_intern(plan->header);
    return PS_OK;
}

/* Returns false when there is no memory. The value lives in the batch, as long as the event. */
static bool add(const struct plan *plan, struct ps_batch *batch, struct ps_event *event)
{
    char text[CHECKSUM_BYTES + 1];
    struct ps_slice value;
    if (ps_event_header(batch, event, plan->name, &value))
        return true; /* the header may be there already, from an earlier call that ended with PS_RETRY */
    char *bytes = ps_batch_alloc(batch, CHECKSUM_BYTES);
    if (bytes == NULL)
        return false;
    snprintf(text, sizeof text, "%08x", ps_name_hash(event->body, event->body_length));
    memcpy(bytes, text, CHECKSUM_BYTES);
    return ps_batch_header_add(batch, event, plan->name, bytes, CHECKSUM_BYTES);
}

/* Called with the events of one batch. Returns PS_RETRY when there is no memory now: the engine then calls again with
 * the same events. */
static enum ps_result work(const void *plan_, void *, struct ps_lease *lease, const struct ps_now *)
{
    const struct plan *plan = plan_;
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    for (uint32_t i = 0; i < lease->count; i++) {
        struct ps_event *event = ps_lease_event(lease, i);
        uint16_t row = ps_lease_row(lease, i);
        if (plan->drop_empty && event->body_length == 0)
            continue;
        if (!add(plan, lease->batch, event))
            return PS_RETRY;
        keep[row / 64] |= UINT64_C(1) << (row % 64);
    }
    return ps_lease_filter_bits(lease, keep) ? PS_DONE : PS_RETRY;
}

static const struct ps_interceptor_ops interceptor = {.work = work};

static const struct ps_stage_ops add_checksum = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "add_checksum",
    .summary = "adds a checksum of the body as a header",
    .options = options,
    .plan_size = sizeof(struct plan),
    .build = build,
    .interceptor = &interceptor,
};

PS_PLUGIN(&add_checksum);
