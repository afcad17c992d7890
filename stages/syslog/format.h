/* The user's own message format of the single-port syslog sources: format.regex, format.search,
 * format.replace, format.dateFormat (SyslogUtils.addFormats). Tried before the built-in ones.
 *
 * The expression must match the whole message; its groups are 1 priority, 2 version, 3 time stamp, 4 host, 5
 * body. In the stamp every match of `search` is replaced (Java's replaceAll), then it is read by `dateFormat`
 * (java.text.SimpleDateFormat, lenient; what follows the date is ignored).
 * A format is const after create and shared; a matcher is one worker's. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/syslog/time.h"

struct ps_syslog_format;
struct ps_syslog_matcher;

/* NULL with an error: a bad expression, replacement or date pattern. Thread: control. */
struct ps_syslog_format *ps_syslog_format_create(const struct ps_pairs *pairs, struct ps_err *err);
void ps_syslog_format_destroy(struct ps_syslog_format *format);

struct ps_syslog_matcher *ps_syslog_matcher_create(const struct ps_syslog_format *format);
void ps_syslog_matcher_destroy(struct ps_syslog_matcher *matcher);

struct ps_syslog_match {
    struct ps_slice group[6]; /* 1..5; data NULL: did not take part or is not there */
    unsigned group_count;     /* groups the expression has, at most 5 */
    bool has_time;
    int64_t ms;
};

/* Matches well-formed UTF-8. False: no match, or given up (a bound on the matcher's work). */
bool ps_syslog_matcher_match(struct ps_syslog_matcher *matcher, struct ps_syslog_time *time, const char *text,
                             uint32_t length, struct ps_syslog_match *match);
