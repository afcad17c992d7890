/* Decides whether a file that is opened is still the one that was read. It is the same file if it has the same device and inode, and the bytes
 * before the position are the same, whatever its beginning is now: programs count in a first line, or write where NULs were. If these bytes
 * differ it was written over, and is read from its beginning; but not again and again. */
#include "stages/lib/tail/tailer/opening.h"

#include <string.h>

#define CUT_AGAIN_NS (100 * PS_NS_PER_MS)
#define OVER_AGAIN_NS                                                                                        \
    (3600 *                                                                                                  \
     PS_NS_PER_S) /* for so long a file is not read from its beginning again if it has bytes that were read */

/* ---- on the source's thread ---- */

bool ps_tail_marks_find(struct ps_tail_opening *opening)
{
    const struct ps_tail_marks *marks = &opening->marks;
    bool goes_on = true;
    opening->marks_fit = true;
    opening->fits_not = marks->count;
    for (uint32_t i = 0; i < marks->count && goes_on; i++) {
        const struct ps_tail_mark *mark = &marks->items[i];
        enum ps_tail_seen seen = ps_tail_mark_is_in(opening->fd, mark);
        if (seen == PS_TAIL_SEEN_UNREADABLE)
            return false;
        bool of_head = mark->offset - (int64_t)mark->length < (int64_t)PS_TAIL_HEAD_BYTES;
        if (seen == PS_TAIL_SEEN_SAME && ps_tail_mark_is_nuls(mark))
            continue; /* also behind a hole that is longer by now */
        if (seen == PS_TAIL_SEEN_SAME) {
            opening->fits = *mark;
            opening->fits_not = marks->count - i - 1;
        } else if (!of_head) {
            opening->marks_fit = goes_on = false;
        }
    }
    if (opening->fits.length == 0)
        return true;
    struct ps_tail_last_bytes *last = &opening->fits_last;
    if (!ps_tail_last_read(last, opening->fd, opening->fits.offset))
        return false;
    if (!ps_tail_mark_is_before(last->bytes + last->length, last->length, &opening->fits))
        opening->fits.length = 0; /* it was written over just now */
    return true;
}

/* ---- on the worker ---- */

void ps_tail_identity_take(struct ps_tail_log *log, const struct ps_tail_opening *opening)
{
    log->identity = opening->identity;
    if (opening->compression != NULL)
        return;
    size_t length = ps_tail_head_end(opening->head, opening->head_length, log->read_offset);
    log->identity.head = ps_tail_head(opening->head, length);
    log->identity.head_length = (uint32_t)length;
}

/* Returns whether the bytes before the position fit the mark, or the mark is not known. */
static bool ends_like(const struct ps_tail_opening *opening, const struct ps_tail_mark *mark)
{
    if (mark->length == 0 || opening->offset != mark->offset)
        return true;
    struct ps_tail_mark there = ps_tail_last_bytes_mark(&opening->last, opening->offset);
    if (mark->length < there.length) /* the mark covers fewer bytes */
        there = ps_tail_mark_of(opening->offset, opening->last.bytes + (there.length - mark->length),
                                mark->length);
    return there.length == mark->length && there.hash == mark->hash;
}

/* Returns whether the inode has not been used again since: the file was made at the same time. `devices`: if no file system
 * tells that, whether the device numbers are the same. */
static bool is_same_inode(const struct ps_tail_identity *known, const struct ps_tail_identity *found,
                          bool devices)
{
    return known->born_ns != 0 && found->born_ns != 0 ? known->born_ns == found->born_ns : devices;
}

struct ps_tail_mark ps_tail_rest(const struct ps_tail_log *log)
{
    const struct ps_tail_last_bytes *last = &log->last;
    const char *newline = memchr(last->bytes, '\n', last->length);
    bool reaches_head = log->read_offset - (int64_t)last->length < (int64_t)PS_TAIL_HEAD_BYTES;
    if (newline == NULL || !reaches_head || log->read_offset != log->delivered_offset)
        return (struct ps_tail_mark){0};
    return ps_tail_mark_of_all(log->read_offset, newline + 1,
                               (size_t)(last->bytes + last->length - newline - 1));
}

/* Returns how many bytes before the position are behind the first line of the file as it is now; 0 if nothing is, or it has no end. */
static size_t behind_first_line(const struct ps_tail_opening *opening)
{
    const char *newline = memchr(opening->head, '\n', opening->head_length);
    int64_t behind = newline != NULL ? opening->offset - (newline + 1 - opening->head) : 0;
    return behind > 0 ? (size_t)behind : 0;
}

/* Returns whether only the first line of the file differs from what was read of it in an earlier life of the agent. A log that each run of a
 * program writes anew looks like that, too. */
static bool has_rest(const struct ps_tail_opening *opening, const struct ps_tail_mark *rest)
{
    const struct ps_tail_last_bytes *last = &opening->last;
    return rest->length > 0 && opening->offset == rest->offset && opening->marks_fit &&
           behind_first_line(opening) == rest->length &&
           ps_tail_mark_is_before(last->bytes + last->length, last->length, rest);
}

bool ps_tail_is_remembered(const struct ps_tail_opening *opening, const struct ps_tail_position *position)
{
    const struct ps_tail_identity *known = &position->identity;
    const struct ps_tail_mark mark = ps_tail_marks_at(&position->marks, position->offset);
    if (position->offset > opening->size || !ends_like(opening, &mark))
        return false;
    return ps_tail_bytes_begin(known, opening->head, opening->head_length) ||
           (mark.length > 0 && opening->marks_fit &&
            is_same_inode(known, &opening->identity, known->device == opening->identity.device));
}

void ps_tail_log_shrank(struct ps_tail_log *log, int64_t size)
{
    if (!log->shrank || size < log->shrank_to)
        log->shrank_to = size;
    log->shrank = true;
}

/* Returns how long ago the file was last read from its beginning because it was written over; PS_NEVER: not within the hour. */
static uint64_t over_ago_ns(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    uint64_t ago_ns = log->over_ns != 0 ? tailer->now_ns - log->over_ns : PS_NEVER;
    return ago_ns < OVER_AGAIN_NS ? ago_ns : PS_NEVER;
}

int64_t ps_tail_over_ms(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    uint64_t ago_ns = over_ago_ns(tailer, log);
    return ago_ns != PS_NEVER ? ps_clock_now().wall_ms - (int64_t)(ago_ns / PS_NS_PER_MS) : 0;
}

void ps_tail_over_take(const struct ps_tailer *tailer, struct ps_tail_log *log, int64_t over_ms)
{
    int64_t ago_ms = ps_clock_now().wall_ms - over_ms;
    if (over_ms == 0 || ago_ms < 0 || ago_ms >= (int64_t)(OVER_AGAIN_NS / PS_NS_PER_MS))
        return;
    uint64_t ago_ns = (uint64_t)ago_ms * PS_NS_PER_MS;
    log->over_ns = tailer->now_ns > ago_ns ? tailer->now_ns - ago_ns : 1; /* the system may be younger */
}

void ps_tail_wait_for_look(struct ps_tailer *tailer, struct ps_tail_log *log, uint64_t look_ns)
{
    log->cut_waits = true;
    log->cut_ns = tailer->now_ns;
    ps_tail_slots_put(&tailer->cut, log->number);
    tailer->places[log->directory].names = true;
    tailer->places[log->directory].look_ns = look_ns;
}

/* Returns how many bytes at the end of both are the same. */
static size_t same_end(const struct ps_tail_last_bytes *a, const struct ps_tail_last_bytes *b)
{
    size_t most = a->length < b->length ? a->length : b->length, same = 0;
    while (same < most && a->bytes[a->length - 1 - same] == b->bytes[b->length - 1 - same])
        same++;
    return same;
}

/* Returns whether the bytes at the end of both are the same for a whole line, at least. */
static bool same_last_line(const struct ps_tail_last_bytes *a, const struct ps_tail_last_bytes *b)
{
    size_t same = same_end(a, b);
    return same > 1 && memchr(a->bytes + a->length - same, '\n', same - 1) != NULL;
}

/* Returns whether only the file's first line differs from what was read. */
static bool only_first_line_differs(const struct ps_tail_log *log, const struct ps_tail_opening *opening)
{
    const struct ps_tail_last_bytes *was = &log->last, *is = &opening->last;
    size_t behind = behind_first_line(opening);
    return was->length == is->length && (int64_t)was->length == log->read_offset &&
           opening->offset == log->read_offset && behind > 0 && same_end(was, is) > behind;
}

enum finding {
    SAME,
    SAME_BUT_HEAD, /* its beginning was changed in place */
    OTHER,
};

static enum finding judge(const struct ps_tail_log *log, const struct ps_tail_opening *opening)
{
    bool is_inode = opening->was_open || is_same_inode(&log->identity, &opening->identity, true);
    if (opening->size < log->read_offset)
        return OTHER;
    if (log->read_offset ==
        0) /* nothing was read: only the beginning tells that it is another content, whose lines get another number */
        return opening->begins ? SAME : OTHER;
    const struct ps_tail_mark mark = ps_tail_marks_at(&log->marks, log->read_offset);
    bool ends = mark.length > 0 ? ends_like(opening, &mark) : ps_tail_last_bytes_end_line(&opening->last);
    if (log->shrank)
        return ends && opening->begins && opening->marks_fit ? SAME : OTHER;
    if (ends && opening->begins)
        return SAME;
    if (ends)
        return is_inode && opening->marks_fit ? SAME_BUT_HEAD : OTHER;
    return is_inode && only_first_line_differs(log, opening) ? SAME_BUT_HEAD : OTHER;
}

/* Goes on at the position, although bytes before it were changed. */
static void go_on(struct ps_tailer *tailer, struct ps_tail_log *log, const struct ps_tail_opening *opening)
{
    const struct ps_tail_mark mark = ps_tail_last_bytes_mark(&opening->last, opening->offset);
    if (opening->offset == log->read_offset && mark.length > 0)
        ps_tail_marks_replace(&log->marks, &mark, log->delivered_offset);
    ps_tail_log_changed(tailer, log);
}

/* Goes back to a mark that the file still has, because the bytes behind it were written over. The file begins anew, so that a copy of its
 * former content is found, but not at its beginning. Lines before the mark that are not delivered yet come again after a crash. */
static void go_back(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t offset)
{
    struct ps_tail_life lives[PS_TAIL_LIVES_BEFORE];
    int64_t delivered = log->delivered_offset < offset ? log->delivered_offset : offset;
    struct ps_tail_marks marks;
    ps_tail_marks_copy(&marks, &log->marks, offset);
    ps_tail_log_lives(log, lives);
    ps_tail_log_restart(tailer, log);
    ps_tail_copy_lives_take(tailer, log, lives, offset);
    log->marks = marks;
    log->anew_from = 0;
    ps_tail_log_move(tailer, log, offset, delivered);
}

/* Logs, once an hour, that the file is not read from its beginning. */
static void goes_on_tell(const struct ps_tailer *tailer, struct ps_tail_log *log, int64_t offset)
{
    if (log->over_told_ns != 0 && tailer->now_ns - log->over_told_ns < OVER_AGAIN_NS)
        return;
    ps_log(PS_LOG_WARN, tailer->port->component,
           "%s was written over: reading goes on at byte %lld, before which it is the same; the source does "
           "not read what was changed before that byte; this process does not log this again for an hour",
           log->path, (long long)offset);
    log->over_told_ns = tailer->now_ns;
}

/* Returns whether all lines between the mark that the file still has and the position are the same as the one before that mark. They are no
 * footer then, and a file that was cut to nothing and has almost as many such lines again looks the same. */
static bool repeats(const struct ps_tail_opening *opening)
{
    const struct ps_tail_marks *marks = &opening->marks;
    int64_t before = opening->fits.offset;
    for (uint32_t i = marks->count - opening->fits_not; i < marks->count; i++) {
        const struct ps_tail_mark *mark = &marks->items[i];
        bool covers_line = mark->offset - before <= (int64_t)mark->length;
        if (!covers_line || mark->length != opening->fits.length || mark->hash != opening->fits.hash)
            return false;
        before = mark->offset;
    }
    return true;
}

/* Returns whether at most the last lines that were read were written over, or cut: a footer, the end of an array, a counter. So little of
 * a file that was cut to nothing and written again is not the same: it is long, and the marks of all other lines are the same. */
static bool only_end_differs(const struct ps_tail_log *log, const struct ps_tail_opening *opening)
{
    return opening->fits.length > 0 && opening->fits.offset >= (int64_t)PS_TAIL_HEAD_BYTES &&
           opening->fits_not <= PS_TAIL_MARKS_LINES && (opening->begins || log->head_moves) &&
           (opening->was_open || is_same_inode(&log->identity, &opening->identity, true)) &&
           (!log->shrank || (log->shrank_to >= opening->fits.offset && !repeats(opening))) &&
           !ps_tail_copy_is_there(log);
}

/* Returns whether the bytes before the position have become NULs: the file was cut, and its writer went on at its former place. */
static bool has_hole_before(const struct ps_tail_log *log, const struct ps_tail_opening *opening)
{
    return opening->offset == log->read_offset && opening->last.length > 0 &&
           ps_tail_without_nuls(opening->last.bytes, opening->last.length) == 0;
}

/* Handles a file that has other bytes before its position. A program that changes bytes in place now and then would have the whole file
 * read each time: after the first time, the bytes that are the same are not read again; if only the end differs, never. */
static void written_over(struct ps_tailer *tailer, struct ps_tail_log *log,
                         const struct ps_tail_opening *opening)
{
    const char *component = tailer->port->component;
    bool again = over_ago_ns(tailer, log) != PS_NEVER && !ps_tail_copy_is_there(log) && !log->shrank;
    bool same_line = log->last.length > 0 ? same_last_line(&log->last, &opening->last)
                                          : has_rest(opening, &log->rest_mark);
    if (again && opening->offset == log->read_offset && same_line) {
        goes_on_tell(tailer, log, log->read_offset);
        go_on(tailer, log, opening);
        return;
    }
    if ((again && opening->fits.length > 0) || only_end_differs(log, opening)) {
        goes_on_tell(tailer, log, opening->fits.offset);
        go_back(tailer, log, opening->fits.offset);
        return;
    }
    bool cut = log->shrank || log->read_offset == 0 || has_hole_before(log, opening);
    if (cut)
        ps_log(PS_LOG_INFO, component, "%s was cut: it is read from its beginning", log->path);
    else
        ps_log(PS_LOG_WARN, component,
               "%s was written over: it has other bytes before byte %lld, and is read from its beginning",
               log->path, (long long)log->read_offset);
    log->over_ns = cut ? log->over_ns : tailer->now_ns;
    ps_tail_copy_takes_over(tailer, log);
    ps_tail_log_restart(tailer, log);
}

/* Notes that the beginning of the file does not show which file it is. */
static void head_moves(struct ps_tailer *tailer, struct ps_tail_log *log,
                       const struct ps_tail_opening *opening)
{
    if (!log->head_moves)
        ps_log(PS_LOG_INFO, tailer->port->component,
               "the beginning of %s is changed in place: reading goes on at byte %lld", log->path,
               (long long)log->read_offset);
    log->head_moves = true;
    go_on(tailer, log, opening);
}

enum ps_tail_verdict ps_tail_compare(struct ps_tailer *tailer, struct ps_tail_log *log,
                                     const struct ps_tail_opening *opening)
{
    if (opening->size < log->read_offset)
        ps_tail_log_shrank(log, opening->size);
    enum finding finding = judge(log, opening);
    bool same = finding != OTHER, looked = log->cut_looked;
    log->cut_looked = false;
    if (!same && looked && !log->matches && !log->left_group && !opening->was_open) {
        log->stranger = true; /* its inode belongs to another file now, which no group matches */
        return PS_TAIL_READS;
    }
    bool undelivered = log->read_offset != log->delivered_offset, copied = ps_tail_copy_is_there(log);
    /* If the copy is read on from here, a crash loses undelivered lines. While draining nothing is compared again. */
    bool waits = tailer->draining ? undelivered || copied : undelivered && copied;
    /* Before the look the file keeps its old position, by which its copy is found. After it, the file starts over: it may be a copy.
     * The look also knows of a rename that was reported late. */
    if (!same && (!looked || waits)) {
        ps_tail_wait_for_look(tailer, log, looked ? tailer->now_ns + CUT_AGAIN_NS : 0);
        return PS_TAIL_READS;
    }
    if (!same)
        written_over(tailer, log, opening);
    else if (finding == SAME_BUT_HEAD)
        head_moves(tailer, log, opening);
    /* The file had other bytes before the look: lines that follow may differ from lines that were read there earlier. */
    if (same && looked)
        ps_tail_serial_give(&log->serial, log->read_offset);
    log->shrank = false;
    ps_tail_identity_take(log, opening);
    ps_tail_log_index(tailer, log);
    log->checked_ns = tailer->now_ns;
    return log->read_offset > 0 || same || opening->was_open
               ? PS_TAIL_READS
               : PS_TAIL_READS_UNKNOWN; /* its inode may be that of a copy now */
}
