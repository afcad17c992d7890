/* Counts the holders of an object that several threads share; the last holder frees the object. The thread of the last
 * holder sees what the other holders wrote before they dropped the object. */
#pragma once

#include "rings/base.h"

struct ps_refcount {
    uint32_t count;
};

/* The caller is the first holder. Call it before another thread knows of the object. */
static inline void ps_refcount_init(struct ps_refcount *holders)
{
    holders->count = 1;
}

/* Adds a holder. Thread: any that holds the object. */
static inline void ps_refcount_add(struct ps_refcount *holders)
{
    __atomic_fetch_add(&holders->count, 1, __ATOMIC_RELAXED);
}

/* Removes the caller's hold. Returns whether it was the last hold. Thread: any that holds the object. */
static inline bool ps_refcount_drop(struct ps_refcount *holders)
{
    return __atomic_fetch_sub(&holders->count, 1, __ATOMIC_ACQ_REL) == 1;
}
