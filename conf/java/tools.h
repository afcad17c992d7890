/* The commands `hadoop` and `hbase`: where they are, bin/flume-ng of Flume 1.11 asks them for their class paths and for their folders
 * of native libraries. Thread: the control thread; blocks for as long as they run. */
#pragma once

#include "conf/command/command.h"

struct ps_tool_said {
    const char *program;      /* as it was found; NULL: it is not there */
    const char *class_path;   /* NULL: it gives none, and `wrong` says why */
    const char *wrong;        /* or NULL */
    const char *library_path; /* NULL: none, or it was not asked */
};

/* What they said, in the command's arena. A process asks once, as Flume's script does: a reload has the same answers. */
struct ps_tools_said {
    bool asked, asked_libraries;
    struct ps_tool_said hadoop, hbase;
};

/* Asks what was not asked yet. `class_path` is Flume's, which is handed to them. The libraries cost a start of Java each, and are asked
 * only with `libraries`. */
void ps_tools_ask(struct ps_tools_said *said, const struct ps_command *command, const char *class_path,
                  bool libraries);
