/* The durable queue's thread: writes leases, syncs once for all that arrived, feeds consumers (feed.c), and records
 * deliveries. */
#include "stages/lib/queue/queue_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/quantity.h"
#include "stages/lib/least.h"

#define SPACE_LOOK_NS PS_NS_PER_S /* between checks of the free space */
#define NEWS_SYNC_NS PS_NS_PER_S  /* deliveries are synced within this time */
#define IDLE_NS (60 * PS_NS_PER_S)
#define LOOK_NS (PS_NS_PER_S / 2)     /* between checks for a due sync, and of the free space */
#define GIVE_UP_NS (PS_NS_PER_S / 10) /* between checks of leases that wait while the store fails */
#define ROUND_LEASES 32U              /* leases taken from one producer before the next producer's turn */

static uint64_t now_ns(void)
{
    return ps_clock_now().mono_ns;
}

/* ---- the leases that are written ---- */

struct ps_queue_entry *ps_queue_entry_at(struct ps_queue *queue, size_t position)
{
    return &queue->ring.entries[(queue->ring.first + position) % queue->ring.room];
}

static void entries_grow(struct ps_queue *queue)
{
    size_t room = queue->ring.room > 0 ? 2 * queue->ring.room : 256;
    struct ps_queue_entry *entries = ps_must_alloc(room, sizeof *entries, queue->settings.component);
    for (size_t i = 0; i < queue->ring.count; i++)
        entries[i] = *ps_queue_entry_at(queue, i);
    free(queue->ring.entries);
    queue->ring.entries = entries;
    queue->ring.room = room;
    queue->ring.first = 0;
}

static void add_entry(struct ps_queue *queue, struct ps_lease *lease, unsigned producer, uint64_t now)
{
    if (queue->ring.count == queue->ring.room)
        entries_grow(queue);
    queue->ring.count++;
    *ps_queue_entry_at(queue, queue->ring.count - 1) =
        (struct ps_queue_entry){.lease = lease, .producer = producer, .since_ns = now};
}

void ps_queue_entry_pop(struct ps_queue *queue)
{
    queue->ring.first = (queue->ring.first + 1) % queue->ring.room;
    queue->ring.count--;
}

/* ---- opening ---- */

static void look_for_space(struct ps_queue *queue, uint64_t now)
{
    const struct ps_queue_settings *settings = &queue->settings;
    char text[480];
    if (now < queue->due.space_ns || settings->store->crowded == NULL)
        return;
    queue->due.space_ns = now + SPACE_LOOK_NS;
    queue->crowded = settings->store->crowded(settings->store_settings, text, sizeof text);
    ps_queue_set_writable(queue);
    if (queue->crowded)
        ps_queue_set_trouble(queue, text);
}

/* Reports, for as long as the store is open, a part of it that cannot be read because its key is missing. */
static void look_for_held(struct ps_queue *queue)
{
    if (queue->settings.store->held == NULL)
        return;
    pthread_mutex_lock(&queue->told.lock);
    queue->settings.store->held(queue->store, queue->told.held, sizeof queue->told.held);
    pthread_mutex_unlock(&queue->told.lock);
    if (queue->told.held[0] != '\0')
        ps_log(PS_LOG_ERROR, queue->settings.component, "%s", queue->told.held);
}

static void open_store(struct ps_queue *queue)
{
    const struct ps_queue_settings *settings = &queue->settings;
    struct ps_err err = {0};
    uint64_t began_ns = now_ns();
    queue->store = settings->store->open(settings->store_settings, settings->component, &err);
    if (queue->store == NULL) {
        char text[480];
        snprintf(text, sizeof text, "%.400s; trying again every %s", err.text,
                 ps_quantity_print_ns(ps_queue_next_retry_ns(queue)).text);
        ps_queue_set_trouble(queue, text);
        return;
    }
    struct ps_segment_fill fill;
    settings->store->fill(queue->store, &fill);
    queue->due.retry_wait_ns = 0;
    ps_queue_count(&queue->found, fill.events, fill.bytes);
    ps_log(PS_LOG_INFO, settings->component, "opened in %s: %s %s waiting %s",
           ps_quantity_print_ns(now_ns() - began_ns).text, ps_quantity_print_count(fill.events).text,
           ps_quantity_word(fill.events, "event is", "events are"), settings->store->where);
    look_for_held(queue);
    ps_mark_move(&queue->opened, 1); /* first, because a producer that is woken reads this mark */
    ps_queue_set_writable(queue);
}

/* ---- writing ---- */

static uint64_t event_bytes_max(const struct ps_queue *queue)
{
    uint32_t most = queue->settings.store->event_bytes_max;
    return most > 0 ? most : PS_EVENT_FRAME_BYTES_MAX;
}

/* Returns whether the lease has an event that the store can never keep, and its source can refuse its client. Without this the event would
 * be cut, and its client would not know. */
static bool is_too_large(const struct ps_queue *queue, const struct ps_lease *lease)
{
    uint64_t most = event_bytes_max(queue);
    if (PS_LIKELY(lease->bytes < most) || !lease->refusable)
        return false;
    for (uint32_t i = 0; i < lease->count; i++) {
        uint32_t length = ps_lease_event(lease, i)->body_length;
        if (length < most)
            continue;
        ps_log(PS_LOG_ERROR, queue->settings.component,
               "an event of %s is larger than one that can be kept %s (%s): its sender is refused",
               ps_quantity_print_bytes(length).text, queue->settings.store->where,
               ps_quantity_print_bytes(most).text);
        return true;
    }
    return false;
}

/* Takes leases from the producers' rings. Returns whether there were any. */
static bool collect(struct ps_queue *queue, uint64_t now)
{
    uint64_t bytes = 0, round_bytes = queue->settings.store->round_bytes;
    bool any = false, more = true;
    while (more && bytes < round_bytes) {
        more = false;
        for (unsigned i = 0; i < queue->settings.producers; i++) {
            struct ps_lease *lease;
            for (unsigned k = 0; k < ROUND_LEASES && bytes < round_bytes &&
                                 (lease = ps_spsc_pop(queue->producers[i].ring)) != NULL;
                 k++) {
                add_entry(queue, lease, i, now);
                ps_queue_entry_at(queue, queue->ring.count - 1)->refused = is_too_large(queue, lease);
                queue->seen_events += lease->count;
                bytes += lease->bytes;
                any = more = true;
            }
        }
    }
    return any;
}

/* Appends those frames of a lease that are not promised yet. */
static enum ps_status write_entry(struct ps_queue *queue, struct ps_queue_entry *entry, struct ps_err *err)
{
    const struct ps_store_ops *ops = queue->settings.store;
    if (PS_UNLIKELY(entry->refused)) { /* goes home in its turn (send_promised) */
        entry->written = true;
        return PS_OK;
    }
    uint64_t promised = ops->promised(queue->store);
    uint64_t skip = entry->first > 0 && promised >= entry->first ? promised - entry->first + 1 : 0;
    if (skip == 0)
        entry->first = 0;
    for (uint32_t position = 0; position < entry->lease->count;) {
        uint64_t number;
        if (ops->lend != NULL)
            ps_events_lend(&queue->encoder, ops->lend(queue->store, PS_EVENTS_PAYLOAD_BYTES),
                           PS_EVENTS_PAYLOAD_BYTES);
        const char *payload = ps_events_encode(&queue->encoder, entry->lease, &position);
        if (PS_UNLIKELY(queue->encoder.cut > 0))
            ps_log(PS_LOG_ERROR, queue->settings.component,
                   "%u %s longer than a frame (%s): the newest headers, or the end of the body, are "
                   "not kept; have the interceptors copy less of the body into headers",
                   queue->encoder.cut, ps_quantity_word(queue->encoder.cut, "event is", "events are"),
                   ps_quantity_print_bytes(event_bytes_max(queue)).text);
        if (skip > 0) {
            skip--;
            continue;
        }
        if (ops->append(queue->store, payload, (uint32_t)queue->encoder.length, queue->encoder.count,
                        queue->encoder.body_bytes, &number, err) != PS_OK)
            return PS_FAIL;
        if (entry->first == 0)
            entry->first = number;
        entry->last = number;
    }
    entry->written = true;
    return PS_OK;
}

/* Writes and syncs all leases that were collected. */
static enum ps_status write_entries(struct ps_queue *queue, struct ps_err *err)
{
    for (size_t i = 0; i < queue->ring.count; i++) {
        struct ps_queue_entry *entry = ps_queue_entry_at(queue, i);
        if (!entry->written && write_entry(queue, entry, err) != PS_OK)
            return PS_FAIL;
    }
    const struct ps_store_ops *ops = queue->settings.store;
    queue->unsynced |= !queue->settings.sync_each;
    if ((queue->settings.sync_each ? ops->sync : ops->write)(queue->store, err) != PS_OK)
        return PS_FAIL;
    queue->has_news = false; /* the deliveries were written with the leases */
    return PS_OK;
}

static void send_home(struct ps_queue *queue, const struct ps_queue_entry *entry)
{
    struct ps_queue_producer *producer = &queue->producers[entry->producer];
    ps_inbox_put(&producer->promised, &entry->lease->homeward);
    producer->news = true;
}

static void wake_producers(struct ps_queue *queue)
{
    for (unsigned i = 0; i < queue->settings.producers; i++) {
        if (queue->producers[i].news)
            (void)ps_alarm_ring(&queue->producers[i].alarm);
        queue->producers[i].news = false;
    }
}

/* Sends the leases whose frames are all promised back to their workers. */
static void send_promised(struct ps_queue *queue)
{
    uint64_t promised = queue->settings.store->promised(queue->store);
    while (queue->ring.count > 0) {
        struct ps_queue_entry *entry = ps_queue_entry_at(queue, 0);
        if (!entry->written || entry->last > promised)
            break;
        if (PS_UNLIKELY(entry->refused)) {
            entry->lease->failed = true;
            queue->seen_events -= entry->lease->count;
        }
        send_home(queue, entry);
        ps_queue_entry_pop(queue);
    }
    wake_producers(queue);
}

/* Gives up leases that waited longer than the keep-alive while the store cannot be written, if their sources can refuse their
 * clients. Of each producer only the oldest leases, because leases are returned in order. Producers do not wait for each other. A lease
 * whose frames were appended waits for the first renew after the failure, which shows whether they are durable. */
static void give_up_old(struct ps_queue *queue, uint64_t now)
{
    uint64_t keep_alive_ns = queue->settings.keep_alive_ms * PS_NS_PER_MS;
    size_t kept = 0;
    for (unsigned i = 0; i < queue->settings.producers; i++)
        queue->producers[i].waits = false;
    for (size_t i = 0; i < queue->ring.count; i++) {
        struct ps_queue_entry *entry = ps_queue_entry_at(queue, i);
        struct ps_queue_producer *producer = &queue->producers[entry->producer];
        if (producer->waits || entry->written || !entry->lease->refusable ||
            now < entry->since_ns + keep_alive_ns) {
            producer->waits = true;
            *ps_queue_entry_at(queue, kept++) = *entry;
            continue;
        }
        entry->lease->failed = true;
        queue->seen_events -= entry->lease->count;
        send_home(queue, entry);
    }
    queue->ring.count = kept;
    wake_producers(queue);
}

/* Tries to make the store writable again after a failure. The frames after the promised ones are written again. */
static void recover(struct ps_queue *queue, uint64_t now)
{
    struct ps_err err = {0};
    if (now < queue->due.retry_ns)
        return;
    enum ps_status renewed = queue->settings.store->renew(queue->store, &err);
    send_promised(queue);
    /* Even if `renew` failed: the store has forgotten the frames that are not promised, so they must be appended again. */
    for (size_t i = 0; i < queue->ring.count; i++)
        ps_queue_entry_at(queue, i)->written = false;
    if (renewed != PS_OK) {
        ps_queue_store_failed(queue, &err);
        return;
    }
    queue->broken = false;
    queue->due.retry_wait_ns = 0;
    ps_queue_set_writable(queue);
}

/* ---- deliveries ---- */

/* Records the frames that consumers have delivered. Returns whether there were any. */
static bool record(struct ps_queue *queue, uint64_t now)
{
    struct ps_inbox_node *node = ps_inbox_take(&queue->delivered);
    bool any = node != NULL;
    while (node != NULL) {
        struct ps_queue_ticket *ticket =
            (struct ps_queue_ticket *)(void *)((char *)node - offsetof(struct ps_queue_ticket, node));
        node = node->next;
        queue->seen_events -= ticket->frame.count;
        ps_mark_move(&queue->delivered_events, ps_mark_own(&queue->delivered_events) + ticket->frame.count);
        if (ticket->damaged)
            queue->settings.store->lost(queue->store, &ticket->frame);
        else
            queue->settings.store->take(queue->store, &ticket->frame);
        ps_queue_ticket_free(queue, ticket);
    }
    if (any && !queue->has_news) {
        queue->has_news = true;
        queue->due.news_ns = now + queue->settings.store->news_ns;
    }
    return any;
}

/* Corrects the accounts when the store is empty but they are not: frames with an unknown number of events were lost. */
static void count_lost(struct ps_queue *queue)
{
    struct ps_segment_fill fill;
    queue->settings.store->fill(queue->store, &fill);
    if (fill.frames_lost == queue->frames_lost || fill.events > 0 || queue->ring.count > 0)
        return;
    uint64_t rest = queue->found.events + queue->seen_events;
    if (rest > 0)
        ps_queue_count(&queue->found, -rest, 0);
    queue->frames_lost = fill.frames_lost;
}

/* ---- the loop ---- */

/* Writes deliveries and syncs if they are due. */
static enum ps_status keep_up(struct ps_queue *queue, uint64_t now, struct ps_err *err)
{
    if (queue->has_news && now >= queue->due.news_ns) {
        if (queue->settings.store->write(queue->store, err) != PS_OK)
            return PS_FAIL;
        queue->has_news = false;
        queue->unsynced = true;
    }
    uint64_t every_ns =
        queue->settings.sync_each ? NEWS_SYNC_NS : queue->settings.sync_every_ms * PS_NS_PER_MS;
    if (!queue->unsynced || now < queue->due.sync_ns + every_ns)
        return PS_OK;
    queue->due.sync_ns = now;
    queue->unsynced = false;
    return queue->settings.store->sync(queue->store, err);
}

/* Does one round of work with an open store. Returns whether there was any. */
static bool turn(struct ps_queue *queue, uint64_t now)
{
    struct ps_err err = {0};
    bool moved = record(queue, now);
    moved |= collect(queue, now);
    look_for_space(queue, now);
    if (queue->broken) {
        recover(queue, now);
        give_up_old(queue,
                    now); /* even after a renew, because the store may fail at each write that follows */
        if (queue->broken)
            return ps_queue_feed(queue) || moved;
        moved = true;
    }
    if ((queue->ring.count > 0 && write_entries(queue, &err) != PS_OK) ||
        keep_up(queue, now, &err) != PS_OK) {
        ps_queue_store_failed(queue, &err);
        send_promised(queue);
        return ps_queue_feed(queue) || moved;
    }
    moved |= queue->ring.count > 0;
    send_promised(queue);
    moved |= ps_queue_feed(queue);
    count_lost(queue);
    return moved;
}

static bool has_work(const struct ps_queue *queue)
{
    if (ps_flag_get(&queue->stop) || __atomic_load_n(&queue->delivered.newest, __ATOMIC_RELAXED) != NULL)
        return true;
    for (unsigned i = 0; i < queue->settings.producers; i++) {
        if (ps_spsc_count(queue->producers[i].ring) > 0)
            return true;
    }
    return ps_credit_is_answered(&queue->credit) || (queue->store != NULL && ps_queue_has_new_memory(queue));
}

/* Returns when the thread has to work next if nobody wakes it before. */
static uint64_t due_ns(const struct ps_queue *queue, uint64_t now)
{
    uint64_t due = now + IDLE_NS;
    if (queue->broken)
        due = ps_least(now + GIVE_UP_NS, queue->due.retry_ns);
    else if (queue->store == NULL)
        due = queue->due.retry_ns;
    else if (queue->has_news)
        due = queue->due.news_ns;
    else if (queue->unsynced || queue->crowded)
        due = now + LOOK_NS;
    return queue->due.feed_ns > 0 ? ps_least(due, queue->due.feed_ns) : due;
}

static void park(struct ps_queue *queue)
{
    struct pollfd ready = {.fd = queue->park.event_fd, .events = POLLIN};
    ps_park_announce(&queue->park);
    uint64_t now = now_ns(), due = due_ns(queue, now);
    if (due > now && !has_work(queue))
        (void)poll(&ready, 1, (int)((due - now + PS_NS_PER_MS - 1) / PS_NS_PER_MS));
    ps_park_cancel(&queue->park);
}

static struct ps_lease *take_last(struct ps_queue *queue)
{
    pthread_mutex_lock(&queue->told.lock);
    struct ps_lease *list = queue->told.last;
    queue->told.last = NULL;
    pthread_mutex_unlock(&queue->told.lock);
    return list;
}

static void add_last(struct ps_queue *queue, struct ps_lease *lease)
{
    while (lease != NULL) {
        struct ps_lease *next = lease->next;
        lease->next = NULL;
        queue->seen_events += lease->count;
        add_entry(queue, lease, 0, now_ns());
        lease = next;
    }
}

/* Writes and promises the remaining events when the agent stops or reloads; ps_queue_strip gives back the rest. */
static void finish(struct ps_queue *queue)
{
    struct ps_err err = {0};
    if (queue->store == NULL)
        return;
    /* the lock that take_last takes also orders this thread after ps_queue_strip */
    struct ps_lease *last = take_last(queue);
    (void)record(queue, now_ns());
    (void)collect(queue, now_ns());
    add_last(queue, last);
    if (!queue->broken &&
        (write_entries(queue, &err) != PS_OK || queue->settings.store->sync(queue->store, &err) != PS_OK))
        ps_queue_store_failed(queue, &err);
    send_promised(queue);
    if (queue->broken)
        ps_log(PS_LOG_WARN, queue->settings.component,
               "closed after a failed write: if writing works again now, what sinks have delivered since "
               "then is recorded %s; otherwise it is delivered again after the next start",
               queue->settings.store->where);
    struct ps_segment_fill fill;
    queue->settings.store->fill(queue->store, &fill);
    queue->kept = (struct ps_queue_tally){.events = fill.events, .bytes = fill.bytes};
    ps_log(PS_LOG_INFO, queue->settings.component, "closed: %s %s %s",
           ps_quantity_print_count(fill.events).text,
           ps_quantity_word(fill.events, "event stays", "events stay"), queue->settings.store->where);
    queue->settings.store->close(queue->store);
    queue->store = NULL;
}

static void take_restored(struct ps_queue *queue)
{
    while (queue->restored != NULL) {
        struct ps_lease *lease = queue->restored;
        queue->restored = lease->next;
        lease->next = NULL;
        queue->seen_events += lease->count;
        add_entry(queue, lease, 0, now_ns());
    }
}

void *ps_queue_main(void *argument)
{
    struct ps_queue *queue = argument;
    if (queue->settings.producers > 0)
        take_restored(queue);
    while (!ps_flag_get(&queue->stop)) {
        uint64_t now = now_ns();
        bool moved = false;
        if (queue->store == NULL && now >= queue->due.retry_ns)
            open_store(queue);
        if (queue->store != NULL)
            moved = turn(queue, now);
        if (!moved)
            park(queue);
    }
    finish(queue);
    ps_queue_release_fed(queue);
    ps_events_encoder_fini(&queue->encoder);
    return NULL;
}
