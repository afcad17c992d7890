/* Parses dates with a Joda-Time pattern (org.joda.time.format.DateTimeFormat 2.9.9), as regex_extractor's
 * RegexExtractorInterceptorMillisSerializer does: strict, the whole text, with English names, in the
 * process's zone unless the text has one. Letters: G C Y x w e E y D M d a K h H k m s S z Z and text
 * between ' marks.
 *
 * Differences from Joda-Time: zones are the system's (Joda-Time has its own data of 2017), and letters
 * beyond ASCII in a pattern's literal text are compared with case. */
#pragma once

#include "core/arena.h"
#include "core/status.h"

struct ps_joda_date;

/* Compiles a pattern into `arena`; const after that. `now_ms` decides the century of two-digit years. Returns
 * NULL with the bad letter in `err`. Thread: control; reads time zone files. */
const struct ps_joda_date *ps_joda_date_create(struct ps_arena *arena, const char *pattern, int64_t now_ms,
                                               struct ps_err *err);

/* DateTimeFormatter.parseDateTime(text).getMillis(). Returns false where Joda-Time throws: the date does
 * not exist, daylight saving skips the time, or there is text before or after it. Thread: any; never
 * allocates. */
bool ps_joda_date_parse(const struct ps_joda_date *date, const char *text, size_t length, int64_t *ms);
