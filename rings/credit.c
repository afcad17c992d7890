#include "rings/credit.h"

/* The push and the pop of the entry order this addition before the taker's return. */
void ps_credit_spend(struct ps_credit *credit, uint64_t bytes)
{
    __atomic_fetch_add(&credit->waiting, bytes, __ATOMIC_RELAXED);
}

bool ps_credit_return(struct ps_credit *credit, uint64_t bytes)
{
    uint64_t left = __atomic_sub_fetch(&credit->waiting, bytes, __ATOMIC_SEQ_CST);
    return left < __atomic_load_n(&credit->below, __ATOMIC_SEQ_CST);
}

uint64_t ps_credit_waiting(const struct ps_credit *credit)
{
    return __atomic_load_n(&credit->waiting, __ATOMIC_SEQ_CST);
}

void ps_credit_ask(struct ps_credit *credit, uint64_t below)
{
    if (__atomic_load_n(&credit->below, __ATOMIC_RELAXED) != below) /* only the feeder writes it */
        __atomic_store_n(&credit->below, below, __ATOMIC_SEQ_CST);
}

bool ps_credit_is_answered(const struct ps_credit *credit)
{
    return __atomic_load_n(&credit->waiting, __ATOMIC_SEQ_CST) <
           __atomic_load_n(&credit->below, __ATOMIC_RELAXED);
}
