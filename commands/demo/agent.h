/* The demo's agent: `penstock agent` as a process of its own, observed as an operator would observe it: its CPU time
 * through /proc, the rest through its metrics server. */
#pragma once

#include "bench/plan/process.h"
#include "commands/demo/demo.h"

struct demo_agent {
    struct ps_process process;
    uint16_t port, metrics_port;
    char config[512]; /* the agent file */
};

/* Starts the agent and waits until all its components are open. */
enum ps_status demo_agent_start(struct demo_agent *agent, const struct demo *demo, struct ps_err *err);

bool demo_agent_runs(struct demo_agent *agent);

/* Returns the user and system time of the process so far in seconds; 0 after it has ended. */
double demo_agent_cpu_s(const struct demo_agent *agent);

/* The agent's counters at one moment. */
struct demo_agent_look {
    double accepted, delivered; /* events accepted by the source, and delivered by all sinks */
    double waiting;             /* events in all channels */
    double fills[DEMO_TOPICS];  /* of the channels "errors" and "rest", in percent */
};
/* Reads the counters. Returns false if the metrics server does not answer. */
bool demo_agent_look(const struct demo_agent *agent, struct demo_agent_look *look);

/* Sends SIGTERM and waits. Returns whether the agent exited with 0. */
bool demo_agent_stop(struct demo_agent *agent);
