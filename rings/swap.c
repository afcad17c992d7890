#include "rings/swap.h"

#include <urcu-qsbr.h>

#include "rings/tsan.h"

const char ps_swap_grace = 0;

void *ps_swap_read(const struct ps_swap *swap)
{
    void *current = rcu_dereference(swap->current);
    PS_TSAN_ACQUIRE(current);
    return current;
}

void *ps_swap_replace(struct ps_swap *swap, void *next)
{
    void *old = swap->current;
    PS_TSAN_RELEASE(next);
    rcu_assign_pointer(swap->current, next);
    urcu_qsbr_synchronize_rcu(); /* returns at once in a simulation, where no readers are registered */
    PS_TSAN_ACQUIRE(&ps_swap_grace);
    return old;
}
