/* A record of a channel's positions: it is refused, or its frames print as they were read. */
#include <stdint.h>
#include <string.h>

#include "stages/lib/kafka/positions/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_kafka_frames frames, again;
    static char text[PS_KAFKA_FRAMES_TEXT_BYTES];
    if (!ps_kafka_frames_parse(&frames, (const char *)data, size, 0))
        return 0;
    PS_ASSERT(frames.count <= PS_KAFKA_FRAMES_ROOM);
    uint32_t length = ps_kafka_frames_print(&frames, text);
    PS_ASSERT(length < sizeof text && ps_kafka_frames_parse(&again, text, length, 0));
    PS_ASSERT(again.count == frames.count);
    for (uint32_t i = 0; i < frames.count; i++)
        PS_ASSERT(ps_kafka_frames_has(&again, frames.ranges[i].salt, frames.ranges[i].last));
    return 0;
}
