#include "stages/lib/date/calendar.h"
#include "stages/lib/date/joda/fields.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define HALFDAY_MS (12 * HOUR_MS)
#define DAY_MS (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)
#define MONTH_MS INT64_C(2629746000) /* average length of a month */
#define YEAR_MS INT64_C(31556952000)
#define NO_END INT64_MAX
#define YEAR_MIN (-292275054)
#define YEAR_MAX 292278993
#define YEAR_DEFAULT 2000

/* The lengths of the unit that a field counts and of the larger unit of which it is a part. Fields are sorted by
 * these lengths. */
static const struct {
    int64_t range_ms, unit_ms;
} sizes[] = {
    [PS_JODA_ERA] = {NO_END, NO_END},
    [PS_JODA_CENTURY_OF_ERA] = {NO_END, 100 * YEAR_MS},
    [PS_JODA_YEAR_OF_ERA] = {NO_END, YEAR_MS},
    [PS_JODA_YEAR] = {NO_END, YEAR_MS},
    [PS_JODA_WEEKYEAR] = {NO_END, YEAR_MS},
    [PS_JODA_MONTH] = {YEAR_MS, MONTH_MS},
    [PS_JODA_WEEK] = {YEAR_MS, WEEK_MS},
    [PS_JODA_DAY_OF_YEAR] = {YEAR_MS, DAY_MS},
    [PS_JODA_DAY_OF_MONTH] = {MONTH_MS, DAY_MS},
    [PS_JODA_DAY_OF_WEEK] = {WEEK_MS, DAY_MS},
    [PS_JODA_HALFDAY] = {DAY_MS, HALFDAY_MS},
    [PS_JODA_HOUR] = {DAY_MS, HOUR_MS},
    [PS_JODA_CLOCKHOUR] = {DAY_MS, HOUR_MS},
    [PS_JODA_HOUR_OF_HALFDAY] = {HALFDAY_MS, HOUR_MS},
    [PS_JODA_CLOCKHOUR_OF_HALFDAY] = {HALFDAY_MS, HOUR_MS},
    [PS_JODA_MINUTE] = {HOUR_MS, MINUTE_MS},
    [PS_JODA_SECOND] = {MINUTE_MS, SECOND_MS},
    [PS_JODA_MS] = {SECOND_MS, 1},
};

/* ---- arithmetic: wraps around on overflow, as Java's does ---- */

static int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t ms_of(int64_t days, int64_t ms_of_day)
{
    return (int64_t)((uint64_t)days * (uint64_t)DAY_MS + (uint64_t)ms_of_day);
}

static int64_t floor_to(int64_t ms, int64_t unit_ms)
{
    return (int64_t)((uint64_t)ps_floor_div(ms, unit_ms) * (uint64_t)unit_ms);
}

static int64_t of_day(int64_t ms)
{
    return (int64_t)((uint64_t)ms - (uint64_t)floor_to(ms, DAY_MS));
}

static struct ps_civil civil_of(int64_t ms)
{
    struct ps_civil civil;
    ps_civil_from_wall(ps_floor_div(ms, SECOND_MS), &civil);
    return civil;
}

/* Returns the day of the week; 1: Monday. */
static int week_day_of(int64_t ms)
{
    int64_t days = ps_floor_div(ms, DAY_MS) + 3;
    return (int)(days - ps_floor_div(days, 7) * 7) + 1;
}

/* ---- weeks: the first has at least four days of its year ---- */

static int64_t first_week_day(int64_t year)
{
    int64_t first = ps_gregorian_days(year, 0, 1);
    int day = week_day_of(ms_of(first, 0));
    return day > 4 ? first + 8 - day : first - (day - 1);
}

static int weeks_in(int64_t year)
{
    return (int)((first_week_day(year + 1) - first_week_day(year)) / 7);
}

static int64_t weekyear_of(int64_t ms)
{
    int64_t days = ps_floor_div(ms, DAY_MS), year = civil_of(ms).year;
    if (days < first_week_day(year))
        return year - 1;
    return days >= first_week_day(year + 1) ? year + 1 : year;
}

static int week_of(int64_t ms)
{
    return (int)((ps_floor_div(ms, DAY_MS) - first_week_day(weekyear_of(ms))) / 7) + 1;
}

/* ---- setting ---- */

/* Changes the year and keeps month and day: the day of the year moves by one between leap and other years. */
static int64_t year_set(int64_t ms, int64_t year)
{
    struct ps_civil civil = civil_of(ms);
    int day = (int)civil.year_day;
    if (day > 31 + 28)
        day += ps_is_leap_year(year) - ps_is_leap_year(civil.year);
    return ms_of(ps_gregorian_days(year, 0, 1) + day - 1, of_day(ms));
}

static bool year_of_era_set(int64_t *ms, int64_t year)
{
    if (year < 1 || year > YEAR_MAX)
        return false;
    *ms = year_set(*ms, civil_of(*ms).year <= 0 ? 1 - year : year);
    return true;
}

static bool century_set(int64_t *ms, int64_t century)
{
    if (century < 0 || century > YEAR_MAX / 100)
        return false;
    int64_t old = civil_of(*ms).year, year = century * 100 + (old < 0 ? -old : old) % 100;
    if (year > YEAR_MAX)
        return false;
    *ms = year_set(*ms, old < 0 ? -year : year);
    return true;
}

/* Changes the week year and keeps week and day of the week; week 53 becomes 52 where there is none. */
static bool weekyear_set(int64_t *ms, int64_t year)
{
    if ((year < 0 ? -year : year) > YEAR_MAX)
        return false;
    int64_t old = weekyear_of(*ms);
    if (old == year)
        return true;
    int week = week_of(*ms), most = weeks_in(year) < weeks_in(old) ? weeks_in(year) : weeks_in(old);
    int64_t day = first_week_day(year) + ((week > most ? most : week) - 1) * 7 + week_day_of(*ms) - 1;
    *ms = ms_of(day, of_day(*ms));
    return true;
}

static bool month_set(int64_t *ms, int32_t month)
{
    if (month < 1 || month > 12)
        return false;
    struct ps_civil civil = civil_of(*ms);
    int last = ps_month_days(civil.year, month - 1), day = (int)civil.day > last ? last : (int)civil.day;
    *ms = ms_of(ps_gregorian_days(civil.year, month - 1, day), of_day(*ms));
    return true;
}

static bool day_set(int64_t *ms, enum ps_joda_field field, int32_t value)
{
    struct ps_civil civil = civil_of(*ms);
    int old, most;
    switch (field) {
    case PS_JODA_DAY_OF_YEAR:
        old = (int)civil.year_day;
        most = ps_is_leap_year(civil.year) ? 366 : 365;
        break;
    case PS_JODA_DAY_OF_MONTH:
        old = (int)civil.day;
        most = ps_month_days(civil.year, (int)civil.month - 1);
        break;
    default:
        old = week_day_of(*ms);
        most = 7;
        break;
    }
    if (value < 1 || value > most)
        return false;
    *ms = wrap_add(*ms, (value - old) * DAY_MS);
    return true;
}

static bool week_set(int64_t *ms, int32_t week)
{
    if (week < 1 || week > (week > 52 ? weeks_in(weekyear_of(*ms)) : 52))
        return false;
    *ms = wrap_add(*ms, (week - week_of(*ms)) * WEEK_MS);
    return true;
}

/* Sets a field of fixed length that counts from 0. */
static bool part_set(int64_t *ms, enum ps_joda_field field, int32_t value)
{
    int64_t unit = sizes[field].unit_ms, range = sizes[field].range_ms / unit;
    if (value < 0 || value >= range)
        return false;
    int64_t old = ps_floor_div(*ms, unit) % range;
    old += old < 0 ? range : 0;
    *ms = wrap_add(*ms, (value - old) * unit);
    return true;
}

static bool era_set(int64_t *ms, int32_t era)
{
    int64_t year = civil_of(*ms).year;
    if ((year > 0) != (era == 1))
        *ms = year_set(*ms, -year);
    return true;
}

static bool field_set(int64_t *ms, enum ps_joda_field field, int32_t value)
{
    switch (field) {
    case PS_JODA_ERA:
        return era_set(ms, value);
    case PS_JODA_CENTURY_OF_ERA:
        return century_set(ms, value);
    case PS_JODA_YEAR_OF_ERA:
        return year_of_era_set(ms, value);
    case PS_JODA_YEAR:
        if (value < YEAR_MIN - 1 || value > YEAR_MAX + 1)
            return false;
        *ms = year_set(*ms, value);
        return true;
    case PS_JODA_WEEKYEAR:
        return weekyear_set(ms, value);
    case PS_JODA_MONTH:
        return month_set(ms, value);
    case PS_JODA_WEEK:
        return week_set(ms, value);
    case PS_JODA_DAY_OF_YEAR:
    case PS_JODA_DAY_OF_MONTH:
    case PS_JODA_DAY_OF_WEEK:
        return day_set(ms, field, value);
    case PS_JODA_CLOCKHOUR:
        return value >= 1 && part_set(ms, field, value == 24 ? 0 : value);
    case PS_JODA_CLOCKHOUR_OF_HALFDAY:
        return value >= 1 && part_set(ms, field, value == 12 ? 0 : value);
    default:
        return part_set(ms, field, value);
    }
}

/* ---- rounding down to a field ---- */

static int64_t field_floor(int64_t ms, enum ps_joda_field field)
{
    struct ps_civil civil;
    switch (field) {
    case PS_JODA_ERA:
        return civil_of(ms).year > 0 ? ms_of(ps_gregorian_days(1, 0, 1), 0) : INT64_MIN;
    case PS_JODA_CENTURY_OF_ERA:
        civil = civil_of(ms);
        return ms_of(ps_gregorian_days(civil.year / 100 * 100, 0, 1), 0);
    case PS_JODA_YEAR_OF_ERA:
    case PS_JODA_YEAR:
        return ms_of(ps_gregorian_days(civil_of(ms).year, 0, 1), 0);
    case PS_JODA_WEEKYEAR:
        return ms_of(first_week_day(weekyear_of(ms)), 0);
    case PS_JODA_MONTH:
        civil = civil_of(ms);
        return ms_of(ps_gregorian_days(civil.year, (int)civil.month - 1, 1), 0);
    case PS_JODA_WEEK:
        return wrap_add(floor_to(wrap_add(ms, 3 * DAY_MS), WEEK_MS), -3 * DAY_MS);
    default:
        return floor_to(ms, sizes[field].unit_ms);
    }
}

/* ---- all fields ---- */

static int compare(enum ps_joda_field a, enum ps_joda_field b)
{
    if (sizes[a].range_ms != sizes[b].range_ms)
        return sizes[a].range_ms > sizes[b].range_ms ? -1 : 1;
    if (sizes[a].unit_ms != sizes[b].unit_ms)
        return sizes[a].unit_ms > sizes[b].unit_ms ? -1 : 1;
    return 0;
}

/* Stable sort: equal fields stay in the order of the text. */
static void sort(struct ps_joda_fields *fields)
{
    for (size_t i = 1; i < fields->count; i++) {
        for (size_t j = i; j > 0 && compare(fields->all[j - 1].field, fields->all[j].field) > 0; j--) {
            struct ps_joda_value later = fields->all[j];
            fields->all[j] = fields->all[j - 1];
            fields->all[j - 1] = later;
        }
    }
}

bool ps_joda_fields_to_ms(struct ps_joda_fields *fields, int64_t *ms)
{
    PS_ASSERT(fields->count <= PS_JODA_FIELDS_MAX);
    sort(fields);
    if (fields->count > 0) {
        int64_t unit_ms = sizes[fields->all[0].field].unit_ms;
        if (unit_ms <= MONTH_MS &&
            unit_ms >= DAY_MS) { /* no year: use 2000, a leap year, so that February 29 works */
            fields->all[fields->count++] = (struct ps_joda_value){PS_JODA_YEAR, YEAR_DEFAULT};
            sort(fields);
        }
    }
    *ms = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (!field_set(ms, fields->all[i].field, fields->all[i].value))
            return false;
        *ms = field_floor(*ms, fields->all[i].field);
    }
    for (size_t i = 0; i < fields->count; i++) {
        if (!field_set(ms, fields->all[i].field, fields->all[i].value))
            return false;
    }
    if (fields->count > 0)
        *ms = field_floor(*ms, fields->all[fields->count - 1].field);
    return true;
}

struct ps_joda_years ps_joda_years_of(int64_t ms)
{
    return (struct ps_joda_years){civil_of(ms).year, weekyear_of(ms)};
}
