/* The workers that take: each reads frames into batches of its own, whose home it is. */
#include "stages/keeper/keeper_parts.h"

#include <stdlib.h>

static void give_ticket(struct ps_keeper *keeper, struct ps_keeper_ticket *ticket)
{
    ps_inbox_put(&keeper->delivered, &ticket->node);
    ps_park_wake(&keeper->park);
}

/* A batch was delivered. Older ones need not be: each is recorded by itself. */
static void batch_delivered(void *argument, struct ps_batch *batch)
{
    struct ps_keeper_consumer *consumer = argument;
    give_ticket(consumer->keeper, (struct ps_keeper_ticket *)(uintptr_t)batch->tickets->origin);
}

/* A frame that is longer than a block: one event. */
static enum ps_events_result load_long(const struct ps_keeper_settings *settings,
                                       const struct ps_store_frame *frame, struct ps_batch *batch)
{
    char *payload = malloc(frame->length);
    enum ps_events_result result = PS_EVENTS_NO_MEMORY;
    if (payload != NULL)
        result = settings->store->load(settings->store_settings, frame, payload)
                     ? ps_events_decode(batch, payload, frame->length, true)
                     : PS_EVENTS_DAMAGED;
    free(payload);
    return result;
}

static enum ps_events_result load(const struct ps_keeper_settings *settings,
                                  const struct ps_store_frame *frame, struct ps_batch *batch)
{
    uint32_t room;
    if (frame->length > PS_BLOCK_BYTES)
        return load_long(settings, frame, batch);
    char *payload = ps_batch_reserve(batch, frame->length, &room);
    if (payload == NULL)
        return PS_EVENTS_NO_MEMORY;
    if (!settings->store->load(settings->store_settings, frame, payload))
        return PS_EVENTS_DAMAGED;
    ps_batch_commit(batch, frame->length);
    return ps_events_decode(batch, payload, frame->length, false);
}

/* Makes a batch of the ticket's frame. Returns NULL when there is no memory, or with ticket->damaged set. */
static struct ps_lease *read_frame(struct ps_keeper_consumer *consumer, struct ps_keeper_ticket *ticket,
                                   const struct ps_now *now)
{
    const struct ps_keeper_settings *settings = &consumer->keeper->settings;
    struct ps_batch *batch = ps_readback_batch(consumer->readback, *now);
    if (batch == NULL)
        return NULL;
    enum ps_events_result result = load(settings, &ticket->frame, batch);
    if (result == PS_EVENTS_OK && !ps_batch_ticket(batch, (uint64_t)(uintptr_t)ticket, batch->count))
        result = PS_EVENTS_NO_MEMORY;
    if (result != PS_EVENTS_OK) {
        ticket->damaged = result == PS_EVENTS_DAMAGED;
        ps_readback_drop(batch);
        return NULL;
    }
    if (settings->store->release != NULL)
        settings->store->release(&ticket->frame);
    return ps_readback_lease(consumer->readback, batch);
}

/* Returns the next ticket; NULL: there is none, and the thread will wake this worker when there is. */
static struct ps_keeper_ticket *next_ticket(struct ps_keeper_consumer *consumer, const struct ps_port *port)
{
    struct ps_keeper_ticket *ticket = consumer->stuck;
    consumer->stuck = NULL;
    if (ticket == NULL)
        ticket = ps_spmc_pop(consumer->keeper->feed);
    if (ticket == NULL) {
        ps_alarm_set(&consumer->alarm, port->wake_fd);
        ticket = ps_spmc_pop(consumer->keeper->feed); /* it may have been put before the alarm was set */
    }
    return ticket;
}

struct ps_lease *ps_keeper_take(struct ps_keeper *keeper, unsigned consumer, struct ps_port *port,
                                const struct ps_now *now)
{
    struct ps_keeper_consumer *mine = &keeper->consumers[consumer];
    struct ps_keeper_ticket *ticket;
    struct ps_lease *lease = mine->given_back;
    if (mine->readback == NULL)
        mine->readback = ps_readback_open(port->pool, PS_READBACK_ANY_ORDER, batch_delivered, mine);
    if (lease != NULL) {
        mine->given_back = lease->next;
        lease->next = NULL;
    }
    while (lease == NULL && (ticket = next_ticket(mine, port)) != NULL) {
        uint64_t events = ticket->frame.count, bytes = ticket->frame.bytes;
        lease = read_frame(mine, ticket, now);
        if (lease != NULL)
            break;
        if (!ticket->damaged) {
            mine->stuck = ticket;
            return NULL;
        }
        ps_keeper_count(&mine->taken, events, bytes);
        give_ticket(keeper, ticket);
    }
    if (lease != NULL)
        ps_keeper_count(&mine->taken, lease->count, lease->bytes);
    return lease;
}

bool ps_keeper_has_back(const struct ps_keeper *keeper, unsigned consumer)
{
    return keeper->consumers[consumer].given_back != NULL;
}

bool ps_keeper_made(const struct ps_keeper *keeper, unsigned consumer, const struct ps_lease *lease)
{
    return ps_readback_made(keeper->consumers[consumer].readback, lease);
}

bool ps_keeper_claim(struct ps_keeper *keeper, unsigned consumer, struct ps_port *port)
{
    struct ps_keeper_consumer *mine = &keeper->consumers[consumer];
    mine->stuck = next_ticket(mine, port);
    return mine->stuck != NULL;
}

void ps_keeper_done(struct ps_keeper *keeper, unsigned consumer, struct ps_lease **lease,
                    struct ps_port *port)
{
    (void)keeper;
    (void)consumer;
    ps_port_home(port, lease);
}

void ps_keeper_untake(struct ps_keeper *keeper, unsigned consumer, struct ps_lease **lease)
{
    struct ps_keeper_consumer *mine = &keeper->consumers[consumer];
    ps_keeper_count(&mine->taken, -(uint64_t)(*lease)->count, -(*lease)->bytes);
    (*lease)->next = mine->given_back;
    mine->given_back = *lease;
    *lease = NULL;
}

/* What was not delivered stays in the store: the next one that opens it reads it again. */
void ps_keeper_leave(struct ps_keeper *keeper, unsigned consumer, struct ps_port *port)
{
    struct ps_keeper_consumer *mine = &keeper->consumers[consumer];
    ps_readback_close(mine->readback);
    mine->readback = NULL;
    while (mine->given_back != NULL) {
        struct ps_lease *lease = mine->given_back;
        mine->given_back = lease->next;
        lease->next = NULL;
        ps_port_home(port, &lease);
    }
}
