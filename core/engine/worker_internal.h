/* Shared by core/engine/worker.c (the duty cycle) and core/engine/worker_orders.c (from one plan to the next).
 * Thread: the worker's own, unless a field says otherwise. */
#pragma once

#include <sched.h>

#include "core/engine/engine.h"
#include "core/engine/worker.h"
#include "rings/flag.h"
#include "rings/inbox.h"
#include "rings/park.h"

struct ps_worker {
    struct ps_engine *engine;
    struct ps_pool *pool;
    uint16_t id;
    bool simulated;
    int cpu;             /* -1: not pinned */
    cpu_set_t inherited; /* affinity mask of the thread when it started; empty: not known */
    enum ps_idle idle;
    uint64_t park_max_ns;
    int epoll_fd;
    struct ps_now now;

    /* the orders are the second DRAIN (agent_drain): stages that are drained stay drained */
    bool drains_again;
    uint64_t orders_number; /* number of the orders that were taken last */
    struct ps_plan *plan, *next;
    enum ps_phase phase;
    bool stops; /* ps_orders.stops */
    struct ps_source_runner **sources;
    struct ps_sink_runner **sinks;
    size_t source_count, sink_count;
    bool opened_once;      /* every runner of `plan` has had one turn */
    struct ps_lease *left; /* CLOSE: leases that were not put, or whose channel has no `strip` */

    /* leases that this worker itself returns, as their home worker */
    struct ps_lease *home_first, **home_last;
    struct ps_inbox_node *arrived; /* leases that were taken from the inbox and are not released yet */
    uint64_t touched;              /* bit per worker to wake at the end of the cycle */

    struct ps_inbox inbox; /* leases that other workers return; any worker puts */

    PS_ALIGNED_GAP struct ps_worker_stats stats; /* written by the worker, read by any thread */
    PS_ALIGNED_GAP struct ps_mark done;          /* number of the orders carried out; control reads it */
    struct ps_mark taken;                        /* number of the orders begun; control reads it */
    struct ps_mark sources_seen, sinks_seen;     /* number of runners that metrics may read */
    uint64_t exit_wanted;
    struct ps_park park;
};

/* Called once a cycle: begins to carry out new orders. */
void ps_worker_take_orders(struct ps_worker *worker);

/* Continues with the orders taken last; returns whether they are carried out. */
bool ps_worker_orders_done(struct ps_worker *worker);

/* Releases the leases that were returned to this worker. Returns whether it released any. */
bool ps_worker_cycle_home(struct ps_worker *worker);

/* Returns whether this source stays open: in PAUSE every source does, later each source that the next plan takes
 * over. */
bool ps_worker_adopts(const struct ps_worker *worker, const struct ps_source_runner *runner);

/* Returns whether this source continues to read while others pause or close, because the reload leaves it and its
 * channels as they are. False in CLOSE, because control then changes the channels' shares of the memory. */
bool ps_worker_reads_on(const struct ps_worker *worker, const struct ps_source_runner *runner);

/* Returns whether the next plan takes this sink over. Such a sink runs in all phases, but takes no new lease in
 * CLOSE, because the control thread then changes its channel. */
bool ps_worker_adopts_sink(const struct ps_worker *worker, const struct ps_sink_runner *runner);

/* Returns whether this sink was idle in PAUSE. Such a sink takes no more leases: another sink of its channel may
 * still give leases back, and must deliver them itself. */
bool ps_worker_sink_rests(const struct ps_worker *worker, const struct ps_sink_runner *sink);

/* Replaces the runners by the runners of `plan`; keeps the runners of sources and sinks that stay open. `plan` NULL:
 * the worker has no runners afterwards. */
void ps_worker_exchange_runners(struct ps_worker *worker, struct ps_plan *plan);
