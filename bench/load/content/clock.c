/* Times as text. They are written once a second into the writer's skeleton; render.c writes for each
 * event what changes within the second. */
#include <time.h>

#include "bench/load/content/internal.h"
#include "bench/load/content/digits.h"
#include "core/clock.h"
#include "stages/lib/date/calendar.h"
#include "stages/lib/date/time_zone.h"

uint32_t ps_content_clock_width(const struct ps_template_part *part)
{
    uint32_t zone = part->zone == NULL ? 1 : 6; /* Z or +01:00 */
    switch (part->time) {
    case PS_TIME_RFC3339:
        return 23 + zone;
    case PS_TIME_RFC3339_US:
        return 26 + zone;
    case PS_TIME_RFC3164:
        return 15;
    case PS_TIME_CLF:
        return 26;
    case PS_TIME_EPOCH_S:
        return 10;
    case PS_TIME_EPOCH_MS:
        return 13;
    case PS_TIME_EPOCH_US:
        return 16;
    case PS_TIME_EPOCH_NS:
        return 19;
    case PS_TIME_STRFTIME:
        break;
    }
    return 0;
}

uint32_t ps_content_clock_subsecond(const struct ps_template_part *part, uint32_t *offset)
{
    *offset = part->time == PS_TIME_RFC3339 || part->time == PS_TIME_RFC3339_US ? 20 : 10;
    switch (part->time) {
    case PS_TIME_RFC3339:
    case PS_TIME_EPOCH_MS:
        return 3;
    case PS_TIME_RFC3339_US:
    case PS_TIME_EPOCH_US:
        return 6;
    case PS_TIME_EPOCH_NS:
        return 9;
    default:
        return 0;
    }
}

/* "09:00:00" */
static void clock_put(char *to, const struct ps_civil *civil)
{
    ps_digits_put(to, civil->hour, 2);
    to[2] = ':';
    ps_digits_put(to + 3, civil->minute, 2);
    to[5] = ':';
    ps_digits_put(to + 6, civil->second, 2);
}

/* "+0100", or "+01:00" with a colon. */
static void offset_put(char *to, int32_t offset_s, bool colon)
{
    uint32_t minutes = (uint32_t)(offset_s < 0 ? -offset_s : offset_s) / 60;
    *to++ = offset_s < 0 ? '-' : '+';
    ps_digits_put(to, minutes / 60, 2);
    to += 2;
    if (colon)
        *to++ = ':';
    ps_digits_put(to, minutes % 60, 2);
}

static void rfc3339_put(char *to, const struct ps_civil *civil, uint32_t digits)
{
    ps_digits_put(to, (uint64_t)civil->year, 4);
    to[4] = '-';
    ps_digits_put(to + 5, civil->month, 2);
    to[7] = '-';
    ps_digits_put(to + 8, civil->day, 2);
    to[10] = 'T';
    clock_put(to + 11, civil);
    to[19] = '.';
    to[20 + digits] = 'Z';
}

/* RFC 3164 4.1.2: "if the day of the month is less than 10, then it MUST be represented as a space and then
 * the number". */
static void rfc3164_put(char *to, const struct ps_civil *civil)
{
    memcpy(to, ps_month_names[civil->month - 1], 3);
    to[3] = ' ';
    ps_digits_put(to + 4, civil->day, 2);
    if (civil->day < 10)
        to[4] = ' ';
    to[6] = ' ';
    clock_put(to + 7, civil);
}

static void clf_put(char *to, const struct ps_civil *civil, int32_t offset_s)
{
    ps_digits_put(to, civil->day, 2);
    to[2] = '/';
    memcpy(to + 3, ps_month_names[civil->month - 1], 3);
    to[6] = '/';
    ps_digits_put(to + 7, (uint64_t)civil->year, 4);
    to[11] = ':';
    clock_put(to + 12, civil);
    to[20] = ' ';
    offset_put(to + 21, offset_s, false);
}

static uint32_t strftime_put(char *to, const struct ps_template_part *part, const struct ps_civil *civil,
                             int32_t offset_s)
{
    char zone[6] = "UTC"; /* the zone's abbreviation is not known here */
    if (part->zone != NULL)
        offset_put(zone, offset_s, false);
    struct tm tm = {.tm_sec = (int)civil->second,
                    .tm_min = (int)civil->minute,
                    .tm_hour = (int)civil->hour,
                    .tm_mday = (int)civil->day,
                    .tm_mon = (int)civil->month - 1,
                    .tm_year = (int)(civil->year - 1900),
                    .tm_wday = (int)civil->week_day,
                    .tm_yday = (int)civil->year_day - 1,
                    .tm_gmtoff = offset_s,
                    .tm_zone = zone};
    return (uint32_t)strftime(to, PS_STRFTIME_TEXT_MAX, part->text, &tm);
}

static int32_t civil_of(const struct ps_template_part *part, uint64_t second, struct ps_civil *civil)
{
    int32_t offset_s = part->zone == NULL ? 0 : ps_time_zone_offset(part->zone, (int64_t)second);
    ps_civil_from_wall((int64_t)second + offset_s, civil);
    return offset_s;
}

bool ps_content_strftime_bounds(const struct ps_template_part *part, uint32_t *min, uint32_t *max)
{
    const uint64_t year_2026 = UINT64_C(1767225600), half_day = 43200;
    char text[PS_STRFTIME_TEXT_MAX];
    struct ps_civil civil;
    *min = UINT32_MAX;
    *max = 0;
    /* each weekday's name with each month's name, in both halves of the day */
    for (uint64_t i = 0; i < UINT64_C(2) * 366 * 2; i++) {
        int32_t offset_s = civil_of(part, year_2026 + i * half_day + i % 86400, &civil);
        uint32_t length = strftime_put(text, part, &civil, offset_s);
        if (length == 0)
            return false;
        *min = length < *min ? length : *min;
        *max = length > *max ? length : *max;
    }
    return true;
}

/* Renders the text with the length range found when it was compiled, whatever the date: the sizes of events
 * depend on it. */
static void strftime_set(struct ps_content_writer *writer, const struct ps_content_patch *patch,
                         const struct ps_civil *civil, int32_t offset_s)
{
    const struct ps_content *content = writer->content;
    uint32_t min = content->strftime_min[patch->offset], max = content->strftime_max[patch->offset];
    char *text = writer->strftime_texts[patch->offset];
    uint32_t length = strftime_put(text, patch->part, civil, offset_s);
    for (; length < min; length++)
        text[length] = ' ';
    writer->strftime_lengths[patch->offset] = length < max ? length : max;
}

void ps_content_clock_set(struct ps_content_writer *writer, uint64_t second)
{
    const struct ps_content *content = writer->content;
    writer->second_ns = second * PS_NS_PER_S;
    for (uint32_t i = 0; i < content->clock_count; i++) {
        const struct ps_content_patch *patch = &content->clock[i];
        const struct ps_template_part *part = patch->part;
        char *to = writer->skeleton + patch->offset;
        struct ps_civil civil;
        int32_t offset_s = civil_of(part, second, &civil);
        switch (part->time) {
        case PS_TIME_RFC3339:
        case PS_TIME_RFC3339_US: {
            uint32_t digits = part->time == PS_TIME_RFC3339 ? 3 : 6;
            rfc3339_put(to, &civil, digits);
            if (part->zone != NULL)
                offset_put(to + 20 + digits, offset_s, true);
            break;
        }
        case PS_TIME_RFC3164:
            rfc3164_put(to, &civil);
            break;
        case PS_TIME_CLF:
            clf_put(to, &civil, offset_s);
            break;
        case PS_TIME_EPOCH_S:
        case PS_TIME_EPOCH_MS:
        case PS_TIME_EPOCH_US:
        case PS_TIME_EPOCH_NS:
            ps_digits_put(to, second, 10);
            break;
        case PS_TIME_STRFTIME:
            strftime_set(writer, patch, &civil, offset_s);
            break;
        }
    }
}
