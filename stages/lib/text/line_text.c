/* See line_text.h. */
#include "stages/lib/text/line_text.h"

#include "core/fnv.h"
#include "core/text/utf8.h"
#include "stages/lib/text/line_walk.h"
#include "stages/lib/text/scan.h"

#include <string.h>

#define BYTES_A_CHAR_MAX 4U
#define STATE_SHARE                                                                                          \
    8U /* a line with escape sequences is decoded in one piece, up to this part of bytes_max */

/* ---- charsets ---- */

/* Returns whether the charset encodes ASCII in the same 128 bytes. */
static bool is_ascii_superset(struct ps_transcoder *transcoder)
{
    char text[128], out[PS_CHARSET_DECODED_MAX(sizeof text)];
    size_t length;
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    return transcoder->charset->unit == 1 &&
           ps_transcoder_decode(transcoder, text, sizeof text, false, false, out, &length) &&
           length == sizeof text && memcmp(text, out, length) == 0;
}

bool ps_line_text_has_lines(const struct ps_charset *charset)
{
    struct ps_transcoder transcoder;
    char out[PS_CHARSET_DECODED_MAX(1)];
    size_t length;
    if (charset->unit > 1 || charset->kind < PS_CHARSET_UTF16)
        return true;
    if (ps_transcoder_open(&transcoder, charset, NULL) != PS_OK)
        return false;
    bool has = ps_transcoder_decode(&transcoder, "\n", 1, false, false, out, &length) && length == 1 &&
               out[0] == '\n';
    ps_transcoder_close(&transcoder);
    return has;
}

void ps_line_text_begin(struct ps_line_text *text, struct ps_slab *slab, const struct ps_input *input,
                        const struct ps_charset *out, int64_t chars_max, uint64_t bytes_max)
{
    uint64_t most = bytes_max / BYTES_A_CHAR_MAX;
    if (most > PS_BODY_BYTES_MAX / BYTES_A_CHAR_MAX)
        most = PS_BODY_BYTES_MAX / BYTES_A_CHAR_MAX;
    text->slab = slab;
    text->in = input->charset;
    text->out = out;
    text->policy = input->policy;
    text->chars_max = chars_max < 1 ? 1 : (uint64_t)chars_max > most ? (uint32_t)most : (uint32_t)chars_max;
    text->line_bytes_max = (uint64_t)text->chars_max * BYTES_A_CHAR_MAX + 16;
    /* A line with escape sequences is not decoded in parts, because the meaning of its bytes depends on the
     * sequences before them. */
    if (text->in->has_state && text->line_bytes_max < bytes_max / STATE_SHARE)
        text->line_bytes_max = bytes_max / STATE_SHARE;
    text->order_known = !ps_charset_is_marked(text->in);
    text->little = false;
    text->part = 0;
    text->cut_or_end = false;
}

void ps_line_text_fini(struct ps_line_text *text)
{
    if (text->slab != NULL) {
        ps_buffer_free(text->slab, &text->decoded);
        ps_buffer_free(text->slab, &text->encoded);
    }
    if (text->ready) {
        ps_transcoder_close(&text->decoder);
        ps_transcoder_close(&text->encoder);
    }
    *text = (struct ps_line_text){.in = NULL};
}

static enum ps_status charsets_open(struct ps_line_text *text, struct ps_err *err)
{
    if (ps_transcoder_open(&text->decoder, text->in, err) != PS_OK)
        return PS_FAIL;
    if (ps_transcoder_open(&text->encoder, text->out, err) != PS_OK) {
        ps_transcoder_close(&text->decoder);
        return PS_FAIL;
    }
    text->plain =
        !text->in->has_state && is_ascii_superset(&text->decoder) && is_ascii_superset(&text->encoder);
    text->ready = true;
    return PS_OK;
}

enum ps_status ps_line_text_prepare(struct ps_line_text *text, struct ps_input *input, struct ps_err *err)
{
    text->waits = false;
    if (!text->ready && charsets_open(text, err) != PS_OK)
        return PS_FAIL;
    if (text->order_known)
        return PS_OK;
    char mark[4] = {0};
    int64_t got = input->read(input, 0, (uint8_t *)mark, text->in->unit);
    if (got < 0) {
        text->waits = got == PS_INPUT_NOT_NOW;
        return text->waits ? PS_OK : ps_err_set(err, "cannot be read");
    }
    uint32_t mark_bytes = ps_charset_mark(text->in, mark, (size_t)got, &text->little);
    text->order_known = true;
    if (input->position == 0)
        input->position = mark_bytes;
    return PS_OK;
}

/* ---- lines of bytes ---- */

static bool add(struct ps_batch *batch, struct ps_line_bytes *lines, char *body, uint32_t length)
{
    if (lines->copy)
        return ps_batch_add_copy(batch, body, length) != NULL;
    lines->kept = true;
    return ps_batch_add(batch, body, length) != NULL;
}

/* Notes that an event ends at chars_max. `goes_on`: its line has more text after it. */
static void note_cut(struct ps_line_text *text, bool goes_on)
{
    text->cuts += goes_on;
    text->cut_or_end = !goes_on;
}

/* One byte is one char, and bodies are the file's bytes. */
static enum ps_line_take take_bytes(struct ps_line_text *text, struct ps_batch *batch,
                                    struct ps_line_bytes *lines)
{
    char *at = lines->bytes, *end = at + lines->length;
    while (at < end) {
        uint32_t rest = (uint32_t)(end - at), most = rest < text->chars_max ? rest : text->chars_max;
        const char *newline = memchr(at, '\n', most);
        uint32_t length = newline != NULL ? (uint32_t)(newline - at) : most;
        if (newline == NULL && length < text->chars_max && !lines->ends)
            break;
        if (!add(batch, lines, at, length)) {
            lines->taken = (uint32_t)(at - lines->bytes);
            return PS_LINE_TAKE_FULL;
        }
        at += length + (newline != NULL);
        if (newline == NULL)
            note_cut(text, at < end);
        if (lines->one)
            break;
    }
    lines->taken = (uint32_t)(at - lines->bytes);
    return PS_LINE_TAKE_ALL;
}

static enum ps_line_take bad(const struct ps_line_text *text, struct ps_err *err)
{
    ps_err_set(err, "has a line with bytes that are not %s (decodeErrorPolicy = FAIL)",
               text->in->kind == PS_CHARSET_UTF8     ? "UTF-8"
               : text->in->kind == PS_CHARSET_ASCII  ? "US-ASCII"
               : text->in->kind == PS_CHARSET_LATIN1 ? "ISO-8859-1"
                                                     : text->in->iconv_name);
    return PS_LINE_TAKE_BAD;
}

/* Takes a line of UTF-8 that has more than chars_max bytes, or malformed ones. Moves *at past the line or the
 * part of it that is an event. *partial: more bytes are needed. */
static enum ps_line_take take_walked(struct ps_line_text *text, struct ps_batch *batch,
                                     struct ps_line_bytes *lines, char **at, uint32_t length, bool newline,
                                     bool *partial, struct ps_err *err)
{
    struct ps_line_walk walk = {.bytes = *at,
                                .length = length,
                                .chars_max = text->chars_max,
                                .ended = newline,
                                .policy = text->policy};
    ps_line_walk(&walk);
    if (walk.bad)
        return bad(text, err);
    if (!newline && !lines->ends && !walk.cut) {
        *partial = true;
        return PS_LINE_TAKE_ALL;
    }
    if (walk.made > 0 || newline) {
        char *body = *at;
        if (walk.repaired) {
            walk.out = body = ps_batch_alloc(batch, walk.made + 1);
            if (body == NULL)
                return PS_LINE_TAKE_FULL;
            ps_line_walk(&walk);
        }
        if (walk.repaired ? ps_batch_add(batch, body, walk.made) == NULL
                          : !add(batch, lines, body, walk.made))
            return PS_LINE_TAKE_FULL;
        if (walk.cut)
            note_cut(text, newline || *at + walk.used < lines->bytes + lines->length);
    }
    /* As in Flume, an incomplete character at the end of the file is dropped. */
    *at += walk.incomplete ? length : walk.used + (newline && !walk.cut);
    return PS_LINE_TAKE_ALL;
}

static enum ps_line_take take_utf8(struct ps_line_text *text, struct ps_batch *batch,
                                   struct ps_line_bytes *lines, struct ps_err *err)
{
    char *at = lines->bytes, *end = at + lines->length;
    enum ps_line_take result = PS_LINE_TAKE_ALL;
    while (at < end && result == PS_LINE_TAKE_ALL) {
        uint32_t rest = (uint32_t)(end - at);
        uint32_t most = rest < text->line_bytes_max ? rest : (uint32_t)text->line_bytes_max;
        const char *newline = memchr(at, '\n', most);
        uint32_t length = newline != NULL ? (uint32_t)(newline - at) : most;
        bool partial = false;
        if (length < text->chars_max && ps_utf8_valid_length(at, length) == length) {
            if (newline == NULL && !lines->ends)
                break;
            if (!add(batch, lines, at, length))
                result = PS_LINE_TAKE_FULL;
            else
                at += length + (newline != NULL);
        } else {
            result = take_walked(text, batch, lines, &at, length, newline != NULL, &partial, err);
        }
        if (partial || lines->one)
            break;
    }
    lines->taken = (uint32_t)(at - lines->bytes);
    return result;
}

/* ---- other charsets ---- */

/* Finds the end of a line: \n in units of the charset. Returns `length` when there is none. */
static uint32_t newline_find(const struct ps_line_text *text, const char *bytes, uint32_t length)
{
    unsigned unit = text->in->unit;
    if (unit == 1) {
        const char *newline = memchr(bytes, '\n', length);
        return newline != NULL ? (uint32_t)(newline - bytes) : length;
    }
    bool little = ps_charset_is_marked(text->in) ? text->little : text->in->little;
    for (uint32_t at = 0; at + unit <= length; at += unit) {
        uint32_t value = 0;
        for (unsigned i = 0; i < unit; i++)
            value |= (uint32_t)(uint8_t)bytes[at + i] << 8 * (little ? i : unit - 1 - i);
        if (value == '\n')
            return at;
    }
    return length;
}

/* Decodes the beginning of a text into text->decoded: chars_max, or all but an incomplete character at its end.
 * Sets *used to the number of bytes. Returns false when there is no memory (*full), or the bytes are malformed. */
static bool part_decode(struct ps_line_text *text, const char *bytes, uint32_t length, uint32_t chars_max,
                        uint32_t *used, bool *full)
{
    struct ps_buffer *decoded = &text->decoded;
    *full = !ps_buffer_grow(text->slab, decoded, (uint32_t)PS_CHARSET_DECODED_MAX(length));
    if (*full)
        return false;
    if (text->in->kind == PS_CHARSET_UTF8) {
        struct ps_line_walk walk = {.bytes = bytes,
                                    .length = length,
                                    .chars_max = chars_max,
                                    .policy = text->policy,
                                    .out = decoded->data};
        ps_line_walk(&walk);
        decoded->length = walk.made;
        *used = walk.used;
        return !walk.bad;
    }
    size_t made;
    bool malformed;
    *used = (uint32_t)ps_transcoder_decode_part(&text->decoder, bytes, length, text->policy, text->little,
                                                chars_max, decoded->data, &made, &malformed);
    decoded->length = (uint32_t)made;
    return !malformed;
}

/* Decodes a line into text->decoded. Returns false when there is no memory (*full is set), or the line is
 * malformed. If no newline ends the line, subtracts an incomplete character at its end from *length. */
static bool decode(struct ps_line_text *text, const char *bytes, uint32_t *length, bool newline, bool *full)
{
    size_t used;
    struct ps_buffer *decoded = &text->decoded;
    *full = !ps_buffer_grow(text->slab, decoded, (uint32_t)PS_CHARSET_DECODED_MAX(*length));
    if (*full)
        return false;
    bool good =
        ps_transcoder_decode_on(&text->decoder, bytes, *length, false, text->little, decoded->data, &used);
    if (!good && !newline)
        return part_decode(text, bytes, *length, UINT32_MAX, length, full);
    /* part_decode leaves malformed bytes out where it finds them, so U+FFFD of the text itself stays. It may stop
     * before the end of the line only for a charset whose bytes stand for several characters. Such a charset has
     * no U+FFFD of its own, so below all malformed bytes become U+FFFD, and then all U+FFFD are removed. */
    uint32_t part;
    if (!good && text->policy == PS_DECODE_IGNORE &&
        part_decode(text, bytes, *length, UINT32_MAX, &part, full) && decoded->length <= 3 * *length)
        return true;
    if (!good &&
        (text->policy == PS_DECODE_FAIL ||
         !ps_transcoder_decode_on(&text->decoder, bytes, *length, true, text->little, decoded->data, &used)))
        return false;
    if (!good && text->policy == PS_DECODE_IGNORE)
        used = ps_line_walk_drop_replacements(decoded->data, used);
    decoded->length = (uint32_t)used;
    return true;
}

/* Adds a part of the decoded line as an event. */
static bool part_add(struct ps_line_text *text, struct ps_batch *batch, char *part, uint32_t length)
{
    if (text->out->kind != PS_CHARSET_UTF8) {
        size_t used;
        if (!ps_buffer_grow(text->slab, &text->encoded, (uint32_t)PS_CHARSET_ENCODED_MAX(length)))
            return false;
        ps_transcoder_encode(&text->encoder, part, length, text->encoded.data, &used);
        part = text->encoded.data;
        length = (uint32_t)used;
    }
    char *body = ps_batch_alloc(batch, length > 0 ? length : 1);
    if (body == NULL)
        return false;
    if (length > 0)
        memcpy(body, part, length);
    return ps_batch_add(batch, body, length) != NULL;
}

/* Adds the decoded line, in parts of chars_max; parts that a batch has already are skipped. `newline`: the line
 * ended with a newline, so that a line of exactly chars_max is followed by an empty event. */
static bool parts_add(struct ps_line_text *text, struct ps_batch *batch, bool newline)
{
    char *at = text->decoded.data, *end = at + text->decoded.length;
    for (uint32_t number = 0;; number++) {
        struct ps_line_walk walk = {.bytes = at,
                                    .length = (uint32_t)(end - at),
                                    .chars_max = text->chars_max,
                                    .policy = PS_DECODE_REPLACE};
        if (at == end && !newline)
            break;
        ps_line_walk(&walk);
        if (number >= text->part) {
            if (!part_add(text, batch, at, walk.used))
                return false;
            text->part = number + 1;
            if (walk.cut)
                note_cut(text, newline || at + walk.used < end);
        }
        at += walk.used;
        if (!walk.cut)
            break;
    }
    text->part = 0;
    return true;
}

/* Decodes the first event, of chars_max, of a line that has malformed bytes. Returns false when there is no memory (*full), when the
 * malformed bytes come before the end of that event, or when the rest alone would be decoded to another text: after an escape
 * sequence (ISO-2022-JP). */
static bool part_before_malformed(struct ps_line_text *text, const char *bytes, uint32_t length,
                                  uint32_t *used, bool *full)
{
    const struct ps_buffer *decoded = &text->decoded;
    uint32_t good = 0, rest;
    (void)part_decode(text, bytes, length, UINT32_MAX, &good, full);
    uint64_t whole = *full ? 0 : ps_fnv64(PS_FNV64, decoded->data, decoded->length);
    if (*full || !part_decode(text, bytes, good, text->chars_max, used, full))
        return false;
    if (*used < good) {
        uint64_t hash = ps_fnv64(PS_FNV64, decoded->data, decoded->length);
        return part_decode(text, bytes + *used, good - *used, UINT32_MAX, &rest, full) &&
               ps_fnv64(hash, decoded->data, decoded->length) == whole &&
               part_decode(text, bytes, good, text->chars_max, used, full);
    }
    struct ps_line_walk walk = {.bytes = decoded->data,
                                .length = decoded->length,
                                .chars_max = text->chars_max,
                                .policy = PS_DECODE_REPLACE};
    ps_line_walk(&walk);
    return walk.cut;
}

/* Adds the part that part_decode has left in text->decoded; its line goes on. If it is empty, because malformed bytes are left
 * out, the line has not begun. */
static bool part_of_line_add(struct ps_line_text *text, struct ps_batch *batch)
{
    if (text->decoded.length == 0)
        return true;
    if (!part_add(text, batch, text->decoded.data, text->decoded.length))
        return false;
    note_cut(text, true);
    return true;
}

static enum ps_line_take take_other(struct ps_line_text *text, struct ps_batch *batch,
                                    struct ps_line_bytes *lines, struct ps_err *err)
{
    unsigned unit = text->in->unit;
    for (uint32_t at = 0; at < lines->length; at = lines->taken) {
        char *bytes = lines->bytes + at;
        uint32_t rest = lines->length - at, most = rest;
        if (most > text->line_bytes_max)
            most = (uint32_t)text->line_bytes_max / unit * unit;
        const uint32_t found = newline_find(text, bytes, most);
        uint32_t length = found, used = 0;
        bool newline = length < most, full;
        if (!newline && !lines->ends && rest < text->line_bytes_max)
            return PS_LINE_TAKE_ALL;
        bool part = !newline && (!lines->ends || most < rest);
        bool good = part ? part_decode(text, bytes, length, text->chars_max, &used, &full) && used > 0
                         : decode(text, bytes, &length, newline, &full);
        if (!good && !part && !full && text->policy == PS_DECODE_FAIL)
            part = good = part_before_malformed(text, bytes, found, &used, &full);
        if (!good)
            return full ? PS_LINE_TAKE_FULL : bad(text, err);
        if (part ? !part_of_line_add(text, batch) : !parts_add(text, batch, newline))
            return PS_LINE_TAKE_FULL;
        lines->taken = part                          ? at + used
                       : newline                     ? at + length + unit
                       : lines->ends && most == rest ? lines->length
                                                     : at + length;
        if (lines->one)
            return PS_LINE_TAKE_ALL;
    }
    return PS_LINE_TAKE_ALL;
}

enum ps_line_take ps_line_text_take(struct ps_line_text *text, struct ps_batch *batch,
                                    struct ps_line_bytes *lines, struct ps_err *err)
{
    lines->taken = 0;
    if (text->cut_or_end && lines->length > 0)
        note_cut(text, true);
    bool same = text->in->kind == PS_CHARSET_LATIN1 && text->out->kind == PS_CHARSET_LATIN1;
    if (text->part == 0 && (same || (text->plain && ps_utf8_is_ascii(lines->bytes, lines->length))))
        return take_bytes(text, batch, lines);
    if (text->in->kind == PS_CHARSET_UTF8 && text->out->kind == PS_CHARSET_UTF8)
        return take_utf8(text, batch, lines, err);
    return take_other(text, batch, lines, err);
}

bool ps_line_text_ends(const struct ps_line_text *text, const char *bytes, uint32_t known, uint32_t length)
{
    unsigned unit = text->in->unit;
    uint32_t from = known / unit * unit;
    return length >= text->line_bytes_max || newline_find(text, bytes + from, length - from) < length - from;
}
