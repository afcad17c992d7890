/* A message format that the user defines for the single-port syslog sources with format.regex, format.search,
 * format.replace and format.dateFormat (SyslogUtils.addFormats). It is tried before the built-in formats.
 *
 * The expression must match the whole message. Its groups: 1 priority, 2 version, 3 time stamp, 4 host,
 * 5 body. In the time stamp, every match of `search` is replaced (Java's replaceAll); the result is parsed
 * with `dateFormat` (java.text.SimpleDateFormat, lenient; text after the date is ignored).
 *
 * A format is const after create and shared by all workers. Each worker has its own matcher. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/lib/syslog/time.h"

struct ps_syslog_format;
struct ps_syslog_matcher;

/* Compiles the format. Returns NULL with an error for a bad expression, replacement or date pattern; `*bad_key` then is
 * its key (bad_key may be NULL). Thread: control. */
struct ps_syslog_format *ps_syslog_format_create(const struct ps_pairs *pairs, const char **bad_key,
                                                 struct ps_err *err);
void ps_syslog_format_destroy(struct ps_syslog_format *format);

struct ps_syslog_matcher *ps_syslog_matcher_create(const struct ps_syslog_format *format);
void ps_syslog_matcher_destroy(struct ps_syslog_matcher *matcher);

struct ps_syslog_match {
    struct ps_slice group[6]; /* 1..5; data NULL: the group did not match or does not exist */
    unsigned group_count;     /* number of groups in the expression, at most 5 */
    bool has_time;
    int64_t ms;
};

/* Matches a message, which must be well-formed UTF-8. Returns false when it does not match or the matcher
 * reached its work limit. */
bool ps_syslog_matcher_match(struct ps_syslog_matcher *matcher, struct ps_syslog_time *time, const char *text,
                             uint32_t length, struct ps_syslog_match *match);
