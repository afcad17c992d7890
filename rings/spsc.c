#include "rings/spsc.h"

#include "rings/ring.h"
#include "rings/tsan.h"

struct ps_spsc {
    struct ps_ring ring;
};

struct ps_spsc *ps_spsc_create(size_t capacity)
{
    return (struct ps_spsc *)ps_ring_create(capacity);
}

void ps_spsc_destroy(struct ps_spsc *ring)
{
    ps_ring_destroy((struct ps_ring *)ring);
}

bool ps_spsc_push(struct ps_spsc *ring, void *entry)
{
    PS_TSAN_RELEASE(entry);
    return ck_ring_enqueue_spsc(&ring->ring.ring, ring->ring.slots, entry);
}

void *ps_spsc_pop(struct ps_spsc *ring)
{
    void *entry = NULL;
    if (!ck_ring_dequeue_spsc(&ring->ring.ring, ring->ring.slots, &entry))
        return NULL;
    PS_TSAN_ACQUIRE(entry);
    return entry;
}

size_t ps_spsc_count(const struct ps_spsc *ring)
{
    return ck_ring_size(&ring->ring.ring);
}

size_t ps_spsc_capacity(const struct ps_spsc *ring)
{
    return ps_ring_capacity(&ring->ring);
}
