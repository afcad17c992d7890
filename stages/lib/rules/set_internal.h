/* Declarations that the files of a rule set (stages/lib/rules/) share: the compiled form, the worker's
 * scratch, the entries of the counters and meters. No other code includes it.
 *
 * Terms:
 * - An *atom* is a property of an event that is found for all rules at once: a pattern that matches, or a
 *   header that equals a constant.
 * - A rule's *triggers* are atoms; at least one of them must be found for its condition to be true. A rule
 *   without triggers is evaluated for every event (*always*).
 * - A trigger is *sure* when it alone makes the condition true. */
#pragma once

#include "core/stage.h"
#include "regex/budget.h"
#include "regex/rules/names.h"
#include "stages/lib/rules/set.h"

#define RULES_NONE UINT32_MAX
#define RULES_YES (UINT32_MAX - 1) /* the two results of a program */
#define RULES_NO UINT32_MAX

/* ---- conditions ---- */

enum rules_check_kind {
    RULES_CHECK_BODY_MATCH,   /* pattern: number of a pattern of the body's matcher */
    RULES_CHECK_HEADER_MATCH, /* header, pattern: number of a pattern of that header's matcher */
    RULES_CHECK_EXISTS,       /* name */
    RULES_CHECK_SIZE,         /* condition */
    RULES_CHECK_COMPARE,      /* condition; name, or NULL: the body */
    RULES_CHECK_TRUE,
};

/* One step of a rule's program. The jumps implement short-circuit evaluation. */
struct rules_check {
    enum rules_check_kind kind;
    uint32_t yes, no; /* the next step, or RULES_YES, RULES_NO */
    uint32_t header, pattern;
    const struct ps_name *name;
    const struct ps_condition *condition;
};

/* An entry of an atom's list: rule << 2 | flags; the list is in ascending order. */
#define RULES_ENTRY_UNSURE 1U   /* the program must be run */
#define RULES_ENTRY_REPEATED 2U /* the rule also has other triggers */

/* The values that `==` and `in` compare a header with. A number equals all its spellings. */
struct rules_value {
    struct ps_slice text;
    bool is_number;
    double number;
    uint32_t hash, atom;
};
struct rules_values {
    struct rules_value *slots; /* open addressing; atom RULES_NONE: free */
    uint32_t mask, count;
    bool has_numbers;
};

/* A header that conditions match or compare. */
struct rules_header {
    const struct ps_name *name;
    struct ps_matcher *matcher; /* or NULL */
    uint32_t *patterns;         /* for each pattern of the matcher: its number in the set */
    uint32_t pattern_count, words, atom_first;
    bool triggers; /* the header has atoms that trigger rules */
    struct rules_values values;
};

/* ---- actions ---- */

/* A named group that becomes a header. */
struct rules_slot {
    unsigned group;
    const char *group_name;
    const struct ps_name *name;
};

/* An expression of `when` or `extract` whose named groups become headers. */
struct rules_capture {
    const struct ps_regex *regex;
    const struct ps_name *header; /* NULL: the body */
    uint32_t saved;               /* number among the set's saved headers (`when` only) */
    struct rules_slot *slots;
    uint32_t slot_count, slot_first; /* index of the values in the scratch */
    unsigned group_count;            /* groups to request, including group 0 */
};

struct rules_piece {
    enum ps_rules_template_kind kind;
    struct ps_slice text;
    const struct ps_name *name;
    uint32_t *slots; /* GROUP: the value is that of the last of these that matched */
    uint32_t slot_count;
};

struct rules_action {
    const struct ps_action *source;
    const struct ps_name *name, *from; /* of headers */
    struct rules_piece *pieces;
    uint32_t piece_count;
    uint32_t constant; /* number of a constant value, copied once into each batch; RULES_NONE: not constant */
    uint32_t meter;    /* SAMPLE, LIMIT: number in the scratch */
    uint32_t *routes;  /* channel * 2 + optional */
    uint32_t route_count;
    struct rules_capture capture; /* EXTRACT */
};

struct rules_rule {
    uint32_t program; /* first step */
    bool last;        /* when this rule has acted, later rules do not */
    bool plain;       /* the rule only routes, to these channels */
    uint32_t *routes;
    uint32_t route_count;
    struct rules_capture *captures;
    struct rules_action *actions;
    uint32_t capture_count, action_count;
    uint32_t entry; /* in the counters; RULES_NONE: not counted */
};

struct rules_meter_spec {
    uint32_t rule, ordinal; /* index among the rule's meters */
    bool is_limit, per_key;
    uint64_t one_in;
    double per_second, burst; /* this worker's share */
    uint32_t key_count;
};

struct ps_rules_set {
    struct ps_rules *rules;
    struct ps_arena *arena;
    struct ps_rules_counters *counters;
    unsigned instances;
    const char *component;
    bool routes;
    bool single;  /* at most one rule acts on an event */
    bool simple;  /* single, and the acting rule is the first one triggered by a pattern in the body */
    bool plain;   /* simple, and rules only route */
    bool prelude; /* events without a hit in the body may match as well */
    bool drops;   /* an action may drop events */
    struct ps_texts channels;

    struct ps_matcher *body; /* or NULL */
    uint32_t *body_patterns; /* for each pattern of the matcher: its number in the set */
    uint32_t body_pattern_count;
    struct rules_header *headers;
    uint32_t header_count;
    struct {
        bool used, always;
        uint32_t header, number; /* header RULES_NONE: the body */
    } * pattern;                 /* by the set's number */

    uint32_t *atom_first, *entries; /* atom's list: entries[atom_first[a] .. atom_first[a + 1] - 1] */
    uint32_t atom_count;
    uint32_t *first_rules; /* for a simple set: the first rule of each body pattern */
    uint32_t *always;      /* entries, ascending */
    uint32_t always_count;
    struct rules_check *program;
    struct rules_rule *rule;
    uint32_t rule_count;
    uint32_t *defaults;
    uint32_t default_count;
    const struct ps_name **saved; /* headers that captures of `when` read */
    uint32_t saved_count;
    struct rules_meter_spec *meters;
    uint32_t meter_count, constant_count, slot_count;
    const struct ps_name *tags;
};

/* ---- making a set: control, or the thread that loads changes ---- */

struct rules_build {
    struct ps_rules_set *set;
    const struct ps_rules_set_options *options;
    struct ps_rules_problems *problems;
    struct ps_rules_set_report *report;
    struct rules_names headers; /* numbers of headers */
    uint32_t header_room;
};

/* Interns a header name of a rules file. Adds a problem and returns NULL when there are too many. */
const struct ps_name *ps_rules_name(struct rules_build *build, const char *text, struct ps_rules_place place);
/* `assign` assigns each pattern to a matcher; `compile` makes the matchers, after the conditions. */
bool ps_rules_patterns_assign(struct rules_build *build);
bool ps_rules_patterns_check(const struct ps_rules *rules, struct ps_rules_problems *problems);
bool ps_rules_patterns_compile(struct rules_build *build);
/* Makes the programs and triggers of all rules. */
bool ps_rules_conditions_compile(struct rules_build *build);
/* Returns the header's number; adds the header if it is new. RULES_NONE: the function added a problem. */
uint32_t ps_rules_header_number(struct rules_build *build, const char *name, struct ps_rules_place place);
bool ps_rules_actions_compile(struct rules_build *build);

/* The values that a header is compared with. `find` returns the atom or RULES_NONE. */
void ps_rules_values_add(struct rules_values *values, const struct ps_rules_value *value, uint32_t atom);
uint32_t ps_rules_values_find(const struct rules_values *values, struct ps_slice text);
uint32_t ps_rules_values_same(const struct rules_values *values, const struct ps_rules_value *value);
void ps_rules_values_fini(struct rules_values *values);

/* ---- meters: samples and limits of one rule on one worker ---- */

struct rules_meter;
struct rules_meter *ps_rules_meter_create(const struct rules_meter_spec *spec);
void ps_rules_meter_destroy(struct rules_meter *meter);
/* Returns true for the first of each N calls. */
bool ps_rules_meter_sample(struct rules_meter *meter);
/* Takes one token from the key's bucket (or from the only bucket). Returns false when the bucket is empty. Adds
 * 1 to *replaced when the key replaced another one. */
bool ps_rules_meter_take(struct rules_meter *meter, const struct ps_slice *key, uint64_t now_ns,
                         uint64_t *replaced);
bool ps_rules_meter_same(const struct rules_meter *meter, const struct rules_meter_spec *spec);

/* ---- the counters ---- */

/* A worker's counts of one rule. Single writer; any thread reads. */
struct rules_counts {
    uint64_t hits, bytes, dropped;
    int64_t last_hit_ms;
};
struct rules_rare_counts {
    uint64_t failed, keys_replaced;
};

static inline void ps_rules_count_add(uint64_t *count, uint64_t amount)
{
    __atomic_store_n(count, *count + amount, __ATOMIC_RELAXED);
}

/* Returns the entry of that name and holds it until `drop`. RULES_NONE: the counters are full. Thread: the one
 * that makes sets. */
uint32_t ps_rules_counters_hold(struct ps_rules_counters *counters, const char *rule);
void ps_rules_counters_drop(struct ps_rules_counters *counters, uint32_t entry);
struct rules_counts *ps_rules_counters_counts(struct ps_rules_counters *counters, uint32_t entry,
                                              unsigned instance);
struct rules_rare_counts *ps_rules_counters_rare(struct ps_rules_counters *counters, uint32_t entry,
                                                 unsigned instance);
/* Returns the meter of that entry, instance and ordinal: the existing one if it has the same parameters,
 * else a new one. NULL: no memory. Each `take` needs a `give`. */
struct rules_meter *ps_rules_counters_meter_take(struct ps_rules_counters *counters, uint32_t entry,
                                                 unsigned instance, const struct rules_meter_spec *spec);
void ps_rules_counters_meter_give(struct ps_rules_counters *counters, uint32_t entry,
                                  struct rules_meter *meter);

/* ---- running a set ---- */

struct rules_hit {
    uint32_t first, count; /* the rules that act: their range in the store */
    uint32_t position;
};
struct rules_outcome {
    const uint32_t *routes; /* owned by the rule, or in the scratch */
    uint16_t count;         /* 0: dropped */
    uint16_t position;
};
struct rules_constant {
    uint64_t lease; /* number of the lease for which the value was copied */
    const char *value;
};
/* The part of a rule that a plain set needs. */
struct rules_quick {
    struct rules_counts *counts;
    const uint32_t *routes;
    uint32_t route_count;
};
/* One header's values of the lease that is being scanned. */
struct rules_header_scan {
    struct ps_matcher_scratch *scratch;
    uint16_t *subject_of; /* by position; UINT16_MAX: the event has no such header */
    uint64_t *bits;       /* by subject: words of patterns that match */
    bool *any;            /* by subject: whether a pattern matches */
    struct ps_slice *values;
    uint32_t subject_count;
    bool present;         /* at least one event has the header */
    struct ps_slice last; /* value looked up last, and what was found */
    uint32_t last_atom;
};

struct ps_rules_scratch {
    const struct ps_rules_set *set;
    unsigned instance;
    struct ps_regex_budget budget; /* budget of the current lease, for all its matches */
    struct ps_regex_scratch *regex;
    struct ps_matcher_scratch *body;
    struct rules_header_scan *headers;
    struct ps_slice *subjects;
    struct {
        struct rules_counts **counts;    /* by rule */
        struct rules_rare_counts **rare; /* by rule */
        struct rules_quick *quick;       /* by rule; of a plain set */
        struct rules_counts unread;      /* the pointers' target when nothing is counted */
        struct rules_rare_counts unread_rare;
        struct rules_meter **meters;
    } counted;
    struct rules_constant *constants;
    struct ps_slice *slots;
    struct ps_slice *saved;

    /* the current lease */
    bool busy;
    uint64_t lease_number;
    struct {
        uint32_t from, to, chunk; /* positions; chunk: number of positions to scan at once */
    } scan;

    /* the patterns that matched at those positions */
    uint32_t *store, store_room, store_used, event_rules_max;
    struct rules_hit *hits;
    uint32_t hit_count;
    uint32_t *stamps, stamp; /* by rule: equals `stamp` when it was considered for this event */
    uint64_t *sorting;       /* by rule: a bit */
    const uint32_t *patterns;
    uint32_t pattern_count; /* number of the body's patterns that match the event being evaluated */
    uint32_t evaluated_to;  /* position after the last event evaluated */
    bool store_full;
    const struct ps_lease *lease;

    struct ps_port *port; /* of the open stage, for dead letters; NULL: none */

    /* progress of the actions */
    struct {
        uint32_t hit, rule, step;
    } next;
    struct {
        bool open, dropped;
        struct ps_slice body; /* as it was received */
        uint32_t route_first; /* index of the event's first route; the last one is before route_used */
    } event;
    uint32_t *routes, route_used; /* channel * 2 + optional */
    struct rules_outcome *outcomes;
    uint32_t outcome_count;
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64];
    bool any_dropped;

    char *text; /* buffer for replacements */
    size_t text_room;
};

/* Scans from position scan_from, fills hits and store, and sets scan_to. */
void ps_rules_evaluate(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                       const struct ps_lease *lease);
/* Runs the headers' matchers over the whole lease. */
void ps_rules_headers_scan(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                           const struct ps_lease *lease);
bool ps_rules_compare(const struct ps_condition *condition, struct ps_slice text);
bool ps_rules_size_compare(const struct ps_condition *condition, uint32_t length);

/* One call of ps_rules_set_work. */
struct rules_work {
    const struct ps_rules_set *set;
    struct ps_rules_scratch *scratch;
    struct ps_lease *lease;
    struct ps_batch *batch;
    const struct ps_now *now;
    ps_rules_trace trace;
    void *argument;
};
/* Runs the actions for the hits. Returns false when there is no memory: call it again. */
bool ps_rules_act(struct rules_work *work);
/* Adds a route to an event's list: each channel once, required if one of its routes is. Returns the new
 * count. */
uint32_t ps_rules_route_add(uint32_t *routes, uint32_t count, uint32_t route);
/* Routes every event of the lease. */
void ps_rules_route(const struct ps_rules_set *set, const struct ps_rules_scratch *scratch,
                    const struct ps_lease *lease, struct ps_route *route);

/* Does all of the work for a plain set. */
void ps_rules_plain_work(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                         const struct ps_lease *lease, struct ps_route *route, const struct ps_now *now);

enum rules_step {
    RULES_STEP_NEXT, /* done, or not possible and counted */
    /* action: the event was dropped or routed elsewhere; value: there can never be room for it */
    RULES_STEP_OVER,
    RULES_STEP_AGAIN, /* no memory */
};
/* Makes a header value from the action's template. */
enum rules_step ps_rules_template_make(struct rules_work *work, const struct rules_action *action,
                                       const struct ps_event *event, struct ps_slice *value);
/* Returns the value of a constant template, copied into this batch once. */
enum rules_step ps_rules_constant_make(struct rules_work *work, const struct rules_action *action,
                                       struct ps_slice *value);
/* Sets headers and slots from the groups of a match. */
enum rules_step ps_rules_capture(struct rules_work *work, const struct rules_capture *capture,
                                 struct ps_event *event, struct ps_slice subject);
