/* The class path, the JVM and its options, as bin/flume-ng of Flume 1.11 finds them. Thread: the control
 * thread. */
#pragma once

#include "conf/command/command.h"
#include "conf/problem.h"
#include "core/class_path.h"

/* Returns what follows from the command line and the environment, in the arena. Nothing is started. */
struct ps_class_path *ps_class_path_make(struct ps_arena *arena, const struct ps_command *command);

/* Adds what the commands `hadoop` and `hbase` print, where they are (tools.h); called when a class is to be found. Reports what they are
 * (`problems` may be NULL). Blocks while they run. */
void ps_class_path_complete(struct ps_class_path *path, struct ps_arena *arena,
                            const struct ps_command *command, struct ps_problems *problems);
