#include "commands/avro_client/avro_client.h"

#include <stdlib.h>
#include <string.h>

void ps_rpc_batch_init(struct ps_rpc_batch *batch, const struct penstock_client_header *headers,
                       size_t header_count, size_t count_max)
{
    *batch = (struct ps_rpc_batch){.headers = headers, .header_count = header_count, .count_max = count_max};
    batch->events = ps_must_alloc(count_max, sizeof *batch->events, "a batch");
    batch->lengths = ps_must_alloc(count_max, sizeof *batch->lengths, "a batch");
}

void ps_rpc_batch_fini(struct ps_rpc_batch *batch)
{
    free(batch->bytes);
    free(batch->events);
    free(batch->lengths);
}

void ps_rpc_batch_add(struct ps_rpc_batch *batch, const struct ps_slice *body)
{
    PS_ASSERT(batch->count < batch->count_max);
    if (batch->length + body->length > batch->room) {
        batch->room = 2 * (batch->length + body->length);
        batch->bytes = ps_must_realloc(batch->bytes, batch->room, "a batch");
    }
    if (body->length > 0)
        memcpy(batch->bytes + batch->length, body->data, body->length);
    batch->length += body->length;
    batch->lengths[batch->count++] = body->length;
}

const struct penstock_client_event *ps_rpc_batch_events(struct ps_rpc_batch *batch)
{
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++) {
        batch->events[i] =
            (struct penstock_client_event){.headers = batch->headers,
                                           .header_count = batch->header_count,
                                           .body = batch->lengths[i] > 0 ? batch->bytes + at : NULL,
                                           .body_length = batch->lengths[i]};
        at += batch->lengths[i];
    }
    return batch->events;
}

void ps_rpc_batch_begin(struct ps_rpc_batch *batch)
{
    batch->count = 0;
    batch->length = 0;
}
