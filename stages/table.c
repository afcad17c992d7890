#include "stages/table.h"

const struct ps_stage_ops *const ps_stages[] = {
#define STAGE(kind, name) &ps_##kind##_##name,
#include "stages/stages.def"
#undef STAGE
    NULL,
};
