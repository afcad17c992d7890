/* Inside the sender: a lane is one connection with its source number, its part of the schedule and its
 * target. What targets may ask of it is in target.h. Thread: the sender's. */
#pragma once

#include "bench/load/sender.h"

struct ps_lane {
    struct ps_sender *sender;
    void *state; /* the target's; NULL: not opened */
    struct ps_schedule schedule;
    uint64_t sequence;    /* of the next event */
    uint64_t failed;      /* events */
    uint64_t last_due_ns; /* of the events given; since the start */
    uint64_t last_completed_ns;
    uint64_t freed_ns;    /* when the target gave a block back for which events were waiting */
    uint32_t number;      /* of all lanes */
    uint32_t index;       /* of this sender's */
    uint32_t outstanding; /* blocks the target has */
    bool starved;         /* events wait for a block */
    bool up, seen_up, down, finished;
    int polled_fd;
    short polled_events; /* what the descriptor is registered for */
    struct ps_random random;
};

void ps_lane_init(struct ps_lane *lane, struct ps_sender *sender, uint32_t index);
/* Renders what is due into one block and gives it to the target. False: the target has as many blocks as it
 * may. */
bool ps_lane_feed(struct ps_lane *lane, uint64_t now_ns);
/* Lets the target go on and brings the polled descriptor up to date. */
void ps_lane_work(struct ps_lane *lane, uint64_t now_ns);
/* Everything was given to the target. */
static inline bool ps_lane_given(const struct ps_lane *lane)
{
    return lane->schedule.next_ns == PS_NEVER;
}
