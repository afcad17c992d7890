/* The commands `hadoop` and `hbase`. Where they exist, bin/flume-ng of Flume 1.11 asks them for their class paths and
 * for their folders of native libraries. Thread: the control thread; blocks for as long as they run. */
#pragma once

#include "conf/command/command.h"

struct ps_tool_said {
    const char *program;      /* path of the program; NULL: it does not exist */
    const char *class_path;   /* NULL: the command gives none, and `wrong` has the reason */
    const char *wrong;        /* the reason why there is no class path, or NULL */
    const char *library_path; /* NULL: there are none, or the command was not asked */
};

/* The answers of the tools, in the command's arena. A process asks once, as Flume's script does: a reload has the
 * same answers. */
struct ps_tools_said {
    bool asked, asked_libraries;
    struct ps_tool_said hadoop, hbase;
};

/* Returns the program of this name in the first folder of PATH that has it, or NULL. */
const char *ps_tools_in_path(struct ps_arena *arena, const struct ps_command *command, const char *name);

/* Asks the questions that were not asked yet. `class_path` is Flume's, which the commands get. Each question about
 * libraries starts a JVM, so it is asked only with `libraries`. */
void ps_tools_ask(struct ps_tools_said *said, const struct ps_command *command, const char *class_path,
                  bool libraries);
