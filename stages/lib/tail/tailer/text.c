/* Compressed files that are read (penstock.decompress, decision 80). One has its turn at a time. First its whole text is
 * surveyed, to find out whether it is complete and from which file it was compressed. Then the unread part is read; its
 * positions are those in the text. An unchanged file is surveyed once by each process, and not at all when the position file has its
 * end. */
#include "stages/lib/tail/tailer/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "a compressed file"
#define PIECE_BYTES (64U * 1024U)
#define SURVEY_BYTES (8U * 1024U * 1024U) /* bytes of text in one job */
#define AGAIN_NS (200 * PS_NS_PER_MS)     /* shortest wait before a file that changed is surveyed again */
/* The wait is at least this many times the duration of the survey. */
#define AGAIN_TIMES 4U
/* Interval between two checks of the file that is read, while others wait. */
#define NEXT_LOOK_NS (20 * PS_NS_PER_MS)
/* Maximum number of surveys of one file that are repeated because the candidates began anew meanwhile. */
#define TRIES_MAX 8U

struct survey {
    struct ps_tail_job job;
    uint32_t number; /* number of the log, which exists until the answer, because its state is OPENING */
    struct ps_tail_text *text;
    struct ps_tail_match *match; /* NULL: no file begins like it, or its original is known */
    struct ps_tail_mark own;     /* the mark before its position, if it is known */
    uint64_t begun_ns;
    /* Results: */
    bool ended, own_seen;
    int error; /* errno; 0: none */
    int64_t at;
    size_t before; /* number of bytes of the previous piece at the beginning of `bytes` */
    char bytes[PS_TAIL_MARK_BYTES + PIECE_BYTES];
};

static void survey_discard(struct ps_tail_job *job)
{
    struct survey *survey = (struct survey *)(void *)job;
    ps_tail_match_free(survey->match);
    ps_tail_text_drop(survey->text);
    free(survey);
}

static void survey_piece(struct survey *survey, size_t length)
{
    const char *piece = survey->bytes + survey->before;
    const struct ps_tail_mark *own = &survey->own;
    if (survey->match != NULL)
        ps_tail_match_text(survey->match, piece, survey->before, length, survey->at);
    if (own->offset > survey->at && own->offset <= survey->at + (int64_t)length) {
        size_t at = (size_t)(own->offset - survey->at);
        survey->own_seen = ps_tail_mark_is_before(piece + at, survey->before + at, own);
    }
    survey->at += (int64_t)length;
    size_t known = survey->before + length;
    size_t kept = known < PS_TAIL_MARK_BYTES ? known : PS_TAIL_MARK_BYTES;
    memmove(survey->bytes, survey->bytes + known - kept, kept);
    survey->before = kept;
}

static struct ps_tail_mark survey_end_mark(const struct survey *survey)
{
    return ps_tail_mark_of(survey->at, survey->bytes, survey->before);
}

static void survey_run(struct ps_tail_job *job)
{
    struct survey *survey = (struct survey *)(void *)job;
    for (int64_t end = survey->at + SURVEY_BYTES; survey->at < end;) {
        ssize_t length =
            ps_tail_text_read(survey->text, survey->bytes + survey->before, PIECE_BYTES, survey->at);
        if (length < 0 && errno == EAGAIN)
            return;
        if (length < 0) {
            survey->error = errno;
            return;
        }
        if (length == 0) {
            struct ps_tail_mark mark = survey_end_mark(survey);
            survey->ended = true;
            if (survey->match != NULL)
                ps_tail_match_text_end(survey->match, survey->at, &mark);
            return;
        }
        survey_piece(survey, (size_t)length);
    }
}

/* ---- the result of a survey ---- */

static void unresolved(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->resolved = false;
    ps_tail_slots_put(&tailer->unresolved, log->number);
}

static void done(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->text.done = true;
    log->text.tries = 0;
    ps_tail_log_changed(tailer, log);
}

/* Handles a file whose text differs from the bytes that were read. */
static void text_differs(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->resolved)
        ps_log(PS_LOG_INFO, tailer->port->component,
               "%s was cut or written over: it is read from its beginning", log->path);
    ps_tail_log_restart(tailer, log);
    unresolved(tailer, log);
    ps_tail_text_state_forget(&log->text);
    log->rest = false;
}

/* Returns whether the text has an unread part that can be read now. */
static bool has_rest(const struct ps_tail_log *log)
{
    return ps_tail_text_state_is_final(&log->text) && log->resolved && log->state == PS_TAIL_LOG_CLOSED &&
           !log->text.done && log->read_offset < log->text.bytes;
}

/* Returns whether the text has been read completely. */
static bool has_none(const struct ps_tail_log *log)
{
    return ps_tail_text_state_is_final(&log->text) && log->resolved && log->state == PS_TAIL_LOG_CLOSED &&
           !log->text.done && log->read_offset >= log->text.bytes;
}

/* Returns whether the text has, before its position, the bytes that were read there earlier. */
static bool is_known(const struct ps_tail_log *log, const struct survey *survey)
{
    if (log->text.end != PS_TAIL_TEXT_WHOLE && survey->at < log->read_offset)
        return true; /* the text ends before the position, so the bytes cannot be compared: nothing is read */
    return survey->at >= log->read_offset && (survey->own.length == 0 || survey->own_seen);
}

/* Handles a file that was compressed from no known file. skipToEnd skips its text only if the file has not grown since it was found,
 * because the place in the text where the new part begins is not known. */
static void own_file(struct ps_tailer *tailer, struct ps_tail_log *log, const struct survey *survey)
{
    bool skips = tailer->settings->skip_to_end && log->found_at_start && !log->is_young &&
                 log->text.stamp.size == log->start_bytes;
    const struct ps_tail_mark mark = survey_end_mark(survey);
    ps_tail_marks_free(&log->marks);
    if (skips)
        ps_tail_marks_add(&log->marks, &mark, survey->at);
    log->resolved = true;
    ps_tail_log_move(tailer, log, skips ? survey->at : 0, skips ? survey->at : 0);
    ps_tail_log_index(tailer, log);
    ps_tail_log_changed(tailer, log);
}

static void compared(struct ps_tailer *tailer, struct ps_tail_log *log, const struct survey *survey)
{
    enum ps_tail_matched matched = PS_TAIL_MATCH_NONE;
    int error = survey->match != NULL ? ps_tail_match_error(tailer, log, survey->match) : 0;
    if (error != 0) {
        ps_tail_log_unreadable(tailer, log, error);
        return;
    }
    if (survey->match != NULL)
        matched = ps_tail_match_take(tailer, log, survey->match);
    if (matched == PS_TAIL_MATCH_AGAIN && log->text.tries++ < TRIES_MAX) {
        ps_tail_text_ask(tailer, log);
        return;
    }
    log->text.tries = 0;
    log->unreadable = false;
    if (matched == PS_TAIL_MATCH_COPY)
        log->resolved = true;
    else if (matched != PS_TAIL_MATCH_GOES_ON)
        own_file(tailer, log, survey);
}

/* Logs that the file is not read, or not to its end, so that somebody can repair it. */
static void name(struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    static const char *const formats[] = {"", "gzip", "zstd"};
    if (log->text.end == PS_TAIL_TEXT_EARLY)
        ps_log(PS_LOG_WARN, tailer->port->component,
               "%s is compressed with %s and ends early, after byte %lld of its text: it is not read until "
               "it is complete. If nobody completes it, decompress it to a file of the group",
               log->path, formats[log->text.kind], (long long)log->text.bytes);
    else
        ps_log(PS_LOG_WARN, tailer->port->component,
               "%s is compressed with %s and damaged after byte %lld of its text: the whole lines before the "
               "damage are read, and nothing after them. If another copy is undamaged, replace the file with "
               "it: reading then continues",
               log->path, formats[log->text.kind], (long long)log->text.bytes);
}

static void surveyed(struct ps_tailer *tailer, struct ps_tail_log *log, const struct survey *survey)
{
    log->text.bytes = survey->at;
    log->text.end = ps_tail_text_end(survey->text);
    if (!ps_tail_text_state_is_final(&log->text)) {
        log->unreadable = false;
        /* the file is opened again when it has grown, or has been idle */
        ps_tail_slots_put(&tailer->texts, log->number);
    } else if (!log->resolved) {
        compared(tailer, log, survey);
    } else if (is_known(log, survey)) {
        log->unreadable = false;
    } else {
        text_differs(tailer, log);
        ps_tail_text_ask(tailer, log);
    }
}

/* ---- reading ---- */

static void file_take(struct ps_tailer *tailer, struct ps_tail_log *log, int fd)
{
    if (log->file.fd == fd) /* it stayed open since its last survey */
        return;
    ps_tail_file_set(&log->file, fd, PS_TAIL_THREAD);
    ps_tail_opened(tailer);
}

/* Starts reading. A last line without a newline counts at once, because nobody will complete it. The last line
 * of a damaged file is incomplete, and does not count. */
static void read_begin(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_text *text)
{
    ps_tail_text_limit(text, log->text.bytes);
    ps_tail_text_hold(text);
    log->file.text = text;
    log->state = PS_TAIL_LOG_OPEN;
    log->rest = log->text.end == PS_TAIL_TEXT_WHOLE;
    log->last.length = 0;
    ps_tail_log_active(&tailer->open, log, tailer->now_ns);
    ps_tail_log_queue(tailer, log);
}

void ps_tail_text_read_to_end(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    bool whole = log->read_offset >= log->text.bytes || log->text.end == PS_TAIL_TEXT_DAMAGED;
    if (log->state != PS_TAIL_LOG_OPEN || log->unreadable)
        return;
    log->partial = log->rest = false; /* the inode may be used by another file next */
    ps_tail_log_close(tailer, log);
    if (whole)
        done(tailer, log);
    else
        log->text.bytes = -1;      /* it is not the text that was surveyed */
    ps_tail_text_ask(tailer, log); /* the file may have changed meanwhile */
}

/* Ends the turn of a file that is not read now. If its survey is repeated, it stays open: it may be deleted before that. One that could
 * not be read is closed by a look that has found its name (ps_tail_unreadable_queue). */
static void turn_end(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    enum ps_tail_log_state state = log->state;
    if (state == PS_TAIL_LOG_CLOSED && (log->unreadable || (log->text.news && !log->text.done)) &&
        !tailer->draining) {
        log->state = PS_TAIL_LOG_OPEN;
        return;
    }
    ps_tail_log_close(tailer, log);
    log->state = state;
}

static void survey_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct survey *survey = (struct survey *)(void *)job;
    struct ps_tail_log *log = tailer->table.logs[survey->number];
    if (!survey->ended && survey->error == 0 && !tailer->draining) {
        ps_tail_thread_ask(&tailer->thread, &survey->job);
        return;
    }
    bool again = log->again;
    log->again = false;
    log->state = PS_TAIL_LOG_CLOSED;
    log->text.again_ns = tailer->now_ns + AGAIN_NS + AGAIN_TIMES * (tailer->now_ns - survey->begun_ns);
    if (survey->ended && !tailer->draining)
        surveyed(tailer, log, survey);
    else if (survey->error == ESTALE)
        ps_tail_text_ask(tailer, log);
    else if (survey->error != 0)
        ps_tail_log_unreadable(tailer, log, survey->error);
    if (survey->ended && !tailer->draining && has_rest(log)) {
        read_begin(tailer, log, survey->text);
    } else {
        if (survey->ended && has_none(log))
            done(tailer, log);
        turn_end(tailer, log);
    }
    if (again)
        ps_tail_log_queue(tailer, log);
    survey_discard(job);
}

static void survey_begin(struct ps_tailer *tailer, struct ps_tail_log *log,
                         const struct ps_tail_text_opening *opening)
{
    struct survey *survey = ps_must_alloc(1, sizeof *survey, PURPOSE);
    int64_t size = opening->start->text_bytes > 0 ? opening->start->text_bytes : opening->stamp.size;
    survey->job = (struct ps_tail_job){.run = survey_run, .answer = survey_answer, .discard = survey_discard};
    survey->number = log->number;
    survey->begun_ns = tailer->now_ns;
    survey->text = ps_tail_text_create(opening->fd, log->text.kind, &opening->stamp);
    if (log->resolved)
        survey->own = ps_tail_marks_at(&log->marks, log->read_offset);
    else
        survey->match =
            ps_tail_match_make(tailer, log, opening->start->text, opening->start->text_length, size, NULL);
    file_take(tailer, log, opening->fd);
    log->state = PS_TAIL_LOG_OPENING;
    ps_tail_thread_ask(&tailer->thread, &survey->job);
}

/* ---- opening ---- */

void ps_tail_text_ask(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->text.news = true;
    ps_tail_slots_put(&tailer->texts, log->number);
}

void ps_tail_text_found(struct ps_tailer *tailer, struct ps_tail_log *log, enum ps_compression kind,
                        const struct ps_tail_identity *identity)
{
    log->text.kind = kind;
    ps_tail_text_state_forget(&log->text);
    log->identity = *identity;
    unresolved(tailer, log);
    ps_tail_text_ask(tailer, log);
}

void ps_tail_text_remembered(struct ps_tailer *tailer, struct ps_tail_log *log, enum ps_compression kind,
                             const struct ps_tail_stamp *stamp, int64_t text)
{
    ps_tail_log_index(tailer, log);
    ps_tail_log_changed(tailer, log);
    log->text.kind = kind;
    ps_tail_text_state_forget(&log->text);
    if (text > 0 && text == stamp->size)
        ps_tail_text_state_remembered(&log->text, stamp, log->read_offset);
    else
        ps_tail_text_ask(tailer, log);
}

/* Returns whether a file that has not changed since its last opening has to be surveyed again. An incomplete one whose original is not
 * known keeps its place in tailer->texts, so that possible originals are not forgotten. */
static bool is_due(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    struct ps_tail_text_state *text = &log->text;
    const uint64_t idle_ns = tailer->now_ns - text->since_ns;
    if (text->end == PS_TAIL_TEXT_WHOLE)
        return !log->resolved;
    const bool settles = !text->settled && idle_ns >= PS_TAIL_TEXT_IDLE_NS;
    if (settles) {
        text->settled = true;
        name(tailer, log);
    }
    if (!text->settled ||
        (text->end == PS_TAIL_TEXT_EARLY && !log->resolved && idle_ns < PS_TAIL_TEXT_PAUSE_NS))
        ps_tail_slots_put(&tailer->texts, log->number);
    return text->end == PS_TAIL_TEXT_DAMAGED && (settles || (text->settled && !log->resolved));
}

/* Starts a survey or a read. Returns whether the descriptor is kept. */
static bool turn_begin(struct ps_tailer *tailer, struct ps_tail_log *log,
                       const struct ps_tail_text_opening *opening)
{
    bool same = ps_tail_text_state_is_of(&log->text, &opening->stamp);
    log->size = opening->stamp.size;
    if (tailer->unpacking != log) { /* another file has its turn */
        ps_tail_text_ask(tailer, log);
        return false;
    }
    if (!same) {
        if (log->text.done)
            /* else a restart would find the file marked as read to its end */
            ps_tail_log_changed(tailer, log);
        ps_tail_text_state_changed(&log->text, &opening->stamp, tailer->now_ns);
    }
    if (!log->resolved)
        log->identity = opening->identity;
    if (!same || is_due(tailer, log)) {
        survey_begin(tailer, log, opening);
        return true;
    }
    if (has_none(log))
        done(tailer, log);
    if (!has_rest(log))
        return false;
    struct ps_tail_text *text = ps_tail_text_create(opening->fd, log->text.kind, &opening->stamp);
    file_take(tailer, log, opening->fd);
    read_begin(tailer, log, text);
    ps_tail_text_drop(text);
    return true;
}

bool ps_tail_text_opened(struct ps_tailer *tailer, struct ps_tail_log *log,
                         const struct ps_tail_text_opening *opening, bool *keeps)
{
    bool same = opening->kind != PS_COMPRESSION_NONE && (!log->resolved || opening->begins);
    if (!same && !log->matches && !opening->was_open) { /* its inode belongs to another file now */
        ps_tail_log_remove(tailer, log);
        return true;
    }
    const bool stayed = ps_tail_log_survey_waits(log);
    if (opening->was_open && !(stayed && same)) { /* the file changed while it was read */
        ps_tail_log_close(tailer, log);
        ps_tail_text_ask(tailer, log);
        return true;
    }
    if (!same)
        text_differs(tailer, log);
    log->text.kind = opening->kind;
    if (opening->kind == PS_COMPRESSION_NONE)
        return false;
    log->state = PS_TAIL_LOG_CLOSED;
    *keeps = turn_begin(tailer, log, opening);
    if (stayed && !*keeps)
        ps_tail_log_close(tailer, log);
    return true;
}

void ps_tail_text_left(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_log_index(tailer, log);
    ps_tail_log_changed(tailer, log);
    ps_log(PS_LOG_WARN, tailer->port->component,
           "%s is compressed, and was read to byte %lld of its text: the rest is not read, because "
           "penstock.decompress is never; set it to auto to read on",
           log->path, (long long)log->read_offset);
}

/* ---- turns ---- */

bool ps_tail_texts_wait(const struct ps_tailer *tailer)
{
    return tailer->texts.count > 0 || tailer->unpacking != NULL;
}

/* Returns whether the turn of this file is over. A file that cannot be read stays open until a look has found its name
 * (ps_tail_unreadable_queue): if it was deleted, it cannot be opened again, and is read on beside the next file. */
static bool is_over(const struct ps_tail_log *log)
{
    bool rests = log->state == PS_TAIL_LOG_OPEN && log->unreadable && !log->queued && !log->waits;
    return rests || ps_tail_log_survey_waits(log) || log->state == PS_TAIL_LOG_CLOSED ||
           log->state == PS_TAIL_LOG_COPY ||
           !ps_tail_log_is_text(log); /* its inode belongs to another file */
}

/* Returns whether the originals of compressed files are known: all readable directories were looked at, and no file is being opened. */
static bool is_settled(const struct ps_tailer *tailer)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        if (!tailer->places[i].looked && (tailer->places[i].looking || tailer->places[i].error == 0))
            return false;
    }
    return tailer->open.opening == 0;
}

uint64_t ps_tail_texts_tick(struct ps_tailer *tailer)
{
    uint64_t next_ns = PS_NEVER;
    if (tailer->unpacking != NULL && is_over(tailer->unpacking))
        tailer->unpacking = NULL;
    if (tailer->texts.count == 0)
        return PS_NEVER;
    if (tailer->unpacking != NULL || !is_settled(tailer))
        return tailer->now_ns + NEXT_LOOK_NS;
    for (uint32_t left = tailer->texts.count; left > 0 && tailer->unpacking == NULL; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->texts);
        struct ps_tail_log *log = tailer->table.logs[number];
        bool opens = log != NULL &&
                     ((log->state == PS_TAIL_LOG_CLOSED && log->named) || ps_tail_log_survey_waits(log));
        uint64_t log_ns = opens ? ps_tail_text_state_due_ns(&log->text) : PS_NEVER;
        if (log_ns > tailer->now_ns) {
            if (log_ns != PS_NEVER)
                ps_tail_slots_put(&tailer->texts, number);
            next_ns = log_ns < next_ns ? log_ns : next_ns;
            continue;
        }
        log->text.news = false;
        tailer->unpacking = log;
        ps_tail_log_open(tailer, log);
    }
    return tailer->unpacking != NULL ? tailer->now_ns + NEXT_LOOK_NS : next_ns;
}
