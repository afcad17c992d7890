/* Events as a Java host writes them: entries, which go into an area of the shared memory. Of the Java hosts without Java: the program of
 * tests/support/java/host/, and the processes of the simulator (tests/support/java/process.h). One buffer; one thread. */
#pragma once

#include "stages/lib/java/exchange/events.h"

struct fake_entries {
    char data[256 << 20];
    uint32_t bytes, count;
};
extern struct fake_entries fake_entries;

void fake_put(const void *from, size_t length);
void fake_put_header(const char *name, const char *value, uint32_t value_length);
/* Ends the entry that began at `start` with this event. */
void fake_end_entry(uint32_t start, struct ps_java_event *event);
