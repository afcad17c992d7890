/* Arrays of items without gaps. Thread: the owner's. */
#pragma once

#include "core/base.h"

#include <string.h>

/* Removes an item; the later ones move up. The caller reduces its count by one. */
static inline void ps_array_remove(void *items, size_t count, size_t at, size_t item_bytes)
{
    char *gap = (char *)items + at * item_bytes;
    memmove(gap, gap + item_bytes, (count - at - 1) * item_bytes);
}
