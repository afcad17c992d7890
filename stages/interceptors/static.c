/* Interceptor static (Flume's StaticInterceptor): one fixed header, set once for the whole batch. Thread: the
 * source's worker. */
#include "core/stage.h"

#include <string.h>

struct static_plan {
    const char *key, *value;
    bool preserve;
    const struct ps_name *name;
    uint32_t value_length;
};

#define FIELD(name) offsetof(struct static_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("key", TEXT, FIELD(key), "name of the header", .fallback = "key",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("value", TEXT, FIELD(value), "its value", .fallback = "value"),
    PS_OPTION_ROW("preserveExisting", BOOL, FIELD(preserve),
                  "do not change the header of an event that already has it", .fallback = "true"),
    PS_OPTION_END,
};

static enum ps_status static_build(void *plan_, struct ps_context *, struct ps_err *)
{
    struct static_plan *plan = plan_;
    plan->name = ps_name_intern(plan->key);
    plan->value_length = (uint32_t)strlen(plan->value);
    return PS_OK;
}

static enum ps_result static_work(const void *plan_, void *, struct ps_lease *lease, const struct ps_now *)
{
    const struct static_plan *plan = plan_;
    return ps_batch_shared_set(lease->batch, plan->name, plan->value, plan->value_length, !plan->preserve)
               ? PS_DONE
               : PS_RETRY;
}

static const struct ps_interceptor_ops interceptor = {.work = static_work};

const struct ps_stage_ops ps_interceptor_static = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "static",
    .aliases = PS_WORDS("org.apache.flume.interceptor.StaticInterceptor$Builder"),
    .summary = "adds a fixed header",
    .options = options,
    .plan_size = sizeof(struct static_plan),
    .build = static_build,
    .interceptor = &interceptor,
};
