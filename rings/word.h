/* A word that one thread writes and others read, in order with all other reads and writes of these threads, also
 * with those of other such words: if two threads each write their own word and then read the other's, at least one
 * sees the new word of the other. */
#pragma once

#include "rings/base.h"

/* Thread: the writer. */
static inline void ps_word_set(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* Thread: any. */
static inline uint64_t ps_word_get(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}
