/* The demo's agent: `penstock agent` as a process, seen from outside as any operator sees it: /proc for its
 * CPU time, its metrics server for the rest. */
#pragma once

#include "core/main_demo.h"

#include <sys/types.h>

struct demo_agent {
    pid_t pid;
    uint16_t metrics_port;
    char config[512]; /* the agent file */
    char directory[64];
    char log[96];
};

/* Starts it and waits until /healthz says ok. `config` NULL: the example beside the program. Sets demo->port.
 */
enum ps_status demo_agent_start(struct demo_agent *agent, const char *config, struct demo *demo,
                                struct ps_err *err);

bool demo_agent_runs(struct demo_agent *agent);

/* User and system time of the process so far. */
uint64_t demo_agent_cpu_ns(const struct demo_agent *agent);

/* ChannelFillPercentage of the channels "errors" and "rest". */
void demo_agent_fills(const struct demo_agent *agent, double fills[DEMO_GROUPS]);

/* SIGTERM, and waits. True when it ended well. Nothing when it never ran. */
bool demo_agent_stop(struct demo_agent *agent);

/* Removes its log and directory. */
void demo_agent_clean(struct demo_agent *agent);
