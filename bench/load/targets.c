/* The table of targets. */
#include "bench/load/targets.h"

const struct ps_target_ops *const ps_targets[] = {
    &ps_target_tcp,
    &ps_target_stdout,
    NULL,
};
