/* A running agent: an engine and the plan it runs; start, reload, stop. Thread: control, except the metrics provider. */
#pragma once

#include "core/engine/engine.h"
#include "core/watch/metrics/metrics.h"

struct ps_agent;

/* Starts the workers and publishes the plan, which is built. Waits up to 10 s until its components are open, or until
 * `told_to_stop`, which is called every 100 ms and may be NULL, returns true: the agent runs in any case. Owns the plan
 * from now on, also on failure. Returns NULL on failure, with nothing left open. */
struct ps_agent *ps_agent_run(struct ps_plan *plan, bool (*told_to_stop)(void *argument), void *argument,
                              struct ps_err *err);

/* For tests: makes and builds the plan on the calling thread, and runs it. Owns the spec from now on, also on failure. */
struct ps_agent *ps_agent_start(struct ps_agent_spec *spec, const struct ps_machine *machine,
                                struct ps_err *err);

/* ---- reload: begin, ps_plan_build, end ----
 *
 * While any of the three fails, the old plan keeps running, unchanged; the failure is counted, and /readyz and
 * penstock_configuration_reload_successful show it until a reload succeeds. */

/* Checks the new configuration and makes its plan, which the caller builds with ps_plan_build: on any thread, because compiling rules takes
 * long. Sets *next to NULL when nothing changed: then the reload is over. Owns the spec from now on. */
enum ps_status ps_agent_reload_begin(struct ps_agent *agent, struct ps_agent_spec *spec,
                                     const struct ps_machine *machine, struct ps_plan **next,
                                     struct ps_err *err);

/* Stops the old plan and starts `next`, which is built. Events in channels that `next` has with the same name, type
 * and place are carried over. Other channels are emptied first, while their sources pause; PS_FAIL if that takes
 * longer than penstock.reload.timeout. Owns `next` from now on.
 *
 * `stops` (may be NULL) is called about every millisecond of waiting, and returns how often the agent was told to stop. Once it was, the
 * result is PS_FAIL as long as the old plan is whole. After that point the components that close drain as in a stop (a sink may go on as long as
 * it delivers something each half second, a source commits what is delivered), and `next` starts; the second time it starts at once. */
enum ps_status ps_agent_reload_end(struct ps_agent *agent, struct ps_plan *next,
                                   unsigned (*stops)(void *argument), void *argument, struct ps_err *err);

/* Counts a reload that failed outside of the functions above. */
void ps_agent_reload_failed(struct ps_agent *agent, const char *reason);

/* Events over the agent's whole life, reported when it stopped. */
struct ps_agent_account {
    uint64_t received, accepted, delivered, dropped, refused, duplicated;
    uint64_t discarded;      /* inputs that were thrown away for their form: no event was made of them */
    uint64_t kernel_dropped; /* datagrams that never reached a source */
    uint64_t undelivered;    /* left in channels and sinks, and lost */
    /* left in channels and sinks in memory: sources with positions read them again at the next start */
    uint64_t reread;
    uint64_t kept; /* left in durable channels that only this agent uses: the next start delivers them */
    uint64_t deadletter; /* given up and written to the dead letters, by sources and sinks */
    /* Every event that was read is delivered or kept in a durable channel, and every client has its answer. This
     * was reached within the time limit, or the events left at its end could be kept. */
    bool drained;
};

/* Drains for at most `timeout_ms`, or until `stops` returns 2 or more; then closes every component. `stops` (may
 * be NULL) is called about every millisecond of waiting, to the end. Metrics may still be read. */
void ps_agent_drain(struct ps_agent *agent, uint64_t timeout_ms, unsigned (*stops)(void *argument),
                    void *argument, struct ps_agent_account *account);
/* Frees the agent, which was drained or never started. Nobody may read its metrics after that. */
void ps_agent_destroy(struct ps_agent *agent);
/* Drains the agent, and destroys it. */
void ps_agent_stop(struct ps_agent *agent, uint64_t timeout_ms, unsigned (*stops)(void *argument),
                   void *argument, struct ps_agent_account *account);

const struct ps_plan *ps_agent_plan(const struct ps_agent *agent);

/* Returns true while every worker that is not parked has begun a cycle within the last `limit_ms`. Else returns false:
 * `*worker` is the number of a worker that has not, and `*still_ns` the time since its last cycle began. */
bool ps_agent_is_moving(const struct ps_agent *agent, uint64_t limit_ms, unsigned *worker,
                        uint64_t *still_ns);

/* Returns the source of data for the metrics server (core/engine/agent/metrics.c). */
struct ps_metrics_source ps_agent_metrics(struct ps_agent *agent);

/* The same for the dump: waits for nothing, not even for the agent's lock, which control itself may hold while it waits for a worker. While
 * workers replace the runners of one plan by the next it visits neither sources nor sinks. Thread: control. */
struct ps_metrics_source ps_agent_look(struct ps_agent *agent);
