/* Compiled rule sets: a tree of rules (regex/rules/rules.h) compiled into matchers and tables, and evaluated
 * over leases. Used by the selector and the interceptor `rules`, by `penstock rules`, and by benches.
 * stages/lib/rules/live/live.h keeps a set up to date while events flow.
 *
 * A set is const and shared; each worker has a scratch for the state that changes. Counters, rate limits and
 * samples are in the counters (below), which outlive sets: a rule that keeps its name keeps its counts over a
 * reload.
 *
 * Semantics beyond the language in regex/rules/rules.h:
 * - All conditions see the event as it was received, without the changes of earlier rules. Actions
 *   (templates, `extract`, `replace`, the key of a `limit`) see the changes of earlier actions.
 * - A rule that drops an event (with `drop`, `sample` or `limit`) is the last to act on it, and the event
 *   goes to no channel, even if earlier rules routed it. With `limit ... else route` it goes only to that
 *   route.
 * - Named groups become headers, with values from the event as it was received; a group that did not match sets
 *   no header. Groups of expressions under a `not` are ignored. Of several groups with one name the last counts.
 * - A channel named twice gets the event once, as required if one of the two routes is required.
 * - `sample 1/N` keeps the first of each N events of a worker. Each worker has its share of a `limit`:
 *   rate and burst divided by the number of workers, with a burst of at least one. A limit keeps the
 *   latest 4,096 keys per worker (fewer when there are more than 256 such limits). A missing header counts
 *   as an empty key.
 * - An action that would make a batch hold more blocks than allowed, or more than half of the memory
 *   budget, is not run, but counted as `failed`, because waiting for memory would never end. */
#pragma once

#include "core/stage.h"
#include "regex/matcher/matcher.h"
#include "regex/rules/rules.h"

struct ps_rules_set;
struct ps_rules_scratch;
struct ps_rules_counters;

/* The counters of rules by name; one set of them per stage plan. `instances`: number of workers. Thread: control
 * makes it; the thread that makes sets adds entries (one at a time); each worker writes its own column;
 * any thread reads. */
struct ps_rules_counters *ps_rules_counters_create(unsigned instances);
void ps_rules_counters_destroy(struct ps_rules_counters *counters);
struct ps_rules_count {
    /* number of events on which the rule acted; bytes of their bodies; number of events that it dropped */
    uint64_t hits, bytes, dropped;
    int64_t last_hit_ms;    /* wall clock; 0: never */
    uint64_t failed;        /* actions not run because the batch had no room for their result */
    uint64_t keys_replaced; /* number of keys of `limit ... per` that other keys replaced */
};
/* Calls back for each rule of the current set, then for those that only earlier sets had. */
void ps_rules_counters_each(const struct ps_rules_counters *counters,
                            void (*each)(void *argument, const char *rule,
                                         const struct ps_rules_count *count),
                            void *argument);

struct ps_rules_set_options {
    struct ps_texts
        channels; /* the channels that `route` may name, in this order; not checked if there are none and `any_channel` is set */
    bool any_channel; /* for `penstock rules`: channels are numbered in the order in which rules name them */
    bool routes;      /* false: an interceptor: `route` and `default` are errors */
    struct ps_matcher_options matcher;
    struct ps_rules_counters *counters; /* NULL: no counting */
    unsigned instances;
    const char *component; /* for the log, as long as the scratches; NULL: they log nothing */
};

struct ps_rules_set_report {
    /* report of the body's matcher; times and bytes are sums over all subjects */
    struct ps_matcher_report matcher;
    /* always_count: number of rules that are evaluated for every event */
    uint32_t pattern_count, header_matcher_count, always_count;
};

/* Checks without compiling: channels, routes in an interceptor, the cost of expressions; for `check`. The
 * caller keeps `rules`. Returns false when it added errors. */
bool ps_rules_set_check(const struct ps_rules *rules, const struct ps_rules_set_options *options,
                        struct ps_rules_problems *problems);

/* Checks only the routes of rules that could not be loaded, given the `problems` of that load (keep_routes), so
 * that all mistakes are reported at once. */
void ps_rules_set_check_routes(const struct ps_rules_set_options *options,
                               struct ps_rules_problems *problems);

/* Makes a set, and takes ownership of `rules`, also on failure. Returns NULL when it added errors to `problems`
 * (a channel that the source does not have, an expression that the compiler refused). */
struct ps_rules_set *ps_rules_set_create(struct ps_rules *rules, const struct ps_rules_set_options *options,
                                         struct ps_rules_set_report *report,
                                         struct ps_rules_problems *problems);
void ps_rules_set_destroy(struct ps_rules_set *set);
const struct ps_rules *ps_rules_set_rules(const struct ps_rules_set *set);
/* Returns the names of the channels by number: those of the options, or in the order in which rules name them. */
struct ps_texts ps_rules_set_channels(const struct ps_rules_set *set);

struct ps_rules_scratch *ps_rules_scratch_create(const struct ps_rules_set *set, unsigned instance,
                                                 struct ps_err *err);
/* Call it before destroying the set and the counters. */
void ps_rules_scratch_destroy(struct ps_rules_scratch *scratch);
/* Adds the counts of the scratch's matchers. Thread: any. */
void ps_rules_scratch_count(const struct ps_rules_scratch *scratch, struct ps_matcher_counts *sum);

/* Called for every rule that acts on an event, in order, before its actions run; for `explain`, `test`,
 * `bench`. */
typedef void (*ps_rules_trace)(void *argument, uint16_t row, const struct ps_rule *rule);

/* Runs the rules on all events of the lease: sets headers, replaces bodies, routes rows (`route` NULL: an
 * interceptor) and, as an interceptor, drops events from the lease. Returns PS_DONE, or PS_RETRY when
 * there is no memory: call it again with the same set and scratch; it continues where it stopped and
 * counts nothing twice. */
enum ps_result ps_rules_set_work(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                                 struct ps_lease *lease, struct ps_route *route, const struct ps_now *now,
                                 ps_rules_trace trace, void *argument);
/* Sets the port whose dead letters `drop deadletter` writes; NULL, the default: none. Before ps_rules_set_work. */
void ps_rules_scratch_set_port(struct ps_rules_scratch *scratch, struct ps_port *port);
/* For tests: returns true when a lease is not finished (the last result was PS_RETRY). */
bool ps_rules_scratch_is_busy(const struct ps_rules_scratch *scratch);

/* Evaluates one condition for one event, slowly; for `explain`. */
bool ps_rules_condition_holds(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                              const struct ps_condition *condition, const struct ps_batch *batch,
                              const struct ps_event *event);
