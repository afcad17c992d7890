/* Runs an agent inside a bench program and reads its counters. */
#pragma once

#include "core/engine/agent/agent.h"

/* Starts agent `a` with this configuration text; ends the program with a message when it does not start. */
struct ps_agent *ps_bench_agent_start(const char *text);

/* Returns the sum of a counter over all components of a kind. */
uint64_t ps_bench_agent_sum(struct ps_agent *agent, enum ps_kind kind, enum ps_counter counter);

/* Returns the number of events that all sinks have delivered so far. */
static inline uint64_t ps_bench_agent_delivered(struct ps_agent *agent)
{
    return ps_bench_agent_sum(agent, PS_KIND_SINK, PS_COUNTER_EventDrainSuccessCount);
}

struct ps_agent_cost {
    double events, per_second, per_cpu_second; /* CPU-seconds of this process, with all its threads */
};

/* Measures the agent from its first delivered events until `events` of them are delivered, then stops it, and checks that it has
 * delivered all that it accepted. */
struct ps_agent_cost ps_bench_agent_until(struct ps_agent *agent, uint64_t events);
/* Measures the agent for some seconds after a while in which it settles. */
struct ps_agent_cost ps_bench_agent_for(struct ps_agent *agent, double settle_s, double seconds);
/* Stops the agent, and checks that it has delivered, or kept in a channel on disk, all that it accepted. */
void ps_bench_agent_stop(struct ps_agent *agent);
