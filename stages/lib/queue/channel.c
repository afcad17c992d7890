#include "core/flow/engine_channel.h"
#include "stages/lib/queue/channel.h"

static struct ps_queue *queue_of(const void *plan)
{
    return ((const struct ps_queue_channel *)plan)->queue;
}

static uint64_t capacity_of(const struct ps_queue_channel *channel)
{
    return channel->capacity > 0 ? (uint64_t)channel->capacity : 0;
}

void ps_queue_channel_build(struct ps_queue_channel *channel, const struct ps_context *context,
                            struct ps_queue_settings settings, uint64_t keep_alive_ms)
{
    channel->keep_alive_ms = keep_alive_ms;
    settings.component = context->component;
    settings.capacity = capacity_of(channel);
    settings.keep_alive_ms = keep_alive_ms;
    settings.quota_bytes = context->channel_quota_bytes;
    settings.producers = context->producers;
    settings.consumers = context->consumers;
    channel->queue = ps_queue_create(&settings);
}

void ps_queue_channel_teardown(void *plan)
{
    struct ps_queue_channel *channel = plan;
    ps_queue_destroy(channel->queue);
    channel->queue = NULL;
}

static void channel_start(void *plan)
{
    ps_queue_start(queue_of(plan));
}

static enum ps_put channel_put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *)
{
    return ps_queue_put(queue_of(plan), producer, lease);
}

static uint64_t channel_tick(void *plan, unsigned producer, struct ps_port *port, const struct ps_now *)
{
    return ps_queue_tick(queue_of(plan), producer, port);
}

static uint64_t channel_consumer_tick(void *plan, unsigned consumer, struct ps_port *port,
                                      const struct ps_now *now)
{
    return ps_queue_consumer_tick(queue_of(plan), consumer, port, now);
}

static struct ps_lease *channel_take(void *plan, unsigned consumer, struct ps_port *port,
                                     const struct ps_now *now)
{
    return ps_queue_take(queue_of(plan), consumer, port, now);
}

static void channel_done(void *plan, unsigned consumer, struct ps_lease **lease, struct ps_port *port)
{
    ps_queue_done(queue_of(plan), consumer, lease, port);
}

static void channel_untake(void *plan, unsigned consumer, struct ps_lease **lease)
{
    ps_queue_untake(queue_of(plan), consumer, lease);
}

static void channel_leave(void *plan, unsigned consumer, struct ps_port *port)
{
    ps_queue_leave(queue_of(plan), consumer, port);
}

static bool channel_hungry(const void *plan, unsigned producer)
{
    return ps_queue_hungry(queue_of(plan), producer);
}

/* Also called before `build`, because the engine's plan needs the capacity to limit batches. */
static void channel_fill(const void *plan, struct ps_fill *fill)
{
    if (queue_of(plan) != NULL)
        ps_queue_fill(queue_of(plan), fill);
    else
        *fill = (struct ps_fill){.capacity = capacity_of(plan)};
}

static void channel_ring(const void *plan, unsigned producer, struct ps_fill *fill)
{
    ps_queue_ring(queue_of(plan), producer, fill);
}

static uint64_t channel_keep_alive_ms(const void *plan)
{
    return ((const struct ps_queue_channel *)plan)->keep_alive_ms;
}

static bool channel_halt(void *plan)
{
    return ps_queue_halt(queue_of(plan));
}

static struct ps_lease *channel_strip(void *plan)
{
    return ps_queue_strip(queue_of(plan));
}

static void channel_restore(void *plan, struct ps_lease *list)
{
    ps_queue_restore(queue_of(plan), list);
}

static void channel_set_quota(void *plan, uint64_t channel_quota_bytes)
{
    ps_queue_set_quota(queue_of(plan), channel_quota_bytes);
}

static bool channel_trouble(const void *plan, char *text, size_t room)
{
    return ps_queue_trouble(queue_of(plan), text, room);
}

#define ENGINE_FUNCTIONS                                                                                     \
    .shares_given_back = true, .ring = channel_ring, .halt = channel_halt, .strip = channel_strip,           \
    .restore = channel_restore, .set_quota = channel_set_quota

static const struct ps_engine_channel_ops engine_ops = {ENGINE_FUNCTIONS};
static const struct ps_engine_channel_ops engine_log_ops = {ENGINE_FUNCTIONS, .identifies = true};

#define FUNCTIONS                                                                                            \
    .promises = PS_LEVEL_DURABLE, .start = channel_start, .put = channel_put, .tick = channel_tick,          \
    .consumer_tick = channel_consumer_tick, .take = channel_take, .done = channel_done,                      \
    .untake = channel_untake, .leave = channel_leave, .hungry = channel_hungry, .fill = channel_fill,        \
    .keep_alive_ms = channel_keep_alive_ms, .trouble = channel_trouble

const struct ps_channel_ops ps_queue_channel_ops = {FUNCTIONS, .engine = &engine_ops};
const struct ps_channel_ops ps_queue_log_channel_ops = {FUNCTIONS, .engine = &engine_log_ops};
