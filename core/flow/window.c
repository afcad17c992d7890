#include "core/flow/window.h"

#include <stdlib.h>

struct ps_window {
    void (*report)(void *argument, struct ps_batch *batch);
    void *argument;
    struct ps_batch_home *first, **end; /* batches not reported yet, in order */
    uint64_t next_sequence;
    uint32_t out; /* batches entered and not given back */
    bool replayable, detached, unordered;
};

struct ps_window *ps_window_create(bool replayable, void (*report)(void *argument, struct ps_batch *batch),
                                   void *argument)
{
    struct ps_window *window = ps_must_alloc(1, sizeof *window, "a source's window");
    window->replayable = replayable;
    window->report = report;
    window->argument = argument;
    window->next_sequence = 1;
    window->end = &window->first;
    return window;
}

struct ps_window *ps_window_create_unordered(void (*report)(void *argument, struct ps_batch *batch),
                                             void *argument)
{
    struct ps_window *window = ps_window_create(true, report, argument);
    window->unordered = true;
    return window;
}

static void window_free_if_done(struct ps_window *window)
{
    if (window->detached && window->out == 0)
        free(window);
}

static struct ps_batch_home *window_remove_first(struct ps_window *window)
{
    struct ps_batch_home *batch = window->first;
    window->first = batch->next;
    if (window->first == NULL)
        window->end = &window->first;
    batch->in_window = false;
    return batch;
}

static void window_give(struct ps_window *window, struct ps_batch_home *batch)
{
    batch->window = NULL;
    window->out--;
    ps_batch_give(&batch->batch);
}

/* Batches that are still in the list leave it without a call of `report`: the positions do not move past them. */
uint64_t ps_window_detach(struct ps_window *window)
{
    uint64_t unreported = 0;
    window->detached = true;
    while (window->first != NULL) {
        struct ps_batch_home *batch = window_remove_first(window);
        batch->unreported = window->replayable;
        if (window->replayable && batch->complete && !batch->lost)
            unreported += batch->chain.count;
        if (batch->holders == 0)
            window_give(window, batch);
    }
    window_free_if_done(window);
    return unreported;
}

void ps_window_enter(struct ps_window *window, struct ps_batch *batch)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    PS_ASSERT(!window->detached);
    home->window = window;
    batch->sequence = window->next_sequence++;
    home->holders = 1;
    home->promises = 1; /* for the chain's lease: a batch is not complete before it is routed */
    ps_lease_home(&home->chain)->owed = true;
    window->out++;
    home->in_window = !window->unordered;
    if (window->unordered)
        return;
    home->next = NULL;
    *window->end = home;
    window->end = &home->next;
}

void ps_window_hold(struct ps_batch *batch, bool owed)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    PS_ASSERT(home->holders > 0 && home->holders < UINT16_MAX);
    home->holders++;
    if (owed)
        home->promises++;
}

void ps_window_owe(struct ps_lease *lease)
{
    struct ps_batch_home *home = ps_batch_home(lease->batch);
    PS_ASSERT(ps_lease_home(&home->chain)->owed && home->promises > 0);
    if (!lease->required || ps_lease_home(lease)->owed)
        return;
    ps_lease_home(lease)->owed = true;
    home->promises++;
}

static void window_pop(struct ps_window *window)
{
    while (window->first != NULL && window->first->complete && !(window->first->lost && window->replayable)) {
        struct ps_batch_home *batch = window_remove_first(window);
        window->report(window->argument, &batch->batch);
        if (batch->holders == 0)
            window_give(window, batch);
    }
}

static void window_report(struct ps_window *window, struct ps_batch_home *batch)
{
    if (window->unordered && !window->detached && !batch->lost)
        window->report(window->argument, &batch->batch);
}

void ps_window_release(struct ps_lease *lease)
{
    struct ps_batch_home *batch = ps_batch_home(lease->batch);
    struct ps_window *window = batch->window;
    PS_ASSERT(batch->holders > 0);
    batch->holders--;
    if (ps_lease_home(lease)->owed) {
        PS_ASSERT(batch->promises > 0);
        batch->lost |= lease->failed;
        if (--batch->promises == 0) {
            batch->complete = true;
            window_report(window, batch);
        }
    }
    if (batch->in_window) {
        if (batch->complete)
            window_pop(window); /* gives the batch back, if it is at the front and has no holder */
        else
            PS_ASSERT(batch->holders > 0);
    } else if (batch->holders == 0) {
        window_give(window, batch);
    }
    window_free_if_done(window);
}

bool ps_window_is_settled(const struct ps_window *window)
{
    return window->first == NULL;
}

uint32_t ps_window_outstanding(const struct ps_window *window)
{
    return window->out;
}

const void *ps_window_argument(const struct ps_window *window)
{
    return window->argument;
}

bool ps_window_is_detached(const struct ps_window *window)
{
    return window->detached;
}
