/* The report of the Java host about itself each second, for the metrics: the MBeans of Flume's counters that
 * its classes have registered, its heap and its garbage collections; and what the system reports about the
 * host's process. Thread: "java-host". */
#pragma once

#include "stages/lib/java/exchange/message.h"

#include <sys/types.h>

#define PS_JAVA_STAT_BYTES 1024

/* Reads /proc/PID/stat. Returns its fields from the state on ("S 1 ..."), in `text`; NULL: there is no such process. */
const char *ps_java_process_stat(pid_t pid, char text[static PS_JAVA_STAT_BYTES]);

/* Handles a message of link 0 if it is PS_JAVA_BEAN or PS_JAVA_STATE. */
void ps_java_figures_take(const struct ps_java_message *message, pid_t pid);
/* Call it when the host has ended: removes its metrics. */
void ps_java_figures_clear(void);
