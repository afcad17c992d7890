/* Interceptor rules: a rules file (docs/RULES.md) drops, tags, extracts and rewrites events. Changes of the
 * file are loaded while events flow (stages/lib/rules/live/live.h). The interceptor does not route events; the
 * selector `rules` does. Not in Flume. Thread: the source's worker. */
#include "stages/lib/rules/stage.h"

static enum ps_status rules_check(const void *plan, const struct ps_context *context)
{
    return ps_rules_stage_check(plan, context, false);
}

static enum ps_status rules_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    return ps_rules_stage_build(plan, context, false, err);
}

static enum ps_result rules_work(const void *plan, void *state, struct ps_lease *lease,
                                 const struct ps_now *now)
{
    return ps_rules_stage_work(plan, state, lease, NULL, now);
}

static const struct ps_interceptor_ops interceptor = {.work = rules_work};

const struct ps_stage_ops ps_interceptor_rules = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .summary = "a file of rules drops, tags, extracts and rewrites events; changes are loaded at run time",
    .check = rules_check,
    .build = rules_build,
    PS_RULES_STAGE_OPERATIONS,
    .interceptor = &interceptor,
};
