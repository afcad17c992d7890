/* Protobuf messages of an ORC file, appended to buffers. */
#pragma once

#include "stages/lib/orc/buffer.h"

#include <protobuf-c/protobuf-c.h>

/* Appends the message. */
void ps_orc_message_append(struct ps_orc_buffer *buffer, const ProtobufCMessage *message);

/* Appends the message, or these bytes, as a field of the message that the buffer holds. */
void ps_orc_message_field(struct ps_orc_buffer *buffer, uint32_t field, const ProtobufCMessage *message);
void ps_orc_message_bytes(struct ps_orc_buffer *buffer, uint32_t field, const void *bytes, size_t length);
