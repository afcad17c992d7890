/* Idle files. The open files that have been idle longest are the first ones of their list (open_files.h). Files that need a look in
 * every step are in tailer->loose. One tick handles a limited number of each. */
#include "stages/lib/tail/tailer/internal.h"

#define RESTS_MAX 1024U /* maximum number of idle files that one tick handles */

/* Logs and counts the unread bytes of a file that is forgotten. */
static void rest_is_lost(struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    int64_t lost = log->size - log->read_offset;
    if (!log->resolved || lost <= 0 ||
        (log->filler.waits && log->filler.end >= log->size)) /* the rest are NULs */
        return;
    ps_log(PS_LOG_WARN, tailer->port->component,
           "%s is no longer followed: the source has not read its last %lld bytes", log->path,
           (long long)lost);
    ps_count(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes, (uint64_t)lost);
}

/* Returns whether an open file, which is forgotten when it is closed, was not read since it became idle. Its
 * writer may have added bytes after the last read, and no event reports writes to a file without a name. */
static bool is_unchecked(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    return log->state == PS_TAIL_LOG_OPEN && !(log->named && log->matches) &&
           log->checked_ns < log->active_ns + tailer->settings->idle_ns;
}

/* Handles an idle file: first its last line counts without a newline; then it is closed, and forgotten if it has no name that matches. */
static void rested(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->unreadable && (log->state == PS_TAIL_LOG_OPEN || (log->named && !log->matches)))
        return; /* the file may have unread bytes: the check is tried again */
    if (is_unchecked(tailer, log)) {
        ps_tail_log_queue(tailer, log);
        if (log->queued)
            return;
    }
    if (log->state == PS_TAIL_LOG_OPEN && log->partial && !log->rest) {
        log->rest = true;
        ps_tail_log_queue(tailer, log);
        return;
    }
    log->rest = false;
    if (log->state == PS_TAIL_LOG_OPEN) {
        ps_tail_log_close(tailer, log);
        ps_tail_slots_put(&tailer->saves.changed, log->number); /* fewer marks are saved for a closed file */
    }
    struct ps_tail_place *place = &tailer->places[log->directory];
    if ((log->named && log->matches) || log->read_offset != log->delivered_offset || place->looking ||
        log->state != PS_TAIL_LOG_CLOSED || log->cut_waits || log->deferred ||
        (log->named ? !log->resolved : tailer->now_ns - log->gone_ns < PS_TAIL_GRACE_NS))
        return;
    rest_is_lost(tailer, log);
    if (log->named)
        ps_tail_directory_forget(place->directory, log->identity.device, log->identity.inode);
    ps_tail_log_remove(tailer, log);
}

void ps_tail_log_of_no_group(struct ps_tailer *tailer, const struct ps_tail_log *log, int64_t unread_bytes)
{
    if (unread_bytes <= 0) {
        ps_log(PS_LOG_INFO, tailer->port->component,
               "%s no longer belongs to a file group: the source does not read it", log->path);
        return;
    }
    ps_log(PS_LOG_WARN, tailer->port->component,
           "%s no longer belongs to a file group: the source does not read its last %lld bytes; to read "
           "them, give a group an expression that matches the file",
           log->path, (long long)unread_bytes);
    ps_count(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes, (uint64_t)unread_bytes);
}

static bool is_busy(const struct ps_tail_log *log)
{
    return log->queued || log->waits || log->state == PS_TAIL_LOG_OPENING;
}

/* Handles open files that have been idle long enough; those that stay open are looked at again in the next step.
 * Returns whether there are more. */
static bool oldest_rest(struct ps_tailer *tailer)
{
    uint32_t left = RESTS_MAX;
    while (tailer->open.oldest != NULL &&
           tailer->now_ns - tailer->open.oldest->active_ns >= tailer->settings->idle_ns) {
        struct ps_tail_log *log = tailer->open.oldest;
        uint32_t number = log->number;
        if (left-- == 0)
            return true;
        ps_tail_log_inactive(&tailer->open, log);
        if (!is_busy(log))
            rested(tailer, log);
        if (tailer->table.logs[number] == log && log->state != PS_TAIL_LOG_CLOSED)
            ps_tail_slots_put(&tailer->loose, number);
    }
    return false;
}

static void loose_rest(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    uint32_t number = log->number;
    if (is_busy(log)) {
    } else if (tailer->now_ns - log->active_ns >= tailer->settings->idle_ns) {
        rested(tailer, log);
    } else if (!log->named && log->state == PS_TAIL_LOG_OPEN) { /* no event reports writes to this file */
        ps_tail_log_queue(tailer, log);
    }
    if (tailer->table.logs[number] != log)
        return;
    bool open = log->state == PS_TAIL_LOG_OPEN || log->state == PS_TAIL_LOG_OPENING;
    if (!log->named || !log->matches || (open && !ps_tail_log_is_active(&tailer->open, log)))
        ps_tail_slots_put(&tailer->loose, number);
}

uint64_t ps_tail_rests_tick(struct ps_tailer *tailer)
{
    uint64_t idle_ns = tailer->settings->idle_ns;
    uint64_t step_ns = idle_ns / 4 < PS_NS_PER_S ? idle_ns / 4 + PS_NS_PER_MS : PS_NS_PER_S;
    if (tailer->loose_left == 0) {
        if (tailer->now_ns < tailer->idle_look_ns)
            return tailer->idle_look_ns;
        if (oldest_rest(tailer))
            return tailer->now_ns;
        tailer->idle_look_ns = tailer->now_ns + step_ns;
        tailer->loose_left = tailer->loose.count;
    }
    for (uint32_t left = RESTS_MAX; left > 0 && tailer->loose_left > 0; left--, tailer->loose_left--) {
        struct ps_tail_log *log = tailer->table.logs[ps_tail_slots_take(&tailer->loose)];
        if (log != NULL)
            loose_rest(tailer, log);
    }
    if (tailer->loose_left > 0)
        return tailer->now_ns;
    return tailer->table.count > 0 ? tailer->idle_look_ns : PS_NEVER;
}
