/* Entries of events in the memory that a Java host shares with the agent. */
#include "stages/lib/java/exchange/events.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned sum(struct ps_slice slice)
{
    unsigned bytes = 0;
    for (uint32_t i = 0; i < slice.length; i++)
        bytes += (unsigned char)slice.data[i]; /* the sanitizer sees a byte outside */
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *area = malloc(size + 1);
    if (area == NULL)
        return 0;
    if (size > 0)
        memcpy(area, data, size);
    struct ps_java_reader reader = {.base = area, .size = (uint32_t)size};
    struct ps_java_event event;
    volatile unsigned bytes = 0;
    while (ps_java_reader_next(&reader, &event)) {
        struct ps_slice name, value, body;
        uint32_t left = event.header_count;
        for (; left > 0 && ps_java_reader_header(&reader, &name, &value); left--)
            bytes += sum(name) + sum(value);
        if (left == 0 && ps_java_reader_body(&reader, &event, &body))
            bytes += sum(body);
        PS_ASSERT(reader.next <= reader.end && reader.end == reader.at && reader.at <= size);
    }
    free(area);
    (void)bytes;
    return 0;
}
