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
