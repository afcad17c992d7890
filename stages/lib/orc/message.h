/* Protobuf messages of an ORC file, appended to buffers. */
#pragma once

#include "stages/lib/orc/buffer.h"

#include <protobuf-c/protobuf-c.h>

/* Appends the message. */
void ps_orc_message_append(struct ps_orc_buffer *buffer, const ProtobufCMessage *message);

/* These append a message, or bytes, as a field of the message in the buffer. */
void ps_orc_message_field(struct ps_orc_buffer *buffer, uint32_t field, const ProtobufCMessage *message);
void ps_orc_message_bytes(struct ps_orc_buffer *buffer, uint32_t field, const void *bytes, size_t length);
