/* Parses dates with a java.text.SimpleDateFormat pattern, lenient, with English names: format.dateFormat
 * of the syslog sources. Supports the letters y M L d D H k h K m s S a E z Z X and quoted text. Refuses
 * the other letters of SimpleDateFormat (G Y w W F u) with an error. Const after create. */
#pragma once

#include "stages/lib/date/time_zone.h"

struct ps_java_date;

/* Returns NULL if a letter is not a pattern letter or not supported; `err` has the letter. Thread: control. */
struct ps_java_date *ps_java_date_create(const char *pattern, struct ps_err *err);
void ps_java_date_destroy(struct ps_java_date *date);

/* SimpleDateFormat.parse(text): ignores text after the date; fields that are out of range roll over. Uses
 * `zone` when the text has no zone, and `now_ms` to find the century of two-digit years. Returns false
 * where Java throws a ParseException. Thread: any. */
bool ps_java_date_parse(const struct ps_java_date *date, const struct ps_time_zone *zone, int64_t now_ms,
                        const char *text, size_t length, int64_t *ms);
