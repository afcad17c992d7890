/* Files that have NULs where nothing is written yet. See filler.h. */
#include "stages/lib/tail/tailer/internal.h"

#include <string.h>

#define STEP_MAX 1024U /* files that one tick looks at */
#define LOOK_NS (100 * PS_NS_PER_MS)
#define AGAIN_NS (500 * PS_NS_PER_MS) /* the shortest time between two reads of a file that ends in NULs */
#define AGAIN_MAX_NS (10 * PS_NS_PER_S)
#define LOOK_BYTES                                                                                           \
    (64U << 20) /* so many NULs are looked at again after a second more: the thread has other files */
#define LONG_NS (3600 * PS_NS_PER_S) /* a file that nobody has written to for so long is read less often */
#define LONG_AGAIN_NS (60 * PS_NS_PER_S)

static void wait_until(struct ps_tailer *tailer, struct ps_tail_log *log, uint64_t due_ns)
{
    log->filler.waits = true;
    log->filler.due_ns = due_ns;
    ps_tail_slots_put(&tailer->fillers, log->number);
    if (tailer->fillers_look_ns > due_ns || tailer->fillers_look_ns <= tailer->now_ns)
        tailer->fillers_look_ns = due_ns;
}

/* Notes when the file was first seen to have NULs at its position, or behind the text there. */
static void position_note(const struct ps_tailer *tailer, struct ps_tail_log *log)
{
    struct ps_tail_filler *filler = &log->filler;
    if (filler->since_ns != 0 && filler->at == log->read_offset)
        return;
    filler->at = log->read_offset;
    filler->since_ns = tailer->now_ns;
    filler->text_ns = 0;
}

void ps_tail_filler_ends(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t end)
{
    struct ps_tail_filler *filler = &log->filler;
    position_note(tailer, log);
    filler->text_ns = 0;
    if (end > 0) {
        filler->end = end;
        filler->looked_ns = tailer->now_ns;
    }
    uint64_t rest_ns = tailer->now_ns - filler->since_ns, again_ns = rest_ns / 8;
    uint64_t most_ns = rest_ns < LONG_NS ? AGAIN_MAX_NS : LONG_AGAIN_NS;
    again_ns = again_ns < AGAIN_NS ? AGAIN_NS : again_ns;
    wait_until(tailer, log, tailer->now_ns + (again_ns < most_ns ? again_ns : most_ns));
}

bool ps_tail_filler_is_known(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    int64_t nuls = log->filler.end - log->read_offset;
    return nuls > 0 && !log->rest &&
           tailer->now_ns - log->filler.looked_ns <
               PS_TAIL_FILLER_NS + (uint64_t)nuls / LOOK_BYTES * PS_NS_PER_S;
}

/* Logs and counts NULs at the position that are skipped. `is_hole`: the file was cut, and its writer went on where it was. */
static void skipped_tell(const struct ps_tailer *tailer, struct ps_tail_log *log, int64_t nuls, bool is_hole)
{
    const char *component = tailer->port->component;
    if (is_hole)
        ps_log(PS_LOG_INFO, component,
               "%s begins with %lld NUL bytes: its writer went on at its former place when the file was cut; "
               "the source skips them",
               log->path, (long long)(log->read_offset + nuls));
    else if (!log->filler.told)
        ps_log(
            PS_LOG_WARN, component,
            "%s has %lld NUL bytes at byte %lld, and text behind them: the source goes on behind them, and "
            "does not read what is written there later",
            log->path, (long long)nuls, (long long)log->read_offset);
    log->filler.told |= !is_hole;
    ps_count(tailer->port->counters,
             (enum ps_counter)(is_hole ? PS_TAIL_COUNTER_filler_bytes : PS_TAIL_COUNTER_lost_bytes),
             (uint64_t)nuls);
}

/* Moves the position behind NULs that have text behind them. */
static void give_up(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t nuls, bool is_hole)
{
    skipped_tell(tailer, log, nuls, is_hole);
    ps_tail_log_move(tailer, log, log->read_offset + nuls, log->read_offset + nuls);
    size_t fresh = nuls < (int64_t)sizeof log->last.bytes ? (size_t)nuls : sizeof log->last.bytes;
    static const char zeros[sizeof log->last.bytes];
    ps_tail_last_bytes_add(&log->last, zeros, fresh);
    struct ps_tail_mark mark = ps_tail_last_bytes_mark(&log->last, log->read_offset);
    ps_tail_marks_add(&log->marks, &mark, log->delivered_offset);
    log->line_scanned = 0;
    log->partial = false;
    ps_tail_log_changed(tailer, log);
    ps_tail_sink_positions_announce(&tailer->sink, log->number);
}

bool ps_tail_filler_asks(const struct ps_tail_log *log)
{
    const struct ps_tail_filler *filler = &log->filler;
    bool is_noted = filler->text_ns != 0 && filler->at == log->read_offset;
    return !is_noted && log->read_offset >= filler->passed_end;
}

void ps_tail_filler_note(const struct ps_tailer *tailer, struct ps_tail_log *log, int64_t text_end,
                         bool ends_in_text)
{
    struct ps_tail_filler *filler = &log->filler;
    position_note(tailer, log);
    if (filler->text_ns != 0)
        return;
    filler->text_ns = tailer->now_ns;
    filler->text_end = text_end;
    filler->ends_in_text = ends_in_text;
}

enum ps_tail_filler_step ps_tail_filler_begins(struct ps_tailer *tailer, struct ps_tail_log *log,
                                               int64_t nuls)
{
    struct ps_tail_filler *filler = &log->filler;
    const uint64_t until_ns = filler->text_ns + PS_TAIL_FILLER_NS;
    const int64_t text = log->read_offset + nuls;
    /* A file that is made long at once ends in NULs. What its writer wrote before it was cut is at least what was read of it. */
    bool is_hole = log->anew_from > 0 && filler->ends_in_text && text >= log->anew_from;
    /* A file that rests is found again by its name. */
    bool is_last_look = log->rest && !(log->named && log->matches);
    if (log->read_offset >= filler->passed_end && tailer->now_ns < until_ns && !is_last_look && !is_hole) {
        log->partial = true;
        wait_until(tailer, log, until_ns);
        return PS_TAIL_FILLER_HOLDS;
    }
    if (log->read_offset >= filler->passed_end) /* all that the file had at text_ns has waited */
        filler->passed_end = filler->text_end > text ? filler->text_end : text + 1;
    bool is_text =
        log->anew_from == 0 || (nuls == 1 && text < log->anew_from); /* UTF-16 begins with one NUL */
    if (nuls < (int64_t)PS_TAIL_FILLER_BYTES && is_text)
        return PS_TAIL_FILLER_PASSES;
    if (log->read_offset !=
        log->delivered_offset) { /* no batch has the NULs: the position is delivered first */
        log->partial = true;
        wait_until(tailer, log, tailer->now_ns + LOOK_NS);
        return PS_TAIL_FILLER_HOLDS;
    }
    give_up(tailer, log, nuls, log->anew_from > 0 || (log->read_offset == 0 && filler->ends_in_text));
    return PS_TAIL_FILLER_IS_GIVEN_UP;
}

bool ps_tail_filler_stops(const struct ps_tail_log *log, const char *line, size_t length, int64_t offset)
{
    size_t most = length < PS_TAIL_FILLER_BYTES ? length : PS_TAIL_FILLER_BYTES;
    return offset >= log->filler.passed_end || ps_tail_nuls_before(line, most) == PS_TAIL_FILLER_BYTES;
}

bool ps_tail_filler_closes(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    return log->filler.waits && log->filler.at == log->read_offset && ps_tail_log_may_close(log) &&
           tailer->now_ns - log->filler.since_ns >= tailer->settings->idle_ns;
}

uint64_t ps_tail_fillers_tick(struct ps_tailer *tailer)
{
    if (tailer->fillers.count == 0)
        return PS_NEVER;
    if (tailer->now_ns < tailer->fillers_look_ns)
        return tailer->fillers_look_ns;
    uint64_t next_ns = PS_NEVER;
    uint32_t left = tailer->fillers.count < STEP_MAX ? tailer->fillers.count : STEP_MAX;
    bool all = left == tailer->fillers.count;
    for (; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->fillers);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL || !log->filler.waits)
            continue;
        if (tailer->now_ns >= log->filler.due_ns) {
            ps_tail_log_queue(tailer, log);
            continue;
        }
        ps_tail_slots_put(&tailer->fillers, number);
        if (log->filler.due_ns < next_ns)
            next_ns = log->filler.due_ns;
    }
    tailer->fillers_look_ns = all ? next_ns : tailer->now_ns + LOOK_NS;
    return tailer->fillers.count > 0 ? tailer->fillers_look_ns : PS_NEVER;
}
