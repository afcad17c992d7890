/* Selector rules: a rules file (docs/RULES.md) routes events, and may drop them and set headers. Changes
 * of the file are loaded while events flow (stages/lib/rules/live/live.h). Not in Flume. Thread: the source's
 * worker. */
#include "stages/lib/rules/stage.h"

static enum ps_status rules_check(const void *plan, const struct ps_context *context)
{
    return ps_rules_stage_check(plan, context, true);
}

static enum ps_status rules_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    return ps_rules_stage_build(plan, context, true, err);
}

/* The selector may write to the chain's lease during this call, because no other stage has the batch yet. */
static enum ps_result rules_work(const void *plan, void *state, const struct ps_lease *lease,
                                 struct ps_route *route, const struct ps_now *now)
{
    return ps_rules_stage_work(plan, state, (struct ps_lease *)(uintptr_t)lease, route, now);
}

static const struct ps_selector_ops selector = {.work = rules_work};

const struct ps_stage_ops ps_selector_rules = {
    PS_STAGE(PS_KIND_SELECTOR),
    .summary = "a file of rules routes each event; changes are loaded at run time",
    .check = rules_check,
    .build = rules_build,
    PS_RULES_STAGE_OPERATIONS,
    .selector = &selector,
};
