#include "rings/spmc.h"

#include "rings/ring.h"
#include "rings/tsan.h"

struct ps_spmc {
    struct ps_ring ring;
};

struct ps_spmc *ps_spmc_create(size_t capacity)
{
    return (struct ps_spmc *)ps_ring_create(capacity);
}

void ps_spmc_destroy(struct ps_spmc *ring)
{
    ps_ring_destroy((struct ps_ring *)ring);
}

bool ps_spmc_push(struct ps_spmc *ring, void *entry)
{
    PS_TSAN_RELEASE(entry);
    return ck_ring_enqueue_spmc(&ring->ring.ring, ring->ring.slots, entry);
}

void *ps_spmc_pop(struct ps_spmc *ring)
{
    void *entry = NULL;
    if (!ck_ring_dequeue_spmc(&ring->ring.ring, ring->ring.slots, &entry))
        return NULL;
    PS_TSAN_ACQUIRE(entry);
    return entry;
}

size_t ps_spmc_count(const struct ps_spmc *ring)
{
    return ck_ring_size(&ring->ring.ring);
}

size_t ps_spmc_capacity(const struct ps_spmc *ring)
{
    return ps_ring_capacity(&ring->ring);
}
