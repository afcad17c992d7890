/* A pointer that workers read in `work` while another thread replaces what it points to: read-copy-update
 * over the workers' quiescent states, as for the engine's own orders. For what changes more often than the
 * plan: a set of rules. */
#pragma once

#include "core/base.h"

struct ps_swap {
    void *current;
};

/* ThreadSanitizer's name for "a worker has passed a quiescent state", which it cannot see. */
extern const char ps_swap_grace;

/* What it points to now; good until the end of this call of `work` (the worker passes a quiescent state after
 * each cycle). Whoever needs it over several calls has to say so to the thread that replaces it. Thread: a
 * worker; the one that simulates a worker; or any, while nobody replaces. */
void *ps_swap_read(const struct ps_swap *swap);

/* Publishes `next` and waits until no worker reads what was there before, which is returned. Parked workers
 * do not delay it. Thread: one at a time, never a worker. */
void *ps_swap_replace(struct ps_swap *swap, void *next);
