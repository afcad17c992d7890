/* See time_zone.h. */
#include "stages/lib/date/time_zone.h"
#include "core/big_endian.h"
#include "stages/lib/date/calendar.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (1 << 20)
#define DAY_S 86400

/* Start or end of daylight saving in a POSIX TZ text, in the form M month.week.day/time. */
struct rule {
    int month, week, week_day;
    int32_t time_s;
};

struct ps_time_zone {
    size_t count; /* number of transitions */
    int64_t *at;
    int32_t *offsets;      /* the offset from at[i] on */
    int32_t first_offset;  /* the offset before the first transition */
    bool has_tail, saving; /* the file's footer, for times after the last transition */
    int32_t standard, daylight;
    struct rule start, end;
};

/* ---- the footer: std offset [dst [offset] ,start[/time],end[/time]] ---- */

static bool name_skip(const char **at)
{
    const char *start = *at;
    if (**at == '<') {
        *at += strcspn(*at, ">");
        return *(*at)++ == '>';
    }
    while (isalpha((unsigned char)**at))
        (*at)++;
    return *at - start >= 3;
}

/* Reads [+-]hh[:mm[:ss]] as seconds. */
static bool clock_read(const char **at, int32_t *seconds)
{
    int sign = **at == '-' ? -1 : 1;
    if (**at == '-' || **at == '+')
        (*at)++;
    int32_t unit = 3600, sum = 0;
    for (int part = 0; part < 3; part++, unit /= 60) {
        if (!isdigit((unsigned char)**at))
            return false;
        char *end;
        long number = strtol(*at, &end, 10);
        if (end - *at > 3)
            return false;
        *at = end;
        sum += (int32_t)number * unit;
        if (**at != ':')
            break;
        (*at)++;
    }
    *seconds = sign * sum;
    return true;
}

static bool rule_read(const char **at, struct rule *rule)
{
    int used = 0;
    if (sscanf(*at, ",M%d.%d.%d%n", &rule->month, &rule->week, &rule->week_day, &used) != 3 || used == 0)
        return false;
    *at += used;
    rule->time_s = 2 * 3600;
    if (**at == '/') {
        (*at)++;
        if (!clock_read(at, &rule->time_s))
            return false;
    }
    return rule->month >= 1 && rule->month <= 12 && rule->week >= 1 && rule->week <= 5 &&
           rule->week_day >= 0 && rule->week_day <= 6;
}

static bool tail_read(struct ps_time_zone *zone, const char *text)
{
    int32_t west;
    if (!name_skip(&text) || !clock_read(&text, &west))
        return false;
    zone->standard = -west;
    zone->saving = false;
    if (*text == '\0')
        return true;
    if (!name_skip(&text))
        return false;
    zone->daylight = zone->standard + 3600;
    if (*text != ',' && *text != '\0') {
        if (!clock_read(&text, &west))
            return false;
        zone->daylight = -west;
    }
    zone->saving = rule_read(&text, &zone->start) && rule_read(&text, &zone->end) && *text == '\0';
    return zone->saving;
}

/* Returns the wall clock time of a rule in a year, in seconds. */
static int64_t rule_wall(const struct rule *rule, int64_t year)
{
    int64_t first = ps_gregorian_days(year, rule->month - 1, 1);
    int64_t first_week_day = ((first + 4) % 7 + 7) % 7;
    int64_t day = first + (rule->week_day - first_week_day + 7) % 7 + (rule->week - 1) * 7;
    if (day >= first + ps_month_days(year, rule->month - 1))
        day -= 7;
    return day * DAY_S + rule->time_s;
}

static int32_t tail_offset(const struct ps_time_zone *zone, int64_t utc_s)
{
    if (!zone->saving)
        return zone->standard;
    struct ps_civil civil;
    ps_civil_from_wall(utc_s + zone->standard, &civil);
    int64_t start = rule_wall(&zone->start, civil.year) - zone->standard;
    int64_t end = rule_wall(&zone->end, civil.year) - zone->daylight;
    bool in_saving = start < end ? utc_s >= start && utc_s < end : utc_s >= start || utc_s < end;
    return in_saving ? zone->daylight : zone->standard;
}

/* ---- the file ---- */

static int64_t big_endian(const unsigned char *bytes, unsigned width)
{
    return width == 4 ? (int32_t)ps_big_endian_get_32(bytes) : (int64_t)ps_big_endian_get_64(bytes);
}

/* Reads the six counts of a header: isut, isstd, leap, time, type, char. */
static bool header_read(const unsigned char *data, size_t length, uint32_t counts[6])
{
    if (length < 44 || memcmp(data, "TZif", 4) != 0)
        return false;
    for (size_t i = 0; i < 6; i++) {
        int64_t count = big_endian(data + 20 + 4 * i, 4);
        if (count < 0 || count > 100000)
            return false;
        counts[i] = (uint32_t)count;
    }
    return true;
}

static size_t body_length(const uint32_t counts[6], unsigned width)
{
    return (size_t)counts[3] * (width + 1) + (size_t)counts[4] * 6 + counts[5] +
           (size_t)counts[2] * (width + 4) + counts[1] + counts[0];
}

/* Reads a block of transitions whose times have `width` bytes. */
static bool body_read(struct ps_time_zone *zone, struct ps_arena *arena, const unsigned char *data,
                      const uint32_t counts[6], unsigned width)
{
    uint32_t count = counts[3], types = counts[4];
    const unsigned char *index = data + (size_t)count * width, *type = index + count;
    if (types == 0)
        return false;
    zone->count = count;
    zone->at = ps_arena_alloc(arena, (count + 1) * sizeof *zone->at);
    zone->offsets = ps_arena_alloc(arena, (count + 1) * sizeof *zone->offsets);
    zone->first_offset = (int32_t)big_endian(type, 4);
    for (uint32_t i = 0; i < count; i++) {
        if (index[i] >= types)
            return false;
        zone->at[i] = big_endian(data + (size_t)i * width, width);
        zone->offsets[i] = (int32_t)big_endian(type + 6 * (size_t)index[i], 4);
        if (i > 0 && zone->at[i] <= zone->at[i - 1])
            return false;
    }
    return true;
}

static bool zone_parse(struct ps_time_zone *zone, struct ps_arena *arena, const unsigned char *data,
                       size_t length)
{
    uint32_t counts[6];
    if (!header_read(data, length, counts))
        return false;
    size_t first = 44 + body_length(counts, 4);
    if (length < first)
        return false;
    if (data[4] < '2')
        return body_read(zone, arena, data + 44, counts, 4);
    if (!header_read(data + first, length - first, counts))
        return false;
    size_t second = first + 44 + body_length(counts, 8);
    if (length < second || !body_read(zone, arena, data + first + 44, counts, 8))
        return false;
    if (second == length || data[second] != '\n')
        return true;
    const unsigned char *start = data + second + 1, *end = memchr(start, '\n', length - second - 1);
    if (end != NULL)
        zone->has_tail = tail_read(zone, ps_arena_copy(arena, (const char *)start, (size_t)(end - start)));
    return true;
}

static bool file_load(struct ps_time_zone *zone, struct ps_arena *arena, const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    unsigned char *data = ps_must_alloc(1, FILE_BYTES_MAX, "a time zone file");
    size_t length = fread(data, 1, FILE_BYTES_MAX, file);
    fclose(file);
    bool good = length < FILE_BYTES_MAX && zone_parse(zone, arena, data, length);
    free(data);
    if (!good)
        memset(zone, 0, sizeof *zone);
    return good;
}

static bool name_load(struct ps_time_zone *zone, struct ps_arena *arena, const char *name)
{
    if (name[0] == '/')
        return file_load(zone, arena, name);
    for (const char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("_+-/", *at) == NULL)
            return false;
    }
    const char *folder = getenv("TZDIR");
    return file_load(zone, arena,
                     ps_arena_format(arena, "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo", name));
}

/* Java's custom ids: GMT+h, GMT+hh, GMT+hmm, GMT+hhmm, GMT+h:mm, GMT+hh:mm. */
static bool custom_read(const char *name, int32_t *offset)
{
    if (strncmp(name, "GMT", 3) != 0 || (name[3] != '+' && name[3] != '-'))
        return false;
    unsigned hours = 0, minutes = 0;
    int used = 0;
    const char *digits = name + 4;
    size_t count = strspn(digits, "0123456789");
    if (digits[count] == ':') {
        if (count < 1 || count > 2 || sscanf(digits, "%u:%2u%n", &hours, &minutes, &used) != 2 ||
            strlen(digits) != count + 3)
            return false;
    } else {
        if (digits[count] != '\0' || count < 1 || count > 4)
            return false;
        unsigned number = (unsigned)strtoul(digits, NULL, 10);
        hours = count <= 2 ? number : number / 100;
        minutes = count <= 2 ? 0 : number % 100;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *offset = (int32_t)(hours * 3600 + minutes * 60) * (name[3] == '-' ? -1 : 1);
    return true;
}

/* Java's short ids (java.time.ZoneId.SHORT_IDS, which java.util.TimeZone takes, too). The tz database does not have most of them, and a
 * few of its files mean something else. */
static const struct {
    const char *id, *name; /* NULL: the offset, for all times */
    int32_t hours;
} short_ids[] = {
    {"EST", NULL, -5},
    {"MST", NULL, -7},
    {"HST", NULL, -10},
    {"ACT", "Australia/Darwin", 0},
    {"AET", "Australia/Sydney", 0},
    {"AGT", "America/Argentina/Buenos_Aires", 0},
    {"ART", "Africa/Cairo", 0},
    {"AST", "America/Anchorage", 0},
    {"BET", "America/Sao_Paulo", 0},
    {"BST", "Asia/Dhaka", 0},
    {"CAT", "Africa/Harare", 0},
    {"CNT", "America/St_Johns", 0},
    {"CST", "America/Chicago", 0},
    {"CTT", "Asia/Shanghai", 0},
    {"EAT", "Africa/Addis_Ababa", 0},
    {"ECT", "Europe/Paris", 0},
    {"IET", "America/Indiana/Indianapolis", 0},
    {"IST", "Asia/Kolkata", 0},
    {"JST", "Asia/Tokyo", 0},
    {"MIT", "Pacific/Apia", 0},
    {"NET", "Asia/Yerevan", 0},
    {"NST", "Pacific/Auckland", 0},
    {"PLT", "Asia/Karachi", 0},
    {"PNT", "America/Phoenix", 0},
    {"PRT", "America/Puerto_Rico", 0},
    {"PST", "America/Los_Angeles", 0},
    {"SST", "Pacific/Guadalcanal", 0},
    {"VST", "Asia/Ho_Chi_Minh", 0},
};

const struct ps_time_zone *ps_time_zone_load(struct ps_arena *arena, const char *name, bool *known)
{
    struct ps_time_zone *zone = ps_arena_alloc(arena, sizeof *zone);
    *known = true;
    if (name == NULL || name[0] == '\0') {
        const char *own = getenv("TZ");
        if (own != NULL && own[0] == ':')
            own++;
        if (own != NULL && own[0] != '\0') {
            if (!name_load(zone, arena, own))
                zone->has_tail = tail_read(zone, own);
            return zone;
        }
        (void)file_load(zone, arena, "/etc/localtime"); /* if the file does not exist: UTC */
        return zone;
    }
    if (custom_read(name, &zone->first_offset))
        return zone;
    for (size_t i = 0; i < PS_COUNT_OF(short_ids); i++) {
        if (strcmp(name, short_ids[i].id) != 0)
            continue;
        if (short_ids[i].name == NULL) {
            zone->first_offset = 3600 * short_ids[i].hours;
            return zone;
        }
        name = short_ids[i].name;
        break;
    }
    *known = name_load(zone, arena, name);
    return zone;
}

/* ---- lookups ---- */

int32_t ps_time_zone_offset(const struct ps_time_zone *zone, int64_t utc_s)
{
    if (zone->count == 0 || utc_s < zone->at[0])
        return zone->has_tail && zone->count == 0 ? tail_offset(zone, utc_s) : zone->first_offset;
    if (utc_s >= zone->at[zone->count - 1])
        return zone->has_tail ? tail_offset(zone, utc_s) : zone->offsets[zone->count - 1];
    size_t low = 0, high = zone->count - 1; /* at[low] <= utc_s < at[high] */
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (zone->at[middle] <= utc_s)
            low = middle;
        else
            high = middle;
    }
    return zone->offsets[low];
}

int64_t ps_time_zone_from_wall(const struct ps_time_zone *zone, int64_t wall_s)
{
    int32_t before = ps_time_zone_offset(zone, wall_s - DAY_S),
            after = ps_time_zone_offset(zone, wall_s + DAY_S);
    int64_t earlier = wall_s - before, later = wall_s - after;
    bool earlier_good = ps_time_zone_offset(zone, earlier) == before;
    bool later_good = ps_time_zone_offset(zone, later) == after;
    if (earlier_good && later_good)
        return earlier > later ? earlier : later;
    return later_good ? later : earlier;
}

bool ps_time_zone_from_wall_strict(const struct ps_time_zone *zone, int64_t wall_s, int64_t *utc_s)
{
    int32_t before = ps_time_zone_offset(zone, wall_s - DAY_S),
            after = ps_time_zone_offset(zone, wall_s + DAY_S);
    int64_t one = wall_s - (before > after ? before : after),
            two = wall_s - (before > after ? after : before);
    *utc_s = ps_time_zone_offset(zone, one) == wall_s - one ? one : two;
    return ps_time_zone_offset(zone, *utc_s) == wall_s - *utc_s;
}
