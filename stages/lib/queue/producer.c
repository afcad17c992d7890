/* The producers' side, on their workers. */
#include "stages/lib/queue/queue_internal.h"

#include "core/clock.h"
#include "stages/lib/least.h"

/* With fewer leases waiting for the thread, an open batch is put before it is full. */
#define HUNGRY_LEASES 2U

static bool has_room(const struct ps_queue *queue, const struct ps_queue_producer *producer,
                     const struct ps_lease *lease)
{
    const struct ps_queue_settings *settings = &queue->settings;
    struct ps_fill fill;
    uint64_t share = queue->put_bytes_max / (settings->producers > 0 ? settings->producers : 1);
    if (!__atomic_load_n(&queue->writable, __ATOMIC_RELAXED))
        return false;
    if (producer->memory_bytes > 0 && producer->memory_bytes + lease->memory_bytes > share)
        return false;
    ps_queue_fill(queue, &fill);
    return fill.capacity == 0 || fill.size < fill.capacity;
}

enum ps_put ps_queue_put(struct ps_queue *queue, unsigned producer, struct ps_lease **lease)
{
    struct ps_queue_producer *mine = &queue->producers[producer];
    uint64_t events = (*lease)->count, bytes = (*lease)->bytes, memory_bytes = (*lease)->memory_bytes;
    if (!has_room(queue, mine, *lease))
        return PS_PUT_FULL;
    ps_queue_count(&mine->put, events, bytes); /* before another thread can count the delivery */
    if (!ps_spsc_push(mine->ring, *lease)) {
        ps_queue_count(&mine->put, -events, -bytes);
        return PS_PUT_FULL;
    }
    *lease = NULL;
    mine->memory_bytes += memory_bytes;
    ps_park_wake(&queue->park);
    return PS_PUT_OK;
}

uint64_t ps_queue_tick(struct ps_queue *queue, unsigned producer, struct ps_port *port)
{
    struct ps_queue_producer *mine = &queue->producers[producer];
    ps_alarm_set(&mine->alarm, port->wake_fd);
    struct ps_lease *list = ps_queue_oldest_first(ps_inbox_take(&mine->promised));
    while (list != NULL) {
        struct ps_lease *lease = list;
        list = lease->next;
        lease->next = NULL;
        mine->memory_bytes -= lease->memory_bytes;
        if (lease->failed)
            ps_queue_count(&mine->put, -(uint64_t)lease->count, -lease->bytes);
        ps_port_home(port, &lease);
    }
    if (producer != 0 || PS_LIKELY(queue->start_ns == 0))
        return PS_NEVER;
    if (ps_clock_now().mono_ns >= queue->start_ns)
        ps_queue_start(queue);
    return queue->start_ns > 0 ? queue->start_ns : PS_NEVER;
}

/* Also serves as the producer after a reload has removed the last source, so that the leases that the reload restored are returned. */
uint64_t ps_queue_consumer_tick(struct ps_queue *queue, unsigned consumer, struct ps_port *port,
                                const struct ps_now *now)
{
    uint64_t retry_ns = queue->consumers[consumer].retry_ns, due_ns = PS_NEVER;
    if (PS_UNLIKELY(queue->orphaned) && consumer == 0)
        due_ns = ps_queue_tick(queue, 0, port);
    due_ns = ps_least(ps_queue_given_back_ns(queue, consumer, now), due_ns);
    return PS_LIKELY(retry_ns <= now->mono_ns) ? due_ns : ps_least(retry_ns, due_ns);
}

bool ps_queue_hungry(const struct ps_queue *queue, unsigned producer)
{
    return ps_spsc_count(queue->producers[producer].ring) < HUNGRY_LEASES;
}
