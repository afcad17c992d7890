/* Rings of leases, and their accounts. */
#include "stages/lib/queue/memory.h"

#include <stdlib.h>

#include "rings/spmc.h"
#include "rings/spsc.h"
#include "rings/word.h"
#include "stages/lib/queue/given_back.h"

/* Leases of one producer's ring. The queue also counts as full when the ring is full. With a limited share of the
 * memory budget this does not happen, because each lease uses at least LEASE_BYTES_MIN of it. */
#define RING_LEASES_MAX (1U << 20)
#define LEASE_BYTES_MIN 1024U
#define HUNGRY_LEASES 2
/* Flume's default is 80 % of the JVM's heap. Here it is a share of the memory budget with which two channels whose
 * sinks are down fit into the budget. */
#define BYTE_CAPACITY_PERCENT 40

/* The counts of one thread. Single writer; any thread reads. */
struct tally {
    uint64_t events, bytes;
    uint64_t memory; /* bytes with rows and headers */
} PS_ALIGNED_GAP;

struct consumer_state {
    struct tally taken;
    unsigned next_ring;
    bool found_nothing; /* by its last take */
} PS_ALIGNED_GAP;

struct producer_ring {
    struct tally put;
    uint64_t reserved;      /* events for which room is kept: single writer, any thread reads */
    struct ps_spsc *single; /* one of the two rings is used, depending on the number of consumers */
    struct ps_spmc *shared;
} PS_ALIGNED_GAP;

struct ps_memory_queue {
    struct ps_memory_queue_settings settings;
    /* number of `consumers`: at least 1, because a reload takes the leases as consumer 0 even without a sink */
    unsigned taker_count;
    struct producer_ring *rings;
    struct consumer_state *consumers;
    struct ps_inbox
        given_back; /* leases that a consumer gave back: the one at its head is taken next, by any */
    struct ps_spmc *restored; /* leases from before a reload, taken before the producers' rings; or NULL */
};

static uint64_t ring_leases(const struct ps_memory_queue_settings *settings)
{
    uint64_t leases = settings->capacity > 0 ? settings->capacity : 1;
    if (settings->quota_bytes > 0 && leases > settings->quota_bytes / LEASE_BYTES_MIN)
        leases = settings->quota_bytes / LEASE_BYTES_MIN + 1;
    return leases < RING_LEASES_MAX ? leases : RING_LEASES_MAX;
}

struct ps_memory_queue *ps_memory_queue_create(const struct ps_memory_queue_settings *settings)
{
    struct ps_memory_queue *memory = ps_must_alloc_aligned(sizeof *memory, "a channel");
    memory->settings = *settings;
    memory->taker_count = settings->consumers > 0 ? settings->consumers : 1;
    memory->rings = ps_must_alloc_aligned((settings->producers + 1) * sizeof *memory->rings, "a channel");
    memory->consumers = ps_must_alloc_aligned(memory->taker_count * sizeof *memory->consumers, "a channel");
    for (unsigned i = 0; i < settings->producers; i++) {
        if (settings->consumers <= 1)
            memory->rings[i].single = ps_spsc_create(ring_leases(settings));
        else
            memory->rings[i].shared = ps_spmc_create(ring_leases(settings));
    }
    return memory;
}

void ps_memory_queue_destroy(struct ps_memory_queue *memory)
{
    if (memory == NULL)
        return;
    for (unsigned i = 0; i < memory->settings.producers; i++) {
        ps_spsc_destroy(memory->rings[i].single);
        ps_spmc_destroy(memory->rings[i].shared);
    }
    ps_spmc_destroy(memory->restored);
    free(memory->rings);
    free(memory->consumers);
    free(memory);
}

uint64_t ps_memory_queue_bytes_max(int64_t byte_capacity, int64_t buffer_percent,
                                   uint64_t memory_budget_bytes)
{
    uint64_t bytes =
        byte_capacity >= 0 ? (uint64_t)byte_capacity : memory_budget_bytes / 100 * BYTE_CAPACITY_PERCENT;
    uint64_t percent = (uint64_t)(100 - buffer_percent);
    uint64_t most = bytes / 100 * percent + bytes % 100 * percent / 100;
    return bytes > 0 && most == 0 ? 1 : most;
}

static void tally_add(struct tally *tally, uint64_t events, uint64_t bytes, uint64_t memory)
{
    __atomic_store_n(&tally->events, tally->events + events, __ATOMIC_RELAXED);
    __atomic_store_n(&tally->bytes, tally->bytes + bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&tally->memory, tally->memory + memory, __ATOMIC_RELAXED);
}

static void tally_take_back(struct tally *tally, const struct ps_lease *lease)
{
    tally_add(tally, -(uint64_t)lease->count, -lease->bytes, -(uint64_t)lease->memory_bytes);
}

/* Returns how many bytes of the memory budget this queue uses. */
static uint64_t quota_used(const struct ps_memory_queue *memory)
{
    uint64_t used = 0;
    for (unsigned i = 0; i < memory->settings.producers; i++)
        used += __atomic_load_n(&memory->rings[i].put.memory, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < memory->taker_count; i++)
        used -= __atomic_load_n(&memory->consumers[i].taken.memory, __ATOMIC_RELAXED);
    return (int64_t)used > 0 ? used : 0;
}

/* Returns whether the share of the memory budget allows the lease. The share is never exceeded, so that full channels
 * leave the others their shares; only an empty queue takes any lease. */
static bool quota_allows(const struct ps_memory_queue *memory, uint64_t size)
{
    if (memory->settings.quota_bytes == 0)
        return true;
    uint64_t used = quota_used(memory);
    return used == 0 || used + size <= memory->settings.quota_bytes;
}

/* Sets `fill` to what was put less what was taken. With this order of reads the result may be too low for a moment, but
 * never too low for the caller's own puts. A negative difference (a take was read, but not its put) counts as empty. */
void ps_memory_queue_fill(const struct ps_memory_queue *memory, struct ps_fill *fill)
{
    uint64_t events = 0, bytes = 0;
    for (unsigned i = 0; i < memory->settings.producers; i++) {
        events += __atomic_load_n(&memory->rings[i].put.events, __ATOMIC_RELAXED);
        bytes += __atomic_load_n(&memory->rings[i].put.bytes, __ATOMIC_RELAXED);
    }
    for (unsigned i = 0; i < memory->taker_count; i++) {
        events -= __atomic_load_n(&memory->consumers[i].taken.events, __ATOMIC_RELAXED);
        bytes -= __atomic_load_n(&memory->consumers[i].taken.bytes, __ATOMIC_RELAXED);
    }
    *fill = (struct ps_fill){.size = (int64_t)events > 0 ? events : 0,
                             .capacity = memory->settings.capacity,
                             .bytes = (int64_t)bytes > 0 ? bytes : 0,
                             .bytes_capacity = memory->settings.bytes_max};
}

static uint64_t reserved(const struct ps_memory_queue *memory)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < memory->settings.producers; i++)
        events += ps_word_get(&memory->rings[i].reserved);
    return events;
}

/* Returns whether the limits of bytes allow a lease of this size. */
static bool has_bytes(const struct ps_memory_queue *memory, const struct ps_fill *fill, uint64_t size)
{
    return (fill->bytes_capacity == 0 || fill->bytes < fill->bytes_capacity) && quota_allows(memory, size);
}

enum ps_put ps_memory_queue_put(struct ps_memory_queue *memory, unsigned producer, struct ps_lease **lease)
{
    struct producer_ring *mine = &memory->rings[producer];
    uint64_t events = (*lease)->count, bytes = (*lease)->bytes, size = (*lease)->memory_bytes;
    struct ps_fill fill;
    bool promised = (*lease)->promised;
    ps_memory_queue_fill(memory, &fill);
    if (!promised && (fill.size + reserved(memory) >= fill.capacity || !has_bytes(memory, &fill, size)))
        return PS_PUT_FULL;
    bool pushed =
        mine->single != NULL ? ps_spsc_push(mine->single, *lease) : ps_spmc_push(mine->shared, *lease);
    if (!pushed)
        return PS_PUT_FULL;
    *lease = NULL;
    tally_add(&mine->put, events, bytes, size);
    if (promised)
        ps_word_set(&mine->reserved, events < mine->reserved ? mine->reserved - events : 0);
    return PS_PUT_OK;
}

/* If two producers ask at the same time, each sees the other's request: both may get less room than there is, but
 * never more. */
uint64_t ps_memory_queue_reserve(struct ps_memory_queue *memory, unsigned producer, uint64_t events)
{
    struct producer_ring *mine = &memory->rings[producer];
    uint64_t had = mine->reserved;
    struct ps_fill fill;
    if (events == had)
        return events;
    ps_word_set(&mine->reserved, events);
    if (events < had)
        return events;
    ps_memory_queue_fill(memory, &fill);
    uint64_t used = fill.size + reserved(memory), most = fill.capacity / 2;
    uint64_t excess = used > most ? used - most : 0;
    if (excess > events - had || !has_bytes(memory, &fill, 0))
        excess = events - had;
    ps_word_set(&mine->reserved, events - excess);
    return events - excess;
}

static void count_taken(struct consumer_state *consumer, const struct ps_lease *lease)
{
    tally_add(&consumer->taken, lease->count, lease->bytes, lease->memory_bytes);
}

static struct ps_lease *take_back(struct ps_memory_queue *memory, unsigned consumer)
{
    struct ps_lease *lease = ps_given_back_take(&memory->given_back);
    if (lease != NULL)
        count_taken(&memory->consumers[consumer], lease);
    return lease;
}

struct ps_lease *ps_memory_queue_take_back(struct ps_memory_queue *memory, unsigned consumer)
{
    struct ps_lease *lease = take_back(memory, consumer);
    if (lease != NULL)
        memory->consumers[consumer].found_nothing = false;
    return lease;
}

uint64_t ps_memory_queue_consumer_tick(const struct ps_memory_queue *memory, unsigned consumer,
                                       const struct ps_now *now)
{
    struct ps_fill fill;
    if (memory->taker_count == 1 || !memory->consumers[consumer].found_nothing)
        return PS_NEVER;
    ps_memory_queue_fill(memory, &fill);
    return fill.size > 0 ? now->mono_ns + PS_GIVEN_BACK_LOOK_NS : PS_NEVER;
}

static struct ps_lease *take_next(struct ps_memory_queue *memory, unsigned consumer)
{
    struct consumer_state *mine = &memory->consumers[consumer];
    struct ps_lease *lease = memory->restored != NULL ? ps_spmc_pop(memory->restored) : NULL;
    for (unsigned i = 0; lease == NULL && i < memory->settings.producers; i++) {
        struct producer_ring *ring = &memory->rings[mine->next_ring];
        mine->next_ring = mine->next_ring + 1 == memory->settings.producers ? 0 : mine->next_ring + 1;
        lease = ring->single != NULL ? ps_spsc_pop(ring->single) : ps_spmc_pop(ring->shared);
    }
    if (lease != NULL)
        count_taken(mine, lease);
    return lease;
}

struct ps_lease *ps_memory_queue_take(struct ps_memory_queue *memory, unsigned consumer)
{
    struct ps_lease *lease = take_next(memory, consumer);
    memory->consumers[consumer].found_nothing = lease == NULL;
    return lease;
}

void ps_memory_queue_untake(struct ps_memory_queue *memory, unsigned consumer, struct ps_lease **lease)
{
    struct consumer_state *mine = &memory->consumers[consumer];
    tally_take_back(&mine->taken, *lease);
    mine->found_nothing = false; /* it rests now, and knows that there is something */
    ps_given_back_put(&memory->given_back, lease);
}

bool ps_memory_queue_hungry(const struct ps_memory_queue *memory, unsigned producer)
{
    const struct producer_ring *mine = &memory->rings[producer];
    size_t count = mine->single != NULL ? ps_spsc_count(mine->single) : ps_spmc_count(mine->shared);
    if (memory->restored != NULL)
        count += ps_spmc_count(memory->restored);
    return count < HUNGRY_LEASES;
}

void ps_memory_queue_ring(const struct ps_memory_queue *memory, unsigned producer, struct ps_fill *fill)
{
    const struct producer_ring *ring = &memory->rings[producer];
    *fill = (struct ps_fill){
        .size = ring->single != NULL ? ps_spsc_count(ring->single) : ps_spmc_count(ring->shared),
        .capacity = ring->single != NULL ? ps_spsc_capacity(ring->single) : ps_spmc_capacity(ring->shared)};
}

struct ps_lease *ps_memory_queue_strip(struct ps_memory_queue *memory)
{
    struct ps_lease *first = NULL, **end = &first;
    /* Consumer 0 exists even without a sink. Its worker may be looking at `found_nothing`, which is left alone. */
    while ((*end = take_back(memory, 0)) != NULL)
        end = &(*end)->next;
    while ((*end = take_next(memory, 0)) != NULL)
        end = &(*end)->next;
    return first;
}

void ps_memory_queue_restore(struct ps_memory_queue *memory, struct ps_lease *list)
{
    size_t count = 0;
    PS_ASSERT(memory->restored == NULL);
    for (struct ps_lease *lease = list; lease != NULL; lease = lease->next)
        count++;
    memory->restored = ps_spmc_create(count);
    while (list != NULL) {
        struct ps_lease *lease = list;
        list = lease->next;
        lease->next = NULL;
        tally_take_back(&memory->consumers[0].taken, lease);
        bool pushed = ps_spmc_push(memory->restored, lease);
        PS_ASSERT(pushed);
    }
}

void ps_memory_queue_set_quota(struct ps_memory_queue *memory, uint64_t quota_bytes)
{
    memory->settings.quota_bytes = quota_bytes;
}

struct ps_lease *ps_memory_queue_withdraw(struct ps_memory_queue *memory,
                                          bool (*is_wanted)(const struct ps_lease *lease))
{
    struct ps_lease *wanted = NULL, **wanted_end = &wanted, *rest = NULL, **rest_end = &rest;
    for (struct ps_lease *lease = ps_memory_queue_strip(memory), *next; lease != NULL; lease = next) {
        struct ps_lease ***end = is_wanted(lease) ? &wanted_end : &rest_end;
        next = lease->next;
        lease->next = NULL;
        **end = lease;
        *end = &lease->next;
    }
    ps_spmc_destroy(memory->restored);
    memory->restored = NULL;
    if (rest != NULL)
        ps_memory_queue_restore(memory, rest);
    return wanted;
}
