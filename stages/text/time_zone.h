/* Local time in any zone, without the process-wide state of tzset: read once from the system's time zone
 * files (RFC 8536) when a plan is built, const from then on. Thread: ps_time_zone_load on the control thread;
 * the rest any.
 */
#pragma once

#include "core/arena.h"
#include "core/status.h"

struct ps_time_zone;

/* Java's TimeZone.getTimeZone: a name ("Europe/Berlin", "UTC"), "GMT+8", "GMT-03:30"; any other text is GMT,
 * and
 * `*known` says so. NULL or "": the process's own zone (TZ, else /etc/localtime). */
const struct ps_time_zone *ps_time_zone_load(struct ps_arena *arena, const char *name, bool *known);

/* Seconds to add to UTC at a moment. */
int32_t ps_time_zone_offset(const struct ps_time_zone *zone, int64_t utc_s);

/* The moment of a wall clock reading (seconds as if it were UTC). Twice there: the later one; not there: as
 * if the clock had not been put forward. As java.util.GregorianCalendar. */
int64_t ps_time_zone_from_wall(const struct ps_time_zone *zone, int64_t wall_s);

/* The same as Joda-Time means it: twice there, the earlier one; not there: false
 * (IllegalInstantException). */
bool ps_time_zone_from_wall_strict(const struct ps_time_zone *zone, int64_t wall_s, int64_t *utc_s);

struct ps_civil {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
    unsigned week_day; /* 0 = Sunday */
    unsigned year_day; /* from 1 */
};

/* Calendar fields of a wall clock reading, proleptic Gregorian. */
void ps_civil_from_wall(int64_t wall_s, struct ps_civil *civil);

/* Days since 1970-01-01 of a date, proleptic Gregorian; month from 1, `day` may be beyond the month. */
int64_t ps_civil_days(int64_t year, int month, int day);
