/* The shapes of time stamps and host names in the patterns of org.apache.flume.source.SyslogUtils. Functions of the header, because
 * they run for each message. Thread: any. */
#pragma once

#include "core/base.h"

/* java.util.regex's \d and \s, without flags. */
static inline bool ps_syslog_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ps_syslog_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Characters of a host name: bit 0: [\w\d.@-], any position; bit 1: \w, the first position. */
static const uint8_t ps_syslog_host_class[256] = {
    ['-'] = 1, ['.'] = 1, ['@'] = 1, ['_'] = 3, ['0' ... '9'] = 3, ['A' ... 'Z'] = 3, ['a' ... 'z'] = 3,
};

/* Matches "dddd-dd-ddTdd:dd:dd" with an optional fraction of 1 to 6 digits and an optional zone. Returns the
 * end of the stamp, or NULL. */
static inline const char *ps_syslog_stamp5424_end(const char *p, const char *end)
{
    static const char shape[] = "0000-00-00T00:00:00";
    if (end - p < 19)
        return NULL;
    for (int i = 0; i < 19; i++) {
        if (shape[i] == '0' ? !ps_syslog_is_digit(p[i]) : p[i] != shape[i])
            return NULL;
    }
    p += 19;
    if (end - p >= 2 && *p == '.' && ps_syslog_is_digit(p[1])) {
        p += 2;
        for (int digits = 1; digits < 6 && p < end && ps_syslog_is_digit(*p); digits++)
            p++;
    }
    if (p < end && *p == 'Z')
        return p + 1;
    if (end - p >= 6 && (*p == '+' || *p == '-') && ps_syslog_is_digit(p[1]) && ps_syslog_is_digit(p[2]) &&
        p[3] == ':' && ps_syslog_is_digit(p[4]) && ps_syslog_is_digit(p[5]))
        return p + 6;
    return p;
}

/* Matches "Mmm d hh:mm:ss" with one or two blanks before a day of one or two digits. Returns the end of the
 * stamp, or NULL. */
static inline const char *ps_syslog_stamp3164_end(const char *p, const char *end)
{
    static const char shape[] = "00:00:00";
    if (end - p < 14 || p[0] < 'A' || p[0] > 'Z' || p[1] < 'a' || p[1] > 'z' || p[2] < 'a' || p[2] > 'z' ||
        !ps_syslog_is_blank(p[3]))
        return NULL;
    p += ps_syslog_is_blank(p[4]) ? 5 : 4;
    if (!ps_syslog_is_digit(*p))
        return NULL;
    p += ps_syslog_is_digit(p[1]) ? 2 : 1;
    if (end - p < 9 || !ps_syslog_is_blank(*p))
        return NULL;
    p++;
    for (int i = 0; i < 8; i++) {
        if (shape[i] == '0' ? !ps_syslog_is_digit(p[i]) : p[i] != ':')
            return NULL;
    }
    return p + 8;
}
