/* The lesser of two times or counts. Thread: any. */
#pragma once

#include <stdint.h>

static inline uint64_t ps_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
