/* The segments whose frames were all delivered. */
#include <stdlib.h>

#include "core/backoff.h"
#include "core/clock.h"
#include "stages/lib/queue/segment/log_internal.h"

/* bytes between two writes of the state; they limit the tail that recovery reads */
#define STATE_EVERY_BYTES ((uint64_t)16 << 20)
/* Waits between tries to write a state that has no room for all ranges. They double, because each try appends the others again. */
#define RETRY_NS (3 * PS_NS_PER_S)
#define RETRY_MAX_NS (60 * PS_NS_PER_S)

/* Returns whether all frames of events of segment `i` were delivered, or it has none, so that the log no longer needs the segment. Not
 * for the last segment. */
static bool is_delivered(const struct ps_segment_log *log, size_t i)
{
    if (i + 1 >= log->count)
        return false;
    uint64_t first = log->segments[i].head.first, next = log->segments[i + 1].head.first;
    return next <= log->taken.low ||
           (log->taken.count > 0 && (first == next || ps_taken_has_all(&log->taken, first, next - 1)));
}

bool ps_segment_has_delivered(const struct ps_segment_log *log)
{
    size_t i = 0;
    if (log->taken.count == 0) /* deliveries were in order, so only the oldest segments can be complete */
        return is_delivered(log, 0);
    while (i < log->count && !is_delivered(log, i))
        i++;
    return i < log->count;
}

static void remove_all(struct ps_segment_log *log, bool at_once)
{
    size_t kept = 0;
    for (size_t i = 0; i < log->count; i++) {
        char path[PS_SEGMENT_PATH_BYTES];
        struct ps_segment *segment = &log->segments[i];
        if (!is_delivered(log, i)) {
            log->segments[kept++] = *segment;
            continue;
        }
        ps_segment_path(path, segment->directory, segment->head.segment);
        log->files->remove(log->files->argument, path); /* on failure the next recovery removes the file */
        if (log->files->discard != NULL && !at_once)
            log->files->discard(log->files->argument, segment->fd);
        else
            log->files->close(log->files->argument, segment->fd);
        ps_seal_destroy(segment->seal);
    }
    log->count = kept;
}

void ps_segment_remove_delivered(struct ps_segment_log *log, size_t needed, bool at_once)
{
    /* Otherwise no state that contains these deliveries was written. */
    if (ps_segment_state_fits(log, needed) && ps_segment_has_delivered(log))
        remove_all(log, at_once);
}

/* Writes a state without the ranges that it has no room for. They are only in memory after that. */
static enum ps_status save_part(struct ps_segment_log *log, size_t needed)
{
    struct ps_err err = {0};
    const struct ps_segment *last = &log->segments[log->count - 1];
    struct ps_taken_range *ranges = ps_segment_state_choose(log, needed);
    enum ps_status status =
        ps_segment_state_save(log, ranges, ps_segment_is_used(last) ? last->end : 0, &err);
    free(ranges);
    return status;
}

bool ps_segment_make_space(struct ps_segment_log *log)
{
    if (log->taken.count <= PS_STATE_RANGES_MAX)
        return false;
    size_t needed = ps_segment_state_needed(log);
    if (needed > PS_STATE_RANGES_MAX || !ps_segment_has_delivered(log) || save_part(log, needed) != PS_OK)
        return false;
    log->state.lacks = true;
    remove_all(log, true);
    return true;
}

enum ps_status ps_segment_trim(struct ps_segment_log *log, struct ps_err *err)
{
    size_t needed = ps_segment_state_needed(log);
    bool fits = ps_segment_state_fits(log, needed), some_gone = fits && ps_segment_has_delivered(log);
    /* The state must name the newest segment before frames in it are promised: only then does a restart notice if the
     * file is missing. */
    bool is_named = log->count == 0 || !ps_segment_is_used(&log->segments[log->count - 1]) ||
                    log->state.segment == log->segments[log->count - 1].head.segment;
    if (!some_gone && is_named && !log->state.remade && log->state.since_bytes < STATE_EVERY_BYTES)
        return PS_OK;
    if (log->trim_failed && log->taken.count > PS_STATE_RANGES_MAX &&
        ps_clock_ns(CLOCK_MONOTONIC) < log->state.retry_ns)
        return PS_FAIL;
    log->state.retry_ns = 0;
    if (log->writing && !fits)
        return ps_err_set(
            err,
            "events that are not delivered are spread over more than %u segments, and the state has "
            "no room for what was delivered between them: find the sink that does not deliver",
            (unsigned)PS_STATE_RANGES_MAX);
    if (ps_segment_log_save(log, needed, err) != PS_OK) {
        log->state.retry_wait_ns = ps_backoff_next(log->state.retry_wait_ns, RETRY_NS, RETRY_MAX_NS);
        log->state.retry_ns = ps_clock_ns(CLOCK_MONOTONIC) + log->state.retry_wait_ns;
        return PS_FAIL;
    }
    ps_segment_remove_delivered(log, needed, false);
    return PS_OK;
}
