/* The leases that a sink holds, in the order in which it took them, for sinks that settle their events in another order (events.h): a
 * lease can go home before older ones. Thread: the sink's worker. */
#pragma once

#include "core/stage.h"

#define PS_HDFS_LEASES_MAX 1024U
#define PS_HDFS_NO_SLOT UINT16_MAX

struct ps_hdfs_slot {
    uint16_t before, after; /* in the order taken; PS_HDFS_NO_SLOT: none */
    uint16_t next_complete; /* the next lease that was settled since the last finish */
    bool is_complete;       /* it is, or was, in that list */
    uint64_t gone_bytes;    /* of the leases that went home from between it and the one behind it */
};

struct ps_hdfs_slots {
    struct ps_lease *leases[PS_HDFS_LEASES_MAX]; /* by slot */
    struct ps_hdfs_slot slots[PS_HDFS_LEASES_MAX];
    uint16_t first, last; /* PS_HDFS_NO_SLOT: none is taken */
    uint16_t free;        /* linked by `after` */
    uint16_t complete; /* the latest lease that was settled, since the last finish; PS_HDFS_NO_SLOT: none */
    uint32_t count;    /* of those taken, at most PS_HDFS_LEASES_MAX */
    /* Memory that leases which went home before older ones keep from being used: a lease is charged with what was carved since the
     * one before it (ps_lease.memory_bytes), but what is left on both sides of a gap keeps whole blocks. At most. */
    uint64_t pinned_bytes;
};

void ps_hdfs_slots_init(struct ps_hdfs_slots *slots);
/* Takes a place behind all others for the lease. There must be one. */
uint16_t ps_hdfs_slots_take(struct ps_hdfs_slots *slots, struct ps_lease *lease);
/* Gives a place back, whose lease was charged with so many bytes. */
void ps_hdfs_slots_give(struct ps_hdfs_slots *slots, uint16_t slot, uint64_t memory_bytes);
/* Events of its lease were settled: looks whether all are. Whoever settles one calls it, so that `finish` looks at nothing else. */
void ps_hdfs_slots_settled(struct ps_hdfs_slots *slots, uint16_t slot);
static inline void ps_hdfs_slots_settle(struct ps_hdfs_slots *slots, uint16_t slot, uint32_t position)
{
    ps_lease_settle(slots->leases[slot], position);
    ps_hdfs_slots_settled(slots, slot);
}
/* Sends home what is settled: from the front; behind that only leases that may come home in any order. What one file or partition
 * that cannot be written holds back must not have everything behind it delivered again after a restart. */
void ps_hdfs_slots_finish(struct ps_hdfs_slots *slots, struct ps_port *port);
/* The sink is recalled: sends home what is settled, and puts the others behind the list `back`, in the order taken. */
void ps_hdfs_slots_give_back(struct ps_hdfs_slots *slots, struct ps_port *port, struct ps_lease **back);
