#include "stages/lib/java/slots.h"

#include "core/clock.h"
#include "rings/word.h"
#include "stages/lib/java/exchange/message.h"

#include <stdio.h>

#define SLOTS PS_JAVA_SLOTS
#define SLOT_BYTES (128U * 1024U)
#define TAIL_BYTES ((uint32_t)sizeof(struct ps_java_promised))

uint64_t ps_java_slots_event_max(uint64_t memory_budget_bytes)
{
    uint64_t half = memory_budget_bytes / 2, most = PS_JAVA_AREA_BYTES_MAX - TAIL_BYTES;
    return half < most ? half : most;
}

void ps_java_slots_open(struct ps_java_slots *slots, struct ps_java_component *component,
                        struct ps_java_credit *credit, uint64_t bytes_max)
{
    uint64_t serial = ps_clock_now().mono_ns; /* a source that is opened later begins with a larger serial */
    slots->component = component;
    slots->credit = credit;
    slots->bytes_max = bytes_max;
    slots->revoked = false;
    for (size_t i = 0; i < SLOTS; i++)
        slots->items[i].serial = serial;
}

static void end(struct ps_java_slots *slots, struct ps_java_slot *slot, enum ps_java_phase phase)
{
    ps_java_entries_drop(&slot->entries, slots->component->port->blocks);
    slot->phase = phase;
    slot->serial++;
}

void ps_java_slots_close(struct ps_java_slots *slots, bool quiet)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct ps_java_slot *slot = &slots->items[i];
        if (!quiet)
            ps_java_area_abandon(&slot->area);
        ps_java_area_give(&slot->area);
        end(slots, slot, PS_JAVA_UNKNOWN);
    }
}

/* ---- areas and answers ---- */

static uint64_t number_of(const struct ps_java_slots *slots, const struct ps_java_slot *slot)
{
    return (uint64_t)(slot - slots->items);
}

/* Gives the slot an area of at least `bytes` and tells the host. Returns false if the caller must try again
 * later. */
static bool give_area(struct ps_java_slots *slots, struct ps_java_slot *slot, uint64_t bytes)
{
    struct ps_java_area area;
    if (!ps_java_component_take_area(slots->component, bytes, &area))
        return false;
    const uint64_t numbers[] = {number_of(slots, slot), area.offset, area.size};
    if (!ps_java_component_send(slots->component, PS_JAVA_AREA, numbers, PS_COUNT_OF(numbers), NULL)) {
        ps_java_area_give(&area);
        return false;
    }
    ps_java_area_give(&slot->area);
    slot->area = area;
    return true;
}

/* Called when the host has asked for room for one event: gives the slot a larger area, or refuses. Returns
 * false if the caller must try again later. */
static bool grow(struct ps_java_slots *slots, struct ps_java_slot *slot)
{
    const uint64_t refusal[] = {number_of(slots, slot), 0, 0};
    char text[200];
    if (slot->wanted <= slots->bytes_max)
        return give_area(slots, slot, slot->wanted + TAIL_BYTES);
    snprintf(text, sizeof text,
             "the event takes %llu bytes, and %llu is the limit: half of penstock.memory.budget, and less "
             "than 1 GiB",
             (unsigned long long)slot->wanted, (unsigned long long)slots->bytes_max);
    return ps_java_component_send(slots->component, PS_JAVA_AREA, refusal, PS_COUNT_OF(refusal), text);
}

/* Answers a call that is decided. A slot that was made larger for one event becomes small again first, if
 * there is memory for that. Returns false if the caller must try again later. */
static bool answer(struct ps_java_slots *slots, struct ps_java_slot *slot)
{
    const struct ps_java_credit *credit = slots->credit;
    const uint64_t numbers[] = {slot->call, slot->refused ? 0 : 1, credit->returns ? 0 : credit->most};
    const char *reason = slot->refused ? slot->reason : NULL;
    if (slot->area.size > 2 * SLOT_BYTES && !give_area(slots, slot, SLOT_BYTES) &&
        slots->component->lack.length == 0)
        return false;
    if (!ps_java_component_send(slots->component, PS_JAVA_ANSWER, numbers, PS_COUNT_OF(numbers), reason))
        return false;
    if (!slot->refused)
        ps_count(slots->component->port->counters, PS_COUNTER_AppendBatchAcceptedCount, slot->calls);
    end(slots, slot, PS_JAVA_FREE);
    return true;
}

bool ps_java_slots_serve(struct ps_java_slots *slots, bool promised)
{
    enum ps_java_component_state state = slots->component->state;
    bool left = false;
    if (slots->revoked)
        return false;
    if (state != PS_JAVA_CONFIGURED && state != PS_JAVA_RUNS && state != PS_JAVA_STOPS)
        return false;
    for (size_t i = 0; i < SLOTS; i++) {
        struct ps_java_slot *slot = &slots->items[i];
        bool served = true;
        if (slot->phase == PS_JAVA_UNKNOWN)
            served = give_area(slots, slot, SLOT_BYTES);
        else if (slot->phase == PS_JAVA_WANTS)
            served = grow(slots, slot);
        else if (slot->phase == PS_JAVA_ANSWERS && slot->left == 0 && (promised || !slot->promised))
            served = answer(slots, slot);
        if (served && (slot->phase == PS_JAVA_UNKNOWN || slot->phase == PS_JAVA_WANTS))
            slot->phase = PS_JAVA_FREE;
        left |= !served;
    }
    return left;
}

/* ---- what the host sends ---- */

struct ps_java_slot *ps_java_slots_free(struct ps_java_slots *slots, uint64_t number)
{
    return number < SLOTS && slots->items[number].phase == PS_JAVA_FREE ? &slots->items[number] : NULL;
}

bool ps_java_slot_holds(const struct ps_java_slot *slot, uint64_t bytes, uint64_t events)
{
    return bytes > 0 && bytes <= slot->area.size - TAIL_BYTES && events > 0 && events <= PS_BATCH_EVENTS_MAX;
}

bool ps_java_slot_want(struct ps_java_slot *slot, uint64_t bytes)
{
    if (bytes <= slot->area.size - TAIL_BYTES)
        return false;
    slot->phase = PS_JAVA_WANTS;
    slot->wanted = bytes;
    return true;
}

void ps_java_slots_put(struct ps_java_slots *slots, struct ps_java_slot *slot, uint64_t bytes,
                       uint64_t events)
{
    slot->phase = PS_JAVA_CALLS;
    slot->entries = (struct ps_java_entries){
        .memory = slot->area.memory, .bytes = (uint32_t)bytes, .count = (uint32_t)events};
    slot->left = 0;
    slot->refused = false;
    slots->credit->event_bytes = bytes / events;
    slots->queue[(slots->first + slots->count++) % SLOTS] = (unsigned)number_of(slots, slot);
    ps_count(slots->component->port->counters, PS_COUNTER_AppendBatchReceivedCount, slot->calls);
}

void ps_java_slots_revoke(struct ps_java_slots *slots)
{
    slots->revoked = true;
    for (size_t i = 0; i < SLOTS; i++) {
        const struct ps_java_area *area = &slots->items[i].area;
        if (area->region != NULL)
            ps_word_set(
                &((struct ps_java_promised *)(void *)(area->memory + area->size - TAIL_BYTES))->revoked, 1);
    }
}

static bool put_left(struct ps_java_slots *slots)
{
    struct ps_java_credit *credit = slots->credit;
    for (size_t i = 0; i < SLOTS; i++) {
        uint32_t bytes, events;
        struct ps_java_slot *slot = &slots->items[i];
        if (slot->phase != PS_JAVA_FREE ||
            !ps_java_credit_left(credit, slot->area.memory + slot->area.size, &bytes, &events) ||
            !ps_java_slot_holds(slot, bytes, events) || !ps_java_credit_use(credit, credit->used, events))
            continue;
        slot->calls = 1; /* the events are of one call or more */
        slot->promised = true;
        ps_java_slots_put(slots, slot, bytes, events);
        return true;
    }
    return false;
}

/* Marks the slots whose calls wait for an answer that nobody would get. The events of these slots are not
 * read. */
static void forget_calls(struct ps_java_slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        struct ps_java_slot *slot = &slots->items[slots->queue[(slots->first + i) % SLOTS]];
        slot->refused |= !slot->promised;
    }
}

void ps_java_slots_take_left(struct ps_java_slots *slots)
{
    forget_calls(slots);
    while (put_left(slots))
        continue;
}

/* ---- events into batches ---- */

struct ps_java_slot *ps_java_slots_next(struct ps_java_slots *slots)
{
    return slots->count > 0 ? &slots->items[slots->queue[slots->first]] : NULL;
}

/* The first slot of the queue has no more events to be read. */
static void leave_first(struct ps_java_slots *slots)
{
    slots->first = (slots->first + 1) % SLOTS;
    slots->count--;
}

enum ps_java_read ps_java_slots_read(struct ps_java_slots *slots, struct ps_batch *batch,
                                     struct ps_event_headers *headers)
{
    struct ps_java_slot *slot = ps_java_slots_next(slots);
    uint64_t origin = slot->serial * SLOTS + number_of(slots, slot);
    uint32_t before = slot->entries.taken;
    enum ps_java_read outcome = PS_JAVA_READ_ALL;
    if (!slot->refused)
        outcome =
            ps_java_entries_read(&slot->entries, batch, slots->component->port->blocks, headers, origin);
    slot->left += slot->entries.taken - before;
    if (outcome == PS_JAVA_READ_ALL) {
        slot->phase = PS_JAVA_ANSWERS;
        leave_first(slots);
    } else if (outcome == PS_JAVA_READ_WRONG) { /* the promises of other slots remain valid */
        leave_first(slots);
        forget_calls(slots);
    }
    return outcome;
}

uint32_t ps_java_slots_unread(const struct ps_java_slots *slots)
{
    uint32_t events = 0;
    for (unsigned i = 0; i < slots->count; i++) {
        const struct ps_java_slot *slot = &slots->items[slots->queue[(slots->first + i) % SLOTS]];
        events += slot->promised ? slot->entries.count - slot->entries.taken : 0;
    }
    return events;
}

void ps_java_slots_decide(struct ps_java_slots *slots, const struct ps_ticket *ticket, const char *reason)
{
    struct ps_java_slot *slot = &slots->items[ticket->origin % SLOTS];
    if (slot->serial != ticket->origin / SLOTS)
        return;
    PS_ASSERT(slot->left >= ticket->events);
    slot->left -= ticket->events;
    if (slot->promised)
        slots->credit->put += ticket->events;
    if (reason != NULL && ticket->events > 0 && !slot->refused) {
        slot->refused = true;
        snprintf(slot->reason, sizeof slot->reason, "%s", reason);
    }
}
