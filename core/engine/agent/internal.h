/* Shared by core/engine/agent/agent.c and core/engine/agent/metrics.c. */
#pragma once

#include <pthread.h>

#include "core/engine/agent/agent.h"

struct ps_agent {
    struct ps_engine *engine;
    struct ps_plan *plan;
    /* Held by control while it replaces the plan, but not while components close or open, and by another thread
     * (metrics) while it reads the plan. Workers never take it. */
    pthread_mutex_t lock;
    int64_t start_ms;
    uint64_t reload_count, reload_failed_count;
    char reload_failure[1024]; /* why the last reload failed; "" when it did not */
    char *left_out;            /* ps_agent_spec.left_out and .cut of the configuration that was read last */
    bool cut;
    bool stopping;
    bool exchanging; /* workers replace the runners of one plan by another's; read and written by control */
    struct ps_agent_account past; /* of earlier plans */
};

/* Calls `look` for each open instance of a source. The caller holds the lock. */
void ps_agent_each_source(struct ps_agent *agent, size_t source,
                          void (*look)(void *argument, struct ps_source_runner *runner), void *argument);
struct ps_sink_runner *ps_agent_sink(struct ps_agent *agent, size_t sink);
/* Takes over the list of components that the latest configuration leaves out; the plan may have another list. Thread: control. */
void ps_agent_note_left_out(struct ps_agent *agent, const struct ps_agent_spec *spec);
