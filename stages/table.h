/* The table of all stages, generated from stages.def. NULL-terminated. */
#pragma once

#include "core/stage.h"

extern const struct ps_stage_ops *const ps_stages[];
