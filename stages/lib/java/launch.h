/* The command that starts the Java host: the java program, the class path, the options. Thread: control. */
#pragma once

#include "core/arena.h"
#include "stages/lib/java/class_path.h"
#include "stages/lib/java/host.h"

/* Returns the agent's Java host; for the first holder, makes it with `path` (NULL in tests, which have a host
 * of their own). Returns NULL with an error that names what is missing. */
struct ps_java_host *ps_java_launch(const struct ps_class_path *path, struct ps_err *err);

/* For a reload after which components go on as they were: when it has succeeded, the host is started again if its jars or
 * its command have changed. `command` returns the command in the arena, or NULL; `follow` does nothing without a host. */
const char *const *ps_java_launch_command(struct ps_arena *arena, const struct ps_class_path *path);
void ps_java_launch_follow(const char *const *argv);

/* Returns the command of another process of penstock's jar (ask.h, monitor.h), in the arena. Returns NULL with
 * an error that names what is missing. Options that only one process of a machine can have are left out. */
const char *const *ps_java_launch_alone(struct ps_arena *arena, const struct ps_class_path *path,
                                        const char *main_class, struct ps_err *err);

/* Returns whether the host is installed; if not, the error names the package to install. */
bool ps_java_launch_check(struct ps_err *err);

/* Returns the agent's host; calls `make` for the first holder. Thread: control. */
struct ps_java_host *ps_java_host_hold(struct ps_java_host *(*make)(void *argument, struct ps_err *err),
                                       void *argument, struct ps_err *err);
void ps_java_host_release(void);
