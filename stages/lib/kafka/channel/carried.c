#include "stages/lib/kafka/channel/carried.h"

#include <stdlib.h>

#include "core/flow/channel.h"

static size_t home_of(const struct ps_lease *lease)
{
    return ps_batch_worker(lease->batch);
}

void ps_kafka_channel_carried_fill(struct ps_kafka_channel_carried *carried, struct ps_lease *list)
{
    PS_ASSERT(carried->rings == NULL);
    size_t leases = 0;
    for (struct ps_lease *lease = list; lease != NULL; lease = lease->next, leases++)
        carried->count = home_of(lease) + 1 > carried->count ? home_of(lease) + 1 : carried->count;
    carried->rings = ps_must_alloc(carried->count + 1, sizeof(struct ps_spmc *), "leases carried over");
    while (list != NULL) {
        struct ps_lease *lease = list;
        struct ps_spmc **ring = &carried->rings[home_of(lease)];
        list = lease->next;
        lease->next = NULL;
        carried->events += lease->count;
        carried->bytes += lease->bytes;
        if (*ring == NULL)
            *ring = ps_spmc_create(leases);
        bool pushed = ps_spmc_push(*ring, lease);
        PS_ASSERT(pushed);
    }
}

void ps_kafka_channel_carried_fini(struct ps_kafka_channel_carried *carried)
{
    for (size_t i = 0; i < carried->count; i++)
        ps_spmc_destroy(carried->rings[i]);
    free(carried->rings);
    *carried = (struct ps_kafka_channel_carried){.count = 0};
}

struct ps_lease *ps_kafka_channel_carried_take(struct ps_kafka_channel_carried *carried, unsigned worker)
{
    struct ps_lease *list = NULL, **end = &list;
    if (worker >= carried->count || carried->rings[worker] == NULL)
        return NULL;
    while ((*end = ps_spmc_pop(carried->rings[worker])) != NULL)
        end = &(*end)->next;
    return list;
}

struct ps_lease *ps_kafka_channel_carried_rest(struct ps_kafka_channel_carried *carried)
{
    struct ps_lease *list = NULL, **end = &list;
    for (unsigned i = 0; i < carried->count; i++) {
        *end = ps_kafka_channel_carried_take(carried, i);
        while (*end != NULL)
            end = &(*end)->next;
    }
    return list;
}
