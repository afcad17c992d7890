#include "stages/lib/kafka/positions/frames.h"

#include <inttypes.h>
#include <string.h>

static void remove_range(struct ps_kafka_frames *frames, uint32_t at)
{
    frames->count--;
    memmove(&frames->ranges[at], &frames->ranges[at + 1], (frames->count - at) * sizeof *frames->ranges);
}

static void append(struct ps_kafka_frames *frames, struct ps_kafka_frame_range range)
{
    if (frames->count == PS_KAFKA_FRAMES_MAX)
        remove_range(frames, 0);
    frames->ranges[frames->count++] = range;
}

/* Returns whether the range has the frame, or a frame next to it. */
static bool touches(const struct ps_kafka_frame_range *range, uint32_t salt, uint64_t number)
{
    return range->salt == salt && (number >= range->first || range->first - number == 1) &&
           (number <= range->last || number - range->last == 1);
}

void ps_kafka_frames_add(struct ps_kafka_frames *frames, uint32_t salt, uint64_t number)
{
    struct ps_kafka_frame_range range = {.first = number, .last = number, .salt = salt};
    for (uint32_t i = frames->count; i > 0; i--) {
        const struct ps_kafka_frame_range *known = &frames->ranges[i - 1];
        if (!touches(known, salt, number))
            continue;
        range.first = known->first < range.first ? known->first : range.first;
        range.last = known->last > range.last ? known->last : range.last;
        remove_range(frames, i - 1);
    }
    append(frames, range);
}

bool ps_kafka_frames_has(const struct ps_kafka_frames *frames, uint32_t salt, uint64_t number)
{
    for (uint32_t i = frames->count; i > 0; i--) {
        const struct ps_kafka_frame_range *range = &frames->ranges[i - 1];
        if (range->salt == salt && number >= range->first && number <= range->last)
            return true;
    }
    return false;
}

uint32_t ps_kafka_frames_print(const struct ps_kafka_frames *frames, char text[PS_KAFKA_FRAMES_TEXT_BYTES])
{
    int used = snprintf(text, PS_KAFKA_FRAMES_TEXT_BYTES, "1");
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct ps_kafka_frame_range *range = &frames->ranges[i];
        used += snprintf(text + used, PS_KAFKA_FRAMES_TEXT_BYTES - (size_t)used,
                         " %" PRIu32 ":%" PRIu64 "-%" PRIu64, range->salt, range->first, range->last);
    }
    return (uint32_t)used;
}

/* Reads a number of one to twenty digits, and the character behind it (0: the end of the text). */
static bool take_number(const char **at, const char *end, char behind, uint64_t *number)
{
    const char *first = *at;
    for (*number = 0; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(**at - '0'), number))
            return false;
    }
    if (*at == first)
        return false;
    if (behind == '\0')
        return *at == end || **at == ' ';
    return *at < end && *(*at)++ == behind;
}

bool ps_kafka_frames_parse(struct ps_kafka_frames *frames, const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    frames->count = 0;
    if (at == end || *at++ != '1')
        return false;
    while (at < end) {
        uint64_t salt;
        struct ps_kafka_frame_range range;
        if (*at++ != ' ' || !take_number(&at, end, ':', &salt) || salt > UINT32_MAX ||
            !take_number(&at, end, '-', &range.first) || !take_number(&at, end, '\0', &range.last) ||
            range.first > range.last || frames->count == PS_KAFKA_FRAMES_MAX)
            return false;
        range.salt = (uint32_t)salt;
        frames->ranges[frames->count++] = range;
    }
    return true;
}
