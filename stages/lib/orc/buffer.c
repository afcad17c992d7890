#include "stages/lib/orc/buffer.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM_BYTES 256U

uint8_t *ps_orc_buffer_reserve(struct ps_orc_buffer *buffer, size_t more)
{
    if (buffer->memory->failed)
        return NULL;
    size_t wanted = buffer->length + more;
    if (wanted > buffer->room) {
        size_t room = buffer->room < FIRST_ROOM_BYTES ? FIRST_ROOM_BYTES : buffer->room;
        while (room < wanted)
            room += room / 2;
        uint8_t *data = realloc(buffer->data, room);
        if (data == NULL) {
            buffer->memory->failed = true;
            return NULL;
        }
        buffer->memory->room_bytes += room - buffer->room;
        buffer->data = data;
        buffer->room = room;
    }
    return buffer->data + buffer->length;
}

void ps_orc_buffer_grown(struct ps_orc_buffer *buffer, size_t more)
{
    PS_ASSERT(buffer->length + more <= buffer->room);
    buffer->length += more;
    buffer->memory->used_bytes += more;
}

void ps_orc_buffer_append(struct ps_orc_buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    uint8_t *to = ps_orc_buffer_reserve(buffer, length);
    if (to == NULL)
        return;
    memcpy(to, bytes, length);
    ps_orc_buffer_grown(buffer, length);
}

void ps_orc_buffer_clear(struct ps_orc_buffer *buffer)
{
    if (buffer->length != 0)
        buffer->memory->used_bytes -= buffer->length;
    buffer->length = 0;
}

void ps_orc_buffer_free(struct ps_orc_buffer *buffer)
{
    if (buffer->data == NULL)
        return;
    ps_orc_buffer_clear(buffer);
    buffer->memory->room_bytes -= buffer->room;
    free(buffer->data);
    buffer->data = NULL;
    buffer->room = 0;
}
