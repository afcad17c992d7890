/* The common part of a sink that sends its events to a server and settles them by the server's answers: it holds the
 * leases (core/flow/held.h), finishes the settled ones, backs off after failures, and waits at a recall for answers.
 *
 * The sink's state begins with a struct ps_remote_sink, and its stage names ps_remote_sink_ops. The sink supplies struct
 * ps_remote_sink_calls: how it sends and receives.
 *
 * Thread: the sink's worker. Allocates nothing. */
#pragma once

#include "core/sink/finish_held.h"

struct ps_remote_sink;

/* A sink's part. `sink` is the first member of its state. */
struct ps_remote_sink_calls {
    /* Reads and writes what is possible now: settles the events of the answers that came and, if `sends`, forms
     * and sends further requests. The caller finishes the leases. */
    void (*serve)(struct ps_remote_sink *sink, bool sends);
    /* Returns the mono_ns at which `serve` must be called again at the latest, or PS_NEVER. */
    uint64_t (*due_ns)(const struct ps_remote_sink *sink);
    /* Returns whether events are in flight whose answer may still come; a recall waits for the answer. */
    bool (*awaits)(const struct ps_remote_sink *sink);
    /* Called at the end of a recall: gives up requests in flight, counts their events as duplicated if the sink
     * does that, and stops dead letters that are not written. */
    void (*abandon)(struct ps_remote_sink *sink);
};

struct ps_remote_sink {
    const struct ps_remote_sink_calls *calls;
    struct ps_port *port;
    struct ps_held held;
    uint64_t failures;  /* number of failures in a row */
    uint64_t rest_ns;   /* nothing is sent, and no connection begun, before this time */
    uint64_t recall_ns; /* end of the recall's wait; 0: not recalled */
    uint64_t now_ns;
    int64_t wall_ms; /* the time of day at now_ns */
};

/* Called when the sink is opened. The sink holds at most `leases_max` leases. */
void ps_remote_sink_init(struct ps_remote_sink *sink, const struct ps_remote_sink_calls *calls,
                         struct ps_port *port, unsigned leases_max);

static inline bool ps_remote_sink_rests(const struct ps_remote_sink *sink)
{
    return sink->now_ns < sink->rest_ns;
}

/* Counts a failure, and begins a backoff. */
void ps_remote_sink_rest(struct ps_remote_sink *sink);

/* Like ps_remote_sink_rest, and reports the reason with the length of the backoff (ps_port_tries_again). */
void ps_remote_sink_failed(struct ps_remote_sink *sink, const struct ps_err *reason);

/* Finishes the leases whose events are settled. The functions of ps_remote_sink_ops call this before and after
 * `serve`; a sink calls it inside `serve` before it decides something by the leases that are left. */
void ps_remote_sink_finish(struct ps_remote_sink *sink);

/* Functions for a stage whose state begins with a struct ps_remote_sink. PS_REMOTE_SINK_FUNCTIONS: for one that has more of them. */
enum ps_result ps_remote_sink_work(const void *plan, void *state, struct ps_lease **lease,
                                   const struct ps_now *now);
uint64_t ps_remote_sink_tick(const void *plan, void *state, const struct ps_now *now);
bool ps_remote_sink_recall(const void *plan, void *state, struct ps_lease **back, const struct ps_now *now);
bool ps_remote_sink_drain(const void *plan, void *state, const struct ps_now *now);

#define PS_REMOTE_SINK_FUNCTIONS                                                                             \
    .sockets = true, .work = ps_remote_sink_work, .tick = ps_remote_sink_tick,                               \
    .recall = ps_remote_sink_recall, .drain = ps_remote_sink_drain

extern const struct ps_sink_ops ps_remote_sink_ops;
