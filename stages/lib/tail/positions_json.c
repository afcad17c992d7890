/* Reads and writes the texts of the two files of positions.h. */
#include "stages/lib/tail/positions.h"
#include "stages/lib/text/json/cursor.h"
#include "stages/lib/text/json/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "positions"

/* Takes "hash length" from `*text` on. Returns false if that is no fingerprint. */
static bool fingerprint_take(char **text, struct ps_tail_mark *mark)
{
    char *length, *end;
    mark->hash = (uint64_t)strtoll(*text, &length, 10);
    long long count = strtoll(length, &end, 10);
    if (end == length || count <= 0 || count > (long long)PS_TAIL_MARK_BYTES)
        return false;
    mark->length = (uint32_t)count;
    *text = end;
    return true;
}

/* Takes triples of offset, fingerprint and length in ascending order; stops at the first mistake. */
static void marks_take(char *text, struct ps_tail_marks *marks)
{
    int64_t last = 0;
    for (unsigned i = 0; i < PS_TAIL_POSITION_MARKS_MAX; i++) {
        struct ps_tail_mark mark = {.offset = strtoll(text, &text, 10)};
        if (!fingerprint_take(&text, &mark) || mark.offset <= last || (int64_t)mark.length > mark.offset)
            return;
        ps_tail_marks_add(marks, &mark, 0);
        last = mark.offset;
    }
}

/* Takes one member of an entry, and sets its bit in `seen`. */
static bool member_take(struct ps_json_cursor *cursor, struct ps_tail_position *position,
                        struct ps_tail_positions *positions, unsigned *seen)
{
    static const char *const names[] = {"inode",     "pos",    "file",  "device",  "head",   "length",
                                        "positions", "before", "marks", "written", "number", "earlier",
                                        "since",     "born",   "known", "over",    "anew",   "rest"};
    unsigned which = 0;
    int64_t number = 0;
    if (!ps_json_string_take(cursor))
        return false;
    while (which < PS_COUNT_OF(names) && strcmp(names[which], cursor->string) != 0)
        which++;
    if (!ps_json_accept(cursor, ':'))
        return false;
    if (which == PS_COUNT_OF(names))
        return ps_json_skip(cursor);
    if (which == 2) {
        if (!ps_json_string_take(cursor))
            return false;
        free(position->path);
        position->path = ps_must_copy_text(cursor->string, PURPOSE);
    } else if (which == 8) {
        if (!ps_json_string_take(cursor))
            return false;
        marks_take(cursor->string, &position->marks);
    } else if (which == 17) {
        if (!ps_json_string_take(cursor))
            return false;
        char *text = cursor->string;
        struct ps_tail_mark rest = {0};
        if (fingerprint_take(&text, &rest))
            position->rest = rest;
    } else if (!ps_json_quoted_number_take(cursor, &number)) {
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
        positions->written_ms = number;
        return number >= 0;
    case 10:
        position->serial.own = (uint64_t)number;
        break;
    case 11:
        position->serial.before = (uint64_t)number;
        break;
    case 12:
        position->serial.from = number;
        return number >= 0;
    case 13:
        position->identity.born_ns = (uint64_t)number;
        break;
    case 14:
        position->known_ms = number;
        return number >= 0;
    case 15:
        position->over_ms = number;
        return number >= 0;
    case 16:
        position->anew_from = number;
        return number >= 0;
    default:
        break;
    }
    return true;
}

static bool entry_take(struct ps_json_cursor *cursor, bool identities, struct ps_tail_positions *positions)
{
    struct ps_tail_position position = {.path = NULL};
    unsigned seen = 0, needed = identities ? 0x39 : 0x07, last = identities ? 0xC0 : 0x07;
    bool good = ps_json_accept(cursor, '{');
    if (good && !ps_json_accept(cursor, '}')) {
        do
            good = member_take(cursor, &position, positions, &seen);
        while (good && ps_json_accept(cursor, ','));
        good = good && ps_json_accept(cursor, '}');
    }
    position.rest.offset = position.offset;
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
    struct ps_json_cursor cursor = {.at = text, .end = text + length};
    *positions = (struct ps_tail_positions){.ours = length > 0 && text[length - 1] == '\n'};
    if (ps_json_peek(&cursor) < 0) /* Flume writes an empty file when it knows no file */
        return;
    cursor.string = ps_must_alloc(length + 1, 1, PURPOSE);
    bool good = ps_json_accept(&cursor, '[');
    if (good && !ps_json_accept(&cursor, ']')) {
        do
            good = entry_take(&cursor, identities, positions);
        while (good && ps_json_accept(&cursor, ','));
        good = good && ps_json_accept(&cursor, ']');
    }
    positions->cut = !good;
    free(cursor.string);
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

static void print_born(FILE *out, const struct ps_tail_position *position)
{
    if (position->identity.born_ns != 0)
        fprintf(out, ",\"born\":%" PRId64, (int64_t)position->identity.born_ns);
    else if (position->known_ms != 0)
        fprintf(out, ",\"known\":%" PRId64, position->known_ms);
}

static void print_serial(FILE *out, const struct ps_tail_serial *serial)
{
    if (serial->own != 0)
        fprintf(out, ",\"number\":%" PRId64, (int64_t)serial->own);
    if (serial->before != 0)
        fprintf(out, ",\"earlier\":%" PRId64, (int64_t)serial->before);
    if (serial->from != 0)
        fprintf(out, ",\"since\":%" PRId64, serial->from);
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
        print_born(out, &positions->items[i]);
        print_serial(out, &positions->items[i].serial);
        if (positions->items[i].over_ms != 0)
            fprintf(out, ",\"over\":%" PRId64, positions->items[i].over_ms);
        if (positions->items[i].anew_from != 0)
            fprintf(out, ",\"anew\":%" PRId64, positions->items[i].anew_from);
        if (positions->items[i].rest.length != 0)
            fprintf(out, ",\"rest\":\"%" PRId64 " %u\"", (int64_t)positions->items[i].rest.hash,
                    positions->items[i].rest.length);
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
