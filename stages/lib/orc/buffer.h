/* Memory of an ORC writer: buffers that grow, all counted in one place. When there is no memory, `failed` is
 * set and stays set, and further bytes are dropped. The encoders return no results, because the writer tests
 * `failed` once for each row.
 *
 * Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_orc_memory {
    uint64_t used_bytes; /* in buffers */
    uint64_t room_bytes; /* reserved for buffers */
    bool failed;
};

struct ps_orc_buffer {
    struct ps_orc_memory *memory; /* the owner sets it before the first use */
    uint8_t *data;
    size_t length, room;
};

/* Makes room for this many bytes after the contents. Returns its beginning, or NULL when there is no
 * memory. */
uint8_t *ps_orc_buffer_reserve(struct ps_orc_buffer *buffer, size_t more);
/* Adds the bytes written into the reserved room to the contents. */
void ps_orc_buffer_grown(struct ps_orc_buffer *buffer, size_t more);
void ps_orc_buffer_append(struct ps_orc_buffer *buffer, const void *bytes, size_t length);
/* Forgets the contents and keeps the room. */
void ps_orc_buffer_clear(struct ps_orc_buffer *buffer);
void ps_orc_buffer_free(struct ps_orc_buffer *buffer);

static inline void ps_orc_buffer_byte(struct ps_orc_buffer *buffer, uint8_t byte)
{
    if (PS_UNLIKELY(buffer->length == buffer->room) && ps_orc_buffer_reserve(buffer, 1) == NULL)
        return;
    buffer->data[buffer->length++] = byte;
    buffer->memory->used_bytes++;
}
