/* Compressed files that are read (penstock.decompress, decision 80). One at a time is opened. First its text is surveyed, from its beginning
 * to its end: whether it is whole, and which file it was compressed from. Then what nobody has read of it is read, by positions of the text.
 * A file that does not change is surveyed once in each life, and not at all when the position file has its end. */
#include "stages/tail/tailer_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "a compressed file"
#define PIECE_BYTES (64U * 1024U)
#define SURVEY_BYTES (8U * 1024U * 1024U) /* of the text, in one job */
#define AGAIN_NS (200 * PS_NS_PER_MS)     /* a file that changes is surveyed again, at the earliest, */
#define AGAIN_TIMES 4U                    /* and rests so many times as long as the survey took */
#define NEXT_LOOK_NS (20 * PS_NS_PER_MS)  /* at the one that is read, while others wait */
#define TRIES_MAX 8U                      /* the files that it is compared with may begin anew meanwhile */

struct survey {
    struct ps_tail_job job;
    uint32_t number; /* of the log, which stays: its state is OPENING */
    struct ps_tail_text *text;
    struct ps_tail_match *match; /* NULL: it begins like no other, or is known */
    struct ps_tail_mark own;     /* before its position, if it is known */
    uint64_t begun_ns;
    /* the answer */
    bool ended, own_seen;
    int error; /* errno; 0: none */
    int64_t at;
    size_t before; /* the last ones, at the beginning of `bytes` */
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

/* ---- what a survey says ---- */

static void unresolved(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->resolved = false;
    ps_tail_slots_put(&tailer->unresolved, log->number);
}

static void done(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->text_done = true;
    log->text_tries = 0;
    ps_tail_log_changed(tailer, log);
}

void ps_tail_text_other(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->resolved)
        ps_log(PS_LOG_INFO, tailer->port->component,
               "%s was cut or written over: it is read from its beginning", log->path);
    ps_tail_log_restart(tailer, log);
    unresolved(tailer, log);
    log->text_bytes = -1;
    log->text_done = log->rest = false;
}

/* Whether there will be no more of its text, as long as it does not change. */
static bool is_final(const struct ps_tail_log *log)
{
    return log->text_bytes >= 0 && (log->text_end == PS_TAIL_TEXT_WHOLE ||
                                    (log->text_end == PS_TAIL_TEXT_DAMAGED && log->text_settled));
}

/* Whether it has something that is to be read, and was not. */
static bool has_rest(const struct ps_tail_log *log)
{
    return is_final(log) && log->resolved && log->state == PS_TAIL_LOG_CLOSED && !log->text_done &&
           log->read_offset < log->text_bytes;
}

/* Whether nothing is to be read. */
static bool has_none(const struct ps_tail_log *log)
{
    return is_final(log) && log->resolved && log->state == PS_TAIL_LOG_CLOSED && !log->text_done &&
           log->read_offset >= log->text_bytes;
}

/* Returns whether the text has before its position the bytes that were read. */
static bool is_known(const struct ps_tail_log *log, const struct survey *survey)
{
    if (log->text_end != PS_TAIL_TEXT_WHOLE && survey->at < log->read_offset)
        return true; /* nothing else is known of it: nothing is read */
    return survey->at >= log->read_offset && (survey->own.length == 0 || survey->own_seen);
}

/* It was compressed from no file that is known. What it has got since it was found is not skipped, and where that begins in its text is not known. */
static void own_file(struct ps_tailer *tailer, struct ps_tail_log *log, const struct survey *survey)
{
    bool skips =
        tailer->settings->skip_to_end && log->found_at_start && log->text_stamp.size == log->start_bytes;
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
    if (matched == PS_TAIL_MATCH_AGAIN && log->text_tries++ < TRIES_MAX) {
        ps_tail_text_ask(tailer, log);
        return;
    }
    log->text_tries = 0;
    log->unreadable = false;
    if (matched == PS_TAIL_MATCH_COPY)
        log->resolved = true;
    else if (matched != PS_TAIL_MATCH_GOES_ON)
        own_file(tailer, log, survey);
}

/* The file is not read as it is, or not all of it. Somebody may put it right. */
static void name(struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    static const char *const formats[] = {"", "gzip", "zstd"};
    if (log->text_end == PS_TAIL_TEXT_EARLY)
        ps_log(PS_LOG_WARN, tailer->port->component,
               "%s is compressed with %s, and ends early, behind byte %lld of its text: it is not read until "
               "it is "
               "whole. If nobody completes it, decompress it to a file of the group",
               log->path, formats[log->text], (long long)log->text_bytes);
    else
        ps_log(
            PS_LOG_WARN, tailer->port->component,
            "%s is compressed with %s, and damaged behind byte %lld of its text: the whole lines before are "
            "read, and nothing behind them. If another copy of it is whole, replace it by that: it is read "
            "on",
            log->path, formats[log->text], (long long)log->text_bytes);
}

static void surveyed(struct ps_tailer *tailer, struct ps_tail_log *log, const struct survey *survey)
{
    log->text_bytes = survey->at;
    log->text_end = ps_tail_text_end(survey->text);
    if (!is_final(log)) {
        log->unreadable = false;
        ps_tail_slots_put(&tailer->texts, log->number); /* it grows, or rests */
    } else if (!log->resolved) {
        compared(tailer, log, survey);
    } else if (is_known(log, survey)) {
        log->unreadable = false;
    } else {
        ps_tail_text_other(tailer, log);
        ps_tail_text_ask(tailer, log);
    }
}

/* ---- reading ---- */

static void file_take(struct ps_tailer *tailer, struct ps_tail_log *log, int fd)
{
    ps_tail_file_set(&log->file, fd, PS_TAIL_THREAD);
    tailer->open_count++;
    tailer->open_failing = false;
    ps_gauge_set(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_open_files, tailer->open_count);
}

/* A last line without its end counts at once: nobody goes on writing. The last line of a damaged file is a piece of a line, and does not count. */
static void read_begin(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_text *text)
{
    ps_tail_text_limit(text, log->text_bytes);
    ps_tail_text_hold(text);
    log->file.text = text;
    log->state = PS_TAIL_LOG_OPEN;
    log->rest = log->text_end == PS_TAIL_TEXT_WHOLE;
    log->hole_checked = true;
    log->last_length = 0;
    ps_tail_log_active(tailer, log);
    ps_tail_log_queue(tailer, log);
}

void ps_tail_text_read_to_end(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    bool whole = log->read_offset >= log->text_bytes || log->text_end == PS_TAIL_TEXT_DAMAGED;
    if (log->state != PS_TAIL_LOG_OPEN || log->unreadable)
        return;
    log->partial = log->rest = false; /* another file may have its inode next */
    ps_tail_log_close(tailer, log);
    if (whole)
        done(tailer, log);
    else
        log->text_bytes = -1;      /* it is not what was surveyed */
    ps_tail_text_ask(tailer, log); /* it may have changed meanwhile */
}

static void survey_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct survey *survey = (struct survey *)(void *)job;
    struct ps_tail_log *log = tailer->logs[survey->number];
    if (!survey->ended && survey->error == 0 && !tailer->draining) {
        ps_tail_thread_ask(&tailer->thread, &survey->job);
        return;
    }
    bool again = log->again;
    log->again = false;
    log->state = PS_TAIL_LOG_CLOSED;
    log->text_again_ns = tailer->now_ns + AGAIN_NS + AGAIN_TIMES * (tailer->now_ns - survey->begun_ns);
    if (survey->ended && !tailer->draining)
        surveyed(tailer, log, survey);
    else if (survey->error == ESTALE)
        ps_tail_text_ask(tailer, log);
    else if (survey->error != 0)
        ps_tail_log_unreadable(tailer, log, survey->error);
    if (survey->ended && !tailer->draining && has_rest(log)) {
        read_begin(tailer, log, survey->text);
    } else {
        enum ps_tail_log_state state = log->state;
        if (survey->ended && has_none(log))
            done(tailer, log);
        ps_tail_log_close(tailer, log);
        log->state = state;
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
    survey->text = ps_tail_text_create(opening->fd, log->text, &opening->stamp);
    if (log->resolved)
        survey->own = ps_tail_marks_at(&log->marks, log->read_offset);
    else
        survey->match =
            ps_tail_match_make(tailer, log, opening->start->text, opening->start->text_length, size);
    file_take(tailer, log, opening->fd);
    log->state = PS_TAIL_LOG_OPENING;
    ps_tail_thread_ask(&tailer->thread, &survey->job);
}

/* ---- opening ---- */

void ps_tail_text_ask(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->text_news = true;
    ps_tail_slots_put(&tailer->texts, log->number);
}

void ps_tail_text_found(struct ps_tailer *tailer, struct ps_tail_log *log, enum ps_compression kind,
                        const struct ps_tail_identity *identity)
{
    log->text = kind;
    log->text_bytes = -1;
    log->text_done = false;
    log->identity = *identity;
    unresolved(tailer, log);
    ps_tail_text_ask(tailer, log);
}

void ps_tail_text_remembered(struct ps_tailer *tailer, struct ps_tail_log *log, enum ps_compression kind,
                             const struct ps_tail_stamp *stamp, int64_t text)
{
    ps_tail_log_index(tailer, log);
    ps_tail_log_changed(tailer, log);
    log->text = kind;
    log->text_bytes = -1;
    log->text_done = text > 0 && text == stamp->size;
    if (!log->text_done) {
        ps_tail_text_ask(tailer, log);
        return;
    }
    log->text_stamp = *stamp;
    log->text_bytes = log->read_offset;
    log->text_end = PS_TAIL_TEXT_WHOLE;
}

/* It is as it was when it was opened the last time. Returns whether it has to be surveyed all the same. */
static bool is_due(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->text_end == PS_TAIL_TEXT_WHOLE)
        return !log->resolved;
    if (log->text_settled)
        return log->text_end == PS_TAIL_TEXT_DAMAGED && !log->resolved;
    if (tailer->now_ns - log->text_since_ns < PS_TAIL_GRACE_NS) {
        ps_tail_slots_put(&tailer->texts, log->number);
        return false;
    }
    log->text_settled = true;
    name(tailer, log);
    return log->text_end == PS_TAIL_TEXT_DAMAGED;
}

/* Begins what is to be done with it. Returns whether it keeps the descriptor. */
static bool turn_begin(struct ps_tailer *tailer, struct ps_tail_log *log,
                       const struct ps_tail_text_opening *opening)
{
    bool same = log->text_bytes >= 0 && ps_tail_stamp_is(&log->text_stamp, &opening->stamp);
    log->size = opening->stamp.size;
    if (tailer->unpacking != log) { /* not its turn */
        ps_tail_text_ask(tailer, log);
        return false;
    }
    if (!same) {
        if (log->text_done)
            ps_tail_log_changed(tailer, log); /* a life that ends now must not leave it as read to its end */
        log->text_bytes = -1;
        log->text_settled = log->text_done = false;
        log->text_stamp = opening->stamp;
        log->text_since_ns = tailer->now_ns;
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
    struct ps_tail_text *text = ps_tail_text_create(opening->fd, log->text, &opening->stamp);
    file_take(tailer, log, opening->fd);
    read_begin(tailer, log, text);
    ps_tail_text_drop(text);
    return true;
}

bool ps_tail_text_opened(struct ps_tailer *tailer, struct ps_tail_log *log,
                         const struct ps_tail_text_opening *opening, bool *keeps)
{
    bool same = opening->kind != PS_COMPRESSION_NONE && (!log->resolved || opening->begins);
    if (!same && !log->matches && !opening->was_open) { /* its inode is that of another file now */
        ps_tail_log_remove(tailer, log);
        return true;
    }
    if (opening->was_open) { /* it changed while it was read */
        ps_tail_log_close(tailer, log);
        ps_tail_text_ask(tailer, log);
        return true;
    }
    if (!same)
        ps_tail_text_other(tailer, log);
    log->text = opening->kind;
    if (opening->kind == PS_COMPRESSION_NONE)
        return false;
    *keeps = turn_begin(tailer, log, opening);
    return true;
}

void ps_tail_text_left(const struct ps_tailer *tailer, const struct ps_tail_log *log, int64_t offset)
{
    ps_log(PS_LOG_WARN, tailer->port->component,
           "%s is compressed, and was read to byte %lld of its text: the rest is not read, because "
           "penstock.decompress is never; set it to auto to read on",
           log->path, (long long)offset);
}

/* ---- turns ---- */

bool ps_tail_texts_wait(const struct ps_tailer *tailer)
{
    return tailer->texts.count > 0 || tailer->unpacking != NULL;
}

/* Returns whether the turn of this file is over. */
static bool is_over(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->state == PS_TAIL_LOG_OPEN && log->unreadable && !log->queued && !log->waits)
        ps_tail_log_close(tailer, log); /* it is tried again when the others had their turn */
    return log->state == PS_TAIL_LOG_CLOSED || log->state == PS_TAIL_LOG_COPY ||
           log->text == PS_COMPRESSION_NONE; /* its inode is another file's */
}

/* Returns whether all originals of compressed files are known, as far as they are there. */
static bool is_settled(const struct ps_tailer *tailer)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        if (!tailer->places[i].looked && (tailer->places[i].looking || tailer->places[i].error == 0))
            return false;
    }
    return tailer->opening_count == 0;
}

/* When it is opened: news have their time, and a file that is not whole is looked at when it has rested. PS_NEVER: it is not. */
static uint64_t due_ns(const struct ps_tail_log *log)
{
    if (log->state != PS_TAIL_LOG_CLOSED || log->text == PS_COMPRESSION_NONE)
        return PS_NEVER;
    if (log->text_news)
        return log->text_again_ns;
    return log->text_end != PS_TAIL_TEXT_WHOLE && !log->text_settled && log->text_bytes >= 0
               ? log->text_since_ns + PS_TAIL_GRACE_NS
               : PS_NEVER;
}

uint64_t ps_tail_texts_tick(struct ps_tailer *tailer)
{
    uint64_t next_ns = PS_NEVER;
    if (tailer->unpacking != NULL && is_over(tailer, tailer->unpacking))
        tailer->unpacking = NULL;
    if (tailer->texts.count == 0)
        return PS_NEVER;
    if (tailer->unpacking != NULL || !is_settled(tailer))
        return tailer->now_ns + NEXT_LOOK_NS;
    for (uint32_t left = tailer->texts.count; left > 0 && tailer->unpacking == NULL; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->texts);
        struct ps_tail_log *log = tailer->logs[number];
        uint64_t log_ns = log != NULL ? due_ns(log) : PS_NEVER;
        if (log_ns > tailer->now_ns) {
            if (log_ns != PS_NEVER)
                ps_tail_slots_put(&tailer->texts, number);
            next_ns = log_ns < next_ns ? log_ns : next_ns;
            continue;
        }
        log->text_news = false;
        tailer->unpacking = log;
        ps_tail_log_open(tailer, log);
    }
    return tailer->unpacking != NULL ? tailer->now_ns + NEXT_LOOK_NS : next_ns;
}
