/* The log's rate limit: a bounded table of (format string, component) with the lines that each wrote lately. Time is
 * an argument. Thread: the one that holds the log's mutex. */
#pragma once

#include "core/base.h"

#define PS_LOG_LIMIT_ENTRIES 256U
#define PS_LOG_LIMIT_WAYS 4U /* entries that one key may have; a new key replaces the oldest of them */
#define PS_LOG_LIMIT_LINES 10U
#define PS_LOG_LIMIT_WINDOW_NS UINT64_C(10000000000)
#define PS_LOG_LIMIT_TEXT 200U

struct ps_log_limit_entry {
    const char *format; /* compared as a pointer; NULL = free */
    uint64_t component_hash;
    uint64_t window_ns;                   /* when the window began */
    uint64_t held;                        /* lines held back since the last line that was written */
    uint64_t held_first_ns, held_last_ns; /* of these lines */
    uint32_t lines;                       /* written in this window */
    int level;
    char component[64];
    char text[PS_LOG_LIMIT_TEXT]; /* the last line held back, cut */
};

struct ps_log_limit {
    struct ps_log_limit_entry entries[PS_LOG_LIMIT_ENTRIES];
    uint64_t swept_ns;
    uint64_t distinct; /* number of new keys; a key that was evicted and comes back counts again */
};

/* Returns whether a line may be written now. True: *held is the number of lines held back before it, since
 * (*entry)->held_first_ns. False: *entry has counted the line; call ps_log_limit_hold with *entry and the line's text.
 * An evicted entry whose count was not written yet is copied to *evicted (evicted->held > 0): the caller writes the
 * count. */
bool ps_log_limit_admit(struct ps_log_limit *limit, const char *format, const char *component,
                        uint64_t mono_ns, uint64_t *held, struct ps_log_limit_entry **entry,
                        struct ps_log_limit_entry *evicted);

/* Keeps the text of the line held back, for the line with the count. */
void ps_log_limit_hold(struct ps_log_limit_entry *entry, int level, const char *component, const char *text);

/* Returns the next entry whose window is over (`all`: any) and whose count is not written yet; NULL when none is
 * left. The caller writes the line and sets `held` to 0. Searches the table at most once in each window unless
 * `all`. */
struct ps_log_limit_entry *ps_log_limit_owing(struct ps_log_limit *limit, uint64_t mono_ns, bool all);
