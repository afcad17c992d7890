/* The leases that a sink holds while their events are in flight to a server. The sink adds leases in the order taken,
 * cuts ranges of events from them, one for each request, and settles or releases each range when the answer comes.
 *
 * Each event that is not settled is in one of two states: cut (in flight), or not cut. Ranges are cut in the order of
 * the events. A range is the token of its request: an answer that delivers settles it; an answer that does not, or a
 * lost connection, releases it, and its events are cut again after ps_held_rewind. A sink that sends the same request
 * again keeps its range.
 *
 * Ranges are cut in the order of the leases. A sink that writes each event to a file, partition or transaction of its
 * own, and settles them in another order, has groups of events instead (core/flow/held_group.h).
 *
 * Owner and thread: the sink's worker. Allocates nothing: the list uses ps_lease.next. */
#pragma once

#include "core/flow/batch.h"

struct ps_held {
    struct ps_lease *first, **end; /* oldest first */
    unsigned count, count_max;     /* leases */
    struct ps_lease *next;         /* has the next event to cut; NULL: all leases are cut to the end */
    uint32_t position;             /* position of that event in `next` */
    uint32_t in_flight;            /* events that are cut, and neither settled nor released */
    unsigned any_order_count;      /* leases whose batch has `any_order` */
    bool changed;                  /* since the last ps_held_pop a lease may have become settled */
    struct ps_lease *looked;       /* ps_held_pop looked at the leases up to this one; NULL: at none */
    /* Upper bound of the memory that cannot be used again because leases were returned before older ones. A lease is
     * charged with the bytes allocated since the lease before it (ps_lease.memory_bytes), but the leases on both
     * sides of such a gap keep whole blocks. */
    uint64_t pinned_bytes;
};

/* The events between two positions of one lease that were not settled when the range was cut. {0}: none. */
struct ps_held_range {
    struct ps_lease *lease;
    uint32_t from, to;
    uint32_t count; /* events */
};

void ps_held_init(struct ps_held *held, unsigned count_max);

static inline bool ps_held_is_full(const struct ps_held *held)
{
    return held->count == held->count_max;
}

/* Adds a lease that the sink took, and sets *lease to NULL. */
void ps_held_add(struct ps_held *held, struct ps_lease **lease);

/* Moves on to the next lease: the events of this one are cut, or settled. */
static inline void ps_held_next_lease(struct ps_held *held)
{
    held->next = held->next->next;
    held->position = 0;
}

/* Returns how many events are neither settled nor in flight. Looks at each lease that is not cut to its end: while events
 * move that is one. */
static inline uint64_t ps_held_waiting(const struct ps_held *held)
{
    uint64_t count = 0;
    for (const struct ps_lease *lease = held->next; lease != NULL; lease = lease->next) {
        uint32_t open = lease->count - lease->settled, rest = lease->count - held->position;
        count += lease == held->next && rest < open ? rest : open;
    }
    return count;
}

/* Returns the next event to cut, at held->position of held->next; NULL if there is none, or if `range` is not empty
 * and the next event is in another lease. */
static inline struct ps_event *ps_held_next(struct ps_held *held, const struct ps_held_range *range)
{
    while (held->next != NULL) {
        if (range->count > 0 && range->lease != held->next)
            return NULL;
        for (; held->position < held->next->count; held->position++) {
            if (!ps_lease_is_settled(held->next, held->position))
                return ps_lease_event(held->next, held->position);
        }
        ps_held_next_lease(held);
    }
    return NULL;
}

/* Cuts the event that ps_held_next returned, and adds it to the range. */
static inline void ps_held_cut(struct ps_held *held, struct ps_held_range *range)
{
    if (range->count++ == 0) {
        range->lease = held->next;
        range->from = held->position;
    }
    range->to = ++held->position;
    held->in_flight++;
}

/* Cuts `count` events of held->next, whose positions are before `end`. For a sink whose answers settle the events one
 * by one: it keeps no ranges, and subtracts the events from held->in_flight itself. */
static inline void ps_held_cut_to(struct ps_held *held, uint32_t end, uint32_t count)
{
    held->position = end;
    held->in_flight += count;
}

/* Settles, without a request, the event that ps_held_next returned, because it has nothing to send. */
void ps_held_settle_next(struct ps_held *held);

/* Called when the request could not be made: undoes the cuts of the range that was cut last, and empties the
 * range. */
void ps_held_uncut(struct ps_held *held, struct ps_held_range *range);

/* The request has delivered the events of the range: settles them and empties the range. */
void ps_held_settle(struct ps_held *held, struct ps_held_range *range);

/* Takes out of the range `count` events that the owner of the range has settled one by one. A range without events is
 * empty. */
void ps_held_settled(struct ps_held *held, struct ps_held_range *range, uint32_t count);

/* Returns the next event of the range that is not settled, and moves *position, which begins at range->from,
 * past it. Returns NULL if there is none. */
static inline const struct ps_event *ps_held_range_next(const struct ps_held_range *range, uint32_t *position)
{
    while (*position < range->to && ps_lease_is_settled(range->lease, *position))
        ++*position;
    return *position < range->to ? ps_lease_event(range->lease, (*position)++) : NULL;
}

/* Empties the range. Its events that are not settled are cut again after the next ps_held_rewind. Called for a
 * request that did not deliver, and for events whose dead letters have settled them. */
void ps_held_release(struct ps_held *held, struct ps_held_range *range);

/* Settles every event that is cut. For a protocol whose answer confirms all that was sent before: such a sink does
 * not keep its ranges, and releases them only by ps_held_rewind. */
void ps_held_settle_cut(struct ps_held *held);

/* Releases all ranges, which their owner forgets, and begins to cut again at the oldest event that is not settled. */
void ps_held_rewind(struct ps_held *held);

/* Notes that an event of the lease was settled by code that does not own the event's range. */
static inline void ps_held_note_settled(struct ps_held *held, const struct ps_lease *lease)
{
    if (lease->settled == lease->count) {
        held->changed = true;
        held->looked = NULL;
    }
}

/* Removes and returns a lease whose events are all settled: the oldest one, or a later one if its batch has
 * `any_order`. Returns NULL if there is none. */
struct ps_lease *ps_held_pop(struct ps_held *held);

/* Removes and returns the oldest lease if its events are all settled; else returns NULL. For a sink whose leases are
 * returned in order. */
struct ps_lease *ps_held_pop_oldest(struct ps_held *held);

/* Releases all ranges, and appends all leases to `*back`, oldest first. The engine finishes the settled ones. */
void ps_held_give_back(struct ps_held *held, struct ps_lease **back);
