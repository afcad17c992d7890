/* One lane's part of the schedule. All lanes share the events 0, 1, 2 ...: lane k of n has k, k + n, k + 2n
 * ... With random arrivals each lane has its own Poisson process; together they are one process of the whole
 * rate.
 *
 * Thread: the owner's. No allocation. Times are nanoseconds since the schedule's start. */
#pragma once

#include "bench/load/shape/shape.h"
#include "core/clock.h"
#include "stages/lib/random.h"

struct ps_schedule_config {
    const struct ps_shape *shape;
    uint32_t lane, lane_count;
    uint64_t event_max; /* of all lanes; 0: no limit */
    /* No event is due at or after this time; PS_NEVER: no end. */
    uint64_t end_ns;
    uint64_t seed;
};

struct ps_schedule {
    const struct ps_shape *shape;
    uint64_t next_ns; /* when the next event is due; PS_NEVER: none is left */
    uint64_t left;    /* events left, the next one included */
    uint64_t end_ns;
    double position; /* the next event's number among the events of all lanes */
    double stride;
    unsigned piece;
    struct ps_random random;
};

void ps_schedule_init(struct ps_schedule *schedule, const struct ps_schedule_config *config);

/* Takes up to `max` events due at or before now_ns, oldest first, and stores their due times in due_ns.
 * Events of a closed shape are due at now_ns. */
uint32_t ps_schedule_take(struct ps_schedule *schedule, uint64_t now_ns, uint32_t max, uint64_t *due_ns);
/* Takes all due events and returns their number. Not for closed shapes. */
uint64_t ps_schedule_skip(struct ps_schedule *schedule, uint64_t now_ns);
/* Removes the events due at or after `end_ns`. */
void ps_schedule_cut(struct ps_schedule *schedule, uint64_t end_ns);
