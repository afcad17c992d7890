/* Creates, starts and strips a keeper, and keeps its accounts. */
#include "stages/lib/queue/keeper_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/quantity.h"
#include "core/thread.h"

struct ps_keeper *ps_keeper_create(const struct ps_keeper_settings *settings)
{
    struct ps_keeper *keeper = ps_must_alloc_aligned(sizeof *keeper, settings->component);
    keeper->settings = *settings;
    keeper->orphaned = settings->producers == 0;
    if (keeper->orphaned)
        keeper->settings.producers = 1;
    settings = &keeper->settings;
    keeper->producers =
        ps_must_alloc_aligned((settings->producers + 1) * sizeof *keeper->producers, settings->component);
    keeper->consumers =
        ps_must_alloc_aligned((settings->consumers + 1) * sizeof *keeper->consumers, settings->component);
    for (unsigned i = 0; i < settings->producers; i++) {
        keeper->producers[i].ring = ps_spsc_create(PS_KEEPER_RING_LEASES);
        keeper->producers[i].alarm = PS_ALARM_INIT;
    }
    for (unsigned i = 0; i < settings->consumers; i++) {
        keeper->consumers[i].keeper = keeper;
        keeper->consumers[i].alarm = PS_ALARM_INIT;
    }
    keeper->feed = ps_spmc_create(PS_KEEPER_FEED_FRAMES);
    pthread_mutex_init(&keeper->lock, NULL);
    return keeper;
}

void ps_keeper_destroy(struct ps_keeper *keeper)
{
    if (keeper == NULL)
        return;
    PS_ASSERT(!keeper->started);
    for (unsigned i = 0; i < keeper->settings.producers; i++)
        ps_spsc_destroy(keeper->producers[i].ring);
    while (keeper->made_tickets != NULL) {
        struct ps_keeper_ticket *ticket = keeper->made_tickets;
        keeper->made_tickets = ticket->next_made;
        free(ticket);
    }
    ps_spmc_destroy(keeper->feed);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper->entries);
    free(keeper->producers);
    free(keeper->consumers);
    free(keeper);
}

void ps_keeper_start(struct ps_keeper *keeper)
{
    int error = EAGAIN;
    if (ps_park_init(&keeper->park))
        error = ps_thread_start(&keeper->thread, "keeper", ps_keeper_main, keeper);
    keeper->started = error == 0;
    if (keeper->started)
        return;
    ps_park_fini(&keeper->park);
    snprintf(keeper->trouble, sizeof keeper->trouble, "cannot start its thread: %s", strerror(error));
    ps_log(PS_LOG_ERROR, keeper->settings.component,
           "%s; raise the limits of processes and open files (TasksMax, LimitNOFILE) and restart",
           keeper->trouble);
}

void ps_keeper_note_unreadable(struct ps_keeper *keeper, char text[512], const char *reason)
{
    char fresh[512] = "";
    if (reason != NULL)
        snprintf(fresh, sizeof fresh, "%.420s; trying again every %s", reason,
                 ps_quantity_print_ns(keeper->settings.store->retry_ns).text);
    if (strcmp(text, fresh) == 0) /* only this thread writes `text` */
        return;
    pthread_mutex_lock(&keeper->lock);
    memcpy(text, fresh, sizeof fresh);
    pthread_mutex_unlock(&keeper->lock);
    ps_log(reason != NULL ? PS_LOG_ERROR : PS_LOG_INFO, keeper->settings.component, "%s",
           reason != NULL ? fresh : keeper->settings.store->reads_again);
}

/* Called with the lock held. */
static const char *trouble_of(const struct ps_keeper *keeper)
{
    if (keeper->trouble[0] != '\0')
        return keeper->trouble;
    for (unsigned i = 0; i < keeper->settings.consumers; i++) {
        if (keeper->consumers[i].unreadable[0] != '\0')
            return keeper->consumers[i].unreadable;
    }
    if (keeper->unreadable[0] != '\0')
        return keeper->unreadable;
    return ps_keeper_is_open(keeper) ? keeper->held : "it is being opened: it reads what it holds first";
}

bool ps_keeper_trouble(struct ps_keeper *keeper, char *text, size_t room)
{
    pthread_mutex_lock(&keeper->lock);
    const char *trouble = trouble_of(keeper);
    bool any = trouble[0] != '\0';
    if (any)
        snprintf(text, room, "%s", trouble);
    pthread_mutex_unlock(&keeper->lock);
    return any;
}

/* ---- what the thread has ---- */

struct ps_keeper_entry *ps_keeper_entry_at(struct ps_keeper *keeper, size_t position)
{
    return &keeper->entries[(keeper->entry_first + position) % keeper->entry_room];
}

static void entries_grow(struct ps_keeper *keeper)
{
    size_t room = keeper->entry_room > 0 ? 2 * keeper->entry_room : 256;
    struct ps_keeper_entry *entries = ps_must_alloc(room, sizeof *entries, keeper->settings.component);
    for (size_t i = 0; i < keeper->entry_count; i++)
        entries[i] = *ps_keeper_entry_at(keeper, i);
    free(keeper->entries);
    keeper->entries = entries;
    keeper->entry_room = room;
    keeper->entry_first = 0;
}

void ps_keeper_entry_add(struct ps_keeper *keeper, struct ps_lease *lease, unsigned producer, uint64_t now_ns)
{
    if (keeper->entry_count == keeper->entry_room)
        entries_grow(keeper);
    keeper->entry_count++;
    *ps_keeper_entry_at(keeper, keeper->entry_count - 1) =
        (struct ps_keeper_entry){.lease = lease, .producer = producer, .since_ns = now_ns};
}

void ps_keeper_entry_pop(struct ps_keeper *keeper)
{
    keeper->entry_first = (keeper->entry_first + 1) % keeper->entry_room;
    keeper->entry_count--;
}

/* ---- accounts ---- */

void ps_keeper_fill(const struct ps_keeper *keeper, struct ps_fill *fill)
{
    uint64_t events = __atomic_load_n(&keeper->found.events, __ATOMIC_RELAXED);
    uint64_t bytes = __atomic_load_n(&keeper->found.bytes, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < keeper->settings.producers; i++) {
        events += __atomic_load_n(&keeper->producers[i].put.events, __ATOMIC_RELAXED);
        bytes += __atomic_load_n(&keeper->producers[i].put.bytes, __ATOMIC_RELAXED);
    }
    for (unsigned i = 0; i < keeper->settings.consumers; i++) {
        events -= __atomic_load_n(&keeper->consumers[i].taken.events, __ATOMIC_RELAXED);
        bytes -= __atomic_load_n(&keeper->consumers[i].taken.bytes, __ATOMIC_RELAXED);
    }
    *fill = (struct ps_fill){.size = (int64_t)events > 0 ? events : 0,
                             .capacity = keeper->settings.capacity,
                             .bytes = (int64_t)bytes > 0 ? bytes : 0};
}

/* Reads the counters in the opposite order of a put: first the delivered events, then those that were put. The result
 * therefore includes all undelivered events of the caller itself. */
uint64_t ps_keeper_undelivered(const struct ps_keeper *keeper)
{
    uint64_t delivered = ps_mark_read(&keeper->delivered_events);
    uint64_t events = __atomic_load_n(&keeper->found.events, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < keeper->settings.producers; i++)
        events += __atomic_load_n(&keeper->producers[i].put.events, __ATOMIC_RELAXED);
    return (int64_t)(events - delivered) > 0 ? events - delivered : 0;
}

bool ps_keeper_is_open(const struct ps_keeper *keeper)
{
    return ps_mark_read(&keeper->opened) != 0;
}

bool ps_keeper_is_clear(const struct ps_keeper *keeper)
{
    return ps_keeper_is_open(keeper) && ps_keeper_undelivered(keeper) == 0;
}

void ps_keeper_ring(const struct ps_keeper *keeper, unsigned producer, struct ps_fill *fill)
{
    const struct ps_spsc *ring = keeper->producers[producer].ring;
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

/* Sets the accounts to what stays in the store. No thread updates them any more. */
static void count_kept(struct ps_keeper *keeper)
{
    keeper->found = keeper->kept;
    for (unsigned i = 0; i < keeper->settings.producers; i++)
        keeper->producers[i].put = (struct ps_keeper_tally){0};
    for (unsigned i = 0; i < keeper->settings.consumers; i++)
        keeper->consumers[i].taken = (struct ps_keeper_tally){0};
}

/* Adds the leases that are on their way home to the list, settled unless they were given up. */
static void strip_promised(struct ps_keeper_producer *producer, struct lease_list *list)
{
    struct ps_inbox_node *node = ps_inbox_take(&producer->promised);
    while (node != NULL) {
        struct ps_lease *lease = ps_lease_homeward(node);
        node = node->next;
        if (!lease->failed)
            ps_lease_settle_all(lease);
        list_add(list, lease);
    }
}

struct ps_lease *ps_keeper_strip(struct ps_keeper *keeper)
{
    struct lease_list list = {.first = NULL};
    struct ps_lease *lease;
    list.end = &list.first;
    if (keeper->started) {
        /* The lock orders this thread behind consumers that have read what the thread is about to close. */
        pthread_mutex_lock(&keeper->lock);
        ps_flag_set(&keeper->stop, true);
        pthread_mutex_unlock(&keeper->lock);
        ps_park_wake(&keeper->park);
        (void)ps_thread_join(keeper->thread, PS_THREAD_PATIENT);
        ps_park_fini(&keeper->park);
        keeper->started = false;
    }
    for (unsigned i = 0; i < keeper->settings.producers; i++)
        strip_promised(&keeper->producers[i], &list);
    for (; keeper->entry_count > 0; ps_keeper_entry_pop(keeper))
        list_add(&list, ps_keeper_entry_at(keeper, 0)->lease);
    while ((lease = keeper->restored) != NULL) {
        keeper->restored = lease->next;
        list_add(&list, lease);
    }
    for (unsigned i = 0; i < keeper->settings.producers; i++) {
        while ((lease = ps_spsc_pop(keeper->producers[i].ring)) != NULL)
            list_add(&list, lease);
    }
    while ((lease = keeper->last) != NULL) { /* the store was not open */
        keeper->last = lease->next;
        list_add(&list, lease);
    }
    count_kept(keeper);
    return list.first;
}

bool ps_keeper_add_last(struct ps_keeper *keeper, struct ps_lease *list)
{
    if (!keeper->started || keeper->settings.producers == 0 ||
        !__atomic_load_n(&keeper->writable, __ATOMIC_RELAXED))
        return false;
    pthread_mutex_lock(&keeper->lock);
    PS_ASSERT(keeper->last == NULL);
    keeper->last = list;
    pthread_mutex_unlock(&keeper->lock);
    return true;
}

void ps_keeper_restore(struct ps_keeper *keeper, struct ps_lease *list)
{
    PS_ASSERT(!keeper->started && keeper->restored == NULL);
    keeper->restored = list;
    for (struct ps_lease *lease = list; lease != NULL; lease = lease->next) {
        ps_keeper_count(&keeper->producers[0].put, lease->count, lease->bytes);
        keeper->producers[0].memory_bytes += lease->memory_bytes;
    }
}

/* Only producers read the quota. */
void ps_keeper_set_quota(struct ps_keeper *keeper, uint64_t quota_bytes)
{
    keeper->settings.quota_bytes = quota_bytes;
}
