#include "core/flow/window.h"

#include <stdlib.h>

struct ps_window {
    void (*deliver)(void *argument, struct ps_batch *batch);
    void *argument;
    struct ps_batch **ring; /* by sequence; NULL without deliver */
    uint32_t mask;
    uint64_t head, next_sequence; /* first not popped; next to give */
    uint32_t out;                 /* batches entered and not given back */
    bool detached;
};

struct ps_window *ps_window_create(uint32_t batches_max,
                                   void (*deliver)(void *argument, struct ps_batch *batch), void *argument)
{
    struct ps_window *window = ps_must_alloc(1, sizeof *window, "a source's window");
    window->deliver = deliver;
    window->argument = argument;
    window->head = window->next_sequence = 1;
    if (deliver != NULL) {
        uint32_t size = 1;
        while (size < batches_max)
            size *= 2;
        window->ring = ps_must_alloc(size, sizeof *window->ring, "a source's window");
        window->mask = size - 1;
    }
    return window;
}

static void window_free_if_done(struct ps_window *window)
{
    if (window->detached && window->out == 0) {
        free(window->ring);
        free(window);
    }
}

static void window_give(struct ps_window *window, struct ps_batch *batch)
{
    batch->window = NULL;
    window->out--;
    ps_batch_give(batch);
}

/* Batches still in the ring leave it without `deliver`: their positions do not move. */
void ps_window_detach(struct ps_window *window)
{
    window->detached = true;
    for (; window->ring != NULL && window->head != window->next_sequence; window->head++) {
        struct ps_batch *batch = window->ring[window->head & window->mask];
        batch->in_window = false;
        if (batch->holders == 0)
            window_give(window, batch);
    }
    window_free_if_done(window);
}

void ps_window_enter(struct ps_window *window, struct ps_batch *batch)
{
    PS_ASSERT(!window->detached);
    batch->window = window;
    batch->sequence = window->next_sequence++;
    batch->holders = 1;
    batch->promises = 1; /* the chain's: a batch cannot be complete before it was routed */
    batch->leases[0].promise = true;
    batch->in_window = window->ring != NULL;
    window->out++;
    if (window->ring != NULL) {
        PS_ASSERT(batch->sequence - window->head <= window->mask);
        window->ring[batch->sequence & window->mask] = batch;
    }
}

void ps_window_hold(struct ps_batch *batch, bool promise)
{
    PS_ASSERT(batch->holders > 0 && batch->holders < UINT16_MAX);
    batch->holders++;
    if (promise)
        batch->promises++;
}

static void window_pop(struct ps_window *window)
{
    while (window->head != window->next_sequence) {
        struct ps_batch *batch = window->ring[window->head & window->mask];
        if (!batch->complete || batch->lost)
            return;
        window->head++;
        batch->in_window = false;
        window->deliver(window->argument, batch);
        if (batch->holders == 0)
            window_give(window, batch);
    }
}

void ps_window_release(struct ps_lease *lease)
{
    struct ps_batch *batch = lease->batch;
    struct ps_window *window = batch->window;
    PS_ASSERT(batch->holders > 0);
    batch->holders--;
    if (lease->promise) {
        PS_ASSERT(batch->promises > 0);
        batch->lost |= lease->failed;
        if (--batch->promises == 0)
            batch->complete = true;
    }
    if (batch->in_window) {
        if (batch->complete)
            window_pop(window); /* gives it back, if it is at the front and has no holder */
        else
            PS_ASSERT(batch->holders > 0);
    } else if (batch->holders == 0) {
        window_give(window, batch);
    }
    window_free_if_done(window);
}

uint32_t ps_window_outstanding(const struct ps_window *window)
{
    return window->out;
}

bool ps_window_is_detached(const struct ps_window *window)
{
    return window->detached;
}
