/* Interceptor timestamp (Flume's TimestampInterceptor): sets a header with the time in ms since the epoch,
 * once for the whole batch. Uses the time passed to `work` and reads no clock. Thread: the source's
 * worker. */
#include "core/stage.h"
#include "stages/lib/date/calendar.h"

struct timestamp_plan {
    const char *header;
    bool preserve;
    const struct ps_name *name;
};

#define FIELD(name) offsetof(struct timestamp_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("headerName", TEXT, FIELD(header), "name of the header", .fallback = "timestamp",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("preserveExisting", BOOL, FIELD(preserve),
                  "do not change the header of an event that already has it", .fallback = "false"),
    PS_OPTION_END,
};

static enum ps_status timestamp_build(void *plan_, struct ps_context *, struct ps_err *)
{
    struct timestamp_plan *plan = plan_;
    plan->name = ps_name_intern(plan->header);
    return PS_OK;
}

static enum ps_result timestamp_work(const void *plan_, void *, struct ps_lease *lease,
                                     const struct ps_now *now)
{
    const struct timestamp_plan *plan = plan_;
    char text[24];
    return ps_batch_shared_set(lease->batch, plan->name, text, ps_time_render(now->wall_ms, text),
                               !plan->preserve)
               ? PS_DONE
               : PS_RETRY;
}

static const struct ps_interceptor_ops interceptor = {.work = timestamp_work};

const struct ps_stage_ops ps_interceptor_timestamp = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "timestamp",
    .aliases = PS_WORDS("org.apache.flume.interceptor.TimestampInterceptor$Builder"),
    .summary = "adds the time of arrival as a header",
    .options = options,
    .plan_size = sizeof(struct timestamp_plan),
    .build = timestamp_build,
    .interceptor = &interceptor,
};
