/* Rule sets at work: a tree of rules (regex/rules/rules.h) compiled into matchers and tables, evaluated over
 * leases. Used by the selector and the interceptor of that name, by `penstock rules`, and by benches. What
 * keeps a set up to date while events flow is stages/rules/live.h.
 *
 * A set is const and shared; a worker's scratch for it holds what changes. Counters, rate limits and samples
 * live in a book (below), which outlives sets: a rule keeps its counts over a reload as long as its name
 * stays.
 *
 * What rules mean, beyond what regex/rules/rules.h says of the language:
 * - All conditions are about the event as it came: what one rule sets, removes or replaces, a later one's
 *   condition does not see. Actions (templates, `extract`, `replace`, the key of a `limit`) see what was done
 *   before them.
 * - A rule that drops an event (`drop`, what `sample` does not keep, what is above a `limit`) is the last to
 *   act on it, and the event goes nowhere, whatever earlier rules said. `limit ... else route`: it goes there
 *   and nowhere else.
 * - Groups become headers of the value they had in the event as it came; a group that took no part sets
 *   nothing. Groups of expressions under a `not` are not taken. Of several groups of one name the last
 * counts.
 * - A channel named twice is routed to once; as required when one of the two says so.
 * - `sample 1/N` keeps the first of each N of a worker. A worker has its share of a `limit` (rate and burst
 *   divided by the workers, a burst of one at least). Keys are remembered for the latest 4,096 of a limit and
 *   worker (fewer when there are more than 256 such limits); a missing header counts as an empty key.
 * - An action that would make a batch hold more blocks than it may, or more than half of the memory budget,
 *   is left out and counted (`failed`): waiting for memory would never end. */
#pragma once

#include "core/stage.h"
#include "regex/matcher/matcher.h"
#include "regex/rules/rules.h"

struct ps_rules_set;
struct ps_rules_scratch;
struct ps_rules_book;

/* What rules count, by name; one for each stage plan. `instances`: workers. Thread: made by control; entries
 * are added by whoever makes sets (one thread at a time); counted by workers, each its own column; read by
 * any. */
struct ps_rules_book *ps_rules_book_create(unsigned instances);
void ps_rules_book_destroy(struct ps_rules_book *book);
struct ps_rules_count {
    uint64_t hits, bytes, dropped; /* events the rule acted on; their bodies; those it dropped */
    int64_t last_hit_ms;           /* wall clock; 0: never */
    uint64_t failed;               /* actions given up: the batch had no room for what they make */
    uint64_t keys_replaced;        /* of `limit ... per`: forgotten to make room for others */
};
/* Each rule that the current set has, then those that only earlier ones had. */
void ps_rules_book_each(const struct ps_rules_book *book,
                        void (*each)(void *argument, const char *rule, const struct ps_rules_count *count),
                        void *argument);

struct ps_rules_set_options {
    struct ps_texts
        channels;     /* what `route` may name, in this order; count 0 and `any_channel`: not checked */
    bool any_channel; /* for `penstock rules`: channels are numbered as they are met */
    bool routes;      /* false: an interceptor: `route` and `default` are errors */
    struct ps_matcher_options matcher;
    struct ps_rules_book *book; /* NULL: no counting */
    unsigned instances;
};

struct ps_rules_set_report {
    struct ps_matcher_report matcher; /* of the body's; times and bytes are sums over all subjects */
    uint32_t pattern_count, header_matcher_count, always_count; /* always: rules asked about every event */
};

/* What can be said without compiling anything: channels, routes in an interceptor, what
 * expressions cost. The rules stay the
 * caller's. False: errors were added. For `check`. */
bool ps_rules_set_check(const struct ps_rules *rules, const struct ps_rules_set_options *options,
                        struct ps_rules_problems *problems);

/* Takes `rules` over, also on failure. NULL: errors (a channel that is none of the source's, what the
 * compiler refused) were added to `problems`. */
struct ps_rules_set *ps_rules_set_create(struct ps_rules *rules, const struct ps_rules_set_options *options,
                                         struct ps_rules_set_report *report,
                                         struct ps_rules_problems *problems);
void ps_rules_set_destroy(struct ps_rules_set *set);
const struct ps_rules *ps_rules_set_rules(const struct ps_rules_set *set);
/* Names of the channels by number: the options', or as met. */
struct ps_texts ps_rules_set_channels(const struct ps_rules_set *set);

struct ps_rules_scratch *ps_rules_scratch_create(const struct ps_rules_set *set, unsigned instance,
                                                 struct ps_err *err);
/* Before its set, and before the book. */
void ps_rules_scratch_destroy(struct ps_rules_scratch *scratch);
/* Sums over its matchers. Thread: any. */
void ps_rules_scratch_counts(const struct ps_rules_scratch *scratch, struct ps_matcher_counts *counts);

/* Told of every rule that acted on an event, in order, before its actions ran; for `explain`, `test`,
 * `bench`. */
typedef void (*ps_rules_trace)(void *argument, uint16_t row, const struct ps_rule *rule);

/* Matches and acts on all events of the lease: headers are set, bodies replaced, rows routed (route NULL: an
 * interceptor) and, by an interceptor, dropped from the lease. All of it with this one set. PS_DONE, or
 * PS_RETRY for want of memory: call again with the same set and scratch, it goes on where it stopped and
 * counts nothing twice. */
enum ps_result ps_rules_set_work(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                                 struct ps_lease *lease, struct ps_route *route, const struct ps_now *now,
                                 ps_rules_trace trace, void *argument);
/* Whether a lease is half done (PS_RETRY came last): then the set must stay. */
bool ps_rules_scratch_is_busy(const struct ps_rules_scratch *scratch);

/* Whether this condition holds for the event, for `explain`: evaluated on its own, slowly. */
bool ps_rules_condition_holds(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                              const struct ps_condition *condition, const struct ps_batch *batch,
                              const struct ps_event *event);
