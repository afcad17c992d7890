/* What a plug-in's table of stages must be like before the program uses it: all rules are here. The table is data that
 * somebody else compiled, so each pointer is tried before it is followed, and each list has a limit. */
#pragma once

#include "core/stage.h"

#define PS_PLUGIN_NAME_BYTES_MAX 127U /* of a stage or a key */

/* Returns PS_FAIL at the first fault of one of the stages; their number is `count`. The error is a sentence without subject
 * that names the stage ("has a stage .."); `*cure` is advice. Runs no code of the stages. Thread: any. */
enum ps_status ps_plugin_validate(const struct ps_stage_ops *const *stages, size_t count, const char **cure,
                                  struct ps_err *err);
