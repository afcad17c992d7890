/* Single producer, single consumer: the hop between two workers, and the way home. Wait-free on both sides (1
 * ns a pair).
 *
 * Thread: one thread pushes, one thread pops; they may be the same. */
#pragma once

#include "core/base.h"

struct ps_spsc;

/* Holds at least `capacity` pointers. */
struct ps_spsc *ps_spsc_create(size_t capacity);
void ps_spsc_destroy(struct ps_spsc *ring);

/* False when full: an ordinary return, the pointer stays with the caller. */
bool ps_spsc_push(struct ps_spsc *ring, void *entry);
/* NULL when empty. */
void *ps_spsc_pop(struct ps_spsc *ring);

/* Entries in the ring; exact only for a caller that is its one producer and consumer, else a moment's
 * estimate. */
size_t ps_spsc_count(const struct ps_spsc *ring);
/* What it really holds. */
size_t ps_spsc_capacity(const struct ps_spsc *ring);
