/* Interceptor rules: a rules file (docs/RULES.md) drops, tags, extracts and rewrites events; changed while
 * events flow (stages/rules/live.h). It routes nothing: that is the selector's. Not of Flume. Thread: the
 * source's worker. */
#include "stages/rules/stage.h"

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
    .kind = PS_KIND_INTERCEPTOR,
    .name = "rules",
    .summary = "a file of rules drops, tags, extracts, rewrites; changed while events flow",
    .options = ps_rules_stage_options,
    .plan_size = sizeof(struct ps_rules_stage),
    .state_size = sizeof(struct ps_rules_stage_state),
    .refuses = true,
    .check = rules_check,
    .build = rules_build,
    .teardown = ps_rules_stage_teardown,
    .open = ps_rules_stage_open,
    .close = ps_rules_stage_close,
    .describe = ps_rules_stage_describe,
    .reread = ps_rules_stage_reread,
    .series = ps_rules_stage_series,
    .interceptor = &interceptor,
};
