/* Decides when an error that every try meets again is logged: when it begins, when its text changes, and then after
 * 1, 2, 4, .. minutes, at least once an hour. {0}: no error so far. Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_log_backoff {
    uint64_t began_ns, due_ns, interval_ns; /* of the present text */
    uint64_t last_ns;                       /* of the last try */
    uint64_t tries;                         /* tries that met the error; 0: no error so far */
    uint32_t hash;                          /* of the text */
};

/* Counts one more try that met the error. Returns whether to log it now. `now_ns`: mono_ns. */
bool ps_log_backoff_says(struct ps_log_backoff *repeated, const char *text, uint64_t now_ns);

/* The same for errors whose end nobody reports: a try more than `gap_ns` after the previous one begins a new outage. */
bool ps_log_backoff_says_outage(struct ps_log_backoff *repeated, const char *text, uint64_t now_ns,
                                uint64_t gap_ns);

/* Copies the text without its digits, at most size - 1 bytes, for ps_log_backoff_says: reasons that differ only by numbers (names
 * of files, times) are then one error. Returns `key`. */
const char *ps_log_backoff_key(char *key, size_t size, const char *text);

#define PS_LOG_BACKOFF_BYTES 128U

/* Returns the text that the caller appends to the line: "; tries so far: 17, for 2 min", or "" for the first try. */
const char *ps_log_backoff_text(const struct ps_log_backoff *repeated, uint64_t now_ns,
                                char text[PS_LOG_BACKOFF_BYTES]);
