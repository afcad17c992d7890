/* Lines that are longer than a block: the source's thread looks for their end and reads them. */
#include "stages/lib/tail/tailer/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_PIECE_BYTES (128 * 1024)
/* So many NULs at the end of a file are read at most, to find the end of its text. */
#define TEXT_END_BYTES (16 << 20)

static void line_bytes_free(struct ps_tail_line *line)
{
    free(line->bytes);
    line->bytes = NULL;
}

static void line_free(struct ps_tail_line *line)
{
    line_bytes_free(line);
    free(line);
}

static void line_discard(struct ps_tail_job *job)
{
    line_free((struct ps_tail_line *)(void *)job);
}

static void line_answer(void *, struct ps_tail_job *job)
{
    struct ps_tail_line *line = (struct ps_tail_line *)(void *)job;
    line->done = true;
    if (line->orphan)
        line_free(line);
}

/* Reads the line. `end` is the offset after its last byte. The file may have been truncated and written again since its end
 * was found: the line ends at the first newline that is there now; without a newline it counts as not found. */
static void line_load(struct ps_tail_line *line, int64_t end, uint32_t newline)
{
    line->length = (uint32_t)(end - line->offset);
    line->bytes = malloc(line->length + 1U);
    ssize_t length = -1;
    if (line->bytes != NULL)
        length = ps_tail_read_fully(line->fd, line->bytes, line->length + newline, line->offset);
    line->error = length < 0 ? errno : 0;
    const char *found = length > 0 ? memchr(line->bytes, '\n', (size_t)length) : NULL;
    line->found = found != NULL || (newline == 0 && length == (ssize_t)line->length);
    if (found != NULL) {
        line->cut = false;
        line->length = (uint32_t)(found - line->bytes);
        newline = 1;
    }
    line->consumed = line->length + newline;
}

/* Compares the beginning of the file and the bytes before the line with those that were read: the file may have been truncated and written
 * again with the same beginning. Called after the line was read. */
static enum ps_tail_seen line_seen(const struct ps_tail_line *line)
{
    struct ps_tail_last_bytes last = line->last;
    enum ps_tail_seen seen = ps_tail_identity_begins(line->fd, &line->identity);
    if (seen != PS_TAIL_SEEN_SAME || last.length == 0)
        return seen;
    ssize_t length = ps_tail_read_fully(line->fd, last.bytes, last.length, line->offset - last.length);
    if (length < 0)
        return PS_TAIL_SEEN_UNREADABLE;
    return ps_tail_last_bytes_begin(&line->last, last.bytes, (size_t)length) ? PS_TAIL_SEEN_SAME
                                                                             : PS_TAIL_SEEN_OTHER;
}

/* Returns the offset behind NULs up to `offset`: where the next data of the file begins, or its end. Holes are not read. */
static int64_t behind_nuls(const struct ps_tail_line *line, int64_t offset)
{
    struct stat status;
    if (offset < line->known_end)
        return line->known_end;
    off_t data = lseek(line->fd, (off_t)offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO && fstat(line->fd, &status) == 0)
        data = status.st_size;
    return data > offset ? (int64_t)data : offset;
}

/* Looks for the end of the file's text, which goes to `text_end` at least. */
static void text_end_find(struct ps_tail_line *line, int64_t text_end)
{
    struct stat status;
    int64_t end =
        fstat(line->fd, &status) == 0 ? ps_tail_nuls_begin(line->fd, status.st_size, TEXT_END_BYTES) : 0;
    line->text_end = end > text_end ? end : text_end;
    line->ends_in_text = end > 0 && end == status.st_size;
}

/* Sets the result if these bytes, the first ones that are read of the line, have text behind NULs. */
static bool line_begins_with_nuls(struct ps_tail_line *line, const char *piece, size_t length, int64_t at)
{
    int64_t nuls = at - line->offset + (int64_t)ps_tail_nuls_before(piece, length);
    if (line->scanned != line->offset || nuls < line->nuls_least)
        return false;
    line->nuls = nuls;
    text_end_find(line, at + (int64_t)ps_tail_without_nuls(piece, length));
    return true;
}

/* Takes a piece of the file at `at`, which has other bytes than NULs. Returns whether the line ends: there, or because it is too
 * long. NULs at the end of the piece may not be written yet: they count when there is text behind them. */
static bool line_take_piece(struct ps_tail_line *line, const char *piece, size_t length, int64_t at)
{
    const char *newline = memchr(piece, '\n', length);
    int64_t end = at + (newline != NULL ? newline - piece : (int64_t)ps_tail_without_nuls(piece, length));
    if (end - line->offset > (int64_t)line->max_bytes) {
        line->cut = true;
        line_load(line, line->offset + line->max_bytes, 0);
        return true;
    }
    line->scanned = end;
    if (newline != NULL)
        line_load(line, end, 1);
    return newline != NULL;
}

/* Looks for the line's end from line->scanned on, and reads the line if it ends. After a rest the end of the
 * file ends the line, unless the file has grown. */
static void line_look(struct ps_tail_line *line)
{
    enum { PIECE = LINE_PIECE_BYTES };
    const int64_t begin = line->scanned;
    int64_t at = begin;
    char *piece = malloc(PIECE);
    ssize_t length = -1;
    line->nuls = line->end = 0;
    while (piece != NULL && (length = ps_tail_read_fully(line->fd, piece, PIECE, at)) > 0) {
        if (ps_tail_without_nuls(piece, (size_t)length) == 0) {
            at = behind_nuls(line, at + length);
            continue;
        }
        if (line_begins_with_nuls(line, piece, (size_t)length, at) ||
            line_take_piece(line, piece, (size_t)length, at))
            break;
        at += length;
    }
    if (length < 0)
        line->error = errno;
    if (length == 0 && line->rest && line->scanned == begin && begin > line->offset)
        line_load(line, line->scanned, 0);
    line->end = length == 0 && at > line->scanned ? at : 0;
    free(piece);
}

/* Returns whether the file now ends before line->scanned, the end of the bytes that were searched for the
 * newline. */
static bool line_was_cut(const struct ps_tail_line *line)
{
    struct stat status;
    return line->error == 0 && !line->found && fstat(line->fd, &status) == 0 &&
           status.st_size < line->scanned;
}

static void line_run(struct ps_tail_job *job)
{
    struct ps_tail_line *line = (struct ps_tail_line *)(void *)job;
    line_look(line);
    if (line_was_cut(line)) {
        line_bytes_free(line);
        line->scanned = line->offset;
        line->cut = false;
        line_look(line);
    }
    enum ps_tail_seen seen = line_seen(line);
    if (seen == PS_TAIL_SEEN_UNREADABLE && line->error == 0)
        line->error = errno;
    line->same = seen == PS_TAIL_SEEN_SAME;
}

void ps_tail_line_forget(struct ps_tail_log *log)
{
    struct ps_tail_line *line = log->line;
    log->line = NULL;
    if (line == NULL)
        return;
    line->orphan = true;
    if (line->done)
        line_free(line);
}

bool ps_tail_log_asked(const struct ps_tail_log *log)
{
    return log->line != NULL || log->file.fetch != NULL;
}

bool ps_tail_log_answered(const struct ps_tail_log *log)
{
    return log->line != NULL ? log->line->done : ps_tail_file_answered(&log->file);
}

enum ps_tail_step ps_tail_line_begin(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    struct ps_tail_line *line = calloc(1, sizeof *line);
    if (line == NULL)
        return PS_TAIL_STEP_FULL;
    line->job = (struct ps_tail_job){.run = line_run, .answer = line_answer, .discard = line_discard};
    line->fd = log->file.fd;
    line->offset = log->read_offset;
    line->scanned = log->line_scanned > log->read_offset ? log->line_scanned : log->read_offset;
    line->max_bytes = tailer->settings->line_max_bytes;
    line->rest = log->rest;
    line->nuls_least = ps_tail_filler_asks(log) ? 1 : (int64_t)PS_TAIL_FILLER_BYTES;
    line->known_end = ps_tail_filler_is_known(tailer, log) ? log->filler.end : 0;
    line->identity = log->identity;
    if (log->head_moves)
        line->identity.head_length = 0;
    line->last = log->last;
    log->line = line;
    ps_tail_thread_ask(&tailer->thread, &line->job);
    return PS_TAIL_STEP_WAIT;
}
