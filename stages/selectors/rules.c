/* Selector rules: a rules file (docs/RULES.md) says where events go, and may drop them and set headers on the
 * way; changed while events flow (stages/rules/live.h). Not of Flume. Thread: the source's worker. */
#include "stages/rules/stage.h"

static enum ps_status rules_check(const void *plan, const struct ps_context *context)
{
    return ps_rules_stage_check(plan, context, true);
}

static enum ps_status rules_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    return ps_rules_stage_build(plan, context, true, err);
}

/* The chain's lease is the selector's to write while it is asked: rows of a batch that nobody else has yet.
 */
static enum ps_result rules_work(const void *plan, void *state, const struct ps_lease *lease,
                                 struct ps_route *route, const struct ps_now *now)
{
    return ps_rules_stage_work(plan, state, (struct ps_lease *)(uintptr_t)lease, route, now);
}

static const struct ps_selector_ops selector = {.work = rules_work};

const struct ps_stage_ops ps_selector_rules = {
    .kind = PS_KIND_SELECTOR,
    .summary = "a file of rules says where each event goes; changed while events flow",
    .check = rules_check,
    .build = rules_build,
    PS_RULES_STAGE_OPERATIONS,
    .selector = &selector,
};
