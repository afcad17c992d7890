/* Lists of events of leases in flight, cut from one pool that grows, for sinks that keep many leases and settle their events in
 * another order. Thread: the sink's worker. */
#pragma once

#include "core/base.h"

/* An event of a lease in flight. */
struct ps_hdfs_event {
    uint32_t next;     /* number in the pool; 0: the last one */
    uint16_t slot;     /* of its lease */
    uint16_t position; /* in its lease */
};

struct ps_hdfs_events {
    uint32_t first, last; /* numbers in the pool; 0: none */
    uint32_t count;
};

struct ps_hdfs_pool {
    struct ps_hdfs_event *events; /* [0] is not used */
    uint32_t used, room;
    struct ps_hdfs_events free;
};

/* Makes sure that `count` events can be added. Returns false when there is no memory. */
bool ps_hdfs_pool_reserve(struct ps_hdfs_pool *pool, uint32_t count);
void ps_hdfs_events_add(struct ps_hdfs_pool *pool, struct ps_hdfs_events *list, uint16_t slot,
                        uint16_t position);
/* The same for `count` positions, one after another. */
void ps_hdfs_events_add_run(struct ps_hdfs_pool *pool, struct ps_hdfs_events *list, uint16_t slot,
                            uint16_t position, uint32_t count);
/* Moves the first event of a list to the end of another. */
void ps_hdfs_events_move(struct ps_hdfs_pool *pool, struct ps_hdfs_events *from, struct ps_hdfs_events *to);
/* The same for the first `count` events, 0 or more; `last` is the number of the last of them. */
void ps_hdfs_events_move_run(struct ps_hdfs_pool *pool, struct ps_hdfs_events *from,
                             struct ps_hdfs_events *to, uint32_t count, uint32_t last);
/* Puts all of `list` before all of `to`; `list` is empty then. */
void ps_hdfs_events_prepend(struct ps_hdfs_pool *pool, struct ps_hdfs_events *list,
                            struct ps_hdfs_events *to);
/* Gives all of the list back to the pool. */
void ps_hdfs_events_clear(struct ps_hdfs_pool *pool, struct ps_hdfs_events *list);
