/* The state of a log: where recovery begins, and which frames before that were delivered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/queue/segment/log_internal.h"

static void state_path(const struct ps_segment_log *log, char to[PS_SEGMENT_PATH_BYTES])
{
    snprintf(to, PS_SEGMENT_PATH_BYTES, "%s/state", log->options.state_directory);
}

enum ps_status ps_segment_state_open(struct ps_segment_log *log, struct ps_err *err)
{
    char path[PS_SEGMENT_PATH_BYTES];
    state_path(log, path);
    log->state.fd = log->files->open(log->files->argument, path, false);
    bool is_there = log->state.fd >= 0;
    if (!is_there && errno == EISDIR)
        return ps_err_set(err, "%s is not a regular file: move it away", path);
    if (!is_there && errno == ENOENT)
        log->state.fd = log->files->open(log->files->argument, path, true);
    if (log->state.fd < 0 || (!is_there && (log->files->allocate(log->files->argument, log->state.fd,
                                                                 2 * (uint64_t)PS_STATE_SLOT_BYTES) != 0 ||
                                            log->files->sync(log->files->argument, log->state.fd) != 0)))
        return ps_err_set(err, "%s cannot be made: %s", path, strerror(errno));
    /* the name of a file that is there may be of a try that failed here, or of a process that was killed here */
    if (log->files->sync_directory(log->files->argument, log->options.state_directory) != 0)
        return ps_err_set(err, "the name of %s cannot be synced: %s", path, strerror(errno));
    return PS_OK;
}

enum ps_status ps_segment_state_keep(struct ps_segment_log *log, struct ps_err *err)
{
    char path[PS_SEGMENT_PATH_BYTES], text[PS_SEGMENT_PATH_BYTES + 128];
    state_path(log, path);
    if (log->state.fd >= 0 &&
        (log->files->is_at == NULL || log->files->is_at(log->files->argument, log->state.fd, path) == 0))
        return PS_OK;
    if (log->state.fd >= 0)
        log->files->close(log->files->argument, log->state.fd);
    log->state.fd = -1;
    log->state.remade = true;
    if (ps_segment_state_open(log, err) != PS_OK) {
        if (log->state.fd >= 0)
            log->files->close(log->files->argument, log->state.fd);
        log->state.fd = -1;
        return PS_FAIL;
    }
    snprintf(text, sizeof text,
             "%s was removed or replaced while the channel was open: the channel writes a new state file",
             path);
    if (log->options.report != NULL)
        log->options.report(log->options.argument, text);
    return PS_OK;
}

/* Writes the next generation; generation g is in slot g modulo 2. */
static enum ps_status write_slot(struct ps_segment_log *log, struct ps_segment_state *state,
                                 struct ps_err *err)
{
    state->generation = log->state.generation + 1;
    ps_segment_state_write(log->state.slot, state);
    if (log->files->write(log->files->argument, log->state.fd, log->state.slot, PS_STATE_SLOT_BYTES,
                          state->generation % 2 * PS_STATE_SLOT_BYTES) < 0 ||
        log->files->sync(log->files->argument, log->state.fd) != 0)
        return ps_err_set(err, "%s/state cannot be written: %s", log->options.state_directory,
                          strerror(errno));
    log->state.generation = state->generation;
    return PS_OK;
}

/* Returns whether a segment begins, or the next one will begin, in the range after its first frame or right after the range: only then
 * the range may have all frames of a segment. Called for each range in order, with *segment 0 at first. */
static bool has_beginning(const struct ps_segment_log *log, const struct ps_taken_range *range,
                          size_t *segment)
{
    while (*segment < log->count && log->segments[*segment].head.first <= range->first)
        ++*segment;
    uint64_t first = *segment < log->count ? log->segments[*segment].head.first : log->next;
    return first - 1 <= range->last;
}

size_t ps_segment_state_needed(const struct ps_segment_log *log)
{
    size_t count = 0, segment = 0;
    if (log->taken.count <= PS_STATE_RANGES_MAX)
        return log->taken.count;
    for (size_t i = 0; i < log->taken.count; i++)
        count += has_beginning(log, &log->taken.ranges[i], &segment);
    return count;
}

bool ps_segment_state_fits(const struct ps_segment_log *log, size_t needed)
{
    return log->taken.count <= PS_STATE_RANGES_MAX || (log->writing && needed <= PS_STATE_RANGES_MAX);
}

struct ps_taken_range *ps_segment_state_choose(const struct ps_segment_log *log, size_t needed)
{
    struct ps_taken_range *to = ps_must_alloc(log->taken.count, sizeof *to, "what was delivered of a log");
    size_t spare = PS_STATE_RANGES_MAX - needed, kept = 0, rest = PS_STATE_RANGES_MAX, segment = 0;
    for (size_t i = 0; i < log->taken.count; i++) {
        const struct ps_taken_range *range = &log->taken.ranges[i];
        if (has_beginning(log, range, &segment)) {
            to[kept++] = *range;
        } else if (spare > 0) {
            to[kept++] = *range;
            spare--;
        } else {
            to[rest++] = *range;
        }
    }
    return to;
}

enum ps_status ps_segment_state_save(struct ps_segment_log *log, struct ps_taken_range *ranges,
                                     uint64_t offset, struct ps_err *err)
{
    const struct ps_segment *last = log->count > 0 ? &log->segments[log->count - 1] : NULL;
    struct ps_segment_state state = {.log = log->id,
                                     .low = log->taken.low,
                                     .segment = last != NULL ? last->head.segment : 0,
                                     .offset = last != NULL && ps_segment_is_used(last) ? last->end : 0,
                                     .next = log->next,
                                     .events = log->events,
                                     .bytes = log->bytes,
                                     .range_count = (uint32_t)log->taken.count,
                                     .ranges = log->taken.ranges};
    PS_ASSERT(log->tail.buffered == log->tail.kept && log->next == log->promised + 1);
    if (ranges != NULL) {
        state.offset = offset;
        state.range_count = PS_STATE_RANGES_MAX;
        state.ranges = ranges;
        for (size_t i = PS_STATE_RANGES_MAX; i < log->taken.count; i++) {
            state.events += ranges[i].events;
            state.bytes += ranges[i].bytes;
        }
    }
    if (ps_segment_state_keep(log, err) != PS_OK || write_slot(log, &state, err) != PS_OK ||
        (log->state.remade && write_slot(log, &state, err) != PS_OK)) /* both slots of a new file */
        return PS_FAIL;
    log->state.remade = false;
    log->state.segment = state.offset > 0 ? state.segment : 0;
    log->state.since_bytes = 0;
    log->state.retry_ns = log->state.retry_wait_ns = 0;
    log->state.lacks = false;
    return PS_OK;
}

enum ps_segment_read ps_segment_state_load(struct ps_segment_log *log, struct ps_segment_state *state,
                                           struct ps_err *err)
{
    struct ps_taken_range *ranges =
        ps_must_alloc(PS_STATE_RANGES_MAX, sizeof *ranges, "what was delivered of a log");
    bool found = false, failed = false;
    for (unsigned i = 0; i < 2 && !failed; i++) {
        struct ps_segment_state slot = {.ranges = ranges};
        ssize_t got = log->files->read(log->files->argument, log->state.fd, log->state.slot,
                                       PS_STATE_SLOT_BYTES, i * PS_STATE_SLOT_BYTES);
        failed = got < 0;
        if (failed)
            ps_err_set(err, "%s/state cannot be read: %s; " PS_SEGMENT_GIVE_UP, log->options.state_directory,
                       strerror(errno));
        if (got != (ssize_t)PS_STATE_SLOT_BYTES || !ps_segment_state_read(log->state.slot, &slot) ||
            (found && slot.generation < state->generation))
            continue;
        found = true;
        slot.ranges = state->ranges;
        memcpy(state->ranges, ranges, slot.range_count * sizeof *ranges);
        *state = slot;
    }
    free(ranges);
    return failed ? PS_SEGMENT_READ_FAILED : found ? PS_SEGMENT_READ_WHOLE : PS_SEGMENT_READ_NOTHING;
}
