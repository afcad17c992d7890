/* Bytes that grow. See bytes.h. */
#include "stages/hadoop_file/bytes.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 512U

bool ps_hadoop_bytes_reserve(struct ps_hadoop_bytes *bytes, size_t more)
{
    if (PS_LIKELY(bytes->room - bytes->length >= more))
        return true;
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

bool ps_hadoop_bytes_append(struct ps_hadoop_bytes *bytes, const void *data, size_t length)
{
    if (!ps_hadoop_bytes_reserve(bytes, length))
        return false;
    if (length > 0)
        memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
    return true;
}

void ps_hadoop_bytes_clear(struct ps_hadoop_bytes *bytes, size_t keep_max)
{
    bytes->length = 0;
    if (bytes->room <= keep_max)
        return;
    free(bytes->data);
    *bytes = (struct ps_hadoop_bytes){.data = NULL};
}
