#include "stages/table.h"

#define STAGE(kind, name) extern const struct ps_stage_ops ps_##kind##_##name;
#include "stages/stages.def"
#undef STAGE

const struct ps_stage_ops *const ps_stages[] = {
#define STAGE(kind, name) &ps_##kind##_##name,
#include "stages/stages.def"
#undef STAGE
    NULL,
};
