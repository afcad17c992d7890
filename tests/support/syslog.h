/* Runs the two syslog parsers and prints their events, one line each: headers sorted by name as "name=value ", then "| "
 * and the body; bytes that are not printable ASCII as \xNN. The line is "(none)" if there is no event yet, "(dropped)" if
 * the message is dropped. */
#pragma once

#include "tests/support/stage.h"

struct ps_test_syslog {
    const char *mode; /* "single" (a stream), "udp", "multi" */
    const char *zone; /* e.g. "Europe/Berlin" */
    int64_t now_ms;
    const char *keep_fields;
    uint32_t size_max;
    uint32_t batch_events; /* the events that a batch has at most; 0: all events are in one */
    bool structured;       /* the fields of RFC 5424 become the headers f0, f1, .. */
};

/* Parses these bytes and returns the printed events; the caller frees them. `format`: the format.* keys of
 * "single" and "udp"; may be NULL. */
char *ps_test_syslog_run(const struct ps_test_syslog *how, const struct ps_pairs *format, const char *data,
                         size_t length);
