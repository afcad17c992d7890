/* The engine: workers, memory, and the one RCU pointer with the control thread's orders for the workers.
 *
 * Thread: control, except ps_engine_orders (workers). The control thread holds no lock that workers take while it
 * waits for them. */
#pragma once

#include "core/engine/plan.h"
#include "core/engine/worker.h"

struct ps_engine;

struct ps_engine_settings {
    unsigned worker_count;
    uint64_t memory_budget_bytes; /* for blocks */
    struct ps_texts cpus;         /* as in ps_agent_options */
    enum ps_idle idle;
    uint64_t park_max_ns; /* longest sleep of a worker; 0: one second */
    bool simulated;       /* no threads: the caller runs ps_worker_cycle */
};

/* Makes the depot and the workers without their threads. Returns NULL with `err` when the budget cannot be reserved,
 * or no descriptors are left. */
struct ps_engine *ps_engine_create(const struct ps_engine_settings *settings, struct ps_err *err);
/* Stops and joins the threads. All stages must be closed. */
void ps_engine_destroy(struct ps_engine *engine);

/* Starts a thread for each worker. On failure no thread runs. Not in a simulation. */
enum ps_status ps_engine_start(struct ps_engine *engine, struct ps_err *err);

/* Makes and starts more workers, until there are `worker_count`. A worker without units costs a parked thread. The
 * new ones carry out the orders given last, and all later ones. `cpus` as in ps_agent_options, for the workers
 * started here. On failure the workers already started stay. Metrics must not read meanwhile. */
enum ps_status ps_engine_grow(struct ps_engine *engine, unsigned worker_count, struct ps_texts cpus,
                              struct ps_err *err);

/* Publishes new orders and wakes all workers; does not wait for them. `next`: in a reload, the plan that will
 * follow. Returns the number of the orders. */
uint64_t ps_engine_order(struct ps_engine *engine, enum ps_phase phase, struct ps_plan *plan,
                         struct ps_plan *next);
/* The same: DRAIN of a reload behind which the agent stops. */
uint64_t ps_engine_order_last_drain(struct ps_engine *engine, struct ps_plan *plan, struct ps_plan *next);

/* Returns whether every worker has begun to carry out the orders with this number. After RUN every worker then has the plan's runners. */
bool ps_engine_taken(const struct ps_engine *engine, uint64_t number);

/* Returns whether every worker has carried out the orders with this number. */
bool ps_engine_reached(const struct ps_engine *engine, uint64_t number);

/* Returns the number and phase of the last orders. */
uint64_t ps_engine_ordered(const struct ps_engine *engine, enum ps_phase *phase);

/* Waits, at most `timeout_ms`, until ps_engine_reached is true. Returns whether it is. Not in a simulation. */
bool ps_engine_wait(const struct ps_engine *engine, uint64_t number, uint64_t timeout_ms);

/* Events that a plan had not delivered when CLOSE was carried out. */
struct ps_left {
    uint64_t events, batches;
    uint64_t settled; /* events in the same leases that a sink delivered, no dead letters; not in `events` */
    /* further events that are not lost, because their sources read them again: at the next start, or with the next plan, when they count
     * as accepted again */
    uint64_t reread;
    /* delivered, or in dead letters, and their sources read them again, because others of their batches are not settled */
    uint64_t doubled;
};

/* Called when the agent stops, before ps_engine_halt_channels: the channels of the closed plan save what only the memory has.
 * Thread: control. */
void ps_engine_save_channels(struct ps_plan *plan);

/* Asks the threads of the channels that end with the closed plan to end, and returns whether they have ended. Called until it
 * returns true, before ps_engine_carry_over, which would wait for them. Thread: control. */
bool ps_engine_halt_channels(struct ps_plan *plan, const struct ps_plan *next);

/* Takes all leases out of the closed plan's channels and runners. A channel that continues in `next`
 * (ps_plan_keeps_channel) keeps its leases, except those whose events would be read again, which are released; the
 * channel gets its new share of the memory.
 *
 *   carried over   to the front of the channel of the same name and type in `next`, in order; also when no
 *                  sink takes from it
 *   released       with the next orders: leases of batches that replayable sources had open when they were
 *                  closed (`unreported`), because the new source reads those events again
 *   lost           all others, and all when `next` is NULL, after ps_engine_save_channels: counted in *lost and
 *                  released with the next orders. In a reload no lease of a source that stays open is lost: PAUSE
 *                  has emptied the channels that `next` does not keep */
void ps_engine_carry_over(struct ps_engine *engine, struct ps_plan *plan, struct ps_plan *next,
                          struct ps_left *carried, struct ps_left *lost);

/* The functions below return parts of the engine, which live as long as it does. Thread: any. */
unsigned ps_engine_worker_count(const struct ps_engine *engine);
struct ps_worker *ps_engine_worker(struct ps_engine *engine, unsigned id);
struct ps_depot *ps_engine_depot(struct ps_engine *engine);
/* Returns the writer of the agent's dead letters. Thread: any. */
struct ps_dead_letters *ps_engine_letters(struct ps_engine *engine);
/* Returns the number of batches in use, summed over all pools. */
uint64_t ps_engine_batches_out(const struct ps_engine *engine);

/* ---- for workers ---- */
const struct ps_orders *ps_engine_orders(const struct ps_engine *engine);
