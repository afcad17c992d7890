/* A number that several threads add to and any thread reads. Changed seldom: for a group of blocks, never for
 * a batch. */
#pragma once

#include "rings/base.h"

struct ps_tally {
    uint64_t value;
};

static inline void ps_tally_add(struct ps_tally *gauge, int64_t amount)
{
    __atomic_fetch_add(&gauge->value, (uint64_t)amount, __ATOMIC_RELAXED);
}

static inline uint64_t ps_tally_read(const struct ps_tally *gauge)
{
    return __atomic_load_n(&gauge->value, __ATOMIC_RELAXED);
}
