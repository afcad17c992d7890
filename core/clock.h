/* Time is an argument: no stage reads a clock in `work`, so tests/sim can run a whole agent with a made-up
 * one. */
#pragma once

#include "core/base.h"

#include <time.h>

struct ps_now {
    uint64_t mono_ns; /* monotonic */
    int64_t wall_ms;  /* since the epoch */
};

#define PS_NEVER UINT64_MAX
#define PS_NS_PER_MS UINT64_C(1000000)
#define PS_NS_PER_S UINT64_C(1000000000)

/* Returns the time of a clock of clock_gettime(2), such as CLOCK_MONOTONIC. Thread: any. */
uint64_t ps_clock_ns(clockid_t clock);

/* Reads the real clocks. Thread: any. */
struct ps_now ps_clock_now(void);

/* Prints a time, in seconds since the epoch, in UTC by a format of strftime(3). Returns the length in bytes; 0 when
 * there is no room, or when the year does not fit into an int. Thread: any. */
size_t ps_utc_print(char *to, size_t room, const char *format, int64_t wall_s);
