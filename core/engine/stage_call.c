#include "core/engine/stage_call.h"

static enum ps_status fail_with_reason(const struct ps_stage_ops *ops, const char *function,
                                       struct ps_err *err)
{
    if (err->length == 0)
        ps_err_set(err, "%s of %s %s failed and gave no reason; whoever wrote it has to call ps_err_set",
                   function, ps_stage_kind_word(ops->kind), ops->name);
    return PS_FAIL;
}

enum ps_status ps_stage_build(const struct ps_stage_ops *ops, void *plan, struct ps_context *context,
                              struct ps_err *err)
{
    if (ops->build == NULL || ops->build(plan, context, err) == PS_OK)
        return PS_OK;
    return fail_with_reason(ops, "build", err);
}

enum ps_status ps_stage_open(const struct ps_stage_ops *ops, const void *plan, void *state,
                             struct ps_port *port, struct ps_err *err)
{
    if (ops->open == NULL || ops->open(plan, state, port, err) == PS_OK)
        return PS_OK;
    return fail_with_reason(ops, "open", err);
}
