/* Finds out whether the jars of a Java process have changed since it was started: if a jar that a JVM has open
 * is replaced, the JVM reads nonsense from the jar. Thread: any; no state. */
#pragma once

#include "core/base.h"

struct ps_java_jars;

/* Returns the sizes, times and inodes of the files that the option -cp of the command names. An entry that ends in
 * a slash and an asterisk names the jars of the folder before it. A folder of classes, such as the configuration
 * directory, is described by the classes in it (not those in its packages), the names of its packages, and the
 * bytes of its XML files. Waits for the file system. */
struct ps_java_jars *ps_java_jars_read(const char *const *argv);
/* Returns the first file or folder that could not be looked at, with the reason; NULL: all could. */
const char *ps_java_jars_blocked(const struct ps_java_jars *jars);
void ps_java_jars_free(struct ps_java_jars *jars);

/* Returns whether a file has come, gone or changed; then writes the file and the change to `text`, "FILE has
 * changed". A file that cannot be looked at now counts as unchanged. A file that could not be looked at before
 * is new when it can be: the JVM may have begun without it. */
bool ps_java_jars_changed(const struct ps_java_jars *before, const struct ps_java_jars *now, char *text,
                          size_t room);

/* Compare, copy and free a list of texts that ends with NULL. The copy of NULL is NULL. */
bool ps_java_argv_equal(const char *const *a, const char *const *b);
const char *const *ps_java_argv_copy(const char *const *texts);
void ps_java_argv_free(const char *const *texts);
