/* The input of a datanode: any bytes, as messages one after another. The first byte says which: answers to
 * operations, or acknowledgements of packets. Nothing may be read outside them, and what is accepted is
 * within its limits. */
#include "stages/lib/hadoop/transfer/operation.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_response(const struct ps_slice *message)
{
    struct ps_block_response response;
    if (!ps_block_response_parse(message, &response))
        return;
    PS_ASSERT(memchr(response.message, 0, sizeof response.message) != NULL);
    PS_ASSERT(memchr(response.first_bad_link, 0, sizeof response.first_bad_link) != NULL);
    PS_ASSERT(ps_transfer_status_name(response.status)[0] != 0);
}

static void take_ack(const struct ps_slice *message)
{
    struct ps_pipeline_ack ack;
    if (!ps_pipeline_ack_parse(message, &ack))
        return;
    PS_ASSERT(ack.count <= PS_PIPELINE_NODES_MAX);
    for (unsigned i = 0; i < ack.count; i++)
        PS_ASSERT(ack.nodes[i].congestion <= 3);
}

static void take_header(const struct ps_slice *message)
{
    uint64_t offset;
    uint32_t length;
    bool last;
    if (ps_packet_header_parse(message, 1000, &offset, &length, &last))
        PS_ASSERT(length <= 1000 && offset <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    size_t at = size > 0, consumed = 0;
    struct ps_slice message;
    while (at < size && ps_message_find(bytes + at, size - at, &message, &consumed) == PS_MESSAGE_WHOLE) {
        PS_ASSERT(consumed > message.length && consumed <= size - at);
        switch (data[0] % 3) {
        case 0:
            take_response(&message);
            break;
        case 1:
            take_ack(&message);
            break;
        default:
            take_header(&message);
            break;
        }
        at += consumed;
    }
    return 0;
}
