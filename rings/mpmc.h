/* Many producers, many consumers. A producer spins until those that began before it have published, so one
 * that is descheduled in the middle stalls the others: only between workers pinned one to a core, never
 * across an oversubscribed machine. Fan-in by one SPSC ring per producer is preferred.
 *
 * Thread: any push, any pop. */
#pragma once

#include "core/base.h"

struct ps_mpmc;

/* Holds at least `capacity` pointers. */
struct ps_mpmc *ps_mpmc_create(size_t capacity);
void ps_mpmc_destroy(struct ps_mpmc *ring);

/* False when full: an ordinary return, the pointer stays with the caller. */
bool ps_mpmc_push(struct ps_mpmc *ring, void *entry);
/* NULL when empty. */
void *ps_mpmc_pop(struct ps_mpmc *ring);

/* Entries in the ring; exact only for a caller that is its one producer and consumer, else a moment's
 * estimate. */
size_t ps_mpmc_count(const struct ps_mpmc *ring);
/* What it really holds. */
size_t ps_mpmc_capacity(const struct ps_mpmc *ring);
