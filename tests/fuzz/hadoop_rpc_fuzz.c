/* Responses of a namenode: their frames, and the messages in them. The first byte says which message a success has. */
#include <stdlib.h>
#include <string.h>

#include "stages/lib/hadoop/proto/client_namenode.pb-c.h"
#include "stages/lib/hadoop/rpc/error.h"
#include "stages/lib/hadoop/rpc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const messages[] = {
    &ps_hadoop__boolean_response__descriptor,
    &ps_hadoop__status_response__descriptor,
    &ps_hadoop__block_response__descriptor,
    &ps_hadoop__get_server_defaults_response__descriptor,
    &ps_hadoop__get_listing_response__descriptor,
    &ps_hadoop__get_block_locations_response__descriptor,
    &ps_hadoop__get_data_encryption_key_response__descriptor,
    &ps_hadoop__rpc_sasl__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *descriptor = messages[data[0] % PS_COUNT_OF(messages)];
    uint8_t *bytes = malloc(size); /* so that one byte more is seen */
    PS_ASSERT(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    for (size_t at = 0;;) {
        struct ps_hadoop_rpc_response response;
        const char *reason = NULL;
        size_t length;
        enum ps_hadoop_rpc_parse parse =
            ps_hadoop_rpc_parse_response(bytes + at, size - 1 - at, 1 << 20, &response, &length, &reason);
        PS_ASSERT(parse != PS_HADOOP_RPC_PARSE_INVALID || reason != NULL);
        if (parse != PS_HADOOP_RPC_PARSE_WHOLE)
            break;
        PS_ASSERT(length >= 4 && length <= size - 1 - at);
        PS_ASSERT(strlen(response.exception) < sizeof response.exception);
        ps_hadoop_rpc_judge(response.exception, response.message, response.detail);
        ProtobufCMessage *message =
            response.status == 0
                ? protobuf_c_message_unpack(descriptor, NULL, response.body_length, response.body)
                : NULL;
        if (message != NULL)
            protobuf_c_message_free_unpacked(message, NULL);
        at += length;
    }
    free(bytes);
    return 0;
}
