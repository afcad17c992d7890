/* Feeds the consumers: puts places of frames into their ring, on the durable queue's thread.
 *
 * The thread reads ahead while the frames that wait in the ring have fewer bytes than the channel's read-ahead, a share of
 * its memory. A consumer that takes a frame returns the frame's bytes, and wakes the thread when half of the read-ahead is
 * free. A frame that a consumer has taken does not count, even if the consumer keeps it for a long time, so that the
 * other consumers get frames. */
#include "stages/lib/queue/queue_internal.h"

#define MEMORY_RETRY_NS (20 * PS_NS_PER_MS)

static uint64_t now_ns(void)
{
    return ps_clock_now().mono_ns;
}

static struct ps_queue_ticket *take_ticket(struct ps_queue *queue)
{
    struct ps_queue_ticket *ticket = queue->free_tickets;
    if (ticket != NULL) {
        queue->free_tickets = ticket->next_free;
        return ticket;
    }
    ticket = ps_must_alloc(1, sizeof *ticket, queue->settings.component);
    ticket->next_made = queue->made_tickets;
    queue->made_tickets = ticket;
    return ticket;
}

void ps_queue_ticket_free(struct ps_queue *queue, struct ps_queue_ticket *ticket)
{
    ticket->next_free = queue->free_tickets;
    queue->free_tickets = ticket;
}

static void wake_consumers(struct ps_queue *queue)
{
    for (unsigned i = 0; i < queue->settings.consumers; i++)
        (void)ps_alarm_ring(&queue->consumers[i].alarm);
}

bool ps_queue_has_new_memory(const struct ps_queue *queue)
{
    return queue->settings.store->release != NULL && queue->blocks.depot == NULL &&
           __atomic_load_n(&queue->depot, __ATOMIC_RELAXED) != NULL;
}

/* Returns whether frames can be read ahead. */
static bool can_feed(struct ps_queue *queue)
{
    if (ps_queue_has_new_memory(queue))
        ps_block_cache_init(&queue->blocks, __atomic_load_n(&queue->depot, __ATOMIC_RELAXED));
    return queue->settings.consumers > 0 &&
           (queue->settings.store->release == NULL || queue->blocks.depot != NULL);
}

void ps_queue_release_fed(struct ps_queue *queue)
{
    struct ps_queue_ticket *ticket;
    if (queue->blocks.depot == NULL)
        return;
    while ((ticket = ps_spmc_pop(queue->feed)) != NULL) {
        (void)ps_credit_return(&queue->credit, ticket->cost_bytes);
        ticket->frame.blocks = &queue->blocks;
        queue->settings.store->release(&ticket->frame);
    }
    ps_block_cache_fini(&queue->blocks);
}

/* Returns whether the store keeps payloads in memory, and less than a quarter of the memory is free, which consumers and
 * sources need. */
static bool is_memory_short(const struct ps_queue *queue)
{
    const struct ps_depot *depot = queue->blocks.depot;
    return queue->settings.store->release != NULL && depot != NULL &&
           ps_depot_used_bytes(depot) / 3 >= ps_depot_budget_bytes(depot) / 4;
}

/* Returns whether one more frame may be read ahead. One frame always may, because otherwise a frame longer than the
 * read-ahead would never be read. */
static bool may_read_ahead(const struct ps_queue *queue, uint64_t limit_bytes)
{
    uint64_t waiting = ps_credit_waiting(&queue->credit);
    return waiting == 0 || (waiting < limit_bytes && !is_memory_short(queue));
}

/* Pushes a ticket. Its cost is the size of the payload and the ticket in whole pages; so the ring has room for all
 * frames of the longest read-ahead. */
static void push(struct ps_queue *queue, struct ps_queue_ticket *ticket)
{
    uint64_t length = ticket->frame.length + sizeof *ticket;
    ticket->damaged = false;
    ticket->cost_bytes = (length + PS_QUEUE_FRAME_COST_MIN_BYTES - 1) / PS_QUEUE_FRAME_COST_MIN_BYTES *
                         PS_QUEUE_FRAME_COST_MIN_BYTES;
    ps_credit_spend(&queue->credit, ticket->cost_bytes);
    bool pushed = ps_spmc_push(queue->feed, ticket);
    PS_ASSERT(pushed);
}

/* Puts the next frame into the consumers' ring. Returns false if the store has none now, and sets feed_ns if the
 * store must be asked again at that time. */
static bool feed_frame(struct ps_queue *queue)
{
    const struct ps_store_ops *ops = queue->settings.store;
    struct ps_err err = {0};
    struct ps_queue_ticket *ticket = take_ticket(queue);
    ticket->frame.blocks = &queue->blocks;
    enum ps_store_fed fed = ops->feed(queue->store, &ticket->frame, &err);
    bool too_long = fed == PS_STORE_NO_MEMORY && queue->blocks.depot != NULL &&
                    ps_queue_is_too_long(&ticket->frame, queue->blocks.depot, &err);
    bool unreadable = fed == PS_STORE_UNREADABLE || too_long;
    uint64_t wait_ns = unreadable ? ops->retry_ns : fed == PS_STORE_NO_MEMORY ? MEMORY_RETRY_NS : 0;
    queue->due.feed_ns = wait_ns > 0 ? now_ns() + wait_ns : 0;
    if (unreadable || queue->told.unreadable[0] != '\0')
        ps_queue_note_unreadable(queue, queue->told.unreadable, unreadable ? ps_err_join(&err) : NULL);
    if (fed == PS_STORE_FED) {
        push(queue, ticket);
        return true;
    }
    ps_queue_ticket_free(queue, ticket);
    if (fed == PS_STORE_FAILED && queue->broken) /* the thread renews the store at retry_ns */
        queue->due.feed_ns = queue->due.retry_ns;
    else if (fed == PS_STORE_FAILED)
        ps_queue_store_failed(queue, &err);
    return false;
}

bool ps_queue_feed(struct ps_queue *queue)
{
    if (PS_UNLIKELY(queue->due.feed_ns > 0) && now_ns() < queue->due.feed_ns)
        return false;
    queue->due.feed_ns = 0;
    unsigned fed = 0;
    bool more = can_feed(queue);
    uint64_t limit = ps_queue_read_ahead_bytes(queue);
    while (more && fed < queue->settings.store->round_frames && may_read_ahead(queue, limit)) {
        more = feed_frame(queue);
        fed += more;
    }
    /* If there are no more frames, the thread wakes at the next put, or at feed_ns. If memory is short, it reads the next frame
     * only when the consumers have taken all others. */
    ps_credit_ask(&queue->credit, !more ? 0 : is_memory_short(queue) ? 1 : limit / 2 + 1);
    if (fed > 0)
        wake_consumers(queue);
    return fed > 0;
}
