/* The fields of RFC 5424 behind the host: APP-NAME, PROCID, MSGID, STRUCTURED-DATA and MSG. Thread: any. */
#pragma once

#include "stages/lib/syslog/text.h"

enum { PS_SYSLOG_APP, PS_SYSLOG_PROCESS, PS_SYSLOG_MESSAGE_ID, PS_SYSLOG_DATA, PS_SYSLOG_STRUCTURED };

#define PS_SYSLOG_STRUCTURED_OPTION_ROW(plan_offset)                                                         \
    PS_OPTION_ROW("penstock.rfc5424.headers", BOOL, (plan_offset),                                           \
                  "true: the fields of an RFC 5424 message behind the host become the headers appname, "     \
                  "procid, msgid and "                                                                       \
                  "structured_data, and the body is the message behind them",                                \
                  .fallback = "false", .flags = PS_OPTION_EXTENSION)

struct ps_syslog_structured {
    struct ps_slice fields[PS_SYSLOG_STRUCTURED]; /* length 0: the field is "-" */
    struct ps_slice message;                      /* without its byte order mark */
};

/* Interns the names of the headers. Thread: control. */
void ps_syslog_structured_names(const struct ps_name *names[PS_SYSLOG_STRUCTURED]);

/* Splits the text behind the host. Returns false if it has not these fields. */
bool ps_syslog_structured_split(const char *text, uint32_t length, struct ps_syslog_structured *structured);
