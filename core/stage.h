/* The contract of a stage: what a stage is, what the engine does for it, and what it must not do.
 *
 * A stage is one const `struct ps_stage_ops` in one file, and one line in stages/stages.def. It has:
 *
 *   option rows   the keys it understands (core/option.h)
 *   a plan        its bound options and what `build` made of them; all workers share it, const after `build`
 *   a state       what one worker needs to run it; one for each open instance
 *
 * Nothing else holds data: a stage has no globals and no static variables that are written.
 *
 * The life of a stage, in order:
 *
 *   function      thread    what it does
 *   bind          control   The engine writes the option rows into the plan, which was zeroed before.
 *   check         control   Finds problems that rows cannot express. Touches nothing: `penstock check` runs it as well.
 *   build         control   Makes the shared plan. Claims nothing exclusive: no port, no file lock, no
 *                           consumer group. A reload calls it on the reload's own thread: it may take long.
 *   open          worker    Makes one worker's state and claims what is exclusive. The worker is not pinned
 *                           yet. After a failed open the engine logs the error and tries again every 3 s, as
 *                           Flume's LifecycleSupervisor does; the other components keep running.
 *   work, tick..  worker    Never block, never sleep, and allocate nothing once warm. A helper thread runs
 *                           the jobs that block (core/helper/helper.h). A stage that cannot continue calls
 *                           ps_port_failed: the engine closes it, and opens it again as after a failed open.
 *   drain         worker    Stops; see each kind.
 *   close         worker    Releases what `open` claimed.
 *   teardown      control   Undoes `build`.
 *
 * "worker" is the worker on which the engine placed the instance. Every function except `work` of the stage's kind may
 * be NULL; a channel and a serializer need more: see `struct ps_channel_ops` and core/serializer.h. */
#pragma once

#include "core/arena.h"
#include "core/backoff.h"
#include "core/flow/batch.h"
#include "core/flow/port.h"
#include "core/claim.h"
#include "core/clock.h"
#include "core/contract.h"
#include "core/counters.h"
#include "core/deadletter/writer.h"
#include "core/deserializer.h"
#include "core/log/log.h"
#include "core/option.h"
#include "core/probe.h"
#include "core/log/backoff.h"
#include "core/serializer.h"
#include "core/status.h"

#include <stdio.h>

enum ps_kind {
    PS_KIND_SOURCE,
    PS_KIND_INTERCEPTOR,
    PS_KIND_SELECTOR,
    PS_KIND_CHANNEL,
    PS_KIND_SINK,
    PS_KIND_SERIALIZER,
    PS_KIND_DESERIALIZER,
    PS_KIND_COUNT
};

/* The results of `work`. Each kind of stage returns only the results listed for it:
 *
 *                source             interceptor        selector           sink
 *   PS_DONE      read something     batch finished     events routed      every event settled
 *   PS_IDLE      nothing to read
 *   PS_BACKOFF   rest for a while   cannot handle it
 *   PS_LATER                        not finished yet                      no room for the lease
 *   PS_TAKEN                                                              took the lease
 *   PS_RETRY                        no memory          no memory          roll back */
enum ps_result {
    PS_DONE, /* source: the engine may call again immediately; others: finished with this batch or lease */
    PS_IDLE, /* the engine calls again when the port's epoll or the time of `tick` wakes it */
    /* Source: Flume's back-off of a pollable source (backoffSleepIncrement, maxBackoffSleep). Interceptor: it cannot
     * handle the batch now. A source that can refuse its clients refuses the batch; other sources wait, and the engine
     * calls the interceptor again. */
    PS_BACKOFF,
    /* The engine calls again with the same batch (interceptor), or offers the lease again (sink), at its next cycle. */
    PS_LATER,
    PS_TAKEN, /* the sink owns the lease (and set the caller's pointer to NULL); it calls ps_port_done later */
    /* Interceptor, selector: the engine calls again with the same batch. Sink: Flume's rollback: the lease
     * returns to the head of its channel and the sink backs off for 1 s, 2 s and so on up to 5 s. */
    PS_RETRY,
};

/* ---- what the engine passes in ---- */

struct ps_stage_ops;
struct ps_class_path;
/* The data and functions that `check` and `build` may use. The caller owns it; stages keep no pointer to it. */
struct ps_context {
    const char *agent;      /* agent name */
    const char *component;  /* "source r1", "interceptor i1 of source r1"; lives as long as the plan */
    const char *name;       /* "r1" */
    struct ps_arena *arena; /* lives as long as the plan */
    /* Returns the value of a Java system property (-D) of the command line; NULL: it is not set. */
    const char *(*system_property)(const void *argument, const char *name);
    /* Reads a file of Java properties into pairs in this arena. */
    enum ps_status (*read_properties)(struct ps_arena *arena, const char *path, struct ps_pairs *pairs,
                                      struct ps_err *err);
    /* Binds a sub-stage (a serializer) by type with the given pairs. Its plan is built and torn down with the
     * parent's. Returns NULL on error. */
    const struct ps_stage_ops *(*sub_stage)(struct ps_context *context, enum ps_kind kind, const char *type,
                                            const struct ps_pairs *pairs, void **plan, struct ps_err *err);
    /* Reports a problem with a key of this component. `check` only. */
    void (*report)(const struct ps_context *context, enum ps_log_level severity, const char *key,
                   const char *message);
    void *argument; /* for the functions above */
    /* Source, selector: the source's valid channels in file order. A channel's number is its position. */
    struct ps_texts channels;
    unsigned instances;            /* number of workers on which this stage will be opened */
    unsigned producers, consumers; /* channel: how many runners put and take */
    /* Channel in `build`: the counters of its producers, then those of its consumers. Only the worker of that
     * producer or consumer writes them. They live as long as the plan. */
    struct ps_counters *counters;
    uint32_t batch_events_max;    /* the engine's limit for one batch of this flow */
    uint64_t memory_budget_bytes; /* of the whole process; the default of byteCapacity derives from it */
    /* Channel: its share of the memory budget, rows and headers included. One slow channel cannot starve the others. */
    uint64_t channel_quota_bytes;
    /* The bytes that one client library of this stage may hold in its queues: its share of the memory budget. */
    uint64_t client_queue_bytes;
    /* Interceptors and selectors in `build`: the things that the stages of one source's chain share. Others: NULL. */
    struct ps_chain_share *chain;
    /* Path of penstock, to start helper processes (regex/compile/compiler.h). NULL in tests: none is started. */
    const char *program;
    bool running; /* in a reload: workers are running, so leave the CPUs to them */
    const struct ps_class_path
        *class_path; /* for components that run in Java (stages/lib/java/class_path.h); NULL in tests */
    const char *source_type; /* interceptor in `build`: "netcat", of its source; others: NULL */
};

/* One thing that the stages of a source's chain share: the regex passes (stages/lib/rules/regex/chain.h). The
 * first stage that needs it makes it. Two kinds exist: one for the plan (control thread; the engine calls
 * `finish` when all stages of the chain are built) and one for each open instance (its worker; `finish` is
 * NULL). The engine destroys each together with the plan or instance that owns it. */
struct ps_chain_share {
    void *value;
    enum ps_status (*finish)(void *value, struct ps_err *err);
    void (*destroy)(void *value);
};

/* A number with a label, for metrics that counters cannot express (hits of each rule). */
struct ps_series {
    const char *name;        /* "rule_hits" becomes penstock_rule_hits_total; a gauge ends with its unit */
    const char *help;        /* one sentence; the same for all series of one name */
    const char *label;       /* "rule"; name, help and label are static */
    const char *label_value; /* "health-checks"; must live until `add` returns */
    bool gauge;
    double value;
};

/* Calls context->report with a text in the form of printf. Its lines after the first are cures for an expression. */
void ps_report(const struct ps_context *context, enum ps_log_level severity, const char *key,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reports an error when this user cannot read the file that the key names. Returns whether it reported one. */
bool ps_report_unreadable(const struct ps_context *context, const char *key, const char *path);

/* Returns the stage's outline in the arena, a blank for each control character; NULL when the stage has none. */
const char *ps_stage_outline(const struct ps_stage_ops *ops, const void *plan,
                             const struct ps_context *context);

/* ---- dead letters ---- */

/* Returns whether the stage writes an event as a dead letter before it gives the event up for good
 * (penstock.deadletter). Without dead letters the stage retries for ever, or drops and counts. */
static inline bool ps_port_has_deadletter(const struct ps_port *port)
{
    return port->dead_letter_queue != NULL;
}

/* Gives an event up: writes it as a dead letter, and counts it (`deadletter`). Returns the letter's number,
 * or 0 when too many letters wait: call it again in a later cycle. The letter is a copy. It is on disk once
 * ps_port_deadletter_written has reached its number; a sink may settle the event only then, with
 * ps_lease_settle_dead. An interceptor need not wait for it: the engine neither puts a batch nor answers a
 * sender before all letters of the source and its chain are on disk. A sink that gives the lease back before
 * that does not wait for its letters; they may then be written twice. */
uint64_t ps_port_deadletter(struct ps_port *port, const struct ps_batch *batch, const struct ps_event *event,
                            const struct ps_dead_letter_reason *reason);
/* Sources: the same for input that does not become an event. Without penstock.deadletter it does nothing and
 * returns 0. The letter is always taken, because the engine does not call `work` while too many wait; 0 means
 * that memory ran out. */
uint64_t ps_port_deadletter_bytes(struct ps_port *port, const char *bytes, size_t length,
                                  const struct ps_dead_letter_reason *reason);

/* Input that becomes no event for its form. */
struct ps_discard {
    const char *why;   /* the same text for all input of a sort: "not an event of Flume's Avro format" */
    const char *where; /* "topic t, partition 0, offset 7"; or NULL */
    const char *bytes; /* the input, or its beginning */
    size_t length;
    uint64_t count; /* of inputs; 0: one */
    bool letter;    /* where dead letters are configured, the caller makes one of it */
};
/* Counts input that becomes no event (`malformed`), and logs the first one of each reason with its first bytes,
 * printable, and again after 1, 2, 4, .. minutes. Input that does not become a dead letter either is counted as thrown
 * away (`discarded`). Thread: the port's worker. */
void ps_port_discard(struct ps_port *port, const struct ps_discard *discard);

/* Returns the number of the last letter on disk. The port's wake_fd wakes the worker when it has grown. */
static inline uint64_t ps_port_deadletter_written(const struct ps_port *port)
{
    return ps_dead_letter_queue_written(port->dead_letter_queue);
}

/* ---- source ---- */

enum ps_when_full {
    PS_WAIT,            /* stop reading until there is room; the sender sees back-pressure */
    PS_REFUSE,          /* after the channel's keep-alive: withdraw what was not put yet and call `refused` */
    PS_REFUSE_TOGETHER, /* as PS_REFUSE; later batches are refused immediately until there is room */
};

struct ps_source_ops {
    /* ACCEPTED: the source remembers nothing after the put. DURABLE, DELIVERED: the engine calls `delivered`,
     * in order; for sources that can read again from a position. */
    enum ps_level needs;
    enum ps_when_full when_full;
    /* Reads into `batch`, which may already hold events of earlier calls. Bounded: stops when the batch is full, or
     * after a few hundred kilobytes. The engine does not call it while the source waits for a channel. */
    enum ps_result (*work)(const void *plan, void *state, struct ps_batch *batch, const struct ps_now *now);
    /* Called at every cycle, also while the source waits: for timers and library callbacks. Returns the
     * mono_ns at which it must be called again at the latest, or PS_NEVER. */
    uint64_t (*tick)(const void *plan, void *state, const struct ps_now *now);
    /* Called when all required channels took the batch, or the chain left no event to put. Answer its tickets. */
    void (*accepted)(const void *plan, void *state, const struct ps_batch *batch, const struct ps_now *now);
    /* Called when a channel stayed full (PS_REFUSE): the rest of this batch is not put. Answer the batch's tickets.
     * `reason`: one line. */
    void (*refused)(const void *plan, void *state, const struct ps_batch *batch, const char *reason,
                    const struct ps_now *now);
    /* Called when this batch and all earlier ones reached the level in `needs`. Move the positions to its spans. */
    void (*delivered)(const void *plan, void *state, const struct ps_batch *batch, const struct ps_now *now);
    /* `paused` true: the source has to wait for a full channel; false: it may read again. */
    void (*paused)(const void *plan, void *state, bool paused, const struct ps_now *now);
    /* The source stops; called at every cycle. Take no new input (stop listening), but finish what was begun.
     * Returns true when the source will produce nothing more: the engine calls `close` once its batches are
     * returned. The engine still calls `work` while this returns false. NULL: as if it returned true. */
    bool (*drain)(const void *plan, void *state, const struct ps_now *now);
    /* Calls of the source's clients do not map to batches of the engine: the source counts
     * AppendBatchAcceptedCount itself. */
    bool counts_calls;
    /* Called between `check` and `build` if the flow's sink will commit this source's positions: the source then must
     * not. Returns false with the reason if its settings do not allow that. NULL: they never do. Thread: control. */
    bool (*yields_positions)(void *plan, struct ps_err *err);
    const struct ps_engine_source_ops *engine; /* NULL in plug-ins (core/flow/engine_source.h) */
};

/* ---- interceptor ---- */

struct ps_interceptor_ops {
    /* Edits the events of the chain's lease: adds headers, replaces bodies (ps_batch_alloc), drops events
     * (ps_lease_filter_bits). After PS_LATER the chain resumes at this interceptor. If it returns PS_RETRY, it leaves
     * no edit that a second call would make again. After PS_BACKOFF the next call may be for another batch, and also
     * after PS_LATER if the source has given the batch up. Between two batches `tick` is called, but never `work`. */
    enum ps_result (*work)(const void *plan, void *state, struct ps_lease *lease, const struct ps_now *now);
    /* Called at every cycle while the source is open: for work between batches. Returns the mono_ns at which
     * it must be called again at the latest, or PS_NEVER. NULL: never called. */
    uint64_t (*tick)(const void *plan, void *state, const struct ps_now *now);
};

/* ---- selector ---- */
struct ps_route;

/* Sends every event of the chain's lease to this channel. */
void ps_route_all(struct ps_route *route, unsigned channel, bool required);
/* Sends one row (a row number, not a position) to this channel. Add the rows of one channel in order. */
void ps_route_row(struct ps_route *route, unsigned channel, bool required, uint16_t row);
/* Sends rows, each to the channel of its slot: 2 * channel, + 1 if optional. Add the rows of one channel in order. */
struct ps_way {
    uint16_t slot, row;
};
void ps_route_ways(struct ps_route *route, const struct ps_way *ways, uint32_t count);
/* Sends the rows at positions `from` .. `to` - 1 of the lease to this channel. Add the rows of one channel in order. */
void ps_route_positions(struct ps_route *route, unsigned channel, bool required, const struct ps_lease *lease,
                        uint32_t from, uint32_t to);

static inline uint16_t ps_lease_row(const struct ps_lease *lease, uint32_t position)
{
    return lease->index != NULL ? lease->index[position] : (uint16_t)position;
}

struct ps_selector_ops {
    /* Adds each event's routes. The engine drops and counts an event without a route. After PS_RETRY it calls
     * again for the same lease, with an empty route. After PS_DONE it does not call again for this lease. */
    enum ps_result (*work)(const void *plan, void *state, const struct ps_lease *lease,
                           struct ps_route *route, const struct ps_now *now);
};

/* ---- channel ---- */

enum ps_put {
    PS_PUT_OK,    /* the channel took the lease: the level of `promises` is reached */
    PS_PUT_LATER, /* the channel took the lease, and reaches `promises` when the lease is returned */
    PS_PUT_FULL,  /* no room: the lease stays with the caller, who may try again */
};

struct ps_fill {
    uint64_t size, capacity;        /* events put and not yet taken; the limit */
    uint64_t bytes, bytes_capacity; /* of bodies; limit 0: unlimited */
};

/* A channel is not opened on workers. Its producers and consumers are numbered from 0; `build` learns their
 * numbers from `ps_context.producers` and `.consumers`. `start`, `tick`, `consumer_tick`, `leave`,
 * `keep_alive_ms`, `trouble` and `engine` may be NULL.
 *
 * A channel may outlive the runners of its producers and consumers: a reload opens others with the same
 * numbers on the same workers. The earlier runners do not announce their end, not even with `leave`; `tick`
 * gets the new producer's port before the first `put`. */
struct ps_channel_ops {
    /* ACCEPTED: the put fulfils the promise, unless it returns PS_PUT_LATER. DURABLE: the put begins the
     * promise; the channel fulfils it by returning the lease after it has made the events durable. From then
     * on the channel owns the events, and its consumers take them in batches that the channel makes. Leases
     * of one producer are returned in order. */
    enum ps_level promises;
    /* Claims exclusive things (a lock, files, a thread). Work that takes long, or may fail, is done later and
     * retried: until then there is no room for a put. `strip` (core/flow/engine_channel.h) gives the claims back; in
     * a channel without `strip`, `teardown` does. Thread: control, before workers run. */
    void (*start)(void *plan);
    /* Called at every cycle until the producer's source is closed, also before that source is open and while it pauses:
     * for work that ends on other threads, and for leases that a reload put here for other sources. Not called while
     * control strips the channel. Gives back, with ps_port_home, the leases whose promise is fulfilled. It may give up
     * `refusable` leases only, and marks them `failed`. A thread that has news for this producer writes port->wake_fd.
     * Returns the mono_ns at which the next call must be at the latest, or PS_NEVER. Thread: the producer's worker. */
    uint64_t (*tick)(void *plan, unsigned producer, struct ps_port *port, const struct ps_now *now);
    /* Takes the lease, except on PS_PUT_FULL. Thread: the producer's worker. */
    enum ps_put (*put)(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *now);
    /* Called at every cycle of the consumer's sink, also while the sink backs off, failed or drains: for work
     * that must continue without a take (the membership in a consumer group, commits). Returns the mono_ns at
     * which it must be called again at the latest, or PS_NEVER. Thread: the consumer's worker. */
    uint64_t (*consumer_tick)(void *plan, unsigned consumer, struct ps_port *port, const struct ps_now *now);
    /* Returns the next lease in order, those given back first, or NULL. `port` is the sink's. Thread: the
     * consumer's worker. */
    struct ps_lease *(*take)(void *plan, unsigned consumer, struct ps_port *port, const struct ps_now *now);
    /* Called when the sink has handled the lease. The channel returns the lease with ps_port_home. The sinks of a group
     * are one consumer, whose leases come in any order. Thread: the consumer's worker. */
    void (*done)(void *plan, unsigned consumer, struct ps_lease **lease, struct ps_port *port);
    /* Flume's rollback: puts the lease before everything that this consumer would take next. Another consumer may
     * take it first. The engine gives back the newest lease first. Thread: the consumer's worker. */
    void (*untake)(void *plan, unsigned consumer, struct ps_lease **lease);
    /* Called once, when the consumer's last sink is closed. Returns the leases that were given back, if the channel
     * made their batches, and frees the channel's data of this worker. Thread: the consumer's worker. */
    void (*leave)(void *plan, unsigned consumer, struct ps_port *port);
    /* Returns whether the channel's consumers have (nearly) nothing left from this producer: the source then closes its
     * open batch. Thread: the producer's worker. */
    bool (*hungry)(const void *plan, unsigned producer);
    void (*fill)(const void *plan, struct ps_fill *fill); /* thread: any */
    /* Returns how long, in milliseconds, a PS_REFUSE source waits for room. NULL: 0. Thread: the producer's worker. */
    uint64_t (*keep_alive_ms)(const void *plan);
    /* Returns whether the channel refuses puts for a reason other than being full (a disk that cannot be written);
     * writes the reason to `text`, one line. For /readyz. Thread: any, while the plan is built. */
    bool (*trouble)(const void *plan, char *text, size_t room);
    /* As ps_sink_ops.weakness, for the flows through the channel. NULL: its settings never take anything. Thread: control. */
    const char *(*weakness)(const void *plan);
    /* Functions for the engine's own channels (core/flow/engine_channel.h). NULL: events left at a stop, or at a reload
     * that replaces the channel, are not carried over; before `leave` a channel in memory, not shared, is emptied. */
    const struct ps_engine_channel_ops *engine;
};

/* Returns whether the channel promises more than ACCEPTED, and fulfils the promise by returning the lease. */
static inline bool ps_channel_is_durable(const struct ps_channel_ops *ops)
{
    return ops->promises > PS_LEVEL_ACCEPTED;
}

/* Returns the channel's table `engine`, or an empty one. Thread: any. */
const struct ps_engine_channel_ops *ps_engine_channel(const struct ps_channel_ops *ops);

/* Returns the number of events in the channel that would be lost with the process. Thread: any. */
uint64_t ps_channel_at_risk(const struct ps_channel_ops *ops, const void *plan);

/* ---- sink ---- */

struct ps_sink_ops {
    /* The sink has sockets of its own, and reads and writes them without waiting: it gets a port->epoll_fd. A
     * sink without this flag costs no descriptor. It writes a request in `work` (PS_TAKEN, or PS_LATER when
     * there is no room), and reads the answer in `tick`, which settles the lease with ps_port_done. */
    bool sockets;
    /* Gets one lease; leases come in channel order. Handles the events from lease->cursor on whose outcome
     * bit is not set.
     *
     *   PS_DONE    Every event is settled (ps_lease_settle..). The engine sends the lease home.
     *   PS_TAKEN   The sink took the lease (nulled *lease). It calls ps_port_done once all events of the lease are
     *              settled, for its leases in the order taken; one whose batch has `any_order` may come before older
     *              ones. The sink must not wait for another lease: it gets none while its share of the budget is used.
     *   PS_LATER   The sink has no room now. The engine offers the lease again at the next cycle, with cursor and
     *              outcomes as the sink left them. A put does not wake the worker for that cycle. What wakes it is the
     *              port's epoll_fd or wake_fd, or the time that `tick` returned; 10 ms if it returned none.
     *   PS_RETRY   Flume's rollback. */
    enum ps_result (*work)(const void *plan, void *state, struct ps_lease **lease, const struct ps_now *now);
    /* Called at every cycle from `open` until the sink is recalled, after `work`, even in cycles without a
     * call of `work`: for sockets, delivery reports, timers, rolling of files. Returns the mono_ns at which
     * it must be called again at the latest, or PS_NEVER. A sink that can handle the offered lease now
     * (PS_LATER) returns now->mono_ns: `work` is then called immediately. */
    uint64_t (*tick)(const void *plan, void *state, const struct ps_now *now);
    /* Stops sending, settles or abandons what is in flight, and gives every lease back: it appends the lease to `*back`
     * (linked by `next`, oldest first), or calls ps_port_done for a settled one; the engine does so for settled ones in
     * `*back`. Called at every cycle until it returns true. Events that are abandoned may arrive twice, but are never
     * lost. A sink with a client library purges its queues, then collects every report. NULL: nothing is in flight. */
    bool (*recall)(const void *plan, void *state, struct ps_lease **back, const struct ps_now *now);
    /* The agent stops, and the channel is empty: finish the events in flight without waiting for more (flush buffers;
     * `close` closes files). Returns true when no event is in flight. NULL: as if it returned true. */
    bool (*drain)(const void *plan, void *state, const struct ps_now *now);
    /* The sink commits the positions of the events that it delivers (ps_batch.spans) together with the
     * events. A channel that hands on the batches of its sources therefore gives it a lease of every batch
     * that has positions, even when the chain left no events of the batch for that channel. */
    bool commits;
    /* Returns whether the sink commits events and positions together or not at all: conf/validate/guarantee.c says
     * in which flows. NULL: no. The plan is bound. Thread, also of the next function: control. */
    bool (*transactional)(const void *plan);
    /* Makes the sink itself keep the positions of such a flow, in its transactions. NULL: it cannot. Before `build`. */
    void (*keep_positions)(void *plan);
    /* Returns what the sink's settings take from the promise of its flows, as `check` prints it, e.g. "a broker that
     * fails loses events"; NULL: nothing. The plan is bound. NULL: it never takes anything. Thread: control. */
    const char *(*weakness)(const void *plan);
};

/* Calls ps_port_troubled. Logs, once for an outage, the reason and that the sink tries again after `rest_ns`. */
void ps_port_tries_again(struct ps_port *port, const struct ps_err *reason, uint64_t rest_ns);
/* Called by a sink that returns PS_RETRY, before it: /readyz then shows the reason. In a sink group with other sinks it has no
 * effect, because PS_RETRY itself is the sink's failure there. */
static inline void ps_port_rolls_back(struct ps_port *port, const char *reason)
{
    struct ps_err err = {.length = 0};
    (void)ps_err_set(&err, "%s", reason);
    if (!port->hands_over)
        ps_port_troubled(port, &err);
}
/* Returns the level at which a sink logs the reason for ps_port_troubled: `alone`, or DEBUG where its group logs it. */
enum ps_log_level ps_port_outage_level(const struct ps_port *port, enum ps_log_level alone);

/* Gives back the leases of this list that are settled, even those after one that is not: they must not be
 * delivered twice. The others stay in the list, in order; so do leases without events, which have only
 * positions. The engine calls it for the leases that `recall` gave back. Thread: the sink's worker. */
void ps_port_finish_settled(struct ps_port *port, struct ps_lease **list);

/* ---- the stage ---- */

struct ps_stage_ops {
    /* These three members keep their place in every version: the loader reads them before it knows the version. */
    struct ps_contract contract;
    enum ps_kind kind;
    const char *name; /* Flume's alias, or ours: "syslogtcp", "file_roll" */
    /* Further names and class names, of Flume 1.x and 2.0; NULL-terminated; case does not matter. */
    const char *const *aliases;
    const char *summary; /* one line */
    const struct ps_option *options;
    size_t plan_size, state_size; /* bytes; zeroed before bind and open */
    /* Names of its own counters (PS_COUNTER_extra + i), NULL-terminated; or NULL. */
    const char *const *counters;
    /* Flume's JSON: the counters that this component shows in place of those for general failures (EventReadFail and
     * so on), because Flume's class for it has its own list. Ends with PS_COUNTER_COUNT. NULL: the general ones. */
    const enum ps_counter *json_counters;
    /* The stage's client library queues events: each client gets a share of the memory budget for them
     * (ps_context.client_queue_bytes). A channel has one client for each producer and each consumer. */
    bool client_holds_events;
    bool shared;    /* channel: other programs use it; it needs no source or no sink here */
    bool exclusive; /* source: cannot run on several workers; penstock.workers above 1 fails */
    /* For stages that Flume does not have: a bad key, or a problem found by `check`, keeps the agent from starting and
     * fails a reload. False: the component is dropped, as Flume does. */
    bool refuses;

    /* PS_FAIL: the component is dropped. */
    enum ps_status (*check)(const void *plan, const struct ps_context *context);
    enum ps_status (*build)(void *plan, struct ps_context *context, struct ps_err *err);
    void (*teardown)(void *plan);
    enum ps_status (*open)(const void *plan, void *state, struct ps_port *port, struct ps_err *err);
    void (*close)(const void *plan, void *state);
    /* Writes lines for `penstock check`: which engine runs an expression, and why. Before `build`. Thread: control. */
    void (*describe)(const void *plan, const struct ps_context *context,
                     void (*line)(void *argument, const char *text), void *argument);
    /* Writes one line for the operator: addresses, brokers, topics, directories, and what they promise; no secrets.
     * For the start of the log and `penstock check`. The plan is bound but not built. Thread: control. */
    void (*outline)(const void *plan, const struct ps_context *context, FILE *out);
    /* Source: calls `add` for each address on which it listens (conf/validate/ports.c); several workers of
     * one source share an address. The plan is bound but not built. Does not wait. Thread: control. */
    void (*listens)(const void *plan, void (*add)(void *argument, const struct ps_listens *address),
                    void *argument);
    /* For `penstock check --probe`, and with probe->local for a reload: tries what `check` cannot know, each thing with
     * one call of core/probe.h. Leaves no claim and no file behind. May wait, at most ps_probe_left_ms for each thing.
     * The plan is bound but not built. Thread: control, or the helper thread of a reload. */
    void (*probe)(const void *plan, struct ps_context *context, const struct ps_probe *probe);
    /* Calls `add` for each file that the open stage reads once (a key): if one has changed, a reload treats
     * the stage as changed. The plan is bound but not built. Thread: control. */
    void (*files)(const void *plan, void (*add)(void *argument, const char *path), void *argument);
    /* For a reload: reads the stage's own files again (rules). Does not wait. Thread: control. */
    void (*reread)(const void *plan);
    /* A source, or a stage of its chain: returns whether it runs on with earlier data, because a file of its
     * own (rules) is not usable now or (positions) cannot be written; writes file and reason to `text`, one
     * line. For /readyz. Does not wait. Thread: any, while the plan is built. */
    bool (*outdated)(const void *plan, char *text, size_t room);
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
        const struct ps_deserializer_ops *deserializer;
    };

    /* Source, channel: calls `add` for each file or directory that only one source of its type, or one
     * channel, may use (conf/validate/claims.c). The plan is bound but not built. Thread: control. */
    void (*claims)(const void *plan, const struct ps_context *context,
                   void (*add)(void *argument, const struct ps_claim *claim), void *argument);
    const char *const *counter_helps; /* a sentence for each of `counters`; NULL-terminated; or NULL */
    /* Source, sink: returns the number of events of a transaction, which the channel's transactionCapacity must allow;
     * 0: this plan has none. NULL: the value of row batchSize. The plan is bound but not built. Thread: control. */
    int64_t (*batch_events)(const void *plan);
    /* Source, stage of a chain, sink: returns whether it is open but still waits for what it started (a
     * process); writes to `text`, in one line, for what and since when. /readyz shows it as not open. Does
     * not wait. Thread: any, while the plan is built. */
    bool (*opening)(const void *plan, char *text, size_t room);
};

/* Checks that a stage was made for this contract, before any other part of the stage is read. `err` gets the reason on
 * PS_FAIL. Thread: any. */
enum ps_status ps_stage_fits(const struct ps_stage_ops *ops, struct ps_err *err);

/* Finds a stage by name, alias or class name, in any case; `stages` ends with NULL. Returns NULL if there is none.
 * Thread: any. */
const struct ps_stage_ops *ps_stage_find(const struct ps_stage_ops *const *stages, enum ps_kind kind,
                                         const char *type);
const char *ps_stage_kind_word(enum ps_kind kind); /* "source" */
