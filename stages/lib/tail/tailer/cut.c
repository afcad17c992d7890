/* Files that were truncated. Such a file waits for a look at its directory, because its copy may be there, and is opened after it. */
#include "stages/lib/tail/tailer/internal.h"

#include <errno.h>

#define CUT_MAX 256U /* truncated files that are opened in one tick */
/* After this many looks a truncated file is read even if files are not identified yet, or some could not be examined. */
#define CUT_LOOKS_MAX 20
#define CUT_RETRY_NS (100 * PS_NS_PER_MS) /* wait before the next look if a look did not see all files */

/* Returns whether this directory has files that are not identified yet. */
static bool has_unresolved(struct ps_tailer *tailer, unsigned place)
{
    for (uint32_t left = tailer->unresolved.count; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->unresolved);
        const struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL || log->resolved)
            continue;
        ps_tail_slots_put(&tailer->unresolved, number);
        if (log->directory == place && log->named && log->size > 0 && log->state != PS_TAIL_LOG_COPY)
            return true;
    }
    return false;
}

/* What a look found out about copies in its directory. */
struct seen {
    bool failed; /* it could not read the directory */
    bool unsure; /* it could not examine a file, or a file is not identified yet: that may be the copy */
};

/* Returns whether the truncated file waits for another look. A directory that cannot be read for a long time does not hold it up for
 * ever. */
static bool waits_on(const struct ps_tailer *tailer, struct ps_tail_log *log, struct seen seen)
{
    if (seen.failed)
        return tailer->now_ns - log->cut_ns < PS_TAIL_EARLIER_NS;
    return seen.unsure && log->cut_looks++ < CUT_LOOKS_MAX;
}

void ps_tail_cut_looked(struct ps_tailer *tailer, unsigned place, const struct ps_tail_changes *changes)
{
    struct ps_tail_place *looked = &tailer->places[place];
    int error = changes->error; /* a directory that does not exist has no files */
    struct seen seen = {.failed = error != 0 && error != ENOENT && error != ENOTDIR,
                        .unsure = changes->unsure || has_unresolved(tailer, place)};
    uint64_t next_ns = tailer->now_ns + (seen.failed || changes->unsure ? CUT_RETRY_NS : 0);
    for (uint32_t left = tailer->cut.count; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->cut);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL || !log->cut_waits)
            continue;
        if (log->directory != place) {
            ps_tail_slots_put(&tailer->cut, number);
            continue;
        }
        if (waits_on(tailer, log, seen)) {
            looked->names = true;
            if (looked->look_ns > next_ns)
                looked->look_ns = next_ns;
            ps_tail_slots_put(&tailer->cut, number);
            continue;
        }
        log->cut_looks = 0;
        ps_tail_slots_put(&tailer->cut_seen, number);
    }
}

void ps_tail_cut_open(struct ps_tailer *tailer)
{
    for (unsigned left = CUT_MAX; left > 0 && tailer->cut_seen.count > 0; left--) {
        struct ps_tail_log *log = tailer->table.logs[ps_tail_slots_take(&tailer->cut_seen)];
        if (log == NULL || !log->cut_waits)
            continue;
        log->cut_waits = false;
        log->cut_looked = true;
        ps_tail_log_open(tailer, log);
    }
}
