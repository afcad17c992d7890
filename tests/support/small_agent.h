/* The smallest agent, for tests of the engine with stages of their own: r1 -> i1 -> c1 -> k1, and c2 -> k2 if
 * wanted; simulated: one thread, and a clock that only moves to the deadlines that the workers name. */
#pragma once

#include "core/engine/engine.h"
#include "tests/support/support.h"

struct ps_test_small_agent {
    struct ps_engine *engine;
    struct ps_plan *plan;
    struct ps_plan *retired; /* the plan before, after ps_test_small_agent_exchange */
    struct ps_now now;
    struct ps_left lost; /* of ps_test_small_agent_stop */
    uint64_t dropped;    /* the same: what r1 and its chain have dropped */
};

/* The agent's stages, which have no options. */
struct ps_test_small_stages {
    const struct ps_stage_ops *source, *interceptor, *sink;
    const struct ps_stage_ops *channel;     /* NULL: the memory channel */
    const struct ps_stage_ops *selector;    /* NULL: each event to every channel, all required */
    const struct ps_stage_ops *second_sink; /* k2; NULL: without c2 */
    const char *second_capacity;            /* of c2 */
    bool letters; /* the dead letters of r1 and k1 go to c2, and r1 puts only into c1 */
    /* k1 .. kn, all of type `sink` and from c1, are a group; c2 does not exist then. NULL: without a group. */
    const struct ps_processor_settings *group;
    bool without_sinks;
};

/* Makes the agent and orders RUN; cycles nothing yet. `capacity`: of the channel, in events. */
void ps_test_small_agent_start(struct ps_test_small_agent *agent, const struct ps_test_small_stages *stages,
                               unsigned workers, const char *capacity);
/* Cycles all workers until nothing moves. */
void ps_test_small_agent_settle(struct ps_test_small_agent *agent);
/* Moves the clock to the next deadline that any worker names; fails the test when that is now: the worker would
 * spin. */
void ps_test_small_agent_advance(struct ps_test_small_agent *agent);
void ps_test_small_agent_run(struct ps_test_small_agent *agent, uint64_t ns);
/* Runs until the orders of this number are carried out. */
void ps_test_small_agent_reach(struct ps_test_small_agent *agent, uint64_t number);
/* Stops and frees the agent, and notes in `lost` what was not delivered; fails the test when a batch was not
 * returned. `drain`: waits for DRAIN. */
void ps_test_small_agent_stop(struct ps_test_small_agent *agent, bool drain);

/* Reloads: takes the agent from its plan to one with these stages, as the agent's control does, and orders RUN. Returns
 * the number of these orders. A stage of the same type stays open. */
uint64_t ps_test_small_agent_exchange(struct ps_test_small_agent *agent,
                                      const struct ps_test_small_stages *stages, const char *capacity);
/* Runs until the orders of the reload are carried out, and frees the plan before. */
void ps_test_small_agent_retire(struct ps_test_small_agent *agent, uint64_t number);

struct ps_source_runner *ps_test_small_agent_source(struct ps_test_small_agent *agent);
/* Returns the runner of a sink; 0: k1. */
struct ps_sink_runner *ps_test_small_agent_nth_sink(struct ps_test_small_agent *agent, unsigned number);
