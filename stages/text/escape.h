/* Flume's escapes in topics, paths and index names (org.apache.flume.formatter.output.BucketPath):
 * %{header}, %a %A .. %Y %z, %t, %%, %[localhost] %[IP] %[FQDN]; compiled once when a plan is built, expanded
 * for each event into the caller's buffer.
 *
 * As in Flume: what does not look like an escape stays as it is; a header that is missing gives nothing; an
 * unknown letter gives nothing; every %x, also %% and the unknown ones, needs the event's header `timestamp`
 * (ms), unless local time is used. Names of days and months are English. Thread: compile on the control
 * thread; a cache belongs to one worker's state. Never allocates when expanding. */
#pragma once

#include "core/stage.h"

enum ps_escape_unit { PS_ESCAPE_SECOND, PS_ESCAPE_MINUTE, PS_ESCAPE_HOUR };

struct ps_escape_options {
    bool round; /* times are rounded down to a multiple of `value` units; %t is not */
    enum ps_escape_unit unit;
    int64_t value;         /* 0 and less = 1; at most 60, or 24 hours: else every event fails, as in Flume */
    const char *time_zone; /* Java's name; NULL = the process's */
    bool local_time;       /* use the time at which the event is handled */
};

enum ps_escape_result {
    PS_ESCAPE_OK,
    PS_ESCAPE_NO_TIMESTAMP,  /* a time is needed, the event has no header `timestamp` */
    PS_ESCAPE_BAD_TIMESTAMP, /* it is no number, or rounding needs a time after 1970 */
    PS_ESCAPE_TOO_LONG,      /* does not fit the buffer */
};

struct ps_escape;

/* NULL with a message: an unknown %[name], more than 64 escapes, or rounding to a value out of range.
 * `options` may be NULL: no rounding, local zone, the header's time. */
const struct ps_escape *ps_escape_compile(struct ps_arena *arena, const char *pattern,
                                          const struct ps_escape_options *options, struct ps_err *err);

/* The text when it is the same for all events, or NULL. */
const char *ps_escape_constant(const struct ps_escape *escape);

#define PS_ESCAPE_CACHE_BYTES 2048U
#define PS_ESCAPE_OPS_MAX 64U

/* The times of the last second rendered. Zeroed before the first use. */
struct ps_escape_cache {
    bool valid;
    int64_t second; /* rounded */
    int64_t raw_second;
    uint16_t offsets[PS_ESCAPE_OPS_MAX];
    uint16_t lengths[PS_ESCAPE_OPS_MAX];
    char text[PS_ESCAPE_CACHE_BYTES];
};

/* Writes at most `room` bytes, not terminated. */
enum ps_escape_result ps_escape_expand(const struct ps_escape *escape, struct ps_escape_cache *cache,
                                       const struct ps_batch *batch, const struct ps_event *event,
                                       const struct ps_now *now, char *out, uint32_t room, uint32_t *length);
