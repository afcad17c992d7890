#include "stages/lib/syslog/framing.h"

#include <string.h>

#define LENGTH_DIGITS_MAX 9U
#define PRIORITY_DIGITS_MAX 3U
#define HEAD_BYTES_MAX (LENGTH_DIGITS_MAX + PRIORITY_DIGITS_MAX + 3)
#define SEARCH_BYTES_MAX (64U * 1024) /* a sender that lost count is searched for its next frame so far */
#define LOOK_BYTES_MAX                                                                                       \
    (16U * 1024)            /* a line without an end is searched so far: the stream feeds so much at once */
#define EMPTY_FRAMES_MAX 4U /* at the beginning of a connection */

enum head { HEAD_GOOD, HEAD_BAD, HEAD_SHORT };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_end(char c)
{
    return c == '\n' || c == '\r' || c == '\0';
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Looks for "<digits>" in a message of `message` bytes, of which `length` bytes are here. */
static enum head look_priority(const char *at, uint32_t length, uint32_t message)
{
    if (message == 0)
        return HEAD_BAD;
    if (length == 0)
        return HEAD_SHORT;
    uint32_t most = least(length, message), i = 1;
    if (*at != '<')
        return HEAD_BAD;
    while (i < most && i <= PRIORITY_DIGITS_MAX && is_digit(at[i]))
        i++;
    if (i == most)
        return length < message ? HEAD_SHORT : HEAD_BAD;
    return at[i] == '>' && i > 1 ? HEAD_GOOD : HEAD_BAD;
}

/* Looks for a length and a blank, and, if `strict`, behind them "<digits>". *head is the number of bytes of
 * length and blank. rsyslog and syslog-ng, too, take lengths that begin with 0, which RFC 6587 does not allow. */
static enum head look_length(const struct ps_syslog_framing *framing, bool strict, const char *at,
                             uint32_t length, uint32_t *head, uint32_t *value)
{
    uint32_t digits = 0;
    *value = 0;
    while (digits < length && digits < LENGTH_DIGITS_MAX && is_digit(at[digits]))
        *value = *value * 10 + (uint32_t)(at[digits++] - '0');
    if (length > 0 && digits == 0)
        return HEAD_BAD;
    if (digits == length)
        return HEAD_SHORT;
    *head = digits + 1;
    uint32_t most =
        framing->size_max > PS_SYSLOG_FRAME_BYTES_MAX ? framing->size_max : PS_SYSLOG_FRAME_BYTES_MAX;
    if (at[digits] != ' ' || *value > most)
        return HEAD_BAD;
    if (!strict)
        return HEAD_GOOD;
    return look_priority(at + *head, length - *head, *value);
}

/* How a message may begin. */
enum start {
    START_ANY,    /* as a frame, or with "<digits>" */
    START_LEADS,  /* .. and what a frame leads to must begin so, too */
    START_LIKELY, /* .. and have a priority, if the frame has one */
    START_STRICT, /* .. and both have a priority */
};

/* Looks whether a message can begin at data + at, behind a frame. HEAD_SHORT: the bytes that tell have not come. */
static enum head look_start(const struct ps_syslog_framing *framing, enum start start, const char *data,
                            uint32_t length, uint32_t at)
{
    uint32_t head, value;
    while (at < length && is_end(data[at]))
        at++;
    if (at >= length)
        return HEAD_SHORT;
    if (data[at] == '<')
        return look_priority(data + at, length - at, UINT32_MAX);
    enum head looked = look_length(framing, start == START_STRICT, data + at, length - at, &head, &value);
    if (looked != HEAD_GOOD || start == START_ANY)
        return looked;
    if (value >= length - at - head)
        return HEAD_SHORT;
    bool priority = look_priority(data + at + head, length - at - head, value) == HEAD_GOOD;
    at += head + value;
    if (value == 0 && data[at] == '<') /* more likely the end of a length */
        return HEAD_BAD;
    if (start == START_LEADS || !priority)
        return look_start(framing, START_ANY, data, length, at);
    while (at < length && is_end(data[at]))
        at++;
    if (at < length && data[at] == '<')
        return look_priority(data + at, length - at, UINT32_MAX);
    return at == length ? HEAD_SHORT : look_length(framing, true, data + at, length - at, &head, &value);
}

/* Looks whether a frame with a priority begins at data + at and leads to another one, or with `loose` to a priority, alone or
 * behind any length. HEAD_SHORT: it is a frame, but what it leads to has not come. */
static enum head look_chain(const struct ps_syslog_framing *framing, bool loose, const char *data,
                            uint32_t length, uint32_t at)
{
    uint32_t head, value;
    if (look_length(framing, true, data + at, length - at, &head, &value) != HEAD_GOOD)
        return HEAD_BAD;
    if (value >= length - at - head)
        return HEAD_SHORT;
    for (at += head + value; at < length && is_end(data[at]);)
        at++;
    if (!loose)
        return look_length(framing, true, data + at, length - at, &head, &value);
    if (at < length && data[at] != '<') {
        if (look_length(framing, false, data + at, length - at, &head, &value) != HEAD_GOOD)
            return HEAD_BAD;
        at += head;
    }
    return look_priority(data + at, length - at, UINT32_MAX);
}

/* Bytes where the next frame is searched for. */
struct search {
    const char *data;
    uint32_t length; /* bytes that may be looked at */
    uint32_t end;    /* the "<" of the frame stands before it */
    uint32_t most;   /* the frame begins here at the latest */
    bool sure;       /* it must lead to another frame */
    bool loose;      /* .. or to a priority */
};

/* Returns the beginning of the length that stands before data[at], a "<"; 0: none does. Digits that end a message and those of the
 * length behind it look like one number: which of them are the length is told by where it leads. */
static uint32_t length_before(const struct ps_syslog_framing *framing, const struct search *search,
                              uint32_t at)
{
    const char *data = search->data;
    uint32_t from = at - 1, unsure = 0, last = 0, head, value;
    if (at < 2 || data[from] != ' ')
        return 0;
    while (from > 0 && at - 1 - from < LENGTH_DIGITS_MAX && is_digit(data[from - 1]))
        from--;
    bool whole = from > 0 && !is_digit(data[from - 1]); /* the number is no longer than a length */
    uint32_t first = from > 0 ? from : 1;
    for (from = at - 2; from >= first;
         from--) { /* the shortest one is the likeliest to lead on by more than chance */
        if (data[from] == '0' || from > search->most) /* no length begins with 0 */
            continue;
        enum head looked = look_chain(framing, search->loose, data, search->length, from);
        if (looked == HEAD_GOOD)
            return from;
        if (look_length(framing, true, data + from, search->length - from, &head, &value) != HEAD_GOOD)
            continue;
        if (value == search->length - from - head && last == 0)
            last = from;
        if (whole)
            unsure = from;
    }
    return search->sure ? 0 : last > 0 ? last : unsure;
}

static uint32_t search_frame(const struct ps_syslog_framing *framing, const struct search *search)
{
    const char *end = search->data + search->end;
    for (const char *at = search->data; at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL;
         at++) {
        uint32_t from = length_before(framing, search, (uint32_t)(at - search->data));
        if (from > 0)
            return from;
    }
    return 0;
}

/* Returns where the next frame begins behind bytes that are none, before the line's end; 0: nowhere. */
static uint32_t search_line(const struct ps_syslog_framing *framing, bool sure, bool loose, const char *data,
                            uint32_t length)
{
    uint32_t look = least(length, SEARCH_BYTES_MAX), most = least(look, framing->size_max);
    const char *newline = memchr(data, '\n', most);
    const struct search search = {
        .data = data,
        .length = look,
        .end = newline != NULL ? (uint32_t)(newline - data) : most,
        .most = most,
        .sure = sure,
        .loose = loose,
    };
    return search_frame(framing, &search);
}

/* Returns whether a length stands here, and behind so many bytes the next frame: then the message is counted, although it has no
 * priority. A line that begins with a number has none there; its end is sooner. */
static bool is_before_frame(const struct ps_syslog_framing *framing, const char *at, uint32_t length,
                            uint32_t *head, uint32_t *value)
{
    uint32_t next_head, next_value, next;
    if (look_length(framing, false, at, length, head, value) != HEAD_GOOD || *value == 0 ||
        *value >= length - *head)
        return false;
    next = *head + *value;
    if (memchr(at, '\n', next) != NULL)
        return false;
    return look_length(framing, true, at + next, length - next, &next_head, &next_value) == HEAD_GOOD;
}

/* Looks whether an empty message stands here, and frames begin behind it. */
static enum head look_empty(const struct ps_syslog_framing *framing, const char *at, uint32_t length)
{
    uint32_t head = 0, value, from = 0;
    enum head looked = HEAD_BAD;
    for (unsigned i = 0; i <= EMPTY_FRAMES_MAX; i++) {
        looked = look_length(framing, false, at + from, length - from, &head, &value);
        if (looked != HEAD_GOOD || value > 0)
            break;
        from += head;
    }
    if (looked == HEAD_BAD || from == 0)
        return HEAD_BAD;
    return looked == HEAD_SHORT ? looked
                                : look_length(framing, true, at + from, length - from, &head, &value);
}

/* Takes bytes that are no frame as a message. */
static void take_lost(struct ps_syslog_frame *frame, uint32_t length)
{
    frame->found = PS_SYSLOG_MESSAGE;
    frame->length = length;
    frame->taken = frame->skip + length;
    frame->bits = PS_SYSLOG_COUNTED;
    frame->lost = true;
}

/* Returns where another frame begins in the `message` bytes at data; 0: nowhere. `loose`: it may end behind them. */
static uint32_t search_message(const struct ps_syslog_framing *framing, bool loose, const char *data,
                               uint32_t length, uint32_t message)
{
    const struct search search = {
        .data = data,
        .length = length,
        .end = least(message + (loose ? HEAD_BYTES_MAX : 0), length),
        .most = least(message, framing->size_max),
        .sure = true,
        .loose = loose,
    };
    return search_frame(framing, &search);
}

/* Returns after how many digits of the number at `at` a frame begins that leads to another one: the digits before end the message
 * before. 0: nowhere. *value: the length of the frame. */
static uint32_t search_number(const struct ps_syslog_framing *framing, const char *at, uint32_t length,
                              uint32_t digits, uint32_t *value)
{
    uint32_t head;
    while (--digits > 0) {
        if (at[digits] == '0' || look_chain(framing, true, at + digits, length - digits, 0) != HEAD_GOOD)
            continue;
        look_length(framing, false, at + digits, length - digits, &head, value);
        return digits;
    }
    return 0;
}

/* Returns whether a frame that leads to another one begins anywhere: the sender counts. */
static bool has_frames(const struct ps_syslog_framing *framing, const char *data, uint32_t length)
{
    return search_message(framing, false, data, length, length) > 0;
}

/* Returns whether the first frame of a connection, of `end` bytes with its head, behind which no message begins, is a line that
 * begins with a number: a newline is in it, or ends the line behind it before another frame, and a message begins behind that
 * newline, as far as it has come. */
static bool is_numbered_line(const struct ps_syslog_framing *framing, const char *at, uint32_t length,
                             uint32_t end)
{
    const char *begin = at;
    uint32_t head, value;
    if (memchr(at, '\n', end) != NULL)
        return true;
    const char *newline = memchr(at + end, '\n', length - end);
    if (newline == NULL || search_line(framing, false, false, at + end, length - end) > 0)
        return false;
    at = newline + 1;
    length -= (uint32_t)(at - begin);
    enum head looked = look_length(framing, false, at, length, &head, &value);
    if (looked == HEAD_SHORT)
        return true;
    if (looked == HEAD_BAD)
        head = 0;
    return look_priority(at + head, length - head, UINT32_MAX) != HEAD_BAD;
}

/* Mends a frame of `value` bytes behind its head of `head` bytes at data + skip. The frame ends where another one begins that leads
 * to a third, if the bytes behind it have come and are no message: a good sender's frames always lead to one, whatever their
 * text is. The first frame of a connection, and one that would be cut, end there in any case. Not called for a length that is right.
 * Returns whether the frame is no frame at all: it is the line of a sender of lines, which begins with a number. */
static bool mend(const struct ps_syslog_framing *framing, bool counted, uint32_t head, uint32_t value,
                 const char *data, uint32_t length, struct ps_syslog_frame *frame)
{
    uint32_t look = least(length - frame->skip, SEARCH_BYTES_MAX), end = head + value, next = 0;
    const char *at = data + frame->skip;
    if (value == 0 || look < head)
        return false;
    if (!counted || value > framing->size_max)
        next = search_message(framing, false, at + head, look - head,
                              least(look - head, least(value, framing->size_max)));
    if (next > 0) {
        frame->skip += head;
        take_lost(frame, next);
        return false;
    }
    if (value > framing->size_max || end >= look ||
        look_start(framing, START_LIKELY, at, look, end) != HEAD_BAD)
        return false;
    uint32_t suffix_value = 0, suffix = search_number(framing, at, look, head - 1, &suffix_value);
    next = search_message(framing, true, at + head, look - head, value);
    if (suffix > 0 && (next == 0 || suffix_value <= next + LENGTH_DIGITS_MAX)) {
        take_lost(frame, suffix);
    } else if (next > 0) {
        frame->skip += head;
        take_lost(frame, next);
    }
    return next == 0 && suffix == 0 && !counted && !has_frames(framing, at + head, look - head) &&
           look_start(framing, START_LEADS, at, look, end) == HEAD_BAD &&
           is_numbered_line(framing, at, look, end);
}

/* The next `size_max` bytes of a frame of which `left` bytes are to come, at data + skip. */
static void take_part(const struct ps_syslog_framing *framing, uint32_t left, const char *data,
                      uint32_t length, struct ps_syslog_frame *frame)
{
    uint32_t part = least(left, framing->size_max);
    if (length - frame->skip < part) {
        frame->found = PS_SYSLOG_MORE;
        return;
    }
    frame->found = PS_SYSLOG_MESSAGE;
    frame->length = part;
    frame->taken = frame->skip + part;
    frame->cut = left > part;
    frame->bits = PS_SYSLOG_COUNTED | (left > part ? left - part : PS_SYSLOG_AFTER);
    if (frame->cut || part == 0 || data[frame->taken - 1] != '\n')
        return;
    frame->length--; /* some senders count the newline that they add */
    if (frame->length > 0 && data[frame->taken - 2] == '\r')
        frame->length--;
}

/* Finds a message that ends at a NUL, or at a newline, too, if the sender was not configured. */
static void find_nul(const struct ps_syslog_framing *framing, const char *data, uint32_t length,
                     struct ps_syslog_frame *frame)
{
    while (frame->skip < length && (data[frame->skip] == '\0' || data[frame->skip] == '\n'))
        frame->skip++;
    data += frame->skip;
    length -= frame->skip;
    uint32_t look = least(length, framing->size_max);
    const char *nul = look > 0 ? memchr(data, '\0', look) : NULL;
    if (framing->mode == PS_SYSLOG_FRAMING_AUTO && look > 0) {
        const char *newline = memchr(data, '\n', nul != NULL ? (size_t)(nul - data) : look);
        nul = newline != NULL ? newline : nul;
    }
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
        return is_end(c);
    return c == '\n' && (framing->skips_newlines || framing->mode == PS_SYSLOG_FRAMING_COUNTED);
}

/* Skips NULs before "<digits>", the ends of strings that a sender of lines sends. Returns false if more bytes are needed. */
static bool skip_nuls(const char *data, uint32_t length, struct ps_syslog_frame *frame)
{
    uint32_t at = frame->skip;
    while (at < length && data[at] == '\0')
        at++;
    enum head looked = at == frame->skip ? HEAD_BAD : look_priority(data + at, length - at, UINT32_MAX);
    if (looked == HEAD_GOOD)
        frame->skip = at;
    return looked != HEAD_SHORT || at - frame->skip > HEAD_BYTES_MAX;
}

/* Returns whether other messages begin behind newlines in a frame, as far as it has come. */
static bool has_lines(const struct ps_syslog_framing *framing, const char *at, uint32_t length)
{
    const char *end = at + length;
    uint32_t head, value;
    for (; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        uint32_t left = (uint32_t)(end - at) - 1;
        if (look_priority(at + 1, left, UINT32_MAX) == HEAD_GOOD ||
            look_length(framing, true, at + 1, left, &head, &value) == HEAD_GOOD)
            return true;
    }
    return false;
}

/* Returns whether three frames stand here, each of which leads to the next one. */
static bool has_three(const struct ps_syslog_framing *framing, const char *at, uint32_t length, uint32_t next)
{
    if (look_chain(framing, false, at, length, 0) != HEAD_GOOD)
        return false;
    while (is_end(at[next]))
        next++;
    return look_chain(framing, false, at, length, next) == HEAD_GOOD;
}

/* Judges what may be the first frame of a connection, of `value` bytes behind its head, or a line that begins with a number. A length
 * that leads to a message, or to the end of what has come, is right (*right), whatever lines the text has. HEAD_GOOD: a frame;
 * HEAD_BAD: a line; HEAD_SHORT: the bytes that tell have not come. */
static enum head judge_first(const struct ps_syslog_framing *framing, uint32_t bits, const char *at,
                             uint32_t length, uint32_t head, uint32_t value, bool *right)
{
    uint32_t end = head + value, look = least(length, SEARCH_BYTES_MAX);
    bool lines = has_lines(framing, at, least(look, end)), here = end <= length;
    *right = false;
    if (bits & PS_SYSLOG_LINES)
        return has_three(framing, at, length, end) ? HEAD_GOOD : HEAD_BAD;
    *right = here && (end == length ||
                      look_start(framing, lines ? START_STRICT : START_LIKELY, at, length, end) != HEAD_BAD);
    if (*right)
        return HEAD_GOOD;
    if (!here && !(bits & PS_SYSLOG_FINAL))
        return value <= framing->size_max || (lines && length < SEARCH_BYTES_MAX) ? HEAD_SHORT : HEAD_GOOD;
    if (look > head && has_frames(framing, at + head, look - head))
        return HEAD_GOOD;
    return lines || (!here && memchr(at, '\n', length) != NULL) ? HEAD_BAD : HEAD_GOOD;
}

bool ps_syslog_is_undecided(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                            uint32_t length)
{
    uint32_t head, value;
    return framing->mode == PS_SYSLOG_FRAMING_AUTO &&
           !(bits & (PS_SYSLOG_COUNTED | PS_SYSLOG_LINES | PS_SYSLOG_LEFT | PS_SYSLOG_NULS)) &&
           look_length(framing, true, data, length, &head, &value) == HEAD_GOOD;
}

/* Finds a frame at data + skip. Returns HEAD_BAD if none stands there. */
static enum head find_frame(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                            uint32_t length, struct ps_syslog_frame *frame)
{
    const char *at = data + frame->skip;
    uint32_t rest = length - frame->skip, head = 0, value = 0;
    bool counted = framing->mode != PS_SYSLOG_FRAMING_AUTO || (bits & PS_SYSLOG_COUNTED);
    enum head looked = look_length(framing, !counted, at, rest, &head, &value);
    if (looked == HEAD_BAD && !counted) {
        looked = look_empty(framing, at, rest);
        if (looked == HEAD_GOOD)
            look_length(framing, false, at, rest, &head, &value);
        else if (looked == HEAD_BAD && is_before_frame(framing, at, rest, &head, &value))
            looked = HEAD_GOOD;
    }
    if (looked != HEAD_GOOD)
        return looked;
    bool right = counted && value > framing->size_max && head + value <= rest &&
                 look_start(framing, START_LEADS, at, rest, head + value) != HEAD_BAD;
    if (!counted && value > 0)
        looked = judge_first(framing, bits, at, rest, head, value, &right);
    if (looked == HEAD_SHORT)
        return looked;
    if (looked == HEAD_BAD || (!right && mend(framing, counted, head, value, data, length, frame))) {
        frame->bits = PS_SYSLOG_LINES;
        return HEAD_BAD;
    }
    if (frame->found == PS_SYSLOG_MESSAGE)
        return HEAD_GOOD;
    uint32_t before = frame->skip;
    frame->skip += head;
    take_part(framing, value, data, length, frame);
    if (frame->found == PS_SYSLOG_MORE)
        frame->skip = before;
    return HEAD_GOOD;
}

void ps_syslog_frame_find(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                          uint32_t length, struct ps_syslog_frame *frame)
{
    *frame = (struct ps_syslog_frame){.found = PS_SYSLOG_MORE, .bits = bits};
    if (framing->mode == PS_SYSLOG_FRAMING_NUL || (bits & PS_SYSLOG_NULS)) {
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
    if (framing->mode == PS_SYSLOG_FRAMING_AUTO && !skip_nuls(data, length, frame))
        return;
    if (frame->skip == length || find_frame(framing, bits, data, length, frame) != HEAD_BAD)
        return;
    const char *at = data + frame->skip;
    bool counted = framing->mode == PS_SYSLOG_FRAMING_COUNTED || (bits & PS_SYSLOG_COUNTED);
    frame->found = PS_SYSLOG_LINE;
    frame->bits = (bits | frame->bits) & (PS_SYSLOG_COUNTED | PS_SYSLOG_LINES);
    frame->lost = framing->mode == PS_SYSLOG_FRAMING_COUNTED || (counted && *at != '<');
    if ((*at == '<' || (frame->bits & PS_SYSLOG_LINES)) && !(bits & PS_SYSLOG_HIDDEN))
        return;
    bool sure = !counted || (bits & PS_SYSLOG_HIDDEN);
    uint32_t most = bits & PS_SYSLOG_HIDDEN ? LOOK_BYTES_MAX : UINT32_MAX;
    uint32_t next = search_line(framing, sure, counted, at, least(length - frame->skip, most));
    if (next > 0)
        take_lost(frame, next);
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

/* Returns whether a message ends at a NUL here: behind it stands the next one. */
static bool has_nul(const char *data, uint32_t length)
{
    const char *end = data + length;
    for (const char *nul = data; nul < end && (nul = memchr(nul, '\0', (size_t)(end - nul))) != NULL; nul++) {
        while (nul + 1 < end && nul[1] == '\0')
            nul++;
        if (look_priority(nul + 1, (uint32_t)(end - nul - 1), UINT32_MAX) == HEAD_GOOD)
            return true;
    }
    return false;
}

/* Returns whether a frame begins here, whose end has not come. */
static bool begins_frame(const struct ps_syslog_framing *framing, uint32_t bits, const char *data,
                         uint32_t length)
{
    uint32_t head, value;
    return bits & PS_SYSLOG_COUNTED ? look_length(framing, false, data, length, &head, &value) == HEAD_GOOD
                                    : ps_syslog_is_undecided(framing, bits, data, length);
}

bool ps_syslog_look_again(const struct ps_syslog_framing *framing, uint32_t *bits, const char *data,
                          uint32_t length, bool *cuts)
{
    bool cut = *cuts;
    *cuts = false;
    if (cut || framing->mode != PS_SYSLOG_FRAMING_AUTO)
        return false;
    uint32_t look = least(length, least(framing->size_max, LOOK_BYTES_MAX));
    if (!(*bits & (PS_SYSLOG_LEFT | PS_SYSLOG_NULS | PS_SYSLOG_HIDDEN)) && length > 0 &&
        memchr(data, '\n', look) == NULL && !begins_frame(framing, *bits, data, length)) {
        uint32_t found = has_nul(data, look) ? PS_SYSLOG_NULS
                         : search_line(framing, true, (*bits & PS_SYSLOG_COUNTED) != 0, data,
                                       least(length, LOOK_BYTES_MAX)) > 0
                             ? PS_SYSLOG_HIDDEN
                             : 0;
        *bits |= found;
        if (found != 0)
            return true;
    }
    *cuts = length >= framing->size_max;
    return *cuts;
}
