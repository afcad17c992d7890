/* Ring for many producers and many consumers.
 *
 * A producer spins until the producers that began before it have published. A producer that is descheduled in the
 * middle stalls the others, so this ring is only for workers pinned one to a core, never for an oversubscribed machine.
 * The engine therefore does not use it: it gives each producer an SPSC or SPMC ring. It is kept for comparison:
 * bench/suite/micro/rings.c measures what that choice saves, and tests/stress/rings_test.c holds all three to the same
 * rules.
 *
 * Thread: any push, any pop. */
#pragma once

#include "rings/base.h"

struct ps_mpmc;

/* Holds at least `capacity` pointers. */
struct ps_mpmc *ps_mpmc_create(size_t capacity);
void ps_mpmc_destroy(struct ps_mpmc *ring);

/* Returns false when full: an ordinary result, the pointer stays with the caller. */
bool ps_mpmc_push(struct ps_mpmc *ring, void *entry);
/* Returns NULL when empty. */
void *ps_mpmc_pop(struct ps_mpmc *ring);

/* Entries in the ring. Exact only for a caller that is the ring's only producer and consumer, otherwise an estimate. */
size_t ps_mpmc_count(const struct ps_mpmc *ring);
/* Returns the maximum number of pointers in the ring. */
size_t ps_mpmc_capacity(const struct ps_mpmc *ring);
