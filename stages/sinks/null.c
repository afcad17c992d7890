/* Sink null (Flume's NullSink): takes events and discards them. Thread: its worker. */
#include "core/stage.h"

struct null_plan {
    int64_t batch_size, log_every;
};

struct null_state {
    struct ps_port *port;
    uint64_t taken, next_logged;
};

#define FIELD(name) offsetof(struct null_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size),
                  "events in one transaction; here the source decides the size of batches", .fallback = "100",
                  .min = 1, .max = INT32_MAX, .unit = "events", .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("logEveryNEvents", INT, FIELD(log_every),
                  "number of events taken between two lines in the log", .fallback = "10000", .min = 1,
                  .max = INT32_MAX, .unit = "events"),
    PS_OPTION_END,
};

static enum ps_status null_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *)
{
    const struct null_plan *plan = plan_;
    struct null_state *state = state_;
    state->port = port;
    state->next_logged = (uint64_t)plan->log_every;
    return PS_OK;
}

static enum ps_result null_work(const void *plan_, void *state_, struct ps_lease **lease,
                                const struct ps_now *)
{
    const struct null_plan *plan = plan_;
    struct null_state *state = state_;
    state->taken += (*lease)->count - (*lease)->settled;
    ps_lease_settle_all(*lease);
    if (state->taken >= state->next_logged) {
        uint64_t every = (uint64_t)plan->log_every, reached = state->taken / every * every;
        state->next_logged = reached + every;
        ps_log(PS_LOG_INFO, state->port->component, "Null sink %s successful processed %llu events.",
               state->port->name, (unsigned long long)reached);
    }
    return PS_DONE;
}

static const struct ps_sink_ops sink = {.work = null_work};

const struct ps_stage_ops ps_sink_null = {
    PS_STAGE(PS_KIND_SINK),
    .name = "null",
    .aliases = PS_WORDS("org.apache.flume.sink.NullSink"),
    .summary = "discards every event",
    .options = options,
    .plan_size = sizeof(struct null_plan),
    .state_size = sizeof(struct null_state),
    .open = null_open,
    .sink = &sink,
};
