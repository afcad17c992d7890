/* Single producer, many consumers: a channel that several workers take from has one per producing worker. A
 * push is wait-free; a pop is lock-free: it retries when another consumer was faster and never waits for one
 * that is descheduled.
 *
 * Thread: one thread pushes, any pop. */
#pragma once

#include "core/base.h"

struct ps_spmc;

/* Holds at least `capacity` pointers. */
struct ps_spmc *ps_spmc_create(size_t capacity);
void ps_spmc_destroy(struct ps_spmc *ring);

/* False when full: an ordinary return, the pointer stays with the caller. */
bool ps_spmc_push(struct ps_spmc *ring, void *entry);
/* NULL when empty. */
void *ps_spmc_pop(struct ps_spmc *ring);

/* Entries in the ring; exact only for a caller that is its one producer and consumer, else a moment's
 * estimate. */
size_t ps_spmc_count(const struct ps_spmc *ring);
/* What it really holds. */
size_t ps_spmc_capacity(const struct ps_spmc *ring);
