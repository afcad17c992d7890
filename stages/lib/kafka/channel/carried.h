/* The leases that a reload carries over from the old plan's Kafka channel to the new plan's: leases that were
 * put and are not acknowledged by the brokers. A source that stays open stays on its worker, so each producer
 * takes the leases of its worker before it sends leases that were put later. This keeps the order of a source's
 * events. If a worker no longer has a producer, any producer takes the worker's leases, a second later. */
#pragma once

#include "core/flow/batch.h"
#include "rings/spmc.h"

struct ps_kafka_channel_carried {
    size_t count;           /* of `rings` */
    struct ps_spmc **rings; /* one for each home worker of the leases' batches; NULL: there are no leases */
    uint64_t events, bytes; /* of the leases that were put into the rings */
};

/* Call it at most once. Thread: control, while no worker runs. */
void ps_kafka_channel_carried_fill(struct ps_kafka_channel_carried *carried, struct ps_lease *list);
/* All leases must have been taken before. Thread: control. */
void ps_kafka_channel_carried_fini(struct ps_kafka_channel_carried *carried);

/* Returns the remaining leases of a worker, in order; NULL: none. Thread: any. */
struct ps_lease *ps_kafka_channel_carried_take(struct ps_kafka_channel_carried *carried, unsigned worker);
/* Returns all leases that are left; those of one worker are in order. Thread: any. */
struct ps_lease *ps_kafka_channel_carried_rest(struct ps_kafka_channel_carried *carried);
