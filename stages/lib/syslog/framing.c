#include "stages/lib/syslog/framing.h"

#include <string.h>

#define LENGTH_DIGITS_MAX 9U
#define PRIORITY_DIGITS_MAX 3U
#define SEARCH_BYTES_MAX (64U * 1024) /* a sender that lost count is searched for its next frame so far */

enum head { HEAD_GOOD, HEAD_BAD, HEAD_SHORT };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Looks for "<digits>" in a message of `message` bytes, of which `length` bytes are here. */
static enum head look_priority(const char *at, uint32_t length, uint32_t message)
{
    if (length == 0)
        return HEAD_SHORT;
    uint32_t most = length < message ? length : message, i = 1;
    if (*at != '<')
        return HEAD_BAD;
    while (i < most && i <= PRIORITY_DIGITS_MAX && is_digit(at[i]))
        i++;
    if (i == most)
        return length < message ? HEAD_SHORT : HEAD_BAD;
    return at[i] == '>' && i > 1 ? HEAD_GOOD : HEAD_BAD;
}

/* Looks for a length and a blank, and before `strict`, behind them "<digits>". *head is the number of bytes of
 * length and blank. */
static enum head look_length(const struct ps_syslog_framing *framing, bool strict, const char *at,
                             uint32_t length, uint32_t *head, uint32_t *value)
{
    uint32_t digits = 0;
    *value = 0;
    while (digits < length && digits < LENGTH_DIGITS_MAX && is_digit(at[digits]))
        *value = *value * 10 + (uint32_t)(at[digits++] - '0');
    if (length > 0 && (digits == 0 || *at == '0'))
        return HEAD_BAD;
    if (digits == length)
        return HEAD_SHORT;
    *head = digits + 1;
    uint32_t most =
        framing->size_max > PS_SYSLOG_FRAME_BYTES_MAX ? framing->size_max : PS_SYSLOG_FRAME_BYTES_MAX;
    if (at[digits] != ' ' || *value > most || *value > PS_SYSLOG_LEFT)
        return HEAD_BAD;
    if (!strict)
        return HEAD_GOOD;
    return look_priority(at + *head, length - *head, *value);
}

/* Returns where the next frame begins behind the bytes of a sender that lost count, before the line's end; 0: nowhere. Only the
 * bytes of one message decide, so that the answer does not depend on how many more have come. */
static uint32_t search_head(const struct ps_syslog_framing *framing, const char *data, uint32_t length)
{
    uint32_t look = length < framing->size_max ? length : framing->size_max, head, value;
    if (look > SEARCH_BYTES_MAX)
        look = SEARCH_BYTES_MAX;
    const char *newline = memchr(data, '\n', look);
    const char *end = newline != NULL ? newline : data + look;
    for (const char *at = data + 1; at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL; at++) {
        const char *from = at;
        if (from - data < 3 || *--from != ' ')
            continue;
        while (from > data && at - from <= (ptrdiff_t)LENGTH_DIGITS_MAX && is_digit(from[-1]))
            from--;
        while (from < at && *from == '0') /* no length begins with it */
            from++;
        if (from > data &&
            look_length(framing, true, from, look - (uint32_t)(from - data), &head, &value) == HEAD_GOOD)
            return (uint32_t)(from - data);
    }
    return 0;
}

/* Returns whether a length stands here, and behind so many bytes the next frame: then the message is counted, although it has no
 * priority. A line that begins with a number has none there. */
static bool is_before_frame(const struct ps_syslog_framing *framing, const char *at, uint32_t length,
                            uint32_t *head, uint32_t *value)
{
    uint32_t next_head, next_value, next;
    if (look_length(framing, false, at, length, head, value) != HEAD_GOOD || *value >= length - *head)
        return false;
    next = *head + *value;
    return look_length(framing, true, at + next, length - next, &next_head, &next_value) == HEAD_GOOD;
}

/* The next `size_max` bytes of a frame of which `left` bytes are to come, at data + skip. */
static void take_part(const struct ps_syslog_framing *framing, uint32_t left, const char *data,
                      uint32_t length, struct ps_syslog_frame *frame)
{
    uint32_t part = left < framing->size_max ? left : framing->size_max;
    if (length - frame->skip < part) {
        frame->found = PS_SYSLOG_MORE;
        return;
    }
    frame->found = PS_SYSLOG_MESSAGE;
    frame->length = part;
    frame->taken = frame->skip + part;
    frame->cut = left > part;
    frame->bits = PS_SYSLOG_COUNTED | (left > part ? left - part : PS_SYSLOG_AFTER);
    if (!frame->cut && data[frame->taken - 1] == '\n') /* some senders count the newline that they add */
        frame->length--;
}

static void find_nul(const struct ps_syslog_framing *framing, const char *data, uint32_t length,
                     struct ps_syslog_frame *frame)
{
    while (frame->skip < length && (data[frame->skip] == '\0' || data[frame->skip] == '\n'))
        frame->skip++;
    data += frame->skip;
    length -= frame->skip;
    uint32_t look = length < framing->size_max ? length : framing->size_max;
    const char *nul = look > 0 ? memchr(data, '\0', look) : NULL;
    if (nul == NULL && length < framing->size_max)
        return;
    frame->found = PS_SYSLOG_MESSAGE;
    frame->cut = nul == NULL;
    frame->length = nul != NULL ? (uint32_t)(nul - data) : framing->size_max;
    frame->taken = frame->skip + frame->length + (nul != NULL);
    if (nul != NULL && data[frame->length - 1] == '\n')
        frame->length--;
}

static bool is_skipped(const struct ps_syslog_framing *framing, uint32_t bits, char c)
{
    if (bits & PS_SYSLOG_AFTER)
        return c == '\n' || c == '\r' || c == '\0';
    return c == '\n' && (framing->skips_newlines || framing->mode == PS_SYSLOG_FRAMING_COUNTED);
}

void ps_syslog_frame_find(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                          uint32_t length, struct ps_syslog_frame *frame)
{
    *frame = (struct ps_syslog_frame){.found = PS_SYSLOG_MORE, .bits = bits};
    if (framing->mode == PS_SYSLOG_FRAMING_NUL) {
        find_nul(framing, data, length, frame);
        return;
    }
    if (framing->mode == PS_SYSLOG_FRAMING_NEWLINE) {
        frame->found = PS_SYSLOG_LINE;
        return;
    }
    if ((bits & PS_SYSLOG_LEFT) > 0) {
        take_part(framing, bits & PS_SYSLOG_LEFT, data, length, frame);
        return;
    }
    while (frame->skip < length && is_skipped(framing, bits, data[frame->skip]))
        frame->skip++;
    const char *at = data + frame->skip;
    uint32_t rest = length - frame->skip, head, value;
    bool strict = framing->mode == PS_SYSLOG_FRAMING_AUTO && !(bits & PS_SYSLOG_COUNTED);
    enum head looked = look_length(framing, strict, at, rest, &head, &value);
    if (looked == HEAD_SHORT)
        return;
    if (looked == HEAD_BAD && strict && is_before_frame(framing, at, rest, &head, &value))
        looked = HEAD_GOOD;
    if (looked == HEAD_GOOD) {
        uint32_t before = frame->skip;
        frame->skip += head;
        take_part(framing, value, data, length, frame);
        if (frame->found == PS_SYSLOG_MORE)
            frame->skip = before;
        return;
    }
    frame->bits = bits & PS_SYSLOG_COUNTED;
    frame->lost = framing->mode == PS_SYSLOG_FRAMING_COUNTED || (!strict && *at != '<');
    frame->found = PS_SYSLOG_LINE;
    uint32_t next = frame->lost && *at != '<' ? search_head(framing, at, rest) : 0;
    if (next == 0)
        return;
    frame->found = PS_SYSLOG_MESSAGE;
    frame->length = next;
    frame->taken = frame->skip + next;
}

bool ps_syslog_message_bytes(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                             uint32_t length, uint32_t *bytes)
{
    struct ps_syslog_frame frame;
    if (ps_syslog_is_line(framing, bits, data, length))
        return false;
    ps_syslog_frame_find(framing, bits, data, length, &frame);
    *bytes = frame.found == PS_SYSLOG_MESSAGE ? frame.taken : frame.skip;
    return frame.found != PS_SYSLOG_LINE || frame.skip > 0;
}
