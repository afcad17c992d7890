#include "rings/mpmc.h"

#include "rings/ring.h"
#include "rings/tsan.h"

struct ps_mpmc {
    struct ps_ring ring;
};

struct ps_mpmc *ps_mpmc_create(size_t capacity)
{
    return (struct ps_mpmc *)ps_ring_create(capacity);
}

void ps_mpmc_destroy(struct ps_mpmc *ring)
{
    ps_ring_destroy((struct ps_ring *)ring);
}

bool ps_mpmc_push(struct ps_mpmc *ring, void *entry)
{
    PS_TSAN_RELEASE(entry);
    return ck_ring_enqueue_mpmc(&ring->ring.ring, ring->ring.slots, entry);
}

void *ps_mpmc_pop(struct ps_mpmc *ring)
{
    void *entry = NULL;
    if (!ck_ring_dequeue_mpmc(&ring->ring.ring, ring->ring.slots, &entry))
        return NULL;
    PS_TSAN_ACQUIRE(entry);
    return entry;
}

size_t ps_mpmc_count(const struct ps_mpmc *ring)
{
    return ck_ring_size(&ring->ring.ring);
}

size_t ps_mpmc_capacity(const struct ps_mpmc *ring)
{
    return ps_ring_capacity(&ring->ring);
}
