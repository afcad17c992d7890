/* The simulator: a whole agent (tests/support/flow.h) on one thread with a simulated clock: workers are cycled in random
 * order and go to sleep as real ones do, time passes in random steps, and all faults are injected at random, from a seed. A
 * worker that sleeps is cycled only when another one woke it or its deadline has come; when all of them sleep, nothing may be
 * left that one of them could do. A run tries hundreds of seeds; a failing seed is printed and can be replayed with
 * PENSTOCK_SEED. */
#pragma once

#include "tests/support/flow_channel.h"

#define SIM_WORKERS_MAX 5

#if defined(__SANITIZE_THREAD__) /* one thread: the sanitizer finds no races, it only knows the rings */
#define SIM_SEEDS 10
#elif defined(__SANITIZE_ADDRESS__)
#define SIM_SEEDS 20
#else
#define SIM_SEEDS 80
#endif

struct sim {
    struct flow flow;
    struct ps_engine *engine;
    struct ps_plan *plan;
    struct ps_machine machine;
    struct ps_now now;
    uint64_t random;
    uint64_t steps;
    uint64_t dropped;          /* events that closed streams counted */
    bool idle[PS_WORKERS_MAX]; /* its last cycle moved nothing; others may have given it something since */
    bool sleeps[PS_WORKERS_MAX];
    uint64_t wake_ns[PS_WORKERS_MAX]; /* of those that sleep: their deadline */
    uint64_t run_number;              /* of the last orders, if they are to run; else 0 */
    bool fine;                        /* time passes in steps below a millisecond */
    void (*world)(struct sim *sim);   /* what happens outside of the agent: called at each step; or NULL */
};

extern uint64_t sim_all_slept;        /* how often all workers of a run slept */
extern uint64_t sim_all_kept;         /* sinks that a reload left open */
extern uint64_t sim_chains_exchanged; /* chains of sources that a reload left open */

/* ---- a run ---- */
/* Draws an agent from the seed. `positions`: all sources are replayable. */
void sim_draw(struct sim *sim, uint64_t seed, bool positions);
void sim_start(struct sim *sim);
/* Runs one cycle of one worker, or lets time pass. */
void sim_step(struct sim *sim);
/* Ends the faults, so that the run must end. */
void sim_calm(struct sim *sim);
/* Runs without faults until everything is made and delivered. */
void sim_run_to_end(struct sim *sim);
/* Closes the agent, and gives up the events that are left, as a stop that ran out of time does. Returns how many
 * events were given up. */
uint64_t sim_stop(struct sim *sim, uint64_t drain_steps);
/* The last life of an agent that was stopped or has crashed: starts it, runs it without faults to the end, and asserts that
 * every event has arrived, once or more often. Ends the flow. */
void sim_last_life(struct sim *sim);

/* ---- orders ---- */
/* Returns false when `steps` steps were not enough. */
bool sim_order(struct sim *sim, enum ps_phase phase, struct ps_plan *plan, struct ps_plan *next,
               uint64_t steps);
void sim_settle_phase(struct sim *sim, enum ps_phase phase, struct ps_plan *plan, struct ps_plan *next);
/* Orders DRAIN twice, as the agent does. Returns whether everything drained. */
bool sim_drain(struct sim *sim, struct ps_plan *next, uint64_t steps);

/* ---- reloads ---- */
struct ps_plan *sim_build_plan(struct sim *sim);
void sim_exchange(struct sim *sim, struct ps_plan *next, uint64_t drain_steps);
/* Returns how many events were lost in channels that `next` does not have. */
uint64_t sim_exchange_losing(struct sim *sim, struct ps_plan *next, uint64_t drain_steps);
/* After CLOSE: adds what the closed streams counted to `dropped`. */
void sim_count_dropped(struct sim *sim);
/* Draws what changes. */
void sim_reload(struct sim *sim);

/* ---- seeds ---- */
uint64_t sim_pick(struct sim *sim, uint64_t below);
void sim_for_seeds(void (*run)(uint64_t seed), unsigned count);
