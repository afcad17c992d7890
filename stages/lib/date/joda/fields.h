/* Combines the fields of a date that a text contains, as org.joda.time.format.DateTimeParserBucket 2.9.9
 * does: sets them from the largest to the smallest and rounds down after each. ISO chronology, no zone.
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

enum ps_joda_field {
    PS_JODA_ERA,
    PS_JODA_CENTURY_OF_ERA,
    PS_JODA_YEAR_OF_ERA,
    PS_JODA_YEAR,
    PS_JODA_WEEKYEAR,
    PS_JODA_MONTH,
    PS_JODA_WEEK,
    PS_JODA_DAY_OF_YEAR,
    PS_JODA_DAY_OF_MONTH,
    PS_JODA_DAY_OF_WEEK, /* 1 = Monday */
    PS_JODA_HALFDAY,
    PS_JODA_HOUR,                 /* 0..23 */
    PS_JODA_CLOCKHOUR,            /* 1..24 */
    PS_JODA_HOUR_OF_HALFDAY,      /* 0..11 */
    PS_JODA_CLOCKHOUR_OF_HALFDAY, /* 1..12 */
    PS_JODA_MINUTE,
    PS_JODA_SECOND,
    PS_JODA_MS,
};

#define PS_JODA_FIELDS_MAX 64U

struct ps_joda_value {
    enum ps_joda_field field;
    int32_t value;
};

struct ps_joda_fields {
    /* one more place, for a year that the text does not have */
    struct ps_joda_value all[PS_JODA_FIELDS_MAX + 1];
    size_t count;
};

/* Computes the time in milliseconds as if the wall clock were UTC. Sorts `fields`. Returns false when a value
 * is out of range. */
bool ps_joda_fields_to_ms(struct ps_joda_fields *fields, int64_t *ms);

struct ps_joda_years {
    int64_t year, weekyear;
};
struct ps_joda_years ps_joda_years_of(int64_t ms);
