/* The cost of a hop: push and pop, and a full hop there and back. */
#include "bench/suite/micro/micro.h"
#include "rings/inbox.h"
#include "rings/mpmc.h"
#include "rings/spmc.h"
#include "rings/spsc.h"

#define ROUND 1000

static char something;

static void bench_spsc(struct ps_micro *micro)
{
    struct ps_spsc *ring = ps_spsc_create(1024);
    while (ps_micro_batch(micro, ROUND)) {
        for (int i = 0; i < ROUND; i++) {
            PS_ASSERT(ps_spsc_push(ring, &something));
            PS_ASSERT(ps_spsc_pop(ring) == &something);
        }
    }
    ps_spsc_destroy(ring);
}

static void bench_spmc(struct ps_micro *micro)
{
    struct ps_spmc *ring = ps_spmc_create(1024);
    while (ps_micro_batch(micro, ROUND)) {
        for (int i = 0; i < ROUND; i++) {
            PS_ASSERT(ps_spmc_push(ring, &something));
            PS_ASSERT(ps_spmc_pop(ring) == &something);
        }
    }
    ps_spmc_destroy(ring);
}

static void bench_mpmc(struct ps_micro *micro)
{
    struct ps_mpmc *ring = ps_mpmc_create(1024);
    while (ps_micro_batch(micro, ROUND)) {
        for (int i = 0; i < ROUND; i++) {
            PS_ASSERT(ps_mpmc_push(ring, &something));
            PS_ASSERT(ps_mpmc_pop(ring) == &something);
        }
    }
    ps_mpmc_destroy(ring);
}

/* There through a ring, and back through an inbox. */
static void bench_two(struct ps_micro *micro)
{
    struct ps_spsc *there = ps_spsc_create(1024);
    static struct ps_inbox back;
    static struct ps_inbox_node node;
    while (ps_micro_batch(micro, ROUND)) {
        for (int i = 0; i < ROUND; i++) {
            PS_ASSERT(ps_spsc_push(there, &node));
            ps_inbox_put(&back, ps_spsc_pop(there));
            PS_ASSERT(ps_inbox_take(&back) == &node);
        }
    }
    ps_spsc_destroy(there);
}

void ps_micro_rings(void)
{
    ps_micro_add("rings/spsc", bench_spsc);
    ps_micro_add("rings/spmc", bench_spmc);
    ps_micro_add("rings/mpmc", bench_mpmc);
    ps_micro_add("rings/there_and_back", bench_two);
}
