/* The shared body of the three rings: a Concurrency Kit ring with its slots, kept away from its neighbours.
 * Internal to rings/. */
#pragma once

#include <ck_ring.h>

#include "rings/base.h"

/* ck_ring starts with its hot consumer index and is not aligned by itself; next-line prefetch reaches one
 * line past the slots. */
struct ps_ring {
    ck_ring_t ring PS_ALIGNED_GAP;
    char guard[PS_CACHE_GAP];
    ck_ring_buffer_t slots[] PS_ALIGNED_GAP;
};

/* Makes room for at least `capacity` entries (a ck_ring of size n holds n - 1). */
struct ps_ring *ps_ring_create(size_t capacity);
void ps_ring_destroy(struct ps_ring *ring);

static inline size_t ps_ring_capacity(const struct ps_ring *ring)
{
    return ck_ring_capacity(&ring->ring) - 1;
}
