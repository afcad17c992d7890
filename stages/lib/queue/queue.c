/* Creates, starts and strips a durable queue, and keeps its accounts. */
#include "stages/lib/queue/queue_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/quantity.h"
#include "core/thread.h"
#include "stages/lib/least.h"

#define START_NS PS_NS_PER_S /* between tries to start the thread */

struct ps_queue *ps_queue_create(const struct ps_queue_settings *settings)
{
    struct ps_queue *queue = ps_must_alloc_aligned(sizeof *queue, settings->component);
    queue->settings = *settings;
    queue->orphaned = settings->producers == 0;
    if (queue->orphaned)
        queue->settings.producers = 1;
    settings = &queue->settings;
    queue->producers =
        ps_must_alloc_aligned((settings->producers + 1) * sizeof *queue->producers, settings->component);
    queue->consumers =
        ps_must_alloc_aligned((settings->consumers + 1) * sizeof *queue->consumers, settings->component);
    for (unsigned i = 0; i < settings->producers; i++) {
        queue->producers[i].ring = ps_spsc_create(PS_QUEUE_RING_LEASES);
        queue->producers[i].alarm = PS_ALARM_INIT;
    }
    for (unsigned i = 0; i < settings->consumers; i++) {
        queue->consumers[i].queue = queue;
        queue->consumers[i].alarm = PS_ALARM_INIT;
    }
    queue->feed = ps_spmc_create(PS_QUEUE_READ_AHEAD_MAX_BYTES / PS_QUEUE_FRAME_COST_MIN_BYTES);
    ps_queue_set_quota(queue, settings->quota_bytes);
    queue->encoder.event_bytes_max = settings->store->event_bytes_max;
    pthread_mutex_init(&queue->told.lock, NULL);
    return queue;
}

void ps_queue_destroy(struct ps_queue *queue)
{
    if (queue == NULL)
        return;
    PS_ASSERT(!queue->started);
    for (unsigned i = 0; i < queue->settings.producers; i++)
        ps_spsc_destroy(queue->producers[i].ring);
    while (queue->made_tickets != NULL) {
        struct ps_queue_ticket *ticket = queue->made_tickets;
        queue->made_tickets = ticket->next_made;
        free(ticket);
    }
    ps_spmc_destroy(queue->feed);
    pthread_mutex_destroy(&queue->told.lock);
    free(queue->ring.entries);
    free(queue->producers);
    free(queue->consumers);
    free(queue);
}

/* Returns 0, or the errno of what was refused. */
static int try_to_start(struct ps_queue *queue)
{
    if (!ps_park_init(&queue->park))
        return errno;
    /* cleared first, because the thread may have other trouble at once */
    pthread_mutex_lock(&queue->told.lock);
    queue->told.trouble[0] = '\0';
    pthread_mutex_unlock(&queue->told.lock);
    int error = ps_thread_start(&queue->thread, "durable-queue", ps_queue_main, queue);
    if (error != 0)
        ps_park_fini(&queue->park);
    return error;
}

void ps_queue_start(struct ps_queue *queue)
{
    char text[sizeof queue->told.trouble];
    int error = try_to_start(queue);
    queue->started = error == 0;
    queue->start_ns = queue->started ? 0 : ps_clock_now().mono_ns + START_NS;
    if (queue->started)
        return;
    snprintf(text, sizeof text, "cannot start its thread: %s; trying again every %s", strerror(error),
             ps_quantity_print_ns(START_NS).text);
    pthread_mutex_lock(&queue->told.lock);
    memcpy(queue->told.trouble, text, sizeof text);
    pthread_mutex_unlock(&queue->told.lock);
    if (queue->start_error != error)
        ps_log(PS_LOG_ERROR, queue->settings.component,
               "%s; raise the limits of processes and open files (TasksMax, LimitNOFILE)", text);
    queue->start_error = error;
}

/* ---- accounts ---- */

void ps_queue_fill(const struct ps_queue *queue, struct ps_fill *fill)
{
    uint64_t events = __atomic_load_n(&queue->found.events, __ATOMIC_RELAXED);
    uint64_t bytes = __atomic_load_n(&queue->found.bytes, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < queue->settings.producers; i++) {
        events += __atomic_load_n(&queue->producers[i].put.events, __ATOMIC_RELAXED);
        bytes += __atomic_load_n(&queue->producers[i].put.bytes, __ATOMIC_RELAXED);
    }
    for (unsigned i = 0; i < queue->settings.consumers; i++) {
        events -= __atomic_load_n(&queue->consumers[i].taken.events, __ATOMIC_RELAXED);
        bytes -= __atomic_load_n(&queue->consumers[i].taken.bytes, __ATOMIC_RELAXED);
    }
    *fill = (struct ps_fill){.size = (int64_t)events > 0 ? events : 0,
                             .capacity = queue->settings.capacity,
                             .bytes = (int64_t)bytes > 0 ? bytes : 0};
}

/* Reads the counters in the opposite order of a put: first the delivered events, then those that were put. The result
 * therefore includes all undelivered events of the caller itself. */
uint64_t ps_queue_undelivered(const struct ps_queue *queue)
{
    uint64_t delivered = ps_mark_read(&queue->delivered_events);
    uint64_t events = __atomic_load_n(&queue->found.events, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < queue->settings.producers; i++)
        events += __atomic_load_n(&queue->producers[i].put.events, __ATOMIC_RELAXED);
    return (int64_t)(events - delivered) > 0 ? events - delivered : 0;
}

bool ps_queue_is_open(const struct ps_queue *queue)
{
    return ps_mark_read(&queue->opened) != 0;
}

bool ps_queue_is_clear(const struct ps_queue *queue)
{
    return ps_queue_is_open(queue) && ps_queue_undelivered(queue) == 0;
}

void ps_queue_ring(const struct ps_queue *queue, unsigned producer, struct ps_fill *fill)
{
    const struct ps_spsc *ring = queue->producers[producer].ring;
    *fill = (struct ps_fill){.size = ps_spsc_count(ring), .capacity = ps_spsc_capacity(ring)};
}

/* ---- emptying ---- */

struct lease_list {
    struct ps_lease *first, **end;
};

static void list_add(struct lease_list *list, struct ps_lease *lease)
{
    lease->next = NULL;
    *list->end = lease;
    list->end = &lease->next;
}

/* Sets the accounts to the events that stay in the store, after all threads have stopped updating them. */
static void count_kept(struct ps_queue *queue)
{
    queue->found = queue->kept;
    for (unsigned i = 0; i < queue->settings.producers; i++)
        queue->producers[i].put = (struct ps_queue_tally){0};
    for (unsigned i = 0; i < queue->settings.consumers; i++)
        queue->consumers[i].taken = (struct ps_queue_tally){0};
}

/* Adds the leases that are on their way to their workers to the list, the promised ones as settled. Leases that were
 * given up count as not written: their sources have not learned of the failure yet, so the next queue after a reload
 * tries again. */
static void strip_promised(struct ps_queue_producer *producer, struct lease_list *list)
{
    struct ps_lease *lease = ps_queue_oldest_first(ps_inbox_take(&producer->promised));
    while (lease != NULL) {
        struct ps_lease *next = lease->next;
        if (!lease->failed)
            ps_lease_settle_all(lease);
        lease->failed = false;
        list_add(list, lease);
        lease = next;
    }
}

/* Tells the queue's thread to end. */
static void end_thread(struct ps_queue *queue)
{
    /* The lock orders this thread after consumers that have used the store, which the queue's thread will close. */
    pthread_mutex_lock(&queue->told.lock);
    ps_flag_set(&queue->stop, true);
    pthread_mutex_unlock(&queue->told.lock);
    ps_park_wake(&queue->park);
}

static void thread_has_ended(struct ps_queue *queue)
{
    ps_park_fini(&queue->park);
    queue->started = false;
}

bool ps_queue_halt(struct ps_queue *queue)
{
    if (!queue->started)
        return true;
    end_thread(queue);
    if (!ps_thread_try_join(queue->thread))
        return false;
    thread_has_ended(queue);
    return true;
}

struct ps_lease *ps_queue_strip(struct ps_queue *queue)
{
    struct lease_list list = {.first = NULL};
    struct ps_lease *lease;
    list.end = &list.first;
    if (queue->started) {
        end_thread(queue);
        (void)ps_thread_join(queue->thread, PS_THREAD_PATIENT);
        thread_has_ended(queue);
    }
    queue->start_ns = 0;
    for (unsigned i = 0; i < queue->settings.producers; i++)
        strip_promised(&queue->producers[i], &list);
    for (; queue->ring.count > 0; ps_queue_entry_pop(queue))
        list_add(&list, ps_queue_entry_at(queue, 0)->lease);
    while ((lease = queue->restored) != NULL) {
        queue->restored = lease->next;
        list_add(&list, lease);
    }
    for (unsigned i = 0; i < queue->settings.producers; i++) {
        while ((lease = ps_spsc_pop(queue->producers[i].ring)) != NULL)
            list_add(&list, lease);
    }
    while ((lease = queue->told.last) != NULL) { /* the store was not open */
        queue->told.last = lease->next;
        list_add(&list, lease);
    }
    count_kept(queue);
    return list.first;
}

bool ps_queue_add_last(struct ps_queue *queue, struct ps_lease *list)
{
    if (!queue->started || queue->settings.producers == 0 ||
        !__atomic_load_n(&queue->writable, __ATOMIC_RELAXED))
        return false;
    pthread_mutex_lock(&queue->told.lock);
    PS_ASSERT(queue->told.last == NULL);
    queue->told.last = list;
    pthread_mutex_unlock(&queue->told.lock);
    return true;
}

void ps_queue_restore(struct ps_queue *queue, struct ps_lease *list)
{
    PS_ASSERT(!queue->started && queue->restored == NULL);
    queue->restored = list;
    for (struct ps_lease *lease = list; lease != NULL; lease = lease->next) {
        ps_queue_count(&queue->producers[0].put, lease->count, lease->bytes);
        queue->producers[0].memory_bytes += lease->memory_bytes;
    }
}

/* Only producers read put_bytes_max, and none runs now. The thread reads the read-ahead concurrently. */
void ps_queue_set_quota(struct ps_queue *queue, uint64_t quota_bytes)
{
    uint64_t read_ahead = PS_QUEUE_READ_AHEAD_MAX_BYTES, put_max = PS_QUEUE_WAITING_BYTES_MAX;
    if (quota_bytes > 0) {
        bool in_memory = queue->settings.store->release != NULL;
        read_ahead = ps_least(quota_bytes / PS_QUEUE_READ_AHEAD_PART, PS_QUEUE_READ_AHEAD_MAX_BYTES);
        put_max = ps_least(quota_bytes - (in_memory ? read_ahead : 0), PS_QUEUE_WAITING_BYTES_MAX);
    }
    __atomic_store_n(&queue->read_ahead_bytes, read_ahead, __ATOMIC_RELAXED);
    queue->put_bytes_max = put_max;
}
