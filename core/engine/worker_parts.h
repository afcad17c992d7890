/* What core/engine/worker.c (the duty cycle) and core/engine/worker_orders.c (from one plan to the next)
 * share. Everything is the worker's own thread's, but what says otherwise. */
#pragma once

#include "core/engine/engine.h"
#include "core/engine/worker.h"
#include "rings/flag.h"
#include "rings/park.h"

struct ps_worker {
    struct ps_engine *engine;
    struct ps_pool *pool;
    uint16_t id;
    bool simulated;
    int cpu; /* -1: not pinned */
    enum ps_idle idle;
    int epoll_fd;
    struct ps_now now;

    uint64_t orders_number; /* of the orders carried out or being carried out */
    struct ps_plan *plan, *next;
    enum ps_phase phase;
    struct ps_source_runner **sources;
    struct ps_sink_runner **sinks;
    size_t source_count, sink_count;
    bool opened_once;
    struct ps_lease *left; /* CLOSE: never put */

    struct ps_lease *home_first, **home_last; /* leases done on their own home worker */
    uint64_t touched;                         /* bit per worker to wake at the end of the cycle */

    PS_ALIGNED_GAP struct ps_worker_stats stats; /* single writer */
    PS_ALIGNED_GAP struct ps_mark done;          /* number of the orders carried out: read by control */
    struct ps_mark sources_seen, sinks_seen;     /* for metrics */
    uint64_t exit_wanted;
    struct ps_park park;
};

/* Looks at the orders once a cycle and begins to carry new ones out. */
void ps_worker_take_orders(struct ps_worker *worker);

/* Whether the orders taken last are carried out. */
bool ps_worker_orders_done(struct ps_worker *worker);

/* Releases the leases that have come home. True when there were any. */
bool ps_worker_cycle_home(struct ps_worker *worker);

/* Whether the plan that follows takes this source over as it is. */
bool ps_worker_adopts(const struct ps_worker *worker, const struct ps_source_runner *runner);

/* From one plan's runners to the next one's; NULL: to none. */
void ps_worker_exchange_runners(struct ps_worker *worker, struct ps_plan *plan);
