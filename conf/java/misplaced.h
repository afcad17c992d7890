/* Jars that lie beside the class path: in FLUME_HOME itself, in a plug-in's folder without `lib`, or in a folder below `lib`. Flume does not look
 * there. Thread: the control thread. */
#pragma once

#include "conf/command/command.h"

/* Returns what to do with a jar that has the class of this name and lies in a place where no class is looked for;
 * NULL: there is no such jar. */
const char *ps_misplaced_cure(struct ps_arena *arena, const struct ps_command *command, const char *name);
