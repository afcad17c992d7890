/* The command with which the Java host is started: which java, which class path, which options. Thread: control. */
#pragma once

#include "stages/lib/java/host.h"

/* Returns the agent's Java host, and makes it for the first holder. The command comes from JAVA_HOME, JAVA_OPTS, FLUME_JAVA_OPTS,
 * FLUME_HOME and FLUME_CLASSPATH of the environment. Returns NULL: the error names what is missing. */
struct ps_java_host *ps_java_launch(struct ps_err *err);
