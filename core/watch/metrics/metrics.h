/* Metrics: numbers about the running engine, and the pages made of them.
 *
 * The engine visits its components, rings and workers under the lock that keeps its plan alive, and passes plain
 * numbers. A snapshot copies them, so writing and sending a page does not touch the plan. Threads: the metrics
 * server's, several at a time; never a worker's. */
#pragma once

#include "core/counters.h"
#include "core/watch/histogram.h"
#include "core/watch/page.h"
#include "core/stage.h"
#include "core/watch/tap.h"

enum ps_metrics_state {
    PS_METRICS_OPEN,    /* works */
    PS_METRICS_OPENING, /* not open yet, or open failed and is tried again; `error` has the reason */
    PS_METRICS_CLOSED,  /* stopped */
    PS_METRICS_HALTED, /* a source that has stopped reading, by its own rule (ps_port_halted); `error` has the reason */
};

/* The role of a sink in its sink group. */
enum ps_metrics_member {
    PS_METRICS_MEMBER_NOT,       /* the sink is in no group */
    PS_METRICS_MEMBER_ACTIVE,    /* it gets leases */
    PS_METRICS_MEMBER_STANDBY,   /* failover: another sink is preferred */
    PS_METRICS_MEMBER_PENALISED, /* it failed, and is left out */
};

/* The reason for which a source waits, other than for input. */
enum ps_metrics_wait {
    PS_METRICS_WAITS_NOT,
    PS_METRICS_WAITS_FOR_CHANNEL, /* a channel is full */
    PS_METRICS_WAITS_FOR_MEMORY,  /* the budget is used up */
    PS_METRICS_WAITS_FOR_CHAIN,   /* an interceptor or the selector is not done with its batch */
};

/* One component: source, interceptor, selector, channel or sink, its instances added up. */
struct ps_metrics_component {
    enum ps_kind kind;
    const char *name;          /* "r1"; of an interceptor "r1/i1"; of a selector the name of its source */
    const char *type;          /* the stage's name: "syslogtcp", "file_roll" */
    int64_t start_ms, stop_ms; /* wall clock; stop_ms 0 while it runs */
    unsigned instances;
    enum ps_metrics_state state;
    /* the last error, while the component is not PS_METRICS_OPEN, fails or lacks something; else NULL */
    const char *error;
    enum ps_lack lack; /* sources and sinks that are PS_METRICS_OPEN */
    uint64_t lack_ns;  /* for how long */
    int64_t since_ms; /* wall clock: since when it is not open or lacks something; 0: neither, or not known */
    uint32_t trouble_count; /* sinks: failures in a row since it delivered something */
    int64_t
        stuck_ms; /* sinks: wall clock: since when it has tried some events in vain, while it delivers others; 0: none */
    /* ps_stage_ops.outdated: the file it does not use, or cannot write, and why; or NULL */
    const char *outdated;
    uint64_t counters[PS_COUNTER_COUNT];
    const char *const *extra; /* ps_stage_ops.counters: names of counters[PS_COUNTER_extra + i], or NULL. A
                                 name that ends in "_now" is a gauge, any other a counter */
    const char *const *extra_help;         /* ps_stage_ops.counter_helps, or NULL */
    const enum ps_counter *json_counters;  /* ps_stage_ops.json_counters, or NULL */
    struct ps_fill fill;                   /* channels */
    const struct ps_histogram *latency_ns; /* sinks: from reading an event to settling it; copied */
    /* sinks that know it: from reading an event to its last byte in the socket, or NULL; copied */
    const struct ps_histogram *send_latency_ns;
    const struct ps_histogram *batch_events; /* events of a batch or lease, or NULL */
    const struct ps_series *series;          /* numbers with a label; copied during the visit */
    size_t series_count;
    /* sinks: how long the sink has had events without delivering any; 0: it has no events */
    uint64_t stalled_ns;
    uint64_t workers;     /* sources, sinks: a bit for each worker that runs the component */
    uint64_t held;        /* sources: batches that are not returned; sinks: leases */
    uint64_t open_events; /* sources: in open batches */
    uint64_t rest_ns;     /* remaining backoff of the instance that backs off longest */
    const char *group;    /* sinks: its sink group, or NULL */
    enum ps_metrics_member member;
    uint64_t penalty_ns;            /* penalised: the remaining time; 0: until its turn */
    enum ps_metrics_wait waits_for; /* what the instance that waits longest waits for, with the time */
    uint64_t wait_ns;
};

/* A source puts into a channel, or a sink takes from it. */
struct ps_metrics_link {
    enum ps_kind kind; /* of the component */
    const char *component, *channel;
};

struct ps_metrics_ring {
    const char *channel;
    unsigned producer, consumer; /* number of the producer at its channel; worker of its (first) consumer */
    uint64_t size, capacity;     /* leases */
};

#define PS_SLOW_CYCLE_NS UINT64_C(1000000) /* a duty cycle that takes longer is slow */

struct ps_metrics_worker {
    unsigned id;
    int cpu; /* pinned to, or -1 */
    uint64_t cycles;
    uint64_t busy_ns, idle_ns; /* idle: spinning, yielding and parked */
    uint64_t cycle_max_ns;     /* the longest cycle since start, without idling */
    uint64_t slow_cycles;      /* above PS_SLOW_CYCLE_NS */
    uint64_t parked_count, wake_count;
    uint64_t heartbeat_ns; /* monotonic: when its last cycle began */
    bool parked;
    uint64_t batches_out; /* of its pool */
    uint64_t blocks_cached;
    uint64_t memory_waits; /* how often a source found the budget used up */
    const char *doing;     /* the component that the worker calls; NULL: none */
    bool behind;           /* the worker has not carried out its orders yet */
};

struct ps_metrics_process {
    const char *agent;
    int64_t start_ms;
    uint64_t budget_bytes, used_bytes; /* memory budget */
    uint64_t reload_count, reload_failed_count;
    const char *reload_failure; /* why the last reload failed; NULL: it succeeded, or there was none */
    const char *dropped; /* lines about components that the file lists and the agent runs without, or NULL */
    bool cut;            /* because of `dropped` a channel has none of its sources or sinks */
    uint64_t stall_limit_ns; /* penstock.ready.stall; 0: no limit */
    bool stopping;
    const char *orders; /* control's last order to the workers: "run", "drain" */
    /* Workers replace the sources and sinks of one plan by those of the next: they cannot be visited
     * (ps_agent_look). */
    bool exchanging;
};

struct ps_metrics_visitor {
    void *argument;
    void (*process)(void *argument, const struct ps_metrics_process *process);
    void (*component)(void *argument, const struct ps_metrics_component *component);
    void (*link)(void *argument, const struct ps_metrics_link *link); /* or NULL */
    void (*ring)(void *argument, const struct ps_metrics_ring *ring); /* or NULL */
    void (*worker)(void *argument, const struct ps_metrics_worker *worker);
};

/* The functions that the engine implements. Each keeps the plan alive during its call, which must be short. Thread:
 * any. */
struct ps_metrics_source {
    void *argument;
    void (*visit)(void *argument, const struct ps_metrics_visitor *visitor);
    /* Calls `look` for the tap of each instance of every channel or sink of that name; if there is none, of the
     * source ("r1") or interceptor ("r1.i1"; "r1.i1.before" is the tap before it). Returns the number of taps. NULL:
     * no taps. */
    unsigned (*taps)(void *argument, const char *name, void (*look)(void *argument, struct ps_tap *tap),
                     void *look_argument);
};

/* A copy of everything. */
struct ps_metrics {
    struct ps_arena *arena; /* owns all that follows */
    struct ps_metrics_process process;
    struct ps_metrics_component *components;
    struct ps_metrics_link *links;
    struct ps_metrics_ring *rings;
    struct ps_metrics_worker *workers;
    size_t component_count, link_count, ring_count, worker_count;
};

/* Visits all of the engine under its lock and copies the numbers. Owns: the caller calls `fini`. */
void ps_metrics_take(struct ps_metrics *metrics, const struct ps_metrics_source *source);
void ps_metrics_fini(struct ps_metrics *metrics);

/* Writes Flume's HTTP metrics (org.apache.flume.instrumentation.http.HTTPMetricsServer): one JSON object, keys
 * "SOURCE.r1", all values strings. Sources, channels and sinks only. */
void ps_metrics_json(const struct ps_metrics *metrics, struct ps_page *page);

/* Writes Prometheus' text exposition format 0.0.4. */
void ps_metrics_prometheus(const struct ps_metrics *metrics, struct ps_page *page);

/* For /livez: returns whether all workers make progress; if not, the process needs a restart. Appends a line for
 * each problem. `mono_ns` is now. */
bool ps_metrics_live(const struct ps_metrics *metrics, uint64_t mono_ns, struct ps_page *page);

/* For /readyz and /healthz: returns whether the agent does everything that its configuration asks for. It does not do
 * so when
 *
 *   - it is stopping,
 *   - the last reload failed,
 *   - a channel has none of the sources, or of the sinks, that the file connects with it: all were dropped for mistakes,
 *   - a source does not reach what it reads from (ps_lack, except PS_LACK_INPUT), or a sink has not reached its
 *     destination for 10 s (unless penstock.ready.stall is 0); a shorter outage of a sink is only told,
 *   - a channel refuses puts for another reason than being full,
 *   - a component is not open, unless it is a sink of a group in which another sink can deliver,
 *   - a stage runs on with earlier data, because its current file is not usable, or cannot be written,
 *   - a sink has had events for longer than penstock.ready.stall without delivering any,
 *   - a sink tries some of its events again and again, while it delivers others,
 *   - a worker is stuck (ps_metrics_live).
 *
 * Appends a line for each problem, with the component and the reason. */
bool ps_metrics_ready(const struct ps_metrics *metrics, uint64_t mono_ns, struct ps_page *page);

/* Returns whether a component is open and works: a sink delivers, a source reaches its input, a channel can write.
 * penstock_component_up. */
bool ps_metrics_component_is_up(const struct ps_metrics *metrics,
                                const struct ps_metrics_component *component);

/* Writes the dump: the activity of every worker and component, a line each, without data of events or configured
 * values. `mono_ns` is now. (core/watch/dump.c) */
void ps_metrics_dump(const struct ps_metrics *metrics, uint64_t mono_ns, struct ps_page *page);

/* A worker that is not parked and has begun no cycle for this long is stuck. */
#define PS_METRICS_STUCK_NS (10 * PS_NS_PER_S)
