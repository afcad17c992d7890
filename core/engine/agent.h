/* A running agent: an engine and the plan it runs; start, reload, stop. Thread: control, except the metrics
 * provider. */
#pragma once

#include "core/engine/engine.h"
#include "core/watch/metrics.h"

struct ps_agent;

/* Makes and builds the plan, starts the workers, publishes the plan. Owns the spec from now on, also on
 * failure. Returns NULL on failure, with nothing left open. */
struct ps_agent *ps_agent_start(struct ps_agent_spec *spec, const struct ps_machine *machine,
                                struct ps_err *err);

/* Checks and builds the new plan, then stops the old one and starts the new one. Events in memory channels of
 * the same name are carried over. PS_FAIL: the old plan keeps running, unchanged. Owns the spec from now
 * on. */
enum ps_status ps_agent_reload(struct ps_agent *agent, struct ps_agent_spec *spec,
                               const struct ps_machine *machine, struct ps_err *err);

/* Counts a reload that failed before there was a spec (metrics). */
void ps_agent_reload_failed(struct ps_agent *agent);

/* Events over the agent's whole life, reported when it stopped. */
struct ps_agent_account {
    uint64_t received, accepted, delivered, dropped, refused, duplicated;
    uint64_t undelivered; /* left in channels and sinks */
    bool drained;         /* within the time given */
};

/* Drains for at most `timeout_ms`, or until `hurry` (which may be NULL) returns true; then closes and frees
 * the agent. */
void ps_agent_stop(struct ps_agent *agent, uint64_t timeout_ms, bool (*hurry)(void *argument), void *argument,
                   struct ps_agent_account *account);

const struct ps_plan *ps_agent_plan(const struct ps_agent *agent);

/* True while every worker that is not parked has begun a cycle within the last `limit_ms`. */
bool ps_agent_is_moving(const struct ps_agent *agent, uint64_t limit_ms);

/* For the metrics server (core/engine/agent_metrics.c). */
struct ps_metrics_source ps_agent_metrics(struct ps_agent *agent);
