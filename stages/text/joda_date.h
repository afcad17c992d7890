/* Reading dates by a Joda-Time pattern (org.joda.time.format.DateTimeFormat 2.9.9), as regex_extractor's
 * RegexExtractorInterceptorMillisSerializer does: strict, the whole text, English names, the process's own
 * zone unless the text has one. Letters: G C Y x w e E y D M d a K h H k m s S z Z and text between ' marks.
 *
 * Other than Joda-Time: zones are the system's (Joda-Time brings its own of 2017), and letters beyond ASCII
 * in a pattern's text are compared exactly. */
#pragma once

#include "core/arena.h"
#include "core/status.h"

struct ps_joda_date;

/* Const from then on, lives in `arena`. `now_ms` gives two-digit years their century. NULL: `err` names the
 * letter. Thread: control; reads time zone files. */
const struct ps_joda_date *ps_joda_date_create(struct ps_arena *arena, const char *pattern, int64_t now_ms,
                                               struct ps_err *err);

/* DateTimeFormatter.parseDateTime(text).getMillis(). False: it throws (no such date, a wall clock reading
 * that daylight saving skips, something before or after it). Thread: any; never allocates. */
bool ps_joda_date_parse(const struct ps_joda_date *date, const char *text, size_t length, int64_t *ms);
