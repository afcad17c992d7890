/* The calls of a stage's functions that may fail when it is set up: each failure has a reason. For the engine, and for
 * components that open a serializer or a deserializer. */
#pragma once

#include "core/stage.h"

/* Call `build` and `open` of the stage, if it has them. On PS_FAIL `err` has a reason, also if the stage gave none; before the
 * call it is empty. Thread: that of the function. */
enum ps_status ps_stage_build(const struct ps_stage_ops *ops, void *plan, struct ps_context *context,
                              struct ps_err *err);
enum ps_status ps_stage_open(const struct ps_stage_ops *ops, const void *plan, void *state,
                             struct ps_port *port, struct ps_err *err);
