/* The keeper's thread: writes leases, syncs once for all that arrived, feeds consumers, and records deliveries. */
#include "stages/lib/queue/keeper_internal.h"

#include <poll.h>
#include <string.h>

#include "core/quantity.h"
#include "stages/lib/least.h"

#define SPACE_LOOK_NS PS_NS_PER_S /* between checks of the free space */
#define NEWS_SYNC_NS PS_NS_PER_S  /* deliveries are synced within this time */
#define MEMORY_RETRY_NS (20 * PS_NS_PER_MS)
#define IDLE_NS (60 * PS_NS_PER_S)
#define LOOK_NS (PS_NS_PER_S / 2)     /* between checks for a due sync, and of the free space */
#define GIVE_UP_NS (PS_NS_PER_S / 10) /* between checks of leases that wait while the store fails */
#define ROUND_LEASES 32U              /* of one producer, before the next producer's turn */

static uint64_t now_ns(void)
{
    return ps_clock_now().mono_ns;
}

/* ---- trouble ---- */

static void set_trouble(struct ps_keeper *keeper, const char *text)
{
    pthread_mutex_lock(&keeper->lock);
    bool fresh = strcmp(keeper->trouble, text) != 0;
    snprintf(keeper->trouble, sizeof keeper->trouble, "%s", text);
    pthread_mutex_unlock(&keeper->lock);
    if (fresh)
        ps_log(PS_LOG_ERROR, keeper->settings.component, "%s", text);
}

/* Sets whether puts are accepted. Wakes producers that wait when they are again. */
static void set_writable(struct ps_keeper *keeper)
{
    bool writable = keeper->store != NULL && !keeper->broken && !keeper->crowded;
    if (keeper->writable == writable)
        return;
    __atomic_store_n(&keeper->writable, writable, __ATOMIC_RELAXED);
    if (!writable)
        return;
    pthread_mutex_lock(&keeper->lock);
    bool was = keeper->trouble[0] != '\0';
    keeper->trouble[0] = '\0';
    pthread_mutex_unlock(&keeper->lock);
    if (was)
        ps_log(PS_LOG_INFO, keeper->settings.component, "%s", keeper->settings.store->works_again);
    for (unsigned i = 0; i < keeper->settings.producers; i++)
        (void)ps_alarm_ring(&keeper->producers[i].alarm);
}

/* Sets the time of the next try after a failure. Returns the longest interval between tries. */
static uint64_t next_retry_ns(struct ps_keeper *keeper)
{
    const struct ps_store_ops *ops = keeper->settings.store;
    uint64_t wait_ns = keeper->retry_after_ns > 0 ? keeper->retry_after_ns : ops->retry_ns;
    keeper->retry_after_ns = 2 * wait_ns < ops->retry_max_ns ? 2 * wait_ns : ops->retry_max_ns;
    keeper->retry_ns = now_ns() + wait_ns;
    return ops->retry_max_ns;
}

static void store_failed(struct ps_keeper *keeper, const struct ps_err *err)
{
    char text[480];
    snprintf(text, sizeof text, "%.380s: nothing is promised until it works again; trying every %s",
             err->text, ps_quantity_print_ns(next_retry_ns(keeper)).text);
    keeper->broken = true;
    set_writable(keeper); /* before anybody can read the reason */
    set_trouble(keeper, text);
}

static void look_for_space(struct ps_keeper *keeper, uint64_t now)
{
    const struct ps_keeper_settings *settings = &keeper->settings;
    char text[480];
    if (now < keeper->space_ns || settings->store->crowded == NULL)
        return;
    keeper->space_ns = now + SPACE_LOOK_NS;
    keeper->crowded = settings->store->crowded(settings->store_settings, text, sizeof text);
    set_writable(keeper);
    if (keeper->crowded)
        set_trouble(keeper, text);
}

/* ---- opening ---- */

/* Reports, for as long as the store is open, a part of it that cannot be read because its key is missing. */
static void look_for_held(struct ps_keeper *keeper)
{
    if (keeper->settings.store->held == NULL)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->settings.store->held(keeper->store, keeper->held, sizeof keeper->held);
    pthread_mutex_unlock(&keeper->lock);
    if (keeper->held[0] != '\0')
        ps_log(PS_LOG_ERROR, keeper->settings.component, "%s", keeper->held);
}

static void open_store(struct ps_keeper *keeper)
{
    const struct ps_keeper_settings *settings = &keeper->settings;
    struct ps_err err = {0};
    uint64_t began_ns = now_ns();
    keeper->store = settings->store->open(settings->store_settings, settings->component, &err);
    if (keeper->store == NULL) {
        char text[480];
        snprintf(text, sizeof text, "%.400s; trying again every %s", err.text,
                 ps_quantity_print_ns(next_retry_ns(keeper)).text);
        set_trouble(keeper, text);
        return;
    }
    struct ps_segment_fill fill;
    settings->store->fill(keeper->store, &fill);
    keeper->retry_after_ns = 0;
    ps_keeper_count(&keeper->found, fill.events, fill.bytes);
    ps_log(PS_LOG_INFO, settings->component, "opened in %s: %s events are waiting %s",
           ps_quantity_print_ns(now_ns() - began_ns).text, ps_quantity_print_count(fill.events).text,
           settings->store->where);
    look_for_held(keeper);
    ps_mark_move(&keeper->opened, 1); /* first, because a producer that is woken reads it */
    set_writable(keeper);
}

/* ---- writing ---- */

/* Takes leases from the producers' rings. Returns whether there were any. */
static bool collect(struct ps_keeper *keeper, uint64_t now)
{
    uint64_t bytes = 0, round_bytes = keeper->settings.store->round_bytes;
    bool any = false, more = true;
    while (more && bytes < round_bytes) {
        more = false;
        for (unsigned i = 0; i < keeper->settings.producers; i++) {
            struct ps_lease *lease;
            for (unsigned k = 0; k < ROUND_LEASES && bytes < round_bytes &&
                                 (lease = ps_spsc_pop(keeper->producers[i].ring)) != NULL;
                 k++) {
                ps_keeper_entry_add(keeper, lease, i, now);
                keeper->seen_events += lease->count;
                bytes += lease->bytes;
                any = more = true;
            }
        }
    }
    return any;
}

/* Appends those frames of a lease that are not promised yet. */
static enum ps_status write_entry(struct ps_keeper *keeper, struct ps_keeper_entry *entry, struct ps_err *err)
{
    const struct ps_store_ops *ops = keeper->settings.store;
    uint64_t promised = ops->promised(keeper->store);
    uint64_t skip = entry->first > 0 && promised >= entry->first ? promised - entry->first + 1 : 0;
    if (skip == 0)
        entry->first = 0;
    for (uint32_t position = 0; position < entry->lease->count;) {
        uint64_t number;
        if (ops->lend != NULL)
            ps_events_lend(&keeper->encoder, ops->lend(keeper->store, PS_EVENTS_PAYLOAD_BYTES),
                           PS_EVENTS_PAYLOAD_BYTES);
        const char *payload = ps_events_encode(&keeper->encoder, entry->lease, &position);
        if (PS_UNLIKELY(keeper->encoder.cut > 0))
            ps_log(
                PS_LOG_ERROR, keeper->settings.component,
                "%u events are longer than a frame (1 GiB): the newest headers, or the end of the body, are "
                "not kept; have the interceptors copy less of the body into headers",
                keeper->encoder.cut);
        if (skip > 0) {
            skip--;
            continue;
        }
        if (ops->append(keeper->store, payload, (uint32_t)keeper->encoder.length, keeper->encoder.count,
                        keeper->encoder.body_bytes, &number, err) != PS_OK)
            return PS_FAIL;
        if (entry->first == 0)
            entry->first = number;
        entry->last = number;
    }
    entry->written = true;
    return PS_OK;
}

/* Writes and syncs all leases that were collected. */
static enum ps_status write_entries(struct ps_keeper *keeper, struct ps_err *err)
{
    for (size_t i = 0; i < keeper->entry_count; i++) {
        struct ps_keeper_entry *entry = ps_keeper_entry_at(keeper, i);
        if (!entry->written && write_entry(keeper, entry, err) != PS_OK)
            return PS_FAIL;
    }
    const struct ps_store_ops *ops = keeper->settings.store;
    keeper->unsynced |= !keeper->settings.sync_each;
    if ((keeper->settings.sync_each ? ops->sync : ops->write)(keeper->store, err) != PS_OK)
        return PS_FAIL;
    keeper->has_news = false; /* the deliveries were written with the leases */
    return PS_OK;
}

static void send_home(struct ps_keeper *keeper, const struct ps_keeper_entry *entry)
{
    struct ps_keeper_producer *producer = &keeper->producers[entry->producer];
    ps_inbox_put(&producer->promised, &entry->lease->homeward);
    producer->news = true;
}

static void wake_producers(struct ps_keeper *keeper)
{
    for (unsigned i = 0; i < keeper->settings.producers; i++) {
        if (keeper->producers[i].news)
            (void)ps_alarm_ring(&keeper->producers[i].alarm);
        keeper->producers[i].news = false;
    }
}

/* Sends home the leases whose frames are all promised. */
static void send_promised(struct ps_keeper *keeper)
{
    uint64_t promised = keeper->settings.store->promised(keeper->store);
    while (keeper->entry_count > 0) {
        struct ps_keeper_entry *entry = ps_keeper_entry_at(keeper, 0);
        if (!entry->written || entry->last > promised)
            break;
        send_home(keeper, entry);
        ps_keeper_entry_pop(keeper);
    }
    wake_producers(keeper);
}

/* Gives up leases that waited longer than the keep-alive while the store cannot be written, if their sources can refuse their
 * clients. Of each producer only leases at the front, because they go home in order. Producers do not wait for each other. */
static void give_up_old(struct ps_keeper *keeper, uint64_t now)
{
    uint64_t keep_alive_ns = keeper->settings.keep_alive_ms * PS_NS_PER_MS;
    size_t kept = 0;
    for (unsigned i = 0; i < keeper->settings.producers; i++)
        keeper->producers[i].waits = false;
    for (size_t i = 0; i < keeper->entry_count; i++) {
        struct ps_keeper_entry *entry = ps_keeper_entry_at(keeper, i);
        struct ps_keeper_producer *producer = &keeper->producers[entry->producer];
        if (producer->waits || !entry->lease->refusable || now < entry->since_ns + keep_alive_ns) {
            producer->waits = true;
            *ps_keeper_entry_at(keeper, kept++) = *entry;
            continue;
        }
        entry->lease->failed = true;
        keeper->seen_events -= entry->lease->count;
        send_home(keeper, entry);
    }
    keeper->entry_count = kept;
    wake_producers(keeper);
}

/* Tries to make the store writable again after a failure. The frames behind the promised ones are written again. */
static void recover(struct ps_keeper *keeper, uint64_t now)
{
    struct ps_err err = {0};
    if (now < keeper->retry_ns)
        return;
    enum ps_status renewed = keeper->settings.store->renew(keeper->store, &err);
    send_promised(keeper);
    /* Also if `renew` failed: the store forgot the frames that are not promised, so they have to be appended again. */
    for (size_t i = 0; i < keeper->entry_count; i++)
        ps_keeper_entry_at(keeper, i)->written = false;
    if (renewed != PS_OK) {
        store_failed(keeper, &err);
        return;
    }
    keeper->broken = false;
    keeper->retry_after_ns = 0;
    set_writable(keeper);
}

/* ---- feeding ---- */

static struct ps_keeper_ticket *take_ticket(struct ps_keeper *keeper)
{
    struct ps_keeper_ticket *ticket = keeper->free_tickets;
    if (ticket != NULL) {
        keeper->free_tickets = ticket->next_free;
        return ticket;
    }
    ticket = ps_must_alloc(1, sizeof *ticket, keeper->settings.component);
    ticket->next_made = keeper->made_tickets;
    keeper->made_tickets = ticket;
    return ticket;
}

static void wake_consumers(struct ps_keeper *keeper)
{
    for (unsigned i = 0; i < keeper->settings.consumers; i++)
        (void)ps_alarm_ring(&keeper->consumers[i].alarm);
}

/* Returns whether the first consumer has set the memory for reading ahead, and it is not used yet. */
static bool has_new_memory(const struct ps_keeper *keeper)
{
    return keeper->settings.store->release != NULL && keeper->blocks.depot == NULL &&
           __atomic_load_n(&keeper->depot, __ATOMIC_RELAXED) != NULL;
}

/* Returns whether frames can be read ahead. */
static bool can_feed(struct ps_keeper *keeper)
{
    if (has_new_memory(keeper))
        ps_block_cache_init(&keeper->blocks, __atomic_load_n(&keeper->depot, __ATOMIC_RELAXED));
    return keeper->settings.consumers > 0 &&
           (keeper->settings.store->release == NULL || keeper->blocks.depot != NULL);
}

/* Frees the frames in the ring, which no consumer takes any more. They stay in the store. */
static void release_fed(struct ps_keeper *keeper)
{
    struct ps_keeper_ticket *ticket;
    if (keeper->blocks.depot == NULL)
        return;
    while ((ticket = ps_spmc_pop(keeper->feed)) != NULL) {
        ticket->frame.blocks = &keeper->blocks;
        keeper->settings.store->release(&ticket->frame);
    }
    ps_block_cache_fini(&keeper->blocks);
}

/* Returns whether one more frame may be read ahead. A store that keeps payloads in memory always reads one frame ahead, but more
 * only while a quarter of the memory is free, which consumers and sources need. */
static bool may_read_ahead(const struct ps_keeper *keeper)
{
    const struct ps_depot *depot = keeper->blocks.depot;
    return keeper->settings.store->release == NULL || ps_spmc_count(keeper->feed) == 0 ||
           ps_depot_used_bytes(depot) / 3 < ps_depot_budget_bytes(depot) / 4;
}

/* Puts frames into the consumers' ring. Returns whether there were any. */
static bool feed(struct ps_keeper *keeper)
{
    const struct ps_store_ops *ops = keeper->settings.store;
    struct ps_err err = {0};
    bool any = false;
    if (PS_UNLIKELY(keeper->feed_ns > 0) && now_ns() < keeper->feed_ns)
        return false;
    keeper->feed_ns = 0;
    bool more = can_feed(keeper);
    while (more && ps_spmc_count(keeper->feed) < ops->feed_frames) {
        if (!may_read_ahead(keeper)) {
            keeper->feed_ns = now_ns() + MEMORY_RETRY_NS;
            more = false;
            break;
        }
        struct ps_keeper_ticket *ticket = take_ticket(keeper);
        ticket->frame.blocks = &keeper->blocks;
        enum ps_store_fed fed = ops->feed(keeper->store, &ticket->frame, &err);
        bool too_long = fed == PS_STORE_NO_MEMORY && keeper->blocks.depot != NULL &&
                        ps_keeper_is_too_long(&ticket->frame, keeper->blocks.depot, &err);
        bool unreadable = fed == PS_STORE_UNREADABLE || too_long;
        uint64_t wait_ns = unreadable ? ops->retry_ns : fed == PS_STORE_NO_MEMORY ? MEMORY_RETRY_NS : 0;
        keeper->feed_ns = wait_ns > 0 ? now_ns() + wait_ns : 0;
        if (unreadable || keeper->unreadable[0] != '\0')
            ps_keeper_note_unreadable(keeper, keeper->unreadable, unreadable ? ps_err_join(&err) : NULL);
        if (fed != PS_STORE_FED) {
            ticket->next_free = keeper->free_tickets;
            keeper->free_tickets = ticket;
            if (fed == PS_STORE_FAILED && keeper->broken) /* recover() renews it at retry_ns */
                keeper->feed_ns = keeper->retry_ns;
            else if (fed == PS_STORE_FAILED)
                store_failed(keeper, &err);
            more = false;
            break;
        }
        ticket->damaged = false;
        bool pushed = ps_spmc_push(keeper->feed, ticket);
        PS_ASSERT(pushed);
        any = true;
    }
    if (ps_flag_get(&keeper->has_more) != more)
        ps_flag_set(&keeper->has_more, more);
    if (any)
        wake_consumers(keeper);
    return any;
}

/* Records what the consumers delivered. Returns whether there was anything. */
static bool record(struct ps_keeper *keeper, uint64_t now)
{
    struct ps_inbox_node *node = ps_inbox_take(&keeper->delivered);
    bool any = node != NULL;
    while (node != NULL) {
        struct ps_keeper_ticket *ticket =
            (struct ps_keeper_ticket *)(void *)((char *)node - offsetof(struct ps_keeper_ticket, node));
        node = node->next;
        keeper->seen_events -= ticket->frame.count;
        ps_mark_move(&keeper->delivered_events, ps_mark_own(&keeper->delivered_events) + ticket->frame.count);
        if (ticket->damaged)
            keeper->settings.store->lost(keeper->store, &ticket->frame);
        else
            keeper->settings.store->take(keeper->store, &ticket->frame);
        ticket->next_free = keeper->free_tickets;
        keeper->free_tickets = ticket;
    }
    if (any && !keeper->has_news) {
        keeper->has_news = true;
        keeper->news_ns = now + keeper->settings.store->news_ns;
    }
    return any;
}

/* Corrects the accounts when the store is empty but they are not: frames with an unknown number of events were lost. */
static void count_lost(struct ps_keeper *keeper)
{
    struct ps_segment_fill fill;
    keeper->settings.store->fill(keeper->store, &fill);
    if (fill.frames_lost == keeper->frames_lost || fill.events > 0 || keeper->entry_count > 0)
        return;
    uint64_t rest = keeper->found.events + keeper->seen_events;
    if (rest > 0)
        ps_keeper_count(&keeper->found, -rest, 0);
    keeper->frames_lost = fill.frames_lost;
}

/* ---- the loop ---- */

/* Writes deliveries and syncs if they are due. */
static enum ps_status keep_up(struct ps_keeper *keeper, uint64_t now, struct ps_err *err)
{
    if (keeper->has_news && now >= keeper->news_ns) {
        if (keeper->settings.store->write(keeper->store, err) != PS_OK)
            return PS_FAIL;
        keeper->has_news = false;
        keeper->unsynced = true;
    }
    uint64_t every_ns =
        keeper->settings.sync_each ? NEWS_SYNC_NS : keeper->settings.sync_every_ms * PS_NS_PER_MS;
    if (!keeper->unsynced || now < keeper->sync_ns + every_ns)
        return PS_OK;
    keeper->sync_ns = now;
    keeper->unsynced = false;
    return keeper->settings.store->sync(keeper->store, err);
}

/* Does one round of work with an open store. Returns whether there was any. */
static bool turn(struct ps_keeper *keeper, uint64_t now)
{
    struct ps_err err = {0};
    bool moved = record(keeper, now);
    moved |= collect(keeper, now);
    look_for_space(keeper, now);
    if (keeper->broken) {
        recover(keeper, now);
        if (keeper->broken) {
            give_up_old(keeper, now);
            return feed(keeper) || moved;
        }
        moved = true;
    }
    if ((keeper->entry_count > 0 && write_entries(keeper, &err) != PS_OK) ||
        keep_up(keeper, now, &err) != PS_OK) {
        store_failed(keeper, &err);
        send_promised(keeper);
        return feed(keeper) || moved;
    }
    moved |= keeper->entry_count > 0;
    send_promised(keeper);
    moved |= feed(keeper);
    count_lost(keeper);
    return moved;
}

static bool has_work(const struct ps_keeper *keeper)
{
    if (ps_flag_get(&keeper->stop) || __atomic_load_n(&keeper->delivered.newest, __ATOMIC_RELAXED) != NULL)
        return true;
    for (unsigned i = 0; i < keeper->settings.producers; i++) {
        if (ps_spsc_count(keeper->producers[i].ring) > 0)
            return true;
    }
    return ps_keeper_wants_feed(keeper) || (keeper->store != NULL && has_new_memory(keeper));
}

/* Returns when the thread has to work next if nobody wakes it before. */
static uint64_t due_ns(const struct ps_keeper *keeper, uint64_t now)
{
    uint64_t due = now + IDLE_NS;
    if (keeper->broken)
        due = ps_least(now + GIVE_UP_NS, keeper->retry_ns);
    else if (keeper->store == NULL)
        due = keeper->retry_ns;
    else if (keeper->has_news)
        due = keeper->news_ns;
    else if (keeper->unsynced || keeper->crowded)
        due = now + LOOK_NS;
    return keeper->feed_ns > 0 ? ps_least(due, keeper->feed_ns) : due;
}

static void park(struct ps_keeper *keeper)
{
    struct pollfd ready = {.fd = keeper->park.event_fd, .events = POLLIN};
    ps_park_announce(&keeper->park);
    uint64_t now = now_ns(), due = due_ns(keeper, now);
    if (due > now && !has_work(keeper))
        (void)poll(&ready, 1, (int)((due - now + PS_NS_PER_MS - 1) / PS_NS_PER_MS));
    ps_park_cancel(&keeper->park);
}

static struct ps_lease *take_last(struct ps_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    struct ps_lease *list = keeper->last;
    keeper->last = NULL;
    pthread_mutex_unlock(&keeper->lock);
    return list;
}

static void add_last(struct ps_keeper *keeper, struct ps_lease *lease)
{
    while (lease != NULL) {
        struct ps_lease *next = lease->next;
        lease->next = NULL;
        keeper->seen_events += lease->count;
        ps_keeper_entry_add(keeper, lease, 0, now_ns());
        lease = next;
    }
}

/* Writes and promises what is left when the agent stops or reloads; ps_keeper_strip gives back the rest. */
static void finish(struct ps_keeper *keeper)
{
    struct ps_err err = {0};
    if (keeper->store == NULL)
        return;
    struct ps_lease *last = take_last(keeper); /* its lock also orders this thread behind ps_keeper_strip */
    (void)record(keeper, now_ns());
    (void)collect(keeper, now_ns());
    add_last(keeper, last);
    if (!keeper->broken &&
        (write_entries(keeper, &err) != PS_OK || keeper->settings.store->sync(keeper->store, &err) != PS_OK))
        store_failed(keeper, &err);
    send_promised(keeper);
    if (keeper->broken)
        ps_log(
            PS_LOG_WARN, keeper->settings.component,
            "closed while it cannot be written: what sinks delivered since it failed is recorded %s if that "
            "can be written now, else it is delivered again after the next start",
            keeper->settings.store->where);
    struct ps_segment_fill fill;
    keeper->settings.store->fill(keeper->store, &fill);
    keeper->kept = (struct ps_keeper_tally){.events = fill.events, .bytes = fill.bytes};
    ps_log(PS_LOG_INFO, keeper->settings.component, "closed: %s events stay %s",
           ps_quantity_print_count(fill.events).text, keeper->settings.store->where);
    keeper->settings.store->close(keeper->store);
    keeper->store = NULL;
}

static void take_restored(struct ps_keeper *keeper)
{
    while (keeper->restored != NULL) {
        struct ps_lease *lease = keeper->restored;
        keeper->restored = lease->next;
        lease->next = NULL;
        keeper->seen_events += lease->count;
        ps_keeper_entry_add(keeper, lease, 0, now_ns());
    }
}

void *ps_keeper_main(void *argument)
{
    struct ps_keeper *keeper = argument;
    if (keeper->settings.producers > 0)
        take_restored(keeper);
    while (!ps_flag_get(&keeper->stop)) {
        uint64_t now = now_ns();
        bool moved = false;
        if (keeper->store == NULL && now >= keeper->retry_ns)
            open_store(keeper);
        if (keeper->store != NULL)
            moved = turn(keeper, now);
        if (!moved)
            park(keeper);
    }
    finish(keeper);
    release_fed(keeper);
    ps_events_encoder_fini(&keeper->encoder);
    return NULL;
}
