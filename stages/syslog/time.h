/* Times as the two syslog parsers of Flume 1.11 understand them: java.text.SimpleDateFormat and
 * GregorianCalendar (lenient, local zone) for the single-port sources, Joda-Time (strict, UTC) for the
 * multi-port one.
 *
 * The zone is given, `now` is an argument. One object per worker: it remembers what it worked out last, since
 * stamps repeat. Thread: its owner's; never allocates. */
#pragma once

#include "stages/text/calendar.h"
#include "stages/text/time_zone.h"

struct ps_syslog_time {
    const struct ps_time_zone *zone;
    int64_t now_ms; /* as of ps_syslog_time_now */
    int64_t now_s;
    int utc_year, local_year; /* of now */
    struct {                  /* the last stamp without a year */
        char text[24];
        uint32_t length;
        int64_t now_s, ms;
    } recent[2]; /* local rule, UTC rule */
    struct {     /* the last "yyyy-MM-ddTHH:mm" */
        char text[16];
        int64_t local_s, utc_s;                                             /* of its start */
        enum { PS_MINUTE_NONE, PS_MINUTE_LENIENT, PS_MINUTE_STRICT } known; /* by which rules */
    } minute;
};

/* `zone` must outlive it; only the single-port rules and the current year use it. */
void ps_syslog_time_init(struct ps_syslog_time *time, const struct ps_time_zone *zone);

/* Sets the time that stamps are compared with. Cheap; call it once per `work`. */
void ps_syslog_time_now(struct ps_syslog_time *time, int64_t wall_ms);

/* What SimpleDateFormat("yyyyMMM d HH:mm:ss", ENGLISH) makes of `text` ("Oct 11 22:14:15", blanks as Flume's
 * pattern lets them through) with the current UTC year, moved by a year when it is more than a month ahead or
 * eleven months behind (SyslogUtils.formatHeaders). Local zone. False: no time. */
bool ps_syslog_time_local3164(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms);

/* What the formats ".S", ".SZ", "Z", "" behind "yyyy-MM-dd'T'HH:mm:ss" make of a stamp that Flume's pattern
 * matched. A stamp with a fraction is local time whatever zone follows, as the first format stops reading
 * there; the fraction is a number of milliseconds. */
bool ps_syslog_time_local5424(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms);

/* SyslogParser.parseRfc3164Time of 15 characters: UTC; within a month of now in the current year, else in
 * 1999 (ahead) or 2001 (behind), as Joda's default year is 2000; 0 when it is no date. */
int64_t ps_syslog_time_utc3164(struct ps_syslog_time *time, const char *text, uint32_t length);

/* SyslogParser.parseRfc5424Date. False: not a date. */
bool ps_syslog_time_utc5424(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms);
