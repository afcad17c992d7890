/* A buffer of bytes that grows when needed. See byte_buffer.h. */
#include "stages/lib/byte_buffer.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 512U

bool ps_byte_buffer_grow(struct ps_byte_buffer *bytes, size_t more)
{
    size_t room = bytes->room < ROOM_MIN ? ROOM_MIN : bytes->room;
    while (room - bytes->length < more)
        if (__builtin_mul_overflow(room, 2, &room))
            return false;
    char *data = realloc(bytes->data, room);
    if (data == NULL)
        return false;
    bytes->data = data;
    bytes->room = room;
    return true;
}

void ps_byte_buffer_clear(struct ps_byte_buffer *bytes, size_t keep_max)
{
    bytes->length = 0;
    if (bytes->room <= keep_max)
        return;
    free(bytes->data);
    *bytes = (struct ps_byte_buffer){.data = NULL};
}

bool ps_byte_buffer_reserve_spare(struct ps_byte_buffer *bytes, size_t more, struct ps_byte_buffer *spare)
{
    size_t all = bytes->length + more;
    if (PS_LIKELY(bytes->room - bytes->length >= more))
        return true;
    if ((bytes->room > 0 && all <= PS_BYTE_BUFFER_OWN_MAX) || all > spare->room)
        return ps_byte_buffer_reserve(bytes, more);
    if (bytes->length > 0)
        memcpy(spare->data, bytes->data, bytes->length);
    spare->length = bytes->length;
    free(bytes->data);
    *bytes = *spare;
    *spare = (struct ps_byte_buffer){.data = NULL};
    return true;
}

void ps_byte_buffer_clear_spare(struct ps_byte_buffer *bytes, struct ps_byte_buffer *spare, size_t spare_max)
{
    bytes->length = 0;
    if (bytes->room <= PS_BYTE_BUFFER_OWN_MAX)
        return;
    if (bytes->room > spare->room && bytes->room <= spare_max) {
        free(spare->data);
        *spare = *bytes;
    } else {
        free(bytes->data);
    }
    *bytes = (struct ps_byte_buffer){.data = NULL};
}
