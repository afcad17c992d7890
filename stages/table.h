/* All stages of stages.def, each by its name, and their table, which is NULL-terminated. */
#pragma once

#include "core/stage.h"

#define STAGE(kind, name) extern const struct ps_stage_ops ps_##kind##_##name;
#include "stages/stages.def"
#undef STAGE

extern const struct ps_stage_ops *const ps_stages[];
