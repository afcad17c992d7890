/* What core/engine/agent.c and core/engine/agent_metrics.c share. */
#pragma once

#include <pthread.h>

#include "core/engine/agent.h"

struct ps_agent {
    struct ps_engine *engine;
    struct ps_plan *plan;
    /* Held while a plan is exchanged, and by whoever reads one from another thread (metrics). Workers never
     * meet it. */
    pthread_mutex_t lock;
    int64_t start_ms;
    uint64_t reload_count, reload_failed_count;
    bool stopping;
    struct ps_agent_account past; /* of plans that are gone */
};

/* Calls for every runner of the plan; the lock is held. */
void ps_agent_each_source(struct ps_agent *agent, size_t source,
                          void (*look)(void *argument, struct ps_source_runner *runner), void *argument);
struct ps_sink_runner *ps_agent_sink(struct ps_agent *agent, size_t sink);
