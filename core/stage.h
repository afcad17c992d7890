/* The contract page: what a stage is, what the engine does for it, and what it must not do.
 *
 * A stage is one const `struct ps_stage_ops` in one file, and one line in stages/stages.def. It has option
 * rows, a *plan* (its bound options and what `build` made of them: shared by all workers, const from then on)
 * and a *state* (one worker's). There is no third place: no globals, no statics that are written.
 *
 * Life, in order, and on which thread:
 *   bind      (control) option rows -> the plan struct, zeroed first
 *   check     (control) pure: finds problems that rows cannot express. Also run by `penstock check`, where
 * nothing may be touched build     (control) makes the shared plan; claims nothing exclusive (no port, no
 * file lock, no consumer group) open      (the worker it serves, before pinning) makes one worker's state;
 * claims what is exclusive. On failure the engine logs the error and tries again every 3 s, as Flume's
 * lifecycle supervisor does; the other components go on work, tick, ... (that worker) never block, never
 * sleep, never allocate once warm drain     (that worker) stopping: see each kind close     (that worker)
 * releases what open claimed teardown  (control) undoes build
 *
 * All functions but the kind's `work` may be NULL. */
#pragma once

#include "core/arena.h"
#include "core/flow/batch.h"
#include "core/clock.h"
#include "core/counters.h"
#include "core/log.h"
#include "core/option.h"
#include "core/status.h"

enum ps_kind {
    PS_KIND_SOURCE,
    PS_KIND_INTERCEPTOR,
    PS_KIND_SELECTOR,
    PS_KIND_CHANNEL,
    PS_KIND_SINK,
    PS_KIND_SERIALIZER,
    PS_KIND_COUNT
};

/* What `work` returns. Each kind of stage returns only the results listed for it:
 *
 *                source             interceptor        selector           sink
 *   PS_DONE      read something     batch finished     events routed      every event settled
 *   PS_IDLE      nothing to read
 *   PS_BACKOFF   rest for a while
 *   PS_LATER                        not finished yet                      no room for the lease
 *   PS_TAKEN                                                              took the lease
 *   PS_RETRY                        no memory          no memory          roll back */
enum ps_result {
    /* Source: the engine may call again at once. Others: finished with this batch or lease. */
    PS_DONE,
    /* The engine calls again when the source's epoll or timer wakes it. */
    PS_IDLE,
    /* Flume's back-off of a pollable source: backoffSleepIncrement, maxBackoffSleep. */
    PS_BACKOFF,
    /* The engine calls again with the same batch (interceptor) or offers the same lease again (sink), at its
     * next cycle. */
    PS_LATER,
    /* The sink owns the lease (and nulled the caller's pointer); it calls ps_port_done later. */
    PS_TAKEN,
    /* Interceptor, selector: the engine calls again with the same batch. Sink: Flume's rollback: the lease
     * returns to the head of its channel and the sink rests 1, 2, .. 5 s. */
    PS_RETRY,
};

/* ---- what the engine hands in ---- */

/* Control-time surroundings, for check and build. Owned by the caller; not kept. */
struct ps_context {
    const char *agent; /* agent name */
    const char
        *component;   /* "source r1", "sink k1", "interceptor i1 of source r1"; lives as long as the plan */
    const char *name; /* "r1" */
    struct ps_arena *arena; /* lives as long as the plan */
    /* Java's -D system properties given on the command line; NULL when not set. */
    const char *(*system_property)(const void *argument, const char *name);
    /* Binds a sub-stage (a serializer) by type, with the given pairs; its plan is built and torn down with
     * the parent's. NULL on error. */
    const struct ps_stage_ops *(*sub_stage)(struct ps_context *context, enum ps_kind kind, const char *type,
                                            const struct ps_pairs *pairs, void **plan, struct ps_err *err);
    /* Reports a problem with a key of this component. check only. */
    void (*report)(const struct ps_context *context, enum ps_log_level severity, const char *key,
                   const char *message);
    void *argument;
    struct ps_texts channels; /* source, selector: the source's valid channels in file order; their position
                                 is their number */
    unsigned instances;       /* workers this stage will be opened on */
    unsigned producers, consumers; /* channel: how many runners put and take */
    uint32_t batch_events_max;     /* engine's limit for one batch on this flow */
    uint64_t memory_budget_bytes;  /* the process's whole budget: what a byteCapacity default derives from */
    uint64_t channel_quota_bytes;  /* channel: its share of the budget, rows and headers included: one slow
                                      channel cannot starve the others */
    uint64_t client_queue_bytes;   /* how much a client library of this stage may hold in its queues: a
                                     share of the memory budget */
    struct ps_chain_share *chain;  /* interceptors, selectors, at build: what the stages of one source's chain
                                     share; else NULL */
    const char
        *program; /* the penstock program, for helper processes of its own (regex/compile/compiler.h); NULL:
                            there is none (tests): the work is done in this process */
    bool running; /* workers are at work (a reload): leave the CPUs to them */
};

/* One thing that the stages of a source's chain share: the regex passes (stages/rules/regex_chain.h). Whoever needs
 * it first makes it. There is one for the plan (control thread: `finish` is called when all stages of the
 * chain are built) and one for each open instance (its worker; `finish` NULL); each ends with its owner. */
struct ps_chain_share {
    void *value;
    enum ps_status (*finish)(void *value, struct ps_err *err);
    void (*destroy)(void *value);
};

/* A number with a label, for metrics: what counters without labels cannot say (hits of each rule). */
struct ps_series {
    const char *name; /* "rule_hits": becomes penstock_rule_hits_total; a gauge has its unit in the name */
    const char *help; /* one sentence; the same for all of one name; static, as name and label are */
    const char *label, *label_value; /* "rule", "health-checks"; the value lives as long as `add` is called */
    bool gauge;
    double value;
};

/* printf for context->report. */
void ps_report(const struct ps_context *context, enum ps_log_level severity, const char *key,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

struct ps_runner; /* the engine's side of an open stage */

/* One open instance: valid from open to close. */
struct ps_port {
    const char *component; /* for the log */
    const char *name;
    struct ps_counters *counters;
    unsigned instance;  /* 0 .. instances-1: this one's number */
    unsigned instances; /* how many workers run this stage */
    int epoll_fd; /* sources: an epoll of its own; add sockets here, with any data; call epoll_wait(.., 0) on
                     it in `work`. The engine wakes the worker when it is readable, and takes it out of sight
                     while the channel is full. -1 in the simulator */
    int wake_fd; /* eventfd: eight bytes written here wake the worker (library threads, helper threads). -1 in
                    the simulator */
    struct ps_chain_share *chain;  /* interceptors, selectors: of this open instance of the chain */
    struct ps_block_cache *blocks; /* for buffers that live across batches (partial lines): counted in the
                                      budget, home worker only */
    struct ps_runner *runner;
    /* How leases leave a stage: the engine's, or a test's. Call ps_port_done and ps_port_home. */
    void (*done)(struct ps_port *port, struct ps_lease **lease);
    void (*home)(struct ps_port *port, struct ps_lease **lease);
};

/* ---- source ---- */

enum ps_when_full {
    PS_WAIT,   /* stop reading until there is room; back-pressure reaches the sender by itself */
    PS_REFUSE, /* after the channel's keep-alive: withdraw what was not put yet and call `refused` */
};

struct ps_source_ops {
    enum ps_level needs; /* ACCEPTED: nothing is remembered after the put. DURABLE or DELIVERED: `delivered`
                            is called in order (replayable sources) */
    enum ps_when_full when_full;
    /* Reads into `batch` (which may already hold events of earlier calls). Bounded: at most until the batch
     * is full, and at most a few hundred kilobytes. PS_DONE | PS_IDLE | PS_BACKOFF. Not called while the
     * source waits for a channel. */
    enum ps_result (*work)(const void *plan, void *state, struct ps_batch *batch, const struct ps_now *now);
    /* Every cycle, also while waiting: timers, library callbacks. Returns when it wants to be called next at
     * the latest (mono_ns; PS_NEVER). */
    uint64_t (*tick)(const void *plan, void *state, const struct ps_now *now);
    /* All required channels took the batch (or nothing of it was left to put): answer its tickets. */
    void (*accepted)(const void *plan, void *state, const struct ps_batch *batch, const struct ps_now *now);
    /* PS_REFUSE: the channel stayed full; nothing of this batch that was not put will be. Answer its tickets.
     * `reason` is one line. */
    void (*refused)(const void *plan, void *state, const struct ps_batch *batch, const char *reason,
                    const struct ps_now *now);
    /* Everything of the batch reached the level needed, and so did every batch before it: move positions to
     * its spans. */
    void (*delivered)(const void *plan, void *state, const struct ps_batch *batch, const struct ps_now *now);
    /* The source has to wait for a full channel (true), or may read again (false). */
    void (*paused)(const void *plan, void *state, bool paused, const struct ps_now *now);
    /* Stopping, called every cycle: take no new input (stop listening), but finish what was begun. True when
     * it will produce nothing more and `close` may be called once its batches are home. `work` is still
     * called while this returns false. NULL: at once. */
    bool (*drain)(const void *plan, void *state, const struct ps_now *now);
};

/* ---- interceptor ---- */

struct ps_interceptor_ops {
    /* Edits the events of the chain's lease: adds headers, replaces bodies (ps_batch_alloc), drops events
     * (ps_lease_filter). PS_DONE | PS_LATER (resumed later at this same interceptor) | PS_RETRY (no memory;
     * must not have half-edited in a way a second call would repeat). */
    enum ps_result (*work)(const void *plan, void *state, struct ps_lease *lease, const struct ps_now *now);
};

/* ---- selector ---- */

struct ps_route;

/* Every event of the chain's lease goes to this channel. */
void ps_route_all(struct ps_route *route, unsigned channel, bool required);
/* This row (a row number, not a position) goes to this channel. Rows of one channel must be added in order.
 */
void ps_route_row(struct ps_route *route, unsigned channel, bool required, uint16_t row);
/* Many rows at once, each where it goes: `slot` is 2 * channel, + 1 when optional. In order, as above. */
struct ps_way {
    uint16_t slot, row;
};
void ps_route_ways(struct ps_route *route, const struct ps_way *ways, uint32_t count);
/* The same for the rows at positions `from` .. `to` - 1 of the lease. */
void ps_route_positions(struct ps_route *route, unsigned channel, bool required, const struct ps_lease *lease,
                        uint32_t from, uint32_t to);

static inline uint16_t ps_lease_row(const struct ps_lease *lease, uint32_t position)
{
    return lease->index != NULL ? lease->index[position] : (uint16_t)position;
}

struct ps_selector_ops {
    /* Says where each event goes; an event without a route is dropped and counted. PS_DONE, or PS_RETRY (no
     * memory: called again for the same lease, with an empty route). After PS_DONE it is not asked again. */
    enum ps_result (*work)(const void *plan, void *state, const struct ps_lease *lease,
                           struct ps_route *route, const struct ps_now *now);
};

/* ---- channel ---- */

enum ps_put {
    PS_PUT_OK,   /* the lease was taken */
    PS_PUT_FULL, /* no room: the lease stays with the caller, who may try again */
};

struct ps_fill {
    uint64_t size, capacity;        /* events put and not yet taken; the limit */
    uint64_t bytes, bytes_capacity; /* bodies; 0 = unlimited */
};

/* Channels have no per-worker `open`: producers and consumers are numbered 0.. as `ps_context.producers` and
 * `.consumers` said at build. */
struct ps_channel_ops {
    enum ps_level gives; /* level a successful put means */
    /* Thread: the producer's worker. Takes the lease only on PS_PUT_OK. */
    enum ps_put (*put)(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *now);
    /* Thread: the consumer's worker. The next lease in order, or NULL: those given back first. */
    struct ps_lease *(*take)(void *plan, unsigned consumer, const struct ps_now *now);
    /* Thread: the consumer's worker. The lease was handled; the channel sends it home with ps_port_home. */
    void (*done)(void *plan, unsigned consumer, struct ps_lease **lease, struct ps_port *port);
    /* Thread: the consumer's worker. Flume's rollback: to the head of what this consumer takes next. Give
     * back the newest first. */
    void (*untake)(void *plan, unsigned consumer, struct ps_lease **lease);
    /* Thread: the producer's worker. Whether its consumers have (nearly) nothing left from it: an open batch
     * should be closed. */
    bool (*hungry)(const void *plan, unsigned producer);
    /* Thread: any. */
    void (*fill)(const void *plan, struct ps_fill *fill);
    /* Thread: any. The ring of one producer: leases in it and its capacity, in fill->size and ->capacity.
     * NULL: no rings. */
    void (*ring)(const void *plan, unsigned producer, struct ps_fill *fill);
    uint64_t (*keep_alive_ms)(const void *plan); /* how long a refusing source waits for room */
    /* Thread: control, while no worker runs: takes every lease out, oldest first (to carry contents over a
     * reload, or to count them at the end). */
    struct ps_lease *(*strip)(void *plan);
    /* Thread: control, before workers run: puts a list of leases, in order, before everything else. */
    void (*restore)(void *plan, struct ps_lease *list);
};

/* A lease goes home, from whatever worker the port is on. */
static inline void ps_port_home(struct ps_port *port, struct ps_lease **lease)
{
    port->home(port, lease);
}

/* ---- sink ---- */

struct ps_sink_ops {
    /* Offered one lease, in channel order; events from lease->cursor on are still to be handled, those with
     * their outcome bit set are not. PS_DONE: every event is settled (ps_lease_settle..); the engine sends
     * the lease home. PS_TAKEN: the sink took the lease (nulled it) and will call ps_port_done once all its
     * events are settled, in the order taken. PS_LATER: no room now; offered again next cycle, cursor and
     * outcomes as the sink left them. PS_RETRY: Flume's rollback. */
    enum ps_result (*work)(const void *plan, void *state, struct ps_lease **lease, const struct ps_now *now);
    /* Every cycle: delivery reports, timers, rolling. Returns when it wants to be called next at the latest.
     */
    uint64_t (*tick)(const void *plan, void *state, const struct ps_now *now);
    /* Stop sending; settle or abandon what is in flight; give every lease back in order: ps_port_done for
     * those settled, else append to `*back` (linked by `next`, oldest first). Called every cycle until it
     * returns true. Abandoned in-flight work may duplicate, never lose. A sink
     * with a client library purges its queues and collects every report. NULL: nothing is ever in flight. */
    bool (*recall)(const void *plan, void *state, struct ps_lease **back, const struct ps_now *now);
    /* Stopping: the channel is empty; finish what is in flight without waiting for more (flush buffers, close
     * files at close). True when nothing is in flight. NULL: at once. */
    bool (*drain)(const void *plan, void *state, const struct ps_now *now);
};

/* A lease that the sink took (PS_TAKEN) is settled in full: sends it home and counts it delivered. In the order the
 * leases were taken. */
static inline void ps_port_done(struct ps_port *port, struct ps_lease **lease)
{
    port->done(port, lease);
}

/* ---- serializer (a sub-stage of sinks that write streams) ---- */

struct ps_output {
    /* Appends bytes; false when the far side failed (the caller gives up the batch). */
    bool (*write)(struct ps_output *output, const void *data, size_t length);
};

struct ps_serializer_ops {
    const char *extension; /* suggested file extension or NULL */
    bool (*begin)(const void *plan, void *state, struct ps_output *output); /* start of a file */
    bool (*event)(const void *plan, void *state, const struct ps_batch *batch, const struct ps_event *event,
                  struct ps_output *output);
    bool (*flush)(const void *plan, void *state, struct ps_output *output); /* end of a transaction */
    bool (*end)(const void *plan, void *state, struct ps_output *output);   /* before close */
};

/* ---- the stage ---- */

struct ps_stage_ops {
    enum ps_kind kind;
    const char *name;           /* the alias Flume has for it, or ours: "syslogtcp", "file_roll" */
    const char *const *aliases; /* further names and class names, 1.x and 2.0, NULL-terminated; matched
                                   without regard to case */
    const char *summary;        /* one line */
    const struct ps_option *options;
    size_t plan_size, state_size; /* zeroed before bind and open */
    const char *const
        *counters; /* names of its own counters (PS_COUNTER_extra + i), NULL-terminated, or NULL */
    /* Threads that a client library starts for each open instance; they count when the engine decides
     * whether to pin its workers. 0: no client library. */
    unsigned client_threads;
    /* Its client library queues copies of events: each client gets a share of the memory budget for them
     * (ps_context.client_queue_bytes). */
    bool client_holds_events;
    /* Flume's JSON: the counters that this component shows in place of those for general failures
     * (EventReadFail and so on), as Flume's class for it does. Ends with PS_COUNTER_COUNT. NULL: the general
     * ones. */
    const enum ps_counter *json_counters;
    bool exclusive; /* cannot run on several workers: penstock.workers is refused */
    bool refuses;   /* a bad key, or what `check` finds, keeps the agent from starting and a reload from
                       happening; else the component is dropped, as Flume does. For what Flume does not have */

    enum ps_status (*check)(const void *plan,
                            const struct ps_context *context); /* PS_FAIL: the component is dropped */
    enum ps_status (*build)(void *plan, struct ps_context *context, struct ps_err *err);
    void (*teardown)(void *plan);
    enum ps_status (*open)(const void *plan, void *state, struct ps_port *port, struct ps_err *err);
    void (*close)(const void *plan, void *state);
    /* More lines for `penstock check` about what would run (a bound plan, not built): which engine runs an
     * expression and why. Thread: control. */
    void (*describe)(const void *plan, const struct ps_context *context,
                     void (*line)(void *argument, const char *text), void *argument);
    /* Told to reload: read files of its own again (a rules file). Does not wait. Thread: control. */
    void (*reread)(const void *plan);
    /* Calls `add` for each number with a label. Thread: any, while the plan is built. */
    void (*series)(const void *plan, void (*add)(void *argument, const struct ps_series *series),
                   void *argument);

    union {
        const struct ps_source_ops *source;
        const struct ps_interceptor_ops *interceptor;
        const struct ps_selector_ops *selector;
        const struct ps_channel_ops *channel;
        const struct ps_sink_ops *sink;
        const struct ps_serializer_ops *serializer;
    };
};
