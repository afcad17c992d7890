/* Configurations that name Java classes: a home of Flume with a jar, a jar of the user's, and what `check` says. Thread: the test's. */
#pragma once

#include "conf/conf.h"
#include "tests/support/java_class.h"

/* Makes a folder (tests/support/folder.h) with lib/flume.jar, own.jar and bin/java, and sets FLUME_HOME, FLUME_CLASSPATH and JAVA_HOME
 * to them. */
void ps_test_java_conf_setup(void **state, const struct ps_test_class *flume,
                             const struct ps_test_class *own);

/* Loads the agent a1 of a.properties, with stages `java` that do not check whether the host is installed,
 * because a build without a JDK has none. */
struct ps_conf *ps_test_java_conf_load(const char *text);
/* The same with a command, whose arena is not used. */
struct ps_conf *ps_test_java_conf_load_with(const struct ps_command *with, const char *text);

/* Returns the first problem in this line of the file, with @ for the folder's name; "" if there is none. */
const char *ps_test_java_conf_said(struct ps_conf *conf, int line);
