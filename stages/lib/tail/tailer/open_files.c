/* The open files, sorted by their last news, and the limit of their number. */
#include "stages/lib/tail/tailer/internal.h"

#include "core/backoff.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define OPENING_MAX 1024U /* at the same time; each opening keeps the first bytes of its file in memory */

#define OPEN_MAX 100000U
#define OPEN_MIN 16U /* the limit of open files is not lowered below this */
/* after a failure the limit is raised when this time has passed; longer if it failed again after each time that it was raised, because each
 * failure is logged */
#define RAISE_AFTER_NS (60 * PS_NS_PER_S)
#define RAISE_AFTER_MAX_NS (60 * RAISE_AFTER_NS)

/* ---- the list ---- */

bool ps_tail_log_is_active(const struct ps_tail_open_files *open, const struct ps_tail_log *log)
{
    return log->older != NULL || open->oldest == log;
}

void ps_tail_log_inactive(struct ps_tail_open_files *open, struct ps_tail_log *log)
{
    if (!ps_tail_log_is_active(open, log))
        return;
    *(log->older != NULL ? &log->older->newer : &open->oldest) = log->newer;
    *(log->newer != NULL ? &log->newer->older : &open->newest) = log->older;
    log->older = log->newer = NULL;
}

void ps_tail_log_active(struct ps_tail_open_files *open, struct ps_tail_log *log, uint64_t now_ns)
{
    log->active_ns = now_ns;
    if (open->newest == log)
        return;
    ps_tail_log_inactive(open, log);
    log->older = open->newest;
    *(open->newest != NULL ? &open->newest->newer : &open->oldest) = log;
    open->newest = log;
}

static void count_show(struct ps_tailer *tailer)
{
    ps_gauge_set(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_open_files, tailer->open.count);
}

void ps_tail_opened(struct ps_tailer *tailer)
{
    tailer->open.count++;
    tailer->open.failing = false;
    count_show(tailer);
}

void ps_tail_closed(struct ps_tailer *tailer)
{
    tailer->open.count--;
    count_show(tailer);
}

/* ---- the limit ---- */

uint32_t ps_tail_open_files_max(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur / 2 > OPEN_MAX)
        return OPEN_MAX;
    return (uint32_t)files.rlim_cur / 2 + 1;
}

bool ps_tail_log_may_close(const struct ps_tail_log *log)
{
    return log->state == PS_TAIL_LOG_OPEN && !log->queued && !log->waits && !log->partial && log->named &&
           !log->unreadable && !log->cut_waits;
}

/* Raises a limit that was lowered by an eighth if no opening has failed for some time: the process may have descriptors again. */
static void raise_limit(struct ps_tailer *tailer)
{
    struct ps_tail_open_files *open = &tailer->open;
    if (!open->lowered || tailer->now_ns < open->raise.ns)
        return;
    uint32_t full = ps_tail_open_files_max(), more = open->max + open->max / 8;
    open->max = more < full ? more : full;
    open->lowered = open->max < full;
    if (open->raise.tried || !open->lowered)
        open->raise.wait_ns = 0;
    open->raise.ns = tailer->now_ns + (open->raise.wait_ns > 0 ? open->raise.wait_ns : RAISE_AFTER_NS);
    open->raise.tried = true;
}

bool ps_tail_room_make(struct ps_tailer *tailer)
{
    raise_limit(tailer);
    struct ps_tail_open_files *open = &tailer->open;
    uint32_t count = open->count + open->opening, want;
    if (open->opening >= OPENING_MAX)
        return false;
    /* only one file is opened at a time, because each failure lowers the limit */
    if (open->failing && open->opening > 0)
        return false;
    if (count < open->max) {
        open->crowded = false;
        return true;
    }
    want = count - open->max + open->max / 4 + 1; /* a quarter of the limit, plus the excess */
    if (open->crowded && open->deferred.count > 0)
        return false;
    for (struct ps_tail_log *log = open->oldest, *next; log != NULL && want > 0; log = next) {
        next = log->newer;
        if (!ps_tail_log_may_close(log))
            continue;
        ps_tail_log_close(tailer, log);
        want--;
    }
    open->crowded = open->count + open->opening >= open->max;
    return !open->crowded;
}

void ps_tail_log_defer(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->deferred = true;
    ps_tail_slots_put(&tailer->open.deferred, log->number);
}

void ps_tail_deferred_tick(struct ps_tailer *tailer)
{
    while (tailer->open.deferred.count > 0 && ps_tail_room_make(tailer)) {
        struct ps_tail_log *log = tailer->table.logs[ps_tail_slots_take(&tailer->open.deferred)];
        if (log == NULL || !log->deferred)
            continue;
        log->deferred = false;
        if (log->compressed && log->state == PS_TAIL_LOG_CLOSED)
            ps_tail_log_open(tailer, log);
        else
            ps_tail_log_queue(tailer, log);
    }
}

/* Lowers the limit once for all openings that were under way. If all of them fail, the last one lowers it again. */
bool ps_tail_fewer_open(struct ps_tailer *tailer, struct ps_tail_log *log, int error)
{
    struct ps_tail_open_files *open = &tailer->open;
    uint32_t most = open->lowered ? open->max : open->count;
    uint32_t fewer = most - most / 8;
    if ((error != EMFILE && error != ENFILE) || log->state == PS_TAIL_LOG_OPEN || fewer < OPEN_MIN)
        return false;
    if (!open->failing || open->opening == 0) {
        open->max = fewer;
        if (open->raise.wait_ns == 0 || open->raise.tried)
            open->raise.wait_ns = ps_backoff_next(open->raise.wait_ns, RAISE_AFTER_NS, RAISE_AFTER_MAX_NS);
        open->raise.tried = false;
        ps_log(
            PS_LOG_WARN, tailer->port->component,
            "%s cannot be opened: %s; at most %u files stay open for now: raise LimitNOFILE, or 'ulimit -n'",
            log->path, strerror(error), fewer);
    }
    open->failing = open->lowered = true;
    open->raise.ns = tailer->now_ns + open->raise.wait_ns;
    log->deferred = true;
    ps_tail_slots_put(&open->deferred, log->number);
    return true;
}
