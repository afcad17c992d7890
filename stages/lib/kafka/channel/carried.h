/* The leases that a reload carries over from the last plan's Kafka channel to the next one's: leases that were put
 * and are not promised. A source that stays open stays on its worker, so each producer takes the leases of its
 * worker before it sends leases that were put later. This keeps the order of a source's events. Leases of a worker
 * without a producer are taken by any, a second later. */
#pragma once

#include "core/flow/batch.h"
#include "rings/spmc.h"

struct ps_kafka_channel_carried {
    size_t count;           /* of `rings` */
    struct ps_spmc **rings; /* by the leases' home worker; NULL: none of it */
    uint64_t events, bytes; /* that were put into it */
};

/* Call it at most once. Thread: control, while no worker runs. */
void ps_kafka_channel_carried_fill(struct ps_kafka_channel_carried *carried, struct ps_lease *list);
/* The caller must have taken its contents before. Thread: control. */
void ps_kafka_channel_carried_fini(struct ps_kafka_channel_carried *carried);

/* Returns the leases of a worker, in order; NULL: none (any more). Thread: any. */
struct ps_lease *ps_kafka_channel_carried_take(struct ps_kafka_channel_carried *carried, unsigned worker);
/* Returns all leases that are left; those of one worker are in order. Thread: any. */
struct ps_lease *ps_kafka_channel_carried_rest(struct ps_kafka_channel_carried *carried);
