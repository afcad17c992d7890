/* Notes since when the components of one class have been starting in Java: from the opening of their stage
 * until the host says that they are ready. There is one component for each instance of the stage. Threads: each
 * instance's worker notes; any thread reads. A call waits at most while another thread copies a reason. */
#pragma once

#include "core/base.h"

#include <stddef.h>
#include <stdbool.h>

struct ps_java_starts;

struct ps_java_starts *ps_java_starts_create(void);
void ps_java_starts_destroy(struct ps_java_starts *starts);

enum ps_java_start {
    PS_JAVA_NO_START,  /* the component is ready, or closed */
    PS_JAVA_NO_HOST,   /* the component waits for the Java process */
    PS_JAVA_NOT_READY, /* the host has the class: configure() and start() have not returned */
};

/* Notes which step of its start the instance has reached; notes the time when the start begins. */
void ps_java_starts_note(struct ps_java_starts *starts, unsigned instance, enum ps_java_start start);

/* Sets the reason why the instance waits, for /readyz. The reason stays until ps_java_starts_forget is called
 * or PS_JAVA_NO_START is noted. A longer text is cut. */
void ps_java_starts_explain(struct ps_java_starts *starts, unsigned instance, const char *why);
void ps_java_starts_forget(struct ps_java_starts *starts, unsigned instance);
/* Returns whether an instance waits for something; writes the latest reason to `text`. Thread: any. */
bool ps_java_starts_why(struct ps_java_starts *starts, char *text, size_t room);

/* Returns the step of the instance that has been starting for the longest time; `*since_ns`: monotonic time at
 * which its start began. */
enum ps_java_start ps_java_starts_longest(const struct ps_java_starts *starts, uint64_t *since_ns);
