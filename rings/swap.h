/* A pointer that workers read in `work` while another thread replaces the object that it points to: read-copy-update
 * over the workers' quiescent states, as for the engine's own orders. For data that changes more often than the plan:
 * a set of rules. */
#pragma once

#include "rings/base.h"

struct ps_swap {
    void *current;
};

/* ThreadSanitizer's name for "a worker has passed a quiescent state", which it cannot see. */
extern const char ps_swap_grace;

/* Returns the current object; valid until the end of this call of `work` (the worker passes a quiescent state after
 * each cycle). A stage that needs the object over several calls has to make the replacing thread wait. Thread: a
 * worker; the thread that simulates a worker; or any thread, while no thread replaces the object. */
void *ps_swap_read(const struct ps_swap *swap);

/* Publishes `next` and waits until no worker reads the previous object, which it returns. Parked workers do not delay
 * the call. Thread: one at a time, never a worker. */
void *ps_swap_replace(struct ps_swap *swap, void *next);
