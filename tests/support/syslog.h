/* Runs Flume's two syslog parsers by hand and prints what they make, one line an event: headers sorted by
 * name as "name=value ", then "| " and the body; bytes that are not printable ASCII as \xNN. "(none)": no
 * event yet;
 * "(dropped)": no event. */
#pragma once

#include "tests/support/stage.h"

struct ps_test_syslog {
    const char *mode; /* "single" (a stream), "udp", "multi" */
    const char *zone; /* e.g. "Europe/Berlin" */
    int64_t now_ms;
    const char *keep_fields;
    uint32_t size_max;
};

/* What becomes of these bytes. Free the answer. `format` may be NULL (single and udp: format.* keys). */
char *ps_test_syslog_run(const struct ps_test_syslog *how, const struct ps_pairs *format, const char *data,
                         size_t length);
