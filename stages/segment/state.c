/* The state of a log: where recovery begins, and what was delivered up to there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stages/segment/log_parts.h"

enum ps_status ps_segment_state_save(struct ps_segment_log *log, struct ps_err *err)
{
    const struct ps_segment *last = log->count > 0 ? &log->segments[log->count - 1] : NULL;
    struct ps_segment_state state = {.generation = log->generation + 1,
                                     .log = log->id,
                                     .low = log->taken.low,
                                     .segment = last != NULL ? last->head.segment : 0,
                                     .offset = last != NULL ? last->end : 0,
                                     .next = log->next,
                                     .events = log->events,
                                     .bytes = log->bytes,
                                     .range_count = (uint32_t)log->taken.count,
                                     .ranges = log->taken.ranges};
    PS_ASSERT(log->buffered == log->kept && log->next == log->promised + 1);
    if (log->taken.count > PS_STATE_RANGES_MAX)
        return PS_OK; /* the tail grows until fewer are open */
    ps_segment_state_write(log->slot, &state);
    if (log->files->write(log->files->argument, log->state_fd, log->slot, PS_STATE_SLOT_BYTES,
                          state.generation % 2 * PS_STATE_SLOT_BYTES) < 0 ||
        log->files->sync(log->files->argument, log->state_fd) != 0)
        return ps_err_set(err, "%s/state cannot be written: %s", log->options.state_directory,
                          strerror(errno));
    log->generation = state.generation;
    log->since_state_bytes = 0;
    return PS_OK;
}

bool ps_segment_state_load(struct ps_segment_log *log, struct ps_segment_state *state)
{
    struct ps_taken_range *ranges =
        ps_must_alloc(PS_STATE_RANGES_MAX, sizeof *ranges, "what was delivered of a log");
    bool found = false;
    for (unsigned i = 0; i < 2; i++) {
        struct ps_segment_state slot = {.ranges = ranges};
        ssize_t got = log->files->read(log->files->argument, log->state_fd, log->slot, PS_STATE_SLOT_BYTES,
                                       i * PS_STATE_SLOT_BYTES);
        if (got != (ssize_t)PS_STATE_SLOT_BYTES || !ps_segment_state_read(log->slot, &slot) ||
            (found && slot.generation < state->generation))
            continue;
        found = true;
        slot.ranges = state->ranges;
        memcpy(state->ranges, ranges, slot.range_count * sizeof *ranges);
        *state = slot;
    }
    free(ranges);
    return found;
}
