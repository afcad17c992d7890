/* Notes whether classes hang while the agent stops. Sources stop first, then sinks, then interceptors: a sink
 * has less time when a source has used up its own, so that the stop as a whole has a bound (docs/STOPPING.md).
 * The Java process does the same for interceptors (Host.java). */
#pragma once

#include <stdbool.h>

/* Call it when the agent begins to stop. Thread: control. */
void ps_java_hangs_begin(void);

/* Call it when a class has not stopped in its time. The call has an effect only while the agent stops: a reload
 * has its own bound. Thread: any. */
void ps_java_hangs_note(void);

/* Returns whether a class has hung since the agent began to stop. Thread: any. */
bool ps_java_hangs_any(void);
