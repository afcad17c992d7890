/* Statistically independent random numbers (not for secrets): xoshiro256**, seeded from the kernel (Blackman
 * and Vigna, "Scrambled linear pseudorandom number generators"). Thread: each worker's state has its own. */
#pragma once

#include "core/base.h"

struct ps_random {
    uint64_t words[4];
};

/* Seeds from getrandom(2), or from the clock when that fails. Thread: any; only at set-up. */
void ps_random_init(struct ps_random *random);

static inline uint64_t ps_random_next(struct ps_random *random)
{
    uint64_t *s = random->words;
    uint64_t scrambled = s[1] * 5;
    scrambled = ((scrambled << 7) | (scrambled >> 57)) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return scrambled;
}

/* Returns a number below `limit` (> 0), uniform except for a bias below 2^-32. */
static inline uint32_t ps_random_below(struct ps_random *random, uint32_t limit)
{
    return (uint32_t)(((ps_random_next(random) >> 32) * limit) >> 32);
}
