/* Opens a file and identifies it on the source's thread; then the worker decides where reading begins. */
#include "stages/lib/tail/tailer/opening.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MATCHES_MAX 8 /* comparisons in one opening: the candidates may start over meanwhile */

bool ps_tail_last_read(struct ps_tail_last_bytes *last, int fd, int64_t offset)
{
    size_t want = ps_tail_last_bytes_before(offset);
    ssize_t length = ps_tail_read_fully(fd, last->bytes, want, offset - (int64_t)want);
    last->length = length == (ssize_t)want ? (uint32_t)length : 0;
    return length >= 0;
}

/* Looks for the beginning of the NULs before the position: an earlier version, or Flume, took them for text, or the file is to be skipped. */
static bool text_end_read(struct ps_tail_opening *opening)
{
    const struct ps_tail_last_bytes *last = &opening->last;
    opening->text_offset = opening->offset;
    if (last->length == 0 || last->bytes[last->length - 1] != '\0' || opening->is_known)
        return true;
    opening->text_offset = ps_tail_nuls_begin(opening->fd, opening->offset, INT64_MAX);
    return opening->text_offset >= 0 &&
           ps_tail_last_read(&opening->text_last, opening->fd, opening->text_offset);
}

/* Returns the position to begin at instead of `offset`, which is behind NULs that may be written over. */
static int64_t before_nuls(const struct ps_tail_opening *opening, int64_t offset)
{
    return offset == opening->offset ? opening->text_offset : offset;
}

/* Returns false with errno if the file cannot be read: it is not identified then. */
static bool opening_read(struct ps_tail_opening *opening)
{
    if (!ps_tail_identity_read(opening->fd, &opening->identity, &opening->size))
        return false;
    enum ps_tail_seen begins = ps_tail_identity_begins(opening->fd, &opening->expected);
    ssize_t length = begins != PS_TAIL_SEEN_UNREADABLE
                         ? ps_tail_read_fully(opening->fd, opening->head, sizeof opening->head, 0)
                         : -1;
    if (length < 0)
        return false;
    opening->identity.born_ns = ps_tail_born_ns(opening->fd);
    opening->head_length = (size_t)length;
    opening->compression = ps_tail_compression(opening->head, opening->head_length);
    opening->begins = begins == PS_TAIL_SEEN_SAME;
    opening->way = ps_tail_way_of(opening->fd);
    opening->marks_fit = opening->begins;
    return ps_tail_last_read(&opening->last, opening->fd, opening->offset) && text_end_read(opening) &&
           ((opening->begins && !opening->doubts) || ps_tail_marks_find(opening));
}

static void opening_run(struct ps_tail_job *job)
{
    struct ps_tail_opening *opening = (struct ps_tail_opening *)(void *)job;
    if (opening->fd < 0)
        opening->fd = ps_tail_open(opening->path);
    if (opening->fd < 0 || !opening_read(opening))
        opening->error = errno;
}

static void opening_free(struct ps_tail_opening *opening)
{
    if (opening->fd >= 0 && !opening->was_open)
        close(opening->fd);
    ps_tail_match_free(opening->match);
    ps_tail_marks_free(&opening->marks);
    free(opening->path);
    free(opening);
}

static void opening_discard(struct ps_tail_job *job)
{
    opening_free((struct ps_tail_opening *)(void *)job);
}

/* ---- deciding ---- */

/* Takes the position over. The lines get the headers of the name in the position file. */
static void read_as(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_position *position)
{
    if (!log->matches && position->group >= 0)
        ps_tail_log_was(log, position->path, position->group);
    ps_tail_position_taken(tailer, position);
}

/* Finds the file's position in the position file. Returns false when there is none, or it is another file's. */
static bool remembered(struct ps_tailer *tailer, struct ps_tail_log *log,
                       const struct ps_tail_opening *opening, int64_t *offset)
{
    struct ps_tail_position *position =
        ps_tail_positions_find(&tailer->remembered.positions, log->identity.inode);
    if (position == NULL || position->path[0] == '\0')
        return false;
    const struct ps_tail_identity *known = &position->identity;
    bool same_path = strcmp(position->path, log->path) == 0, same;
    if (!log->matches && known->head_length == 0 && known->device != 0)
        return false; /* the file was empty, so nothing shows that it is the same one */
    if (!log->matches && same_path && position->group < 0) { /* the configuration of the groups was changed */
        ps_tail_log_of_no_group(tailer, log, opening->size - position->offset);
        ps_tail_position_taken(tailer, position);
        return false;
    }
    if (known->device != 0 && known->head_length == 0 && position->offset == 0) {
        log->found_at_start = false; /* an empty file had the position, so this may be a new file */
        log->anew_from = ps_tail_position_is_of(position, &opening->identity) ? position->anew_from : 0;
        ps_tail_position_taken(tailer, position);
        return false;
    }
    if (known->device ==
        0) /* Flume's rule: inode and path. With another path it may be the same file if a line ends at the position */
        same = same_path || (position->offset > 0 && ps_tail_last_bytes_end_line(&opening->last));
    else /* ignores the device number, which may change at a reboot */
        same = ps_tail_is_remembered(opening, position) && (known->head_length > 0 || position->offset == 0);
    if (!same) { /* truncated, overwritten, or deleted and its inode used again: a copy may exist */
        ps_tail_log_as_remembered(tailer, log, position);
        ps_tail_copy_takes_over(tailer, log);
        ps_tail_log_restart(tailer, log);
        if (same_path) /* the file is read from its beginning, unless it is itself a copy */
            ps_tail_position_taken(tailer, position);
        bool other_name = !log->matches && !same_path && position->group >= 0;
        bool renamed = other_name && ps_tail_position_is_of(position, &opening->identity);
        if (renamed) {
            ps_log(PS_LOG_INFO, tailer->port->component,
                   "%s was cut, and renamed to %s: it is read from its beginning", position->path, log->path);
            read_as(tailer, log, position);
        } else if (other_name && opening->compression == NULL && opening->size > 0) {
            ps_log(PS_LOG_WARN, tailer->port->component,
                   "%s has the inode of %s: if it is that file, give a group an expression for it; its %lld "
                   "bytes are not read",
                   log->path, position->path, (long long)opening->size);
        }
        return renamed; /* true: the file is read from its beginning */
    }
    *offset = position->offset <= opening->size ? before_nuls(opening, position->offset) : 0;
    ps_tail_marks_free(&log->marks);
    ps_tail_marks_copy(&log->marks, &position->marks, *offset);
    log->anew_from = position->anew_from;
    ps_tail_log_numbers(log, &position->serial);
    ps_tail_over_take(tailer, log, position->over_ms);
    read_as(tailer, log, position);
    return true;
}

/* Returns the position that the file probably has, so that the job reads the bytes before it. */
static int64_t offset_guess(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    if (log->resolved)
        return log->read_offset;
    const struct ps_tail_position *position =
        ps_tail_positions_find(&tailer->remembered.positions, log->identity.inode);
    if (position != NULL)
        return position->offset;
    return tailer->settings->skip_to_end && log->found_at_start ? log->start_bytes : 0;
}

static void last_set(struct ps_tail_log *log, const struct ps_tail_opening *opening)
{
    log->last.length = 0;
    const struct ps_tail_last_bytes *last = opening->offset == log->read_offset        ? &opening->last
                                            : opening->text_offset == log->read_offset ? &opening->text_last
                                            : opening->fits.offset == log->read_offset ? &opening->fits_last
                                                                                       : NULL;
    if (last != NULL && last->length > 0) {
        log->last = *last;
        struct ps_tail_mark mark = ps_tail_last_bytes_mark(&log->last, log->read_offset);
        if (ps_tail_marks_at(&log->marks, log->read_offset).length == 0)
            ps_tail_marks_add(&log->marks, &mark, log->delivered_offset);
    }
}

/* Returns whether the position file has another beginning for this inode: the file was truncated while the
 * agent was down, or the inode is another file's. The log keeps its old position until the look, so that a
 * restart before the look finds it. */
static bool differs_from_remembered(struct ps_tailer *tailer, struct ps_tail_log *log,
                                    const struct ps_tail_opening *opening)
{
    struct ps_tail_position *position =
        ps_tail_positions_find(&tailer->remembered.positions, log->identity.inode);
    if (!log->matches || position == NULL || position->path[0] == '\0' || position->identity.device == 0 ||
        position->identity.head_length == 0 || ps_tail_is_remembered(opening, position))
        return false;
    ps_tail_log_as_remembered(tailer, log, position);
    log->identity.born_ns = position->identity.born_ns;
    log->last.length = 0;
    ps_tail_log_index(tailer, log);
    ps_tail_position_taken(tailer, position); /* the log has the position now */
    ps_tail_wait_for_look(tailer, log, 0);
    return true;
}

/* Starts reading at `offset`. */
static void read_from(struct ps_tailer *tailer, struct ps_tail_log *log,
                      const struct ps_tail_opening *opening, int64_t offset)
{
    ps_tail_log_move(tailer, log, offset, offset);
    ps_tail_identity_take(log, opening);
    ps_tail_log_index(tailer, log);
    ps_tail_log_changed(tailer, log);
}

/* Decides where reading begins in a file that is opened for the first time. */
static enum ps_tail_verdict resolve(struct ps_tailer *tailer, struct ps_tail_log *log,
                                    struct ps_tail_opening *opening)
{
    int64_t offset = 0;
    if (opening->size == 0 && log->matched &&
        ps_tail_positions_find(&tailer->remembered.positions, log->identity.inode) == NULL)
        return PS_TAIL_READS_NOT; /* the file is identified when it has bytes */
    log->resolved = true;
    log->identity.born_ns = opening->identity.born_ns;
    log->is_young = ps_tail_is_young(tailer, opening->identity.born_ns);
    if (differs_from_remembered(tailer, log, opening))
        return PS_TAIL_READS_NOT;
    if (remembered(tailer, log, opening, &offset)) {
        log->compressed = opening->compression != NULL;
        read_from(tailer, log, opening, offset);
        return log->compressed ? PS_TAIL_READS_NOT : PS_TAIL_READS;
    }
    if (!log->matched)
        return PS_TAIL_READS_NOT; /* reported only for its inode, which another file had */
    return PS_TAIL_READS_UNKNOWN;
}

/* Checks a compressed file that was renamed or is shorter. If its beginning differs, the inode is another file's. */
static bool is_still_compressed(struct ps_tailer *tailer, struct ps_tail_log *log,
                                const struct ps_tail_opening *opening)
{
    log->resolved = log->compressed = opening->begins && log->identity.head_length > 0;
    if (!log->resolved)
        ps_tail_slots_put(&tailer->unresolved, log->number);
    int64_t offset = log->compressed ? opening->size : 0;
    ps_tail_log_move(tailer, log, offset, offset);
    if (!log->compressed)
        ps_tail_log_numbers_forget(log);
    return log->compressed;
}

/* Starts reading the file's lines. */
static void begin(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_opening *opening)
{
    if (!opening->was_open) {
        ps_tail_file_set(&log->file, opening->fd, opening->way);
        opening->fd = -1;
        ps_tail_opened(tailer);
    }
    last_set(log, opening);
    log->state = PS_TAIL_LOG_OPEN;
    ps_tail_sink_positions_announce(&tailer->sink, log->number);
    ps_tail_log_active(&tailer->open, log, tailer->now_ns);
    ps_tail_log_queue(tailer, log);
}

static void match_run(struct ps_tail_job *job)
{
    struct ps_tail_opening *opening = (struct ps_tail_opening *)(void *)job;
    ps_tail_match_run(opening->match, opening->fd);
}

static void match_answer(void *owner, struct ps_tail_job *job);

/* Asks the thread whether the log is a copy of a file that begins in the same way. Returns false when there is no such file. */
static bool match_ask(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_opening *opening)
{
    if (opening->matches++ >= MATCHES_MAX)
        return false;
    opening->match =
        ps_tail_match_make(tailer, log, opening->head, opening->head_length, opening->size, opening->match);
    if (opening->match == NULL)
        return false;
    opening->job.run = match_run;
    opening->job.answer = match_answer;
    log->state = PS_TAIL_LOG_OPENING;
    tailer->open.opening += opening->was_open ? 0 : 1;
    ps_tail_thread_ask(&tailer->thread, &opening->job);
    return true;
}

/* Starts reading a file that is not a copy. */
static void begin_own(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_opening *opening)
{
    bool skips = tailer->settings->skip_to_end && log->found_at_start && !log->is_young &&
                 log->start_bytes <= opening->size;
    read_from(tailer, log, opening, skips ? before_nuls(opening, log->start_bytes) : 0);
    begin(tailer, log, opening);
}

/* Returns false if `opening` is still in use: the answer to match_ask ends it. */
static bool begin_new(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_opening *opening)
{
    if (opening->compression != NULL) {
        log->identity = opening->identity;
        ps_tail_log_index(tailer, log);
        ps_tail_compressed_found(tailer, log, opening->compression);
        return true;
    }
    if (match_ask(tailer, log, opening))
        return false;
    begin_own(tailer, log, opening);
    return true;
}

/* Handles a file that could be opened. Returns false if `opening` is still in use; otherwise the caller ends it. */
static bool opened(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_opening *opening)
{
    enum ps_tail_verdict verdict;
    if (log->compressed && is_still_compressed(tailer, log, opening))
        verdict = PS_TAIL_READS_NOT;
    else if (log->resolved)
        verdict = ps_tail_compare(tailer, log, opening);
    else
        verdict = resolve(tailer, log, opening);
    log->unreadable &=
        verdict != PS_TAIL_READS_NOT; /* a file that is read stays marked until a read succeeds */
    ps_tail_log_size_set(log, opening->size);
    if (log->stranger) {
        ps_tail_log_remove(tailer, log);
    } else if (log->cut_waits) {
        log->state = opening->was_open ? PS_TAIL_LOG_OPEN : PS_TAIL_LOG_CLOSED;
    } else if (verdict == PS_TAIL_READS_UNKNOWN) {
        return begin_new(tailer, log, opening);
    } else if (verdict == PS_TAIL_READS) {
        begin(tailer, log, opening);
    } else if (!log->matched) {
        ps_tail_log_remove(tailer, log);
    }
    return true;
}

static void not_opened(struct ps_tailer *tailer, struct ps_tail_log *log,
                       const struct ps_tail_opening *opening)
{
    bool other = opening->error == 0 || opening->error == ENOENT;
    log->state = opening->was_open ? PS_TAIL_LOG_OPEN : PS_TAIL_LOG_CLOSED;
    if (other) { /* renamed or deleted meanwhile: a look finds out */
        tailer->places[log->directory].names = true;
        tailer->places[log->directory].look_ns = 0;
        return;
    }
    if (!ps_tail_fewer_open(tailer, log, opening->error))
        ps_tail_log_unreadable(tailer, log, opening->error);
}

static void opening_end(struct ps_tailer *tailer, struct ps_tail_opening *opening, bool again)
{
    struct ps_tail_log *log = tailer->table.logs[opening->number];
    ps_tail_slots_put(&tailer->saves.changed, opening->number); /* its identity may have changed */
    opening_free(opening);
    if (again && log != NULL) /* also if the file was not opened: a look may have reported its new name */
        ps_tail_log_queue(tailer, log);
}

/* Takes the file of this opening back from the job. */
static struct ps_tail_log *opening_back(struct ps_tailer *tailer, const struct ps_tail_opening *opening,
                                        bool *again)
{
    struct ps_tail_log *log = tailer->table.logs[opening->number];
    *again = log->again;
    log->again = false;
    tailer->open.opening -= opening->was_open ? 0 : 1;
    log->state = opening->was_open ? PS_TAIL_LOG_OPEN : PS_TAIL_LOG_CLOSED;
    return log;
}

static void opening_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct ps_tail_opening *opening = (struct ps_tail_opening *)(void *)job;
    bool again;
    struct ps_tail_log *log = opening_back(tailer, opening, &again);
    bool same = opening->error == 0 &&
                ps_tail_identity_is_inode(&log->identity, opening->identity.device, opening->identity.inode);
    if (!same)
        not_opened(tailer, log, opening);
    else if (!opened(tailer, log, opening)) {
        log->again = again;
        return;
    }
    opening_end(tailer, opening, again);
}

static void match_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct ps_tail_opening *opening = (struct ps_tail_opening *)(void *)job;
    bool again;
    struct ps_tail_log *log = opening_back(tailer, opening, &again);
    int error = ps_tail_match_error(tailer, log, opening->match);
    if (error != 0) { /* the file's original is not known: the file is opened again */
        opening->error = error;
        log->resolved = false;
        ps_tail_slots_put(&tailer->unresolved, log->number);
        not_opened(tailer, log, opening);
        opening_end(tailer, opening, again);
        return;
    }
    enum ps_tail_matched matched = ps_tail_match_take(tailer, log, opening->match);
    if (matched == PS_TAIL_MATCH_AGAIN && match_ask(tailer, log, opening)) {
        log->again = again;
        return;
    }
    if (matched == PS_TAIL_MATCH_COPY) {
        log->unreadable = false;
        ps_tail_identity_take(log, opening);
        ps_tail_log_index(tailer, log);
    } else if (matched != PS_TAIL_MATCH_GOES_ON) {
        begin_own(tailer, log, opening);
    }
    opening_end(tailer, opening, again);
}

/* Gives the job what is known of the bytes before the position. */
static void marks_give(const struct ps_tailer *tailer, const struct ps_tail_log *log,
                       struct ps_tail_opening *opening)
{
    const struct ps_tail_position *position =
        log->resolved ? NULL : ps_tail_positions_find(&tailer->remembered.positions, log->identity.inode);
    opening->is_known = log->resolved;
    opening->doubts = log->shrank || log->cut_looked;
    if (position != NULL && !log->compressed)
        opening->expected = position->identity; /* with another beginning all marks are compared */
    if (log->resolved || position != NULL)
        ps_tail_marks_copy(&opening->marks, log->resolved ? &log->marks : &position->marks, opening->offset);
}

void ps_tail_log_open(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (!log->named && log->file.fd < 0)
        return; /* the file is gone */
    if (log->file.fd < 0 && !ps_tail_room_make(tailer)) {
        ps_tail_log_defer(tailer, log);
        return;
    }
    struct ps_tail_opening *opening = ps_must_alloc(1, sizeof *opening, "opening a file");
    opening->job =
        (struct ps_tail_job){.run = opening_run, .answer = opening_answer, .discard = opening_discard};
    opening->number = log->number;
    opening->path = ps_tail_log_place_of(tailer, log);
    opening->fd = log->file.fd;
    opening->was_open = log->file.fd >= 0;
    opening->offset = offset_guess(tailer, log);
    if (log->resolved)
        opening->expected = log->identity;
    marks_give(tailer, log, opening);
    tailer->open.opening += opening->was_open ? 0 : 1;
    log->state = PS_TAIL_LOG_OPENING;
    log->again = false;
    ps_tail_thread_ask(&tailer->thread, &opening->job);
}
