/* Flume's escapes in topics, paths and index names (org.apache.flume.formatter.output.BucketPath): %{header},
 * %a %A .. %Y %z, %t, %%, %[localhost] %[IP] %[FQDN]. A pattern is compiled once when a plan is built and
 * expanded for each event into the caller's buffer.
 *
 * As in Flume:
 * - Text that does not look like an escape is copied unchanged.
 * - A missing header and an unknown letter expand to nothing.
 * - Every %x, also %% and unknown letters, needs the event's header `timestamp` (ms), unless local time is
 *   used.
 * - Names of days and months are English.
 *
 * Thread: control compiles; each worker's state has its own cache. Expanding never allocates. */
#pragma once

#include "core/stage.h"

enum ps_escape_unit { PS_ESCAPE_SECOND, PS_ESCAPE_MINUTE, PS_ESCAPE_HOUR };

/* Finds a unit by its word, in upper or lower case: "second", "minute" or "hour". Returns false for any other
 * word: Flume then does not round. */
bool ps_escape_find_unit(const char *word, enum ps_escape_unit *unit);

struct ps_escape_options {
    bool round; /* times are rounded down to a multiple of `value` units, except %t */
    enum ps_escape_unit unit;
    int64_t value;         /* 0 and less mean 1; at most 60, or 24 hours */
    const char *time_zone; /* Java's name; NULL: the process's zone */
    bool local_time;       /* use the time at which the event is processed */
};

enum ps_escape_result {
    PS_ESCAPE_OK,
    PS_ESCAPE_NO_TIMESTAMP, /* the pattern needs a time, but the event has no header `timestamp` */
    /* the header is not a number, or the time is before 1970 and times are rounded */
    PS_ESCAPE_BAD_TIMESTAMP,
    PS_ESCAPE_TOO_LONG, /* the result does not fit into the buffer */
};

struct ps_escape;

/* Compiles a pattern into `arena`. Returns NULL with a message for an unknown %[name], more than 64
 * escapes, or rounding to a value out of range (where Flume fails every event). `options` NULL means: no
 * rounding, local zone, the time of the header. Thread: control. */
const struct ps_escape *ps_escape_compile(struct ps_arena *arena, const char *pattern,
                                          const struct ps_escape_options *options, struct ps_err *err);

/* For `check` of a stage: warns if the key's value is not a time zone (ps_escape_compile then uses GMT, as Java
 * does). `time_zone` NULL: the key is not set. Thread: control. */
void ps_escape_check_zone(const struct ps_context *context, const char *key, const char *time_zone);

/* For `check` of a stage: warns of each escape that Flume does not know and therefore drops or copies.
 * Thread: control. */
void ps_escape_check(const struct ps_context *context, const char *key, const char *pattern);

/* Returns whether a pattern writes this character, apart from the values of headers: in its literal text or,
 * for ':', by %c, the only escape of a time that writes a colon. */
bool ps_escape_writes(const char *pattern, char character);

/* Returns the expanded text if it is the same for all events, else NULL. */
const char *ps_escape_constant(const struct ps_escape *escape);

#define PS_ESCAPE_CACHE_BYTES 2048U
#define PS_ESCAPE_OPS_MAX 64U

/* The rendered times of the last second. The owner zeroes it before the first use. */
struct ps_escape_cache {
    bool valid;
    int64_t second; /* rounded */
    int64_t raw_second;
    uint16_t offsets[PS_ESCAPE_OPS_MAX];
    uint16_t lengths[PS_ESCAPE_OPS_MAX];
    char text[PS_ESCAPE_CACHE_BYTES];
};

/* Expands the pattern for an event: writes at most `room` bytes, without a terminating 0. Thread: the worker
 * that owns `cache`. */
enum ps_escape_result ps_escape_expand(const struct ps_escape *escape, struct ps_escape_cache *cache,
                                       const struct ps_batch *batch, const struct ps_event *event,
                                       const struct ps_now *now, char *out, uint32_t room, uint32_t *length);
