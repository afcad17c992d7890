/* java.text.SimpleDateFormat patterns, for ${date:...}. Thread: the control thread. */
#pragma once

#include "core/arena.h"

/* Formats `ms` since the epoch in the local time zone by `pattern`, with English names. An empty pattern gives a
 * short date and time. Returns NULL for an unknown pattern letter or an open quote, as Java refuses them. */
const char *ps_date_format(struct ps_arena *arena, const char *pattern, int64_t ms);
