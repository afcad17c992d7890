/* Arrays whose items are not set apart. Thread: the owner's. */
#pragma once

#include "core/base.h"

#include <string.h>

/* Removes an item; those behind it move up. The caller counts one item less. */
static inline void ps_array_remove(void *items, size_t count, size_t at, size_t item_bytes)
{
    char *gap = (char *)items + at * item_bytes;
    memmove(gap, gap + item_bytes, (count - at - 1) * item_bytes);
}
