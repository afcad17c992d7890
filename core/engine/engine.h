/* The engine: workers, memory, and the one RCU pointer through which the control thread tells the workers
 * what to do.
 *
 * Thread: control, except ps_engine_orders and ps_engine_home_ring (workers). The control thread holds no
 * lock that workers take while it waits for them. */
#pragma once

#include "core/engine/plan.h"
#include "core/engine/worker.h"
#include "rings/spsc.h"

struct ps_engine;

struct ps_engine_settings {
    unsigned worker_count;
    uint64_t memory_budget_bytes; /* for blocks */
    uint32_t batches_max;         /* of one worker */
    uint16_t leases_max;          /* of one batch */
    struct ps_texts cpus;         /* as in ps_agent_options */
    enum ps_idle idle;
    bool simulated; /* no threads: the caller runs ps_worker_cycle */
};

struct ps_engine *ps_engine_create(const struct ps_engine_settings *settings, struct ps_err *err);
/* Stops and joins the threads. All stages must be closed. */
void ps_engine_destroy(struct ps_engine *engine);

enum ps_status ps_engine_start(struct ps_engine *engine, struct ps_err *err);

/* Whether this plan can run on the engine as it was created. If not, the error names the setting that needs a
 * restart. */
enum ps_status ps_engine_fits(const struct ps_engine *engine, const struct ps_plan *plan, struct ps_err *err);

/* Publishes new orders, wakes all workers, and waits for a grace period, after which no worker uses the old
 * orders. `next`: in a reload, the plan that will follow. Returns the number of the orders. */
uint64_t ps_engine_order(struct ps_engine *engine, enum ps_phase phase, struct ps_plan *plan,
                         struct ps_plan *next);

/* Whether every worker has carried out orders of this number. */
bool ps_engine_reached(const struct ps_engine *engine, uint64_t number);

/* Waits for ps_engine_reached, at most `timeout_ms`. Not in a simulation. */
bool ps_engine_wait(const struct ps_engine *engine, uint64_t number, uint64_t timeout_ms);

/* What a plan had not delivered when CLOSE was carried out. */
struct ps_left {
    uint64_t events, batches;
    uint64_t settled; /* other events of the same leases: settled one by one, so not part of `events` */
};

/* Takes all leases out of the closed plan's channels and runners.
 *
 *   carried over   to the front of the channel of the same name and type in `next`, in order; also when no
 *                  sink takes from it
 *   released       with the next orders: leases of replayable sources that were closed, because the new
 *                  source reads those events again
 *   lost           all others, and all when `next` is NULL: counted in *lost and released with the next
 *                  orders. In a reload none of a source that stays open: PAUSE emptied the channels that
 *                  `next` does not keep */
void ps_engine_carry_over(struct ps_engine *engine, struct ps_plan *plan, struct ps_plan *next,
                          struct ps_left *carried, struct ps_left *lost);

unsigned ps_engine_worker_count(const struct ps_engine *engine);
struct ps_worker *ps_engine_worker(struct ps_engine *engine, unsigned id);
struct ps_depot *ps_engine_depot(struct ps_engine *engine);
/* Batches that are in use, of all pools. */
uint64_t ps_engine_batches_out(const struct ps_engine *engine);

/* ---- for workers ---- */
const struct ps_orders *ps_engine_orders(const struct ps_engine *engine);
/* The way-home ring from one worker to another; NULL from a worker to itself. */
struct ps_spsc *ps_engine_home_ring(struct ps_engine *engine, unsigned from, unsigned to);
