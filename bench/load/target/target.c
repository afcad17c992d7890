#include "bench/load/target/target.h"

#include <stdlib.h>

enum ps_status ps_target_plan(const struct ps_target_ops *ops, struct ps_url *url, enum ps_framing *framing,
                              void **plan, struct ps_err *err)
{
    *plan = ps_must_alloc(1, ops->plan_bytes, "a target");
    if (ops->plan == NULL || ops->plan(*plan, url, framing, err) == PS_OK)
        return PS_OK;
    ps_target_unplan(ops, *plan);
    *plan = NULL;
    return PS_FAIL;
}

void ps_target_unplan(const struct ps_target_ops *ops, void *plan)
{
    if (plan != NULL && ops->unplan != NULL)
        ops->unplan(plan);
    free(plan);
}

enum ps_status ps_target_open(const struct ps_target_ops *ops, const void *plan, struct ps_lane *lane,
                              void **state, struct ps_err *err)
{
    *state = ps_must_alloc(1, ops->state_bytes, "a connection");
    if (ops->open(*state, plan, lane, err) == PS_OK)
        return PS_OK;
    free(*state);
    *state = NULL;
    return PS_FAIL;
}

void ps_target_close(const struct ps_target_ops *ops, void *state)
{
    if (state != NULL)
        ops->close(state);
    free(state);
}
