/* The engine: workers, memory, and the one RCU pointer through which the control thread tells the workers
 * what to do.
 *
 * Thread: everything here is the control thread's, but for ps_engine_orders (workers). The control thread
 * holds no lock while it waits for workers. */
#pragma once

#include "core/engine/plan.h"
#include "core/engine/worker.h"
#include "rings/spsc.h"

struct ps_engine;

struct ps_engine_settings {
    unsigned worker_count;
    uint64_t memory_budget_bytes; /* for blocks */
    uint32_t batches_max;         /* a worker */
    uint16_t leases_max;          /* a batch */
    struct ps_texts cpus;         /* as in ps_agent_options */
    enum ps_idle idle;
    unsigned cores, library_threads; /* expected; decides whether to pin */
    bool simulated;                  /* no threads: the caller runs ps_worker_cycle */
};

struct ps_engine *ps_engine_create(const struct ps_engine_settings *settings, struct ps_err *err);
/* Everything must be closed. Stops and joins the threads. */
void ps_engine_destroy(struct ps_engine *engine);

enum ps_status ps_engine_start(struct ps_engine *engine, struct ps_err *err);

/* Whether this plan can run on the engine as it is; if not, says which setting needs a restart. */
enum ps_status ps_engine_fits(const struct ps_engine *engine, const struct ps_plan *plan, struct ps_err *err);

/* Publishes new orders (`next`: the plan that will follow, when this one is being left for a reload), waits
 * for a grace period (in which every worker has left the old ones), wakes all. Returns their number. */
uint64_t ps_engine_order(struct ps_engine *engine, enum ps_phase phase, struct ps_plan *plan,
                         struct ps_plan *next);

/* Whether every worker has carried out orders of this number. */
bool ps_engine_reached(const struct ps_engine *engine, uint64_t number);

/* ps_engine_reached, waited for at most so long (threads only). */
bool ps_engine_wait(const struct ps_engine *engine, uint64_t number, uint64_t timeout_ms);

/* What is left of a plan after CLOSE was reached. */
struct ps_left {
    uint64_t events, batches;
    uint64_t settled; /* events of the same leases that were delivered, or refused, one by one */
};

/* Takes all leases out of the closed plan's channels and runners. With `next`, those of a channel of the same
 * name go to its front (in order); the rest is counted in *lost and released with the next orders. Leases of
 * replayable sources that were closed are not carried over: their successor reads them again. */
void ps_engine_carry_over(struct ps_engine *engine, struct ps_plan *plan, struct ps_plan *next,
                          struct ps_left *carried, struct ps_left *lost);

unsigned ps_engine_worker_count(const struct ps_engine *engine);
struct ps_worker *ps_engine_worker(struct ps_engine *engine, unsigned id);
struct ps_depot *ps_engine_depot(struct ps_engine *engine);
/* Batches out of all pools. */
uint64_t ps_engine_batches_out(const struct ps_engine *engine);

/* ---- for workers ---- */
const struct ps_orders *ps_engine_orders(const struct ps_engine *engine);
/* The ring from one worker home to another. */
struct ps_spsc *ps_engine_home_ring(struct ps_engine *engine, unsigned from, unsigned to);
