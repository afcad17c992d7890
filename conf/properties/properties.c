/* java.util.Properties.load: first logical lines (comments, continuations), then key, separator and value,
 * then escapes. Thread: the control thread. Reads untrusted bytes: every index below is limited to the
 * logical line. */
#include "conf/properties/properties.h"
#include "conf/properties/edges.h"
#include "conf/properties/line_reader.h"
#include "conf/text.h"
#include "core/fnv.h"
#include "core/quantity.h"
#include "core/text/hex.h"
#include "core/text/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void ps_properties_init(struct ps_properties *properties, struct ps_arena *arena)
{
    memset(properties, 0, sizeof *properties);
    properties->arena = arena;
}

void ps_properties_fini(struct ps_properties *properties)
{
    free(properties->items);
    free(properties->slots);
    memset(properties, 0, sizeof *properties);
}

static size_t key_hash(const char *key)
{
    uint64_t hash = ps_fnv64(PS_FNV64, key, strlen(key));
    return (size_t)(hash ^ (hash >> 29));
}

/* Returns the slot of `key`, or the free slot for it. */
static uint32_t *slot_of(const struct ps_properties *properties, const char *key)
{
    size_t mask = properties->slot_count - 1;
    size_t at = key_hash(key) & mask;
    while (properties->slots[at] != 0 && strcmp(properties->items[properties->slots[at] - 1].key, key) != 0)
        at = (at + 1) & mask;
    return &properties->slots[at];
}

const struct ps_property *ps_properties_find(const struct ps_properties *properties, const char *key)
{
    if (properties->slot_count == 0)
        return NULL;
    uint32_t slot = *slot_of(properties, key);
    return slot == 0 ? NULL : &properties->items[slot - 1];
}

static void properties_grow(struct ps_properties *properties)
{
    properties->room = properties->room == 0 ? 256 : properties->room * 2;
    properties->items =
        ps_must_realloc(properties->items, properties->room * sizeof *properties->items, "properties");
    free(properties->slots);
    properties->slot_count = properties->room * 2;
    properties->slots = ps_must_alloc(properties->slot_count, sizeof *properties->slots, "properties");
    for (size_t i = 0; i < properties->count; i++)
        *slot_of(properties, properties->items[i].key) = (uint32_t)i + 1;
}

void ps_properties_put(struct ps_properties *properties, struct ps_property property)
{
    if (properties->count == properties->room)
        properties_grow(properties);
    uint32_t *slot = slot_of(properties, property.key);
    if (*slot != 0) {
        property.key = properties->items[*slot - 1].key;
        properties->items[*slot - 1] = property;
        return;
    }
    properties->items[properties->count++] = property;
    *slot = (uint32_t)properties->count;
}

/* ---- escapes ---- */

struct writer {
    char *text;
    size_t length;
    unsigned high; /* a high surrogate whose low surrogate has not come yet, or 0 */
    bool nul;
};

static void writer_code(struct writer *writer, unsigned code)
{
    if (code == 0) {
        writer->nul = true;
        code = 0xfffd;
    }
    writer->length += ps_utf8_put(writer->text + writer->length, code);
}

/* Writes one UTF-16 unit: pairs become one character, a lone surrogate becomes '?'. */
static void writer_unit(struct writer *writer, unsigned unit)
{
    bool low = unit >= 0xdc00 && unit < 0xe000;
    if (writer->high != 0 && low) {
        writer_code(writer, 0x10000 + ((writer->high - 0xd800) << 10) + (unit - 0xdc00));
        writer->high = 0;
        return;
    }
    if (writer->high != 0)
        writer_code(writer, '?');
    writer->high = 0;
    if (unit >= 0xd800 && unit < 0xdc00)
        writer->high = unit;
    else
        writer_code(writer, low ? '?' : unit);
}

/* Reads the four digits of \uXXXX. Returns false if they are malformed. */
static bool unicode_read(const unsigned char *text, size_t length, unsigned *unit)
{
    if (length < 4)
        return false;
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = ps_hex_digit(text[i]);
        if (digit < 0)
            return false;
        *unit = *unit << 4 | (unsigned)digit;
    }
    return true;
}

/* Converts the raw text of a key or value to UTF-8 in the arena. A malformed \u is set in `*malformed`, and stays as it is. A raw
 * byte needs at most two bytes of UTF-8; an escaped NUL or unit (at least two raw bytes) needs three. */
static const char *text_unescape(struct ps_arena *arena, const unsigned char *text, size_t length, bool *nul,
                                 bool *malformed)
{
    char *room = ps_must_alloc(1, length * 3 + 4, "properties");
    struct writer writer = {.text = room};
    size_t at = 0;
    while (at < length) {
        unsigned unit = text[at++];
        if (unit == '\\' && at < length) {
            unit = text[at++];
            unsigned code;
            if (unit == 'u' && unicode_read(text + at, length - at, &code)) {
                unit = code;
                at += 4;
            } else if (unit == 'u') {
                *malformed = true;
                writer_unit(&writer, '\\');
            } else {
                unit = unit == 't'   ? '\t'
                       : unit == 'n' ? '\n'
                       : unit == 'r' ? '\r'
                       : unit == 'f' ? '\f'
                                     : unit;
            }
        }
        writer_unit(&writer, unit);
    }
    if (writer.high != 0)
        writer_code(&writer, '?');
    *nul |= writer.nul;
    const char *copy = ps_arena_copy(arena, room, writer.length);
    free(room);
    return copy;
}

/* ---- key, separator, value ---- */

/* Finds the end of the key and the beginning of the value. */
static void line_split(const unsigned char *text, size_t length, size_t *key_length, size_t *value_start)
{
    bool backslash = false, separator = false;
    size_t at = 0;
    while (at < length) {
        unsigned char c = text[at];
        separator = (c == '=' || c == ':') && !backslash;
        if (separator || (ps_line_reader_is_blank(c) && !backslash))
            break;
        backslash = c == '\\' ? !backslash : false;
        at++;
    }
    *key_length = at;
    if (at < length)
        at++;
    while (at < length &&
           (ps_line_reader_is_blank(text[at]) || (!separator && (text[at] == '=' || text[at] == ':')))) {
        separator |= !ps_line_reader_is_blank(text[at]);
        at++;
    }
    *value_start = at;
}

/* ---- bytes beyond ASCII ---- */

/* Returns whether the line is UTF-8 and not only ASCII. *first: its first character that is not ASCII; 0: none. */
static bool line_is_utf8(const unsigned char *text, size_t length, unsigned *first)
{
    *first = 0;
    for (size_t at = 0; at < length;) {
        uint32_t code;
        size_t bytes = ps_utf8_get((const char *)text + at, length - at, &code);
        if (bytes == 0)
            return false;
        if (bytes > 1 && *first == 0)
            *first = code;
        at += bytes;
    }
    return *first != 0;
}

#define UTF8_WARNINGS_MAX 5
#define LOST_ESCAPES_MAX 8 /* limit of the lost escapes that one warning names */

/* Warns where Flume's reading of a UTF-8 file as ISO-8859-1 changes a key or value. `is_lost`: the line would be one of the
 * agent without the byte order mark before it. */
static void warn_utf8(struct ps_line_reader *reader, struct ps_place place, bool concerned, bool is_lost,
                      struct ps_problems *problems)
{
    unsigned first;
    bool is_utf8 = line_is_utf8(reader->text, reader->text_length, &first);
    if (!is_utf8 && !is_lost) /* a line that is lost counts as one with an error (bad_lines) */
        return;
    if (is_lost || (first == 0xfeff && reader->text[0] == 0xef)) {
        ps_problem_add(problems, is_lost ? PS_SEVERITY_ERROR : PS_SEVERITY_WARNING, place,
                       "save the file without a byte order mark",
                       "begins with a UTF-8 byte order mark, which becomes part of the first key%s",
                       is_lost ? ": its line would be lost" : "");
        return;
    }
    if (!concerned || reader->utf8_lines++ >= UTF8_WARNINGS_MAX)
        return;
    const char *noun = ps_edge_noun(first);
    if (noun != NULL && strcmp(noun, "blank") == 0) {
        ps_problem_add(problems, PS_SEVERITY_WARNING, place, "replace it by an ordinary blank",
                       "has %s, which is not a blank here but part of the key or value",
                       first == 0xa0 ? "a no-break space"
                                     : ps_arena_format(problems->arena, "the blank U+%04X", first));
        return;
    }
    if (noun != NULL && strcmp(noun, "invisible character") == 0) {
        ps_problem_add(problems, PS_SEVERITY_WARNING, place, "remove it",
                       "has the invisible character U+%04X, which becomes part of the key or value", first);
        return;
    }
    const char *escape = first < 0x10000 ? ps_arena_format(problems->arena, "write it as \\u%04x", first)
                                         : ps_arena_format(problems->arena, "write it as \\u%04x\\u%04x",
                                                           0xd800 + ((first - 0x10000) >> 10),
                                                           0xdc00 + ((first - 0x10000) & 0x3ff));
    ps_problem_add(problems, PS_SEVERITY_WARNING, place, escape,
                   "has UTF-8 bytes; Flume reads the file as ISO-8859-1, so U+%04X becomes other characters",
                   first);
}

/* ---- one line ---- */

/* Returns false if the key belongs to another agent than the wanted one. Keys of other agents get no warnings. */
static bool of_wanted_agent(const struct ps_properties *properties, const char *key)
{
    const char *dot = strchr(key, '.');
    if (properties->agent == NULL || dot == NULL)
        return true;
    return strlen(properties->agent) == (size_t)(dot - key) &&
           strncmp(key, properties->agent, (size_t)(dot - key)) == 0;
}

#define MARK "\u00ef\u00bb\u00bf" /* a UTF-8 byte order mark that was read as ISO-8859-1 */

/* Returns whether the key behind the mark is one of the wanted agent; when none is wanted yet, of any. */
static bool is_key(const struct ps_properties *properties, const char *key)
{
    const char *rest = key + strlen(MARK);
    bool any = properties->agent == NULL || *properties->agent == '\0';
    return strchr(rest, '.') != NULL && (any || of_wanted_agent(properties, rest));
}

static void warn_duplicate(const struct ps_properties *properties, const struct ps_property *now,
                           struct ps_problems *problems)
{
    const struct ps_property *before = ps_properties_find(properties, now->key);
    if (before == NULL || before->file != now->file || strcmp(before->value, now->value) == 0)
        return;
    ps_problem_add(problems, PS_SEVERITY_WARNING, (struct ps_place){now->file, now->line, now->key},
                   "remove one of the two lines",
                   "written twice with different values: line %d is replaced by this one", before->line);
}

/* Returns whether a user who writes a backslash before this character probably means both characters, as in
 * expressions and commands. A backslash before others (\:, \=, \#, \") is a precaution, and does not change the
 * meaning. */
static bool is_lost_escape(unsigned char c)
{
    return c < 0x80 && isalnum(c) ? strchr("tnrfu", c) == NULL
                                  : c != '\0' && strchr(".*+?()[]{}|^$&-/<>", c) != NULL;
}

/* Warns of backslashes that Java removes from a value: the most common mistake with expressions. */
static void warn_backslashes(const unsigned char *text, size_t length, const char *value,
                             struct ps_place place, struct ps_problems *problems)
{
    char seen[LOST_ESCAPES_MAX + 1] = "", cure[9 * LOST_ESCAPES_MAX + 16] = "write";
    size_t count = 0, end = strlen(cure);
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] != '\\')
            continue;
        unsigned char c = text[++i];
        if (!is_lost_escape(c) || strchr(seen, c) != NULL || count == LOST_ESCAPES_MAX)
            continue;
        seen[count++] = (char)c;
        end += (size_t)snprintf(cure + end, sizeof cure - end, "%s \\\\%c", count > 1 ? " and" : "", c);
    }
    if (count == 0)
        return;
    ps_problem_add(problems, PS_SEVERITY_WARNING, place, cure,
                   "a single backslash before %s is not part of the value: Java's properties remove it",
                   count == 1 ? (const char[]){seen[0], '\0'} : "these characters");
    /* A message that quotes a value of several lines has line ends that are not before a cure. */
    if (strchr(value, '\n') == NULL)
        ps_problem_lost_backslash(problems);
}

/* Warns of what is around the value: in the bytes of the file, or in what its escapes make. */
static bool warn_edges(const struct ps_line_reader *reader, size_t key_length, size_t value_start,
                       const char *value, struct ps_place place, struct ps_problems *problems)
{
    unsigned first;
    if (line_is_utf8(reader->text, key_length, &first) || first != 0)
        return false; /* the key has the first such character */
    bool is_raw = line_is_utf8(reader->text, reader->text_length, &first);
    if (is_raw)
        value = ps_arena_copy(problems->arena, (const char *)reader->text + value_start,
                              reader->text_length - value_start);
    return ps_edges_warn(value, !is_raw, place, problems);
}

static enum ps_status property_read(struct ps_properties *properties, struct ps_line_reader *reader,
                                    const char *file, struct ps_problems *problems)
{
    size_t key_length, value_start;
    bool nul = false, malformed = false;
    line_split(reader->text, reader->text_length, &key_length, &value_start);
    struct ps_property property = {
        .key = text_unescape(properties->arena, reader->text, key_length, &nul, &malformed),
        .value = text_unescape(properties->arena, reader->text + value_start,
                               reader->text_length - value_start, &nul, &malformed),
        .file = file,
        .line = reader->text_line,
    };
    struct ps_place place = {file, reader->text_line, property.key};
    if (malformed) {
        ps_problem_add(problems, PS_SEVERITY_ERROR, place, "write \\\\u for a backslash and a u",
                       "\\u is not followed by four hexadecimal digits: Java refuses the whole file");
        ps_problems_note_unknown(problems, property.value); /* what it should be is not known */
    }
    if (nul)
        ps_problem_add(problems, PS_SEVERITY_WARNING, place, "remove it",
                       "has a NUL character, which is replaced by U+FFFD");
    bool concerned = of_wanted_agent(properties, property.key);
    const char *visible = property.key; /* behind a no-break space, say */
    while ((unsigned char)*visible >= 0x80)
        visible++;
    bool is_lost = ps_text_begins(property.key, MARK) && is_key(properties, property.key);
    if (!concerned || !warn_edges(reader, key_length, value_start, property.value, place, problems))
        warn_utf8(reader, place, concerned || of_wanted_agent(properties, visible), is_lost, problems);
    if (is_lost)
        property.key += strlen(MARK);
    properties->bad_lines += malformed + is_lost;
    if (concerned) {
        warn_backslashes(reader->text + value_start, reader->text_length - value_start, property.value, place,
                         problems);
        warn_duplicate(properties, &property, problems);
        ps_line_reader_warn_joins(reader, &property, problems);
        ps_line_reader_warn_end(reader, value_start, place, problems);
    }
    ps_properties_put(properties, property);
    return malformed ? PS_FAIL : PS_OK;
}

/* Returns whether the text is UTF-16: it begins with such a mark, or every second byte of its beginning is NUL. */
static bool is_utf16(const unsigned char *bytes, size_t length)
{
    size_t nuls[2] = {0}, most = length < 64 ? length : 64;
    if (length >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff)))
        return true;
    for (size_t i = 0; i < most; i++)
        nuls[i % 2] += bytes[i] == 0;
    return most >= 4 && ((nuls[0] >= most / 2 && nuls[1] == 0) || (nuls[1] >= most / 2 && nuls[0] == 0));
}

/* Returns whether the text is a page that a server sends in place of the file: for a login, a folder or a mistake. */
static bool is_page(const char *bytes, size_t length)
{
    static const char *const heads[] = {"<!doctype", "<html", "<?xml"};
    while (length > 0 && isspace((unsigned char)*bytes)) {
        bytes++;
        length--;
    }
    for (size_t i = 0; i < PS_COUNT_OF(heads); i++)
        if (length >= strlen(heads[i]) && strncasecmp(bytes, heads[i], strlen(heads[i])) == 0)
            return true;
    return false;
}

/* Compressed files, by their first bytes, and what unpacks them. */
static const struct packing {
    const char *head, *name, *program;
} packings[] = {
    {"\x1f\x8b", "gzip", "gunzip"},         {"BZh", "bzip2", "bunzip2"},    {"\xfd\x37\x7aXZ", "xz", "unxz"},
    {"\x28\xb5\x2f\xfd", "zstd", "unzstd"}, {"PK\x03\x04", "zip", "unzip"},
};

/* Returns NULL if the file is not compressed. */
static const struct packing *packing_of(const char *bytes, size_t length)
{
    for (size_t i = 0; i < PS_COUNT_OF(packings); i++)
        if (length > strlen(packings[i].head) &&
            memcmp(bytes, packings[i].head, strlen(packings[i].head)) == 0)
            return &packings[i];
    return NULL;
}

enum ps_status ps_properties_load(struct ps_properties *properties, const char *file, const char *bytes,
                                  size_t length, struct ps_problems *problems)
{
    if (length > PS_PROPERTIES_BYTES_MAX) {
        ps_problem_add(problems, PS_SEVERITY_ERROR, (struct ps_place){file, 0, NULL}, NULL,
                       "is larger than %s", ps_quantity_print_bytes(PS_PROPERTIES_BYTES_MAX).text);
        return PS_FAIL;
    }
    if (is_utf16((const unsigned char *)bytes, length)) {
        ps_problem_add(problems, PS_SEVERITY_ERROR, (struct ps_place){file, 0, NULL},
                       "save it as plain text: iconv -f UTF-16 -t ISO-8859-1",
                       "is UTF-16, of which neither Java's properties nor penstock can read a key");
        return PS_FAIL;
    }
    const struct packing *packing = packing_of(bytes, length);
    if (packing != NULL) {
        ps_problem_add(
            problems, PS_SEVERITY_ERROR, (struct ps_place){file, 0, NULL},
            ps_arena_format(problems->arena, "give the plain file that %s makes of it", packing->program),
            "is compressed (%s)", packing->name);
        return PS_FAIL;
    }
    if (is_page(bytes, length)) {
        ps_problem_add(problems, PS_SEVERITY_ERROR, (struct ps_place){file, 0, NULL},
                       "give the address of the file itself, and -user and -pwd if its server asks for them",
                       "is a page for a browser, with no key of an agent");
        return PS_FAIL;
    }
    struct ps_line_reader reader = {.bytes = (const unsigned char *)bytes, .length = length, .line = 1};
    reader.text = ps_must_alloc(1, length + 1, "properties");
    enum ps_status status = PS_OK;
    while (ps_line_reader_next(&reader)) {
        if (properties->count == PS_PROPERTIES_COUNT_MAX) {
            ps_problem_add(problems, PS_SEVERITY_ERROR, (struct ps_place){file, reader.text_line, NULL}, NULL,
                           "has more than %s keys", ps_quantity_print_count(PS_PROPERTIES_COUNT_MAX).text);
            status = PS_FAIL;
            break;
        }
        if (property_read(properties, &reader, file, problems) != PS_OK)
            status = PS_FAIL;
    }
    ps_line_reader_tell_returns(&reader, file, problems);
    if (reader.utf8_lines > UTF8_WARNINGS_MAX)
        ps_problem_add(problems, PS_SEVERITY_WARNING, (struct ps_place){file, 0, NULL},
                       "native2ascii converts a whole file", "has UTF-8 bytes in %s more lines",
                       ps_quantity_print_count(reader.utf8_lines - UTF8_WARNINGS_MAX).text);
    free(reader.text);
    return status;
}
