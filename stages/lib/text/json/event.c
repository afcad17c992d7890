#include "stages/lib/text/json/event.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/text/utf8.h"
#include "stages/lib/date/calendar.h"
#include "stages/lib/text/json/text.h"
#include "stages/lib/text/json/value.h"

#define TIME_BYTES 32U
#define SEPARATORS 8U /* quotation marks, colon, comma, brackets of a member */
#define MEMBER_MAX (PS_JSON_TEXT_GROWTH * PS_JSON_MEMBER_BYTES_MAX + SEPARATORS)
#define SECONDS_MAX INT64_C(253402300799) /* the last one of the year 9999: RFC 3339 has four digits */
#define SECONDS_MIN INT64_C(-62167219200) /* the first one of the year 0 */

/* ---- configuration ---- */

static bool check_member(const char *key, const char *name, const struct ps_context *context)
{
    size_t length = strlen(name);
    if (length > 0 && length <= PS_JSON_MEMBER_BYTES_MAX && ps_utf8_valid_length(name, length) == length)
        return true;
    ps_report(context, PS_LOG_ERROR, key, "a member's name has 1 to %u bytes of UTF-8",
              PS_JSON_MEMBER_BYTES_MAX);
    return false;
}

/* Returns the name of the object with the headers; NULL: there is none. */
static const char *nest_of(const struct ps_event_json *json)
{
    if (json->nested == NULL || strcasecmp(json->nested, "false") == 0)
        return NULL;
    return strcasecmp(json->nested, "true") == 0 ? "headers" : json->nested;
}

/* Returns the key of the body or of the time, if it gives them this name beside the headers; NULL if neither does. */
static const char *beside(const struct ps_event_json *json, const char *name)
{
    if (nest_of(json) != NULL)
        return NULL;
    if (strcmp(name, json->body) == 0)
        return "json.body";
    return json->timestamp != NULL && strcmp(name, json->timestamp) == 0 ? "json.timestamp" : NULL;
}

static bool check_renames(const struct ps_event_json *json, const struct ps_context *context)
{
    bool good = true;
    for (size_t i = 0; i < json->rename.count; i++) {
        const struct ps_pair *pair = &json->rename.items[i];
        const char *key = ps_arena_format(context->arena, "json.rename.%s", pair->key);
        good &= check_member(key, pair->value, context);
        const char *other = beside(json, pair->value);
        if (other != NULL)
            ps_report(context, PS_LOG_ERROR, key,
                      "%s gives another member this name: write another one, or set json.nested", other);
        good &= other == NULL;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(pair->value, json->rename.items[k].value) != 0)
                continue;
            ps_report(context, PS_LOG_ERROR, key, "json.rename.%s gives another header this name",
                      json->rename.items[k].key);
            good = false;
        }
    }
    return good;
}

enum ps_status ps_json_event_check(const struct ps_event_json *json, const struct ps_context *context)
{
    const char *nest = nest_of(json);
    bool good = check_member("json.body", json->body, context);
    good &= check_renames(json, context); /* each problem is reported */
    if (json->timestamp != NULL)
        good &= check_member("json.timestamp", json->timestamp, context);
    if (nest != NULL)
        good &= check_member("json.nested", nest, context);
    bool same = (json->timestamp != NULL && strcmp(json->timestamp, json->body) == 0) ||
                (nest != NULL && (strcmp(nest, json->body) == 0 ||
                                  (json->timestamp != NULL && strcmp(nest, json->timestamp) == 0)));
    if (same)
        ps_report(context, PS_LOG_ERROR, "json.body",
                  "json.body, json.timestamp and json.nested name one member");
    return good && !same ? PS_OK : PS_FAIL;
}

void ps_json_event_build(struct ps_event_json *json, struct ps_context *context)
{
    static const char blanks[] = " \t,";
    json->nest = nest_of(json);
    json->all = strcasecmp(json->headers, "all") == 0;
    json->timestamp_header = ps_name_intern("timestamp");
    json->chosen = ps_arena_alloc(context->arena, (strlen(json->headers) + 1) * sizeof *json->chosen);
    bool none = json->all || strcasecmp(json->headers, "none") == 0;
    for (const char *at = json->headers; !none && *(at += strspn(at, blanks)) != '\0';) {
        size_t length = strcspn(at, blanks);
        json->chosen[json->chosen_count++] = ps_name_intern(ps_arena_copy(context->arena, at, length));
        at += length;
    }
    json->renames = ps_arena_alloc(context->arena, (json->rename.count + 1) * sizeof *json->renames);
    for (size_t i = 0; i < json->rename.count; i++)
        json->renames[json->rename_count++] =
            (struct ps_json_event_rename){.from = ps_name_intern(json->rename.items[i].key),
                                          .to = json->rename.items[i].value,
                                          .to_length = (uint32_t)strlen(json->rename.items[i].value)};
}

enum ps_status ps_json_event_of_sink(const char *type, const struct ps_pairs *keys,
                                     struct ps_context *context, const struct ps_event_json **json,
                                     struct ps_err *err)
{
    void *plan = NULL;
    *json = NULL;
    if (type == NULL)
        return PS_OK;
    if (strcasecmp(type, "json") != 0) {
        if (context->report != NULL)
            ps_report(context, PS_LOG_ERROR, "serializer", "%s is not supported by this sink; write json",
                      type);
        return ps_err_set(err, "serializer %s is not supported by this sink; write json", type);
    }
    if (context->sub_stage(context, PS_KIND_SERIALIZER, type, keys, &plan, err) == NULL)
        return PS_FAIL;
    *json = plan;
    return PS_OK;
}

/* ---- events ---- */

static bool is_name(const char *text, const char *name, uint32_t length)
{
    return text != NULL && strlen(text) == length && memcmp(text, name, length) == 0;
}

static const struct ps_json_event_rename *rename_of(const struct ps_event_json *json,
                                                    const struct ps_name *name)
{
    for (size_t i = 0; i < json->rename_count; i++) {
        if (json->renames[i].from == name ||
            (json->renames[i].from->length == name->length &&
             memcmp(json->renames[i].from->text, name->text, name->length) == 0))
            return &json->renames[i];
    }
    return NULL;
}

static bool is_chosen(const struct ps_event_json *json, const struct ps_name *name)
{
    if (json->all)
        return true;
    for (size_t i = 0; i < json->chosen_count; i++) {
        if (json->chosen[i]->length == name->length &&
            memcmp(json->chosen[i]->text, name->text, name->length) == 0)
            return true;
    }
    return false;
}

static const struct ps_header *find_header(const struct ps_batch *batch, const struct ps_event *event,
                                           const struct ps_name *name)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (header->name == name || (header->name->length == name->length &&
                                     memcmp(header->name->text, name->text, name->length) == 0))
            return header;
    }
    return NULL;
}

/* Returns whether another header of the event is renamed to this name. */
static bool is_taken(const struct ps_event_json *json, const struct ps_batch *batch,
                     const struct ps_event *event, const struct ps_name *name)
{
    for (size_t i = 0; i < json->rename_count; i++) {
        const struct ps_json_event_rename *rename = &json->renames[i];
        if (rename->to_length == name->length && memcmp(rename->to, name->text, name->length) == 0 &&
            is_chosen(json, rename->from) && find_header(batch, event, rename->from) != NULL)
            return true;
    }
    return false;
}

/* Writes the value of the header `timestamp`, milliseconds, as RFC 3339 in UTC. Returns 0 if it is no time that
 * RFC 3339 can write. */
static size_t put_time(const struct ps_event_json *json, const struct ps_batch *batch,
                       const struct ps_event *event, char to[TIME_BYTES])
{
    const struct ps_header *header = find_header(batch, event, json->timestamp_header);
    char text[24], *end;
    if (header == NULL || header->value_length == 0 || header->value_length >= sizeof text)
        return 0;
    memcpy(text, header->value, header->value_length);
    text[header->value_length] = '\0';
    long long ms = strtoll(text, &end, 10);
    int64_t second = ms / 1000 - (ms % 1000 < 0);
    if (*end != '\0' || end == text || second < SECONDS_MIN || second > SECONDS_MAX)
        return 0;
    struct ps_civil civil;
    ps_civil_from_wall(second, &civil);
    return (size_t)snprintf(to, TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)civil.year,
                            (int)civil.month, (int)civil.day, (int)civil.hour, (int)civil.minute,
                            (int)civil.second, (int)(ms - second * 1000));
}

static char *put_member(char *to, const char *name, size_t name_length, const char *value, size_t length)
{
    *to++ = '"';
    to = ps_json_string_put(to, name, name_length);
    memcpy(to, "\":\"", 3);
    to = ps_json_string_put(to + 3, value, length);
    memcpy(to, "\",", 2);
    return to + 2;
}

/* Returns the name that the header has in the object; NULL: it is not in it. */
static const char *member_of(const struct ps_event_json *json, const struct ps_batch *batch,
                             const struct ps_event *event, const struct ps_header *header, bool has_time,
                             uint32_t *length)
{
    if (!is_chosen(json, header->name))
        return NULL;
    const struct ps_json_event_rename *rename = rename_of(json, header->name);
    const char *name = rename != NULL ? rename->to : header->name->text;
    *length = rename != NULL ? rename->to_length : header->name->length;
    if (rename == NULL && is_taken(json, batch, event, header->name))
        return NULL;
    if (json->nest == NULL &&
        (is_name(json->body, name, *length) || (has_time && is_name(json->timestamp, name, *length))))
        return NULL;
    return name;
}

static char *put_headers(const struct ps_event_json *json, const struct ps_batch *batch,
                         const struct ps_event *event, bool has_time, char *to)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        uint32_t length;
        const char *name = member_of(json, batch, event, header, has_time, &length);
        if (name != NULL)
            to = put_member(to, name, length, header->value, header->value_length);
    }
    return to;
}

size_t ps_json_event_bound(const struct ps_event_json *json, const struct ps_batch *batch,
                           const struct ps_event *event)
{
    size_t bytes =
        3 * MEMBER_MAX + TIME_BYTES + SEPARATORS + ps_json_string_bound(event->body, event->body_length);
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (json != NULL && !is_chosen(json, header->name))
            continue;
        bool renamed = json == NULL || rename_of(json, header->name) != NULL;
        bytes += SEPARATORS + ps_json_string_bound(header->name->text, header->name->length) +
                 ps_json_string_bound(header->value, header->value_length) + (renamed ? MEMBER_MAX : 0);
    }
    return bytes;
}

size_t ps_json_event_write(const struct ps_event_json *json, const struct ps_batch *batch,
                           const struct ps_event *event, char *start)
{
    char time[TIME_BYTES], *to = start;
    size_t time_length = json->timestamp != NULL ? put_time(json, batch, event, time) : 0;
    *to++ = '{';
    if (time_length > 0)
        to = put_member(to, json->timestamp, strlen(json->timestamp), time, time_length);
    to = put_member(to, json->body, strlen(json->body), event->body, event->body_length);
    if (json->nest != NULL) {
        *to++ = '"';
        to = ps_json_string_put(to, json->nest, strlen(json->nest));
        memcpy(to, "\":{", 3);
        to += 3;
    }
    to = put_headers(json, batch, event, time_length > 0, to);
    if (to[-1] == ',')
        to--;
    if (json->nest != NULL)
        *to++ = '}';
    *to++ = '}';
    return (size_t)(to - start);
}
