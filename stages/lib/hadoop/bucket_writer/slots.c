#include "stages/lib/hadoop/bucket_writer/slots.h"

/* Blocks of both kinds (core/flow/batch_home.h), on both sides of a gap. */
#define PINNED_MAX_BYTES (2 * 2 * (uint64_t)PS_BLOCK_BYTES)

void ps_bucket_slots_init(struct ps_bucket_slots *slots)
{
    slots->first = slots->last = PS_BUCKET_NO_SLOT;
    slots->complete = PS_BUCKET_NO_SLOT;
    slots->free = 0;
    slots->count = 0;
    slots->pinned_bytes = 0;
    for (uint16_t i = 0; i < PS_BUCKET_LEASES_MAX; i++)
        slots->slots[i].after = i + 1U < PS_BUCKET_LEASES_MAX ? (uint16_t)(i + 1U) : PS_BUCKET_NO_SLOT;
}

uint16_t ps_bucket_slots_take(struct ps_bucket_slots *slots, struct ps_lease *lease)
{
    uint16_t slot = slots->free;
    PS_ASSERT(slot != PS_BUCKET_NO_SLOT);
    slots->free = slots->slots[slot].after;
    slots->slots[slot] = (struct ps_bucket_slot){.before = slots->last, .after = PS_BUCKET_NO_SLOT};
    if (slots->last != PS_BUCKET_NO_SLOT)
        slots->slots[slots->last].after = slot;
    else
        slots->first = slot;
    slots->last = slot;
    slots->count++;
    slots->leases[slot] = lease;
    ps_bucket_slots_settled(slots, slot);
    return slot;
}

void ps_bucket_slots_settled(struct ps_bucket_slots *slots, uint16_t slot)
{
    struct ps_bucket_slot *held = &slots->slots[slot];
    const struct ps_lease *lease = slots->leases[slot];
    if (held->is_complete || lease->settled < lease->count)
        return;
    held->is_complete = true;
    held->next_complete = slots->complete;
    slots->complete = slot;
}

static void set_gone(struct ps_bucket_slots *slots, struct ps_bucket_slot *slot, uint64_t bytes)
{
    uint64_t pinned = slot->gone_bytes < PINNED_MAX_BYTES ? slot->gone_bytes : PINNED_MAX_BYTES;
    slots->pinned_bytes += (bytes < PINNED_MAX_BYTES ? bytes : PINNED_MAX_BYTES) - pinned;
    slot->gone_bytes = bytes;
}

void ps_bucket_slots_give(struct ps_bucket_slots *slots, uint16_t slot, uint64_t memory_bytes)
{
    struct ps_bucket_slot *given = &slots->slots[slot];
    uint64_t gone_bytes = given->gone_bytes + memory_bytes;
    set_gone(slots, given, 0);
    if (given->before == PS_BUCKET_NO_SLOT) { /* no lease is held before it */
        slots->first = given->after;
    } else {
        struct ps_bucket_slot *before = &slots->slots[given->before];
        set_gone(slots, before, before->gone_bytes + gone_bytes);
        before->after = given->after;
    }
    if (given->after == PS_BUCKET_NO_SLOT)
        slots->last = given->before;
    else
        slots->slots[given->after].before = given->before;
    given->after = slots->free;
    slots->free = slot;
    slots->count--;
}

static struct ps_lease *let_go(struct ps_bucket_slots *slots, uint16_t slot)
{
    struct ps_lease *lease = slots->leases[slot];
    ps_bucket_slots_give(slots, slot, lease->memory_bytes);
    return lease;
}

static void send_home(struct ps_bucket_slots *slots, uint16_t slot, struct ps_port *port)
{
    struct ps_lease *lease = let_go(slots, slot);
    ps_port_done(port, &lease);
}

void ps_bucket_slots_finish(struct ps_bucket_slots *slots, struct ps_port *port)
{
    uint16_t slot = slots->complete, next;
    slots->complete = PS_BUCKET_NO_SLOT;
    for (; slot != PS_BUCKET_NO_SLOT; slot = next) {
        next = slots->slots[slot].next_complete;
        if (slots->leases[slot]->batch->any_order)
            send_home(slots, slot, port);
    }
    while (slots->first != PS_BUCKET_NO_SLOT && slots->slots[slots->first].is_complete)
        send_home(slots, slots->first, port);
}

void ps_bucket_slots_give_back(struct ps_bucket_slots *slots, struct ps_port *port, struct ps_lease **back)
{
    slots->complete = PS_BUCKET_NO_SLOT;
    while (*back != NULL)
        back = &(*back)->next;
    while (slots->count > 0) {
        struct ps_lease *lease = let_go(slots, slots->first);
        if (lease->settled == lease->count) {
            ps_port_done(port, &lease);
            continue;
        }
        lease->next = NULL;
        *back = lease;
        back = &lease->next;
    }
}
