#include "core/flow/channel.h"

#include <stdlib.h>

#include "core/flow/bump.h"
#include "core/flow/engine_channel.h"
#include "core/flow/window.h"

/* ---- the owner of a lease ---- */

uint16_t ps_batch_worker(const struct ps_batch *batch)
{
    return ps_pool_worker(ps_batch_home(batch)->pool);
}

bool ps_batch_will_be_replayed(const struct ps_batch *batch)
{
    return batch->span_count > 0 && ps_batch_home(batch)->unreported;
}

/* ---- batches that a channel reads back ---- */

struct ps_readback {
    struct ps_bump bump;
    struct ps_carved mark;    /* of the last lease made */
    struct ps_window *window; /* lives until its last batch is returned, so it outlives the readback */
    enum ps_readback_order order;
};

struct ps_readback *ps_readback_open(struct ps_pool *pool, enum ps_readback_order order,
                                     void (*delivered)(void *argument, struct ps_batch *batch),
                                     void *argument)
{
    struct ps_readback *readback = ps_must_alloc(1, sizeof *readback, "what a channel reads back");
    ps_bump_init(&readback->bump, pool);
    readback->order = order;
    readback->window = order == PS_READBACK_ANY_ORDER ? ps_window_create_unordered(delivered, argument)
                                                      : ps_window_create(true, delivered, argument);
    return readback;
}

void ps_readback_close(struct ps_readback *readback)
{
    if (readback == NULL)
        return;
    ps_window_detach(readback->window);
    ps_bump_fini(&readback->bump);
    free(readback);
}

struct ps_batch *ps_readback_batch(struct ps_readback *readback, struct ps_now now)
{
    return ps_batch_take(&readback->bump, now);
}

void ps_readback_drop(struct ps_batch *batch)
{
    ps_batch_give(batch);
}

struct ps_lease *ps_readback_lease(struct ps_readback *readback, struct ps_batch *batch)
{
    struct ps_lease *lease = ps_batch_chain(batch);
    ps_batch_close(batch);
    ps_batch_charge(lease, &readback->mark);
    ps_batch_mark(lease, &readback->mark);
    batch->any_order = readback->order == PS_READBACK_ANY_ORDER;
    ps_window_enter(readback->window, batch);
    return lease;
}

bool ps_readback_made(const struct ps_readback *readback, const struct ps_lease *lease)
{
    return readback != NULL && ps_batch_home(lease->batch)->window == readback->window;
}

const void *ps_readback_argument(const struct ps_lease *lease)
{
    const struct ps_window *window = ps_batch_home(lease->batch)->window;
    return window != NULL ? ps_window_argument(window) : NULL;
}
