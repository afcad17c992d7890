/* Arrays of items without gaps. Thread: the owner's. */
#pragma once

#include "core/base.h"

#include <string.h>

/* Makes room for one more item if all of `room` items are in use. Ends the process without memory (ps_must_realloc). */
#define PS_ARRAY_GROW(items, count, room, purpose)                                                           \
    do {                                                                                                     \
        if ((count) == (room)) {                                                                             \
            (room) = (room) > 0 ? 2 * (room) : 16;                                                           \
            (items) = ps_must_realloc((items), (room) * sizeof *(items), (purpose));                         \
        }                                                                                                    \
    } while (0)

/* Removes an item; the later ones move up. The caller reduces its count by one. */
static inline void ps_array_remove(void *items, size_t count, size_t at, size_t item_bytes)
{
    char *gap = (char *)items + at * item_bytes;
    memmove(gap, gap + item_bytes, (count - at - 1) * item_bytes);
}
