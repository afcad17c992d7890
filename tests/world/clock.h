/* The world's clocks. */
#pragma once

#include <time.h>

#include "tests/world/shared.h"

/* Returns the time of a clock in nanoseconds. CPU time is that of the monotonic clock. */
uint64_t clock_read(clockid_t clock);
/* Returns the moment, in world->now_ns, at which this clock shows `until`. */
uint64_t clock_deadline(clockid_t clock, const struct timespec *until);
/* Returns the moment that is `span` away; WORLD_NEVER for NULL. */
uint64_t clock_after(const struct timespec *span);
/* The same in milliseconds, as poll takes them: negative is for ever. */
uint64_t clock_after_ms(int span_ms);
