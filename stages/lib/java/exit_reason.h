/* Finds, in the standard output of the Java process, the line in which the JVM itself says why it ended or did not start.
 * Keeps a bounded text. Thread: "java-host". */
#pragma once

#include "core/base.h"

struct ps_java_exit_reason {
    unsigned weight;   /* rank of `text`; 0: the JVM wrote nothing of use */
    unsigned next;     /* what the next line is (exit_reason.c) */
    bool ran, refused; /* the JVM has begun to run; the JVM said that it cannot start with these options */
    char text[280];
    char report[240]; /* the path of the JVM's report of a crash, or empty */
};

void ps_java_exit_reason_begin(struct ps_java_exit_reason *words);
/* Called when the JVM runs. Forgets the lines before, except a line about the end of the process; later lines also count
 * only if they are about its end. */
void ps_java_exit_reason_ran(struct ps_java_exit_reason *words);
void ps_java_exit_reason_take(struct ps_java_exit_reason *words, const char *line, size_t length);
/* Writes the line, the report and the cure. Returns false when there is nothing to say. */
bool ps_java_exit_reason_print(const struct ps_java_exit_reason *words, char *text, size_t room);
