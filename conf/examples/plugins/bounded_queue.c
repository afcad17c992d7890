/* A channel: a queue in memory, with room for a number of events. Its events are lost when the process ends.
 *
 *   a1.channels.c1.type = bounded_queue
 *   a1.channels.c1.capacity = 10000
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <pthread.h>
#include <stdlib.h>

/* The queue: lists of leases, linked by their field `next`. Workers of sources put into it while workers of sinks
 * take from it, so `lock` protects all members after it. A worker holds the lock for a few steps with a list, once
 * for each batch, and never while it waits for anything. */
struct queue {
    pthread_mutex_t lock;
    struct ps_lease *first, **end;
    struct ps_lease **back; /* for each consumer: the leases that it gave back, the next one to take first */
    /* Totals of the leases that were put and not taken yet: events, bytes of bodies, and bytes of the agent's
     * memory. */
    uint64_t events, bytes, memory;
};

struct plan {
    int64_t capacity, keep_alive_s;
    uint64_t quota_bytes;
    struct queue *queue; /* NULL until `build` */
};

static const struct ps_option options[] = {
    {.key = "capacity",
     .type = PS_OPTION_INT,
     .offset = offsetof(struct plan, capacity),
     .fallback = "10000",
     .min = 4,
     .max = INT32_MAX,
     .unit = "events",
     .help = "maximum number of events in the channel; the last batch may exceed it"},
    {.key = "keep-alive",
     .type = PS_OPTION_INT,
     .offset = offsetof(struct plan, keep_alive_s),
     .fallback = "3",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "how long a source that must answer its client waits for room before it refuses"},
    PS_OPTION_END,
};

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *)
{
    struct plan *plan = plan_;
    struct queue *queue = ps_must_alloc(1, sizeof *queue, "a queue");
    queue->back = ps_must_alloc(context->consumers, sizeof *queue->back, "a queue");
    queue->end = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    plan->queue = queue;
    plan->quota_bytes = context->channel_quota_bytes;
    return PS_OK;
}

static void teardown(void *plan_)
{
    struct plan *plan = plan_;
    pthread_mutex_destroy(&plan->queue->lock);
    free(plan->queue->back);
    free(plan->queue);
}

static void add(struct queue *queue, const struct ps_lease *lease)
{
    queue->events += lease->count;
    queue->bytes += lease->bytes;
    queue->memory += lease->memory_bytes;
}

static void subtract(struct queue *queue, const struct ps_lease *lease)
{
    queue->events -= lease->count;
    queue->bytes -= lease->bytes;
    queue->memory -= lease->memory_bytes;
}

/* Called by a producer's worker. The channel is full when it has `capacity` events, or uses its share of the
 * agent's memory. The engine then waits and offers the lease again, or refuses the events, as the source demands.
 * PS_PUT_OK promises only that the channel has the events in memory (`promises` below). */
static enum ps_put put(void *plan_, unsigned, struct ps_lease **lease, const struct ps_now *)
{
    struct plan *plan = plan_;
    struct queue *queue = plan->queue;
    pthread_mutex_lock(&queue->lock);
    bool full = queue->events >= (uint64_t)plan->capacity || queue->memory >= plan->quota_bytes;
    if (!full) {
        add(queue, *lease);
        (*lease)->next = NULL;
        *queue->end = *lease;
        queue->end = &(*lease)->next;
        *lease = NULL; /* the channel owns it now */
    }
    pthread_mutex_unlock(&queue->lock);
    return full ? PS_PUT_FULL : PS_PUT_OK;
}

/* Called by a consumer's worker. Leases that this consumer gave back come first. */
static struct ps_lease *take(void *plan_, unsigned consumer, struct ps_port *, const struct ps_now *)
{
    struct queue *queue = ((struct plan *)plan_)->queue;
    pthread_mutex_lock(&queue->lock);
    struct ps_lease **from = queue->back[consumer] != NULL ? &queue->back[consumer] : &queue->first;
    struct ps_lease *lease = *from;
    if (lease != NULL) {
        subtract(queue, lease);
        *from = lease->next;
        if (queue->first == NULL)
            queue->end = &queue->first;
        lease->next = NULL;
    }
    pthread_mutex_unlock(&queue->lock);
    return lease;
}

/* The sink has delivered the lease: it goes back to its source's worker. */
static void done(void *, unsigned, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

/* The sink could not deliver the lease: the consumer takes it again, before all others. The engine gives back the
 * newest one first. */
static void untake(void *plan_, unsigned consumer, struct ps_lease **lease)
{
    struct queue *queue = ((struct plan *)plan_)->queue;
    pthread_mutex_lock(&queue->lock);
    add(queue, *lease);
    (*lease)->next = queue->back[consumer];
    queue->back[consumer] = *lease;
    *lease = NULL;
    pthread_mutex_unlock(&queue->lock);
}

/* Called on any thread, and before `build`: the engine makes no batch larger than a quarter of the capacity. */
static void fill(const void *plan_, struct ps_fill *fill)
{
    const struct plan *plan = plan_;
    *fill = (struct ps_fill){.capacity = (uint64_t)plan->capacity};
    if (plan->queue == NULL)
        return;
    pthread_mutex_lock(&plan->queue->lock);
    fill->size = plan->queue->events;
    fill->bytes = plan->queue->bytes;
    pthread_mutex_unlock(&plan->queue->lock);
}

static bool hungry(const void *plan, unsigned)
{
    struct ps_fill now;
    fill(plan, &now);
    return now.size == 0;
}

static uint64_t keep_alive_ms(const void *plan)
{
    return (uint64_t)((const struct plan *)plan)->keep_alive_s * 1000;
}

static const struct ps_channel_ops channel = {
    .promises = PS_LEVEL_ACCEPTED,
    .put = put,
    .take = take,
    .done = done,
    .untake = untake,
    .hungry = hungry,
    .fill = fill,
    .keep_alive_ms = keep_alive_ms,
};

static const struct ps_stage_ops bounded_queue = {
    PS_STAGE(PS_KIND_CHANNEL),
    .name = "bounded_queue",
    .summary = "a queue of events in memory; its events are lost when the process dies",
    .options = options,
    .plan_size = sizeof(struct plan),
    .build = build,
    .teardown = teardown,
    .channel = &channel,
};

PS_PLUGIN(&bounded_queue);
