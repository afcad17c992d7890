/* The names of time zones that Joda-Time accepts in a text: eleven abbreviations
 * (DateTimeUtils.getDefaultTimeZoneNames) and the ids of the time zone database ("Europe/Berlin"). Const
 * after load. */
#pragma once

#include "core/arena.h"
#include "stages/lib/date/time_zone.h"

struct ps_joda_zones;

/* With `ids` it reads all time zones of the system: several hundred files, some MiB. Thread: control. */
const struct ps_joda_zones *ps_joda_zones_load(struct ps_arena *arena, bool ids);

/* Finds the longest abbreviation, or id, at the start of the text. Returns its length, or 0 when there is
 * none. Thread: any. */
size_t ps_joda_zones_name(const struct ps_joda_zones *zones, const char *text, size_t length,
                          const struct ps_time_zone **zone);
size_t ps_joda_zones_id(const struct ps_joda_zones *zones, const char *text, size_t length,
                        const struct ps_time_zone **zone);
