/* The class path, the JVM and its options, as bin/flume-ng of Flume 1.11 finds them. Thread: the control
 * thread. */
#pragma once

#include "conf/command/command.h"
#include "conf/problem.h"
#include "stages/lib/java/class_path.h"

/* Returns the class path that follows from the command line and the environment, in the arena. Starts nothing. */
struct ps_class_path *ps_class_path_make(struct ps_arena *arena, const struct ps_command *command);

/* Adds the output of the commands `hadoop` and `hbase`, if they exist (tools.h). Called when a class must be
 * found. Reports the commands (`problems` may be NULL). Blocks while they run. */
void ps_class_path_complete(struct ps_class_path *path, struct ps_arena *arena,
                            const struct ps_command *command, struct ps_problems *problems);
