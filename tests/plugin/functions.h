/* Which function of the tested stage runs now. Used by tests/plugin/group.c, in the process of a check. */
#pragma once

#include "core/stage.h"

/* Returns the name of the function of the stage, as its table has it, in which this thread is; NULL: it is in none. Called by a signal handler. The
 * first call, by any thread, must be outside of one: it loads the library that reads the stack. */
const char *ps_plugin_test_function(const struct ps_stage_ops *ops);
