/* One measured run of the demo: `penstock verify` reads the topics, `penstock load` sends to the
 * agent, a line each second shows both, and the account is printed at the end. */
#pragma once

#include "bench/plan/process.h"
#include "commands/demo/agent.h"

#include <jansson.h>

/* Parameters of a load. */
struct demo_load {
    unsigned long rate;
    unsigned long seconds;      /* 0: until SIGTERM */
    const char *manifest, *log; /* manifest NULL: none */
    bool quiet;                 /* the output of load goes to the log */
};

/* Starts load. The caller ends the process. */
enum ps_status demo_load_start(struct ps_process *load, const struct demo *demo,
                               const struct demo_agent *agent, const struct demo_load *wish,
                               struct ps_err *err);

/* Warms up: sends events that are not counted and waits until the agent has delivered them, so that
 * connections are open and producers know their partitions. */
enum ps_status demo_warm_up(const struct demo *demo, const struct demo_agent *agent, struct ps_err *err);

struct demo_run {
    const struct demo *demo;
    struct demo_agent *agent;
    struct ps_process load, verify;
    char manifest[DEMO_PATH_BYTES], load_log[DEMO_PATH_BYTES], verify_log[DEMO_PATH_BYTES];
    json_t *loaded, *verified;           /* their summaries; NULL: not yet */
    struct demo_agent_look before, last; /* the agent's counters: before the load, and at its last answer */
    double ready_s, begin_s;             /* monotonic; 0: not yet */
    double moved_s;                      /* when verify last reported new events */
    /* when the agent did not answer: it is not asked again before this time */
    double look_again_s;
    double line_s; /* the time in verify's previous line */
    double cpu_begin_s, cpu_line_s,
        cpu_s; /* the agent's CPU time: at the start, at the previous line, at the last arrival */
    uint64_t received, sent;
    unsigned lines, told; /* told: number of SIGTERM signals that were sent to load */
};

/* Runs the demo. Returns PS_FAIL if it ended early; `run` then holds what is known. The caller calls demo_run_fini
 * in either case. */
enum ps_status demo_run_measure(struct demo_run *run, const struct demo *demo, struct demo_agent *agent,
                                struct ps_err *err);
void demo_run_fini(struct demo_run *run);

void demo_run_summary(const struct demo_run *run);
/* Returns 0 if no event was lost, duplicated or reordered, 1 if at least one was, 2 if this could not be determined. */
int demo_run_code(const struct demo_run *run);
