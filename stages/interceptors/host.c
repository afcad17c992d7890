/* Interceptor host (Flume's HostInterceptor): sets a header with this machine's address or name. Finds it
 * once, in `build`; sets it once for the whole batch. Thread: the source's worker; control in `build`,
 * which may wait for the resolver. */
#include "core/stage.h"
#include "stages/lib/local_host.h"

#include <string.h>

struct host_plan {
    const char *header;
    bool use_ip, preserve;
    const struct ps_name *name;
    const char *value; /* NULL: this machine's name does not resolve; no header is set, as in Flume */
    uint32_t value_length;
};

#define FIELD(name) offsetof(struct host_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("hostHeader", TEXT, FIELD(header), "name of the header", .fallback = "host",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("useIP", BOOL, FIELD(use_ip), "use the address instead of the canonical host name",
                  .fallback = "true"),
    PS_OPTION_ROW("preserveExisting", BOOL, FIELD(preserve),
                  "do not change the header of an event that already has it", .fallback = "false"),
    PS_OPTION_END,
};

static enum ps_status host_build(void *plan_, struct ps_context *context, struct ps_err *)
{
    struct host_plan *plan = plan_;
    plan->name = ps_name_intern(plan->header);
    struct ps_local_host host;
    struct ps_err why = {.length = 0};
    if (ps_local_host_find(&host, &why) != PS_OK) {
        ps_log(PS_LOG_WARN, context->component, "the header %s will not be set: %s", plan->header, why.text);
        return PS_OK;
    }
    plan->value = ps_arena_text(context->arena, plan->use_ip ? host.address : host.canonical);
    plan->value_length = (uint32_t)strlen(plan->value);
    return PS_OK;
}

static enum ps_result host_work(const void *plan_, void *, struct ps_lease *lease, const struct ps_now *)
{
    const struct host_plan *plan = plan_;
    if (plan->value == NULL)
        return PS_DONE;
    return ps_batch_shared_set(lease->batch, plan->name, plan->value, plan->value_length, !plan->preserve)
               ? PS_DONE
               : PS_RETRY;
}

static const struct ps_interceptor_ops interceptor = {.work = host_work};

const struct ps_stage_ops ps_interceptor_host = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "host",
    .aliases = PS_WORDS("org.apache.flume.interceptor.HostInterceptor$Builder"),
    .summary = "adds this machine's address or name as a header",
    .options = options,
    .plan_size = sizeof(struct host_plan),
    .build = host_build,
    .interceptor = &interceptor,
};
