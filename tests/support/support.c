#include "tests/support/support.h"

#include <stdio.h>
#include <time.h>

uint64_t ps_test_seed(void)
{
    const char *text = getenv("PENSTOCK_SEED"), *base = getenv("PENSTOCK_SEED_BASE");
    uint64_t seed;
    if (text != NULL)
        seed = strtoull(text, NULL, 0);
    else
        seed = (base != NULL ? strtoull(base, NULL, 0) : (uint64_t)time(NULL)) * UINT64_C(2654435761);
    if (seed == 0)
        seed = 1;
    printf("seed: PENSTOCK_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

uint64_t ps_test_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}
