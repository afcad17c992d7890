/* The stages of commands that have no configuration: penstock's own and those of plug-ins. Thread: main. */
#pragma once

#include "core/stage.h"

/* Returns the table; ends with NULL. The first call loads the plug-ins of `path` (as --plugins-path; NULL: the default
 * folders), prints on standard error what cannot be loaded, and keeps them until the process ends. */
const struct ps_stage_ops *const *ps_commands_stages(const char *path);
