/* Leases: one reader's share of a batch. */
#include "core/batch.h"

#include <string.h>

#include "core/batch_parts.h"

bool ps_lease_filter(struct ps_lease *lease, bool (*keep)(void *argument, struct ps_event *event),
                     void *argument)
{
    uint32_t kept = 0;
    for (uint32_t position = 0; position < lease->count; position++) {
        struct ps_event *event = ps_lease_event(lease, position);
        bool stays = keep(argument, event);
        if (!stays && lease->index == NULL) {
            uint16_t *index = (uint16_t *)(void *)ps_batch_meta_alloc(
                lease->batch, lease->count * (uint32_t)sizeof *index, 2);
            if (index == NULL)
                return false;
            for (uint32_t i = 0; i < lease->count; i++)
                index[i] = (uint16_t)i;
            lease->index = index;
        }
        if (!stays) {
            lease->bytes -= event->body_length;
            continue;
        }
        if (lease->index != NULL)
            lease->index[kept] = lease->index[position];
        kept++;
    }
    lease->count = kept;
    return true;
}

void ps_lease_init(struct ps_lease *lease, struct ps_batch *batch)
{
    lease->batch = batch;
    lease->next = NULL;
    lease->index = NULL;
    lease->count = lease->cursor = lease->pending = lease->settled = 0;
    lease->bytes = 0;
    lease->memory_bytes = 0;
    lease->channel = UINT16_MAX;
    lease->promise = lease->failed = false;
    memset(lease->outcome, 0, sizeof lease->outcome);
}

struct ps_lease *ps_lease_split(struct ps_lease *chain, const uint16_t *index, uint32_t count)
{
    struct ps_batch *batch = chain->batch;
    if (batch->lease_count == ps_pool_limits(batch->home)->leases_max)
        return NULL;
    struct ps_lease *lease = &batch->leases[batch->lease_count];
    ps_lease_init(lease, batch);
    lease->memory_bytes = chain->memory_bytes;
    if (index == NULL) { /* the chain's list is not edited any more: it can be shared */
        lease->index = chain->index;
        lease->count = chain->count;
        lease->bytes = chain->bytes;
    } else {
        lease->index = (uint16_t *)(void *)ps_batch_meta_alloc(batch, count * (uint32_t)sizeof *index, 2);
        if (lease->index == NULL)
            return NULL;
        memcpy(lease->index, index, count * sizeof *index);
        lease->count = count;
        for (uint32_t i = 0; i < count; i++)
            lease->bytes += batch->events[index[i]].body_length;
    }
    batch->lease_count++;
    return lease;
}

void ps_lease_settle_all(struct ps_lease *lease)
{
    memset(lease->outcome, 0xFF, sizeof lease->outcome);
    lease->settled = lease->count;
    lease->cursor = lease->count;
}
