#include "stages/lib/orc/message.h"

#include "stages/lib/varint.h"

#define LENGTH_DELIMITED 2U

static void append_varint(struct ps_orc_buffer *buffer, uint64_t value)
{
    uint8_t bytes[PS_VARINT_BYTES_MAX];
    ps_orc_buffer_append(buffer, bytes, ps_varint_put(bytes, value));
}

void ps_orc_message_append(struct ps_orc_buffer *buffer, const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *to = ps_orc_buffer_reserve(buffer, length);
    if (to == NULL)
        return;
    protobuf_c_message_pack(message, to);
    ps_orc_buffer_grown(buffer, length);
}

void ps_orc_message_field(struct ps_orc_buffer *buffer, uint32_t field, const ProtobufCMessage *message)
{
    append_varint(buffer, field << 3 | LENGTH_DELIMITED);
    append_varint(buffer, protobuf_c_message_get_packed_size(message));
    ps_orc_message_append(buffer, message);
}

void ps_orc_message_bytes(struct ps_orc_buffer *buffer, uint32_t field, const void *bytes, size_t length)
{
    append_varint(buffer, field << 3 | LENGTH_DELIMITED);
    append_varint(buffer, length);
    ps_orc_buffer_append(buffer, bytes, length);
}
