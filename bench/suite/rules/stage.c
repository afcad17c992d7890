/* Measures the rule stage alone: the selector `rules` over prepared batches, compared with bare Hyperscan
 * over the same bodies with the same expressions, at 10 to 10,000 rules (bench/suite/rule_traffic.h).
 *
 *   bench_rules_stage [--seconds 2] [--rounds 5] [--only spread|dense] [--events RULES]
 *
 * The reference is the faster of one scan per event and one scan per batch, with a callback that counts.
 * Bodies are contiguous with newlines between, as a source reads them (in place), or separate (copied: to
 * scan them as a batch, the stage and the bare loop must copy them together). All sets are measured in turn
 * in each round, forwards and backwards, so that their ratios come from the same minutes. With less than a
 * second per round the largest set is left out; such a run only checks that the bench works. --events: leave
 * out sets with more rules.
 *
 * Records: nanoseconds of CPU time per event, in place and copied, for each number of rules; and the cost of
 * 1,000 and 10,000 rules relative to 10. bench/rules_report draws them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/suite/harness.h"
#include "bench/suite/paired.h"
#include "bench/suite/rule_traffic.h"
#include "bench/support/measure.h"
#include "core/engine/runner.h"
#include "regex/hyperscan.h"
#include "regex/rules/rules.h"

#define EVENTS 16384U
#define LINE_BYTES (PS_RULE_TRAFFIC_BYTES + 1)
#define BATCHES_MAX 64U
#define SIZES 4U

static const uint32_t sizes[SIZES] = {10, 100, 1000, 10000};
static const char *const channel_names[] = {"status", "path", "exception", "program", "user",
                                            "host",   "rest", "between",   "anchored"};

enum way { IN_PLACE, COPIED, BARE_EVENTS, BARE_BATCHES, BARE_COPIED, WAYS };

/* One set of rules: the stage, its batches, and bare Hyperscan. */
struct set {
    enum ps_rule_traffic_kind kind;
    uint32_t rules;
    double hits; /* share of events that are hit */
    struct ps_bench_harness harness;
    struct ps_batch *batches[2][BATCHES_MAX]; /* IN_PLACE, COPIED */
    unsigned batch_count[2];
    char *lines; /* all events */
    char *read,
        *room; /* for the bare loops: the bytes of one batch as they were read, and a buffer to copy them to */
    struct ps_hyperscan *hyperscan;
    struct ps_hyperscan_scratch *scratch;
    double compile_s;
    uint64_t reports; /* hits counted by the callback of the bare loops */
    double ns[WAYS][PS_ROUNDS_MAX];
};

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "bench_rules_stage: %s\n", what);
    exit(1);
}

/* ---- making a set ---- */

static void rules_write(const struct ps_rule_traffic *traffic, const char *path)
{
    FILE *file = fopen(path, "we");
    PS_ASSERT(file != NULL);
    ps_rule_traffic_rules(traffic, PS_RULE_TRAFFIC_ROUTE, file);
    PS_ASSERT(fclose(file) == 0);
}

/* Makes the database that the stage's matcher has: the same expressions with the same flags. */
static void hyperscan_make(struct set *set, const char *path)
{
    struct ps_rules_problems problems = {.arena = ps_arena_create()};
    struct ps_rules *rules = ps_rules_load(path, &problems);
    struct ps_hyperscan_built built = {.bytes = NULL};
    struct ps_err err = {.length = 0};
    uint32_t failed;
    bool passing;
    if (rules == NULL)
        fatal(problems.count > 0 ? problems.items[0].what : "the rules are not read");
    struct ps_hyperscan_expression *expressions =
        ps_must_alloc(rules->pattern_count, sizeof *expressions, "Hyperscan's expressions");
    for (uint32_t i = 0; i < rules->pattern_count; i++) {
        const struct ps_java_regex *java = ps_regex_java(rules->patterns[i].regex);
        if (java->hyperscan == NULL)
            fatal("an expression does not go to Hyperscan: there is nothing to compare with");
        expressions[i] =
            (struct ps_hyperscan_expression){.text = java->hyperscan,
                                             .flags = (java->prefilter ? PS_HYPERSCAN_PREFILTER : 0U) |
                                                      (java->length_min == 0 ? PS_HYPERSCAN_ALLOW_EMPTY : 0U),
                                             .id = i};
    }
    if (ps_hyperscan_build(expressions, rules->pattern_count, &built, &failed, &err) != PS_OK)
        fatal(err.text);
    set->hyperscan = ps_hyperscan_open(built.bytes, built.length, &passing, &err);
    set->scratch = set->hyperscan != NULL ? ps_hyperscan_scratch_create(set->hyperscan, &err) : NULL;
    if (set->scratch == NULL)
        fatal(err.text);
    ps_hyperscan_built_fini(&built);
    free(expressions);
    ps_rules_destroy(rules);
    ps_arena_destroy(problems.arena);
}

static void batches_make(struct set *set, bool in_place)
{
    enum way way = in_place ? IN_PLACE : COPIED;
    for (uint32_t at = 0, taken; at < EVENTS; at += taken) {
        unsigned number = set->batch_count[way]++;
        PS_ASSERT(number < BATCHES_MAX);
        uint32_t left = EVENTS - at < PS_BATCH_EVENTS_MAX ? EVENTS - at : PS_BATCH_EVENTS_MAX;
        set->batches[way][number] =
            ps_bench_harness_batch(&set->harness, set->lines + (size_t)at * LINE_BYTES, PS_RULE_TRAFFIC_BYTES,
                                   left, in_place, &taken);
    }
}

static void set_make(struct set *set, enum ps_rule_traffic_kind kind, uint32_t rules, const char *folder)
{
    struct ps_rule_traffic traffic;
    char path[256];
    uint64_t hits = 0;
    memset(set, 0, sizeof *set);
    set->kind = kind;
    set->rules = rules;
    ps_rule_traffic_init(&traffic, kind, rules);
    snprintf(path, sizeof path, "%.200s/%s-%u.rules", folder, ps_rule_traffic_name(kind), rules);
    rules_write(&traffic, path);
    set->lines = ps_must_alloc(1, (size_t)EVENTS * LINE_BYTES, "lines");
    set->read = ps_must_alloc(1, (size_t)PS_BATCH_EVENTS_MAX * LINE_BYTES, "lines");
    set->room = ps_must_alloc(1, (size_t)PS_BATCH_EVENTS_MAX * LINE_BYTES, "lines");
    for (uint32_t i = 0; i < EVENTS; i++) {
        char *line = set->lines + (size_t)i * LINE_BYTES;
        hits += ps_rule_traffic_event(&traffic, line) != PS_RULE_TRAFFIC_NONE;
        line[PS_RULE_TRAFFIC_BYTES] = '\n';
    }
    set->hits = (double)hits / EVENTS;
    struct ps_usage before = ps_usage_self();
    ps_bench_harness_init(&set->harness, UINT64_C(64) << 20);
    ps_bench_harness_open(
        &set->harness, PS_KIND_SELECTOR, "rules",
        (struct ps_texts){PS_COUNT_OF(channel_names), channel_names},
        (const char *const[]){"rules.file", path, "rules.watch", "false", "rules.cache", "none", NULL});
    set->compile_s = ps_usage_self().cpu_s - before.cpu_s;
    hyperscan_make(set, path);
    unlink(path);
    batches_make(set, true);
    batches_make(set, false);
}

static void set_free(struct set *set)
{
    for (int way = IN_PLACE; way <= COPIED; way++) {
        for (unsigned i = 0; i < set->batch_count[way]; i++)
            ps_batch_give(set->batches[way][i]);
    }
    ps_bench_harness_fini(&set->harness);
    ps_hyperscan_scratch_destroy(set->scratch);
    ps_hyperscan_close(set->hyperscan);
    free(set->lines);
    free(set->read);
    free(set->room);
}

/* ---- one pass over all events ----
 *
 * Each batch is written again just before it is measured, as by a source that reads it, so it is in a near
 * cache. The events are too many for branch predictors to learn them. */

/* Returns the nanoseconds it took. */
static double stage_batch(struct set *set, struct ps_batch *batch, const char *lines)
{
    for (uint32_t row = 0; row < batch->count; row++)
        memcpy(batch->events[row].body, lines + (size_t)row * LINE_BYTES, PS_RULE_TRAFFIC_BYTES);
    double began_s = ps_thread_cpu_s();
    struct ps_route *route = ps_route_create(PS_COUNT_OF(channel_names));
    PS_ASSERT(set->harness.ops->selector->work(set->harness.plan, set->harness.state, ps_batch_chain(batch),
                                               route, &set->harness.now) == PS_DONE);
    ps_route_destroy(route);
    return (ps_thread_cpu_s() - began_s) * 1e9;
}

static int count_hit(unsigned, unsigned long long, unsigned long long, unsigned, void *argument)
{
    ++*(uint64_t *)argument;
    return 0;
}

static void bare_scan(struct set *set, const char *data, uint32_t length)
{
    PS_ASSERT(ps_hyperscan_scan(set->hyperscan, set->scratch, data, length, count_hit, &set->reports) ==
              PS_SCAN_DONE);
}

static double bare_batch(struct set *set, enum way way, const char *lines, uint32_t count)
{
    memcpy(set->read, lines, (size_t)count * LINE_BYTES);
    double began_s = ps_thread_cpu_s();
    const char *data = set->read;
    if (way == BARE_EVENTS) {
        for (uint32_t row = 0; row < count; row++, data += LINE_BYTES)
            bare_scan(set, data, PS_RULE_TRAFFIC_BYTES);
        return (ps_thread_cpu_s() - began_s) * 1e9;
    }
    for (uint32_t row = 0; way == BARE_COPIED && row < count; row++) {
        char *to = set->room + (size_t)row * LINE_BYTES;
        memcpy(to, data + (size_t)row * LINE_BYTES, PS_RULE_TRAFFIC_BYTES);
        to[PS_RULE_TRAFFIC_BYTES] = '\n';
    }
    bare_scan(set, way == BARE_COPIED ? set->room : data, count * LINE_BYTES);
    return (ps_thread_cpu_s() - began_s) * 1e9;
}

static double pass(struct set *set, enum way way)
{
    const char *lines = set->lines;
    enum way batches = way == COPIED ? COPIED : IN_PLACE;
    double ns = 0;
    for (unsigned i = 0; i < set->batch_count[batches]; i++) {
        struct ps_batch *batch = set->batches[batches][i];
        ns += way == batches ? stage_batch(set, batch, lines) : bare_batch(set, way, lines, batch->count);
        lines += (size_t)batch->count * LINE_BYTES;
    }
    return ns;
}

/* Returns nanoseconds per event. */
static double measure(struct set *set, enum way way, double seconds)
{
    double ns = 0;
    uint64_t passes = 0;
    for (; ns < seconds * 1e9; passes++)
        ns += pass(set, way);
    return ns / (double)passes / EVENTS;
}

/* Checks that exactly the expected events are hit, in one pass over all. */
static void counts_check(struct set *set, enum way way)
{
    double before = ps_bench_harness_series_sum(&set->harness, "rule_hits");
    pass(set, way);
    double hits = ps_bench_harness_series_sum(&set->harness, "rule_hits") - before;
    if (fabs(hits - set->hits * EVENTS) > 0.5) {
        fprintf(stderr, "bench_rules_stage: %s, %u rules: %.0f events were hit, not %.0f\n",
                ps_rule_traffic_name(set->kind), set->rules, hits, set->hits * EVENTS);
        exit(1);
    }
}

/* ---- records ---- */

/* For bodies that lie apart, the bare batch scan includes copying them together. */
static double bare_of(const struct set *set, enum way way, unsigned round)
{
    return fmin(set->ns[BARE_EVENTS][round], set->ns[way == COPIED ? BARE_COPIED : BARE_BATCHES][round]);
}

/* Tells ps_paired_print that there is a reference. This function is never called, because the reference was measured
 * with the rest. */
static double taken_in_turn(void *)
{
    return 0;
}

static double median_of(const double *figures, unsigned count)
{
    double sorted[PS_ROUNDS_MAX];
    memcpy(sorted, figures, count * sizeof *sorted);
    return ps_spread_of(sorted, count).median;
}

static void record_set(const struct set *set, enum way way, unsigned rounds)
{
    static struct ps_paired_result result;
    char variant[64];
    snprintf(variant, sizeof variant, "%s %u %s", ps_rule_traffic_name(set->kind), set->rules,
             way == IN_PLACE ? "in place" : "copied");
    const struct ps_paired paired = {.bench = "rules_stage",
                                     .variant = variant,
                                     .unit = "ns/event",
                                     .reference = "bare Hyperscan, the faster of a scan an event and a batch",
                                     .lower_is_better = true,
                                     .goal_ratio = set->kind == PS_RULE_TRAFFIC_SPREAD ? 1.2 : 1.3,
                                     .bare = taken_in_turn};
    result.rounds = rounds;
    for (unsigned i = 0; i < rounds; i++) {
        result.subject[i] = set->ns[way][i];
        result.bare[i] = bare_of(set, way, i);
        result.ratio[i] = result.subject[i] / result.bare[i];
    }
    ps_paired_print(&paired, &result,
                    "\"bytes\":%u,\"rules\":%u,\"hit\":%.4g,\"bare_events_ns\":%.4g,\"bare_batches_ns\":%.4g,"
                    "\"database_bytes\":%zu,\"compile_cpu_s\":%.3g",
                    PS_RULE_TRAFFIC_BYTES, set->rules, set->hits, median_of(set->ns[BARE_EVENTS], rounds),
                    median_of(set->ns[way == COPIED ? BARE_COPIED : BARE_BATCHES], rounds),
                    ps_hyperscan_database_bytes(set->hyperscan), set->compile_s);
}

/* Records the cost of many rules relative to few; `way` WAYS: of bare Hyperscan. */
static void record_growth(const struct set *many, const struct set *few, enum way way, double goal,
                          unsigned rounds)
{
    static struct ps_paired_result result;
    char variant[64], reference[64];
    snprintf(variant, sizeof variant, "%s %u against %u%s", ps_rule_traffic_name(many->kind), many->rules,
             few->rules, way == WAYS ? ", bare" : "");
    snprintf(reference, sizeof reference, "the same with %u rules", few->rules);
    const struct ps_paired paired = {.bench = "rules_stage",
                                     .variant = variant,
                                     .unit = "ns/event",
                                     .reference = reference,
                                     .lower_is_better = true,
                                     .goal_ratio = goal,
                                     .bare = taken_in_turn};
    result.rounds = rounds;
    for (unsigned i = 0; i < rounds; i++) {
        result.subject[i] = way == WAYS ? bare_of(many, IN_PLACE, i) : many->ns[way][i];
        result.bare[i] = way == WAYS ? bare_of(few, IN_PLACE, i) : few->ns[way][i];
        result.ratio[i] = result.subject[i] / result.bare[i];
    }
    ps_paired_print(&paired, &result, "\"bytes\":%u", PS_RULE_TRAFFIC_BYTES);
}

/* ---- all sizes of a kind, in turn ---- */

static void kind_run(enum ps_rule_traffic_kind kind, const struct ps_bench_options *options,
                     const char *folder)
{
    static struct set sets[SIZES];
    unsigned count = options->seconds < 1 ? SIZES - 1 : SIZES;
    while (count > 1 && sizes[count - 1] > options->events)
        count--;
    double seconds = options->seconds / 8;
    for (unsigned i = 0; i < count; i++) {
        set_make(&sets[i], kind, sizes[i], folder);
        counts_check(&sets[i], IN_PLACE);
        counts_check(&sets[i], COPIED);
        for (int way = 0; way < WAYS; way++)
            measure(&sets[i], (enum way)way, seconds / 4);
    }
    for (unsigned round = 0; round < options->rounds; round++) {
        for (unsigned step = 0; step < count * WAYS; step++) {
            unsigned at = round % 2 == 0 ? step : count * WAYS - 1 - step;
            struct set *set = &sets[at / WAYS];
            set->ns[at % WAYS][round] = measure(set, (enum way)(at % WAYS), seconds);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        record_set(&sets[i], IN_PLACE, options->rounds);
        record_set(&sets[i], COPIED, options->rounds);
    }
    bool spread = kind == PS_RULE_TRAFFIC_SPREAD;
    for (unsigned i = 2; i < count; i++) {
        record_growth(&sets[i], &sets[0], IN_PLACE, !spread ? 0 : i == 2 ? 2 : 3, options->rounds);
        record_growth(&sets[i], &sets[0], WAYS, 0, options->rounds);
    }
    for (unsigned i = 0; i < count; i++)
        set_free(&sets[i]);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 5, .events = UINT64_MAX};
    char folder[] = "/tmp/penstock-rules-XXXXXX";
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    if (mkdtemp(folder) == NULL)
        fatal("no temporary folder");
    for (int kind = PS_RULE_TRAFFIC_SPREAD; kind <= PS_RULE_TRAFFIC_DENSE; kind++) {
        const char *name = ps_rule_traffic_name((enum ps_rule_traffic_kind)kind);
        if (ps_bench_wants(&options, name))
            kind_run((enum ps_rule_traffic_kind)kind, &options, folder);
    }
    rmdir(folder);
    return 0;
}
