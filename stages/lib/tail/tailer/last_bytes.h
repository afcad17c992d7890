/* The bytes before a position of a file. They show whether what is read at the position continues what was read before it. Thread: the
 * owner's. */
#pragma once

#include "stages/lib/tail/marks.h"

#include <string.h>

struct ps_tail_last_bytes {
    char bytes[PS_TAIL_MARK_BYTES];
    uint32_t length; /* 0: not known */
};

/* Adds bytes that were read at the position, which moves past them. */
static inline void ps_tail_last_bytes_add(struct ps_tail_last_bytes *last, const char *text, size_t length)
{
    const size_t most = sizeof last->bytes;
    if (length >= most) {
        memcpy(last->bytes, text + length - most, most);
        last->length = (uint32_t)most;
        return;
    }
    size_t kept = last->length + length > most ? most - length : last->length;
    memmove(last->bytes, last->bytes + last->length - kept, kept);
    memcpy(last->bytes + kept, text, length);
    last->length = (uint32_t)(kept + length);
}

/* Returns how many bytes before the position are compared. */
static inline size_t ps_tail_last_bytes_before(int64_t offset)
{
    return offset < (int64_t)PS_TAIL_MARK_BYTES ? (size_t)offset : PS_TAIL_MARK_BYTES;
}

/* Returns whether `bytes` begins with the bytes of `last`. */
static inline bool ps_tail_last_bytes_begin(const struct ps_tail_last_bytes *last, const char *bytes,
                                            size_t length)
{
    return length >= last->length && memcmp(bytes, last->bytes, last->length) == 0;
}

/* Returns whether the last of the bytes is a newline. */
static inline bool ps_tail_last_bytes_end_line(const struct ps_tail_last_bytes *last)
{
    return last->length > 0 && last->bytes[last->length - 1] == '\n';
}

/* Returns the mark of the position. */
static inline struct ps_tail_mark ps_tail_last_bytes_mark(const struct ps_tail_last_bytes *last,
                                                          int64_t offset)
{
    return ps_tail_mark_of(offset, last->bytes, last->length);
}
