/* A buffer of bytes that grows when needed. {0} is an empty buffer. Thread: the owner's. */
#pragma once

#include "core/base.h"

#include <string.h>

struct ps_byte_buffer {
    char *data;
    size_t length, room;
};

/* For ps_byte_buffer_reserve. */
bool ps_byte_buffer_grow(struct ps_byte_buffer *bytes, size_t more);

/* Makes room for `more` bytes after `length`. Returns false: no memory. */
static inline bool ps_byte_buffer_reserve(struct ps_byte_buffer *bytes, size_t more)
{
    return PS_LIKELY(bytes->room - bytes->length >= more) || ps_byte_buffer_grow(bytes, more);
}

/* Room must be there. */
static inline void ps_byte_buffer_put(struct ps_byte_buffer *bytes, const void *data, size_t length)
{
    if (length > 0)
        memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

/* Returns false: no memory. */
static inline bool ps_byte_buffer_append(struct ps_byte_buffer *bytes, const void *data, size_t length)
{
    if (!ps_byte_buffer_reserve(bytes, length))
        return false;
    ps_byte_buffer_put(bytes, data, length);
    return true;
}

/* Empties the buffer; memory of more than `keep_max` bytes is freed. */
void ps_byte_buffer_clear(struct ps_byte_buffer *bytes, size_t keep_max);

/* Many buffers that become long at different times share one long buffer: each owns at most PS_BYTE_BUFFER_OWN_MAX
 * bytes while it is empty. */
#define PS_BYTE_BUFFER_OWN_MAX 4096U

/* Makes room for `more` bytes. Takes the spare buffer, if it is long enough, when there are many bytes, or no
 * buffer yet. */
bool ps_byte_buffer_reserve_spare(struct ps_byte_buffer *bytes, size_t more, struct ps_byte_buffer *spare);

/* Empties the buffer; a long buffer becomes the spare buffer if it is longer than the present one, and no
 * longer than `spare_max`. */
void ps_byte_buffer_clear_spare(struct ps_byte_buffer *bytes, struct ps_byte_buffer *spare, size_t spare_max);
