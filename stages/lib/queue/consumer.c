/* The consumers' side, on their workers: each reads frames into batches of its own pool. */
#include "stages/lib/queue/queue_internal.h"

#include "core/flow/engine_channel.h"
#include "core/quantity.h"

static void give_ticket(struct ps_queue *queue, struct ps_queue_ticket *ticket)
{
    ps_inbox_put(&queue->delivered, &ticket->node);
    ps_park_wake(&queue->park);
}

/* Reports a delivered batch to the thread. Deliveries are recorded one by one, in any order. */
static void batch_delivered(void *argument, struct ps_batch *batch)
{
    struct ps_queue_consumer *consumer = argument;
    give_ticket(consumer->queue, (struct ps_queue_ticket *)(uintptr_t)batch->tickets->origin);
}

/* Frees the payload's memory: the payload is not read again. */
static void release(const struct ps_queue *queue, struct ps_queue_ticket *ticket,
                    struct ps_block_cache *blocks)
{
    if (queue->settings.store->release == NULL)
        return;
    ticket->frame.blocks = blocks;
    queue->settings.store->release(&ticket->frame);
}

enum loaded {
    LOADED,
    LOADED_NO_MEMORY,
    LOADED_DAMAGED,
    LOADED_UNREADABLE, /* the store cannot read it now */
};

static enum loaded decoded(enum ps_events_result result)
{
    return result == PS_EVENTS_OK ? LOADED : result == PS_EVENTS_DAMAGED ? LOADED_DAMAGED : LOADED_NO_MEMORY;
}

static enum loaded load_payload(const struct ps_queue_settings *settings, const struct ps_store_frame *frame,
                                char *payload, struct ps_err *err)
{
    switch (settings->store->load(settings->store_settings, frame, payload, err)) {
    case PS_SEGMENT_READ_WHOLE:
        return LOADED;
    case PS_SEGMENT_READ_FAILED:
        return LOADED_UNREADABLE;
    case PS_SEGMENT_READ_NOTHING:
        break;
    }
    return LOADED_DAMAGED;
}

static enum loaded load(const struct ps_queue_settings *settings, const struct ps_store_frame *frame,
                        struct ps_batch *batch, struct ps_err *err)
{
    uint32_t room;
    bool is_long = frame->length > PS_BLOCK_BYTES; /* a single event, which gets a block of its own */
    char *payload =
        is_long ? ps_batch_alloc(batch, frame->length) : ps_batch_reserve(batch, frame->length, &room);
    if (payload == NULL)
        return LOADED_NO_MEMORY;
    enum loaded result = load_payload(settings, frame, payload, err);
    if (result != LOADED)
        return result;
    if (!is_long)
        ps_batch_commit(batch, frame->length);
    return decoded(ps_events_decode(batch, payload, frame->length));
}

/* Gives the events their identities. Returns false if there is no memory. */
static bool note_origin(const struct ps_queue_settings *settings, const struct ps_store_frame *frame,
                        struct ps_batch *batch)
{
    if (settings->store->identity == NULL)
        return true;
    const struct ps_identity first = settings->store->identity(frame);
    return ps_batch_origin(batch, &first, batch->count);
}

/* Reads the ticket's frame into a batch. Returns NULL if there is no memory, if the store cannot read the frame now
 * (it is read again at consumer->retry_ns), or if the frame is damaged: then ticket->damaged is set. */
static struct ps_lease *read_frame(struct ps_queue_consumer *consumer, struct ps_queue_ticket *ticket,
                                   struct ps_block_cache *blocks, const struct ps_now *now)
{
    const struct ps_queue_settings *settings = &consumer->queue->settings;
    struct ps_batch *batch = ps_readback_batch(consumer->readback, *now);
    if (batch == NULL)
        return NULL;
    struct ps_err err = {.length = 0};
    enum loaded result = load(settings, &ticket->frame, batch, &err);
    bool failed = result == LOADED_UNREADABLE ||
                  (result == LOADED_NO_MEMORY && ps_queue_is_too_long(&ticket->frame, blocks->depot, &err));
    consumer->retry_ns = failed ? now->mono_ns + settings->store->retry_ns : 0;
    if (failed || consumer->unreadable[0] != '\0')
        ps_queue_note_unreadable(consumer->queue, consumer->unreadable, failed ? ps_err_join(&err) : NULL);
    if (result == LOADED && !note_origin(settings, &ticket->frame, batch))
        result = LOADED_NO_MEMORY;
    if (result == LOADED && !ps_batch_ticket(batch, (uint64_t)(uintptr_t)ticket, batch->count))
        result = LOADED_NO_MEMORY;
    if (result != LOADED) {
        ticket->damaged = result == LOADED_DAMAGED;
        ps_readback_drop(batch);
        return NULL;
    }
    release(consumer->queue, ticket, blocks);
    return ps_readback_lease(consumer->readback, batch);
}

static void count_given(struct ps_queue_consumer *consumer, uint64_t events)
{
    __atomic_store_n(&consumer->gave_events, consumer->gave_events + events, __ATOMIC_RELAXED);
}

void ps_queue_unclaim(struct ps_queue *queue, unsigned consumer)
{
    struct ps_queue_consumer *mine = &queue->consumers[consumer];
    /* one that cannot be read now stays: nobody can read it */
    if (mine->stuck == NULL || mine->retry_ns > 0 || queue->settings.consumers < 2)
        return;
    count_given(mine, mine->stuck->frame.count);
    ps_inbox_put(&queue->unclaimed, &mine->stuck->node);
    mine->stuck = NULL;
}

static struct ps_queue_ticket *ticket_of(struct ps_inbox_node *node)
{
    return (struct ps_queue_ticket *)(void *)((char *)node - offsetof(struct ps_queue_ticket, node));
}

static struct ps_queue_ticket *claim_again(struct ps_queue_consumer *mine)
{
    struct ps_inbox *list = &mine->queue->unclaimed;
    struct ps_inbox_node *node = ps_inbox_take(list);
    if (PS_LIKELY(node == NULL))
        return NULL;
    if (node->next != NULL)
        ps_inbox_put_list(list, node->next);
    struct ps_queue_ticket *ticket = ticket_of(node);
    count_given(mine, -(uint64_t)ticket->frame.count);
    return ticket;
}

/* Takes a ticket from the ring, and wakes the thread if it must read ahead: other consumers need tickets even if this
 * consumer delivers nothing. */
static struct ps_queue_ticket *pop_ticket(struct ps_queue *queue)
{
    struct ps_queue_ticket *ticket = ps_spmc_pop(queue->feed);
    if (ticket != NULL && ps_credit_return(&queue->credit, ticket->cost_bytes))
        (void)ps_park_wake(&queue->park);
    return ticket;
}

/* Returns the next ticket. Returns NULL if there is none: the thread will wake this worker when there is one. */
static struct ps_queue_ticket *next_ticket(struct ps_queue_consumer *consumer, const struct ps_port *port)
{
    struct ps_queue_ticket *ticket = consumer->stuck;
    consumer->stuck = NULL;
    if (ticket == NULL)
        ticket = claim_again(consumer);
    if (ticket == NULL)
        ticket = pop_ticket(consumer->queue);
    if (ticket == NULL) {
        ps_alarm_set(&consumer->alarm, port->wake_fd);
        ticket = pop_ticket(consumer->queue); /* a ticket may have been pushed before the alarm was set */
    }
    return ticket;
}

struct ps_lease *ps_queue_take(struct ps_queue *queue, unsigned consumer, struct ps_port *port,
                               const struct ps_now *now)
{
    struct ps_queue_consumer *mine = &queue->consumers[consumer];
    struct ps_queue_ticket *ticket;
    struct ps_lease *lease = ps_queue_take_back(queue, consumer);
    if (mine->readback == NULL)
        mine->readback = ps_readback_open(port->pool, PS_READBACK_ANY_ORDER, batch_delivered, mine);
    if (PS_UNLIKELY(__atomic_load_n(&queue->depot, __ATOMIC_RELAXED) == NULL)) {
        __atomic_store_n(&queue->depot, port->blocks->depot, __ATOMIC_RELAXED);
        ps_park_wake(&queue->park); /* the thread may read ahead now */
    }
    if (lease != NULL)
        return lease;
    mine->found_nothing = true;
    if (mine->stuck != NULL && now->mono_ns < mine->retry_ns)
        return NULL;
    while (lease == NULL && (ticket = next_ticket(mine, port)) != NULL) {
        uint64_t events = ticket->frame.count, bytes = ticket->frame.bytes;
        lease = read_frame(mine, ticket, port->blocks, now);
        if (lease != NULL)
            break;
        if (!ticket->damaged) {
            mine->stuck = ticket;
            return NULL;
        }
        ps_queue_count(&mine->taken, events, bytes);
        release(queue, ticket, port->blocks);
        give_ticket(queue, ticket);
    }
    if (lease != NULL) {
        mine->found_nothing = false;
        ps_queue_count(&mine->taken, lease->count, lease->bytes);
    }
    return lease;
}

bool ps_queue_made(const struct ps_queue *queue, const struct ps_lease *lease)
{
    const void *reader = ps_readback_argument(lease);
    for (unsigned i = 0; i < queue->settings.consumers; i++) {
        if (reader == &queue->consumers[i])
            return true;
    }
    return false;
}

bool ps_queue_claim(struct ps_queue *queue, unsigned consumer, struct ps_port *port)
{
    struct ps_queue_consumer *mine = &queue->consumers[consumer];
    mine->stuck = next_ticket(mine, port);
    mine->found_nothing = mine->stuck == NULL;
    return mine->stuck != NULL;
}

void ps_queue_done(struct ps_queue *, unsigned, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

/* ---- leases that were given back ---- */

void ps_queue_untake(struct ps_queue *queue, unsigned consumer, struct ps_lease **lease)
{
    struct ps_queue_consumer *mine = &queue->consumers[consumer];
    ps_queue_count(&mine->taken, -(uint64_t)(*lease)->count, -(*lease)->bytes);
    count_given(mine, (*lease)->count);
    mine->found_nothing = false; /* it rests now, and knows that there is something */
    ps_given_back_put(&queue->given_back, lease);
    ps_queue_unclaim(queue, consumer);
}

struct ps_lease *ps_queue_take_back(struct ps_queue *queue, unsigned consumer)
{
    struct ps_queue_consumer *mine = &queue->consumers[consumer];
    struct ps_lease *lease = ps_given_back_take(&queue->given_back);
    if (PS_LIKELY(lease == NULL))
        return NULL;
    mine->found_nothing = false;
    count_given(mine, -(uint64_t)lease->count);
    ps_queue_count(&mine->taken, lease->count, lease->bytes);
    return lease;
}

uint64_t ps_queue_given_back_ns(const struct ps_queue *queue, unsigned consumer, const struct ps_now *now)
{
    uint64_t events = 0;
    if (!queue->consumers[consumer].found_nothing)
        return PS_NEVER;
    for (unsigned i = 0; i < queue->settings.consumers; i++)
        events += __atomic_load_n(&queue->consumers[i].gave_events, __ATOMIC_RELAXED);
    return (int64_t)events > 0 ? now->mono_ns + PS_GIVEN_BACK_LOOK_NS : PS_NEVER;
}

/* Returns the leases that this consumer has read to this worker, their home. No consumer takes from the list now. */
static void send_own_home(struct ps_queue *queue, struct ps_queue_consumer *mine, struct ps_port *port)
{
    struct ps_inbox_node *node = ps_inbox_take(&queue->given_back);
    while (node != NULL) {
        struct ps_lease *lease = ps_lease_homeward(node);
        node = node->next;
        if (ps_readback_argument(lease) == mine) {
            lease->next = NULL;
            ps_count(port->counters, PS_COUNTER_duplicated, lease->settled);
            ps_port_home(port, &lease);
        } else {
            ps_given_back_put(&queue->given_back, &lease);
        }
    }
}

/* Frees what a claimed frame has in memory. The frame stays in the store, like the frames of leases that were given
 * back. */
static void forget(struct ps_queue *queue, struct ps_queue_ticket *ticket, struct ps_port *port)
{
    if (ticket != NULL)
        release(queue, ticket, port->blocks);
}

/* Undelivered events stay in the store: the next queue that opens it reads them again. */
void ps_queue_leave(struct ps_queue *queue, unsigned consumer, struct ps_port *port)
{
    struct ps_queue_consumer *mine = &queue->consumers[consumer];
    ps_readback_close(mine->readback);
    mine->readback = NULL;
    mine->retry_ns = 0;
    mine->found_nothing = false;
    /* a lock is acceptable here, because no event waits for it; it keeps the list from others that leave */
    pthread_mutex_lock(&queue->told.lock);
    mine->unreadable[0] = '\0';
    send_own_home(queue, mine, port);
    pthread_mutex_unlock(&queue->told.lock);
    count_given(mine, -mine->gave_events);
    if (queue->settings.store->release != NULL) {
        forget(queue, mine->stuck, port);
        mine->stuck = NULL;
    }
    for (struct ps_inbox_node *node = ps_inbox_take(&queue->unclaimed), *next; node != NULL; node = next) {
        next = node->next;
        forget(queue, ticket_of(node), port);
    }
}
