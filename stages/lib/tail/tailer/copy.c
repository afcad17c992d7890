/* Copies of files that are followed. logrotate's "copytruncate" copies a log and then truncates it; editors, and moves
 * between file systems, write a copy and remove the original. Bytes of the original that were read are not read again, and
 * the rest is read from the copy. A copy whose original stays unchanged is a file of its own. */
#include "stages/lib/tail/tailer/internal.h"

#include <stdlib.h>
#include <string.h>

#define COPIES_LOOK_NS (20 * PS_NS_PER_MS)
#define COPIES_MAX 1024U /* waiting copies that one call handles; the others wait for the next one */

/* ---- going on ---- */

struct ps_tail_origin ps_tail_origin_of(struct ps_tail_log *log)
{
    struct ps_tail_origin origin = {.identity = &log->identity,
                                    .marks = &log->marks,
                                    .serial = &log->serial,
                                    .read_offset = log->read_offset,
                                    .delivered_offset = log->delivered_offset};
    ps_tail_log_lives(log, origin.lives);
    return origin;
}

struct ps_tail_origin ps_tail_origin_earlier(struct ps_tail_log *log)
{
    struct ps_tail_origin origin = {.identity = &log->earlier.identity,
                                    .marks = &log->earlier.marks,
                                    .serial = &log->earlier.serial,
                                    .read_offset = log->earlier.read_offset,
                                    .delivered_offset = log->earlier.delivered_offset};
    memcpy(origin.lives, log->earlier.lives, sizeof origin.lives);
    return origin;
}

void ps_tail_copy_lives_take(struct ps_tailer *tailer, struct ps_tail_log *log,
                             const struct ps_tail_life *lives, int64_t end)
{
    for (unsigned i = 0; i < PS_TAIL_LIVES_BEFORE; i++) {
        struct ps_tail_life *life = &log->before[i];
        *life = lives[i];
        life->end = life->end < end ? life->end : end;
        struct ps_tail_log *original = ps_tail_log_of(&tailer->table, life->number, life->pass);
        if (original != NULL)
            original->copied = true;
    }
}

void ps_tail_copy_goes_on(struct ps_tailer *tailer, struct ps_tail_log *log,
                          const struct ps_tail_origin *origin, const struct ps_tail_mark *mark)
{
    int64_t delivered = origin->delivered_offset < mark->offset ? origin->delivered_offset : mark->offset;
    struct ps_tail_marks marks;
    ps_tail_copy_end(log);
    ps_tail_marks_copy(&marks, origin->marks, mark->offset);
    if (ps_tail_marks_at(&marks, mark->offset).length == 0)
        ps_tail_marks_add(&marks, mark, delivered);
    ps_tail_marks_free(&log->marks);
    log->marks = marks;
    log->identity.head = origin->identity->head;
    log->identity.head_length = origin->identity->head_length;
    ps_tail_log_index(tailer, log);
    ps_tail_log_numbers_inherit(tailer, log, origin, mark->offset);
    log->last.length = 0;
    ps_tail_copy_lives_take(tailer, log, origin->lives, mark->offset);
    ps_tail_slots_put(&tailer->heirs, log->number);
    log->resolved = true;
    log->state = PS_TAIL_LOG_CLOSED;
    ps_tail_log_move(tailer, log, mark->offset, delivered);
    ps_tail_log_changed(tailer, log);
    ps_tail_sink_positions_announce(&tailer->sink, log->number);
    ps_tail_log_queue(tailer, log);
}

/* ---- waiting ---- */

void ps_tail_copy_end(struct ps_tail_log *log)
{
    struct ps_tail_log **at = log->copy.original != NULL ? &log->copy.original->copies : NULL;
    while (at != NULL && *at != log)
        at = &(*at)->copy.next;
    if (at != NULL)
        *at = log->copy.next;
    log->copy.original = log->copy.next = NULL;
    log->copy.grew = log->copy.pends = false;
}

/* Notes that the copy was compared, and waits. */
static void compared(struct ps_tail_copy *copy, uint64_t now_ns)
{
    copy->matched_ns = now_ns;
    if (copy->since_ns == 0)
        copy->since_ns = now_ns;
    copy->until_ns = now_ns + PS_TAIL_GRACE_NS;
}

/* Returns whether the copy has waited for wait_ns since its first comparison. */
static bool has_waited(const struct ps_tail_copy *copy, uint64_t now_ns, uint64_t wait_ns)
{
    return now_ns - copy->since_ns >= wait_ns;
}

/* Returns whether the copy was compared and has not grown since its size was last noted, or has waited for
 * PS_TAIL_SETTLE_NS since its first comparison. Notes `size`. */
static bool is_settled(struct ps_tail_copy *copy, uint64_t now_ns, int64_t size)
{
    bool grew = size > copy->size;
    copy->size = size;
    return copy->since_ns != 0 && (!grew || has_waited(copy, now_ns, PS_TAIL_SETTLE_NS));
}

/* Returns whether the bytes of a waiting copy are compared again: for PS_TAIL_COPY_MAX_NS while it grows. */
static bool is_compared_again(const struct ps_tail_copy *copy, uint64_t now_ns)
{
    if (now_ns - copy->matched_ns < PS_TAIL_COPY_LOOK_NS)
        return false;
    return copy->pends || (copy->grew && !has_waited(copy, now_ns, PS_TAIL_COPY_MAX_NS));
}

static void wait(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->state = PS_TAIL_LOG_COPY;
    compared(&log->copy, tailer->now_ns);
    ps_tail_slots_put(&tailer->copies, log->number);
    ps_tail_slots_put(&tailer->saves.changed, log->number);
    tailer->copies_look_ns = 0;
}

void ps_tail_copy_wait(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_log *original,
                       const struct ps_tail_mark *mark)
{
    ps_tail_copy_end(log);
    log->copy.original = original;
    log->copy.next = original->copies;
    original->copies = log;
    log->copy.mark = *mark;
    wait(tailer, log);
}

bool ps_tail_copy_pends(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t size)
{
    if (is_settled(&log->copy, tailer->now_ns, size))
        return false;
    ps_tail_copy_end(log);
    log->copy.pends = true;
    wait(tailer, log);
    tailer->copies_pend_ns = tailer->now_ns + PS_TAIL_COPY_LOOK_NS + 2 * COPIES_LOOK_NS;
    return true;
}

/* Makes the copy unresolved, so that it is compared again. */
static void compare_again(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_copy_end(log);
    log->resolved = false;
    ps_tail_slots_put(&tailer->unresolved, log->number);
    log->state = PS_TAIL_LOG_CLOSED;
    ps_tail_log_queue(tailer, log);
}

uint32_t ps_tail_copies_at_end(struct ps_tailer *tailer, uint32_t left)
{
    for (uint32_t most = COPIES_MAX; left > 0 && most > 0; left--, most--) {
        uint32_t number = ps_tail_slots_take(&tailer->copies);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL || log->state != PS_TAIL_LOG_COPY)
            continue;
        if (!log->copy.pends) {
            ps_tail_slots_put(&tailer->copies, number);
            continue;
        }
        compare_again(tailer, log);
        log->copy.since_ns = 0; /* this comparison does not settle it: it may wait on in the next process */
        ps_tail_log_open(tailer, log);
    }
    return left;
}

/* Makes the copy a file of its own. With skipToEnd it is read from where the comparison ended, because the original has the same
 * bytes before that. */
static void set_free(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    int64_t compared = log->copy.mark.offset;
    if (tailer->settings->skip_to_end && log->found_at_start) {
        ps_tail_marks_add(&log->marks, &log->copy.mark, compared);
        ps_tail_log_move(tailer, log, compared, compared);
    }
    ps_tail_copy_end(log);
    log->state = PS_TAIL_LOG_CLOSED;
    log->resolved = true;
    ps_tail_log_changed(tailer, log);
    ps_tail_log_queue(tailer, log);
}

void ps_tail_copy_takes_over(struct ps_tailer *tailer, struct ps_tail_log *original)
{
    const struct ps_tail_origin origin = ps_tail_origin_of(original);
    bool any = false;
    for (struct ps_tail_log *log = original->copies, *next; log != NULL; log = next) {
        next = log->copy.next;
        if (log->copy.grew) { /* the copy has more bytes than were compared: the original's marks decide */
            compare_again(tailer, log);
            continue;
        }
        struct ps_tail_mark mark = log->copy.mark;
        if (original->read_offset < mark.offset)
            mark = ps_tail_marks_at(&original->marks, original->read_offset);
        ps_tail_copy_goes_on(tailer, log, &origin, &mark);
        any = true;
    }
    if (any) { /* the next copy will be a copy of this copy */
        original->identity.head_length = 0;
        ps_tail_slots_put(&tailer->saves.changed, original->number);
        ps_tail_log_index(tailer, original);
    }
}

bool ps_tail_copy_is_there(const struct ps_tail_log *original)
{
    return original->copies != NULL;
}

void ps_tail_copy_changed(struct ps_tail_log *log)
{
    log->copy.grew = true;
}

/* Returns whether a file whose name is gone has been read and delivered completely. */
static bool is_over(const struct ps_tail_log *log)
{
    return !log->named && !log->queued && !log->waits && log->state != PS_TAIL_LOG_OPENING &&
           log->read_offset == log->delivered_offset;
}

/* Returns whether the file was truncated or is gone, and only its delivery is outstanding. */
static bool waits_for_delivery(const struct ps_tail_log *original)
{
    return (original->cut_waits || !original->named) && original->read_offset != original->delivered_offset;
}

/* Returns true if the original was checked at or after `since_ns`, or has no name. Else starts a check, unless
 * the original is read or checked soon, and returns whether that check has ended already. */
static bool lives_on(struct ps_tailer *tailer, struct ps_tail_log *original, uint64_t since_ns)
{
    if (!original->named || original->checked_ns >= since_ns)
        return true;
    if (original->queued || original->waits || original->cut_waits || original->deferred ||
        original->unreadable || original->state == PS_TAIL_LOG_OPENING)
        return false; /* the original is read or checked soon; while the channel is full, no file is read */
    ps_tail_log_open(tailer, original);
    return original->state != PS_TAIL_LOG_OPENING && !original->deferred;
}

/* Decides about a copy that waits. Returns false if it has to wait longer. */
static bool copy_decide(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    struct ps_tail_log *original = log->copy.original;
    if (is_compared_again(&log->copy, tailer->now_ns)) {
        compare_again(tailer, log);
    } else if (log->copy.pends) {
        return false;
    } else if (original == NULL) {
        set_free(tailer, log);
    } else if (is_over(original) && (log->copy.mark.offset >= original->read_offset ||
                                     has_waited(&log->copy, tailer->now_ns, PS_TAIL_SETTLE_NS))) {
        ps_tail_copy_takes_over(tailer, original);
    } else if (tailer->now_ns >= log->copy.until_ns && !waits_for_delivery(original) &&
               lives_on(tailer, original, log->copy.until_ns)) {
        set_free(tailer, log);
    } else {
        return false;
    }
    return true;
}

uint64_t ps_tail_copies_tick(struct ps_tailer *tailer)
{
    if (tailer->copies.count == 0)
        return PS_NEVER;
    if (tailer->now_ns < tailer->copies_look_ns)
        return tailer->copies_look_ns;
    uint32_t left = tailer->copies.count < COPIES_MAX ? tailer->copies.count : COPIES_MAX;
    for (; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->copies);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log != NULL && log->state == PS_TAIL_LOG_COPY && !copy_decide(tailer, log))
            ps_tail_slots_put(&tailer->copies, number);
    }
    tailer->copies_look_ns = tailer->now_ns + COPIES_LOOK_NS;
    return tailer->copies.count > 0 ? tailer->copies_look_ns : PS_NEVER;
}
