/* A queue of numbers of files (struct ps_tail_log), each in it once. Files that need attention of one kind are in one queue, so that nobody
 * walks through all files to find them. A number stays in it when its file needs that no more, or is another file: the taker checks.
 * Thread: the worker of the source. */
#pragma once

#include "core/base.h"

struct ps_tail_slots {
    uint32_t *numbers; /* a ring */
    bool *has;         /* by number */
    uint32_t room;     /* a power of 2, more than any number */
    uint32_t first, count;
};

/* Numbers up to `room` are to come. Ends the process without memory. */
void ps_tail_slots_grow(struct ps_tail_slots *slots, uint32_t room);
/* Puts it at the end, if it is not there. */
void ps_tail_slots_put(struct ps_tail_slots *slots, uint32_t number);
/* Takes the first one. There is one. */
uint32_t ps_tail_slots_take(struct ps_tail_slots *slots);
void ps_tail_slots_free(struct ps_tail_slots *slots);
