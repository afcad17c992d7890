/* A queue of file numbers (struct ps_tail_log) that has each number at most once. Each queue has the files that need one kind of attention,
 * so that no tick walks through all files to find them. A number stays in the queue when its file no longer needs attention, or when the
 * number belongs to another file: the taker checks. Thread: the worker of the source. */
#pragma once

#include "core/base.h"

struct ps_tail_slots {
    uint32_t *numbers; /* a ring buffer */
    bool *has;         /* by number: whether the ring has it */
    uint32_t room;     /* a power of 2, greater than every number */
    uint32_t first, count;
};

/* Makes room for numbers below `room`. Ends the process if there is no memory. */
void ps_tail_slots_grow(struct ps_tail_slots *slots, uint32_t room);
/* Adds the number at the end, unless the queue has it. */
void ps_tail_slots_put(struct ps_tail_slots *slots, uint32_t number);
/* Removes and returns the first number. The queue may not be empty. */
uint32_t ps_tail_slots_take(struct ps_tail_slots *slots);
void ps_tail_slots_free(struct ps_tail_slots *slots);
