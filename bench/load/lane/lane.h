/* Internal to the sender: a lane is one connection with its source number, its part of the schedule and its
 * target. target.h has the functions that targets may call. Thread: the sender's. */
#pragma once

#include "bench/load/sender.h"

struct ps_lane {
    struct ps_sender *sender;
    void *state; /* the target's; NULL: not opened yet */
    struct ps_schedule schedule;
    /* Written by the sender as ps_statistics_add does, so that the manifest of a run that goes on can be written. */
    uint64_t sequence;          /* of the next event */
    uint64_t completed, failed; /* events */
    uint64_t last_due_ns;       /* due time of the last event given to the target, since the start */
    uint64_t last_completed_ns;
    uint64_t freed_ns;    /* when the target last returned a block while events were waiting */
    uint32_t number;      /* among all lanes */
    uint32_t index;       /* among this sender's lanes */
    uint32_t outstanding; /* blocks that the target holds */
    bool starved;         /* events are waiting for a block */
    bool up, seen_up, down, finished;
    int polled_fd;
    short polled_events; /* events that the descriptor is registered for */
    struct ps_random random;
};

void ps_lane_init(struct ps_lane *lane, struct ps_sender *sender, uint32_t index);
/* Renders the due events into one block and gives it to the target. Returns false when the target already
 * holds as many blocks as it may. */
bool ps_lane_feed(struct ps_lane *lane, uint64_t now_ns);
/* Calls the target's work and updates the polled descriptor. */
void ps_lane_work(struct ps_lane *lane, uint64_t now_ns);
/* Returns true when all events were given to the target. */
static inline bool ps_lane_given(const struct ps_lane *lane)
{
    return lane->schedule.next_ns == PS_NEVER;
}
