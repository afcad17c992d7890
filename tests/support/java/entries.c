#include "tests/support/java/entries.h"

#include <stdlib.h>
#include <string.h>

struct fake_entries fake_entries;

void fake_put(const void *from, size_t length)
{
    if (length > sizeof fake_entries.data - fake_entries.bytes)
        exit(11);
    memcpy(fake_entries.data + fake_entries.bytes, from, length);
    fake_entries.bytes += (uint32_t)length;
}

void fake_put_header(const char *name, const char *value, uint32_t value_length)
{
    uint32_t lengths[] = {(uint32_t)strlen(name), value_length};
    fake_put(lengths, sizeof lengths);
    fake_put(name, lengths[0]);
    fake_put(value, value_length);
}

void fake_end_entry(uint32_t start, struct ps_java_event *event)
{
    fake_put("\0\0\0", (4 - fake_entries.bytes % 4) % 4);
    event->size = fake_entries.bytes - start;
    memcpy(fake_entries.data + start, event, sizeof *event);
    fake_entries.count++;
}
