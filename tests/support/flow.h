/* An artificial agent for tests of the engine: sources that number their events, an interceptor that drops
 * events and sometimes fails, a selector that routes by number, sinks that keep, delay, refuse and return
 * leases, all drawn from a seed; and a ledger of the events that the sinks of every channel settled. A struct
 * flow outlives plans: a reload, or a restart after a crash, builds new specs from the same struct flow.
 *
 * Channels of the mask `durable` are on a disk of the test (tests/support/flow_channel.h), others in memory.
 *
 * Threads: a source instance writes its own flow_origin, a sink its own flow_sink; `seen` is counted with
 * atomics. flow_verify runs when no worker runs. */
#pragma once

#include "core/engine/agent/agent.h"
#include "core/engine/plan.h"
#include "tests/support/support.h"

#define FLOW_SOURCES_MAX 8U
#define FLOW_INSTANCES_MAX 4U
#define FLOW_CHANNELS_MAX 4U
#define FLOW_SINKS_MAX 8U
#define FLOW_ORIGINS_MAX (FLOW_SOURCES_MAX * FLOW_INSTANCES_MAX)
#define FLOW_KEPT_MAX 32U
#define FLOW_GROUPS_MAX (2 * FLOW_CHANNELS_MAX)

enum flow_kind {
    FLOW_STREAM,   /* needs ACCEPTED, waits when full: events that were read cannot be read again */
    FLOW_CALLS,    /* needs ACCEPTED, refuses when full: one call at a time, repeated until accepted */
    FLOW_POSITION, /* needs DELIVERED: opens at its committed position */
};

/* One source instance. */
struct flow_origin {
    uint64_t next; /* STREAM: next number to make; CALLS: first one not accepted; POSITION: read position */
    uint64_t committed; /* POSITION: every number below was delivered */
    uint64_t opened;    /* how many times it was opened: the generation */
    uint64_t accepted_calls, refused_calls;
    uint64_t dropped; /* by the interceptor */
    unsigned chains;  /* interceptors that are open: 1 or 0 */
} PS_ALIGNED_GAP;

struct flow_source {
    enum flow_kind kind;
    unsigned instances;
    unsigned channels; /* mask */
    unsigned changes;  /* 1: the next spec differs from the previous one, so a reload closes and opens it */
    unsigned version;
    unsigned chain_changes; /* 1: the next spec has another interceptor and selector for it */
    unsigned chain_version;
    bool kept_open;         /* as in flow_sink */
    unsigned open_failures; /* how many more times `open` fails */
    unsigned chain_open_failures;
    bool java;       /* CALLS: a class in Java, in the simulator of tests/support/fake_java_world.h */
    bool java_chain; /* the same, a further interceptor */
    bool java_drops; /* it drops the events, not the first interceptor; not of STREAM */
    struct flow_origin origins[FLOW_INSTANCES_MAX];
};

struct flow_sink {
    unsigned channel;
    bool stays;     /* the next spec has it unchanged */
    bool kept_open; /* a reload takes it over: it must be neither closed, unless it fails, nor opened */
    unsigned version;
    unsigned group;         /* 1 + number of its sink group, whose sinks all have this channel; 0: none */
    bool dead;              /* takes leases up to its limit and settles none; atomic */
    bool holds;             /* since it is dead it had a lease, which it cannot settle; atomic */
    bool java;              /* a class in Java, in the simulator of tests/support/fake_java_world.h */
    bool sockets;           /* a descriptor in its epoll says when a lease can be settled, not `tick` */
    unsigned open_failures; /* how many more times `open` fails */
    uint64_t settled, given_back, rolled_back;
    uint64_t last[FLOW_ORIGINS_MAX]; /* 1 + last number seen, of the generation below */
    uint64_t generation[FLOW_ORIGINS_MAX];
    uint64_t disorder;
} PS_ALIGNED_GAP;

/* Chances of 1,000 each time the case arises. */
struct flow_chances {
    unsigned source_idle, source_back_off, oversize;
    unsigned drop; /* decided by the event's number: always the same events */
    unsigned die;  /* the same; sinks give these events up, if `letters` is set */
    unsigned chain_later, chain_no_memory;
    unsigned sink_keep, sink_back_off, sink_retry, sink_partly, recall_later;
    unsigned troubled;    /* ps_port_troubled: by sinks of groups that hold leases, also dead ones; atomic */
    unsigned disk_breaks; /* at each turn of the disk of a durable channel */
    unsigned fail; /* ps_port_failed: by sources, interceptors and sinks, wherever they are called; atomic */
};

/* The channels that a selector has chosen for an event, as masks: the last time, and at any time. */
struct flow_routes {
    uint8_t last, ever;
};

struct flow {
    uint64_t seed;
    unsigned source_count, channel_count, sink_count;
    struct flow_source sources[FLOW_SOURCES_MAX];
    struct flow_sink sinks[FLOW_SINKS_MAX];
    struct ps_processor_settings
        groups[FLOW_GROUPS_MAX];         /* without count and priorities, which flow_spec sets */
    const char *capacity, *keep_alive_s; /* of every channel */
    unsigned optional;                   /* mask of channels */
    unsigned channels_stay; /* mask of channels that the next spec has unchanged, with their sink groups */
    unsigned channels_kept; /* mask: a reload takes them over: they must not be started */
    unsigned version[FLOW_CHANNELS_MAX];
    unsigned durable; /* mask of channels; only in the simulator */
    /* A test changes these between two specs. `names`: a channel with another number gets another name. `as_memory`: mask
     * of durable channels that are memory channels in the spec; `retyped`: mask of those that ever may be. */
    unsigned names[FLOW_CHANNELS_MAX], as_memory, retyped;
    /* 1 + number of the channel for dead letters: those of sinks, and events that interceptors drop. No source has
     * it among its channels, and its sinks have no letters. 0: there is none. */
    unsigned letters;
    bool letters_of_sinks_only; /* the sources have none; no interceptor drops events then */
    bool multiplex;             /* route by number; else each event to all channels of its source */
    uint64_t total;             /* numbers of each origin: 0 .. total-1 */
    uint32_t body_max;
    uint32_t work_events_max; /* rows that one call of `work` makes */
    uint64_t delay_max_ns;    /* how long a sink keeps a lease */
    struct flow_chances chances;
    struct ps_agent_options options;
    uint8_t *seen[FLOW_CHANNELS_MAX][FLOW_ORIGINS_MAX]; /* by number; stays at 255 */
    struct flow_store *stores[FLOW_CHANNELS_MAX];
    struct flow_routes
        *routes[FLOW_ORIGINS_MAX]; /* by number; NULL except in tests that call flow_keep_routes */
    uint8_t *kept[FLOW_CHANNELS_MAX]
                 [FLOW_ORIGINS_MAX]; /* by number: a durable channel promised it at least once */
    uint8_t *died[FLOW_ORIGINS_MAX]; /* by number: how often a sink settled it as dead */
    uint8_t *told[FLOW_ORIGINS_MAX]; /* by number: its source got `accepted` or `delivered` for it */
    uint64_t alarms; /* workers that a channel's thread has woken, as bits; the simulator clears it */
    /* The process was killed: nothing that happens from now on counts, it only frees memory. */
    bool crashed;
    bool crashes;      /* the run has crashes: only answered and durable events survive them */
    uint64_t given_up; /* STREAM events that closing sources reported as given up: these may be missing */
    uint64_t promised; /* events that durable channels have written; only in the simulator */
    uint64_t failed;   /* calls of ps_port_failed; atomic */
    uint64_t bad;      /* events whose body or headers differ from what was made; atomic */
};

/* Sets defaults for fields that the caller left 0, and allocates the ledger. */
void flow_init(struct flow *flow);
void flow_fini(struct flow *flow);

/* Adds some sinks, and makes groups of the sinks of each channel: one group, or two groups and some single sinks.
 * Penalties are at most `max_ms`. Before flow_init. */
void flow_draw_groups(struct flow *flow, uint64_t *random, uint64_t max_ms);

/* Returns a new spec of this agent. Sinks and channels differ from the previous spec unless they are to stay;
 * sources differ if their `changes` is 1. */
struct ps_agent_spec *flow_spec(struct flow *flow);

/* Draws what the next spec changes. */
void flow_draw_changes(struct flow *flow, uint64_t *random);

/* Notes that the last spec was refused: the next one follows the spec before it. */
void flow_take_back(struct flow *flow);

/* Returns whether a reload with the changes that were chosen last leaves the sink open. */
bool flow_sink_stays(const struct flow *flow, unsigned sink);

/* Returns whether every source has made all its events (POSITION: and they were delivered). Any thread. */
bool flow_is_made(const struct flow *flow);

/* Returns whether the interceptor drops this number. flow_route returns the mask of its channels. */
bool flow_drops(const struct flow *flow, unsigned origin, uint64_t number);
/* Returns whether sinks give this number up. */
bool flow_dies(const struct flow *flow, unsigned origin, uint64_t number);
unsigned flow_route(const struct flow *flow, unsigned origin, uint64_t number);
/* Returns the mask of channels that a selector chooses for the number if its source has these channels. */
unsigned flow_choose(const struct flow *flow, unsigned channels, uint64_t number);
/* For tests that change the channels of sources between two specs: from now on the ledger expects an event in the
 * channels to which the selector last sent it. Call it after flow_init. */
void flow_keep_routes(struct flow *flow);
/* Returns the mask of channels in which the event may be: it may have been read again when its source had other
 * channels. */
unsigned flow_routes_ever(const struct flow *flow, unsigned origin, uint64_t number);

enum flow_doubles {
    FLOW_EXACTLY_ONCE,
    FLOW_AT_LEAST_ONCE,
};

/* Fails the test unless each event that sinks gave up, or that an interceptor dropped, is in the channel of dead letters
 * as often as that happened. With FLOW_AT_LEAST_ONCE it may be there more often. */
void flow_verify_letters(const struct flow *flow, enum flow_doubles doubles);

/* Fails the test unless every event that was made (POSITION: committed) reached every required channel
 * that it was routed to, in order if one sink, or one failover group, serves the channel. */
void flow_verify(const struct flow *flow, enum flow_doubles doubles);

/* Returns the events that interceptors of STREAM sources dropped. The engine's counter also has the events that were
 * given up. */
uint64_t flow_dropped(const struct flow *flow);

/* Returns the events in the ledger of required channels, each counted as often as it was seen. */
uint64_t flow_seen(const struct flow *flow);
/* Returns the value that flow_seen should have: events made and not dropped, once for each required channel. */
uint64_t flow_expected(const struct flow *flow);

static inline unsigned flow_origin_number(unsigned source, unsigned instance)
{
    return source * FLOW_INSTANCES_MAX + instance;
}

/* ---- for tests/support/flow_stages.c ---- */
struct flow_plan {
    struct flow *flow;
    unsigned number;
    unsigned version;  /* of this spec */
    unsigned channels; /* of the source, in the spec of a selector: mask */
};
extern const struct ps_stage_ops flow_source_stream, flow_source_calls, flow_source_position;
extern const struct ps_stage_ops flow_interceptor, flow_second_interceptor, flow_selector;
extern const struct ps_stage_ops flow_sink_stage, flow_sink_with_sockets;
struct flow_body {
    uint32_t origin;
    uint32_t generation;
    uint64_t number;
    uint32_t length;
    uint32_t check;
};
/* What the ledger looks at in an event. */
struct flow_event {
    struct ps_slice body, number, agent; /* the headers `number` and `agent`; data NULL: there is none */
    struct ps_slice component, reason;   /* those of a dead letter */
};
/* Reads an event. Returns false, and counts it as bad, if it is not as it was made or does not belong in this channel. */
bool flow_body_of(struct flow *flow, unsigned channel, const struct ps_lease *lease, uint32_t position,
                  struct flow_body *body);
/* Called when the source gets an event's answer: fails the test unless every required durable channel has promised
 * the event, and with `delivered` a sink of every other required one has seen it. */
void flow_told(struct flow *flow, unsigned origin, uint64_t number, bool delivered);
/* Records in the ledger that a sink settled this event. */
void flow_saw(struct flow *flow, unsigned sink, const struct ps_lease *lease, uint32_t position);
/* The same, for an event that left the agent. */
void flow_saw_event(struct flow *flow, unsigned sink, const struct flow_event *event);
/* The same, for an event that the sink gave up and whose letter is written. */
void flow_dead_letter(struct flow *flow, unsigned sink, const struct ps_lease *lease, uint32_t position);
/* Notes the routes that the selector has chosen among these channels of its source. */
void flow_remember_routes(const struct flow *flow, unsigned channels, const struct ps_lease *lease);
/* Fills `length` bytes, at least those of the body's head, with the body of an event. */
void flow_make_body(char *to, const struct flow_body *body);
bool flow_was_seen(const struct flow *flow, unsigned origin, uint64_t number);
/* Returns whether one sink, or one failover group, serves the channel: then flow_verify checks the order. */
bool flow_order_counts(const struct flow *flow, unsigned channel);
bool flow_chance(uint64_t *random, unsigned of_1000);

/* Runs ps_agent_reload_begin, ps_plan_build and ps_agent_reload_end on the calling thread. */
enum ps_status ps_test_agent_reload(struct ps_agent *agent, struct ps_agent_spec *spec,
                                    const struct ps_machine *machine, struct ps_err *err);
