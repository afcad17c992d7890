/* Shared by the files of core/engine/agent/. */
#pragma once

#include <pthread.h>

#include "core/engine/agent/agent.h"

struct ps_agent {
    struct ps_engine *engine;
    struct ps_plan *plan;
    /* Control holds it while it replaces the plan, but not while components close or open. Another thread (metrics)
     * holds it while it reads the plan. Workers never take it. */
    pthread_mutex_t lock;
    int64_t start_ms;       /* wall clock, for the metric */
    uint64_t start_mono_ns; /* the same moment, which no step of the wall clock changes */
    uint64_t reload_count, reload_failed_count;
    char reload_failure[1024]; /* why the last reload failed; "" when it did not */
    char *dropped;             /* ps_agent_spec.dropped and .cut of the configuration that was read last */
    bool cut;
    bool stopping;
    bool exchanging; /* workers replace the runners of one plan by another's; read and written by control */
    struct ps_agent_account past; /* of earlier plans */
};

/* Calls `look` for each open instance of a source. The caller holds the lock. */
void ps_agent_each_source(struct ps_agent *agent, size_t source,
                          void (*look)(void *argument, struct ps_source_runner *runner), void *argument);
struct ps_sink_runner *ps_agent_sink(struct ps_agent *agent, size_t sink);
/* Takes over the list of components that the latest configuration leaves out; the plan may have another list. Thread:
 * control. */
void ps_agent_note_dropped(struct ps_agent *agent, const struct ps_agent_spec *spec);

/* ---- waiting for workers. Thread: control ---- */

#define PS_AGENT_ANSWER_MS 10000U /* after this time the log says why control waits */

/* While control waits, it calls `stops` about every millisecond, which returns how often the agent was told to stop; it may be
 * NULL. */
struct ps_agent_patience {
    unsigned (*stops)(void *argument);
    void *argument;
};
unsigned ps_agent_told_to_stop(const struct ps_agent_patience *patience);
/* Sleeps for a millisecond. */
void ps_agent_rest(void);
/* Waits until orders are carried out. Nothing shortens the wait, because the next step needs its result. */
void ps_agent_await(struct ps_agent *agent, uint64_t number, uint64_t complain_ms,
                    const struct ps_agent_patience *patience, const char *complaint);

/* ---- channels that the next plan does not keep (core/engine/agent/emptying.c). Thread: control ---- */

bool ps_agent_keeps_every_channel(const struct ps_agent *agent, struct ps_plan *next);
/* Empties the channels that `next` does not keep while their sources pause. On failure the plan runs on unchanged.
 * Gives the orders twice: every source has paused when the first are carried out, so that a sink that is idle after
 * the second stays idle. */
enum ps_status ps_agent_empty_channels(struct ps_agent *agent, struct ps_plan *next,
                                       const struct ps_agent_patience *patience, struct ps_err *err);
