/* Calendar arithmetic as java.util.GregorianCalendar does it. Thread: any; no state. */
#pragma once

#include "core/base.h"

/* Divides and rounds towards minus infinity, as Java's Math.floorDiv; b > 0. */
static inline int64_t ps_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Returns days from 1970-01-01 to a Gregorian date; month 0..11, day from 1 (may be out of range). */
int64_t ps_gregorian_days(int64_t year, int64_t month, int64_t day);

/* Returns days from 1970-01-01 to a date whose month (from 0) and day (from 1) may be out of range. Uses the
 * Julian calendar before 1582-10-15, as GregorianCalendar does. */
int64_t ps_days_from_java(int64_t year, int64_t month, int64_t day);

/* Writes `ms` in decimal; returns the length (at most 20). */
uint32_t ps_time_render(int64_t ms, char *out);
