#include "rings/ring.h"

#include <sys/mman.h>

static size_t ring_bytes(size_t size)
{
    return sizeof(struct ps_ring) + size * sizeof(ck_ring_buffer_t) + PS_CACHE_GAP;
}

struct ps_ring *ps_ring_create(size_t capacity)
{
    size_t size = 4;
    while (size < capacity + 1)
        size *= 2;
    PS_ASSERT(size <= UINT32_MAX / 2);
    /* Memory from the kernel is zeroed and aligned, and slots that are never used are never touched. */
    struct ps_ring *ring = mmap(NULL, ring_bytes(size), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ring == MAP_FAILED)
        ps_out_of_memory(ring_bytes(size), "a ring");
    ck_ring_init(&ring->ring, (unsigned)size);
    return ring;
}

void ps_ring_destroy(struct ps_ring *ring)
{
    if (ring != NULL)
        munmap(ring, ring_bytes(ck_ring_capacity(&ring->ring)));
}
