/* Times of configuration that Flume takes whatever they are: one below 0 is no time. Thread: any. */
#pragma once

#include <stdint.h>

static inline uint64_t ps_ms_of_seconds(int64_t seconds)
{
    return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}
