/* Ring for one producer and many consumers. A channel that several workers take from has one such ring for each
 * producing worker. A push is wait-free. A pop is lock-free: it retries when another consumer was faster, and never
 * waits for a descheduled consumer.
 *
 * Thread: one thread pushes, any pop. */
#pragma once

#include "rings/base.h"

struct ps_spmc;

/* Holds at least `capacity` pointers. */
struct ps_spmc *ps_spmc_create(size_t capacity);
void ps_spmc_destroy(struct ps_spmc *ring);

/* Returns false when full: an ordinary result, the pointer stays with the caller. */
bool ps_spmc_push(struct ps_spmc *ring, void *entry);
/* Returns NULL when empty. */
void *ps_spmc_pop(struct ps_spmc *ring);

/* Entries in the ring. Exact only for a caller that is the ring's only producer and consumer, otherwise an estimate. */
size_t ps_spmc_count(const struct ps_spmc *ring);
/* Returns the maximum number of pointers in the ring. */
size_t ps_spmc_capacity(const struct ps_spmc *ring);
