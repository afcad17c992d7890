/* The delivered frames of a log: all frames below `low`, and ranges above it. Thread: the log's. */
#pragma once

#include "stages/lib/queue/segment/format.h"

struct ps_taken {
    uint64_t low;                  /* the lowest number that was not delivered */
    struct ps_taken_range *ranges; /* delivered ranges above `low`, in order, with gaps between them */
    size_t count, room;
};

void ps_taken_init(struct ps_taken *taken, uint64_t low);
void ps_taken_fini(struct ps_taken *taken);
/* Adds a delivered range. Ignores a range that was added already, because recovery can read a range twice.
 * Returns whether the range was new. */
bool ps_taken_add(struct ps_taken *taken, const struct ps_taken_range *range);
bool ps_taken_has(const struct ps_taken *taken, uint64_t number);
/* Returns whether all frames `first` to `last` were delivered. */
bool ps_taken_has_all(const struct ps_taken *taken, uint64_t first, uint64_t last);
