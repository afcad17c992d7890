/* Reading dates by a java.text.SimpleDateFormat pattern, lenient, English names: format.dateFormat of the
 * syslog sources. Letters y M L d D H k h K m s S a E z Z X and quoted text; the calendar's others (G Y w W F
 * u) are refused by name. Const after create. */
#pragma once

#include "stages/text/time_zone.h"

struct ps_java_date;

/* NULL: `err` names the letter that is no pattern letter, or is not supported. Thread: control. */
struct ps_java_date *ps_java_date_create(const char *pattern, struct ps_err *err);
void ps_java_date_destroy(struct ps_java_date *date);

/* SimpleDateFormat.parse(text): what follows the date is ignored; fields may be out of range and roll over;
 * without a zone in the text it is `zone`. `now_ms` gives two-digit years their century. False:
 * ParseException. Thread: any. */
bool ps_java_date_parse(const struct ps_java_date *date, const struct ps_time_zone *zone, int64_t now_ms,
                        const char *text, size_t length, int64_t *ms);
