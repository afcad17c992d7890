/* Finds out whether the jars of a Java process have changed since it was started: a JVM that has one open reads nonsense
 * from another one in its place. Thread: any; no state. */
#pragma once

#include "core/base.h"

/* Returns a hash of the sizes, times and inodes of the files that the option -cp of the command names. It changes when one of
 * them changes. An entry that ends in a slash and an asterisk names the jars of the folder before it. Of a folder of classes
 * only the folder counts, not the files in it. */
uint64_t ps_java_jars_state(const char *const *argv);

/* Compare, copy and free a list of texts that ends with NULL. The copy of NULL is NULL. */
bool ps_java_argv_equal(const char *const *a, const char *const *b);
const char *const *ps_java_argv_copy(const char *const *texts);
void ps_java_argv_free(const char *const *texts);
