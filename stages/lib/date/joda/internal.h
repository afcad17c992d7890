/* Shared by the two parts of date.h: date.c compiles the pattern, read.c parses the text. */
#pragma once

#include "stages/lib/date/calendar.h"
#include "stages/lib/date/joda/date.h"
#include "stages/lib/date/joda/fields.h"
#include "stages/lib/date/joda/zones.h"
#include "stages/lib/date/time_zone.h"

enum item_kind {
    ITEM_TEXT,
    ITEM_NUMBER,
    ITEM_TWO_DIGIT_YEAR,
    ITEM_FRACTION,
    ITEM_NAME,
    ITEM_OFFSET,
    ITEM_ZONE_NAME,
    ITEM_ZONE_ID
};

struct item {
    enum item_kind kind;
    enum ps_joda_field field;
    unsigned digits_max;
    bool is_signed, lenient; /* is_signed: for numbers; lenient: for two-digit years */
    struct ps_slice text;
};

struct ps_joda_date {
    struct item items[PS_JODA_FIELDS_MAX];
    size_t count;
    int pivot_year, pivot_weekyear;
    const struct ps_time_zone *zone;
    const struct ps_joda_zones *zones; /* NULL: the pattern contains no zone */
};
