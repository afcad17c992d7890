/* Local time in any zone, without the process-wide state of tzset. A zone is read from the system's time
 * zone files (RFC 8536) when a plan is built and is const after that. Thread: control for
 * ps_time_zone_load; any for the rest. */
#pragma once

#include "core/arena.h"
#include "core/status.h"

struct ps_time_zone;

/* Java's TimeZone.getTimeZone: accepts a name ("Europe/Berlin", "UTC"), "GMT+8" or "GMT-03:30". Any other
 * text gives GMT and sets *known to false. NULL or "" gives the process's zone (TZ, else /etc/localtime). */
const struct ps_time_zone *ps_time_zone_load(struct ps_arena *arena, const char *name, bool *known);

/* Returns the number of seconds to add to UTC at this time. */
int32_t ps_time_zone_offset(const struct ps_time_zone *zone, int64_t utc_s);

/* Converts wall clock time (seconds as if it were UTC) to UTC as java.util.GregorianCalendar does. A wall clock
 * time that occurs twice gives the later UTC time; a time that daylight saving skips is read with the offset
 * before the change. */
int64_t ps_time_zone_from_wall(const struct ps_time_zone *zone, int64_t wall_s);

/* The same as Joda-Time does it: a time that occurs twice gives the earlier UTC time. Returns false for a
 * skipped time (Joda-Time: IllegalInstantException). */
bool ps_time_zone_from_wall_strict(const struct ps_time_zone *zone, int64_t wall_s, int64_t *utc_s);
