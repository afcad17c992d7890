/* The leases that a sink holds, in the order in which it took them, for sinks that settle their events in another order (events.h): a
 * lease can go home before older ones. Thread: the sink's worker. */
#pragma once

#include "core/stage.h"

#define PS_BUCKET_LEASES_MAX 1024U
#define PS_BUCKET_NO_SLOT UINT16_MAX

struct ps_bucket_slot {
    uint16_t before, after; /* neighbours in the order taken; PS_BUCKET_NO_SLOT: none */
    uint16_t next_complete; /* the next lease in the list `complete` */
    bool is_complete;       /* it is or was in that list */
    uint64_t gone_bytes;    /* of the leases between this one and the next one that went home */
};

struct ps_bucket_slots {
    struct ps_lease *leases[PS_BUCKET_LEASES_MAX]; /* by slot */
    struct ps_bucket_slot slots[PS_BUCKET_LEASES_MAX];
    uint16_t first, last; /* PS_BUCKET_NO_SLOT: no lease is held */
    uint16_t free;        /* first free slot; linked by `after` */
    uint16_t complete; /* the latest lease that was settled since the last finish; PS_BUCKET_NO_SLOT: none */
    uint32_t count;    /* number of leases held, at most PS_BUCKET_LEASES_MAX */
    /* Upper bound of the memory that cannot be reused because leases went home before older ones. A lease is charged with the
     * bytes allocated since the lease before it (ps_lease.memory_bytes), but the leases on both sides of such a gap keep whole
     * blocks. */
    uint64_t pinned_bytes;
};

void ps_bucket_slots_init(struct ps_bucket_slots *slots);
/* Takes the lease behind all others, and returns its slot. There must be a free slot. */
uint16_t ps_bucket_slots_take(struct ps_bucket_slots *slots, struct ps_lease *lease);
/* Frees the slot of a lease that was charged with `memory_bytes`. */
void ps_bucket_slots_give(struct ps_bucket_slots *slots, uint16_t slot, uint64_t memory_bytes);
/* Checks whether all events of the slot's lease are settled. Call it after settling one of them: `finish` looks only at leases that
 * this function found complete. */
void ps_bucket_slots_settled(struct ps_bucket_slots *slots, uint16_t slot);
static inline void ps_bucket_slots_settle(struct ps_bucket_slots *slots, uint16_t slot, uint32_t position)
{
    ps_lease_settle(slots->leases[slot], position);
    ps_bucket_slots_settled(slots, slot);
}
/* Sends home the settled leases: those at the front, and behind them only leases that may go home in any order. So one file or
 * partition that cannot be written does not cause everything behind it to be delivered again after a restart. */
void ps_bucket_slots_finish(struct ps_bucket_slots *slots, struct ps_port *port);
/* Recalls the leases: sends home the settled ones, and appends the others to the list `back`, in the order taken. */
void ps_bucket_slots_give_back(struct ps_bucket_slots *slots, struct ps_port *port, struct ps_lease **back);
