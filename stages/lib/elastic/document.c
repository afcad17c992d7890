#include "stages/lib/elastic/document.h"

#include <stdio.h>
#include <string.h>

#include "stages/lib/date/calendar.h"
#include "stages/lib/text/java/long.h"
#include "stages/lib/text/json/value.h"

#define TIME_BYTES 40U
#define SEPARATORS 8U                   /* quotation marks, colon, comma, brackets of a member */
#define LOGSTASH_BYTES 200U             /* of the names that the form LOGSTASH always has, and its time */
#define MS_MAX INT64_C(253402300799999) /* the last one of the year 9999 */

/* ---- headers ---- */

static bool is_blank(struct ps_slice text)
{
    for (uint32_t i = 0; i < text.length; i++)
        if (text.data[i] != ' ' && (text.data[i] < '\t' || text.data[i] > '\r'))
            return false;
    return true;
}

static bool is_named(const struct ps_header *header, const char *name)
{
    return header->name->length == strlen(name) &&
           memcmp(header->name->text, name, header->name->length) == 0;
}

/* Finds a header that is not blank. */
static bool find(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                 struct ps_slice *value)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (!is_named(header, name))
            continue;
        *value = (struct ps_slice){header->value, header->value_length};
        return !is_blank(*value);
    }
    return false;
}

struct ps_elastic_time ps_elastic_time_of(const struct ps_batch *batch, const struct ps_event *event,
                                          const struct ps_now *now)
{
    struct ps_slice value;
    int64_t ms;
    bool has = find(batch, event, "timestamp", &value) || find(batch, event, "@timestamp", &value);
    if (has && ps_java_long_read(&value, &ms) && ms <= MS_MAX && ms >= -MS_MAX)
        return (struct ps_elastic_time){ms, true};
    return (struct ps_elastic_time){now->wall_ms, false};
}

/* ---- names ---- */

enum ps_status ps_elastic_name_build(struct ps_elastic_name *name, struct ps_arena *arena,
                                     const char *pattern, const char *zone, struct ps_err *err)
{
    struct ps_escape_options options = {.time_zone = zone};
    name->by_event = ps_escape_compile(arena, pattern, &options, err);
    options.local_time = true;
    name->by_now = name->by_event != NULL ? ps_escape_compile(arena, pattern, &options, err) : NULL;
    if (name->by_now == NULL)
        return PS_FAIL;
    name->constant = ps_escape_constant(name->by_event);
    return PS_OK;
}

size_t ps_elastic_name_bound(const struct ps_elastic_name *name)
{
    /* One byte of a JSON string may become nine: ps_json_string_bound. */
    size_t bytes = name->constant != NULL ? ps_json_string_bound(name->constant, strlen(name->constant))
                                          : 9 * PS_ELASTIC_NAME_BYTES;
    return bytes + (name->date != NULL ? 1 + 9 * PS_JAVA_PRINT_BYTES : 0);
}

uint32_t ps_elastic_name_put(const struct ps_elastic_name *name, struct ps_elastic_name_cache *cache,
                             const struct ps_batch *batch, const struct ps_event *event,
                             const struct ps_now *now, char to[PS_ELASTIC_NAME_BYTES])
{
    uint32_t length = 0;
    if (name->constant != NULL) {
        size_t bytes = strlen(name->constant);
        length = (uint32_t)(bytes < PS_ELASTIC_NAME_BYTES ? bytes : PS_ELASTIC_NAME_BYTES);
        memcpy(to, name->constant, length);
    } else {
        enum ps_escape_result result = ps_escape_expand(name->by_event, &cache->by_event, batch, event, now,
                                                        to, PS_ELASTIC_NAME_BYTES, &length);
        if (result == PS_ESCAPE_NO_TIMESTAMP || result == PS_ESCAPE_BAD_TIMESTAMP)
            result = ps_escape_expand(name->by_now, &cache->by_now, batch, event, now, to,
                                      PS_ELASTIC_NAME_BYTES, &length);
        if (result !=
            PS_ESCAPE_OK) { /* too long: of the same length for every attempt, so that the server refuses it */
            memset(to, 'x', PS_ELASTIC_NAME_BYTES);
            return PS_ELASTIC_NAME_BYTES;
        }
    }
    if (name->date != NULL && length < PS_ELASTIC_NAME_BYTES) {
        char date[PS_JAVA_PRINT_BYTES];
        to[length++] = '-';
        uint32_t bytes = ps_java_print(name->date, ps_elastic_time_of(batch, event, now).ms, date);
        bytes = bytes < PS_ELASTIC_NAME_BYTES - length ? bytes : PS_ELASTIC_NAME_BYTES - length;
        memcpy(to + length, date, bytes);
        length += bytes;
    }
    return length;
}

/* ---- documents ---- */

enum ps_status ps_elastic_fields_build(struct ps_elastic_document *document, struct ps_arena *arena,
                                       const struct ps_pairs *fields, struct ps_err *err)
{
    struct ps_elastic_field *made = ps_arena_alloc(arena, (fields->count + 1) * sizeof *made);
    const struct ps_escape_options options = {.time_zone = "UTC", .local_time = true};
    if (fields->count > PS_ELASTIC_FIELDS_MAX)
        return ps_err_set(err, "there are more than %u fields.NAME", PS_ELASTIC_FIELDS_MAX);
    for (size_t i = 0; i < fields->count; i++) {
        const struct ps_pair *pair = &fields->items[i];
        made[i] = (struct ps_elastic_field){pair->key, ps_escape_compile(arena, pair->value, &options, err)};
        if (made[i].value == NULL)
            return PS_FAIL;
    }
    document->fields = made;
    document->field_count = fields->count;
    return PS_OK;
}

static char *put_name(char *to, const char *name, size_t length)
{
    *to++ = '"';
    to = ps_json_string_put(to, name, length);
    return ps_json_raw_put(to, "\":");
}

/* Copies well-formed JSON into one line: outside of strings, where a line feed is white space, it becomes a blank; a string has none. */
static char *put_json(char *to, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
    return to + length;
}

/* Returns whether a text is taken as JSON, as ContentBuilderUtil.appendField does: it begins like an object, and is well formed. */
static bool is_json(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && (text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r')))
        at++;
    return at < length && text[at] == '{' && ps_json_is_value(text, length);
}

static char *put_value(char *to, const char *text, size_t length)
{
    return is_json(text, length) ? put_json(to, text, length) : ps_json_quoted_put(to, text, length);
}

static char *put_digits(char *to, unsigned number, unsigned digits)
{
    for (unsigned i = digits; i > 0; number /= 10)
        to[--i] = (char)('0' + number % 10);
    return to + digits;
}

/* Writes "2026-12-01T03:27:43 of the years 0 to 9999. */
static void put_second(char *to, const struct ps_civil *civil)
{
    static const char marks[] = "--T::";
    const unsigned numbers[] = {civil->month, civil->day, civil->hour, civil->minute, civil->second};
    *to++ = '"';
    to = put_digits(to, (unsigned)civil->year, 4);
    for (size_t i = 0; i < PS_COUNT_OF(numbers); i++) {
        *to++ = marks[i];
        to = put_digits(to, numbers[i], 2);
    }
}

static char *put_time(char *to, struct ps_elastic_cache *cache, int64_t ms)
{
    struct ps_civil civil;
    int64_t second = ps_floor_div(ms, 1000);
    if (!cache->has_second || cache->second != second) {
        ps_civil_from_wall(second, &civil);
        cache->second = second;
        cache->has_second = civil.year >= 0 && civil.year <= 9999;
        if (!cache->has_second)
            return to + snprintf(to, TIME_BYTES, "\"%04d-%02u-%02uT%02u:%02u:%02u.%03dZ\"", (int)civil.year,
                                 civil.month, civil.day, civil.hour, civil.minute, civil.second,
                                 (int)(ms - second * 1000));
        put_second(cache->text, &civil);
    }
    memcpy(to, cache->text, PS_ELASTIC_SECOND_BYTES);
    to += PS_ELASTIC_SECOND_BYTES;
    *to++ = '.';
    to = put_digits(to, (unsigned)(ms - second * 1000), 3);
    memcpy(to, "Z\"", 2);
    return to + 2;
}

/* Writes all headers but those that `is_left_out` names, each followed by a comma. */
static char *put_headers(char *to, const struct ps_batch *batch, const struct ps_event *event,
                         const char *left_out)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (left_out != NULL && is_named(header, left_out))
            continue;
        to = put_name(to, header->name->text, header->name->length);
        to = put_value(to, header->value, header->value_length);
        *to++ = ',';
    }
    return to;
}

static char *put_logstash(char *to, struct ps_elastic_cache *cache, const struct ps_batch *batch,
                          const struct ps_event *event)
{
    static const char *const copies[][2] = {
        {"source", "@source"}, {"type", "@type"}, {"host", "@source_host"}, {"src_path", "@source_path"}};
    struct ps_slice value, other;
    int64_t ms;
    to = ps_json_raw_put(to, "{\"@message\":");
    to = put_value(to, event->body, event->body_length);
    *to++ = ',';
    if (find(batch, event, "timestamp", &value) && !find(batch, event, "@timestamp", &other) &&
        ps_java_long_read(&value, &ms) && ms <= MS_MAX && ms >= -MS_MAX) {
        to = ps_json_raw_put(to, "\"@timestamp\":");
        to = put_time(to, cache, ms);
        *to++ = ',';
    }
    for (size_t i = 0; i < PS_COUNT_OF(copies); i++) {
        if (!find(batch, event, copies[i][0], &value) || find(batch, event, copies[i][1], &other))
            continue;
        to = put_name(to, copies[i][1], strlen(copies[i][1]));
        to = put_value(to, value.data, value.length);
        *to++ = ',';
    }
    to = put_headers(ps_json_raw_put(to, "\"@fields\":{"), batch, event, NULL);
    to -= to[-1] == ',';
    return ps_json_raw_put(to, "}}");
}

static char *put_dynamic(char *to, const struct ps_batch *batch, const struct ps_event *event)
{
    to = put_value(ps_json_raw_put(to, "{\"body\":"), event->body, event->body_length);
    *to++ = ',';
    to = put_headers(to, batch, event, "body");
    to[-1] = '}';
    return to;
}

/* The names of the document so far. */
struct members {
    const struct ps_elastic_document *document;
    struct ps_slice inside; /* of the body's object; empty: it is not one */
    bool has_body;          /* the body is a member */
    bool has_time;          /* the time was added */
};

static bool is_free(const struct members *members, const char *name, size_t length)
{
    const struct ps_elastic_document *document = members->document;
    if (members->has_body && strlen(document->body) == length && memcmp(document->body, name, length) == 0)
        return false;
    if (members->has_time && strlen(document->time) == length && memcmp(document->time, name, length) == 0)
        return false;
    return members->inside.length == 0 || !ps_json_object_has(members->inside, name, length);
}

static char *put_fields(char *to, const struct members *members, struct ps_escape_cache *cache,
                        const struct ps_batch *batch, const struct ps_event *event, const struct ps_now *now)
{
    for (size_t i = 0; i < members->document->field_count; i++) {
        const struct ps_elastic_field *field = &members->document->fields[i];
        char value[PS_ELASTIC_FIELD_BYTES];
        uint32_t length = 0;
        cache->valid = false; /* of another pattern */
        if (!is_free(members, field->name, strlen(field->name)) ||
            ps_escape_expand(field->value, cache, batch, event, now, value, sizeof value, &length) !=
                PS_ESCAPE_OK)
            continue;
        to = put_name(to, field->name, strlen(field->name));
        to = ps_json_quoted_put(to, value, length);
        *to++ = ',';
    }
    return to;
}

static bool is_field(const struct ps_elastic_document *document, const struct ps_header *header)
{
    bool is_one = document->time != NULL && is_named(header, document->time);
    for (size_t i = 0; i < document->field_count && !is_one; i++)
        is_one = is_named(header, document->fields[i].name);
    return is_one;
}

static char *put_other_headers(char *to, const struct members *members, const struct ps_batch *batch,
                               const struct ps_event *event)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (is_field(members->document, header) ||
            !is_free(members, header->name->text, header->name->length))
            continue;
        to = put_name(to, header->name->text, header->name->length);
        to = ps_json_quoted_put(to, header->value, header->value_length);
        *to++ = ',';
    }
    return to;
}

/* What the body's object has stands first, and nothing that it has is added. */
static char *put_object(char *to, const struct ps_elastic_document *document, struct ps_elastic_cache *cache,
                        const struct ps_batch *batch, const struct ps_event *event, const struct ps_now *now)
{
    struct members members = {.document = document};
    members.has_body = !ps_json_is_object(event->body, event->body_length, &members.inside);
    *to++ = '{';
    if (members.has_body)
        to = ps_json_quoted_put(put_name(to, document->body, strlen(document->body)), event->body,
                                event->body_length);
    else
        to = put_json(to, members.inside.data, members.inside.length);
    if (to[-1] != '{')
        *to++ = ',';
    if (document->time != NULL && is_free(&members, document->time, strlen(document->time))) {
        to = put_name(to, document->time, strlen(document->time));
        to = put_time(to, cache, ps_elastic_time_of(batch, event, now).ms);
        *to++ = ',';
        members.has_time = true;
    }
    to = put_fields(to, &members, &cache->escapes, batch, event, now);
    if (document->all_headers)
        to = put_other_headers(to, &members, batch, event);
    to -= to[-1] == ',';
    *to++ = '}';
    return to;
}

size_t ps_elastic_document_bound(const struct ps_elastic_document *document, const struct ps_batch *batch,
                                 const struct ps_event *event)
{
    bool is_object = document->form == PS_ELASTIC_JSON;
    size_t bytes = LOGSTASH_BYTES + TIME_BYTES + ps_json_string_bound(event->body, event->body_length);
    if (is_object) {
        bytes += ps_json_string_bound(document->body, strlen(document->body)) + SEPARATORS;
        bytes += document->time != NULL
                     ? ps_json_string_bound(document->time, strlen(document->time)) + SEPARATORS
                     : 0;
        for (size_t i = 0; i < document->field_count; i++)
            bytes += ps_json_string_bound(document->fields[i].name, strlen(document->fields[i].name)) +
                     SEPARATORS + 9 * PS_ELASTIC_FIELD_BYTES;
    }
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((!is_object || document->all_headers) && (header = ps_headers_next(&cursor)) != NULL) {
        size_t value = ps_json_string_bound(header->value, header->value_length);
        /* of the form LOGSTASH four may stand there twice */
        bytes += 2 * SEPARATORS + ps_json_string_bound(header->name->text, header->name->length) + 2 * value +
                 SEPARATORS;
    }
    return bytes;
}

char *ps_elastic_document_put(const struct ps_elastic_document *document, struct ps_elastic_cache *cache,
                              const struct ps_batch *batch, const struct ps_event *event,
                              const struct ps_now *now, char *to)
{
    switch (document->form) {
    case PS_ELASTIC_LOGSTASH:
        return put_logstash(to, cache, batch, event);
    case PS_ELASTIC_DYNAMIC:
        return put_dynamic(to, batch, event);
    case PS_ELASTIC_JSON:
        break;
    }
    return put_object(to, document, cache, batch, event, now);
}
