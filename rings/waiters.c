#include "rings/waiters.h"

#include <ck_pr.h>

bool ps_waiters_join(struct ps_waiters *waiters, unsigned worker)
{
    uint64_t bit = UINT64_C(1) << worker;
    return (__atomic_load_n(&waiters->workers, __ATOMIC_RELAXED) & bit) == 0 &&
           (__atomic_fetch_or(&waiters->workers, bit, __ATOMIC_ACQ_REL) & bit) == 0;
}

/* Acquire: a worker that was chosen sees the data that was published before. */
bool ps_waiters_leave(struct ps_waiters *waiters, unsigned worker)
{
    uint64_t bit = UINT64_C(1) << worker;
    return (__atomic_load_n(&waiters->workers, __ATOMIC_ACQUIRE) & bit) != 0 &&
           (__atomic_fetch_and(&waiters->workers, ~bit, __ATOMIC_ACQ_REL) & bit) != 0;
}

uint64_t ps_waiters_take_one(struct ps_waiters *waiters)
{
    ck_pr_fence_memory();
    uint64_t seen = __atomic_load_n(&waiters->workers, __ATOMIC_RELAXED);
    while (seen != 0 && !__atomic_compare_exchange_n(&waiters->workers, &seen, seen & (seen - 1), true,
                                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
    return seen & -seen;
}

uint64_t ps_waiters_take_all(struct ps_waiters *waiters)
{
    ck_pr_fence_memory();
    if (__atomic_load_n(&waiters->workers, __ATOMIC_RELAXED) == 0)
        return 0;
    return __atomic_exchange_n(&waiters->workers, 0, __ATOMIC_ACQ_REL);
}
