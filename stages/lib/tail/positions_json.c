/* Reads and writes the texts of the two files of positions.h. */
#include "core/text/hex.h"
#include "core/text/utf8.h"
#include "stages/lib/tail/positions.h"
#include "stages/lib/text/json_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "positions"
#define DEPTH_MAX 32

struct cursor {
    const char *at, *end;
    char *text; /* the last string, decoded */
    bool failed;
};

static int peek(struct cursor *cursor)
{
    while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) != NULL && *cursor->at != '\0')
        cursor->at++;
    return cursor->at < cursor->end ? (unsigned char)*cursor->at : -1;
}

static bool accept(struct cursor *cursor, char character)
{
    if (peek(cursor) != character)
        return false;
    cursor->at++;
    return true;
}

static bool hex4(struct cursor *cursor, uint32_t *value)
{
    *value = 0;
    if (cursor->end - cursor->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = ps_hex_digit(*cursor->at++);
        if (digit < 0)
            return false;
        *value = *value * 16 + (uint32_t)digit;
    }
    return true;
}

/* Takes \uXXXX, and the second half of a surrogate pair. */
static char *unicode_take(struct cursor *cursor, char *to)
{
    uint32_t code, low;
    if (!hex4(cursor, &code))
        return NULL;
    if (code >= 0xD800 && code < 0xDC00 && cursor->end - cursor->at >= 6 && cursor->at[0] == '\\' &&
        cursor->at[1] == 'u') {
        cursor->at += 2;
        if (!hex4(cursor, &low) || low < 0xDC00 || low > 0xDFFF)
            return NULL;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return to + ps_utf8_put(to, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
}

/* Takes a string and decodes it into cursor->text. Decoding does not lengthen a string, so there is room. */
static bool string_take(struct cursor *cursor)
{
    static const char from[] = "\"\\/bfnrt", to_what[] = "\"\\/\b\f\n\r\t";
    char *to = cursor->text;
    if (!accept(cursor, '"'))
        return false;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        char character = *cursor->at++;
        if (character != '\\') {
            *to++ = character;
            continue;
        }
        if (cursor->at == cursor->end)
            return false;
        character = *cursor->at++;
        const char *place = character != '\0' ? strchr(from, character) : NULL;
        if (character == 'u')
            to = unicode_take(cursor, to);
        else if (place != NULL)
            *to++ = to_what[place - from];
        else
            return false;
        if (to == NULL)
            return false;
    }
    *to = '\0';
    return cursor->at++ < cursor->end;
}

/* Takes an integer, also in quotation marks (Gson accepts both). */
static bool number_take(struct cursor *cursor, int64_t *value)
{
    char digits[24], *end;
    size_t length = 0;
    if (peek(cursor) == '"') {
        if (!string_take(cursor) || strlen(cursor->text) >= sizeof digits)
            return false;
        length = strlen(cursor->text);
        memcpy(digits, cursor->text, length);
    } else {
        while (cursor->at < cursor->end && length < sizeof digits - 1 &&
               strchr("-0123456789", *cursor->at) != NULL && *cursor->at != '\0')
            digits[length++] = *cursor->at++;
    }
    digits[length] = '\0';
    errno = 0;
    *value = strtoll(digits, &end, 10);
    return length > 0 && *end == '\0' && errno == 0;
}

/* Skips a value of any type. */
static bool value_skip(struct cursor *cursor, int depth)
{
    int first = peek(cursor);
    if (first == '"')
        return string_take(cursor);
    if (first != '{' && first != '[') {
        const char *start = cursor->at;
        while (cursor->at < cursor->end && strchr(",]} \t\r\n", *cursor->at) == NULL)
            cursor->at++;
        return cursor->at > start;
    }
    cursor->at++;
    char last = first == '{' ? '}' : ']';
    if (depth == DEPTH_MAX)
        return false;
    if (accept(cursor, last))
        return true;
    do {
        if (first == '{' && (!string_take(cursor) || !accept(cursor, ':')))
            return false;
        if (!value_skip(cursor, depth + 1))
            return false;
    } while (accept(cursor, ','));
    return accept(cursor, last);
}

/* Takes triples of offset, fingerprint and length in ascending order; stops at the first mistake. */
static void marks_take(char *text, struct ps_tail_marks *marks)
{
    int64_t last = 0;
    for (unsigned i = 0; i < PS_TAIL_POSITION_MARKS_MAX; i++) {
        char *hash, *length, *end;
        struct ps_tail_mark mark = {.offset = strtoll(text, &hash, 10)};
        mark.hash = (uint64_t)strtoll(hash, &length, 10);
        long long count = strtoll(length, &end, 10);
        if (end == length || mark.offset <= last || count <= 0 || count > (long long)PS_TAIL_MARK_BYTES ||
            count > mark.offset)
            return;
        mark.length = (uint32_t)count;
        ps_tail_marks_add(marks, &mark, 0);
        last = mark.offset;
        text = end;
    }
}

/* Takes one member of an entry, and sets its bit in `seen`. */
static bool member_take(struct cursor *cursor, struct ps_tail_position *position,
                        struct ps_tail_positions *positions, unsigned *seen)
{
    static const char *const names[] = {"inode",     "pos",    "file",  "device", "head",   "length",
                                        "positions", "before", "marks", "text",   "written"};
    unsigned which = 0;
    int64_t number = 0;
    if (!string_take(cursor))
        return false;
    while (which < PS_COUNT_OF(names) && strcmp(names[which], cursor->text) != 0)
        which++;
    if (!accept(cursor, ':'))
        return false;
    if (which == PS_COUNT_OF(names))
        return value_skip(cursor, 0);
    if (which == 2) {
        if (!string_take(cursor))
            return false;
        free(position->path);
        position->path = ps_must_copy_text(cursor->text, PURPOSE);
    } else if (which == 8) {
        if (!string_take(cursor))
            return false;
        marks_take(cursor->text, &position->marks);
    } else if (!number_take(cursor, &number)) {
        return false;
    }
    *seen |= 1U << which;
    switch (which) {
    case 0:
        position->inode = position->identity.inode = (uint64_t)number;
        break;
    case 1:
        position->offset = number;
        return number >= 0;
    case 3:
        position->identity.device = (uint64_t)number;
        break;
    case 4:
        position->identity.head = (uint64_t)number;
        break;
    case 5:
        position->identity.head_length = (uint32_t)number;
        return number >= 0 && number <= (int64_t)PS_TAIL_HEAD_BYTES;
    case 6:
        positions->goes_with = (uint64_t)number;
        break;
    case 7:
        positions->goes_with_earlier = (uint64_t)number;
        break;
    case 9:
        position->text = number;
        return number >= PS_TAIL_POSITION_OF_TEXT;
    case 10:
        positions->written_ms = number;
        return number >= 0;
    default:
        break;
    }
    return true;
}

static bool entry_take(struct cursor *cursor, bool identities, struct ps_tail_positions *positions)
{
    struct ps_tail_position position = {.path = NULL};
    unsigned seen = 0, needed = identities ? 0x39 : 0x07, last = identities ? 0xC0 : 0x07;
    bool good = accept(cursor, '{');
    if (good && !accept(cursor, '}')) {
        do
            good = member_take(cursor, &position, positions, &seen);
        while (good && accept(cursor, ','));
        good = good && accept(cursor, '}');
    }
    if (good && (seen & needed) == needed)
        ps_tail_positions_add(positions, &position);
    else
        good = good && (seen & last) == last; /* the entry of the identities that names the position files */
    free(position.path);
    ps_tail_marks_free(&position.marks);
    return good;
}

void ps_tail_positions_parse(const char *text, size_t length, bool identities,
                             struct ps_tail_positions *positions)
{
    struct cursor cursor = {.at = text, .end = text + length};
    *positions = (struct ps_tail_positions){.ours = length > 0 && text[length - 1] == '\n'};
    if (peek(&cursor) < 0) /* Flume writes an empty file when it knows no file */
        return;
    cursor.text = ps_must_alloc(length + 1, 1, PURPOSE);
    bool good = accept(&cursor, '[');
    if (good && !accept(&cursor, ']')) {
        do
            good = entry_take(&cursor, identities, positions);
        while (good && accept(&cursor, ','));
        good = good && accept(&cursor, ']');
    }
    positions->cut = !good;
    free(cursor.text);
}

/* ---- writing ---- */

static void print_position(FILE *out, const struct ps_tail_position *position)
{
    size_t length = strlen(position->path);
    char *text = ps_must_alloc(length * PS_JSON_TEXT_GROWTH + 1, 1, PURPOSE);
    length = ps_json_text(position->path, length, text);
    fprintf(out, "\"inode\":%" PRId64 ",\"pos\":%" PRId64 ",\"file\":\"%.*s\"", (int64_t)position->inode,
            position->offset, (int)length, text);
    free(text);
}

void ps_tail_positions_print(FILE *out, const struct ps_tail_positions *positions)
{
    fputc('[', out);
    for (size_t i = 0; i < positions->count; i++) {
        fputs(i > 0 ? ",{" : "{", out);
        print_position(out, &positions->items[i]);
        fputc('}', out);
    }
    fputs("]\n", out);
}

void ps_tail_positions_print_identities(FILE *out, const struct ps_tail_positions *positions)
{
    fputc('[', out);
    for (size_t i = 0; i < positions->count; i++) {
        const struct ps_tail_identity *identity = &positions->items[i].identity;
        fputc('{', out);
        print_position(out, &positions->items[i]);
        const struct ps_tail_marks *marks = &positions->items[i].marks;
        fprintf(out, ",\"device\":%" PRId64 ",\"head\":%" PRId64 ",\"length\":%u", (int64_t)identity->device,
                (int64_t)identity->head, identity->head_length);
        if (positions->items[i].text != 0)
            fprintf(out, ",\"text\":%" PRId64, positions->items[i].text);
        for (uint32_t k = 0; k < marks->count; k++)
            fprintf(out, "%s%" PRId64 " %" PRId64 " %u", k == 0 ? ",\"marks\":\"" : " ",
                    marks->items[k].offset, (int64_t)marks->items[k].hash, marks->items[k].length);
        if (marks->count > 0)
            fputc('"', out);
        fputs("},\n", out);
    }
    fprintf(out, "{\"positions\":%" PRId64 ",\"before\":%" PRId64 ",\"written\":%" PRId64 "}]\n",
            (int64_t)positions->goes_with, (int64_t)positions->goes_with_earlier, positions->written_ms);
}
