/* The agent for benches of rules: netcat -> selector -> a memory channel and a null sink for each channel
 * that bench/suite/rule_traffic.h routes to, on one worker. */
#pragma once

#include "bench/suite/agent.h"

struct ps_rule_agent {
    const char *rules;   /* path of the rules file; NULL: no rules, all events go to "rest" */
    const char *program; /* compiles the rules in a separate process; NULL: in this one */
    int cpu;             /* the worker's CPU */
    unsigned port;
    unsigned probe_port; /* port of a second netcat source, which answers events with OK; 0: none */
};

/* Ends the program with a message when the agent does not start. */
struct ps_agent *ps_rule_agent_start(const struct ps_rule_agent *wanted);
