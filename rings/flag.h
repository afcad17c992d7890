/* Flag: one thread sets it, another reads it now and then. Mark: a position that one thread moves and another
 * follows; the follower sees everything that was written before the move. */
#pragma once

#include "rings/base.h"

struct ps_flag {
    bool value;
};

/* Not ordered with other memory: for requests ("start", "stop"). */
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

/* A thread that reads this value also sees everything written before. Thread: the one writer. */
static inline void ps_mark_move(struct ps_mark *mark, uint64_t value)
{
    __atomic_store_n(&mark->value, value, __ATOMIC_RELEASE);
}

/* The writer reads its own value. Thread: the one writer. */
static inline uint64_t ps_mark_own(const struct ps_mark *mark)
{
    return __atomic_load_n(&mark->value, __ATOMIC_RELAXED);
}

/* Thread: the follower. */
static inline uint64_t ps_mark_read(const struct ps_mark *mark)
{
    return __atomic_load_n(&mark->value, __ATOMIC_ACQUIRE);
}
