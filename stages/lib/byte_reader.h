/* Reads bytes and big-endian numbers from the front of a buffer, such as a key store's. Functions return false
 * if fewer bytes are left. Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_byte_reader {
    const uint8_t *data;
    size_t left;
};

static inline bool ps_byte_reader_take(struct ps_byte_reader *reader, size_t length, const uint8_t **bytes)
{
    if (length > reader->left)
        return false;
    *bytes = reader->data;
    reader->data += length;
    reader->left -= length;
    return true;
}

/* Reads a number of at most four bytes; 0 if they are not there. */
static inline bool ps_byte_reader_number(struct ps_byte_reader *reader, size_t bytes, uint32_t *number)
{
    const uint8_t *from;
    *number = 0;
    if (!ps_byte_reader_take(reader, bytes, &from))
        return false;
    for (size_t i = 0; i < bytes; i++)
        *number = *number << 8 | from[i];
    return true;
}
