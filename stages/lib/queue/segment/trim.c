/* The segments whose frames were all delivered. */
#include "stages/lib/queue/segment/log_internal.h"

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

void ps_segment_remove_delivered(struct ps_segment_log *log, bool at_once)
{
    size_t kept = 0;
    if (!ps_segment_state_fits(log) || !ps_segment_has_delivered(log))
        return; /* no state that contains these deliveries was written */
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
