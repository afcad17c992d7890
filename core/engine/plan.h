/* The plan: what an agent runs. The control thread makes it from specs (bound stages) and publishes it to the
 * workers with one RCU pointer. After that nothing in the plan changes, except the rings and waiters of its channels.
 *
 * A plan places every *unit* (one instance of a source, or a sink) on one worker. */
#pragma once

#include "core/engine/processor.h"
#include "core/stage.h"
#include "rings/flag.h"
#include "rings/waiters.h"

#define PS_WORKERS_MAX 64U
#define PS_CHANNELS_PER_SOURCE_MAX 64U
#define PS_UNITS_MAX 4096U /* source instances plus sinks */

enum ps_idle { PS_IDLE_AUTO, PS_IDLE_SPIN, PS_IDLE_PARK };

/* Agent-level settings (`<agent>.penstock.<key>`); rows in core/engine/agent/options.c. */
struct ps_agent_options {
    int64_t workers;           /* 0: min(units, cores - 1), at least 1 */
    struct ps_texts cpus;      /* CPU numbers, one for each worker; empty: no worker is pinned */
    int idle;                  /* enum ps_idle */
    int64_t memory_budget;     /* bytes; 0: min(25 % of RAM or of the cgroup's limit, -Xmx of flume-env.sh) */
    int64_t batch_events;      /* maximum number of events of a batch */
    int64_t drain_timeout_ms;  /* SIGTERM: how long to wait for delivery */
    int64_t reload_timeout_ms; /* reload: how long the old plan may drain before its sinks are recalled */
    int64_t ready_stall_ms;    /* /readyz: how long a sink may have events without delivering; 0: for ever */
    bool allow_unsupported;
    const char *state_directory; /* NULL: not set */
};
extern const struct ps_option ps_agent_option_rows[];

/* A stage bound by conf, not yet built. */
struct ps_stage_spec {
    const char *name;      /* "r1" */
    const char *component; /* "source r1" */
    const struct ps_stage_ops *ops;
    void *plan; /* ops->plan_size bytes, bound */
    /* Type, all properties, and the contents of its files (ps_stage_ops.files), in one text. Equal texts: unchanged
     * over a reload. NULL: never equal. */
    const char *fingerprint;
    bool unchanged; /* in a reload: the running plan has the same stage (ps_plan_adopt) */
};

struct ps_source_spec {
    struct ps_stage_spec stage;
    struct ps_stage_spec *interceptors; /* in order */
    size_t interceptor_count;
    struct ps_stage_spec selector;
    unsigned *channels; /* indexes into ps_agent_spec.channels, in file order */
    size_t channel_count;
    unsigned letters; /* 1 + number of the channel for its dead letters; 0: to a directory, or nowhere */
    struct ps_source_common *common;
};

/* Options that every source has besides its own rows: ps_source_common_rows. */
struct ps_source_common {
    int64_t backoff_increment_ms, backoff_max_ms; /* Flume's PollableSource keys */
    int64_t workers;                              /* penstock.workers */
    /* penstock.deadletter: a directory, or a channel (ps_source_spec.letters); NULL: none */
    const char *deadletter;
};
extern const struct ps_option ps_source_common_rows[];

/* Options that every sink has besides its own rows: ps_sink_common_rows. All zero: as Flume. */
struct ps_sink_common {
    const char
        *deadletter;   /* penstock.deadletter: a directory, or a channel (ps_sink_spec.letters); NULL: none */
    int64_t retry_max; /* penstock.retry.max; 0: no limit */
    int64_t backoff_step_ms, backoff_max_ms; /* penstock.retry.backoff and .backoff.max; 0: Flume's values */
};
extern const struct ps_option ps_sink_common_rows[];

struct ps_channel_spec {
    struct ps_stage_spec stage;
};

/* A sink group with a processor. Its sinks are on one worker, and are one consumer of their channel. */
struct ps_group_spec {
    const char *name;                      /* "g1" */
    const char *component;                 /* "sink group g1" */
    struct ps_processor_settings settings; /* settings.count: its sinks */
    const char *fingerprint;               /* as ps_stage_spec.fingerprint */
};

struct ps_sink_spec {
    struct ps_stage_spec stage;
    unsigned channel;
    unsigned letters; /* as ps_source_spec.letters */
    struct ps_sink_common common;
    const struct ps_group_spec *group; /* or NULL */
    unsigned member;                   /* its number in the group */
};

struct ps_agent_spec {
    const char *name;
    struct ps_arena *arena; /* holds the spec itself as well; the plan owns it from ps_plan_create on */
    struct ps_agent_options options;
    struct ps_source_spec *sources;
    struct ps_channel_spec *channels;
    struct ps_sink_spec *sinks;
    struct ps_group_spec *groups;
    size_t source_count, channel_count, sink_count, group_count;
    const char *(*system_property)(const void *argument, const char *name);
    enum ps_status (*read_properties)(struct ps_arena *arena, const char *path, struct ps_pairs *pairs,
                                      struct ps_err *err);
    const struct ps_stage_ops *(*sub_stage)(struct ps_context *context, enum ps_kind kind, const char *type,
                                            const struct ps_pairs *pairs, void **plan, struct ps_err *err);
    void *argument;                         /* for the functions system_property and sub_stage */
    const char *program;                    /* as in ps_context */
    const struct ps_class_path *class_path; /* the same */
    /* lines about the components that the file lists and the agent runs without; NULL: none */
    const char *dropped;
    bool cut;     /* for that reason a channel has none of its sources or sinks */
    bool verbose; /* also log the engine's part of the plan at the start (-v) */
};

/* The place of a component's built stages. A reload hands an unchanged component from plan to plan
 * (docs/decisions/0031-reload.md): the running plan tears its stages down; their memory
 * belongs to the plan that built them, which is kept (`older`) until no component has stages in it. Read and written
 * by control. */
struct ps_built {
    const struct ps_plan *by; /* the plan that built them, perhaps an earlier one */
    bool here;                /* this plan tears them down */
};

/* The channel for the dead letters of one source instance or sink (core/engine/dead_letter_channel.h). */
struct ps_dead_letter_target {
    bool is_channel;            /* false: the letters go to a directory, or nowhere */
    unsigned channel, producer; /* number of the channel in the plan, and of this producer at that channel */
};

struct ps_source_plan {
    const struct ps_source_spec *spec;
    /* Reload: the running plan's source with the same fingerprint, whose open instances this one takes over; or
     * NULL. The pointer may dangle after the reload: from then on it is only compared. The same for channels and
     * sinks. */
    struct ps_source_plan *adopts;
    bool adopts_chain; /* the source takes over the interceptors and selector too: they are unchanged */
    /* The source's channels, their sinks and the channel for its dead letters stay as well: the source continues to
     * read until CLOSE. */
    bool undisturbed;
    /* The specs of the built stages, one for the source and one for its chain: this source's spec, or the adopted
     * one's. */
    const struct ps_source_spec *stages, *chain_stages;
    struct ps_built built, chain_built;
    unsigned instance_count;
    struct ps_chain_share chain; /* of its built stages */
    unsigned *workers;           /* number of each instance's worker */
    unsigned *producers;         /* [instance * channel_count + i]: its producer number at its i-th channel */
    struct ps_dead_letter_target *letters; /* of each instance */
    uint32_t batch_events_max;
};

/* Parked workers of one channel (core/engine/waiting.c). */
struct ps_channel_waiters {
    struct ps_waiters producers; /* workers with events that they could not put into the channel */
    struct ps_waiters consumers; /* workers with a sink that found the channel empty */
};

struct ps_channel_plan {
    /* The spec of the stage in `built`: this plan's, or that of the channel that it adopts. */
    const struct ps_channel_spec *spec;
    struct ps_channel_plan *adopts; /* the running plan's channel that continues as this one; or NULL */
    struct ps_built built;
    unsigned producer_count, consumer_count;
    unsigned *producer_workers; /* number of each producer's worker */
    unsigned *consumer_workers;
    /* One for each producer, then one for each consumer; each has one writer. Counters and waiters live as long as
     * the stage. */
    struct ps_counters *counters;
    struct ps_channel_waiters *waiters;
    /* One flag for each producer, which alone changes it. Set: the producer stops, and has a batch for which the
     * channel has no room. */
    struct ps_flag *held_back;
    bool commits; /* a sink of the channel commits positions, and gets the batches of the sources */
    /* After a reload: the channel may hold events of an earlier plan that no source reads again, or dead letters of
     * that plan. */
    bool has_others;
};

struct ps_sink_plan {
    const struct ps_sink_spec *spec;
    struct ps_sink_plan *adopts;       /* the running plan's sink that stays open as this one; or NULL */
    const struct ps_stage_spec *stage; /* the built stage: its own, or the adopted sink's */
    struct ps_built built;
    unsigned worker, consumer; /* consumer number at its channel; the sinks of a group have the same */
    struct ps_dead_letter_target letters;
};

struct ps_plan {
    uint64_t epoch; /* number of the orders that published it */
    struct ps_agent_spec *spec;
    unsigned worker_count;
    uint64_t memory_budget_bytes; /* of the process */
    uint64_t java_heap_bytes;     /* of the JVM beside it; 0: there is none, or it has no -Xmx */
    /* A text if the budget leaves too little of the machine's memory for the rest, or differs from -Xmx; else NULL. */
    const char *memory_warning;
    uint64_t block_budget_bytes;  /* for blocks: memory_budget_bytes less the client libraries' shares */
    uint64_t reserved_bytes;      /* block_budget_bytes at the agent's start: no later plan has more */
    uint64_t channel_quota_bytes; /* bytes of blocks that the leases in one channel may keep in use */
    uint64_t sink_quota_bytes;    /* bytes of blocks that the leases taken by one sink may keep in use */
    uint64_t client_queue_bytes;  /* bytes that one client library may queue */
    struct ps_source_plan *sources;
    struct ps_channel_plan *channels;
    struct ps_sink_plan *sinks;
    bool running; /* built while another plan runs */
    /* Earlier plans, kept because stages of this one are in their memory. */
    struct ps_plan *older;
};

/* The part of the machine that this process may use; ps_machine_read reads it, tests make one up. */
struct ps_machine {
    unsigned cores;           /* CPUs of the affinity mask, or of the cgroup's quota, rounded up, if fewer */
    uint64_t memory_bytes;    /* RAM, or the cgroup's limit if lower */
    uint64_t heap_hint_bytes; /* -Xmx of an agent without components in Java: bounds the budget; 0: none */
    uint64_t java_heap_bytes; /* -Xmx of the JVM of components in Java; 0: none */
};
/* Reads below `root`, "" but in tests: /proc/self/cgroup, then cpu.max and memory.max of cgroup v2, or
 * cpu.cfs_quota_us and memory.limit_in_bytes of v1, of the process's group and of those above it. The affinity
 * mask is the calling thread's. Thread: control, before it is pinned. */
void ps_machine_read(struct ps_machine *machine, const char *root);

/* Decides workers, producers, consumers and batch limits, then calls ps_topology_check. Builds nothing: `penstock
 * check` calls it as well. `before`: in a reload, the running plan, whose units keep their workers; NULL at a start.
 * The plan owns the spec and its arena from now on; on failure they are freed. Returns NULL on failure. Thread:
 * control. */
struct ps_plan *ps_plan_create(struct ps_agent_spec *spec, const struct ps_machine *machine,
                               const struct ps_plan *before, struct ps_err *err);

/* Returns the context in which a stage of the plan describes itself and is built; it reports nothing. The fields that
 * belong to one kind of stage are empty. */
struct ps_context ps_plan_context(const struct ps_plan *plan, const struct ps_stage_spec *stage);

/* Return the source, or the sink, of this name; NULL: there is none, or no plan. */
const struct ps_source_plan *ps_plan_source_named(const struct ps_plan *plan, const char *name);
struct ps_sink_plan *ps_plan_sink_named(const struct ps_plan *plan, const char *name);

/* Sets plan->worker_count, and the worker of every unit (core/engine/placement.c). For ps_plan_create. */
void ps_plan_place(struct ps_plan *plan, const struct ps_machine *machine, const struct ps_plan *before);

/* Builds every stage, channels first, except the stages of components that stay (ps_plan_adopt). On failure it tears
 * down what it built. */
enum ps_status ps_plan_build(struct ps_plan *plan, struct ps_err *err);

/* Starts the plan's channels, except those that stay. Call it after ps_plan_build and ps_engine_carry_over, before
 * workers run with the plan. */
void ps_plan_start(struct ps_plan *plan);

/* Tears down the built stages, in reverse order, and frees the plan with its arena; then the older plans that it
 * keeps, in the same way. */
void ps_plan_destroy(struct ps_plan *plan);

/* Marks the components that a reload leaves as they are, before `next` is built:
 *
 *   source    the same stage, names of channels, and workers; with its chain if all of that is the same
 *   channel   the same stage, share of the client libraries' memory, and producers and consumers (their names, numbers,
 *             workers); but not a channel that cannot give back events that a source which closes reads again
 *   sink      the same stage, worker, share of the client libraries' memory, and a channel that stays; of a group all
 *             sinks or none
 *
 * Also marks the stages of sources, channels and sinks that are unchanged but must be opened again. */
void ps_plan_adopt(struct ps_plan *next, struct ps_plan *plan);

/* Returns whether a source with positions that puts into the channel is closed, so that it, or the source that follows,
 * reads again what is in the channel. Call it after ps_plan_adopt has seen the sources. Thread: control. */
bool ps_plan_closes_replayable(const struct ps_plan *next, const struct ps_plan *plan, size_t channel);

/* Returns whether the channel of the plan before `next` continues in `next`; false for NULL. Thread: any. */
bool ps_plan_keeps_channel(const struct ps_plan *next, const struct ps_channel_plan *channel);

/* Returns whether the agent stops (`next` is NULL) and no sink takes from the channel, because Flume's rules have
 * dropped the sink: its events are not delivered. Thread: any. */
bool ps_plan_strands(const struct ps_plan *next, const struct ps_channel_plan *channel);

/* Returns whether two stages have the same name, type and keys. */
bool ps_stage_is_same(const struct ps_stage_spec *a, const struct ps_stage_spec *b);
/* The same for the selector and the interceptors of two sources. */
bool ps_chain_is_same(const struct ps_source_spec *a, const struct ps_source_spec *b);

/* Returns the channel of `next` that takes over the events in `channel` of the plan before it: the one of the same
 * name and type, which keeps its events in the same place (PS_OPTION_PLACE), or `channel` itself if it continues.
 * NULL: there is none, and `channel` must be empty before it goes. Both plans are built, here and below. Thread: any.
 */
struct ps_channel_plan *ps_plan_channel_after(struct ps_plan *next, const struct ps_channel_plan *channel);
/* Returns whether `next` has a channel of the same name and type, but in another place. */
bool ps_plan_moves_channel(const struct ps_plan *next, const struct ps_channel_plan *channel);
/* Returns why a channel, which `next` has with the same type and place, cannot keep its events: "its own keys
 * change", for a message. NULL: `next` does not have it, or with another type. */
const char *ps_plan_why_not_kept(const struct ps_plan *plan, const struct ps_plan *next,
                                 const struct ps_channel_plan *channel);
/* Returns whether `next` changes some, but not all, of the keys that together name the channel's place
 * (PS_OPTION_JOINED): its log could never be opened. Writes one key that changes and one that does not. */
bool ps_plan_tears_channel(const struct ps_plan *next, const struct ps_channel_plan *channel,
                           const char **moves, const char **stays);
/* Returns whether all events in the channel that are not delivered will be read again by its sources: all sources
 * have positions, also those of earlier plans, and no dead letters go there. Thread: any. */
bool ps_plan_rereads(const struct ps_plan *plan, const struct ps_channel_plan *channel);
/* Returns the number of events that would never be delivered if the channel were removed: all events in it, also on
 * disk. For a channel that other programs share (a topic): only events that are not in the topic yet. Thread: any. */
uint64_t ps_channel_plan_left(const struct ps_channel_plan *channel);

/* Returns whether all fingerprints and options of two plans are equal: then a reload has nothing to do. */
bool ps_plan_is_same(const struct ps_plan *a, const struct ps_plan *b);

/* Returns whether plan `b`, which follows `a`, has options that take effect only at the next start: fewer workers,
 * other CPUs for running workers, another idle strategy or memory budget. */
bool ps_plan_needs_restart(const struct ps_plan *a, const struct ps_plan *b);

/* Called when `next` has replaced `plan` and every worker has its runners: tears down what `next` did not take over,
 * and frees `plan` and the plans kept before, except plans with stages of `next` in their memory: `next` keeps
 * those. */
void ps_plan_retire(struct ps_plan *plan, struct ps_plan *next);

/* Checks every array bound. The error names the limit and the key to change. */
enum ps_status ps_topology_check(const struct ps_plan *plan, struct ps_err *err);

/* Describes the plan in text, for `penstock check` and the start of the log: the requested parts, in this order.
 * Calls `line` for each line. Thread: control. */
enum ps_plan_part {
    PS_PLAN_BUDGET = 1 << 0,      /* memory and workers */
    PS_PLAN_COMPONENTS = 1 << 1,  /* what each component reads and writes, and where */
    PS_PLAN_FLOWS = 1 << 2,       /* each way from a source to a sink, and what it promises */
    PS_PLAN_EXPRESSIONS = 1 << 3, /* the stages' own descriptions: how expressions run */
    PS_PLAN_ENGINE = 1 << 4,      /* which worker runs what, batches, rings */
};
void ps_plan_describe(const struct ps_plan *plan, unsigned parts,
                      void (*line)(void *argument, const char *text), void *argument);
/* Calls `probe` of every stage that has one and is not unchanged, for `penstock check --probe` and for a reload. Sets
 * probe->component. Thread: control, or the helper thread of a reload. */
void ps_plan_probe(const struct ps_plan *plan, struct ps_probe *probe);

/* Returns the largest batch of a flow into a channel of this capacity: max(1, capacity / 4), at most `limit`;
 * `limit` when the capacity is 0, because the channel sets none. */
uint32_t ps_batch_events_limit(uint64_t capacity, uint64_t limit);
