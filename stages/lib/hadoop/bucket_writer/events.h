/* Lists of events of the leases in flight, in one pool that grows. For sinks that hold many leases and settle their events in
 * another order than they took them. Thread: the sink's worker. */
#pragma once

#include "core/base.h"

/* An event of a lease in flight. */
struct ps_bucket_event {
    uint32_t next;     /* index in the pool; 0: this is the last one */
    uint16_t slot;     /* slot of its lease */
    uint16_t position; /* in its lease */
};

struct ps_bucket_events {
    uint32_t first, last; /* indexes in the pool; 0: none */
    uint32_t count;
};

struct ps_bucket_pool {
    struct ps_bucket_event *events; /* events[0] is not used */
    uint32_t used, room;
    struct ps_bucket_events free;
};

/* Makes room for `count` more events. Returns false when there is no memory. */
bool ps_bucket_pool_reserve(struct ps_bucket_pool *pool, uint32_t count);
void ps_bucket_events_add(struct ps_bucket_pool *pool, struct ps_bucket_events *list, uint16_t slot,
                          uint16_t position);
/* Adds `count` events with consecutive positions. */
void ps_bucket_events_add_run(struct ps_bucket_pool *pool, struct ps_bucket_events *list, uint16_t slot,
                              uint16_t position, uint32_t count);
/* Moves the first event of a list to the end of another. */
void ps_bucket_events_move(struct ps_bucket_pool *pool, struct ps_bucket_events *from,
                           struct ps_bucket_events *to);
/* Moves the first `count` events, 0 or more; `last` is the index of the last of them. */
void ps_bucket_events_move_run(struct ps_bucket_pool *pool, struct ps_bucket_events *from,
                               struct ps_bucket_events *to, uint32_t count, uint32_t last);
/* Puts all events of `list` before those of `to`, and empties `list`. */
void ps_bucket_events_prepend(struct ps_bucket_pool *pool, struct ps_bucket_events *list,
                              struct ps_bucket_events *to);
/* Gives all events of the list back to the pool. */
void ps_bucket_events_clear(struct ps_bucket_pool *pool, struct ps_bucket_events *list);
