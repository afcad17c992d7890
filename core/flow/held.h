/* The leases that a sink holds while their events are in flight to a server. The sink adds leases in the order taken,
 * cuts ranges of events from them, one for each request, and settles or releases each range when the answer comes.
 *
 * Each event that is not settled is in one of two states: cut (in flight), or not cut. Ranges are cut in the order of
 * the events. A range is the token of its request: an answer that delivers settles it; an answer that does not, or a
 * lost connection, releases it, and its events are cut again after ps_held_rewind. A sink that sends the same request
 * again keeps its range.
 *
 * A far end that takes events for good only later, and many at once (a transaction, a file that is complete only when
 * it is closed), has a group. A range that was written is settled under the group; ps_held_commit settles the events
 * of the group, ps_held_abort lets them be cut again. Several groups may be open, each with events of many leases.
 *
 * Owner and thread: the sink's worker. Allocates nothing: the list uses ps_lease.next, and a group's ranges are in an
 * array of the sink. */
#pragma once

#include "core/flow/batch.h"

struct ps_held {
    struct ps_lease *first, **end; /* oldest first */
    unsigned count, count_max;     /* leases */
    struct ps_lease *next;         /* has the next event to cut; NULL: all leases are cut to the end */
    uint32_t position;             /* position of that event in `next` */
    uint32_t in_flight;            /* events that are cut, and neither settled, released nor in a group */
    uint32_t grouped;              /* events in groups, those that became dead letters meanwhile included */
    struct ps_held_group *groups;  /* those that have events */
    uint32_t clear_to;             /* from `position` to this position, no event of `next` is in a group */
    bool changed;                  /* a lease may have become settled since the last ps_held_pop */
};

/* The events between two positions of one lease that were not settled when the range was cut. {0}: none. */
struct ps_held_range {
    struct ps_lease *lease;
    uint32_t from, to;
    uint32_t count; /* events */
};

/* The events that commit or abort as a whole. The array must be large enough for the ranges that are settled under the
 * group; a range that begins where the one before it ended takes no element. */
struct ps_held_group {
    struct ps_held_range *ranges; /* of the sink */
    uint32_t range_count, range_count_max;
    uint32_t count; /* events, those that became dead letters meanwhile included */
    struct ps_held_group *next;
};

void ps_held_init(struct ps_held *held, unsigned count_max);

static inline void ps_held_group_init(struct ps_held_group *group, struct ps_held_range *ranges,
                                      uint32_t count_max)
{
    *group = (struct ps_held_group){.ranges = ranges, .range_count_max = count_max};
}

static inline bool ps_held_is_full(const struct ps_held *held)
{
    return held->count == held->count_max;
}

/* Adds a lease that the sink took, and sets *lease to NULL. */
void ps_held_add(struct ps_held *held, struct ps_lease **lease);

/* Called by ps_held_next at held->clear_to. Returns the position behind the events of a group that begin at
 * held->position or before it; 0 if that event is in no group. */
uint32_t ps_held_grouped_to(struct ps_held *held);

/* Returns the next event to cut, at held->position of held->next; NULL if there is none, or if `range` is not empty
 * and the next event is in another lease or behind events of a group. */
static inline struct ps_event *ps_held_next(struct ps_held *held, const struct ps_held_range *range)
{
    while (held->next != NULL) {
        if (range->count > 0 && range->lease != held->next)
            return NULL;
        while (held->position < held->next->count) {
            uint32_t grouped_to = 0;
            if (ps_lease_is_settled(held->next, held->position)) {
                held->position++;
                continue;
            }
            if (held->groups != NULL && held->position >= held->clear_to)
                grouped_to = ps_held_grouped_to(held);
            if (grouped_to == 0)
                return ps_lease_event(held->next, held->position);
            if (range->count > 0)
                return NULL;
            held->position = grouped_to;
        }
        held->next = held->next->next;
        held->position = held->clear_to = 0;
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

/* Settles the event that ps_held_next returned without a request: it has nothing to send. */
void ps_held_settle_next(struct ps_held *held);

/* Undoes the cuts of the range that was cut last, and empties it: the request could not be made. */
void ps_held_uncut(struct ps_held *held, struct ps_held_range *range);

/* The request has delivered the events of the range: settles them and empties the range. */
void ps_held_settle(struct ps_held *held, struct ps_held_range *range);

/* Takes `count` events out of the range, which its owner has settled one by one. A range without events is empty. */
void ps_held_settled(struct ps_held *held, struct ps_held_range *range, uint32_t count);

/* Returns the next event of the range that is not settled, and moves *position, which begins at range->from, behind it.
 * Returns NULL if there is none. */
static inline const struct ps_event *ps_held_range_next(const struct ps_held_range *range, uint32_t *position)
{
    while (*position < range->to && ps_lease_is_settled(range->lease, *position))
        ++*position;
    return *position < range->to ? ps_lease_event(range->lease, (*position)++) : NULL;
}

/* Empties the range. Its events that are not settled are cut again after the next ps_held_rewind. Called for a
 * request that did not deliver, and for events whose dead letters have settled them. */
void ps_held_release(struct ps_held *held, struct ps_held_range *range);

/* Settles every event that is cut. For a protocol whose answer confirms all that was sent before: it does not keep its
 * ranges, releases none without a rewind, and has no groups. */
void ps_held_settle_cut(struct ps_held *held);

/* Moves the range into the group, and empties it. Returns false and changes nothing if the group's array is full: the
 * far end has to commit first. */
bool ps_held_settle_under(struct ps_held *held, struct ps_held_range *range, struct ps_held_group *group);

/* Settles the events of the group, and empties it. */
void ps_held_commit(struct ps_held *held, struct ps_held_group *group);

/* Empties the group. Its events, except dead letters, are cut again after the next ps_held_rewind. */
void ps_held_abort(struct ps_held *held, struct ps_held_group *group);

/* Releases all ranges, which their owner forgets, and begins to cut again at the oldest event that is neither settled nor
 * in a group. */
void ps_held_rewind(struct ps_held *held);

/* Removes and returns a lease whose events are all settled: the oldest one, or a later one if its batch has
 * `any_order`. Returns NULL if there is none. */
struct ps_lease *ps_held_pop(struct ps_held *held);

/* Releases all ranges, aborts all groups, and appends all leases to `*back`, oldest first. The engine finishes the settled ones. */
void ps_held_give_back(struct ps_held *held, struct ps_lease **back);
