/* A runner is the engine's side of one open stage: a source instance with its chain, or a sink, on its
 * worker. Thread: that worker, unless a field or function says otherwise. */
#pragma once

#include <pthread.h>

#include "core/flow/carver.h"
#include "core/watch/histogram.h"
#include "core/engine/plan.h"
#include "core/watch/tap.h"
#include "core/flow/window.h"

struct ps_worker;

enum ps_runner_state { PS_RUNNER_CLOSED, PS_RUNNER_OPEN, PS_RUNNER_FAILED };

/* What source and sink runners share: opening, and what metrics read. */
struct ps_runner {
    struct ps_worker *worker;
    const struct ps_stage_spec *spec;
    void *state; /* ops->state_size bytes */
    struct ps_port port;
    struct ps_counters *counters;
    uint64_t retry_ns;    /* FAILED: when to try again */
    uint64_t deadline_ns; /* when it must be called again at the latest */
    uint32_t status;      /* enum ps_runner_state; relaxed reads from any thread */
    int64_t start_ms, stop_ms;
    pthread_mutex_t lock; /* guards error; taken when opening, never in work */
    char error[256];      /* why it is not open */
    struct ps_tap *tap;
    unsigned instance;
};

/* An opened sub-stage of a source's chain. */
struct ps_link {
    const struct ps_stage_spec *spec;
    void *state;
    struct ps_port port;
};

struct ps_source_runner {
    struct ps_runner base;
    const struct ps_source_plan *plan;
    struct ps_channel_plan *channels; /* of the plan */
    const unsigned *producers;        /* its producer number at each of the source's channels */
    struct ps_link *interceptors;
    struct ps_link selector;
    struct ps_chain_share chain_share; /* what the open links share */
    struct ps_route *route;
    struct ps_carver carver;
    struct ps_window *window;
    struct ps_batch *batch; /* the open one, which the source fills */
    struct ps_lease *chain; /* of the closed batch that is in the chain or waits for a channel; or NULL */
    size_t chain_stage;     /* the next interceptor; their count + 1: the selector is done, too */
    bool routed;
    struct ps_lease **pending; /* by slot (2 * channel + optional): made and not put yet */
    bool waiting;              /* the source was told `paused` */
    bool watched;              /* its epoll wakes the worker */
    uint64_t waiting_since_ns;
    uint64_t backoff_until_ns;
    unsigned backoff_count;
    bool draining, drained;
    struct ps_histogram *batch_events; /* events of each closed batch */
};

struct ps_sink_runner {
    struct ps_runner base;
    struct ps_channel_plan *channel;
    unsigned consumer;
    struct ps_counters *channel_counters; /* of this consumer */
    struct ps_lease *offered;             /* taken from the channel, not taken by the sink yet */
    uint64_t inflight;                    /* leases that the sink has taken */
    uint64_t backoff_until_ns;
    unsigned failures;
    bool recalled, empty;
    struct ps_lease *recall_list;
    struct ps_histogram *latency; /* from a batch's opening to its delivery, per event */
    /* Monotonic: when it last delivered something, or last had nothing to deliver. Any thread reads it. */
    uint64_t progress_ns;
    uint32_t has_events; /* it holds leases, or its channel is not empty; any thread reads it */
};

/* ---- base (core/engine/runner.c) ---- */
void ps_runner_init(struct ps_runner *runner, struct ps_worker *worker, const struct ps_stage_spec *spec,
                    unsigned instance, unsigned instances);
void ps_runner_fini(struct ps_runner *runner);
/* Opens the stage when it is closed, or when it failed to open and the next try is due. Returns whether it is
 * open. */
bool ps_runner_open(struct ps_runner *runner, const struct ps_now *now);
/* The stage, or a link of its chain (`failed`), could not be opened: logs it, keeps the reason for metrics
 * and /healthz, and sets the time of the next try. */
void ps_runner_fail(struct ps_runner *runner, const struct ps_stage_spec *failed, const struct ps_err *err,
                    const struct ps_now *now);
void ps_runner_close(struct ps_runner *runner, const struct ps_now *now);
static inline bool ps_runner_is_open(const struct ps_runner *runner)
{
    return __atomic_load_n(&runner->status, __ATOMIC_RELAXED) == PS_RUNNER_OPEN;
}

/* ---- source ---- */
struct ps_source_runner *ps_source_runner_create(struct ps_worker *worker, struct ps_plan *plan,
                                                 size_t source, unsigned instance);
void ps_source_runner_destroy(struct ps_source_runner *runner);
/* One turn. Returns whether something moved. */
bool ps_source_runner_cycle(struct ps_source_runner *runner, const struct ps_now *now);
/* No new input from now on. */
void ps_source_runner_drain(struct ps_source_runner *runner);
/* Between two plans that both have the source: reads nothing and puts nothing, but calls `tick` (a consumer
 * must poll its broker). */
void ps_source_runner_pause(struct ps_source_runner *runner, const struct ps_now *now);
/* Uses the next plan's channels from now on; leases pending for a channel go to the one of the same name. */
void ps_source_runner_adopt(struct ps_source_runner *runner, struct ps_plan *plan, size_t source);
/* Closes the stage. Leases pending for a channel are appended to *left; lease->channel has its number. */
void ps_source_runner_close(struct ps_source_runner *runner, struct ps_lease **left,
                            const struct ps_now *now);

/* ---- the chain (core/engine/chain.c) ---- */
struct ps_route *ps_route_create(size_t channel_count);
void ps_route_destroy(struct ps_route *route);
void ps_route_clear(struct ps_route *route);
/* Whether this row is routed to this channel. For `penstock rules`, which runs a selector by hand. */
bool ps_route_has(const struct ps_route *route, unsigned channel, bool required, uint16_t row);
/* Runs the rest of the chain and makes the leases (runner->pending). Returns false when it must be called
 * again. */
bool ps_chain_run(struct ps_source_runner *runner, const struct ps_now *now);

/* ---- sink ---- */
struct ps_sink_runner *ps_sink_runner_create(struct ps_worker *worker, struct ps_plan *plan, size_t sink);
void ps_sink_runner_destroy(struct ps_sink_runner *runner);
/* One turn. `draining`: the sources have stopped, so an empty channel stays empty. Returns whether something
 * moved. */
bool ps_sink_runner_cycle(struct ps_sink_runner *runner, bool draining, const struct ps_now *now);
/* Whether it holds no lease and its channel is empty. */
bool ps_sink_runner_is_idle(const struct ps_sink_runner *runner);
/* For how long, in nanoseconds, it has had events without delivering any; 0: it has none. Thread: any that
 * keeps the plan alive. */
uint64_t ps_sink_runner_stalled_ns(const struct ps_sink_runner *runner, uint64_t mono_ns);
/* Gives every lease it holds back to its channel. Call it at each cycle until it returns true. */
bool ps_sink_runner_recall(struct ps_sink_runner *runner, const struct ps_now *now);
void ps_sink_runner_close(struct ps_sink_runner *runner, const struct ps_now *now);
