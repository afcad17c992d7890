/* See escape.h. */
#include "stages/lib/text/escape.h"
#include "core/flow/limits.h"
#include "stages/lib/text/java/long.h"

#include "stages/lib/local_host.h"
#include "stages/lib/date/calendar.h"
#include "stages/lib/date/time_zone.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum op_kind { OP_TEXT, OP_HEADER, OP_MILLIS, OP_TIME, OP_NOTHING };

struct op {
    enum op_kind kind;
    char letter; /* OP_TIME */
    const char *text;
    uint32_t length;
    const struct ps_name *name;
};

struct ps_escape {
    size_t op_count;
    struct op ops[PS_ESCAPE_OPS_MAX];
    bool needs_time; /* the pattern has some %x */
    struct ps_escape_options options;
    const struct ps_time_zone *zone;
    const struct ps_name *timestamp;
};

/* ---- compiling: %(\w|%) | %\{[\w.-]+\} | %\[\w+\] ---- */

#define TIME_LETTERS "aAbBcdeDHIjklmMnpsSyYz%" /* and t */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Returns the length of the escape at `at` (which points to a '%'), or 0 when it is not an escape. */
static size_t escape_length(const char *at)
{
    if (is_word(at[1]) || at[1] == '%')
        return 2;
    if (at[1] != '{' && at[1] != '[')
        return 0;
    size_t end = 2;
    while (is_word(at[end]) || (at[1] == '{' && (at[end] == '.' || at[end] == '-')))
        end++;
    return end > 2 && at[end] == (at[1] == '{' ? '}' : ']') ? end + 1 : 0;
}

static struct op *op_add(struct ps_escape *escape, enum op_kind kind)
{
    if (escape->op_count == PS_ESCAPE_OPS_MAX)
        return NULL;
    struct op *op = &escape->ops[escape->op_count++];
    op->kind = kind;
    return op;
}

/* Adds literal text; joins it with literal text directly before it. */
static bool text_add(struct ps_arena *arena, struct ps_escape *escape, const char *text, size_t length)
{
    if (length == 0)
        return true;
    struct op *last = escape->op_count > 0 ? &escape->ops[escape->op_count - 1] : NULL;
    if (last != NULL && last->kind == OP_TEXT) {
        last->text = ps_arena_format(arena, "%s%.*s", last->text, (int)length, text);
        last->length += (uint32_t)length;
        return true;
    }
    struct op *op = op_add(escape, OP_TEXT);
    if (op == NULL)
        return false;
    op->text = ps_arena_copy(arena, text, length);
    op->length = (uint32_t)length;
    return true;
}

static bool host_add(struct ps_arena *arena, struct ps_escape *escape, const char *name, size_t length,
                     struct ps_err *err)
{
    struct ps_local_host host;
    size_t field =
        length == 9 && strncasecmp(name, "localhost", 9) == 0 ? offsetof(struct ps_local_host, name)
        : length == 2 && strncasecmp(name, "ip", 2) == 0      ? offsetof(struct ps_local_host, address)
        : length == 4 && strncasecmp(name, "fqdn", 4) == 0    ? offsetof(struct ps_local_host, canonical)
                                                              : SIZE_MAX;
    if (field == SIZE_MAX) {
        ps_err_set(err, "%%[%.*s] is not one of %%[localhost], %%[IP], %%[FQDN]", (int)length, name);
        return false;
    }
    if (ps_local_host_find(&host, err) != PS_OK)
        return false;
    const char *text = (const char *)&host + field;
    return text_add(arena, escape, text, strlen(text));
}

static bool escape_add(struct ps_arena *arena, struct ps_escape *escape, const char *at, size_t length,
                       struct ps_err *err)
{
    if (at[1] == '[')
        return host_add(arena, escape, at + 2, length - 3, err);
    if (at[1] == '{' && length - 3 > PS_HEADER_NAME_BYTES_MAX) {
        ps_err_set(err, "%%{..} has a name of %zu bytes; the name of a header has at most %u", length - 3,
                   PS_HEADER_NAME_BYTES_MAX);
        return false;
    }
    enum op_kind kind = OP_NOTHING;
    if (at[1] == '{')
        kind = OP_HEADER;
    else if (at[1] == 't')
        kind = OP_MILLIS;
    else if (strchr(TIME_LETTERS, at[1]) != NULL)
        kind = OP_TIME;
    struct op *op = op_add(escape, kind);
    if (op == NULL)
        return false;
    op->letter = at[1];
    if (kind == OP_HEADER)
        op->name = ps_name_intern_bytes(at + 2, length - 3);
    else
        escape->needs_time = true;
    return true;
}

bool ps_escape_find_unit(const char *word, enum ps_escape_unit *unit)
{
    static const char *const words[] = {
        [PS_ESCAPE_SECOND] = "second", [PS_ESCAPE_MINUTE] = "minute", [PS_ESCAPE_HOUR] = "hour"};
    for (unsigned i = 0; i < PS_COUNT_OF(words); i++) {
        if (strcasecmp(word, words[i]) == 0) {
            *unit = (enum ps_escape_unit)i;
            return true;
        }
    }
    return false;
}

void ps_escape_check_zone(const struct ps_context *context, const char *key, const char *time_zone)
{
    bool known = true;
    if (time_zone != NULL)
        (void)ps_time_zone_load(context->arena, time_zone, &known);
    if (!known)
        ps_report(
            context, PS_LOG_WARN, key,
            "\"%s\" is not a time zone: GMT is used, as Java does; write a name as Europe/Berlin, or GMT+2",
            time_zone);
}

void ps_escape_check(const struct ps_context *context, const char *key, const char *pattern)
{
    for (const char *at = strchr(pattern, '%'); at != NULL; at = strchr(at, '%')) {
        size_t length = escape_length(at);
        if (length == 2 && at[1] != 't' && strchr(TIME_LETTERS, at[1]) == NULL)
            ps_report(
                context, PS_LOG_WARN, key,
                "%%%c is not an escape of Flume: nothing is written for it; write the text without %%, a "
                "header as %%{NAME}, or a time as %%Y-%%m-%%d/%%H",
                at[1]);
        else if (length == 0 && (at[1] == '{' || at[1] == '['))
            ps_report(context, PS_LOG_WARN, key,
                      "%.20s is not an escape: it is written as it stands; a header is %%{NAME}, its name of "
                      "letters, digits, _, - and .",
                      at);
        at += length > 0 ? length : 1;
    }
}

bool ps_escape_writes(const char *pattern, char character)
{
    while (*pattern != '\0') {
        size_t length = *pattern == '%' ? escape_length(pattern) : 0;
        if (length == 2 && character == ':' && pattern[1] == 'c')
            return true;
        if (length == 0 && *pattern == character)
            return true;
        pattern += length > 0 ? length : 1;
    }
    return false;
}

const struct ps_escape *ps_escape_compile(struct ps_arena *arena, const char *pattern,
                                          const struct ps_escape_options *options, struct ps_err *err)
{
    struct ps_escape *escape = ps_arena_alloc(arena, sizeof *escape);
    if (options != NULL)
        escape->options = *options;
    if (escape->options.value <= 0)
        escape->options.value = 1;
    int64_t most = escape->options.unit == PS_ESCAPE_HOUR ? 24 : 60;
    if (escape->options.round && escape->options.value > most) {
        ps_err_set(err, "times cannot be rounded to %lld, only to 1 to %lld",
                   (long long)escape->options.value, (long long)most);
        return NULL;
    }
    bool known; /* if not known, the zone is GMT, and ps_escape_check_zone reports that */
    escape->zone = ps_time_zone_load(arena, escape->options.time_zone, &known);
    escape->timestamp = ps_name_intern("timestamp");
    const char *text = pattern;
    for (const char *at = pattern; *at != '\0';) {
        size_t length = *at == '%' ? escape_length(at) : 0;
        if (length == 0) {
            at++;
            continue;
        }
        err->length = 0;
        if (!text_add(arena, escape, text, (size_t)(at - text)) ||
            !escape_add(arena, escape, at, length, err)) {
            if (err->length == 0)
                ps_err_set(err, "more than %u escapes in \"%s\"", PS_ESCAPE_OPS_MAX, pattern);
            return NULL;
        }
        at += length;
        text = at;
    }
    if (!text_add(arena, escape, text, strlen(text))) {
        ps_err_set(err, "more than %u escapes in \"%s\"", PS_ESCAPE_OPS_MAX, pattern);
        return NULL;
    }
    return escape;
}

const char *ps_escape_constant(const struct ps_escape *escape)
{
    if (escape->op_count == 0)
        return "";
    return escape->op_count == 1 && escape->ops[0].kind == OP_TEXT ? escape->ops[0].text : NULL;
}

/* ---- times ---- */

/* Prints one %x escape of Flume's table, at most 64 bytes. Returns its length. */
static uint32_t time_print(char letter, const struct ps_civil *civil, int64_t second, int32_t offset,
                           char *out)
{
    unsigned hour12 = civil->hour % 12 == 0 ? 12 : civil->hour % 12;
    const char *day = ps_day_names[(civil->week_day + 6) % 7], *month = ps_month_names[civil->month - 1];
    unsigned minutes = (unsigned)(offset < 0 ? -offset : offset) / 60;
    long long year = civil->year;
    int length = 0;
    switch (letter) {
    case '%':
        length = sprintf(out, "%%");
        break;
    case 'a':
        length = sprintf(out, "%.3s", day);
        break;
    case 'A':
        length = sprintf(out, "%s", day);
        break;
    case 'b':
        length = sprintf(out, "%.3s", month);
        break;
    case 'B':
        length = sprintf(out, "%s", month);
        break;
    case 'c':
        length = sprintf(out, "%.3s %.3s %u %02u:%02u:%02u %04lld", day, month, civil->day, civil->hour,
                         civil->minute, civil->second, year);
        break;
    case 'd':
        length = sprintf(out, "%02u", civil->day);
        break;
    case 'e':
        length = sprintf(out, "%u", civil->day);
        break;
    case 'D':
        length = sprintf(out, "%02u/%02u/%02lld", civil->month, civil->day, year % 100);
        break;
    case 'H':
        length = sprintf(out, "%02u", civil->hour);
        break;
    case 'I':
        length = sprintf(out, "%02u", hour12);
        break;
    case 'j':
        length = sprintf(out, "%03u", civil->year_day);
        break;
    case 'k':
        length = sprintf(out, "%u", civil->hour);
        break;
    case 'l':
        length = sprintf(out, "%u", hour12);
        break;
    case 'm':
        length = sprintf(out, "%02u", civil->month);
        break;
    case 'n':
        length = sprintf(out, "%u", civil->month);
        break;
    case 'M':
        length = sprintf(out, "%02u", civil->minute);
        break;
    case 'p':
        length = sprintf(out, "%s", civil->hour < 12 ? "AM" : "PM");
        break;
    case 's':
        length = sprintf(out, "%lld", (long long)second);
        break;
    case 'S':
        length = sprintf(out, "%02u", civil->second);
        break;
    case 'y':
        length = sprintf(out, "%02lld", year % 100);
        break;
    case 'Y':
        length = sprintf(out, "%04lld", year);
        break;
    case 'z':
        length = sprintf(out, "%c%02u%02u", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
        break;
    default:
        break;
    }
    return (uint32_t)length;
}

/* Rounds down to a multiple of `value` seconds, minutes or hours of the wall clock
 * (TimestampRoundDownUtil). */
static int64_t round_down(const struct ps_escape *escape, int64_t second)
{
    int64_t wall = second + ps_time_zone_offset(escape->zone, second);
    struct ps_civil civil;
    ps_civil_from_wall(wall, &civil);
    int64_t value = escape->options.value;
    switch (escape->options.unit) {
    case PS_ESCAPE_SECOND:
        wall -= civil.second % value;
        break;
    case PS_ESCAPE_MINUTE:
        wall -= civil.minute % value * 60 + civil.second;
        break;
    case PS_ESCAPE_HOUR:
        wall -= civil.hour % value * 3600 + civil.minute * 60 + civil.second;
        break;
    }
    return ps_time_zone_from_wall(escape->zone, wall);
}

/* Renders all times of the pattern for this second. Returns false when they do not fit, which cannot happen
 * for a year below 10^9. */
static bool cache_fill(const struct ps_escape *escape, struct ps_escape_cache *cache, int64_t raw_second,
                       int64_t millis)
{
    cache->valid = false;
    cache->raw_second = raw_second;
    cache->second = escape->options.round ? round_down(escape, raw_second) : raw_second;
    int32_t offset = ps_time_zone_offset(escape->zone, cache->second);
    struct ps_civil civil;
    ps_civil_from_wall(cache->second + offset, &civil);
    /* Flume divides for %s, so it rounds toward zero, also before 1970. */
    int64_t unix_seconds = escape->options.round ? cache->second : millis / 1000;
    uint32_t used = 0;
    for (size_t i = 0; i < escape->op_count; i++) {
        if (escape->ops[i].kind != OP_TIME)
            continue;
        if (used + 64 > sizeof cache->text)
            return false;
        cache->offsets[i] = (uint16_t)used;
        cache->lengths[i] =
            (uint16_t)time_print(escape->ops[i].letter, &civil, unix_seconds, offset, cache->text + used);
        used += cache->lengths[i];
    }
    cache->valid = millis >= 0; /* not cached before 1970: %s changes within a second there */
    return true;
}

/* ---- expanding ---- */

#define MILLIS_MAX INT64_C(30000000000000000) /* about the year 950,000 */
#define MILLIS_MIN INT64_C(-62135596800000)   /* the year 1 */

static enum ps_escape_result time_find(const struct ps_escape *escape, struct ps_escape_cache *cache,
                                       const struct ps_batch *batch, const struct ps_event *event,
                                       const struct ps_now *now, struct ps_slice *header, char *digits)
{
    int64_t millis = now->wall_ms;
    if (escape->options.local_time)
        *header = (struct ps_slice){digits, (uint32_t)sprintf(digits, "%lld", (long long)millis)};
    else if (!ps_event_header(batch, event, escape->timestamp, header))
        return PS_ESCAPE_NO_TIMESTAMP;
    else if (!ps_java_long_read(header, &millis))
        return PS_ESCAPE_BAD_TIMESTAMP;
    if (millis > MILLIS_MAX || millis < MILLIS_MIN || (escape->options.round && millis <= 0))
        return PS_ESCAPE_BAD_TIMESTAMP;
    int64_t second = millis / 1000 - (millis % 1000 < 0);
    if ((!cache->valid || cache->raw_second != second) && !cache_fill(escape, cache, second, millis))
        return PS_ESCAPE_TOO_LONG;
    return PS_ESCAPE_OK;
}

enum ps_escape_result ps_escape_expand(const struct ps_escape *escape, struct ps_escape_cache *cache,
                                       const struct ps_batch *batch, const struct ps_event *event,
                                       const struct ps_now *now, char *out, uint32_t room, uint32_t *length)
{
    struct ps_slice timestamp = {NULL, 0};
    char digits[24];
    if (escape->needs_time) {
        enum ps_escape_result result = time_find(escape, cache, batch, event, now, &timestamp, digits);
        if (result != PS_ESCAPE_OK)
            return result;
    }
    uint32_t used = 0;
    for (size_t i = 0; i < escape->op_count; i++) {
        const struct op *op = &escape->ops[i];
        struct ps_slice piece = {op->text, op->length};
        if (op->kind == OP_HEADER && !ps_event_header(batch, event, op->name, &piece))
            continue;
        if (op->kind == OP_MILLIS)
            piece = timestamp;
        else if (op->kind == OP_TIME)
            piece = (struct ps_slice){cache->text + cache->offsets[i], cache->lengths[i]};
        if (piece.length > room - used)
            return PS_ESCAPE_TOO_LONG;
        if (piece.length > 0)
            memcpy(out + used, piece.data, piece.length);
        used += piece.length;
    }
    *length = used;
    return PS_ESCAPE_OK;
}
