/* A runner is the engine's side of one open stage: a source instance with its chain, or a sink, on its
 * worker. Thread: that worker, unless a field or function says otherwise. */
#pragma once

#include <pthread.h>

#include "core/sink/deadletter_pending.h"
#include "core/flow/bump.h"
#include "core/watch/histogram.h"
#include "core/engine/dead_letter_channel.h"
#include "core/engine/plan.h"
#include "core/watch/tap.h"
#include "core/flow/window.h"

struct ps_worker;

enum ps_runner_state {
    PS_RUNNER_CLOSED,
    PS_RUNNER_OPEN,
    PS_RUNNER_ENDING, /* the open stage reported a failure: to be closed, and then FAILED */
    PS_RUNNER_FAILED, /* closed; to be opened again */
};

/* The dump's data of a runner. The worker writes it at the end of each turn; any thread reads it, relaxed. */
struct ps_runner_look {
    uint64_t held;           /* source: batches that are not returned; sink: leases */
    uint64_t open_events;    /* source: events in the open batch */
    uint64_t rests_until_ns; /* monotonic: end of the backoff */
    uint64_t waits_since_ns; /* monotonic; 0: the runner does not wait */
    uint32_t waits_for;      /* enum ps_metrics_wait */
};

/* The time for which a stop waits for the next delivery when no event is lost without it. */
#define PS_STOP_PATIENCE_NS (500 * PS_NS_PER_MS)
/* The time for which a stop waits for an interceptor that continues to fail, before it gives up events that nobody
 * else has; and for which a reload that changes the interceptors waits for it, before the new ones get the events. It is
 * longer than the longest rest between two tries, so that at least one is made after the stop or reload began. */
#define PS_STOP_FAILING_NS (6 * PS_NS_PER_S)
/* The rest before a stage that failed is opened again, as that of Flume's lifecycle supervisor. */
#define PS_OPEN_RETRY_NS (3 * PS_NS_PER_S)

/* The part that source and sink runners share: opening, and data for metrics. */
struct ps_runner {
    struct ps_worker *worker;
    const struct ps_stage_spec *spec;
    void *state; /* ops->state_size bytes */
    struct ps_port port;
    struct ps_counters *counters;
    uint64_t retry_ns;    /* FAILED: when to try again */
    uint64_t deadline_ns; /* monotonic: when the runner must have its next turn at the latest */
    uint32_t status;      /* enum ps_runner_state; relaxed reads from any thread */
    uint32_t halted; /* OPEN: the source reads nothing more (ps_port_halted); relaxed reads from any thread */
    bool watched;    /* the stage's epoll wakes the worker */
    uint32_t lack;   /* enum ps_lack: of the open stage; relaxed reads from any thread */
    /* wall clock: since when the stage is not open although it should be, or lacks something; 0: neither. Relaxed reads from any thread */
    int64_t since_ms;
    struct ps_log_backoff lacking; /* the lack that is logged */
    bool
        keeps_lack; /* a sink that is set back (core/engine/sink/setback.h): what it lacks lasts while it is closed */
    bool reached;        /* a sink: it has delivered events since it was configured */
    uint64_t lacking_ns; /* monotonic: when the lack began; relaxed reads from any thread */
    int64_t start_ms, stop_ms;
    pthread_mutex_t lock; /* guards error; taken when opening or halting, never in ordinary work */
    /* why the stage failed or halted, until it is open again; or why a sink cannot deliver now */
    char error[256];
    struct ps_log_backoff failure; /* the failures that are logged as one outage */
    bool failure_said;             /* the log has had a failure, and not that it is over */
    struct ps_runner_look look;
    struct ps_tap *tap;
    /* The agent's name, and the directory for the stage's dead letters; NULL: there are none, or they go to a channel. */
    const char *letters_agent, *letters_directory;
    struct ps_dead_letter_channel *letters; /* puts the stage's dead letters into a channel; or NULL */
    unsigned instance;
    bool group_logs; /* the sink's group logs its failures */
};

/* An opened sub-stage of a source's chain. */
struct ps_link {
    const struct ps_stage_spec *spec;
    void *state;
    struct ps_tap *tap; /* shows the events that leave the interceptor; NULL for a selector */
    struct ps_port port;
};

/* The chain of one source instance. A reload may exchange it while the source stays open (ps_chain_exchange). */
struct ps_links {
    struct ps_link *interceptors;
    size_t interceptor_count;
    struct ps_link selector;
    struct ps_chain_share share; /* shared by the open links */
    bool ticks;                  /* an interceptor has a `tick` */
    bool open;
};

/* How many batches were closed for each reason since the last log line about it; counted only at DEBUG. */
struct ps_source_closes {
    uint64_t full, hungry, asked, draining, events;
    uint64_t said_ns;
};

struct ps_source_runner {
    struct ps_runner base;
    const struct ps_source_plan *plan;
    struct ps_channel_plan *channels; /* of the plan */
    const unsigned *producers;        /* the runner's producer number at each of the source's channels */
    struct ps_links *links; /* other threads read them only while the control thread holds the agent's lock */
    /* After a reload that exchanged the chain: the previous plan's links, through which input already read goes. Else NULL. */
    struct ps_links *old_links;
    uint64_t exchange_ns; /* when that input was first seen in the old links; 0: not yet */
    uint64_t reopen_ns;   /* when a chain that a reload could not open is opened again for that input */
    struct ps_route *route;
    struct ps_bump bump;
    struct ps_window *window;
    struct ps_batch *batch; /* the open one, which the source fills */
    uint32_t rows_max;      /* maximum for a batch, because events grow in the chain; 0: not known yet */
    struct {
        /* the chain's lease of the closed batch that is in the chain or waits for a channel; or NULL */
        struct ps_lease *lease;
        uint64_t wait_ns; /* when the chain began to wait; 0: it does not wait */
        /* index of the next interceptor; number of interceptors + 1: the selector is done too */
        size_t stage;
        bool routed;
        bool fails; /* an interceptor cannot handle the batch now (PS_BACKOFF) */
        bool rests; /* `fails` is set, or a process that an interceptor needs is down (ps_port.is_down) */
        uint64_t failed_ns; /* when the chain first rested; 0: it has not */
        bool halves; /* the interceptor cannot handle the whole batch at once: the batch must be halved */
        /* Leases of the later halves of that batch, in order (core/engine/source/halves.c). Each enters the chain
         * when the one before it has left it, so none waits while `lease` is NULL. */
        struct ps_lease *rest;
    } chain;
    struct ps_lease **pending; /* by slot (2 * channel + optional): leases that are made and not put yet */
    struct ps_carved *marks;   /* by channel: mark of the lease that was put last */
    /* Leases that an earlier, closed runner of this source could not put, oldest first; this runner puts them first. In
     * a closed runner: the leases that the next runner must put. */
    struct ps_lease *inherited;
    bool waiting; /* the source was called with `paused` true */
    /* PS_REFUSE_TOGETHER: a batch was refused, and since then no channel had room and the source always had input.
     * That input arrived during the same wait, so it is refused immediately. */
    bool refuses;
    uint64_t waiting_since_ns;
    uint64_t blocked; /* time spent waiting, see ps_source_runner_blocked_ns; any thread reads it */
    uint64_t backoff_until_ns;
    unsigned backoff_count;
    bool draining, drained;
    /* While the source drains: */
    struct {
        bool answered; /* the source reads nothing more, and no answer or promise is pending */
        bool ends;     /* the agent stops */
        /* the source need not wait, because at the next start it reads the undelivered events again */
        bool rereads;
        uint64_t ends_ns; /* when the agent's stop began; 0: not known yet */
        bool gives_up;    /* the source need not wait, because an interceptor still fails for its batch */
        /* batches that are not home, and the time since which this number has not changed; 0: not known yet */
        uint64_t out_count, out_since_ns;
        /* the channels stay with their events, so the source does not wait for its batches */
        bool leaves_batches;
        /* one of the source's channels has no sink (strands), and moreover promises nothing (strands_unpromised) */
        bool strands, strands_unpromised;
    } ending;
    /* bit i: the worker has joined the waiters of the source's i-th channel */
    uint64_t joined;
    struct ps_histogram *batch_events; /* events of each closed batch */
    struct ps_source_closes closes;
};

/* The attempts of a sink that fail while others succeed (core/engine/sink/stuck.h). */
struct ps_sink_stuck {
    uint64_t left; /* leases of the ended round that the sink still has; 0: no attempt has failed */
    uint32_t failures;
    bool round; /* of the leases that the sink takes now */
    uint64_t began_ns;
    int64_t began_ms;
    int64_t since_ms; /* wall clock; 0: it is not stuck. Any thread reads it */
};

struct ps_sink_runner {
    struct ps_runner base;
    const struct ps_sink_plan *plan;
    const struct ps_sink_spec *spec;
    struct ps_sink_group *group; /* its sink group; or NULL */
    struct ps_channel_plan *channel;
    unsigned consumer;
    struct ps_counters *channel_counters; /* counters of this consumer of the channel */
    /* lease taken from the channel that the sink has not accepted yet */
    struct ps_lease *offered;
    uint64_t inflight;                    /* leases that the sink holds */
    uint64_t inflight_bytes, quota_bytes; /* the memory that those leases keep in use; its limit */
    uint64_t backoff_until_ns;
    unsigned failures; /* rollbacks in a row */
    /* how often in a row its far end did not take what it held (core/engine/sink/setback.h); 0: the last one was taken */
    unsigned setbacks;
    struct ps_log_backoff setback_log;
    uint32_t gives_back; /* it is closed only to give back what it holds; any thread reads it */
    struct ps_deadletter_pending dead_letters; /* of the offered lease, after its last attempt */
    bool recalled, empty;
    bool closed; /* by CLOSE, which a stop orders twice */
    bool leaves; /* the sink takes no more leases, because events may stay in the channel */
    bool told;   /* ENDING, FAILED: the sink's group knows of this failure */
    bool given;  /* the sink's group has counted the offered lease as this sink's */
    bool wants;  /* the sink would take another lease: the channel was empty, or the sink's turn was over */
    bool joined; /* the worker has joined the channel's waiters */
    struct ps_lease *recall_list;
    struct ps_histogram latency;      /* from a batch's opening to its delivery, per event */
    struct ps_histogram send_latency; /* see struct ps_port */
    /* Monotonic: when the sink last delivered something, or last had nothing to deliver. Any thread reads it. */
    uint64_t progress_ns;
    /* While the agent stops: the time since which no event is lost if the sink delivers nothing more; 0: events would be lost. */
    uint64_t free_since_ns;
    /* failures in a row of the open sink, since its last delivery; any thread reads it */
    uint32_t trouble_count;
    struct ps_sink_stuck stuck;
    bool has_reason;     /* the sink has reported a reason since `work` was called last */
    bool in_part;        /* that reason was one of ps_port_troubled_in_part */
    bool works;          /* the sink's `work` is being called */
    uint32_t has_events; /* the sink holds leases, or its channel is not empty; any thread reads it */
    /* For a sink of a group; any thread reads them. */
    uint32_t member_state; /* enum ps_metrics_member */
    uint64_t penalised_until_ns;
};

/* ---- base (core/engine/runner.c) ---- */
void ps_runner_init(struct ps_runner *runner, struct ps_worker *worker, const struct ps_stage_spec *spec,
                    unsigned instance, unsigned instances);
void ps_runner_fini(struct ps_runner *runner);
/* Sets where the runner's dead letters go: `deadletter` is the value of penstock.deadletter, or NULL. Called when the runner is made. */
void ps_runner_set_letters(struct ps_runner *runner, struct ps_plan *plan, const char *deadletter,
                           const struct ps_dead_letter_target *target);
/* Opens port.dead_letter_queue if the stage has dead letters and it is not open yet. Returns false if it cannot be
 * opened: this counts as a failed open of the stage. */
bool ps_runner_open_dead_letter_queue(struct ps_runner *runner, const struct ps_now *now);
/* Returns whether every dead letter of the stage is on disk, or its channel has promised it. */
static inline bool ps_runner_letters_written(const struct ps_runner *runner)
{
    const struct ps_dead_letter_queue *queue = runner->port.dead_letter_queue;
    return PS_LIKELY(queue == NULL) ||
           ps_dead_letter_queue_written(queue) == ps_dead_letter_queue_sent(queue);
}
/* Opens the stage when it is closed, or when it failed to open and the next try is due. Returns whether it is open. */
bool ps_runner_open(struct ps_runner *runner, const struct ps_now *now);
/* Returns whether ps_runner_open would try to open a stage that is closed: its last open did not fail, or the backoff is over. */
bool ps_runner_may_open(const struct ps_runner *runner, const struct ps_now *now);
/* Called when the stage, or a link of its chain (`failed`), could not be opened. Logs and counts the failure, keeps the
 * reason for metrics and /readyz, and sets the time of the next try. */
void ps_runner_fail(struct ps_runner *runner, const struct ps_stage_spec *failed, const struct ps_err *err,
                    const struct ps_now *now);
/* Sets whether the worker watches the stage's epoll, if it has one. When this is impossible the stage fails (ps_port_failed). */
void ps_runner_watch(struct ps_runner *runner, bool watch);
/* Closes the open stage in the next cycle, and opens it again in the one after: no failure. */
void ps_runner_restart(struct ps_runner *runner);
/* ENDING: closes the stage and sets the time of the next try. */
void ps_runner_end(struct ps_runner *runner, const struct ps_now *now);
void ps_runner_close(struct ps_runner *runner, const struct ps_now *now);
/* Thread: any. */
static inline enum ps_runner_state ps_runner_state(const struct ps_runner *runner)
{
    return (enum ps_runner_state)__atomic_load_n(&runner->status, __ATOMIC_RELAXED);
}
/* Returns whether the runner's stage is open and works. Thread: any. */
static inline bool ps_runner_is_open(const struct ps_runner *runner)
{
    return ps_runner_state(runner) == PS_RUNNER_OPEN;
}
/* Returns whether the runner's stage was opened and is not closed yet. */
static inline bool ps_runner_has_stage(const struct ps_runner *runner)
{
    return runner->status == PS_RUNNER_OPEN || runner->status == PS_RUNNER_ENDING;
}

void ps_runner_set_error(struct ps_runner *runner, const char *text);
/* For ps_port.lacks. (core/engine/lack.c) */
void ps_runner_lacks(struct ps_port *port, enum ps_lack lack, const char *reason, int level);
/* Forgets what the source or sink lacked, without a line in the log; nothing if it keeps that. */
void ps_runner_forget_lack(struct ps_runner *runner);
/* Notes since when the stage is not as it should be; nothing if it is noted already. */
void ps_runner_note_trouble(struct ps_runner *runner, int64_t wall_ms);
/* Publishes the data for the dump. Called at the end of each turn. */
void ps_runner_note(struct ps_runner *runner, const struct ps_runner_look *look);
void ps_source_runner_note(struct ps_source_runner *runner);

/* ---- source ---- */
struct ps_source_runner *ps_source_runner_create(struct ps_worker *worker, struct ps_plan *plan,
                                                 size_t source, unsigned instance);
/* Returns how long, in nanoseconds, the source has waited for full channels, the current wait included. `mono_ns` is
 * now; 0: the function reads the clock. Thread: any that keeps the plan alive. */
uint64_t ps_source_runner_blocked_ns(const struct ps_source_runner *runner, uint64_t mono_ns);
/* Begins or ends a wait for a full channel or for memory; for source/runner.c. */
void ps_source_runner_wait(struct ps_source_runner *runner, bool wait, const struct ps_now *now);
/* Counts a closed batch, for the lines of DEBUG. */
void ps_source_runner_count_close(struct ps_source_runner *runner, const struct ps_batch *batch,
                                  const struct ps_now *now);
void ps_source_runner_destroy(struct ps_source_runner *runner);
/* Runs one turn. Returns whether something moved. */
bool ps_source_runner_cycle(struct ps_source_runner *runner, const struct ps_now *now);
/* Takes no new input from now on. `next`: the plan that follows; NULL: none. When it keeps all channels, drained
 * means that no answer is pending; else that all batches are returned. */
void ps_source_runner_drain(struct ps_source_runner *runner, const struct ps_plan *next);
/* Between two plans that both have the source: reads nothing and puts nothing, but calls `tick` of the source (a consumer must poll its broker)
 * and, if `has_channels`, of its channels. `has_channels` is false while control strips the channels. */
void ps_source_runner_pause(struct ps_source_runner *runner, bool has_channels, const struct ps_now *now);
/* Uses the next plan's channels from now on; leases pending for a channel go to the one of the same name. When that
 * plan has another chain for the source, the next turns exchange it (runner->old_links). */
void ps_source_runner_adopt(struct ps_source_runner *runner, struct ps_plan *plan, size_t source);
/* Closes the stage. `next`: the plan that follows; NULL: none. Leases pending for a channel that `next` keeps are left to the source that
 * follows (ps_source_runner_inherit); others are appended to *left; ps_lease_home.channel has the channel's number. */
void ps_source_runner_close(struct ps_source_runner *runner, const struct ps_plan *next,
                            struct ps_lease **left, const struct ps_now *now);

/* ---- what a closed source leaves to the next one (core/engine/source/inherit.c) ---- */
/* Leaves the leases of a runner that is being closed: see ps_source_runner_close. */
void ps_source_runner_leave_leases(struct ps_source_runner *runner, const struct ps_plan *next,
                                   struct ps_lease **left);
/* Called when the runner follows a closed one of the same name and instance. Takes over the leases that the closed runner left. */
void ps_source_runner_inherit(struct ps_source_runner *runner, struct ps_source_runner *closed);
/* Gives leases the numbers of the runner's channels; `channels`: the list to which their present numbers belong. */
void ps_source_runner_renumber(const struct ps_source_runner *runner, struct ps_lease *list,
                               const struct ps_channel_plan *channels);
/* Puts the leases for which there is room, even when the source is closed. Returns whether something was put. */
bool ps_source_runner_put_inherited(struct ps_source_runner *runner, const struct ps_now *now);

/* ---- what a source puts (core/engine/source/put.c) ---- */
/* The interval at which a source checks again for room for dead letters: their writer wakes the worker only for
 * the worker's own dead letters. */
#define PS_SOURCE_LETTERS_LOOK_NS (10 * PS_NS_PER_MS)
/* Makes the worker wake for this source at this time at the latest. */
void ps_source_runner_wake_at(struct ps_source_runner *runner, uint64_t mono_ns);
/* Continues with the closed batch: the chain, then the puts. Returns true when no closed batch is left. */
bool ps_source_runner_put(struct ps_source_runner *runner, const struct ps_now *now);
/* Lets the source's channels give back the leases that they have promised. */
void ps_source_runner_tick_channels(struct ps_source_runner *runner, const struct ps_now *now);
/* Withdraws the leases that were not put. */
void ps_source_runner_withdraw(struct ps_source_runner *runner);
/* Writes why a channel does not take the source's lease: it is full, or cannot write (core/engine/source/wait.c).
 * Returns false if no lease waits for a channel. */
bool ps_source_runner_why_full(const struct ps_source_runner *runner, char *text, size_t room);
/* Forgets the leases that a chain has made before it was given up: the window counts the leases of a batch only when all of them are made. */
void ps_source_runner_forget_chain(struct ps_source_runner *runner);
/* Called when the batch has left the chain. Returns the chain's own lease. */
void ps_source_runner_end_chain(struct ps_source_runner *runner);
/* Called when a batch has entered the window. The batch enters the chain at interceptor number `stage`. */
void ps_source_runner_begin_chain(struct ps_source_runner *runner, struct ps_lease *chain, size_t stage);

/* ---- a batch of which an interceptor makes too much (core/engine/source/halves.c) ---- */
/* Called when an interceptor has set ps_port.is_too_large. */
void ps_source_runner_too_large(struct ps_source_runner *runner, struct ps_port *port);
/* Leaves the first half of the chain's events in the chain. Returns false when there is no memory. */
bool ps_source_runner_halve(struct ps_source_runner *runner);
/* Called when the batch before has left the chain. The next half enters the chain. */
void ps_source_runner_begin_half(struct ps_source_runner *runner);
/* Gives up the halves that have not entered the chain. Returns the number of their events. */
uint32_t ps_source_runner_drop_halves(struct ps_source_runner *runner);

/* ---- a chain that a reload exchanges (core/engine/source/exchange.c) ---- */
/* Called while input that was read before the reload is in the old chain. Returns false while it has time left; then
 * makes it ready to go through the new chain from the beginning, and returns true: the caller exchanges the chains. */
bool ps_source_runner_leave_old_chain(struct ps_source_runner *runner, const struct ps_now *now);
/* Called while a source that failed still has input that it cannot read again. If that input waits for a chain that a reload
 * could not open, tries every PS_OPEN_RETRY_NS to open it. */
void ps_source_runner_reopen_chain(struct ps_source_runner *runner, const struct ps_now *now);

/* ---- what a source learns (core/engine/source/answers.c) ---- */
/* Returns whether the source reads undelivered events again from its position. */
bool ps_source_runner_is_replayable(const struct ps_source_runner *runner);
/* Returns whether the source waits until a lease that was put into this channel is returned: the source needs more than
 * the put, or the channel promises more by the return. */
bool ps_source_runner_waits_for(const struct ps_source_runner *runner, const struct ps_channel_plan *channel);
/* Makes a window that reports to the source. */
void ps_source_runner_open_window(struct ps_source_runner *runner);

/* Returns whether the batch in the chain is refused when a channel stays full: the source can refuse its clients, and
 * has not promised these events. */
bool ps_source_runner_refuses(const struct ps_source_runner *runner);
/* Reserves room in the channels for events that the source promises in advance, or gives that room up. */
void ps_source_runner_reserve(struct ps_source_runner *runner, const struct ps_now *now);
void ps_source_runner_reserve_nothing(struct ps_source_runner *runner);
/* Counts the accepted batch, and reports it to the source. */
void ps_source_runner_accept(struct ps_source_runner *runner, const struct ps_batch *batch,
                             const struct ps_now *now);
/* Reports to the source that the batch will not be accepted. `reason` is one line. */
void ps_source_runner_refuse(struct ps_source_runner *runner, struct ps_batch *batch, const char *reason,
                             const struct ps_now *now);
/* Called when an interceptor cannot handle the batch in the chain. Returns whether the source could refuse the batch, and has. */
bool ps_source_runner_chain_failed(struct ps_source_runner *runner, const struct ps_now *now);

/* ---- the chain (core/engine/chain.c) ---- */
struct ps_route *ps_route_create(size_t channel_count);
void ps_route_destroy(struct ps_route *route);
void ps_route_clear(struct ps_route *route);
/* Returns whether the row is routed to the channel. For `penstock rules`, which runs a selector by hand. */
bool ps_route_has(const struct ps_route *route, unsigned channel, bool required, uint16_t row);
/* Opens interceptors and selector. On failure nothing stays open, and the source has failed (ps_runner_fail). */
bool ps_chain_open(struct ps_source_runner *runner, const struct ps_now *now);
/* Closes the open links of the chain, and of the chain of the plan before if there is one. */
void ps_chain_close(struct ps_source_runner *runner);
/* Makes the links of a source's built chain, closed. */
struct ps_links *ps_links_create(struct ps_source_runner *runner, const struct ps_source_spec *spec);
void ps_links_destroy(struct ps_links *links);
/* Called when no batch is left in the old chain: closes and destroys it, and opens the new one if the old one was
 * open. If the new one cannot be opened, the source fails (ps_port_failed). */
void ps_chain_exchange(struct ps_source_runner *runner, const struct ps_now *now);
/* Runs the rest of the chain and makes the leases (runner->pending). Returns false when it must be called again. */
bool ps_chain_run(struct ps_source_runner *runner, const struct ps_now *now);
/* Calls the interceptors that want to be called at every cycle. Returns when they must be called again, or PS_NEVER. */
uint64_t ps_chain_tick(struct ps_source_runner *runner, const struct ps_now *now);
/* Called when an interceptor could not handle the batch: the next batches have fewer events, because one event may be the cause. */
void ps_chain_fewer_rows(struct ps_source_runner *runner);
/* Returns how many rows a batch may have: fewer when the interceptors make events much longer, or more of them. */
uint32_t ps_chain_rows_max(const struct ps_source_runner *runner);

/* ---- attempts of a sink (core/engine/sink/dead_letters.c) ---- */
void ps_sink_runner_set_retries(struct ps_sink_runner *runner, const struct ps_sink_common *common);
/* Returns whether the attempts of the offered lease are used up; the writing of its dead letters has then begun. */
bool ps_sink_runner_gives_up(struct ps_sink_runner *runner);
/* Continues writing the dead letters. Returns true when every event of the lease is settled; false: call it again. */
bool ps_sink_runner_write_dead_letters(struct ps_sink_runner *runner);

/* ---- waking workers (core/engine/waiting.c) ---- */
/* Wakes one worker with a sink that waits for a lease. Called after each put. */
void ps_wake_consumer(struct ps_worker *worker, const struct ps_channel_plan *channel);
/* Called when the channel took this lease, with an answer other than PS_PUT_FULL: makes the source wait for the lease, or wakes a consumer.
 * Another thread may have the lease already, but the lease is returned to this worker, so it still exists. */
void ps_channel_took(struct ps_worker *worker, const struct ps_channel_plan *channel, struct ps_lease *lease,
                     enum ps_put put);
/* Wakes the workers with a source that waits for room. Called after leases were taken. */
void ps_wake_producers(struct ps_worker *worker, const struct ps_channel_plan *channel);
/* Called when the sink will not take a lease now: if the channel has one, wakes a worker with a sink that will. */
void ps_sink_runner_pass_on(struct ps_sink_runner *runner);
/* Called before the worker parks, and again before it sleeps: joins the waiters for the channels that block this
 * runner. Returns whether it must look again first. */
bool ps_source_runner_join(struct ps_source_runner *runner);
bool ps_sink_runner_join(struct ps_sink_runner *runner);
/* Called when a producer that stops finds no room in the channel for its first lease, or finds room again: until then the channel's sinks make
 * room, even if they may leave events there (ps_sink_runner_may_leave). Wakes their workers. Thread: the producer's worker. */
void ps_hold_back(struct ps_worker *worker, const struct ps_channel_plan *channel, unsigned producer,
                  bool held_back);
/* The same for all channels of a source. `stops` false: no producer of the source stops any longer. */
void ps_source_runner_hold_back(struct ps_source_runner *runner, bool stops);
/* Returns whether a producer of this channel stops and waits for room. Thread: any. */
bool ps_is_holding_back(const struct ps_channel_plan *channel);
/* Called when the worker is awake again. Leaves the waiters that the runner has joined. */
void ps_source_runner_leave(struct ps_source_runner *runner);
void ps_sink_runner_leave(struct ps_sink_runner *runner);

/* ---- sink ---- */
struct ps_sink_runner *ps_sink_runner_create(struct ps_worker *worker, struct ps_plan *plan, size_t sink);
void ps_sink_runner_destroy(struct ps_sink_runner *runner);
/* Runs one turn. `draining`: the sources have stopped, so an empty channel stays empty. Returns whether something moved. */
bool ps_sink_runner_cycle(struct ps_sink_runner *runner, bool draining, const struct ps_now *now);
/* Runs one turn of a sink that takes no lease until the next orders (ps_worker_sink_rests, or a sink that a reload
 * adopts, in CLOSE): serves the sockets and timers of the sink and of its channel. The sink gives no lease back. */
void ps_sink_runner_rest(struct ps_sink_runner *runner, const struct ps_now *now);
/* Returns whether the sink may have another lease, because its share of the memory is not used up. */
bool ps_sink_runner_has_room(const struct ps_sink_runner *runner);
/* Returns whether the events in its channel may stay there when the agent stops, or continues with a plan
 * that has the channel: the channel is durable, and no producer waits for room in it. */
bool ps_sink_runner_may_leave(const struct ps_sink_runner *runner);
/* While the agent stops: returns whether the stop need not wait longer for this sink, because the channel keeps the
 * undelivered events, or the sources read them again, and the sink has delivered nothing for a while. */
bool ps_sink_runner_need_not_wait(const struct ps_sink_runner *runner, const struct ps_now *now);
/* Returns whether the sink holds no lease, and its channel is empty or may keep its events. */
bool ps_sink_runner_is_idle(const struct ps_sink_runner *runner);
bool ps_sink_runner_holds_nothing(const struct ps_sink_runner *runner);
/* Hands the sink over to the next plan. */
void ps_sink_runner_adopt(struct ps_sink_runner *runner, struct ps_plan *plan, size_t sink);
/* Returns how long, in nanoseconds, the sink has had events without delivering any; 0: it has no events. Thread: any
 * that keeps the plan alive. */
uint64_t ps_sink_runner_stalled_ns(const struct ps_sink_runner *runner, uint64_t mono_ns);
/* Gives every lease that the sink holds back to the channel. Call it at each cycle until it returns true. */
bool ps_sink_runner_recall(struct ps_sink_runner *runner, const struct ps_now *now);
/* Calls the channel's `part` after the sink has given back its leases, unless `next` keeps the channel. Returns
 * whether `part` is done; the worker calls this function until it is. */
bool ps_sink_runner_part(struct ps_sink_runner *runner, const struct ps_plan *next, const struct ps_now *now);
/* Takes the leases that remain in a channel in memory without `strip`, and appends them to *left; control counts them.
 * Does nothing if `next` keeps the channel (`next` NULL: no plan follows). Call it when all sinks of the worker have
 * given back their leases, before any of these sinks is closed. */
void ps_sink_runner_take_rest(struct ps_sink_runner *runner, const struct ps_plan *next,
                              struct ps_lease **left, const struct ps_now *now);
/* Closes the stage. With `leaves`, which is for the last sink of its consumer, it also leaves the channel, unless `next` keeps it. */
void ps_sink_runner_close(struct ps_sink_runner *runner, const struct ps_plan *next, bool leaves,
                          const struct ps_now *now);
