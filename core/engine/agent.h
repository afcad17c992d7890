/* A running agent: an engine and the plan it runs; start, reload, stop. Thread: control, but for the metrics
 * provider. */
#pragma once

#include "core/engine/engine.h"
#include "core/watch/metrics.h"

struct ps_agent;

/* Plans, builds, starts the workers and publishes. Takes the spec over in any case. NULL on failure: nothing
 * stays behind. */
struct ps_agent *ps_agent_start(struct ps_agent_spec *spec, const struct ps_machine *machine,
                                struct ps_err *err);

/* Check fully first, build aside, then stop the old plan and start the new one; what is in memory channels of
 * the same name is carried over. PS_FAIL: the old plan runs on, unchanged. Takes the spec over. */
enum ps_status ps_agent_reload(struct ps_agent *agent, struct ps_agent_spec *spec,
                               const struct ps_machine *machine, struct ps_err *err);

/* Notes a reload that failed before there was a spec (metrics). */
void ps_agent_reload_failed(struct ps_agent *agent);

/* What stopping came to. */
struct ps_agent_account {
    uint64_t received, accepted, delivered, dropped, refused, duplicated; /* events, over the agent's life */
    uint64_t undelivered;                                                 /* left in channels and sinks */
    bool drained;                                                         /* in time */
};

/* Drains for at most `timeout_ms` (asking `hurry` in between: true ends the wait), closes, and frees the
 * agent. */
void ps_agent_stop(struct ps_agent *agent, uint64_t timeout_ms, bool (*hurry)(void *argument), void *argument,
                   struct ps_agent_account *account);

const struct ps_plan *ps_agent_plan(const struct ps_agent *agent);

/* True while every worker that is not parked has begun a cycle within the last `limit_ms`. */
bool ps_agent_is_moving(const struct ps_agent *agent, uint64_t limit_ms);

/* For the metrics server (core/engine/agent_metrics.c). */
struct ps_metrics_source ps_agent_metrics(struct ps_agent *agent);
