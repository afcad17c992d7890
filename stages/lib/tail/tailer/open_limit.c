/* Limits the number of open files: files that have nothing to read are closed for others, which wait until there is room. */
#include "stages/lib/tail/tailer/internal.h"

#define OPENING_MAX 1024U /* at the same time; each opening keeps the first bytes of its file in memory */

bool ps_tail_log_may_close(const struct ps_tail_log *log)
{
    return log->state == PS_TAIL_LOG_OPEN && !log->queued && !log->waits && !log->partial && log->named;
}

bool ps_tail_room_make(struct ps_tailer *tailer)
{
    uint32_t count = tailer->open_count + tailer->opening_count, want;
    if (tailer->opening_count >= OPENING_MAX)
        return false;
    if (tailer->open_failing && tailer->opening_count > 0) /* one at a time: each failure lowers the limit */
        return false;
    if (count < tailer->open_max) {
        tailer->crowded = false;
        return true;
    }
    want = count - tailer->open_max + tailer->open_max / 4 +
           1; /* more than a quarter if the limit was lowered */
    if (tailer->crowded && tailer->deferred.count > 0)
        return false;
    for (struct ps_tail_log *log = tailer->oldest, *next; log != NULL && want > 0; log = next) {
        next = log->newer;
        if (!ps_tail_log_may_close(log))
            continue;
        ps_tail_log_close(tailer, log);
        want--;
    }
    tailer->crowded = tailer->open_count + tailer->opening_count >= tailer->open_max;
    return !tailer->crowded;
}

void ps_tail_deferred_tick(struct ps_tailer *tailer)
{
    while (tailer->deferred.count > 0 && ps_tail_room_make(tailer)) {
        struct ps_tail_log *log = tailer->logs[ps_tail_slots_take(&tailer->deferred)];
        if (log == NULL || !log->deferred)
            continue;
        log->deferred = false;
        if (log->compressed && log->state == PS_TAIL_LOG_CLOSED)
            ps_tail_log_open(tailer, log);
        else
            ps_tail_log_queue(tailer, log);
    }
}
