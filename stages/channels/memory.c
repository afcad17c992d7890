/* The memory channel (Flume: org.apache.flume.channel.MemoryChannel): a queue of leases between workers (stages/lib/queue/memory.h). It
 * never blocks, and never copies an event. */
#include "core/flow/engine_channel.h"
#include "stages/lib/queue/memory.h"
#include "stages/lib/seconds.h"

struct memory {
    int64_t capacity, transaction_capacity, keep_alive_s, byte_capacity, byte_buffer_percent;
    struct ps_memory_queue *memory; /* NULL until `build` */
};

static const struct ps_option options[] = {
    PS_OPTION_ROW("capacity", INT, offsetof(struct memory, capacity),
                  "maximum number of events in the channel; events that a sink has in flight do not count",
                  .fallback = "100", .min = 1, .max = INT32_MAX, .unit = "events",
                  .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "transactionCapacity", INT, offsetof(struct memory, transaction_capacity),
        "must not exceed capacity, as in Flume; does not size batches here (they are at most capacity/4)",
        .fallback = "100", .min = 1, .max = INT32_MAX, .unit = "events", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "keep-alive", INT, offsetof(struct memory, keep_alive_s),
        "how long a source that must answer its client waits for room before it refuses; below 0 counts "
        "as 0",
        .fallback = "3", .min = INT32_MIN, .max = INT32_MAX, .unit = "s", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "byteCapacity", INT, offsetof(struct memory, byte_capacity),
        "maximum number of bytes of bodies; 0 = unlimited (the memory budget still applies); unset: 40 "
        "% of the memory "
        "budget",
        .fallback = "-1", .min = -1, .max = INT64_MAX, .unit = "bytes", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW("byteCapacityBufferPercentage", INT, offsetof(struct memory, byte_buffer_percent),
                  "part of byteCapacity reserved for headers", .fallback = "20", .min = 0, .max = 100,
                  .unit = "%", .flags = PS_OPTION_LENIENT),
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
    ps_memory_queue_destroy(memory->memory);
    memory->memory = NULL;
}

static enum ps_status memory_build(void *plan, struct ps_context *context, struct ps_err *)
{
    struct memory *memory = plan;
    memory->memory = ps_memory_queue_create(&(struct ps_memory_queue_settings){
        .capacity = (uint64_t)memory->capacity,
        .bytes_max = ps_memory_queue_bytes_max(memory->byte_capacity, memory->byte_buffer_percent,
                                               context->memory_budget_bytes),
        .quota_bytes = context->channel_quota_bytes,
        .producers = context->producers,
        .consumers = context->consumers,
    });
    return PS_OK;
}

static struct ps_memory_queue *memory_of(const void *plan)
{
    return ((const struct memory *)plan)->memory;
}

/* Also called before `build`: the engine's plan needs the capacity. */
static void memory_fill(const void *plan, struct ps_fill *fill)
{
    if (memory_of(plan) != NULL)
        ps_memory_queue_fill(memory_of(plan), fill);
    else
        *fill = (struct ps_fill){.capacity = (uint64_t)((const struct memory *)plan)->capacity};
}

static enum ps_put memory_put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *)
{
    return ps_memory_queue_put(memory_of(plan), producer, lease);
}

static struct ps_lease *memory_take(void *plan, unsigned consumer, struct ps_port *, const struct ps_now *)
{
    struct ps_lease *lease = ps_memory_queue_take_back(memory_of(plan), consumer);
    return lease != NULL ? lease : ps_memory_queue_take(memory_of(plan), consumer);
}

static uint64_t memory_consumer_tick(void *plan, unsigned consumer, struct ps_port *,
                                     const struct ps_now *now)
{
    return ps_memory_queue_consumer_tick(memory_of(plan), consumer, now);
}

static void memory_done(void *, unsigned, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

static void memory_untake(void *plan, unsigned consumer, struct ps_lease **lease)
{
    ps_memory_queue_untake(memory_of(plan), consumer, lease);
}

static bool memory_hungry(const void *plan, unsigned producer)
{
    return ps_memory_queue_hungry(memory_of(plan), producer);
}

static void memory_ring(const void *plan, unsigned producer, struct ps_fill *fill)
{
    ps_memory_queue_ring(memory_of(plan), producer, fill);
}

static uint64_t memory_keep_alive_ms(const void *plan)
{
    return ps_ms_of_seconds(((const struct memory *)plan)->keep_alive_s);
}

static uint64_t memory_reserve(void *plan, unsigned producer, uint64_t events)
{
    return ps_memory_queue_reserve(memory_of(plan), producer, events);
}

static struct ps_lease *memory_strip(void *plan)
{
    return ps_memory_queue_strip(memory_of(plan));
}

static void memory_restore(void *plan, struct ps_lease *list)
{
    ps_memory_queue_restore(memory_of(plan), list);
}

static void memory_set_quota(void *plan, uint64_t channel_quota_bytes)
{
    ps_memory_queue_set_quota(memory_of(plan), channel_quota_bytes);
}

static struct ps_lease *memory_withdraw(void *plan, bool (*is_wanted)(const struct ps_lease *lease))
{
    return ps_memory_queue_withdraw(memory_of(plan), is_wanted);
}

const struct ps_stage_ops ps_channel_memory = {
    PS_STAGE(PS_KIND_CHANNEL),
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
            .promises = PS_LEVEL_ACCEPTED,
            .put = memory_put,
            .consumer_tick = memory_consumer_tick,
            .take = memory_take,
            .done = memory_done,
            .untake = memory_untake,
            .hungry = memory_hungry,
            .fill = memory_fill,
            .keep_alive_ms = memory_keep_alive_ms,
            .engine =
                &(const struct ps_engine_channel_ops){
                    .shares_given_back = true,
                    .ring = memory_ring,
                    .strip = memory_strip,
                    .restore = memory_restore,
                    .set_quota = memory_set_quota,
                    .withdraw = memory_withdraw,
                    .reserve = memory_reserve,
                },
        },
};
