/* Copies the lines that the Java host writes to its standard output into the agent's log. The host marks each
 * line that a component logs: \001, level, \001, component, \001, text. Other lines (of the JVM) are logged
 * under the component "java". Thread: "java-host". */
#pragma once

#include "core/base.h"
#include "stages/lib/java/exit_reason.h"

#define PS_JAVA_LINE_BYTES_MAX 8192U

struct ps_java_lines {
    int fd; /* -1: none; not blocking */
    uint32_t used;
    bool cut;                         /* the rest of a line that was too long is dropped */
    struct ps_java_exit_reason words; /* finds the JVM's own last words in the lines */
    char bytes[PS_JAVA_LINE_BYTES_MAX];
};

void ps_java_lines_init(struct ps_java_lines *lines);
/* From this call on, the struct owns the descriptor. */
void ps_java_lines_begin(struct ps_java_lines *lines, int fd);
int ps_java_lines_fd(const struct ps_java_lines *lines);
/* Reads once, and logs the lines that are complete. */
void ps_java_lines_read(struct ps_java_lines *lines);
/* Called when the process has ended: reads and logs what the process has left in the pipe, and closes the
 * descriptor. */
void ps_java_lines_end(struct ps_java_lines *lines);
