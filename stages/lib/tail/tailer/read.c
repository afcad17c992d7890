/* Reads a file into the batch and splits it into lines there. Each read begins with the last bytes before the position. If
 * they have changed, the file was truncated or overwritten, and the bytes of the read are discarded. */
#include "core/flow/origins.h"
#include "stages/lib/tail/tailer/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_MIN_BYTES (16U * 1024U)
#define OFFSET_DIGITS 20U

/* ---- the lines of a file in the batch ---- */

static uint64_t key_of(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    const struct ps_tail_settings *settings = tailer->settings;
    if (settings->file_header != NULL)
        return 1 + (uint64_t)log->number;
    return settings->groups[log->group].header_count > 0 ? UINT64_C(1) << 40 | (uint64_t)log->group : 0;
}

static bool headers_set(const struct ps_tailer *tailer, const struct ps_tail_log *log, struct ps_batch *batch)
{
    const struct ps_tail_settings *settings = tailer->settings;
    const struct ps_tail_group *group = &settings->groups[log->group];
    for (size_t i = 0; i < group->header_count; i++) {
        if (!ps_batch_shared_set(batch, group->header_names[i], group->header_values[i],
                                 (uint32_t)strlen(group->header_values[i]), true))
            return false;
    }
    return settings->file_header == NULL ||
           ps_batch_shared_set(batch, settings->file_header, log->path, (uint32_t)strlen(log->path), true);
}

static void headers_remove(const struct ps_tail_settings *settings, struct ps_batch *batch)
{
    for (size_t i = 0; i < settings->group_count; i++) {
        for (size_t k = 0; k < settings->groups[i].header_count; k++)
            ps_batch_shared_remove(batch, settings->groups[i].header_names[k]);
    }
}

static bool batch_has(const struct ps_batch *batch, const struct ps_tail_log *log)
{
    for (uint32_t i = batch->span_count; i-- > 0;) {
        if (batch->spans[i].stream == log->number && batch->spans[i].pass == log->pass)
            return true;
    }
    return false;
}

/* Prepares the batch for lines of this file, so that nothing fails once they are in it. */
static enum ps_tail_step batch_prepare(struct ps_tailer *tailer, struct ps_tail_log *log,
                                       struct ps_batch *batch)
{
    uint64_t key = key_of(tailer, log);
    if (batch->count == 0 && batch->span_count == 0) {
        if (batch->shared != NULL) /* headers that were left when there was no memory */
            headers_remove(tailer->settings, batch);
        if (!headers_set(tailer, log, batch))
            return PS_TAIL_STEP_FULL;
        tailer->batch_key = key;
    } else if (tailer->batch_key != key) {
        return PS_TAIL_STEP_FLUSH;
    }
    if (!batch_has(batch, log)) /* the previous batch with lines of this file, if any, ended here */
        ps_tail_marks_end_batch(&log->marks, log->read_offset);
    bool has_span = tailer->sink.keeping != NULL && !batch_has(batch, log)
                        ? ps_tail_sink_positions_span(tailer, log, batch)
                        : ps_batch_span(batch, log->number, log->pass, log->read_offset, NULL);
    return has_span ? PS_TAIL_STEP_MOVED : PS_TAIL_STEP_FULL;
}

static bool offset_set(const struct ps_tailer *tailer, struct ps_batch *batch, struct ps_event *event,
                       int64_t offset)
{
    char digits[OFFSET_DIGITS + 1];
    uint32_t length = (uint32_t)snprintf(digits, sizeof digits, "%lld", (long long)offset);
    char *value = ps_batch_alloc(batch, length);
    if (value == NULL)
        return false;
    memcpy(value, digits, length);
    return ps_batch_header_add(batch, event, tailer->settings->byte_offset, value, length);
}

/* Gives the line added last its identity: the number of the file and the offset of the line's beginning. If the
 * line does not end at a newline, the identity also has its length: another rest of the file, or after a change
 * of penstock.line.max another piece of a long line, may begin at the same offset. Returns false when there is
 * no memory. */
static bool identity_add(const struct ps_tailer *tailer, const struct ps_tail_log *log,
                         struct ps_batch *batch, int64_t offset, uint32_t piece)
{
    const struct ps_identity identity = {.system = "taildir",
                                         .store = ps_tail_log_number_at(log, offset),
                                         .part = -1,
                                         .position = (uint64_t)offset,
                                         .ordinal = piece,
                                         .has_ordinal = piece > 0};
    if (!tailer->settings->identities || identity.store == 0)
        return true;
    return piece > 0 ? ps_batch_origin(batch, &identity, 1) : ps_batch_origin_step(batch, &identity);
}

/* Adds a line. `piece`: its length if it does not end at a newline, else 0. Returns false when the batch has no room. If there is no
 * memory for the header or the identity, the event is removed again. */
static bool line_add(const struct ps_tailer *tailer, const struct ps_tail_log *log, struct ps_batch *batch,
                     char *text, uint32_t length, int64_t offset, uint32_t piece)
{
    struct ps_event *event = ps_batch_add(batch, text, length);
    if (PS_UNLIKELY(event == NULL))
        return false;
    if ((tailer->settings->byte_offset != NULL && !offset_set(tailer, batch, event, offset)) ||
        !identity_add(tailer, log, batch, offset, piece)) {
        batch->count--;
        batch->body_bytes -= length;
        return false;
    }
    return true;
}

/* Returns the length of a piece of a line that is too long, so that the piece does not end inside a UTF-8 character. */
static uint32_t cut_length(const char *text, uint32_t length)
{
    uint32_t shorter = length;
    while (shorter > 1 && length - shorter < 3 && ((unsigned char)text[shorter] & 0xC0) == 0x80)
        shorter--;
    return ((unsigned char)text[shorter] & 0xC0) == 0x80 ? length : shorter;
}

/* Finds the beginnings of the last lines of a piece, except at its own beginning. Returns their number; the last one comes first. */
static unsigned last_lines(const char *text, size_t length, size_t begins[PS_TAIL_MARKS_LINES])
{
    unsigned count = 0;
    for (size_t end = length; count < PS_TAIL_MARKS_LINES && end > 1; count++) {
        const char *newline = memrchr(text, '\n', end - 1);
        if (newline == NULL)
            break;
        end = begins[count] = (size_t)(newline - text) + 1;
    }
    return count;
}

/* Keeps the marks of the new position and of the last lines before it. Of a long piece also marks further back, denser towards its end. */
static void marks_keep(struct ps_tail_log *log, const char *text, size_t length)
{
    size_t begins[PS_TAIL_MARKS_LINES], done = 0;
    unsigned lines = last_lines(text, length, begins);
    size_t first = lines > 0 ? begins[lines - 1] : 0;
    for (size_t before = 64 * 1024; before >= 1024; before /= 4) {
        const char *newline = length > before ? memrchr(text, '\n', length - before) : NULL;
        /* At a line's beginning, because reading of a copy may start there. */
        size_t at = newline != NULL ? (size_t)(newline - text) + 1 : 0;
        if (at < PS_TAIL_MARK_BYTES || at <= done || at >= first)
            continue;
        struct ps_tail_mark mark = ps_tail_mark_of(log->read_offset + (int64_t)at,
                                                   text + at - PS_TAIL_MARK_BYTES, PS_TAIL_MARK_BYTES);
        ps_tail_marks_add(&log->marks, &mark, log->delivered_offset);
        done = at;
    }
    for (done = 0; done < length; lines--) {
        size_t at = lines > 0 ? begins[lines - 1] : length;
        ps_tail_last_bytes_add(&log->last, text + done, at - done);
        struct ps_tail_mark mark = ps_tail_last_bytes_mark(&log->last, log->read_offset + (int64_t)at);
        ps_tail_marks_add(&log->marks, &mark, log->delivered_offset);
        done = at;
    }
}

/* Moves the position past these bytes, which are in the batch. */
static void advance(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch,
                    const char *text, size_t length, uint32_t lines)
{
    bool begins = log->identity.head_length < PS_TAIL_HEAD_BYTES;
    marks_keep(log, text, length);
    ps_tail_identity_extend(&log->identity, text, length, log->read_offset);
    if (begins)
        ps_tail_log_index(tailer, log);
    ps_tail_log_move(tailer, log, log->read_offset + (int64_t)length, log->delivered_offset);
    /* The span was added by batch_prepare. */
    bool noted = ps_batch_span(batch, log->number, log->pass, log->read_offset, NULL);
    PS_ASSERT(noted);
    if (tailer->sink.keeping != NULL)
        ps_tail_sink_positions_detail(log, batch);
    if (log->size < log->read_offset)
        log->size = log->read_offset;
    log->turn_lines += lines;
    ps_tail_log_active(&tailer->open, log, tailer->now_ns);
    log->rest = false; /* the next line without a newline waits for a rest of its own */
    log->unreadable = false;
    log->need_bytes = 0;
    log->anew_from = 0;
    ps_count(tailer->port->counters, PS_COUNTER_EventReceivedCount, lines);
    ps_count(tailer->port->counters, PS_COUNTER_bytes, length);
}

/* ---- splitting ---- */

struct split {
    char *at, *end;
    uint32_t lines;
    bool full;    /* the batch is full */
    bool stopped; /* before NULs that may be written over */
};

/* Adds lines from split->at on, until no whole line is left or the batch is full. */
static void lines_add(struct ps_tailer *tailer, const struct ps_tail_log *log, struct ps_batch *batch,
                      struct split *split)
{
    const struct ps_tail_settings *settings = tailer->settings;
    const char *start = split->at;
    while (split->at < split->end) {
        char *text = split->at;
        size_t limit = (size_t)(split->end - text);
        if (PS_UNLIKELY(*text == '\0') &&
            ps_tail_filler_stops(log, text, limit, log->read_offset + (text - start))) {
            split->stopped = true;
            return;
        }
        char *newline = memchr(text, '\n', limit);
        size_t length = newline != NULL ? (size_t)(newline - text) : limit;
        bool cut = length > settings->line_max_bytes;
        if (newline == NULL && !cut)
            return;
        if (PS_UNLIKELY(cut))
            length = cut_length(text, settings->line_max_bytes);
        size_t body = length;
        if (!cut && body > 0 && text[body - 1] == '\r')
            body--;
        if (batch->count >= settings->batch_events_max ||
            !line_add(tailer, log, batch, text, (uint32_t)body, log->read_offset + (text - start),
                      cut ? (uint32_t)length : 0)) {
            split->full = true;
            return;
        }
        ps_count(tailer->port->counters, PS_COUNTER_malformed, cut);
        split->at = text + length + (cut ? 0 : 1);
        split->lines++;
    }
}

/* Adds the last line of an idle file, which has no newline. */
static void rest_add(struct ps_tailer *tailer, const struct ps_tail_log *log, struct ps_batch *batch,
                     struct split *split, const char *start)
{
    if (!log->rest || split->full || split->stopped || split->at == split->end)
        return;
    uint32_t length = (uint32_t)(split->end - split->at);
    if (batch->count >= tailer->settings->batch_events_max ||
        !line_add(tailer, log, batch, split->at, length, log->read_offset + (split->at - start), length)) {
        split->full = true;
        return;
    }
    split->at = split->end;
    split->lines++;
}

/* ---- reading ---- */

/* Handles a last line without a newline that has grown: its writer is at work, so the file does not rest. */
static void partial_grew(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    log->rest = false;
    ps_tail_log_active(&tailer->open, log, tailer->now_ns);
}

/* Called when the file ends here, without a newline. */
static void partial_seen(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t end)
{
    if (end != log->partial_end)
        partial_grew(tailer, log);
    log->partial_end = end;
}

/* Handles the errno of a failed read. The turn ends; the next try reads from the same position. */
static enum ps_tail_step read_failed(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (errno == EAGAIN)
        return PS_TAIL_STEP_WAIT;
    ps_tail_log_unreadable(tailer, log, errno);
    return PS_TAIL_STEP_END;
}

/* Handles a line that begins with NULs, which the thread has found. */
static enum ps_tail_step filler_take(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    int64_t nuls = log->line->nuls;
    log->unreadable = false;
    ps_tail_filler_note(tailer, log, log->line->text_end, log->line->ends_in_text);
    ps_tail_line_forget(log);
    enum ps_tail_filler_step step = ps_tail_filler_begins(tailer, log, nuls);
    return step == PS_TAIL_FILLER_HOLDS ? PS_TAIL_STEP_END : PS_TAIL_STEP_MOVED;
}

/* Takes a line that the thread has read. */
static enum ps_tail_step line_take(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch)
{
    struct ps_tail_line *line = log->line;
    if (!line->done)
        return PS_TAIL_STEP_WAIT;
    if (line->error != 0) {
        errno = line->error;
        ps_tail_line_forget(log);
        return read_failed(tailer, log);
    }
    if (!line->same) {
        ps_tail_line_forget(log);
        ps_tail_log_open(tailer, log);
        return PS_TAIL_STEP_END;
    }
    if (line->nuls > 0)
        return filler_take(tailer, log);
    bool has_text = line->scanned > log->read_offset;
    if (!line->found && has_text && line->scanned != log->line_scanned)
        partial_grew(tailer, log);
    log->line_scanned = line->scanned;
    log->partial = !line->found && has_text;
    if (!line->found) {
        if (line->end > 0)
            ps_tail_filler_ends(tailer, log, line->end);
        log->unreadable = false;
        ps_tail_line_forget(log);
        return PS_TAIL_STEP_END;
    }
    enum ps_tail_step step = batch_prepare(tailer, log, batch);
    if (step != PS_TAIL_STEP_MOVED)
        return step;
    if (batch->count >= tailer->settings->batch_events_max) {
        batch->full = true;
        return PS_TAIL_STEP_FULL;
    }
    uint32_t length = line->cut ? cut_length(line->bytes, line->length - 3) : line->length;
    uint32_t consumed = line->cut ? length : line->consumed;
    uint32_t body = length > 0 && !line->cut && line->bytes[length - 1] == '\r' ? length - 1 : length;
    const struct ps_batch_point before = ps_batch_point(batch);
    struct ps_event *event = ps_batch_add_copy(batch, line->bytes, body);
    if (event == NULL)
        return PS_TAIL_STEP_FULL;
    if (!identity_add(tailer, log, batch, log->read_offset, consumed > length ? 0 : length)) {
        ps_batch_rewind(batch, &before);
        return PS_TAIL_STEP_FULL;
    }
    if (tailer->settings->byte_offset != NULL)
        (void)offset_set(tailer, batch, event, log->read_offset);
    ps_count(tailer->port->counters, PS_COUNTER_malformed, line->cut);
    if (consumed > length)
        line->bytes[length] = '\n';
    advance(tailer, log, batch, line->bytes, consumed, 1);
    log->line_scanned = 0;
    ps_tail_line_forget(log);
    return PS_TAIL_STEP_MOVED;
}

/* Checks whether the file has bytes after those that were read. */
static enum ps_tail_step look_behind(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t end)
{
    char byte;
    ssize_t length = log->file.ended ? 0 : ps_tail_read(&tailer->reader, &log->file, &byte, 1, (uint64_t)end);
    if (length < 0)
        return read_failed(tailer, log);
    if (length > 0)
        return PS_TAIL_STEP_MOVED;
    log->unreadable = false; /* the file was read to its end */
    return PS_TAIL_STEP_END;
}

/* Handles a read without a whole line. The first `text` of the `length` bytes are not NULs that end the read. */
static enum ps_tail_step no_line(struct ps_tailer *tailer, struct ps_tail_log *log, size_t text,
                                 size_t length, bool room_is_full, uint32_t room)
{
    log->partial = text > 0;
    if (text == 0 && length > 0 && ps_tail_filler_is_known(tailer, log)) {
        ps_tail_filler_ends(tailer, log, 0);
        return PS_TAIL_STEP_END;
    }
    if (!room_is_full) {
        enum ps_tail_step step = look_behind(tailer, log, log->read_offset + (int64_t)length);
        if (text > 0 && log->file.ended)
            partial_seen(tailer, log, log->read_offset + (int64_t)text);
        if (text < length && log->file.ended)
            ps_tail_filler_ends(tailer, log, log->read_offset + (int64_t)length);
        return step;
    }
    if (room >= PS_BLOCK_BYTES)
        return ps_tail_line_begin(tailer, log);
    log->need_bytes = PS_BLOCK_BYTES;
    return PS_TAIL_STEP_MOVED;
}

/* Gives up bytes that are left in the block, of this or another file: they are read again. */
static void left_drop(struct ps_tailer *tailer, struct ps_batch *batch)
{
    if (ps_batch_left(batch) > 0)
        ps_batch_commit(batch, 0);
    tailer->left = NULL;
}

/* Takes the whole lines of the bytes at `bytes`. The first `skip` bytes were read before, and are not taken again. */
static enum ps_tail_step lines_take(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch,
                                    char *bytes, size_t length, size_t skip, bool is_end)
{
    bool was_left = tailer->left == log;
    char *start = bytes + skip;
    struct split split = {.at = start, .end = bytes + length};
    enum ps_tail_step step = batch_prepare(tailer, log, batch);
    if (step != PS_TAIL_STEP_MOVED)
        return step;
    lines_add(tailer, log, batch, &split);
    if (is_end)
        rest_add(tailer, log, batch, &split, start);
    if (split.at > start)
        advance(tailer, log, batch, start, (size_t)(split.at - start), split.lines);
    ps_batch_commit(batch, split.at > start ? (uint32_t)(split.at - bytes) : 0);
    log->partial = split.at < split.end;
    tailer->left = NULL;
    if (!split.full)
        return is_end && !split.stopped ? PS_TAIL_STEP_END : PS_TAIL_STEP_MOVED;
    if (split.at > start || was_left) {
        ps_batch_leave(batch, (uint32_t)(split.end - split.at));
        tailer->left = log;
    }
    batch->full |= batch->count >= tailer->settings->batch_events_max;
    return PS_TAIL_STEP_FULL;
}

/* Takes lines that an earlier batch had no room for. */
static enum ps_tail_step left_take(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch)
{
    uint32_t left = ps_batch_left(batch), room;
    char *bytes = ps_batch_reserve(batch, left, &room);
    if (bytes == NULL)
        return PS_TAIL_STEP_FULL;
    if (memchr(bytes, '\n', left) != NULL || left > tailer->settings->line_max_bytes)
        return lines_take(tailer, log, batch, bytes, left, 0, false);
    left_drop(tailer, batch);
    return PS_TAIL_STEP_MOVED;
}

/* Returns whether these bytes, read from before the position on, continue what was read of the file. If its beginning is another one, the
 * thread compares the file, because the bytes before the position are often the same in every line. */
static bool goes_on(const struct ps_tail_log *log, const char *bytes, size_t length,
                    const struct ps_tail_beginning *beginning)
{
    const struct ps_tail_identity *identity = &log->identity;
    return ps_tail_last_bytes_begin(&log->last, bytes, length) &&
           (log->head_moves || ps_tail_bytes_begin(identity, beginning->bytes, beginning->length));
}

/* Takes the beginning of a file that is changed in place. */
static void head_take(struct ps_tailer *tailer, struct ps_tail_log *log,
                      const struct ps_tail_beginning *beginning)
{
    if (!log->head_moves || beginning->length < log->identity.head_length ||
        ps_tail_bytes_begin(&log->identity, beginning->bytes, beginning->length))
        return;
    log->identity.head = ps_tail_head(beginning->bytes, log->identity.head_length);
    ps_tail_log_index(tailer, log);
    ps_tail_log_changed(tailer, log);
}

/* Returns whether the file goes on although its copy took its fingerprint (match.c): it was cut and begins as before up to the position, or
 * its writer goes on without a name. If it is checked before its lines are taken, it has a fingerprint again, by which the next process
 * knows it. */
static bool is_unknown(const struct ps_tail_log *log, size_t fresh)
{
    return fresh > 0 && log->read_offset > 0 && log->identity.head_length == 0;
}

/* Handles a file that was empty when it was opened, and is compressed. */
static enum ps_tail_step compressed_found(struct ps_tailer *tailer, struct ps_tail_log *log,
                                          const char *bytes, size_t length)
{
    log->partial = false;
    ps_tail_identity_extend(&log->identity, bytes, length, 0);
    ps_tail_compressed_found(tailer, log, ps_tail_compression(bytes, length));
    ps_tail_log_close(tailer, log);
    return PS_TAIL_STEP_END;
}

/* Called with the first bytes of a file that was empty when it was opened, and whose beginning the worker could not read (ps_tail_log_grow). Its lines wait
 * for its number, by which the next process knows them. Returns whether they have to be read again. */
static bool waits_for_number(struct ps_tailer *tailer, struct ps_tail_log *log, const char *bytes,
                             size_t length)
{
    size_t end = log->read_offset == 0 ? ps_tail_head_end(bytes, length, 0) : 0;
    if (end == 0 || !ps_tail_log_lacks_number(tailer, log))
        return false;
    ps_tail_identity_extend(&log->identity, bytes, end, 0);
    ps_tail_log_index(tailer, log);
    ps_tail_file_forget(&tailer->reader, &log->file);
    return true;
}

/* Takes the lines of a read: `length` bytes, of which the first `skip` were read before. NULs at its end may not be written yet. */
static enum ps_tail_step fresh_take(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch,
                                    char *bytes, size_t length, size_t skip, uint32_t room)
{
    bool is_end = log->file.ended;
    char *start = bytes + skip;
    size_t fresh = length - skip, text = ps_tail_without_nuls(start, fresh);
    size_t nuls = text == 0 ? 0 : ps_tail_nuls_before(start, text);
    if (nuls > 0 && ps_tail_filler_asks(log))
        return ps_tail_line_begin(tailer, log);
    if (nuls > 0) {
        enum ps_tail_filler_step step = ps_tail_filler_begins(tailer, log, (int64_t)nuls);
        if (step != PS_TAIL_FILLER_PASSES)
            return step == PS_TAIL_FILLER_HOLDS ? PS_TAIL_STEP_END : PS_TAIL_STEP_MOVED;
    }
    if (is_end && text > 0 && start[text - 1] != '\n')
        partial_seen(tailer, log, log->read_offset + (int64_t)text);
    if (memchr(start, '\n', text) == NULL && text <= tailer->settings->line_max_bytes &&
        !(log->rest && is_end && text > 0)) {
        enum ps_tail_step step = no_line(tailer, log, text, fresh, length == room, room);
        is_end = log->file.ended; /* the end of a file that ends where a page ends is known only now */
        if (step != PS_TAIL_STEP_END || !log->rest || !is_end || text == 0)
            return step;
    }
    if (is_end && text < fresh)
        ps_tail_filler_ends(tailer, log, log->read_offset + (int64_t)fresh);
    return lines_take(tailer, log, batch, bytes, skip + text, skip, is_end);
}

enum ps_tail_step ps_tail_log_read(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch)
{
    if (tailer->left == log && log->line == NULL && ps_batch_left(batch) > 0)
        return left_take(tailer, log, batch);
    left_drop(tailer, batch);
    if (log->line != NULL)
        return line_take(tailer, log, batch);
    uint32_t room, skip = log->last.length, need = log->need_bytes > 0 ? log->need_bytes : READ_MIN_BYTES;
    char *bytes = ps_batch_reserve(batch, need, &room);
    if (bytes == NULL)
        return PS_TAIL_STEP_FULL;
    struct ps_tail_beginning beginning;
    beginning.want = log->identity.head_length;
    ssize_t length = ps_tail_read_and_begin(&tailer->reader, &log->file, bytes, room,
                                            (uint64_t)(log->read_offset - skip), &beginning);
    if (length < 0)
        return read_failed(tailer, log);
    if (!goes_on(log, bytes, (size_t)length, &beginning) || is_unknown(log, (size_t)length - skip)) {
        ps_tail_file_forget(&tailer->reader, &log->file);
        ps_tail_log_open(tailer, log); /* checks whether it was truncated or replaced */
        return PS_TAIL_STEP_END;
    }
    if (log->read_offset == 0 && ps_tail_compression(bytes, (size_t)length) != NULL)
        return compressed_found(tailer, log, bytes, (size_t)length);
    if (PS_UNLIKELY(log->identity.head_length == 0) && waits_for_number(tailer, log, bytes, (size_t)length))
        return PS_TAIL_STEP_MOVED;
    head_take(tailer, log, &beginning);
    log->filler.waits = false; /* until the bytes show otherwise */
    log->checked_ns = tailer->now_ns;
    return fresh_take(tailer, log, batch, bytes, (size_t)length, skip, room);
}
