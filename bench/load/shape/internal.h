/* Internal to the shapes: reads traces. Set-up only. */
#pragma once

#include "bench/load/shape/shape.h"

/* The unit of whole numbers in a trace; numbers with a decimal point are always seconds. */
enum ps_trace_unit { PS_TRACE_NS, PS_TRACE_US, PS_TRACE_MS, PS_TRACE_S };

enum ps_trace_line {
    PS_TRACE_LINE_NONE,   /* blank, or a comment */
    PS_TRACE_LINE_OFFSET, /* a number */
    PS_TRACE_LINE_TIME,   /* an ISO 8601 time: nanoseconds since the epoch */
    PS_TRACE_LINE_BAD,
};

/* Reads one line, which need not be terminated; ignores everything after the first word. Thread: any. */
enum ps_trace_line ps_trace_line_read(const char *line, size_t length, enum ps_trace_unit unit, int64_t *ns);

/* Reads the arrivals of a file: ascending, the first at 0, `speed` times as fast as recorded. */
enum ps_status ps_trace_read(const char *path, enum ps_trace_unit unit, double speed, uint64_t **trace_ns,
                             uint64_t *count, struct ps_err *err);
