/* The agent that benches of rules feed: netcat -> selector -> a memory channel and a null sink for each place
 * that bench/suite/rule_traffic.h routes to, on one worker. */
#pragma once

#include "bench/suite/agent.h"

struct ps_rule_agent {
    const char *rules;   /* path of the rules file; NULL: no rules, all to "rest" */
    const char *program; /* compiles the rules in a process of its own; NULL: in this one */
    int cpu;             /* the worker's */
    unsigned port;
    unsigned probe_port; /* of a second such source, whose events are answered with OK; 0: none */
};

/* Ends the program with a message when it does not start. */
struct ps_agent *ps_rule_agent_start(const struct ps_rule_agent *wanted);
