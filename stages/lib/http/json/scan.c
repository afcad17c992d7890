#include "stages/lib/http/json/scan.h"

#include "stages/lib/text/json/text.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define HEADERS_FIRST 1024U
#define PLACES (2 * PS_EVENT_HEADERS_MAX)

struct reader {
    struct ps_json_scan *scan;
    const char *text, *at, *end;
    bool strict;   /* after the array Gson reads by RFC 8259, not leniently */
    bool has_null; /* an event is null */
};

bool ps_json_scan_init(struct ps_json_scan *scan)
{
    *scan = (struct ps_json_scan){.header_room = HEADERS_FIRST, .events_max = PS_JSON_EVENTS_MAX};
    scan->events = malloc(PS_JSON_EVENTS_MAX * sizeof *scan->events);
    scan->headers = malloc(HEADERS_FIRST * sizeof *scan->headers);
    for (unsigned i = 0; i < 2; i++)
        scan->name[i] = malloc(PS_HEADER_NAME_BYTES_MAX);
    scan->places = calloc(PLACES, sizeof *scan->places);
    if (scan->events != NULL && scan->headers != NULL && scan->name[0] != NULL && scan->name[1] != NULL &&
        scan->places != NULL)
        return true;
    ps_json_scan_fini(scan);
    return false;
}

void ps_json_scan_fini(struct ps_json_scan *scan)
{
    free(scan->events);
    free(scan->headers);
    free(scan->name[0]);
    free(scan->name[1]);
    free(scan->places);
    *scan = (struct ps_json_scan){.event_count = 0};
}

/* ---- characters ---- */

/* Notes the first mistake. Always returns false. */
static bool mistake(struct reader *reader, uint16_t status, const char *reason)
{
    struct ps_json_scan *scan = reader->scan;
    if (scan->status == 200) {
        scan->status = status;
        scan->reason = reason;
        scan->mistake_at = (uint32_t)(reader->at - reader->text);
    }
    return false;
}

static bool malformed(struct reader *reader, const char *reason)
{
    return mistake(reader, 400, reason);
}

/* Returns whether the character ends a text without quotes (the negation of Gson's isLiteral). */
static bool ends_literal(char c)
{
    return c != '\0' && strchr("/\\;#={}[]:, \t\f\r\n", c) != NULL;
}

static void skip_line(struct reader *reader)
{
    while (reader->at < reader->end && *reader->at != '\n' && *reader->at != '\r')
        reader->at++;
}

/* If a comment begins at the cursor, skips the comment and sets *skipped. Returns false after a mistake. */
static bool skip_comment(struct reader *reader, bool *skipped)
{
    *skipped = true;
    if (*reader->at == '#' || (reader->at + 1 < reader->end && reader->at[1] == '/')) {
        skip_line(reader);
        return true;
    }
    if (reader->at + 1 == reader->end || reader->at[1] != '*') {
        *skipped = false;
        return true;
    }
    for (reader->at += 2; reader->at + 1 < reader->end; reader->at++) {
        if (reader->at[0] == '*' && reader->at[1] == '/') {
            reader->at += 2;
            return true;
        }
    }
    return malformed(reader, "unterminated comment");
}

/* Goes to the next character that is neither white nor in a comment. Returns false at the end of the text, which is not a
 * mistake yet, or after a mistake. */
static bool next(struct reader *reader)
{
    for (; reader->at < reader->end; reader->at++) {
        char c = *reader->at;
        if (PS_LIKELY(c > ' ')) {
            bool skipped;
            if (PS_LIKELY((c != '/' && c != '#') || reader->strict))
                return true;
            if (!skip_comment(reader, &skipped))
                return false;
            if (!skipped)
                return true;
            reader->at--;
        } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return true;
        }
    }
    return false;
}

static bool must_next(struct reader *reader)
{
    return next(reader) || malformed(reader, "the text ends too early");
}

/* ---- texts ---- */

/* Returns the first quote or backslash from `at` on, or NULL. */
static const char *find_quote(const char *at, const char *end, char quote)
{
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8(quote), escapes = _mm_set1_epi8('\\');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int found =
            _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, escapes)));
        if (found != 0)
            return at + __builtin_ctz((unsigned)found);
    }
#endif
    for (; at < end; at++) {
        if (*at == quote || *at == '\\')
            return at;
    }
    return NULL;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Skips the escape that begins at reader->at. */
static bool skip_escape(struct reader *reader)
{
    if (reader->end - reader->at < 2)
        return malformed(reader, "unterminated escape sequence");
    char c = reader->at[1];
    if (c == 'u') {
        if (reader->end - reader->at < 6)
            return malformed(reader, "unterminated escape sequence");
        for (unsigned i = 2; i < 6; i++) {
            if (!is_hex(reader->at[i])) /* a NumberFormatException, which JSONHandler does not catch */
                return mistake(reader, 500, "a \\u without four hexadecimal digits");
        }
        reader->at += 6;
        return true;
    }
    if (c == '\0' || strchr("tbnrf\n'\"\\/", c) == NULL)
        return malformed(reader, "invalid escape sequence");
    reader->at += 2;
    return true;
}

/* Skips the text in quotes that begins at reader->at. */
static bool quoted(struct reader *reader, struct ps_json_text *out)
{
    char quote = *reader->at++;
    const char *begin = reader->at;
    out->kind = PS_JSON_PLAIN;
    for (;;) {
        const char *found = find_quote(reader->at, reader->end, quote);
        if (found == NULL)
            return malformed(reader, "unterminated string");
        reader->at = found;
        if (PS_LIKELY(*found == quote))
            break;
        out->kind = PS_JSON_ESCAPED;
        if (!skip_escape(reader))
            return false;
    }
    out->at = (uint32_t)(begin - reader->text);
    out->length = (uint32_t)(reader->at - begin);
    reader->at++;
    return true;
}

/* Skips the text without quotes that begins at reader->at, up to the character that ends it. */
static bool literal(struct reader *reader, struct ps_json_text *out)
{
    const char *begin = reader->at;
    while (reader->at < reader->end && !ends_literal(*reader->at))
        reader->at++;
    if (reader->at == begin)
        return malformed(reader, "expected a value");
    out->at = (uint32_t)(begin - reader->text);
    out->length = (uint32_t)(reader->at - begin);
    out->kind = PS_JSON_PLAIN;
    return true;
}

/* Gson's keywords: each letter in either case. */
static bool is_word(const struct reader *reader, const struct ps_json_text *text, const char *word)
{
    if (text->length != strlen(word))
        return false;
    for (uint32_t i = 0; i < text->length; i++) {
        if ((reader->text[text->at + i] | 0x20) != word[i])
            return false;
    }
    return true;
}

/* Skips a number, a keyword, or a text without quotes. */
static bool bare(struct reader *reader, struct ps_json_text *out)
{
    if (!literal(reader, out))
        return false;
    if (is_word(reader, out, "null"))
        out->kind = PS_JSON_NULL;
    else if (is_word(reader, out, "true"))
        out->kind = PS_JSON_TRUE;
    else if (is_word(reader, out, "false"))
        out->kind = PS_JSON_FALSE;
    return true;
}

/* Skips a value that Gson's adapter for String accepts. */
static bool text_value(struct reader *reader, struct ps_json_text *out)
{
    if (!must_next(reader))
        return false;
    switch (*reader->at) {
    case '"':
    case '\'':
        return quoted(reader, out);
    case '[':
    case '{':
        return malformed(reader, "expected a string");
    default:
        return bare(reader, out);
    }
}

/* ---- the inside of objects and arrays ---- */

enum step { STEP_ITEM, STEP_END, STEP_MISTAKE };

/* Moves to the next item of an array, or past its end. `first`: no item was read yet. `*is_null`: two
 * separators have nothing between them, which Gson takes as null; the reader stays before the second one. */
static enum step array_step(struct reader *reader, bool first, bool *is_null)
{
    *is_null = false;
    if (!must_next(reader))
        return STEP_MISTAKE;
    if (!first) {
        char c = *reader->at;
        if (c == ']') {
            reader->at++;
            return STEP_END;
        }
        if (c != ',' && c != ';') {
            (void)malformed(reader, "unterminated array");
            return STEP_MISTAKE;
        }
        reader->at++;
        if (!must_next(reader))
            return STEP_MISTAKE;
    } else if (*reader->at == ']') {
        reader->at++;
        return STEP_END;
    }
    *is_null = *reader->at == ']' || *reader->at == ',' || *reader->at == ';';
    return STEP_ITEM;
}

/* Moves to the value of the next member of an object, or past its end. */
static enum step object_step(struct reader *reader, bool first, struct ps_json_text *name)
{
    if (!must_next(reader))
        return STEP_MISTAKE;
    char c = *reader->at;
    if (c == '}') {
        reader->at++;
        return STEP_END;
    }
    bool good = true;
    if (!first) {
        if (c != ',' && c != ';')
            good = malformed(reader, "unterminated object");
        else
            reader->at++;
        good = good && must_next(reader);
    }
    if (!good)
        return STEP_MISTAKE;
    good = *reader->at == '"' || *reader->at == '\'' ? quoted(reader, name) : literal(reader, name);
    if (!good || !must_next(reader))
        return STEP_MISTAKE;
    if (*reader->at == '=' && reader->at + 1 < reader->end && reader->at[1] == '>')
        reader->at++;
    else if (*reader->at != ':' && *reader->at != '=') {
        (void)malformed(reader, "expected ':'");
        return STEP_MISTAKE;
    }
    reader->at++;
    return STEP_ITEM;
}

/* Skips any value. */
static bool skip_value(struct reader *reader)
{
    bool is_object[PS_JSON_DEPTH_MAX];
    unsigned depth = 0;
    bool first = true, is_null = false;
    struct ps_json_text text;
    for (;;) {
        if (!is_null && !must_next(reader))
            return false;
        char c = is_null ? 'n' : *reader->at;
        if (c == '{' || c == '[') {
            if (depth == PS_JSON_DEPTH_MAX)
                return malformed(reader, "too many values inside each other");
            is_object[depth++] = c == '{';
            reader->at++;
            first = true;
        } else if (!is_null && !(c == '"' || c == '\'' ? quoted(reader, &text) : literal(reader, &text))) {
            return false;
        }
        for (;;) {
            if (depth == 0)
                return true;
            enum step step = is_object[depth - 1] ? object_step(reader, first, &text)
                                                  : array_step(reader, first, &is_null);
            if (is_object[depth - 1])
                is_null = false;
            if (step == STEP_MISTAKE)
                return false;
            first = false;
            if (step == STEP_ITEM)
                break;
            depth--;
        }
    }
}

/* ---- headers ---- */

static uint32_t plain_name(struct reader *reader, const struct ps_json_text *name, unsigned scratch,
                           const char **out)
{
    *out = reader->text + name->at;
    if (PS_LIKELY(name->kind == PS_JSON_PLAIN))
        return name->length;
    if (name->kind == PS_JSON_TRUE || name->kind == PS_JSON_FALSE) {
        *out = name->kind == PS_JSON_TRUE ? "true" : "false";
        return (uint32_t)strlen(*out);
    }
    *out = reader->scan->name[scratch];
    return ps_json_unescape(reader->text + name->at, name->length, "?", reader->scan->name[scratch]);
}

static bool grow_headers(struct ps_json_scan *scan)
{
    uint32_t room = 2 * scan->header_room;
    struct ps_json_header *headers = realloc(scan->headers, room * sizeof *headers);
    if (headers == NULL)
        return false;
    scan->headers = headers;
    scan->header_room = room;
    return true;
}

/* Adds the header that is being read (its index is header_count) to the table of the event's names. `text`: its
 * name, which is in the first scratch. Returns an earlier header of this name and adds nothing, or NULL. */
static struct ps_json_header *add_name(struct reader *reader, const char *text, uint32_t length)
{
    struct ps_json_scan *scan = reader->scan;
    uint32_t at = ps_name_keyed_hash32(text, length) & (PLACES - 1);
    for (; scan->places[at].stamp == scan->stamp; at = (at + 1) & (PLACES - 1)) {
        struct ps_json_header *other = &scan->headers[scan->places[at].header];
        const char *known;
        if (other->hash == scan->headers[scan->header_count].hash &&
            plain_name(reader, &other->name, 1, &known) == length && memcmp(known, text, length) == 0)
            return other;
    }
    scan->places[at] = (struct ps_json_place){scan->stamp, scan->header_count};
    return NULL;
}

static bool add_header(struct reader *reader, const struct ps_json_text *name,
                       const struct ps_json_text *value)
{
    struct ps_json_scan *scan = reader->scan;
    ps_header_sizes_add(&scan->sizes, name->length, value->length);
    const char *why = ps_header_sizes_refusal(&scan->sizes);
    if (why != NULL)
        return malformed(reader, why);
    if (scan->header_count == scan->header_room && !grow_headers(scan))
        return mistake(reader, 500, "no memory for the headers");
    struct ps_json_header *header = &scan->headers[scan->header_count];
    *header = (struct ps_json_header){.name = *name, .value = *value};
    const char *text;
    uint32_t length = plain_name(reader, name, 0, &text);
    header->hash = ps_name_hash(text, length);
    struct ps_json_header *same = name->kind != PS_JSON_NULL ? add_name(reader, text, length) : NULL;
    if (same != NULL && same->value.kind != PS_JSON_NULL) /* Gson accepts a name again after a null */
        return malformed(reader, "a header comes twice in an event");
    (same != NULL ? same : header)->value = *value;
    scan->header_count += same == NULL;
    return true;
}

/* Reads [["name", "value"], ..]. */
static bool header_pairs(struct reader *reader)
{
    bool begun = false, is_null;
    reader->at++;
    for (;;) {
        enum step step = array_step(reader, !begun, &is_null);
        if (step != STEP_ITEM)
            return step == STEP_END;
        begun = true;
        if (is_null || *reader->at != '[')
            return malformed(reader, "expected a pair of header name and value");
        reader->at++;
        struct ps_json_text pair[2] = {{.kind = PS_JSON_NULL}, {.kind = PS_JSON_NULL}};
        for (unsigned i = 0; i < 3; i++) {
            step = array_step(reader, i == 0, &is_null);
            if (step == STEP_MISTAKE)
                return false;
            if ((step == STEP_END) != (i == 2))
                return malformed(reader, "expected a pair of header name and value");
            if (i < 2 && !is_null && !text_value(reader, &pair[i]))
                return false;
        }
        if (pair[0].kind != PS_JSON_NULL && !add_header(reader, &pair[0], &pair[1]))
            return false;
    }
}

static bool headers_value(struct reader *reader, uint32_t first)
{
    reader->scan->header_count = first; /* the last of several header members counts */
    reader->scan->sizes = (struct ps_header_sizes){.count = 0};
    if (++reader->scan->stamp == 0) { /* the counter has wrapped: old stamps would be valid again */
        memset(reader->scan->places, 0, PLACES * sizeof *reader->scan->places);
        reader->scan->stamp = 1;
    }
    if (!must_next(reader))
        return false;
    if (*reader->at == '[')
        return header_pairs(reader);
    if (*reader->at != '{') {
        struct ps_json_text text;
        if (!text_value(reader, &text))
            return false;
        return text.kind == PS_JSON_NULL || malformed(reader, "headers are not an object");
    }
    reader->at++;
    for (bool begun = false;; begun = true) {
        struct ps_json_text name, value;
        enum step step = object_step(reader, !begun, &name);
        if (step != STEP_ITEM)
            return step == STEP_END;
        if (!text_value(reader, &value) || !add_header(reader, &name, &value))
            return false;
    }
}

/* ---- events ---- */

static bool is_member(struct reader *reader, const struct ps_json_text *name, const char *word)
{
    const char *text;
    if (name->length > PS_HEADER_NAME_BYTES_MAX)
        return false;
    uint32_t length = plain_name(reader, name, 0, &text);
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

static bool event_members(struct reader *reader, struct ps_json_event *event)
{
    bool has_body = false, has_headers = false, has_other = false;
    *event = (struct ps_json_event){.first_header = reader->scan->header_count,
                                    .begin_at = (uint32_t)(reader->at - reader->text)};
    reader->at++;
    for (bool begun = false;; begun = true) {
        struct ps_json_text name;
        enum step step = object_step(reader, !begun, &name);
        if (step == STEP_END)
            break;
        if (step == STEP_MISTAKE)
            return false;
        bool body = is_member(reader, &name, "body"), headers = is_member(reader, &name, "headers");
        has_body |= body, has_headers |= headers, has_other |= !body && !headers;
        if (!(body      ? text_value(reader, &event->body)
              : headers ? headers_value(reader, event->first_header)
                        : skip_value(reader)))
            return false;
    }
    event->loses = !has_body && (has_other || !has_headers);
    event->header_count = reader->scan->header_count - event->first_header;
    event->end_at = (uint32_t)(reader->at - reader->text);
    return true;
}

/* Reads an item of the array. Events without room are read as well, because they may have a mistake. */
static bool item(struct reader *reader, bool is_null, bool keep)
{
    struct ps_json_scan *scan = reader->scan;
    struct ps_json_event spare;
    if (is_null || *reader->at != '{') {
        struct ps_json_text text = {.kind = PS_JSON_NULL};
        if (!is_null && *reader->at == '[')
            return malformed(reader, "an event is not an object");
        if (!is_null && !text_value(reader, &text))
            return false;
        reader->has_null = true;
        return text.kind == PS_JSON_NULL || malformed(reader, "an event is not an object");
    }
    if (!event_members(reader, keep ? &scan->events[scan->event_count] : &spare))
        return false;
    if (keep)
        scan->event_count++;
    else
        scan->header_count = spare.first_header;
    scan->total++;
    return true;
}

/* Reads the items from reader->at on. `first`: the array has just begun. `rest`: an earlier scan has checked the text
 * to its end, so reading ends at the first event that cannot be kept. */
static bool items(struct reader *reader, bool first, bool rest)
{
    struct ps_json_scan *scan = reader->scan;
    for (;; first = false) {
        uint32_t at = (uint32_t)(reader->at - reader->text);
        bool is_null, keep = scan->rest_at == 0 && scan->event_count < scan->events_max &&
                             scan->header_count < PS_JSON_HEADERS_KEPT_MAX;
        enum step step = array_step(reader, first, &is_null);
        if (step == STEP_MISTAKE)
            return false;
        if (step == STEP_END)
            break;
        if (!keep && scan->rest_at == 0)
            scan->rest_at = at;
        if (!keep && rest)
            return true;
        if (!item(reader, is_null, keep))
            return false;
    }
    return true;
}

/* Reads the text before and after the array. */
static bool document(struct reader *reader)
{
    if (reader->end - reader->at >= 3 && memcmp(reader->at, "\xEF\xBB\xBF", 3) == 0)
        reader->at += 3;
    if (next(reader) && reader->end - reader->at >= 5 && memcmp(reader->at, ")]}'\n", 5) == 0)
        reader->at += 5;
    if (!next(reader))
        return reader->scan->status == 200 && mistake(reader, 500, "the body is empty");
    if (*reader->at != '[') {
        struct ps_json_text text;
        if (*reader->at == '{' || !text_value(reader, &text) || text.kind != PS_JSON_NULL)
            return malformed(reader, "expected an array of events");
        return mistake(reader, 500, "there is null in place of an array");
    }
    reader->at++;
    if (!items(reader, true, false))
        return false;
    reader->strict = true;
    if (next(reader))
        return malformed(reader, "something follows the array");
    /* This is not a syntax error: Flume finds it only after it has read the whole text. */
    return !reader->has_null || reader->scan->status != 200 || mistake(reader, 500, "an event is null");
}

bool ps_json_scan(struct ps_json_scan *scan, const char *text, uint32_t length, uint32_t at)
{
    struct reader reader = {.scan = scan, .text = text, .at = text + at, .end = text + length};
    scan->event_count = scan->header_count = scan->rest_at = 0;
    scan->total = 0;
    scan->status = 200;
    scan->reason = NULL;
    if (at > 0)
        return items(&reader, false, true);
    return document(&reader);
}
