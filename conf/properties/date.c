/* See date.h. */
#include "conf/properties/date.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATE_BYTES_MAX 512

struct writer {
    char text[DATE_BYTES_MAX];
    size_t length;
};

static void put_text(struct writer *writer, const char *text, size_t length)
{
    if (length > sizeof writer->text - 1 - writer->length)
        length = sizeof writer->text - 1 - writer->length;
    memcpy(writer->text + writer->length, text, length);
    writer->length += length;
}

static void put_number(struct writer *writer, int number, int width)
{
    char digits[40];
    int length = snprintf(digits, sizeof digits, "%0*d", width > 20 ? 20 : width, number);
    put_text(writer, digits, (size_t)length);
}

/* Writes a name as strftime has it, in full or only its first three letters. */
static void put_word(struct writer *writer, const char *format, const struct tm *tm)
{
    char word[64];
    put_text(writer, word, strftime(word, sizeof word, format, tm));
}

/* Writes +0530, +05:30, +05, or Z for UTC with the letter X. */
static void put_zone(struct writer *writer, const struct tm *tm, char letter, int count)
{
    long minutes = tm->tm_gmtoff / 60;
    char text[16];
    if (letter == 'X' && minutes == 0) {
        put_text(writer, "Z", 1);
        return;
    }
    long positive = minutes < 0 ? -minutes : minutes;
    const char *colon = letter == 'X' && count == 3 ? ":" : "";
    int length = snprintf(text, sizeof text, "%c%02ld", minutes < 0 ? '-' : '+', positive / 60 % 100);
    if (letter != 'X' || count > 1)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%02ld", colon, positive % 60);
    put_text(writer, text, (size_t)length);
}

static int strftime_number(const struct tm *tm, const char *format)
{
    char text[16];
    strftime(text, sizeof text, format, tm);
    int number = 0;
    for (const char *at = text; isdigit((unsigned char)*at); at++)
        number = number * 10 + (*at - '0');
    return number;
}

/* Returns the week of the month; weeks begin on Sunday, as in Java's English locale. */
static int week_of_month(const struct tm *tm)
{
    int first = (tm->tm_wday - (tm->tm_mday - 1) % 7 + 7) % 7;
    return (tm->tm_mday - 1 + first) / 7 + 1;
}

static bool put_field(struct writer *writer, char letter, int count, const struct tm *tm, int ms)
{
    static const struct {
        char letter;
        const char *format; /* of strftime */
    } numbers[] = {{'D', "%j"}, {'d', "%d"}, {'u', "%u"}, {'H', "%H"}, {'h', "%I"}, {'m', "%M"}, {'s', "%S"}};
    for (size_t i = 0; i < PS_COUNT_OF(numbers); i++) {
        if (letter != numbers[i].letter)
            continue;
        put_number(writer, strftime_number(tm, numbers[i].format), count);
        return true;
    }
    switch (letter) {
    case 'G':
        put_text(writer, "AD", 2);
        return true;
    case 'y':
        put_number(writer, count == 2 ? (tm->tm_year + 1900) % 100 : tm->tm_year + 1900, count);
        return true;
    case 'Y': {
        /* The week belongs to the next year when it contains the next January 1 (English rules: weeks begin on
         * Sunday). */
        bool next = tm->tm_mon == 11 && tm->tm_mday + 6 - tm->tm_wday > 31;
        int year = tm->tm_year + 1900 + next;
        put_number(writer, count == 2 ? year % 100 : year, count);
        return true;
    }
    case 'M':
    case 'L':
        if (count >= 3)
            put_word(writer, count == 3 ? "%b" : "%B", tm);
        else
            put_number(writer, tm->tm_mon + 1, count);
        return true;
    case 'w': {
        bool next = tm->tm_mon == 11 && tm->tm_mday + 6 - tm->tm_wday > 31;
        int first = (tm->tm_wday - tm->tm_yday % 7 + 7) % 7;
        put_number(writer, next ? 1 : (tm->tm_yday + first) / 7 + 1, count);
        return true;
    }
    case 'W':
        put_number(writer, week_of_month(tm), count);
        return true;
    case 'F':
        put_number(writer, (tm->tm_mday - 1) / 7 + 1, count);
        return true;
    case 'E':
        put_word(writer, count >= 4 ? "%A" : "%a", tm);
        return true;
    case 'a':
        put_text(writer, tm->tm_hour < 12 ? "AM" : "PM", 2);
        return true;
    case 'k':
        put_number(writer, tm->tm_hour == 0 ? 24 : tm->tm_hour, count);
        return true;
    case 'K':
        put_number(writer, tm->tm_hour % 12, count);
        return true;
    case 'S':
        put_number(writer, ms, count);
        return true;
    case 'z':
        put_word(writer, "%Z", tm);
        return true;
    case 'Z':
        put_zone(writer, tm, letter, count);
        return true;
    case 'X':
        if (count > 3)
            return false;
        put_zone(writer, tm, letter, count);
        return true;
    default:
        return false;
    }
}

/* Writes quoted text from the quote at `at` on; '' is a quote, inside and outside. Returns NULL if it is not
 * closed. */
static const char *put_quoted(struct writer *writer, const char *at)
{
    at++;
    if (*at == '\'') {
        put_text(writer, "'", 1);
        return at + 1;
    }
    for (; *at != '\0'; at++) {
        if (*at == '\'' && at[1] != '\'')
            return at + 1;
        at += *at == '\'';
        put_text(writer, at, 1);
    }
    return NULL;
}

const char *ps_date_format(struct ps_arena *arena, const char *pattern, int64_t ms)
{
    struct writer writer = {.length = 0};
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    time_t when = (time_t)seconds;
    struct tm tm;
    if (localtime_r(&when, &tm) == NULL)
        return NULL;
    if (*pattern == '\0')
        pattern = "M/d/yy, h:mm a";
    for (const char *at = pattern; *at != '\0';) {
        if (*at == '\'') {
            at = put_quoted(&writer, at);
            if (at == NULL)
                return NULL;
            continue;
        }
        if (!isalpha((unsigned char)*at)) {
            put_text(&writer, at++, 1);
            continue;
        }
        int count = 0;
        for (const char *same = at; *same == *at && count < DATE_BYTES_MAX; same++)
            count++;
        if (!put_field(&writer, *at, count, &tm, (int)(ms - seconds * 1000)))
            return NULL;
        at += count;
    }
    return ps_arena_copy(arena, writer.text, writer.length);
}
