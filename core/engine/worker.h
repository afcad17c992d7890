/* A worker: one thread, its batches, and the sources and sinks placed on it. Its duty cycle:
 *
 *   1. take new orders of the control thread
 *   2. release the leases that were returned
 *   3. run the sources, each up to its budget
 *   4. run the sinks, each up to its budget
 *   5. wake the workers for which it has put or freed something
 *   6. announce a quiescent state (RCU)
 *   7. spin, or park when nothing moved
 *
 * No worker waits for another: a full ring is an ordinary result, and a lease is returned by the home worker's inbox,
 * which is never full. tests/sim runs a whole agent on one thread: it calls ps_worker_cycle with a made-up clock. */
#pragma once

#include "core/watch/metrics/metrics.h"
#include "core/engine/plan.h"
#include "core/engine/runner.h"

/* The orders of the control thread to the workers. */
enum ps_phase {
    PS_PHASE_RUN, /* open what the plan puts on this worker, and run it; after PAUSE: continue as before */
    /* Given before a reload that removes a channel: sources pause, unless the reload leaves their flows as they are,
     * and sinks deliver. DRAIN follows, or RUN of the same plan, which then continues unchanged. */
    PS_PHASE_PAUSE,
    PS_PHASE_DRAIN,  /* sources take nothing new; sinks deliver the events in their channels */
    PS_PHASE_RECALL, /* sinks give back what they hold */
    PS_PHASE_CLOSE,  /* close everything */
};

/* Published as a whole through one RCU pointer. */
struct ps_orders {
    uint64_t number; /* from 1 */
    enum ps_phase phase;
    struct ps_plan *plan; /* or NULL */
    /* By number of the home worker: leases that were given up; that worker releases them. */
    struct ps_lease *discard[PS_WORKERS_MAX];
    /* PAUSE .. CLOSE of a reload: the plan that follows. Sources that it takes over only pause, or continue to read. */
    struct ps_plan *next;
    bool
        stops; /* DRAIN of a reload: the agent was told to stop, and `next` starts for what the components that close leave */
    struct ps_orders *older; /* control's list: orders before these that a worker may still read */
};

struct ps_engine;
struct ps_engine_settings;

struct ps_worker_stats {
    uint64_t cycles, busy_cycles, busy_ns, parked_count, cycle_max_ns;
    uint64_t wakes;        /* how often the worker woke another one */
    uint64_t slow_cycles;  /* above PS_SLOW_CYCLE_NS */
    uint64_t heartbeat_ns; /* monotonic time at which the last cycle began */
    uint64_t memory_waits; /* how often a source found the budget used up */
    uint64_t home_leases;  /* leases that were returned */
    uint32_t parked;       /* 1: the worker sleeps */
    /* Name of the component that the worker calls now, a text of the plan. NULL between components and after every
     * cycle, so that no text of a freed plan stays here. */
    const char *doing;
};

/* Makes a worker without a thread. Returns NULL with `err` when no descriptors are left. The engine keeps the pool,
 * and no other worker uses it. */
struct ps_worker *ps_worker_create(struct ps_engine *engine, uint16_t id, struct ps_pool *pool,
                                   const struct ps_engine_settings *settings, struct ps_err *err);
/* Frees the worker, whose thread must have ended. */
void ps_worker_destroy(struct ps_worker *worker);

/* The function of the worker's thread; `cpu` -1: not pinned. Returns on the order to exit. */
void ps_worker_run(struct ps_worker *worker);

/* Runs one duty cycle. Returns whether anything moved. Thread: the worker's, or that of a simulator. */
bool ps_worker_cycle(struct ps_worker *worker, const struct ps_now *now);

/* Returns the time (mono_ns) at which ps_worker_cycle must be called again at the latest, even if nothing happens. */
uint64_t ps_worker_deadline_ns(const struct ps_worker *worker);

/* Called before the worker sleeps: joins the waiters, announces the sleep, and runs one more cycle. Returns whether
 * it may sleep, until ps_worker_is_parked is false or its deadline has come; ps_worker_unpark follows in any case.
 * Thread: the worker's, or that of a simulator. */
bool ps_worker_park(struct ps_worker *worker, const struct ps_now *now);
void ps_worker_unpark(struct ps_worker *worker);
/* For tests and the simulator: returns whether nobody has woken the worker since ps_worker_park. Thread: any. */
bool ps_worker_is_parked(const struct ps_worker *worker);

/* ---- for runners, on the worker's own thread ---- */
struct ps_pool *ps_worker_pool(struct ps_worker *worker);
struct ps_dead_letters *ps_worker_letters(const struct ps_worker *worker);
int ps_worker_wake_fd(const struct ps_worker *worker);
int ps_worker_epoll_fd(const struct ps_worker *worker);
bool ps_worker_is_simulated(const struct ps_worker *worker);
const struct ps_now *ps_worker_now(const struct ps_worker *worker);
void ps_worker_send_home(struct ps_worker *worker, struct ps_lease **lease);
/* Wakes these workers (bits by number) at the end of this cycle. */
void ps_worker_touch(struct ps_worker *worker, uint64_t others);
unsigned ps_worker_id(const struct ps_worker *worker);
/* Returns whether the reload in progress removes this channel: then the channel must become empty first, even if it
 * is durable. */
bool ps_worker_must_empty(const struct ps_worker *worker, const struct ps_channel_plan *channel);
/* Returns whether the components that close drain as in a stop: no plan follows, or the agent stops behind it. */
bool ps_worker_stops(const struct ps_worker *worker);
/* Returns whether events may stay in this channel when its sinks close: their sources read them again, or the plan that follows keeps it. */
bool ps_worker_leaves(const struct ps_worker *worker, const struct ps_channel_plan *channel);
/* Returns whether the sink may put dead letters into their channel now: false while that channel is emptied because
 * it will be removed. */
struct ps_sink_runner;
bool ps_worker_sink_may_write_dead_letters(const struct ps_worker *worker,
                                           const struct ps_sink_runner *runner);
void ps_worker_count_memory_wait(struct ps_worker *worker);
/* Notes the component that the worker calls from now on, for the dump. */
void ps_worker_enter(struct ps_worker *worker, const char *component);

/* ---- for the control thread ---- */
void ps_worker_wake(struct ps_worker *worker);
/* Returns the number of the last orders that the worker carried out:
 *
 *   RUN     every stage was opened, or its first try to open failed
 *   PAUSE   the sinks of channels that the next plan does not keep are idle
 *   DRAIN   the sources have stopped and all of this worker's batches are returned
 *   RECALL  the sinks have given every lease back
 *   CLOSE   every stage is closed */
uint64_t ps_worker_done_number(const struct ps_worker *worker);
/* Returns the number of the last orders that the worker took: after RUN the worker has the runners, and may still be
 * opening them. */
uint64_t ps_worker_taken_number(const struct ps_worker *worker);
/* Returns the leases that sources could no longer put, oldest first; ps_lease_home.channel is the number of
 * the agent's channel. Call it after CLOSE was carried out. */
struct ps_lease *ps_worker_take_left(struct ps_worker *worker);
const struct ps_worker_stats *ps_worker_stats(const struct ps_worker *worker);
int ps_worker_cpu(const struct ps_worker *worker);
void ps_worker_set_cpu(struct ps_worker *worker, int cpu, enum ps_idle idle);
/* Returns the runners of the current plan, for metrics: valid while the control thread holds the plan. */
struct ps_source_runner **ps_worker_sources(struct ps_worker *worker, size_t *count);
struct ps_sink_runner **ps_worker_sinks(struct ps_worker *worker, size_t *count);
void ps_worker_stop(struct ps_worker *worker);
