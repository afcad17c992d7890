/* One measured run of the demo: `penstock verify` at the topics, `penstock load` at the agent, a line a
 * second of what they say, and the account at the end. */
#pragma once

#include "bench/plan/process.h"
#include "core/commands/demo_agent.h"

#include <jansson.h>

/* What is asked of a load. */
struct demo_load {
    unsigned long rate;
    unsigned long seconds;      /* 0: until SIGTERM */
    const char *manifest, *log; /* manifest NULL: none */
    bool quiet;                 /* what it says goes to the log */
};

/* The process is the caller's to end. */
enum ps_status demo_load_start(struct ps_process *load, const struct demo *demo,
                               const struct demo_agent *agent, const struct demo_load *wish,
                               struct ps_err *err);

/* Sends events that nobody counts, until the agent has delivered them: connections are made, producers know
 * their partitions. */
enum ps_status demo_warm_up(const struct demo *demo, const struct demo_agent *agent, struct ps_err *err);

struct demo_run {
    const struct demo *demo;
    struct demo_agent *agent;
    struct ps_process load, verify;
    char manifest[DEMO_PATH_BYTES], load_log[DEMO_PATH_BYTES], verify_log[DEMO_PATH_BYTES];
    json_t *loaded, *verified;             /* their summaries; NULL: not yet */
    struct demo_agent_look before, last;   /* of the agent: before the load; when it last answered */
    double ready_s, begin_s;               /* monotonic; 0: not yet */
    double moved_s;                        /* when verify last said that something new came */
    double look_again_s;                   /* the agent did not answer; not before */
    double line_s;                         /* verify's time of the line before */
    double cpu_begin_s, cpu_line_s, cpu_s; /* the agent's: at the start, a line ago, with the last arrival */
    uint64_t received, sent;
    unsigned lines, told; /* told: how many SIGTERM the load got */
};

/* Runs it. PS_FAIL: it ended early; what is known is in `run` all the same. Owns: demo_run_fini in any case.
 */
enum ps_status demo_run_measure(struct demo_run *run, const struct demo *demo, struct demo_agent *agent,
                                struct ps_err *err);
void demo_run_fini(struct demo_run *run);

void demo_run_summary(const struct demo_run *run);
/* 0: nothing lost, duplicated or reordered. 1: something was. 2: it could not be found out. */
int demo_run_code(const struct demo_run *run);
