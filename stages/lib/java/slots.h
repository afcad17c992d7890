/* The slots of a source in the Java host: areas of the shared memory with the events of its class's calls. The host writes a free
 * slot and puts it; its events are read in the order of the puts, and the call is answered when they are decided.
 * Thread: the source's worker. None of the functions waits. */
#pragma once

#include "stages/lib/java/component.h"
#include "stages/lib/java/exchange/credit.h"
#include "stages/lib/java/exchange/entries.h"

#define PS_JAVA_SLOTS 16U

enum ps_java_phase {
    PS_JAVA_UNKNOWN, /* the host does not know the slot yet */
    PS_JAVA_FREE,    /* the host may write it */
    PS_JAVA_WANTS,   /* the host waits for a larger one */
    PS_JAVA_CALLS,   /* it has a call, of which events are still to be read */
    PS_JAVA_ANSWERS, /* all events of the call are read, or are no longer wanted */
};

struct ps_java_slot {
    struct ps_java_area area;
    enum ps_java_phase phase;
    uint64_t serial; /* of the call: tickets of earlier calls, also of an earlier open source, do not count */
    uint64_t call;   /* the host's number */
    uint64_t wanted; /* WANTS: bytes */
    struct ps_java_entries entries;
    uint32_t left;  /* events in batches that are not answered */
    uint32_t calls; /* number of the class's calls whose events are in the slot */
    bool promised;
    bool refused;
    char reason[200];
};

struct ps_java_slots {
    struct ps_java_component *component;
    struct ps_java_credit *credit;
    uint64_t bytes_max; /* of an event that does not fit into an empty slot */
    bool revoked;       /* by ps_java_slots_revoke: the host no longer gets areas or answers */
    struct ps_java_slot items[PS_JAVA_SLOTS];
    unsigned queue[PS_JAVA_SLOTS], first, count; /* slots with calls, in order */
};

/* Returns how many bytes an event may take, with its headers: half of the agent's memory budget, because it is in the shared memory
 * and in a block at the same time, and no more than an area of the shared memory has. */
uint64_t ps_java_slots_event_max(uint64_t memory_budget_bytes);

/* The component and the credit belong to the caller, and live as long as the slots are open. */
void ps_java_slots_open(struct ps_java_slots *slots, struct ps_java_component *component,
                        struct ps_java_credit *credit, uint64_t bytes_max);
/* Gives the areas back. `quiet`: the host no longer writes them. */
void ps_java_slots_close(struct ps_java_slots *slots, bool quiet);

/* Sends areas and answers to the host; answers for promised events come last, because they contain the number of
 * further events. Returns whether some are left because the pipe is full, or because there is no memory (`lack` of the component). */
bool ps_java_slots_serve(struct ps_java_slots *slots, bool promised);

/* ---- what the host sends ---- */

/* Returns the slot of this number, if the host may write it, or NULL. */
struct ps_java_slot *ps_java_slots_free(struct ps_java_slots *slots, uint64_t number);
/* Returns whether this number of bytes and events may be in the slot. */
bool ps_java_slot_holds(const struct ps_java_slot *slot, uint64_t bytes, uint64_t events);
/* The host asks for a larger slot. Returns false if the slot has this room. */
bool ps_java_slot_want(struct ps_java_slot *slot, uint64_t bytes);
/* The slot has events, which are read after those of other slots. `calls` and `promised` are set. */
void ps_java_slots_put(struct ps_java_slots *slots, struct ps_java_slot *slot, uint64_t bytes,
                       uint64_t events);
/* Revokes every slot, because the host may no longer read its messages: it looks at the slot after each promise, and a call of the class throws if
 * its slot is revoked. So ps_java_slots_take_left finds all events whose promises hold. */
void ps_java_slots_revoke(struct ps_java_slots *slots);
/* The component has ended, or its promises are revoked: calls that wait for their answer are forgotten, and promised events, also those
 * that the host has noted and not handed over, are still read. */
void ps_java_slots_take_left(struct ps_java_slots *slots);

/* ---- events into batches ---- */

/* Returns the slot whose events come next, or NULL. */
struct ps_java_slot *ps_java_slots_next(struct ps_java_slots *slots);
/* Reads the next events of that slot; a call that is refused has none. If the slot has something else than events, the rest of it is left out, and the
 * caller ends the host: calls in other slots that wait for their answer are forgotten, and promised events there are still read. */
enum ps_java_read ps_java_slots_read(struct ps_java_slots *slots, struct ps_batch *batch,
                                     struct ps_event_headers *headers);
/* Returns how many promised events are not read yet. */
uint32_t ps_java_slots_unread(const struct ps_java_slots *slots);
/* Call it when the channels have accepted these events of a slot, or refused them for this reason (else NULL). */
void ps_java_slots_decide(struct ps_java_slots *slots, const struct ps_ticket *ticket, const char *reason);
