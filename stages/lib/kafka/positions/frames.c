#include "stages/lib/kafka/positions/frames.h"
#include "core/array.h"

#include "core/clock.h"

#include <inttypes.h>
#include <string.h>

static void remove_range(struct ps_kafka_frames *frames, uint32_t at)
{
    ps_array_remove(frames->ranges, frames->count--, at, sizeof *frames->ranges);
}

static bool is_young(const struct ps_kafka_frame_range *range, uint64_t now_ns)
{
    return now_ns < range->grew_ns + PS_KAFKA_FRAMES_YOUNG_NS;
}

static void append(struct ps_kafka_frames *frames, struct ps_kafka_frame_range range)
{
    while (frames->count >= PS_KAFKA_FRAMES_MAX &&
           (frames->count == PS_KAFKA_FRAMES_ROOM || !is_young(&frames->ranges[0], range.grew_ns)))
        remove_range(frames, 0);
    frames->ranges[frames->count++] = range;
}

/* Returns whether the range has the frame, or a frame next to it. */
static bool touches(const struct ps_kafka_frame_range *range, uint32_t salt, uint64_t number)
{
    return range->salt == salt && (number >= range->first || range->first - number == 1) &&
           (number <= range->last || number - range->last == 1);
}

bool ps_kafka_frames_is_next(const struct ps_kafka_frames *frames, uint32_t salt, uint64_t number,
                             uint64_t now_ns)
{
    for (uint32_t i = frames->count; i > 0 && is_young(&frames->ranges[i - 1], now_ns); i--) {
        if (touches(&frames->ranges[i - 1], salt, number))
            return true;
    }
    return false;
}

void ps_kafka_frames_age(struct ps_kafka_frames *frames, const struct ps_kafka_frames *before)
{
    for (uint32_t i = 0, from = 0; i < frames->count; i++) {
        struct ps_kafka_frame_range *range = &frames->ranges[i];
        for (uint32_t b = 0; b < before->count; b++) { /* the ranges are mostly in the same order */
            const struct ps_kafka_frame_range *known = &before->ranges[(from + b) % before->count];
            if (known->salt != range->salt || known->first != range->first || known->last != range->last)
                continue;
            range->grew_ns = known->grew_ns;
            from += b + 1;
            break;
        }
    }
}

uint32_t ps_kafka_frames_room(const struct ps_kafka_frames *frames, uint64_t now_ns, uint64_t *due_ns)
{
    uint32_t old = 0;
    while (old < frames->count && !is_young(&frames->ranges[old], now_ns))
        old++;
    uint32_t young = frames->count - old;
    *due_ns = young > 0 ? frames->ranges[old].grew_ns + PS_KAFKA_FRAMES_YOUNG_NS : PS_NEVER;
    return young < PS_KAFKA_FRAMES_MAX ? PS_KAFKA_FRAMES_MAX - young : 0;
}

void ps_kafka_frames_add(struct ps_kafka_frames *frames, uint32_t salt, uint64_t number, uint64_t now_ns)
{
    struct ps_kafka_frame_range range = {.first = number, .last = number, .grew_ns = now_ns, .salt = salt};
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

/* Reads a decimal number, and the character `behind` after it. If `behind` is 0, only the number is read, and a blank
 * or the end must follow. */
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

bool ps_kafka_frames_parse(struct ps_kafka_frames *frames, const char *text, size_t length, uint64_t now_ns)
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
            range.first > range.last || frames->count == PS_KAFKA_FRAMES_ROOM)
            return false;
        range.salt = (uint32_t)salt;
        range.grew_ns = now_ns;
        frames->ranges[frames->count++] = range;
    }
    return true;
}
