/* Files that cannot be read now: an error of the disk or of memory, or a missing permission. A failed read tells nothing about the
 * file: it keeps its position and is tried again. */
#include "stages/lib/tail/tailer/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"

/* Wait until the first try. Each further wait is twice as long, up to RETRY_MAX_NS. */
#define RETRY_MIN_NS (100 * PS_NS_PER_MS)
#define RETRY_MAX_NS (5 * PS_NS_PER_S)

/* The next look at the directory comes soon. */
static void look_again(const struct ps_tailer *tailer, struct ps_tail_place *place)
{
    place->unreadable = true;
    if (place->look_ns > tailer->now_ns + place->retry_ns)
        place->look_ns = tailer->now_ns + place->retry_ns;
}

void ps_tail_log_unreadable(struct ps_tailer *tailer, struct ps_tail_log *log, int error)
{
    struct ps_tail_place *place = &tailer->places[log->directory];
    bool again = log->unreadable;
    if (!again) {
        /* The file's present path, where people look for the reason: log->path may be another file's by now. */
        char *path = ps_tail_log_place_of(tailer, log);
        ps_log(PS_LOG_WARN, tailer->port->component, "%s cannot be read: %s; it is tried again", path,
               strerror(error));
        free(path);
        ps_count(tailer->port->counters, PS_COUNTER_EventReadFail, 1);
        log->unreadable_ns = tailer->now_ns;
    }
    log->unreadable = true;
    if (!place->unreadable)
        place->retry_ns = ps_backoff_next(place->retry_ns, RETRY_MIN_NS, RETRY_MAX_NS);
    look_again(tailer, place);
    if (tailer->now_ns - log->unreadable_ns >= PS_TAIL_GRACE_NS)
        log->checked_ns = tailer->now_ns; /* counts as checked, so that its copies wait no longer */
    if (!again)
        log->retry = PS_TAIL_RETRY_OPEN;
    else /* a look that is under way may have seen its name before it was deleted */
        log->retry = place->looking ? PS_TAIL_RETRY_BY_NAME_LATER : PS_TAIL_RETRY_BY_NAME;
    ps_tail_slots_put(&tailer->unreadable, log->number);
}

/* Returns whether other files have waited for its room for some time. They would not be opened at all while all files of a directory that
 * cannot be looked at stay open. */
static bool gives_way(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    return tailer->open.crowded && tailer->open.deferred.count > 0 &&
           tailer->now_ns - log->unreadable_ns >= PS_TAIL_GRACE_NS;
}

/* Prepares the next try. A file that is opened again by its name is closed, because its file system may be mounted again under the same
 * path. A file without a name stays open: it could not be found again. A look that failed does not know which names are gone. Returns
 * whether the file is tried now; otherwise a further look must say whether it has its name. */
static bool retry_prepare(struct ps_tailer *tailer, struct ps_tail_log *log,
                          const struct ps_tail_place *place)
{
    if (log->retry == PS_TAIL_RETRY_OPEN || !log->named || log->state != PS_TAIL_LOG_OPEN || log->queued ||
        log->waits)
        return true;
    if (place->error != 0 && !gives_way(tailer, log))
        return true;
    if (log->retry == PS_TAIL_RETRY_BY_NAME_LATER) {
        log->retry = PS_TAIL_RETRY_BY_NAME;
        return false;
    }
    ps_tail_log_close(tailer, log);
    return true;
}

void ps_tail_unreadable_queue(struct ps_tailer *tailer, unsigned place)
{
    struct ps_tail_place *looked = &tailer->places[place];
    if (!looked->unreadable) {
        looked->retry_ns = 0;
        return;
    }
    looked->unreadable = false;
    for (uint32_t left = tailer->unreadable.count; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->unreadable);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL || !log->unreadable)
            continue;
        ps_tail_slots_put(&tailer->unreadable, number);
        if (log->directory != place)
            continue;
        bool was_open = log->file.fd >= 0;
        if (!retry_prepare(tailer, log, looked))
            look_again(tailer, looked);
        else if (was_open && log->file.fd < 0 && tailer->open.deferred.count > 0)
            ps_tail_log_defer(tailer, log); /* the others get its room first */
        else
            ps_tail_log_queue(tailer, log);
    }
}
