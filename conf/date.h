/* java.text.SimpleDateFormat patterns, for ${date:...}. Thread: the control thread. */
#pragma once

#include "core/arena.h"

/* `ms` since the epoch in the local time zone by `pattern`; an empty pattern gives a short date and time.
 * English names. NULL for a letter that is no pattern letter or an open quote (Java refuses those too). */
const char *ps_date_format(struct ps_arena *arena, const char *pattern, int64_t ms);
