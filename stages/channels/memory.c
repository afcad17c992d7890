/* The memory channel (Flume: org.apache.flume.channel.MemoryChannel).
 *
 * It has one ring per producing worker: SPSC with one consumer, SPMC with several, so that no thread ever
 * waits for a descheduled thread. Leases that a sink gives back (Flume's rollback) go to an ordered list
 * of that consumer, which is served before the rings. Leases carried over by a reload are in one more
 * ring, which all consumers share.
 *
 * Fill level: every producer counts what it put and every consumer what it took, each in its own cache
 * line. The difference of the sums is the content; there is no shared counter. A batch is accepted while
 * the content is below capacity, so the capacity is exceeded by less than one batch per producer.
 *
 * The channel never blocks and never copies an event. */
#include <stdlib.h>
#include <string.h>

#include "core/stage.h"
#include "rings/spmc.h"
#include "rings/spsc.h"

#define RING_LEASES_MAX 16384 /* per producer; a full ring means a full channel, at any capacity */
#define HUNGRY_LEASES 2
/* Flume's default is 80 % of the JVM's heap. Here it is a share of the memory budget that lets two
 * channels whose sinks are down fit into it. */
#define BYTE_CAPACITY_PERCENT 40

/* The counts of one thread. Single writer; any thread reads. */
struct tally {
    uint64_t events, bytes;
    uint64_t memory; /* bytes with rows and headers */
} PS_ALIGNED_GAP;

struct consumer {
    struct tally taken;
    struct ps_lease *given_back; /* first = next to take */
    unsigned next_lane;
} PS_ALIGNED_GAP;

struct producer {
    struct tally put;
    struct ps_spsc *single; /* one of the two, by the number of consumers */
    struct ps_spmc *shared;
} PS_ALIGNED_GAP;

struct memory {
    int64_t capacity, transaction_capacity, keep_alive_s, byte_capacity, byte_buffer_percent;
    uint64_t bytes_max;   /* 0 = unlimited */
    uint64_t quota_bytes; /* of the memory budget */
    unsigned producer_count, consumer_count;
    unsigned taker_count; /* of `consumers`: at least 1, which a reload uses when there is no sink */
    struct producer *producers;
    struct consumer *consumers;
    struct ps_spmc *restored; /* leases from before a reload, taken before the producers' rings; or NULL */
};

static const struct ps_option options[] = {
    {.key = "capacity",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = offsetof(struct memory, capacity),
     .fallback = "100",
     .min = 1,
     .max = INT32_MAX,
     .unit = "events",
     .help = "maximum number of events in the channel; events that a sink has in flight do not count"},
    {.key = "transactionCapacity",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = offsetof(struct memory, transaction_capacity),
     .fallback = "100",
     .min = 1,
     .max = INT32_MAX,
     .unit = "events",
     .help =
         "must not exceed capacity, as in Flume; does not size batches here (they are at most capacity/4)"},
    {.key = "keep-alive",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = offsetof(struct memory, keep_alive_s),
     .fallback = "3",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "how long a source that must answer its client waits for room before it refuses"},
    {.key = "byteCapacity",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = offsetof(struct memory, byte_capacity),
     .fallback = "-1",
     .min = -1,
     .max = INT64_MAX,
     .unit = "bytes",
     .help = "most bytes of bodies; 0 = unlimited (the memory budget still holds); unset: 40 % of the memory "
             "budget"},
    {.key = "byteCapacityBufferPercentage",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = offsetof(struct memory, byte_buffer_percent),
     .fallback = "20",
     .min = 0,
     .max = 100,
     .unit = "%",
     .help = "part of byteCapacity reserved for headers"},
    PS_OPTION_END,
};

static enum ps_status memory_check(const void *plan, const struct ps_context *context)
{
    const struct memory *memory = plan;
    if (memory->transaction_capacity > memory->capacity) {
        ps_report(context, PS_LOG_ERROR, "transactionCapacity",
                  "transactionCapacity (%lld) is above capacity (%lld): raise capacity, or lower "
                  "transactionCapacity",
                  (long long)memory->transaction_capacity, (long long)memory->capacity);
        return PS_FAIL;
    }
    return PS_OK;
}

static void memory_teardown(void *plan)
{
    struct memory *memory = plan;
    for (unsigned i = 0; i < memory->producer_count && memory->producers != NULL; i++) {
        ps_spsc_destroy(memory->producers[i].single);
        ps_spmc_destroy(memory->producers[i].shared);
    }
    ps_spmc_destroy(memory->restored);
    free(memory->producers);
    free(memory->consumers);
    memory->producers = NULL;
    memory->consumers = NULL;
    memory->restored = NULL;
}

static enum ps_status memory_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    struct memory *memory = plan;
    (void)err;
    uint64_t bytes = memory->byte_capacity >= 0 ? (uint64_t)memory->byte_capacity
                                                : context->memory_budget_bytes / 100 * BYTE_CAPACITY_PERCENT;
    uint64_t percent = (uint64_t)(100 - memory->byte_buffer_percent);
    memory->bytes_max = bytes / 100 * percent + bytes % 100 * percent / 100;
    if (bytes > 0 && memory->bytes_max == 0)
        memory->bytes_max = 1;
    memory->quota_bytes = context->channel_quota_bytes;
    memory->producer_count = context->producers;
    memory->consumer_count = context->consumers;
    memory->taker_count = context->consumers > 0 ? context->consumers : 1;
    memory->producers =
        ps_must_alloc_aligned((context->producers + 1) * sizeof *memory->producers, "a channel");
    memory->consumers = ps_must_alloc_aligned(memory->taker_count * sizeof *memory->consumers, "a channel");
    size_t leases = memory->capacity < RING_LEASES_MAX ? (size_t)memory->capacity : RING_LEASES_MAX;
    for (unsigned i = 0; i < memory->producer_count; i++) {
        if (memory->consumer_count <= 1)
            memory->producers[i].single = ps_spsc_create(leases);
        else
            memory->producers[i].shared = ps_spmc_create(leases);
    }
    return PS_OK;
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

/* Returns how many bytes of the memory budget this channel's rings use. */
static uint64_t memory_quota_used(const struct memory *memory)
{
    uint64_t used = 0;
    for (unsigned i = 0; i < memory->producer_count; i++)
        used += __atomic_load_n(&memory->producers[i].put.memory, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < memory->taker_count; i++)
        used -= __atomic_load_n(&memory->consumers[i].taken.memory, __ATOMIC_RELAXED);
    return (int64_t)used > 0 ? used : 0;
}

/* Put minus taken. Read in this order the difference may be a moment too low, never below what later is true
 * of the caller's own puts; a read that overtakes a put and sees its take would be negative, and counts as
 * empty. */
static void memory_fill(const void *plan, struct ps_fill *fill)
{
    const struct memory *memory = plan;
    uint64_t events = 0, bytes = 0;
    for (unsigned i = 0; i < memory->producer_count; i++) {
        events += __atomic_load_n(&memory->producers[i].put.events, __ATOMIC_RELAXED);
        bytes += __atomic_load_n(&memory->producers[i].put.bytes, __ATOMIC_RELAXED);
    }
    for (unsigned i = 0; i < memory->taker_count; i++) {
        events -= __atomic_load_n(&memory->consumers[i].taken.events, __ATOMIC_RELAXED);
        bytes -= __atomic_load_n(&memory->consumers[i].taken.bytes, __ATOMIC_RELAXED);
    }
    *fill = (struct ps_fill){.size = (int64_t)events > 0 ? events : 0,
                             .capacity = (uint64_t)memory->capacity,
                             .bytes = (int64_t)bytes > 0 ? bytes : 0,
                             .bytes_capacity = memory->bytes_max};
}

static enum ps_put memory_put(void *plan, unsigned producer, struct ps_lease **lease,
                              const struct ps_now *now)
{
    struct memory *memory = plan;
    struct producer *mine = &memory->producers[producer];
    struct ps_fill fill;
    (void)now;
    memory_fill(memory, &fill);
    if (fill.size >= fill.capacity || (fill.bytes_capacity > 0 && fill.bytes >= fill.bytes_capacity) ||
        (memory->quota_bytes > 0 && memory_quota_used(memory) >= memory->quota_bytes))
        return PS_PUT_FULL;
    uint64_t events = (*lease)->count, bytes = (*lease)->bytes, size = (*lease)->memory_bytes;
    bool pushed =
        mine->single != NULL ? ps_spsc_push(mine->single, *lease) : ps_spmc_push(mine->shared, *lease);
    if (!pushed)
        return PS_PUT_FULL;
    *lease = NULL;
    tally_add(&mine->put, events, bytes, size);
    return PS_PUT_OK;
}

static struct ps_lease *memory_take(void *plan, unsigned consumer, const struct ps_now *now)
{
    struct memory *memory = plan;
    struct consumer *mine = &memory->consumers[consumer];
    struct ps_lease *lease = mine->given_back;
    (void)now;
    if (lease != NULL) {
        mine->given_back = lease->next;
        lease->next = NULL;
    } else if (memory->restored != NULL) {
        lease = ps_spmc_pop(memory->restored);
    }
    for (unsigned i = 0; lease == NULL && i < memory->producer_count; i++) {
        struct producer *lane = &memory->producers[mine->next_lane];
        mine->next_lane = mine->next_lane + 1 == memory->producer_count ? 0 : mine->next_lane + 1;
        lease = lane->single != NULL ? ps_spsc_pop(lane->single) : ps_spmc_pop(lane->shared);
    }
    if (lease != NULL)
        tally_add(&mine->taken, lease->count, lease->bytes, lease->memory_bytes);
    return lease;
}

static void memory_done(void *plan, unsigned consumer, struct ps_lease **lease, struct ps_port *port)
{
    (void)plan;
    (void)consumer;
    ps_port_home(port, lease);
}

static void memory_untake(void *plan, unsigned consumer, struct ps_lease **lease)
{
    struct memory *memory = plan;
    struct consumer *mine = &memory->consumers[consumer];
    tally_take_back(&mine->taken, *lease);
    (*lease)->next = mine->given_back;
    mine->given_back = *lease;
    *lease = NULL;
}

static bool memory_hungry(const void *plan, unsigned producer)
{
    const struct memory *memory = plan;
    const struct producer *mine = &memory->producers[producer];
    size_t count = mine->single != NULL ? ps_spsc_count(mine->single) : ps_spmc_count(mine->shared);
    if (memory->restored != NULL)
        count += ps_spmc_count(memory->restored);
    return count < HUNGRY_LEASES;
}

static void memory_ring(const void *plan, unsigned producer, struct ps_fill *fill)
{
    const struct memory *memory = plan;
    const struct producer *lane = &memory->producers[producer];
    *fill = (struct ps_fill){
        .size = lane->single != NULL ? ps_spsc_count(lane->single) : ps_spmc_count(lane->shared),
        .capacity = lane->single != NULL ? ps_spsc_capacity(lane->single) : ps_spmc_capacity(lane->shared)};
}

static uint64_t memory_keep_alive_ms(const void *plan)
{
    return (uint64_t)((const struct memory *)plan)->keep_alive_s * 1000;
}

/* Takes all leases out, oldest first: those given back are older than those in the rings. */
static struct ps_lease *memory_strip(void *plan)
{
    struct memory *memory = plan;
    struct ps_now now = {0};
    struct ps_lease *first = NULL, **end = &first;
    for (unsigned i = 0; i < memory->taker_count; i++) {
        while (memory->consumers[i].given_back != NULL) {
            *end = memory_take(memory, i, &now);
            end = &(*end)->next;
        }
    }
    while ((*end = memory_take(memory, 0, &now)) != NULL) /* consumer 0 exists even without a sink */
        end = &(*end)->next;
    *end = NULL;
    return first;
}

/* Puts the leases where all consumers can take them, because the destination of a single one may be down. */
static void memory_restore(void *plan, struct ps_lease *list)
{
    struct memory *memory = plan;
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

const struct ps_stage_ops ps_channel_memory = {
    .kind = PS_KIND_CHANNEL,
    .name = "memory",
    .aliases = PS_WORDS("org.apache.flume.channel.MemoryChannel"),
    .summary = "events in memory, between workers; its events are lost when the process dies",
    .options = options,
    .plan_size = sizeof(struct memory),
    .check = memory_check,
    .build = memory_build,
    .teardown = memory_teardown,
    .channel =
        &(const struct ps_channel_ops){
            .put = memory_put,
            .take = memory_take,
            .done = memory_done,
            .untake = memory_untake,
            .hungry = memory_hungry,
            .fill = memory_fill,
            .ring = memory_ring,
            .keep_alive_ms = memory_keep_alive_ms,
            .strip = memory_strip,
            .restore = memory_restore,
        },
};
