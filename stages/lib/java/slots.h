/* The slots of a source in the Java host: areas of the shared memory with the events of its class's calls. The
 * host writes events into a free slot and sends PUT. The events are read in the order of the PUTs, and the call
 * is answered when its events are decided. Thread: the source's worker. No function waits. */
#pragma once

#include "stages/lib/java/component.h"
#include "stages/lib/java/exchange/credit.h"
#include "stages/lib/java/exchange/entries.h"

#define PS_JAVA_SLOTS 16U

enum ps_java_phase {
    PS_JAVA_UNKNOWN, /* the host does not know the slot yet */
    PS_JAVA_FREE,    /* the host may write it */
    PS_JAVA_WANTS,   /* the host waits for a larger slot */
    PS_JAVA_CALLS,   /* the slot has a call, of which events are still to be read */
    PS_JAVA_ANSWERS, /* all events of the call are read, or are no longer wanted */
};

struct ps_java_slot {
    struct ps_java_area area;
    enum ps_java_phase phase;
    /* number of the call that tickets have: tickets of earlier calls, also of an earlier open source, do not
     * count */
    uint64_t serial;
    uint64_t call;   /* the host's number of the call */
    uint64_t wanted; /* WANTS: bytes */
    struct ps_java_entries entries;
    uint32_t left;  /* number of events in batches that are not answered */
    uint32_t calls; /* number of the class's calls whose events are in the slot */
    bool promised;
    bool refused;
    char reason[200];
};

struct ps_java_slots {
    struct ps_java_component *component;
    struct ps_java_credit *credit;
    uint64_t bytes_max; /* of an event that does not fit into an empty slot */
    bool revoked;       /* ps_java_slots_revoke was called: the host no longer gets areas or answers */
    struct ps_java_slot items[PS_JAVA_SLOTS];
    unsigned queue[PS_JAVA_SLOTS], first, count; /* slots with calls, in order */
};

/* Returns the maximum number of bytes of an event with its headers: half of the agent's memory budget, because
 * it is in the shared memory and in a block at the same time, and no more than an area of the shared memory
 * has. */
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

/* Returns the slot of this number if the host may write it; else NULL. */
struct ps_java_slot *ps_java_slots_free(struct ps_java_slots *slots, uint64_t number);
/* Returns whether this number of bytes and events may be in the slot. */
bool ps_java_slot_holds(const struct ps_java_slot *slot, uint64_t bytes, uint64_t events);
/* Called when the host asks for a larger slot. Returns false if the slot has this room already. */
bool ps_java_slot_want(struct ps_java_slot *slot, uint64_t bytes);
/* Called when the host has put events into the slot: they are read after the events of slots that were put
 * before. `calls` and `promised` are set. */
void ps_java_slots_put(struct ps_java_slots *slots, struct ps_java_slot *slot, uint64_t bytes,
                       uint64_t events);
/* Revokes every slot, because the host may no longer read its messages: it looks at the slot after each promise, and a call of the class throws if
 * its slot is revoked. So ps_java_slots_take_left finds all events whose promises hold. */
void ps_java_slots_revoke(struct ps_java_slots *slots);
/* Called when the component has ended, or its promises are revoked: forgets calls that wait for their answer.
 * Promised events, also those that the host has noted and not handed over, are still read. */
void ps_java_slots_take_left(struct ps_java_slots *slots);

/* ---- events into batches ---- */

/* Returns the slot whose events come next, or NULL. */
struct ps_java_slot *ps_java_slots_next(struct ps_java_slots *slots);
/* Reads the next events of the slot of ps_java_slots_next; a refused call has none. If the slot has something
 * other than events, the rest of the slot is left out, and the caller ends the host: calls in other slots that
 * wait for their answer are forgotten, and promised events there are still read. */
enum ps_java_read ps_java_slots_read(struct ps_java_slots *slots, struct ps_batch *batch,
                                     struct ps_event_headers *headers);
/* Returns the number of promised events that are not read yet. */
uint32_t ps_java_slots_unread(const struct ps_java_slots *slots);
/* Call it when the channels have accepted these events of a slot, or refused them for this reason (else NULL). */
void ps_java_slots_decide(struct ps_java_slots *slots, const struct ps_ticket *ticket, const char *reason);
