/* Groups: lists of events of the leases that a sink holds (core/flow/held.h). For sinks that sort the events of a
 * lease into many files, partitions or transactions, and settle them in another order than they took them.
 *
 * An event is in one group at a time. A first group has the events that wait for a file or transaction, a second
 * group has the events that were written to it. A commit settles the events of the second group, an abort moves them
 * back to the first one. No outcome bit is set before the commit, so a recall gives their leases back as not
 * delivered.
 *
 * Owner and thread: the sink's worker. The events of all groups are in one pool, which grows. */
#pragma once

#include "core/flow/held.h"

struct ps_held_event {
    struct ps_lease *lease;
    uint32_t position; /* in its lease */
    uint32_t next;     /* index in the pool; 0: this is the last one */
};

/* {0}: empty. */
struct ps_held_group {
    uint32_t first, last; /* indexes in the pool; 0: none */
    uint32_t count;
};

/* {0}: empty. Its owner frees `events`. */
struct ps_held_pool {
    struct ps_held_event *events; /* events[0] is not used */
    uint32_t used, room;
    struct ps_held_group free;
};

/* Makes room for `count` more events. Returns false when there is no memory. */
bool ps_held_pool_reserve(struct ps_held_pool *pool, uint32_t count);

/* Adds `count` events with consecutive positions. */
void ps_held_group_add(struct ps_held_pool *pool, struct ps_held_group *group, struct ps_lease *lease,
                       uint32_t position, uint32_t count);

/* Moves the first `count` events, 0 or more, to the end of another group; `last` is the pool index of the last event
 * that moves. */
void ps_held_group_move(struct ps_held_pool *pool, struct ps_held_group *from, struct ps_held_group *to,
                        uint32_t count, uint32_t last);

static inline void ps_held_group_move_first(struct ps_held_pool *pool, struct ps_held_group *from,
                                            struct ps_held_group *to)
{
    ps_held_group_move(pool, from, to, 1, from->first);
}

/* Settles the first `count` events, except dead letters, which are settled already, and removes them. */
void ps_held_group_commit(struct ps_held_pool *pool, struct ps_held *held, struct ps_held_group *group,
                          uint32_t count);

/* Moves all events to the front of `waiting`, to be written again. */
void ps_held_group_abort(struct ps_held_pool *pool, struct ps_held_group *group,
                         struct ps_held_group *waiting);

/* Removes all events, because their leases are given back. */
void ps_held_group_clear(struct ps_held_pool *pool, struct ps_held_group *group);
