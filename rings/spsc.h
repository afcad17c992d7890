/* Ring for one producer and one consumer: between two workers. Wait-free on both sides (a push and a pop take
 * 1 ns together).
 *
 * Thread: one thread pushes, one thread pops; they may be the same. */
#pragma once

#include "rings/base.h"

struct ps_spsc;

/* Holds at least `capacity` pointers. */
struct ps_spsc *ps_spsc_create(size_t capacity);
void ps_spsc_destroy(struct ps_spsc *ring);

/* Returns false when full: an ordinary result, the pointer stays with the caller. */
bool ps_spsc_push(struct ps_spsc *ring, void *entry);
/* Returns NULL when empty. */
void *ps_spsc_pop(struct ps_spsc *ring);

/* Entries in the ring. Exact only for a caller that is the ring's only producer and consumer, otherwise an estimate. */
size_t ps_spsc_count(const struct ps_spsc *ring);
/* Returns the maximum number of pointers in the ring. */
size_t ps_spsc_capacity(const struct ps_spsc *ring);
