/* Finds out whether the jars of a Java process have changed since it was started: a JVM that has one open reads nonsense
 * from another one in its place. Thread: any; no state. */
#pragma once

#include "core/base.h"

/* Returns a number for names, sizes, times and inodes of what the option -cp of the command names: another one when one of them has
 * changed. Files in a folder of classes do not count, but the folder does. */
uint64_t ps_java_jars_state(const char *const *argv);

/* Lists of texts that end with NULL: whether they are equal; a copy (NULL of NULL), and its end. */
bool ps_java_argv_equal(const char *const *a, const char *const *b);
const char *const *ps_java_argv_copy(const char *const *texts);
void ps_java_argv_free(const char *const *texts);
