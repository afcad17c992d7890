/* See pipe_lines.h. */
#include "stages/lib/process/pipe_lines.h"

#include "core/text/utf8.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (64U * 1024U)
#define IN_BLOCK_MAX (PS_BLOCK_BYTES / 2) /* a longer partial line moves to a buffer of its own */
#define READS_MAX 8                       /* reads in one call of `work` */

/* Adds one line as Flume does: decoded and encoded again (a line longer than IN_BLOCK_MAX is not checked).
 * Returns false when the batch is full or there is no memory. */
static bool line_add(struct ps_pipe_lines *lines, struct ps_batch *batch, char *text, uint32_t length)
{
    if (lines->charset == PS_PIPE_CHARSET_ASCII) {
        for (uint32_t i = 0; i < length; i++) {
            if ((unsigned char)text[i] >= 0x80)
                text[i] = '?';
        }
    } else if (lines->charset == PS_PIPE_CHARSET_UTF8 && ps_utf8_valid_length(text, length) < length) {
        char *repaired = ps_batch_alloc(batch, 3 * length);
        if (repaired == NULL)
            return false;
        length = (uint32_t)ps_utf8_repair(text, length, repaired);
        text = repaired;
    } else if (lines->charset == PS_PIPE_CHARSET_OTHER &&
               !lines->convert(lines->owner, batch, &text, &length)) {
        return false;
    }
    if (ps_batch_add(batch, text, length) == NULL)
        return false;
    ps_count(lines->counters, PS_COUNTER_EventReceivedCount, 1);
    return true;
}

/* Returns the length at which a line that is too long is cut: never inside a character. */
static uint32_t cut_length(const struct ps_pipe_lines *lines, const char *text)
{
    uint32_t length = lines->line_max;
    while (lines->charset == PS_PIPE_CHARSET_UTF8 && length + 3 > lines->line_max && length > 1 &&
           ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    return length;
}

/* Adds the complete lines in [*at, end); the bytes left from *at on are a partial line. Returns false when
 * the batch is full or there is no memory; *at is then where to continue. */
static bool lines_take(struct ps_pipe_lines *lines, struct ps_batch *batch, char **at, char *end,
                       uint32_t known)
{
    for (;; known = 0) {
        struct ps_line_split before = lines->split;
        char *start = *at, *next = start;
        struct ps_slice line;
        if (!ps_line_next(&lines->split, &next, end, known, &line)) {
            *at = next;
            if ((size_t)(end - next) <= lines->line_max)
                return true;
            line = (struct ps_slice){next, (uint32_t)(end - next)};
        }
        bool cut = line.length > lines->line_max;
        if (cut) {
            line.length = cut_length(lines, line.data);
            next = (char *)(uintptr_t)line.data + line.length;
            lines->split.skip_newline = false;
        }
        if (!line_add(lines, batch, (char *)(uintptr_t)line.data, line.length)) {
            lines->split = before;
            *at = start;
            return false;
        }
        ps_count(lines->counters, PS_COUNTER_malformed, cut);
        *at = next;
    }
}

/* ---- a line too long for a block ---- */

/* Moves a partial line from the block into the `carry` buffer. */
static bool carry_begin(struct ps_pipe_lines *lines, struct ps_batch *batch, uint32_t left)
{
    uint32_t room;
    if (!ps_buffer_grow(&lines->slab, &lines->carry, left + READ_BYTES))
        return false;
    const char *bytes = ps_batch_reserve(batch, left, &room);
    if (bytes == NULL)
        return false;
    memcpy(lines->carry.data, bytes, left);
    lines->carry.length = left;
    ps_batch_commit(batch, 0);
    lines->known = 0;
    return true;
}

/* Adds the first `carry_end` bytes of the buffer as a line and copies the bytes after it back into the
 * block. */
static bool carry_finish(struct ps_pipe_lines *lines, struct ps_batch *batch)
{
    struct ps_buffer *carry = &lines->carry;
    if (lines->carry_end > 0) {
        if (ps_batch_add_copy(batch, carry->data, lines->carry_end) == NULL)
            return false;
        ps_count(lines->counters, PS_COUNTER_EventReceivedCount, 1);
        lines->carry_end = 0;
    }
    uint32_t rest = carry->length - lines->carry_next, room;
    if (rest > 0) {
        char *bytes = ps_batch_reserve(batch, rest, &room);
        if (bytes == NULL)
            return false;
        memcpy(bytes, carry->data + lines->carry_next, rest);
        ps_batch_leave(batch, rest);
        lines->unsplit = true;
    }
    lines->carry_next = 0;
    ps_buffer_free(&lines->slab, carry);
    return true;
}

/* Reads from the pipe. Returns the number of bytes; 0: none available now; -1: end of the pipe. */
static ssize_t pipe_read(const struct ps_pipe_lines *lines, char *to, size_t room)
{
    ssize_t length = read(lines->fd, to, room < READ_BYTES ? room : READ_BYTES);
    if (length > 0)
        return length;
    return length < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void carry_read(struct ps_pipe_lines *lines, bool *blocked)
{
    struct ps_buffer *carry = &lines->carry;
    uint32_t known = carry->length, most = lines->line_max + READ_BYTES;
    uint32_t twice = carry->room > most / 2 ? most : 2 * carry->room;
    *blocked = true;
    if (carry->room - known < READ_BYTES &&
        !ps_buffer_grow(&lines->slab, carry, twice > known + READ_BYTES ? twice : known + READ_BYTES))
        return;
    ssize_t length = pipe_read(lines, carry->data + known, carry->room - known);
    if (length == 0)
        return;
    *blocked = false;
    if (length < 0) {
        lines->ended = true;
        lines->carry_end = lines->carry_next = carry->length;
        return;
    }
    carry->length += (uint32_t)length;
    char *next = carry->data;
    struct ps_slice line;
    if (ps_line_next(&lines->split, &next, carry->data + carry->length, known, &line)) {
        lines->carry_end = line.length;
        lines->carry_next = (uint32_t)(next - carry->data);
    }
    if ((lines->carry_end == 0 ? carry->length : lines->carry_end) > lines->line_max) {
        lines->carry_end = lines->carry_next = cut_length(lines, carry->data);
        lines->split.skip_newline = false;
        ps_count(lines->counters, PS_COUNTER_malformed, 1);
    }
}

/* ---- reading ---- */

/* Does one read and adds its lines. Sets *moved when it made progress. Returns PS_DONE when the caller may
 * continue. */
static enum ps_result read_once(struct ps_pipe_lines *lines, struct ps_batch *batch, bool *moved)
{
    bool blocked;
    if (lines->carry_next > 0) {
        uint32_t before = lines->carry_end;
        bool is_finished = carry_finish(lines, batch);
        *moved |= is_finished || lines->carry_end != before;
        return is_finished ? PS_DONE : PS_IDLE;
    }
    if (lines->carry.length > 0) {
        carry_read(lines, &blocked);
        return blocked ? PS_IDLE : PS_DONE;
    }
    uint32_t left = ps_batch_left(batch), room;
    if (left > IN_BLOCK_MAX && !lines->unsplit && !lines->ended)
        return carry_begin(lines, batch, left) ? PS_DONE : PS_IDLE;
    char *bytes = ps_batch_reserve(batch, left + (lines->unsplit || lines->ended ? 0 : 4096), &room);
    if (bytes == NULL)
        return PS_IDLE;
    ssize_t length = 0;
    if (!lines->unsplit && !lines->ended) {
        length = pipe_read(lines, bytes + left, room - left);
        if (length == 0)
            return PS_IDLE;
        lines->ended = length < 0;
        length = lines->ended ? 0 : length;
    }
    char *at = bytes, *end = bytes + left + length;
    bool all = lines_take(lines, batch, &at, end, lines->unsplit ? 0 : lines->known);
    if (all && lines->ended && at < end) { /* the last line has no line end */
        all = line_add(lines, batch, at, (uint32_t)(end - at));
        at = all ? end : at;
    }
    ps_batch_commit(batch, (uint32_t)(at - bytes));
    ps_batch_leave(batch, (uint32_t)(end - at));
    lines->unsplit = !all;
    lines->known = (uint32_t)(end - at);
    *moved |= at > bytes;
    return all ? PS_DONE : PS_IDLE;
}

void ps_pipe_lines_init(struct ps_pipe_lines *lines, const struct ps_port *port, enum ps_pipe_charset charset,
                        uint32_t line_max)
{
    uint64_t most = ps_depot_budget_bytes(port->blocks->depot) / 4;
    *lines = (struct ps_pipe_lines){
        .fd = -1,
        .charset = charset,
        .line_max = line_max > most ? (uint32_t)most : line_max,
        .counters = port->counters,
    };
    ps_slab_init(&lines->slab, port->blocks);
}

void ps_pipe_lines_fini(struct ps_pipe_lines *lines)
{
    ps_buffer_free(&lines->slab, &lines->carry);
    ps_slab_fini(&lines->slab);
}

void ps_pipe_lines_begin(struct ps_pipe_lines *lines, int fd)
{
    lines->fd = fd;
    lines->split.skip_newline = false;
    lines->ended = false;
    lines->known = 0;
}

enum ps_result ps_pipe_lines_work(struct ps_pipe_lines *lines, struct ps_batch *batch)
{
    bool moved = false;
    for (int i = 0; i < READS_MAX; i++) {
        if (read_once(lines, batch, &moved) != PS_DONE)
            return moved || batch->full ? PS_DONE : PS_IDLE;
        if (ps_pipe_lines_over(lines))
            return PS_DONE;
    }
    return PS_DONE;
}
