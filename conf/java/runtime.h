/* The version of a Java runtime, without starting it. Thread: the control thread. */
#pragma once

#include "core/arena.h"

/* Returns the version of the runtime with this program `java`, 8 or 17, from its file `release`; 0: not known. */
unsigned ps_java_runtime_version(struct ps_arena *arena, const char *java);
