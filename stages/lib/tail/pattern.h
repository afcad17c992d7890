/* Keys whose values are expressions for the names of files. Thread: control. */
#pragma once

#include "core/stage.h"

/* Reports an expression that does not compile, with the expression to write if it is a pattern of the shell. `folder`: what the value
 * has before the expression ("/var/log/", or ""). Returns whether the expression is good. */
bool ps_tail_pattern_check(const struct ps_context *context, const char *key, const char *folder,
                           const char *pattern);
