#include "stages/lib/date/java.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stages/lib/date/calendar.h"

#define ITEMS_MAX 64

struct item {
    char letter; /* 0: literal `text` */
    unsigned count;
    bool adjacent; /* another number follows directly: this number has exactly `count` digits */
    char text;
};

struct ps_java_date {
    struct item items[ITEMS_MAX];
    size_t count;
};

static bool is_numeric(const struct item *item)
{
    return item->letter != '\0' && strchr("ydDHkhKmsS", item->letter) != NULL
               ? true
               : (item->letter == 'M' || item->letter == 'L') && item->count <= 2;
}

static enum ps_status check_letter(const char *pattern, char letter, struct ps_err *err)
{
    if (strchr("yMLdDHkhKmsSaEzZX", letter) != NULL)
        return PS_OK;
    if (strchr("GYwWFu", letter) != NULL)
        return ps_err_set(err, "date pattern \"%s\": the letter %c is not supported", pattern, letter);
    return ps_err_set(err, "date pattern \"%s\": %c is not a pattern letter (put text between ' marks)",
                      pattern, letter);
}

struct ps_java_date *ps_java_date_create(const char *pattern, struct ps_err *err)
{
    struct ps_java_date *date = ps_must_alloc(1, sizeof *date, "a date format");
    bool quoted = false;
    for (const char *p = pattern; *p != '\0'; p++) {
        if (date->count == ITEMS_MAX) {
            ps_err_set(err, "date pattern \"%s\" is too long", pattern);
            goto failed;
        }
        struct item *item = &date->items[date->count];
        if (*p == '\'' && p[1] == '\'') {
            *item = (struct item){.text = *p++};
        } else if (*p == '\'') {
            quoted = !quoted;
            continue;
        } else if (!quoted && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))) {
            if (check_letter(pattern, *p, err) != PS_OK)
                goto failed;
            *item = (struct item){.letter = *p, .count = 1};
            while (p[1] == *p) {
                item->count++;
                p++;
            }
        } else {
            *item = (struct item){.text = *p};
        }
        date->count++;
    }
    if (quoted) {
        ps_err_set(err, "date pattern \"%s\": a ' mark is not closed", pattern);
        goto failed;
    }
    for (size_t i = 0; i + 1 < date->count; i++)
        date->items[i].adjacent = is_numeric(&date->items[i]) && is_numeric(&date->items[i + 1]);
    return date;
failed:
    free(date);
    return NULL;
}

void ps_java_date_destroy(struct ps_java_date *date)
{
    free(date);
}

struct reader {
    const char *p, *end;
    int64_t year, month, day, day_of_year, hour, minute, second, ms, offset_s;
    int half; /* 0: AM, 1: PM, -1: the text has neither */
    bool has_day_of_year, twelve, has_offset;
};

static bool read_number(struct reader *r, unsigned digits_max, int64_t *value, unsigned *digits)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t'))
        r->p++;
    bool negative = digits_max == 0 && r->end - r->p >= 2 && *r->p == '-';
    const char *q = r->p + negative;
    *value = 0;
    *digits = 0;
    while (q < r->end && *q >= '0' && *q <= '9' && *digits < (digits_max > 0 ? digits_max : 9)) {
        *value = *value * 10 + (*q++ - '0');
        ++*digits;
    }
    if (*digits == 0 || (digits_max > 0 && *digits < digits_max))
        return false;
    if (negative)
        *value = -*value;
    r->p = q;
    return true;
}

static bool read_word(struct reader *r, const char *const *words, int count, int *which)
{
    int best = -1;
    size_t longest = 0;
    for (int i = 0; i < count; i++) {
        size_t length = strlen(words[i]);
        if (length > longest && (size_t)(r->end - r->p) >= length &&
            strncasecmp(r->p, words[i], length) == 0) {
            best = i;
            longest = length;
        }
    }
    if (best < 0)
        return false;
    *which = best;
    r->p += longest;
    return true;
}

static const char *const halves[] = {"AM", "PM"};
static const char *const zones[] = {"GMT", "UTC", "UT"};

/* Reads "+hhmm" or, with `colon`, also "+hh:mm"; hours below 24, minutes below 60. */
static bool read_offset(struct reader *r, bool colon)
{
    if (r->p == r->end || (*r->p != '+' && *r->p != '-'))
        return false;
    bool negative = *r->p == '-';
    const char *q = r->p + 1;
    int64_t parts[2] = {0, 0};
    for (int part = 0; part < 2; part++) {
        if (part == 1 && colon && q < r->end && *q == ':')
            q++;
        for (int i = 0; i < 2; i++) {
            if (q == r->end || *q < '0' || *q > '9')
                return false;
            parts[part] = parts[part] * 10 + (*q++ - '0');
        }
    }
    if (parts[0] > 23 || parts[1] > 59)
        return false;
    r->offset_s = (parts[0] * 60 + parts[1]) * 60 * (negative ? -1 : 1);
    r->has_offset = true;
    r->p = q;
    return true;
}

static bool read_zone(struct reader *r, const struct item *item)
{
    int which;
    if (item->letter == 'X') {
        if (r->p < r->end && *r->p == 'Z') {
            r->p++;
            r->has_offset = true;
            return true;
        }
        if (item->count == 1) {
            int64_t hours;
            unsigned digits;
            if (r->end - r->p < 3 || (*r->p != '+' && *r->p != '-'))
                return false;
            bool negative = *r->p++ == '-';
            r->has_offset = read_number(r, 2, &hours, &digits) && hours <= 23;
            r->offset_s = hours * 3600 * (negative ? -1 : 1);
            return r->has_offset;
        }
        return read_offset(r, item->count == 3);
    }
    if (read_word(r, zones, PS_COUNT_OF(zones), &which)) {
        r->has_offset = true;
        (void)read_offset(r, true);
        return true;
    }
    return read_offset(r, false);
}

/* Expands a two-digit year to a year from 80 years before to 20 years after now. */
static int64_t expand_year(int64_t year, int64_t now_ms)
{
    struct ps_civil now;
    ps_civil_from_wall(now_ms / 1000, &now);
    int64_t start = now.year - 80;
    int64_t full = start - start % 100 + year;
    return full < start ? full + 100 : full;
}

static bool read_item(struct reader *r, const struct item *item, int64_t now_ms)
{
    int64_t value = 0;
    unsigned digits = 0;
    int which;
    if (item->letter == '\0') {
        if (r->p == r->end || *r->p != item->text)
            return false;
        r->p++;
        return true;
    }
    if (is_numeric(item) && !read_number(r, item->adjacent ? item->count : 0, &value, &digits))
        return false;
    switch (item->letter) {
    case 'y':
        r->year = item->count <= 2 && digits == 2 && value >= 0 ? expand_year(value, now_ms) : value;
        return true;
    case 'M':
    case 'L':
        if (item->count > 2) {
            if (!read_word(r, ps_month_names, PS_COUNT_OF(ps_month_names), &which))
                return false;
            value = which % 12 + 1;
        }
        r->month = value - 1;
        return true;
    case 'd':
        r->day = value;
        r->has_day_of_year = false;
        return true;
    case 'D':
        r->day_of_year = value;
        r->has_day_of_year = true;
        return true;
    case 'H':
        r->hour = value;
        r->twelve = false;
        return true;
    case 'k':
        r->hour = value == 24 ? 0 : value;
        r->twelve = false;
        return true;
    case 'h':
    case 'K':
        r->hour = item->letter == 'h' && value == 12 ? 0 : value;
        r->twelve = true;
        return true;
    case 'm':
        r->minute = value;
        return true;
    case 's':
        r->second = value;
        return true;
    case 'S':
        r->ms = value;
        return true;
    case 'a':
        return read_word(r, halves, PS_COUNT_OF(halves), &r->half);
    case 'E':
        return read_word(r, ps_day_names, PS_COUNT_OF(ps_day_names), &which);
    default:
        return read_zone(r, item);
    }
}

bool ps_java_date_parse(const struct ps_java_date *date, const struct ps_time_zone *zone, int64_t now_ms,
                        const char *text, size_t length, int64_t *ms)
{
    struct reader r = {.p = text, .end = text + length, .year = 1970, .day = 1, .half = -1};
    for (size_t i = 0; i < date->count; i++) {
        if (!read_item(&r, &date->items[i], now_ms))
            return false;
    }
    if (r.twelve && r.half == 1)
        r.hour += 12;
    int64_t days_since = r.has_day_of_year ? ps_days_from_java(r.year, 0, 1) + r.day_of_year - 1
                                           : ps_days_from_java(r.year, r.month, 1) + r.day - 1;
    int64_t wall = days_since * 86400 + r.hour * 3600 + r.minute * 60 + r.second;
    *ms = (r.has_offset ? wall - r.offset_s : ps_time_zone_from_wall(zone, wall)) * 1000 + r.ms;
    return true;
}
