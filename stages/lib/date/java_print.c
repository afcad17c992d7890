#include "stages/lib/date/java_print.h"

#include <stdio.h>
#include <string.h>

#include "stages/lib/date/calendar.h"

#define LETTERS "yMdEaHkKhmsSD"
#define RUN_MAX 18U /* of a letter */

struct ps_java_print {
    const char *pattern;
    const struct ps_time_zone *zone;
};

/* Takes the next part of the pattern: a letter and how often it stands there, or text (`letter` 0). A quotation mark that stands twice is
 * itself. Returns false at the end. */
static bool next_part(const char **at, bool *quoted, char *letter, uint32_t *count)
{
    while (**at == '\'' && (*at)[1] != '\'') {
        *quoted = !*quoted;
        ++*at;
    }
    char first = **at;
    if (first == '\0')
        return false;
    bool is_letter = !*quoted && ((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z'));
    *letter = is_letter ? first : '\0';
    *count = 1;
    while (is_letter && (*at)[*count] == first)
        ++*count;
    return true;
}

const struct ps_java_print *ps_java_print_create(struct ps_arena *arena, const char *pattern,
                                                 const struct ps_time_zone *zone, struct ps_err *err)
{
    const char *at = pattern;
    bool quoted = false;
    char letter;
    uint32_t count, bytes = 0;
    while (next_part(&at, &quoted, &letter, &count)) {
        if (letter != '\0' && (strchr(LETTERS, letter) == NULL || count > RUN_MAX)) {
            ps_err_set(err, "the letter %c of the date format is not supported, or stands there too often",
                       letter);
            return NULL;
        }
        at += letter != '\0' ? count : *at == '\'' ? 2 : 1;
        bytes += letter == '\0'                   ? 1
                 : letter == 'E' || letter == 'M' ? 9 + count
                 : letter == 'y'                  ? 10 + count
                                                  : 3 + count;
    }
    if (bytes > PS_JAVA_PRINT_BYTES) {
        ps_err_set(err, "the date format is too long");
        return NULL;
    }
    struct ps_java_print *print = ps_arena_alloc(arena, sizeof *print);
    *print = (struct ps_java_print){.pattern = pattern, .zone = zone};
    return print;
}

static uint32_t put_number(char *to, int64_t number, uint32_t digits)
{
    return (uint32_t)sprintf(to, "%0*lld", (int)digits, (long long)number);
}

static uint32_t put_name(char *to, const char *name)
{
    size_t length = strlen(name);
    memcpy(to, name, length);
    return (uint32_t)length;
}

static uint32_t put_letter(char letter, uint32_t count, const struct ps_civil *civil, int64_t ms, char *to)
{
    unsigned day = (civil->week_day + 6) % 7; /* from Monday */
    switch (letter) {
    case 'y':
        return count >= 4 ? put_number(to, civil->year, count) : put_number(to, civil->year % 100, 2);
    case 'M':
        if (count >= 3)
            return put_name(to, ps_month_names[civil->month - 1 + (count == 3 ? 12 : 0)]);
        return put_number(to, civil->month, count);
    case 'E':
        return put_name(to, ps_day_names[day + (count < 4 ? 7 : 0)]);
    case 'a':
        return put_name(to, civil->hour < 12 ? "AM" : "PM");
    case 'd':
        return put_number(to, civil->day, count);
    case 'D':
        return put_number(to, civil->year_day, count);
    case 'H':
        return put_number(to, civil->hour, count);
    case 'k':
        return put_number(to, civil->hour == 0 ? 24 : civil->hour, count);
    case 'K':
        return put_number(to, civil->hour % 12, count);
    case 'h':
        return put_number(to, civil->hour % 12 == 0 ? 12 : civil->hour % 12, count);
    case 'm':
        return put_number(to, civil->minute, count);
    case 's':
        return put_number(to, civil->second, count);
    default:
        return put_number(to, ms, count);
    }
}

uint32_t ps_java_print(const struct ps_java_print *print, int64_t ms, char to[PS_JAVA_PRINT_BYTES])
{
    char buffer[PS_JAVA_PRINT_BYTES + 32], letter;
    const char *at = print->pattern;
    int64_t utc_s = ps_floor_div(ms, 1000);
    struct ps_civil civil;
    uint32_t length = 0, count;
    bool quoted = false;
    ps_civil_from_wall(utc_s + ps_time_zone_offset(print->zone, utc_s), &civil);
    while (next_part(&at, &quoted, &letter, &count) && length < PS_JAVA_PRINT_BYTES) {
        if (letter == '\0')
            buffer[length++] = *at;
        else
            length += put_letter(letter, count, &civil, ms - utc_s * 1000, buffer + length);
        at += letter != '\0' ? count : *at == '\'' ? 2 : 1;
    }
    length = length < PS_JAVA_PRINT_BYTES ? length : PS_JAVA_PRINT_BYTES;
    memcpy(to, buffer, length);
    return length;
}
