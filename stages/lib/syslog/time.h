/* Parses time stamps as the two syslog parsers of Flume 1.11 do: with java.text.SimpleDateFormat and
 * GregorianCalendar (lenient, local zone) for the single-port sources, with Joda-Time (strict, UTC) for the
 * multi-port source.
 *
 * The caller provides the zone and the current time. Each worker has its own object, which caches the last
 * results because stamps repeat. Thread: the owner's. Never allocates. */
#pragma once

#include "stages/lib/date/calendar.h"
#include "stages/lib/date/time_zone.h"

struct ps_syslog_time {
    const struct ps_time_zone *zone;
    int64_t now_ms; /* set by ps_syslog_time_now */
    int64_t now_s;
    bool into_second;         /* now is after the start of the current second, not at it */
    int utc_year, local_year; /* the current year */
    struct {                  /* the last stamp without a year */
        char text[24];
        uint32_t length;
        bool into_second;
        int64_t now_s, ms;
    } recent[2]; /* [0] by the local rules, [1] by the UTC rules */
    struct {     /* the last "yyyy-MM-ddTHH:mm" */
        char text[16];
        int64_t local_s, utc_s;                                             /* start of that minute */
        enum { PS_MINUTE_NONE, PS_MINUTE_LENIENT, PS_MINUTE_STRICT } known; /* the rules that parsed it */
    } minute;
};

/* `zone` must outlive `time`; only the single-port rules and the current year use it. */
void ps_syslog_time_init(struct ps_syslog_time *time, const struct ps_time_zone *zone);

/* Sets the current time, which stamps are compared with. Cheap; call it once per `work`. */
void ps_syslog_time_now(struct ps_syslog_time *time, int64_t wall_ms);

/* Parses a stamp without a year ("Oct 11 22:14:15", with the blanks that Flume's pattern allows) as
 * SimpleDateFormat("yyyyMMM d HH:mm:ss", ENGLISH) does, in the local zone and the current UTC year. Moves it
 * by a year when it is more than one month ahead or eleven months behind (SyslogUtils.formatHeaders). Returns
 * false when it is not a time. */
bool ps_syslog_time_local3164(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms);

/* Parses a stamp that Flume's pattern matched as SimpleDateFormat does with "yyyy-MM-dd'T'HH:mm:ss" followed
 * by ".S", ".SZ", "Z" or "". A stamp with a fraction is local time, even if a zone follows, because the first
 * format stops reading there; the fraction is read as a number of milliseconds. */
bool ps_syslog_time_local5424(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms);

/* SyslogParser.parseRfc3164Time for a stamp of 15 characters. Returns ms in UTC: in the current year if the
 * time is then within a month of now, else in 1999 (stamp ahead) or 2001 (stamp behind), because Joda's default
 * year is 2000; 0 when it is not a date. */
int64_t ps_syslog_time_utc3164(struct ps_syslog_time *time, const char *text, uint32_t length);

/* SyslogParser.parseRfc5424Date. Returns false when the stamp is not a date. */
bool ps_syslog_time_utc5424(struct ps_syslog_time *time, const char *text, uint32_t length, int64_t *ms);
