#include "stages/lib/syslog/time.h"

#include <string.h>

#define DAY_S INT64_C(86400)

static struct ps_civil local_fields(const struct ps_syslog_time *time, int64_t utc_s)
{
    struct ps_civil fields;
    ps_civil_from_wall(utc_s + ps_time_zone_offset(time->zone, utc_s), &fields);
    return fields;
}

void ps_syslog_time_init(struct ps_syslog_time *time, const struct ps_time_zone *zone)
{
    *time = (struct ps_syslog_time){.zone = zone, .now_s = INT64_MIN};
}

void ps_syslog_time_now(struct ps_syslog_time *time, int64_t wall_ms)
{
    int64_t seconds = ps_floor_div(wall_ms, 1000);
    time->now_ms = wall_ms;
    time->into_second = wall_ms > seconds * 1000;
    if (seconds == time->now_s)
        return;
    time->now_s = seconds;
    struct ps_civil fields;
    ps_civil_from_wall(seconds, &fields);
    time->utc_year = (int)fields.year;
    time->local_year = (int)local_fields(time, seconds).year;
}

/* ---- stamps without a year ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Returns the month (0..11) with these first three letters, in any case, or -1. */
static int month_short(const char *text)
{
    for (int i = 0; i < 12; i++) {
        if (lower(text[0]) == lower(ps_month_names[i][0]) && lower(text[1]) == ps_month_names[i][1] &&
            lower(text[2]) == ps_month_names[i][2])
            return i;
    }
    return -1;
}

struct cursor {
    const char *p, *end;
};

static bool take_char(struct cursor *at, char c)
{
    if (at->p == at->end || *at->p != c)
        return false;
    at->p++;
    return true;
}

/* Reads at least one and at most `max` digits. */
static bool take_number(struct cursor *at, int max, int64_t *value)
{
    const char *start = at->p;
    *value = 0;
    while (at->p < at->end && at->p - start < max && *at->p >= '0' && *at->p <= '9')
        *value = *value * 10 + (*at->p++ - '0');
    return at->p > start;
}

/* Reads a number as SimpleDateFormat does: skips blanks and tabs before it. */
static bool take_lenient(struct cursor *at, int64_t *value)
{
    while (at->p < at->end && (*at->p == ' ' || *at->p == '\t'))
        at->p++;
    return take_number(at, 9, value);
}

/* Java's Calendar.add(MONTH, months): in local time; the day is limited to the last day of the month. */
static int64_t add_months(const struct ps_syslog_time *time, int64_t utc_s, int months)
{
    struct ps_civil fields = local_fields(time, utc_s);
    int64_t month = fields.year * 12 + fields.month - 1 + months;
    int64_t year = ps_floor_div(month, 12);
    int of_year = (int)(month - year * 12);
    int day = (int)fields.day, last = ps_month_days(year, of_year);
    int64_t days = ps_days_from_java(year, of_year, day < last ? day : last);
    return ps_time_zone_from_wall(time->zone,
                                  days * DAY_S + fields.hour * 3600 + fields.minute * 60 + fields.second);
}

static bool recall(const struct ps_syslog_time *time, int which, const char *text, uint32_t length,
                   int64_t *ms)
{
    if (time->recent[which].length != length || time->recent[which].now_s != time->now_s ||
        time->recent[which].into_second != time->into_second ||
        memcmp(time->recent[which].text, text, length) != 0)
        return false;
    *ms = time->recent[which].ms;
    return true;
}

static void remember(struct ps_syslog_time *time, int which, const char *text, uint32_t length, int64_t ms)
{
    if (length > sizeof time->recent[which].text)
        return;
    memcpy(time->recent[which].text, text, length);
    time->recent[which].length = length;
    time->recent[which].now_s = time->now_s;
    time->recent[which].into_second = time->into_second;
    time->recent[which].ms = ms;
}

bool ps_syslog_time_local3164(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms)
{
    if (recall(time, 0, text, length, ms))
        return true;
    struct cursor at = {text + 3, text + length};
    int month = length >= 3 ? month_short(text) : -1;
    if (month < 0)
        return false;
    if (length >= 5 && text[3] == ' ' && text[4] == ' ') /* Flume replaces two blanks by one */
        at.p++;
    int64_t day, hour, minute, second;
    if (!take_char(&at, ' ') || !take_lenient(&at, &day) || !take_char(&at, ' ') ||
        !take_lenient(&at, &hour) || !take_char(&at, ':') || !take_lenient(&at, &minute) ||
        !take_char(&at, ':') || !take_lenient(&at, &second))
        return false;
    int64_t wall = ps_days_from_java(time->utc_year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
    int64_t utc = ps_time_zone_from_wall(time->zone, wall);
    if (utc * 1000 > time->now_ms) {
        if (add_months(time, utc, -1) * 1000 > time->now_ms)
            utc = add_months(time, utc, -12);
    } else if (utc * 1000 < time->now_ms && add_months(time, utc, 11) * 1000 < time->now_ms) {
        utc = add_months(time, utc, 12);
    }
    *ms = utc * 1000;
    remember(time, 0, text, length, *ms);
    return true;
}

/* ---- stamps with a year ---- */

static int64_t two(const char *p)
{
    return (p[0] - '0') * 10 + (p[1] - '0');
}

bool ps_syslog_time_local5424(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms)
{
    if (length < 19)
        return false;
    if (time->minute.known != PS_MINUTE_LENIENT || memcmp(text, time->minute.text, 16) != 0) {
        memcpy(time->minute.text, text, 16);
        int64_t days = ps_days_from_java(two(text) * 100 + two(text + 2), two(text + 5) - 1, two(text + 8));
        time->minute.utc_s = days * DAY_S + two(text + 11) * 3600 + two(text + 14) * 60;
        time->minute.local_s = ps_time_zone_from_wall(time->zone, time->minute.utc_s);
        time->minute.known = PS_MINUTE_LENIENT;
    }
    int64_t second = two(text + 17), fraction = 0;
    bool local = true;
    const char *p = text + 19, *end = text + length;
    if (p < end && *p == '.') {
        for (int digits = 0; ++p < end && digits < 3 && *p >= '0' && *p <= '9'; digits++)
            fraction = fraction * 10 + (*p - '0');
        p = end;
    }
    int64_t offset_s = 0;
    if (p < end && *p == 'Z') {
        local = false;
    } else if (end - p >= 6 && two(p + 1) < 24 && two(p + 4) < 60) {
        offset_s = (two(p + 1) * 60 + two(p + 4)) * 60;
        if (*p == '-')
            offset_s = -offset_s;
        local = false;
    }
    if (!local)
        *ms = (time->minute.utc_s - offset_s + second) * 1000;
    else if (second < 60) /* no zone changes its offset within a minute */
        *ms = (time->minute.local_s + second) * 1000 + fraction;
    else
        *ms = ps_time_zone_from_wall(time->zone, time->minute.utc_s + second) * 1000 + fraction;
    return true;
}

/* ---- Joda-Time, UTC ---- */

/* Reads the month at the start of `text` as Joda-Time does: short or full name, capitalized, lower or upper
 * case. Returns its length, or 0. */
static size_t month_joda(const char *text, size_t length, int *month)
{
    for (int i = 0; i < 12; i++) {
        size_t full = strlen(ps_month_names[i]);
        for (int form = 0; form < 2; form++) {
            size_t wanted = form == 0 ? full : 3;
            bool exact = wanted <= length, low = exact, high = exact;
            for (size_t k = 0; exact + low + high > 0 && k < wanted; k++) {
                char c = ps_month_names[i][k];
                exact = exact && text[k] == c;
                low = low && text[k] == lower(c);
                high = high && lower(text[k]) == lower(c) && text[k] != lower(c);
            }
            if (exact || low || high) {
                *month = i;
                return wanted;
            }
        }
    }
    return 0;
}

/* Moves a UTC time by months and limits the day to the last of the month (Joda's minusMonths, plusMonths). */
static int64_t joda_months(int64_t year, int month, int day, int64_t of_day_s, int months)
{
    int64_t total = year * 12 + month + months;
    int64_t to_year = ps_floor_div(total, 12);
    int to_month = (int)(total - to_year * 12), last = ps_month_days(to_year, to_month);
    return ps_gregorian_days(to_year, to_month, day < last ? day : last) * DAY_S + of_day_s;
}

static bool joda_time_of_day(struct cursor *at, int64_t *seconds)
{
    int64_t hour, minute, second;
    if (!take_number(at, 2, &hour) || hour > 23 || !take_char(at, ':') || !take_number(at, 2, &minute) ||
        minute > 59 || !take_char(at, ':') || !take_number(at, 2, &second) || second > 59 || at->p != at->end)
        return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return true;
}

int64_t ps_syslog_time_utc3164(struct ps_syslog_time *time, const char *text, uint32_t length)
{
    int64_t ms;
    if (recall(time, 1, text, length, &ms))
        return ms;
    char single[24]; /* the text with its first two blanks replaced by one */
    size_t used = 0;
    bool replaced = false;
    for (uint32_t i = 0; i < length && used < sizeof single; i++) {
        single[used++] = text[i];
        if (!replaced && text[i] == ' ' && i + 1 < length && text[i + 1] == ' ') {
            replaced = true;
            i++;
        }
    }
    int month;
    size_t name = month_joda(single, used, &month);
    struct cursor at = {single + name, single + used};
    int64_t day, of_day;
    if (name == 0 || !take_char(&at, ' ') || !take_number(&at, 2, &day) || day < 1 ||
        day > ps_month_days(2000, month) || !take_char(&at, ' ') || !joda_time_of_day(&at, &of_day))
        return 0;
    int64_t year = time->local_year;
    int last = ps_month_days(year, month); /* as Joda's withYear: February 29 becomes 28 */
    int pinned = (int)day < last ? (int)day : last;
    ms = (ps_gregorian_days(year, month, pinned) * DAY_S + of_day) * 1000;
    if (ms > time->now_ms) {
        if (joda_months(year, month, pinned, of_day, -1) * 1000 > time->now_ms)
            ms = joda_months(2000, month, (int)day, of_day, -12) * 1000;
    } else if (ms < time->now_ms && joda_months(year, month, pinned, of_day, 1) * 1000 < time->now_ms) {
        ms = joda_months(2000, month, (int)day, of_day, 12) * 1000;
    }
    remember(time, 1, text, length, ms);
    return ms;
}

/* Parses "yyyy-MM-dd'T'HH:mm:ss" of exactly 19 characters as Joda does: numbers may be shorter, the year may
 * be longer or signed. */
static bool joda_second(struct ps_syslog_time *time, const char *text, int64_t *seconds)
{
    if (time->minute.known == PS_MINUTE_STRICT && memcmp(text, time->minute.text, 16) == 0 &&
        text[16] == ':' && text[17] >= '0' && text[17] <= '5' && text[18] >= '0' && text[18] <= '9') {
        *seconds = time->minute.utc_s + two(text + 17);
        return true;
    }
    struct cursor at = {text, text + 19};
    bool negative = text[0] == '-';
    if ((negative || text[0] == '+') && text[1] >= '0' && text[1] <= '9')
        at.p++;
    int64_t year, month, day, of_day;
    if (!take_number(&at, 9, &year) || !take_char(&at, '-') || !take_number(&at, 2, &month) || month < 1 ||
        month > 12 || !take_char(&at, '-') || !take_number(&at, 2, &day) || day < 1)
        return false;
    if (negative)
        year = -year;
    if (day > ps_month_days(year, (int)month - 1) || (!take_char(&at, 'T') && !take_char(&at, 't')) ||
        !joda_time_of_day(&at, &of_day))
        return false;
    *seconds = ps_gregorian_days(year, month - 1, day) * DAY_S + of_day;
    if (text[4] == '-' && text[7] == '-' && text[10] == 'T' && text[13] == ':' && text[16] == ':') {
        memcpy(time->minute.text, text, 16);
        time->minute.utc_s = *seconds - of_day % 60;
        time->minute.known = PS_MINUTE_STRICT;
    }
    return true;
}

/* Exactly Flume's arithmetic: parses a long, divides it as a double by a power of ten, truncates. Returns
 * false when the digits overflow a long. */
static bool joda_fraction(const char *digits, size_t count, int64_t *ms)
{
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digits[i] - '0', &value))
            return false;
    }
    double scale = 1;
    for (size_t i = 3; i < count && i < 400; i++)
        scale *= 10;
    if (count > 3)
        value = (int64_t)((double)value / scale);
    for (size_t i = count; i < 3; i++)
        value *= 10;
    *ms = value;
    return true;
}

bool ps_syslog_time_utc5424(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms)
{
    int64_t seconds, fraction = 0;
    if (length <= 19 || !joda_second(time, text, &seconds))
        return false;
    const char *p = text + 19, *end = text + length;
    if (*p == '.') {
        const char *digits = ++p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits || p == end || !joda_fraction(digits, (size_t)(p - digits), &fraction))
            return false; /* nothing after the digits: Flume loses this line and those read with it */
    }
    *ms = seconds * 1000 + fraction;
    if (*p != '+' && *p != '-')
        return true; /* "Z", or anything else: UTC */
    if (end - p <= 5)
        return false;
    for (int i = 1; i <= 5; i++) {
        if (i == 3 ? p[i] != ':' : p[i] < '0' || p[i] > '9')
            return false;
    }
    int64_t offset_ms = (two(p + 1) * 60 + two(p + 4)) * 60000;
    *ms += *p == '+' ? -offset_ms : offset_ms;
    return true;
}
