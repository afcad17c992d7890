/* Which frames of a log were delivered, or are lost, so that nobody waits for them. */
#include "core/array.h"
#include "core/quantity.h"
#include "stages/lib/queue/segment/log_internal.h"

void ps_segment_taken(struct ps_segment_log *log, const struct ps_taken_range *range)
{
    if (!ps_taken_add(&log->taken, range))
        return;
    log->events -= range->events;
    log->bytes -= range->bytes;
    if (log->taken.low == log->next) /* no frame is left: clears numbers that still included lost frames */
        log->events = log->bytes = 0;
}

static void add_news(struct ps_segment_log *log, const struct ps_taken_range *range)
{
    struct ps_taken_range *last =
        log->news.count > log->news.closed ? &log->news.ranges[log->news.count - 1] : NULL;
    if (last != NULL && last->last + 1 == range->first) {
        last->last = range->last;
        last->events += range->events;
        last->bytes += range->bytes;
        return;
    }
    PS_ARRAY_GROW(log->news.ranges, log->news.count, log->news.room, "what was delivered of a log");
    log->news.ranges[log->news.count++] = *range;
}

void ps_segment_log_take(struct ps_segment_log *log, const struct ps_segment_place *place)
{
    struct ps_taken_range range = {place->number, place->number, place->count, place->bytes};
    ps_segment_taken(log, &range);
    add_news(log, &range);
}

void ps_segment_log_lost(struct ps_segment_log *log, const struct ps_segment_place *place)
{
    const struct ps_segment *segment = &log->segments[ps_segment_with(log, place->number)];
    ps_segment_report(log, segment, "frame %llu at byte %llu is damaged: %u %s lost",
                      (unsigned long long)place->number,
                      (unsigned long long)(place->offset - PS_FRAME_HEAD_BYTES), place->count,
                      ps_quantity_word(place->count, "event is", "events are"));
    log->frames_lost++;
    ps_segment_log_take(log, place);
}

uint64_t ps_segment_take_missing(struct ps_segment_log *log, uint64_t first, uint64_t last)
{
    uint64_t lost = 0;
    for (uint64_t number = first; number <= last; number++) {
        if (ps_taken_has(&log->taken, number))
            continue;
        struct ps_segment_place place = {.number = number};
        ps_segment_log_take(log, &place);
        lost++;
    }
    return lost;
}

void ps_segment_numbers_lost(struct ps_segment_log *log, const struct ps_segment *segment, uint64_t first,
                             uint64_t last)
{
    uint64_t lost = ps_segment_take_missing(log, first, last);
    if (lost == 0)
        return;
    log->frames_lost += lost;
    ps_segment_report(log, segment, "%llu %s, %llu to %llu, %s damaged: %s events are lost",
                      (unsigned long long)lost, ps_quantity_word(lost, "frame", "frames"),
                      (unsigned long long)first, (unsigned long long)last,
                      ps_quantity_word(lost, "is", "are"), ps_quantity_word(lost, "its", "their"));
}
