/* What a stage of a chain counts of its own: one number an instance, kept in the plan so that metrics may
 * read it while workers come and go. (Counters of the port are the source's.) Each instance has one writer,
 * its worker. */
#pragma once

#include "core/stage.h"

struct ps_tally {
    uint64_t *values; /* one a cache gap */
    unsigned count;
};

#define PS_TALLY_STRIDE (PS_CACHE_GAP / sizeof(uint64_t))

/* Thread: control, at build. */
static inline struct ps_tally ps_tally_make(const struct ps_context *context)
{
    return (struct ps_tally){ps_arena_alloc(context->arena, (size_t)context->instances * PS_CACHE_GAP),
                             context->instances};
}

/* Thread: the port's worker. */
static inline void ps_tally_add(const struct ps_tally *tally, const struct ps_port *port, uint64_t amount)
{
    uint64_t *value = &tally->values[port->instance * PS_TALLY_STRIDE];
    __atomic_store_n(value, *value + amount, __ATOMIC_RELAXED);
}

/* Thread: any. */
static inline uint64_t ps_tally_sum(const struct ps_tally *tally)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < tally->count; i++)
        sum += __atomic_load_n(&tally->values[i * PS_TALLY_STRIDE], __ATOMIC_RELAXED);
    return sum;
}
