/* A switch one thread sets and another looks at now and then, and a mark: a position one thread moves and
 * another follows, seeing everything written before the move. */
#pragma once

#include "core/base.h"

struct ps_flag {
    bool value;
};

/* No order with other memory: for "please do", "please stop". */
static inline void ps_flag_set(struct ps_flag *flag, bool value)
{
    __atomic_store_n(&flag->value, value, __ATOMIC_RELAXED);
}

static inline bool ps_flag_get(const struct ps_flag *flag)
{
    return __atomic_load_n(&flag->value, __ATOMIC_RELAXED);
}

struct ps_mark {
    uint64_t value;
};

/* Thread: the one writer. What it wrote before is seen by whoever reads this value. */
static inline void ps_mark_move(struct ps_mark *mark, uint64_t value)
{
    __atomic_store_n(&mark->value, value, __ATOMIC_RELEASE);
}

/* Thread: the one writer, reading back its own. */
static inline uint64_t ps_mark_own(const struct ps_mark *mark)
{
    return __atomic_load_n(&mark->value, __ATOMIC_RELAXED);
}

/* Thread: the follower. */
static inline uint64_t ps_mark_read(const struct ps_mark *mark)
{
    return __atomic_load_n(&mark->value, __ATOMIC_ACQUIRE);
}
