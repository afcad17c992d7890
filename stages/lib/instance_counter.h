/* A counter of one stage of a chain: one number per instance, kept in the plan so that metrics can read it
 * while workers start and stop. (The counters of the port belong to the source.) Each instance has one
 * writer, its worker. */
#pragma once

#include "core/stage.h"

struct ps_instance_counter {
    uint64_t *values; /* one per PS_CACHE_GAP bytes: no two instances share a cache line */
    unsigned count;
};

#define PS_INSTANCE_COUNTER_STRIDE (PS_CACHE_GAP / sizeof(uint64_t))

/* Thread: control, at build. */
static inline struct ps_instance_counter ps_instance_counter_make(const struct ps_context *context)
{
    return (struct ps_instance_counter){
        ps_arena_alloc(context->arena, (size_t)context->instances * PS_CACHE_GAP), context->instances};
}

/* Thread: the port's worker. */
static inline void ps_instance_counter_add(const struct ps_instance_counter *counter,
                                           const struct ps_port *port, uint64_t amount)
{
    uint64_t *value = &counter->values[port->instance * PS_INSTANCE_COUNTER_STRIDE];
    __atomic_store_n(value, *value + amount, __ATOMIC_RELAXED);
}

/* Thread: any. */
static inline uint64_t ps_instance_counter_sum(const struct ps_instance_counter *counter)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < counter->count; i++)
        sum += __atomic_load_n(&counter->values[i * PS_INSTANCE_COUNTER_STRIDE], __ATOMIC_RELAXED);
    return sum;
}
