/* The option keys and the part of the plan that syslogtcp and syslogudp share. */
#pragma once

#include "core/stage.h"
#include "stages/lib/syslog/single.h"

struct ps_syslog_source_options {
    const char *keep_fields, *client_ip_header, *client_host_header;
    struct ps_pairs format;
    bool structured;
};

#define PS_SYSLOG_SOURCE_OPTION_ROWS(plan_type, member)                                                      \
    PS_SYSLOG_STRUCTURED_OPTION_ROW(offsetof(plan_type, member.structured)),                                 \
        PS_OPTION_ROW(                                                                                       \
            "keepFields", TEXT, offsetof(plan_type, member.keep_fields),                                     \
            "none or false: the body is only the message; all or true: the whole line; or any of "           \
            "priority version timestamp hostname: these are put in front of the body, in this order",        \
            .fallback = "none"),                                                                             \
        PS_OPTION_ROW("clientIPHeader", TEXT, offsetof(plan_type, member.client_ip_header),                  \
                      "header for the sender's IP address", .flags = PS_OPTION_HEADER),                      \
        PS_OPTION_ROW(                                                                                       \
            "clientHostnameHeader", TEXT, offsetof(plan_type, member.client_host_header),                    \
            "header for the sender's host name from the resolver, or its IP address if it has none",         \
            .flags = PS_OPTION_HEADER),                                                                      \
        PS_OPTION_ROW(                                                                                       \
            "format.", MAP, offsetof(plan_type, member.format),                                              \
            "format.regex, format.search, format.replace, format.dateFormat: your own message format, "      \
            "tried before the built-in ones; groups: 1 priority, 2 version, 3 time stamp, 4 host, "          \
            "5 body")

/* The part of the plan that `build` makes from these options. */
struct ps_syslog_source {
    struct ps_syslog_single_rules rules;
    struct ps_syslog_format *format;
    struct ps_syslog_client client; /* header names only */
};

/* Thread: control. */
enum ps_status ps_syslog_source_check(const struct ps_syslog_source_options *options,
                                      const struct ps_context *context);
enum ps_status ps_syslog_source_build(struct ps_syslog_source *source,
                                      const struct ps_syslog_source_options *options, int64_t event_size,
                                      bool datagrams, struct ps_context *context, struct ps_err *err);
void ps_syslog_source_teardown(struct ps_syslog_source *source);
