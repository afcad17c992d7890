/* The class path, the JVM and its options, as bin/flume-ng of Flume 1.11 finds them. Nothing is started. Thread: the control
 * thread. */
#pragma once

#include "conf/command/command.h"
#include "core/class_path.h"

/* Returns what follows from the command line and the environment, in the arena. */
struct ps_class_path *ps_class_path_make(struct ps_arena *arena, const struct ps_command *command);
