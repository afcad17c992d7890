/* Bytes that grow. {0}: none. Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_byte_buffer {
    char *data;
    size_t length, room;
};

/* Makes room for `more` bytes behind `length`. Returns false: no memory. */
bool ps_byte_buffer_reserve(struct ps_byte_buffer *bytes, size_t more);

bool ps_byte_buffer_append(struct ps_byte_buffer *bytes, const void *data, size_t length);

/* Empties it; memory of more than `keep_max` bytes is freed. */
void ps_byte_buffer_clear(struct ps_byte_buffer *bytes, size_t keep_max);

/* Many that are long in turn share one long buffer: each owns at most PS_BYTE_BUFFER_OWN_MAX bytes while it is empty. */
#define PS_BYTE_BUFFER_OWN_MAX 4096U

/* Makes room for `more` bytes: takes the spare buffer, if it is long enough, when there are many or there is no buffer yet. */
bool ps_byte_buffer_reserve_spare(struct ps_byte_buffer *bytes, size_t more, struct ps_byte_buffer *spare);

/* Empties it; a long buffer becomes the spare one if it is longer, and no longer than `spare_max`. */
void ps_byte_buffer_clear_spare(struct ps_byte_buffer *bytes, struct ps_byte_buffer *spare, size_t spare_max);
