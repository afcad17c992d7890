/* The port: the engine's services for one open instance of a stage (core/stage.h), and the functions by which leases
 * and news leave the stage. Dead letters are in core/stage.h. */
#pragma once

#include "core/backoff.h"
#include "core/clock.h"
#include "core/counters.h"
#include "core/flow/batch.h"
#include "core/log/backoff.h"
#include "core/status.h"

struct ps_chain_share;       /* core/stage.h */
struct ps_dead_letter_queue; /* core/deadletter/queue.h */
struct ps_pool;

struct ps_runner; /* the engine's side of an open stage */

/* What an open source, or sink, lacks for its work (ps_port_lacks). */
enum ps_lack {
    PS_LACK_NONE,
    PS_LACK_INPUT, /* there is nothing to read, by the source's settings or because all is read: still ready */
    PS_LACK_NEVER, /* since `open` it has not reached what it reads from */
    PS_LACK_LOST,  /* it had reached it, and does not reach it now */
    PS_LACK_GONE,  /* what it reads from does not exist, no longer exists, or refuses this user */
};

/* Returns "has lost its input", of a sink "has lost its destination". Not for PS_LACK_NONE. */
const char *ps_lack_text(enum ps_lack lack, bool is_sink);

#define PS_DISCARD_REASONS 4U
/* How often a port has said that input is thrown away (ps_port_discard). */
struct ps_discards {
    struct {
        struct ps_log_backoff said;
        uint64_t count;
    } reasons[PS_DISCARD_REASONS];
};

struct ps_histogram;

/* The engine's services for one open instance; valid from `open` to `close`. */
struct ps_port {
    const char *component; /* for the log */
    const char *name;
    struct ps_counters *counters;
    unsigned instance;  /* number of this instance: 0 .. instances - 1 */
    unsigned instances; /* number of workers that run this stage */
    /* Sources, and sinks with `sockets`: an epoll instance of its own. Add non-blocking sockets to it, with any data,
     * and call epoll_wait(.., 0) on it: a source in `work`, a sink in `tick`. It is level-triggered: the worker does
     * not sleep while it is readable, so read everything that waits, and ask for EPOLLOUT only while bytes wait to be
     * sent. The engine makes it before `open`, and closes it after `close`.
     *
     *   source  The worker watches it while the engine calls `work`, so not while a channel is full.
     *   sink    The worker watches it from `open` until the sink is recalled: also while the sink backs off,
     *           waits for its group's turn, drains, or has no lease. The worker does not watch it during the recall:
     *           then the engine calls `recall` every millisecond.
     *
     * -1 for other stages, and in the simulator. A channel's functions get the port of the calling source or
     * sink, whose epoll is not for the channel: a channel uses worker_epoll_fd, or wake_fd. */
    int epoll_fd;
    /* The worker's own epoll, for descriptors of a channel: the worker does not sleep while one of them is readable.
     * It stays the same while the channel's consumers change. Simulator: -1. */
    int worker_epoll_fd;
    /* An eventfd: eight bytes written to it wake the worker. For threads of libraries and helpers. Simulator: -1. */
    int wake_fd;
    struct ps_chain_share *chain; /* interceptors, selectors: shared by this open instance of the chain */
    /* For buffers that outlive a batch (partial lines). They count in the memory budget. Thread: the home worker. */
    struct ps_block_cache *blocks;
    /* The batch pool of this worker, for a channel that reads batches back for this sink (core/flow/channel.h). */
    struct ps_pool *pool;
    /* Takes this stage's dead letters (penstock.deadletter); NULL: none. A chain's stages use the source's. */
    struct ps_dead_letter_queue *dead_letter_queue;
    /* Sinks: penstock.retry.max (0: no limit), .backoff and .backoff.max. */
    uint32_t retry_max;
    uint64_t retry_step_ns, retry_rest_max_ns; /* 0: Flume's; call ps_port_rest_ns */
    struct ps_runner *runner;
    /* Take leases from a stage. Set by the engine or by a test; stages call ps_port_done and ps_port_home. */
    void (*done)(struct ps_port *port, struct ps_lease **lease);
    void (*home)(struct ps_port *port, struct ps_lease **lease);
    /* Set by the engine or by a test; `halted` and `troubled` may be NULL. Stages call ps_port_failed and so on. */
    void (*failed)(struct ps_port *port, const struct ps_err *reason);
    void (*halted)(struct ps_port *port, const char *reason);
    void (*troubled)(struct ps_port *port, const struct ps_err *reason);
    /* Set by the engine, or by a test; may be NULL. Stages call ps_port_lacks. */
    void (*lacks)(struct ps_port *port, enum ps_lack lack, const char *reason, int level);
    enum ps_lack lack;           /* as reported last */
    struct ps_discards discards; /* of ps_port_discard */
    bool hands_over; /* sinks: other sinks of its group get its failed leases (ps_port_troubled) */
    bool in_part;    /* sinks: ps_port_troubled_in_part is under way */
    /* Sinks: the engine logs the sink's failures now. A stage asks ps_port_outage_level each time: this changes while
     * it is open. */
    bool is_logged;
    /* A sink sets it while it can take no lease and holds none, for example while its process starts: other sinks of
     * its channel may take the offered one. The sink has not changed that lease. */
    bool declines;
    struct ps_log_backoff outage; /* of ps_port_tries_again */
    bool planned; /* ps_port_failed of penstock's own stages: no failure; opened again immediately */
    /* An interceptor sets it with PS_LATER when a process that it needs does not run. A stop waits 6 s for this. */
    bool is_down;
    /* An interceptor sets it with PS_BACKOFF when the batch may fit with fewer events. The engine clears it. */
    bool is_too_large;
    /* Sinks: set before the recall of a stop. What the sink gives back then is delivered by the next start, from
     * where its sources or its durable channel go on, not by another sink now. */
    bool ends;
    /* Sinks: a sink that knows when an event left the process records how long before the source had read it, in ns
     * (penstock_sink_send_latency_seconds). Set by the engine, or NULL. */
    struct ps_histogram *send_latency;
};

/* Reports that the open stage cannot continue, and that only opening it again can help (a client library reported a
 * fatal error). Any function of an open source, of a stage of its chain, or of a sink may call it; the first reason
 * counts. The engine logs the reason, shows it in /readyz, counts it in `failures`, and closes the stage, a source
 * with its whole chain; 3 s later it is opened again, as after a failed open. Before `close`:
 *
 *   source, ACCEPTED            The engine first puts the events already read into the channels, and calls
 *                               `accepted` or `refused` for them. It no longer calls `work` and `tick`.
 *   source, DURABLE, DELIVERED  The engine gives up the events not put yet, and does not call `delivered` for
 *                               those in flight: the reopened source reads from its last position.
 *   sink                        The engine calls `recall` until it returns true. The leases that `recall`
 *                               gives back, and the one that was offered, wait in the channel for the
 *                               reopened sink. `work`, `tick` and `drain` are no longer called. */
static inline void ps_port_failed(struct ps_port *port, const struct ps_err *reason)
{
    port->failed(port, reason);
}

/* Reports that the open source has stopped reading by its own rule (spooldir: a file has changed), and has
 * logged the reason: /readyz, the dump and the metrics show it. The source stays open until a restart, or a
 * reload that changes it. Any function of a source may call it. */
static inline void ps_port_halted(struct ps_port *port, const char *reason)
{
    if (port->halted != NULL)
        port->halted(port, reason);
}

/* Reports what the open source or sink lacks; PS_LACK_NONE: nothing. Any function of it may call this, at every cycle
 * with the same arguments. A sink calls it where it knows of its destination before its events fail; not before it
 * knows anything. The engine logs the reason when it begins or changes, and after 1, 2, 4, .. minutes, and the end.
 * /readyz, the dump and the metrics show it with its time. `reason`: one line, without numbers that change. `level`
 * (enum ps_log_level): PS_LOG_WARN, or PS_LOG_DEBUG where the source logs the reason itself. */
static inline void ps_port_lacks(struct ps_port *port, enum ps_lack lack, const char *reason, int level)
{
    if (lack == PS_LACK_NONE && port->lack == PS_LACK_NONE)
        return;
    port->lack = lack;
    if (port->lacks != NULL)
        port->lacks(port, lack, reason, level);
}

/* Returns how long a sink rests after `failures` in a row: by penstock.retry.backoff and .backoff.max, else 1 s, 2 s
 * .. 5 s, as Flume's sink runner. The engine calls it for PS_RETRY; a sink that keeps its leases calls it itself. */
static inline uint64_t ps_port_rest_ns(const struct ps_port *port, uint64_t failures)
{
    uint64_t max_ns = port->retry_rest_max_ns > 0 ? port->retry_rest_max_ns : 5 * PS_NS_PER_S;
    uint64_t step_ns = port->retry_step_ns > 0 ? port->retry_step_ns : PS_NS_PER_S;
    return ps_backoff_linear(step_ns, max_ns, failures);
}

/* Reports a failed attempt of a sink that keeps trying by itself (PS_TAKEN) where Flume's sink would roll back. Any
 * function of the sink may call it. In a sink group with other sinks this is a failure of the sink, as by
 * ps_port_failed: its leases go to the next sink. If other sinks of its channel can take its leases, the engine recalls
 * and closes the sink, too, but counts no failure; it opens the sink again, and gives it one lease at a time until it
 * has delivered one. Elsewhere the report changes only what is shown of the sink. */
static inline void ps_port_troubled(struct ps_port *port, const struct ps_err *reason)
{
    if (port->troubled != NULL)
        port->troubled(port, reason);
}

/* The same, where the sink goes on with the other parts of its destination (files, partitions of a table): outside a
 * group it gives nothing back. */
static inline void ps_port_troubled_in_part(struct ps_port *port, const struct ps_err *reason)
{
    port->in_part = true;
    ps_port_troubled(port, reason);
    port->in_part = false;
}

/* Returns a lease to its home worker, from the worker of this port. */
static inline void ps_port_home(struct ps_port *port, struct ps_lease **lease)
{
    port->home(port, lease);
}

/* Gives back a lease that the sink took (PS_TAKEN) and has settled, and counts it as delivered. Call it for
 * the leases in the order taken; a lease whose batch has `any_order` may come before older ones. */
static inline void ps_port_done(struct ps_port *port, struct ps_lease **lease)
{
    port->done(port, lease);
}
