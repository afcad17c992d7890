/* Measures what one regex interceptor adds to an event: regex_filter and regex_extractor over batches of log
 * lines laid out as a source reads them, minus the cost of making the same batches without them.
 *
 *   bench_regex_interceptors [--seconds 2] [--rounds 5] [--only filter|extractor]
 *
 * Records: additional nanoseconds of CPU time per event; hyperscan_ns is the time of Hyperscan alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/suite/harness.h"
#include "bench/suite/paired.h"
#include "bench/suite/rule_traffic.h"
#include "bench/support/measure.h"
#include "regex/hyperscan.h"
#include "regex/regex.h"

#define EVENTS 16384U
#define LINE_BYTES (PS_RULE_TRAFFIC_BYTES + 1)

#define EXTRACTED "user=([a-z]+) status=([0-9]+) service=([a-z]+) ms=([0-9]+)"

struct kind {
    const char *only, *variant, *stage;
    const char *has, *lacks; /* text that the lines of the log contain or lack; or NULL */
    double goal;
    const char *keys[24];
};

/* With a match in half of the events Hyperscan alone takes 20 ns per event, so there is no goal. */
static const struct kind kinds[] = {
    {"filter",
     "regex_filter /healthz, none match",
     "regex_filter",
     NULL,
     NULL,
     10,
     {"regex", "/healthz", "excludeEvents", "true", NULL}},
    {"filter",
     "regex_filter level=WARN, 4 % match",
     "regex_filter",
     NULL,
     NULL,
     10,
     {"regex", "level=WARN", "excludeEvents", "true", NULL}},
    {"filter",
     "regex_filter status=(200|404), half match",
     "regex_filter",
     "status=",
     NULL,
     0,
     {"regex", "status=(200|404)", NULL}},
    {"extractor",
     "regex_extractor, 4 groups, all match",
     "regex_extractor",
     " user=",
     NULL,
     250,
     {"regex", EXTRACTED, "serializers", "u s v m", "serializers.u.name", "user", "serializers.s.name",
      "status", "serializers.v.name", "service", "serializers.m.name", "ms", NULL}},
    {"extractor",
     "regex_extractor, 4 groups, none match",
     "regex_extractor",
     NULL,
     " user=",
     15,
     {"regex", EXTRACTED, "serializers", "u s v m", "serializers.u.name", "user", "serializers.s.name",
      "status", "serializers.v.name", "service", "serializers.m.name", "ms", NULL}},
};

/* Makes lines of the spread log that contain, or lack, the kind's text. */
static void lines_make(const struct kind *kind, char *lines)
{
    struct ps_rule_traffic traffic;
    ps_rule_traffic_init(&traffic, PS_RULE_TRAFFIC_SPREAD, 100);
    for (uint32_t i = 0; i < EVENTS;) {
        char *line = lines + (size_t)i * LINE_BYTES;
        ps_rule_traffic_event(&traffic, line);
        line[PS_RULE_TRAFFIC_BYTES] = '\n';
        bool has = kind->has == NULL || memmem(line, LINE_BYTES, kind->has, strlen(kind->has)) != NULL;
        bool lacks =
            kind->lacks == NULL || memmem(line, LINE_BYTES, kind->lacks, strlen(kind->lacks)) == NULL;
        i += has && lacks;
    }
}

/* Runs all events once; returns nanoseconds. Each batch is written again before it is measured, as by a
 * source that reads it. `*left`: events that were not dropped. */
static double pass(struct ps_bench_harness *harness, const char *lines, bool with, uint32_t *left)
{
    static char read[PS_BATCH_EVENTS_MAX * LINE_BYTES];
    double ns = 0;
    *left = 0;
    for (uint32_t at = 0, taken; at < EVENTS; at += taken) {
        uint32_t count = EVENTS - at < PS_BATCH_EVENTS_MAX ? EVENTS - at : PS_BATCH_EVENTS_MAX;
        memcpy(read, lines + (size_t)at * LINE_BYTES, (size_t)count * LINE_BYTES);
        double began_s = ps_thread_cpu_s();
        struct ps_batch *batch =
            ps_bench_harness_batch_over(harness, read, PS_RULE_TRAFFIC_BYTES, count, &taken);
        if (with)
            PS_ASSERT(harness->ops->interceptor->work(harness->plan, harness->state, ps_batch_chain(batch),
                                                      &harness->now) == PS_DONE);
        *left += ps_batch_chain(batch)->count;
        ps_batch_give(batch);
        ns += (ps_thread_cpu_s() - began_s) * 1e9;
    }
    return ns;
}

/* Returns nanoseconds per event. */
static double measure(struct ps_bench_harness *harness, const char *lines, bool with, double seconds)
{
    double ns = 0;
    uint64_t passes = 0;
    uint32_t left;
    for (; ns < seconds * 1e9; passes++)
        ns += pass(harness, lines, with, &left);
    return ns / (double)passes / EVENTS;
}

/* ---- Hyperscan alone: one scan per batch with the same expression ---- */

static int count_hit(unsigned, unsigned long long, unsigned long long, unsigned, void *argument)
{
    ++*(uint64_t *)argument;
    return 0;
}

/* Returns nanoseconds per event. */
static double measure_bare(const struct ps_hyperscan *hyperscan, struct ps_hyperscan_scratch *scratch,
                           const char *lines, double seconds)
{
    static char read[PS_BATCH_EVENTS_MAX * LINE_BYTES];
    double ns = 0;
    uint64_t passes = 0, hits = 0;
    for (; ns < seconds * 1e9; passes++) {
        for (uint32_t at = 0; at < EVENTS; at += PS_BATCH_EVENTS_MAX) {
            memcpy(read, lines + (size_t)at * LINE_BYTES, sizeof read);
            double began_s = ps_thread_cpu_s();
            PS_ASSERT(ps_hyperscan_scan(hyperscan, scratch, read, sizeof read, count_hit, &hits) ==
                      PS_SCAN_DONE);
            ns += (ps_thread_cpu_s() - began_s) * 1e9;
        }
    }
    return ns / (double)passes / EVENTS;
}

static double bare(const char *pattern, const char *lines, double seconds)
{
    struct ps_err err = {.length = 0};
    struct ps_hyperscan_built built;
    uint32_t failed;
    bool passing;
    struct ps_regex *regex = ps_regex_create(pattern, 0, PS_REGEX_FIND, &err);
    PS_ASSERT(regex != NULL && ps_regex_java(regex)->hyperscan != NULL);
    const struct ps_hyperscan_expression expression = {.text = ps_regex_java(regex)->hyperscan};
    PS_ASSERT(ps_hyperscan_build(&expression, 1, &built, &failed, &err) == PS_OK);
    struct ps_hyperscan *hyperscan = ps_hyperscan_open(built.bytes, built.length, &passing, &err);
    PS_ASSERT(hyperscan != NULL);
    struct ps_hyperscan_scratch *scratch = ps_hyperscan_scratch_create(hyperscan, &err);
    PS_ASSERT(scratch != NULL);
    measure_bare(hyperscan, scratch, lines, seconds / 4);
    double ns = measure_bare(hyperscan, scratch, lines, seconds);
    ps_hyperscan_scratch_destroy(scratch);
    ps_hyperscan_close(hyperscan);
    ps_hyperscan_built_fini(&built);
    ps_regex_destroy(regex);
    return ns;
}

static void kind_run(const struct kind *kind, const struct ps_bench_options *options, char *lines)
{
    static struct ps_paired_result result;
    struct ps_bench_harness harness;
    double seconds = options->seconds / 4, without[PS_ROUNDS_MAX];
    lines_make(kind, lines);
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    ps_bench_harness_open(&harness, PS_KIND_INTERCEPTOR, kind->stage, (struct ps_texts){0}, kind->keys);
    measure(&harness, lines, false, seconds / 2);
    measure(&harness, lines, true, seconds / 2);
    result.rounds = options->rounds;
    for (unsigned i = 0; i < options->rounds; i++) {
        bool first = i % 2 == 0;
        double with = first ? 0 : measure(&harness, lines, true, seconds);
        without[i] = measure(&harness, lines, false, seconds);
        with = first ? measure(&harness, lines, true, seconds) : with;
        result.subject[i] = with - without[i];
    }
    const struct ps_paired paired = {.bench = "regex_interceptors",
                                     .variant = kind->variant,
                                     .unit = "ns/event",
                                     .lower_is_better = true,
                                     .goal = kind->goal};
    uint32_t left;
    pass(&harness, lines, true, &left);
    ps_paired_print(&paired, &result, "\"bytes\":%u,\"left\":%.4g,\"without_ns\":%.4g,\"hyperscan_ns\":%.4g",
                    PS_RULE_TRAFFIC_BYTES, (double)left / EVENTS,
                    ps_spread_of(without, options->rounds).median, bare(kind->keys[1], lines, seconds));
    ps_bench_harness_fini(&harness);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 2, .rounds = 5};
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    char *lines = ps_must_alloc(1, (size_t)EVENTS * LINE_BYTES, "lines");
    for (size_t k = 0; k < PS_COUNT_OF(kinds); k++) {
        if (ps_bench_wants(&options, kinds[k].only))
            kind_run(&kinds[k], &options, lines);
    }
    free(lines);
    return 0;
}
