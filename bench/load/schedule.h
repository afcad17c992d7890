/* One lane's part of the schedule: of the events 0, 1, 2 ... that all lanes share out, lane k of n has k, k +
 * n, k + 2n ...; random arrivals are one Poisson process a lane, which together are one of the whole rate.
 *
 * Thread: whoever has it. No allocation. Times are nanoseconds since the schedule's start. */
#pragma once

#include "bench/load/shape.h"
#include "core/clock.h"
#include "stages/random.h"

struct ps_schedule_config {
    const struct ps_shape *shape;
    uint32_t lane, lane_count;
    uint64_t event_max; /* of all lanes; 0: no limit */
    uint64_t end_ns;    /* events due then or later do not exist; PS_NEVER: no end */
    uint64_t seed;
};

struct ps_schedule {
    const struct ps_shape *shape;
    uint64_t next_ns; /* when the next event is due; PS_NEVER: there is none */
    uint64_t left;    /* events, the next one included */
    uint64_t end_ns;
    double position; /* the next event's place in the order of all */
    double stride;
    unsigned piece;
    struct ps_random random;
};

void ps_schedule_init(struct ps_schedule *schedule, const struct ps_schedule_config *config);

/* Takes up to `max` events due at or before now_ns, oldest first; their due times into due_ns. A closed
 * shape's are due now. */
uint32_t ps_schedule_take(struct ps_schedule *schedule, uint64_t now_ns, uint32_t max, uint64_t *due_ns);
/* Takes all of them and says how many they were. Not for closed shapes. */
uint64_t ps_schedule_skip(struct ps_schedule *schedule, uint64_t now_ns);
/* Events due at `end_ns` or later do not exist any more. */
void ps_schedule_cut(struct ps_schedule *schedule, uint64_t end_ns);
