/* Calendar arithmetic: the proleptic Gregorian calendar, and that of java.util.GregorianCalendar. Thread: any; no state. */
#pragma once

#include "core/base.h"

/* Divides and rounds towards minus infinity, as Java's Math.floorDiv; b > 0. */
static inline int64_t ps_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static inline bool ps_is_leap_year(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Returns the days of a month; month 0..11. */
int ps_month_days(int64_t year, int month);

/* The English names: months, twelve long names and twelve of three letters; days, seven and seven, from Monday
 * on. */
extern const char *const ps_month_names[24], *const ps_day_names[14];

struct ps_civil {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
    unsigned week_day; /* 0 = Sunday */
    unsigned year_day; /* from 1 */
};

/* Splits wall clock time into calendar fields, proleptic Gregorian. */
void ps_civil_from_wall(int64_t wall_s, struct ps_civil *civil);

/* Returns days from 1970-01-01 to a Gregorian date; month 0..11, day from 1 (may be out of range). */
int64_t ps_gregorian_days(int64_t year, int64_t month, int64_t day);

/* Returns days from 1970-01-01 to a date whose month (from 0) and day (from 1) may be out of range. Uses the
 * Julian calendar before 1582-10-15, as GregorianCalendar does. */
int64_t ps_days_from_java(int64_t year, int64_t month, int64_t day);

/* Writes `ms` in decimal; returns the length (at most 20). */
uint32_t ps_time_render(int64_t ms, char *out);
