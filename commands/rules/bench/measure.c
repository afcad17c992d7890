/* Measures the rules and bare Hyperscan over the sample. The ways take turns of some batches each, so that drift of the
 * machine affects all of them. Each batch is made just before it is measured, as by a source that reads it, so it is in
 * a near cache; a sample of some thousand lines is too long for branch predictors to learn it. Thread: main. */
#include "bench/support/measure.h"
#include "commands/rules/bench/bench.h"
#include "regex/hyperscan.h"

#include <stdlib.h>
#include <string.h>

/* Batches of a turn; a prime, so that each way gets all batches of most samples. */
#define TURN_BATCHES 17U

struct measuring {
    struct ps_rules_bench *bench;
    struct ps_matcher *matcher;           /* of the expressions over the body; NULL: there are none */
    const struct ps_hyperscan *hyperscan; /* its database; NULL: none */
    struct ps_hyperscan_scratch *scratch;
    uint64_t hits;
    char *room; /* for PS_BARE_COPIED */
    size_t room_bytes;
    size_t line; /* where the next batch begins */
};

/* ---- bare Hyperscan ---- */

static int on_hit(unsigned, unsigned long long, unsigned long long, unsigned, void *argument)
{
    ++*(uint64_t *)argument;
    return 0;
}

static void scan(struct measuring *measuring, const char *data, size_t length)
{
    (void)ps_hyperscan_scan(measuring->hyperscan, measuring->scratch, data, (uint32_t)length, on_hit,
                            &measuring->hits);
}

static void scan_events(struct measuring *measuring, const struct ps_batch *batch)
{
    for (uint32_t row = 0; row < batch->count; row++)
        scan(measuring, batch->events[row].body, batch->events[row].body_length);
}

/* A scan for all bodies that lie one after the other. */
static void scan_batch(struct measuring *measuring, const struct ps_batch *batch)
{
    for (uint32_t row = 0; row < batch->count;) {
        const char *begin = batch->events[row].body, *end = begin + batch->events[row].body_length;
        for (row++; row < batch->count && batch->events[row].body == end + 1; row++)
            end += 1 + batch->events[row].body_length;
        scan(measuring, begin, (size_t)(end - begin));
    }
}

static void scan_copied(struct measuring *measuring, const struct ps_batch *batch)
{
    char *at = measuring->room;
    for (uint32_t row = 0; row < batch->count; row++) {
        memcpy(at, batch->events[row].body, batch->events[row].body_length);
        at += batch->events[row].body_length;
        *at++ = '\n';
    }
    scan(measuring, measuring->room, (size_t)(at - measuring->room));
}

/* Opens the database that the rules have for the expressions over the body; there may be none. */
static bool scan_open(struct measuring *measuring)
{
    struct ps_rules_bench *bench = measuring->bench;
    const struct ps_rules *rules = bench->harness.rules;
    const struct ps_regex **regexes =
        ps_arena_alloc(bench->arena, (rules->pattern_count + 1) * sizeof *regexes);
    struct ps_err err = {.length = 0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < rules->pattern_count; i++)
        if (rules->patterns[i].subject.header == NULL)
            regexes[count++] = rules->patterns[i].regex;
    if (count == 0)
        return true;
    const struct ps_matcher_options options = {.cache_directory = bench->command->cache,
                                               .program = "/proc/self/exe",
                                               .compile_memory_bytes = bench->command->compile_memory_bytes,
                                               .compile_time_ms = bench->command->compile_time_ms};
    measuring->matcher = ps_matcher_create(regexes, count, &options, NULL, &err);
    measuring->hyperscan = measuring->matcher != NULL ? ps_matcher_hyperscan(measuring->matcher) : NULL;
    if (measuring->hyperscan != NULL) {
        bench->database_bytes = ps_hyperscan_database_bytes(measuring->hyperscan);
        measuring->scratch = ps_hyperscan_scratch_create(measuring->hyperscan, &err);
    }
    if (measuring->matcher != NULL && (measuring->hyperscan == NULL || measuring->scratch != NULL))
        return true;
    fprintf(stderr, "penstock rules bench: %s\n", err.text);
    return false;
}

/* ---- turns ---- */

static void run(struct measuring *measuring, enum ps_rules_bench_way way, struct ps_batch *batch)
{
    switch (way) {
    case PS_RULES_IN_PLACE:
    case PS_RULES_COPIED:
        (void)ps_rules_harness_run(&measuring->bench->harness, batch, NULL, NULL);
        break;
    case PS_BARE_EVENTS:
        scan_events(measuring, batch);
        break;
    case PS_BARE_BATCHES:
        scan_batch(measuring, batch);
        break;
    case PS_BARE_COPIED:
        scan_copied(measuring, batch);
        break;
    case PS_RULES_BENCH_WAYS:
        break;
    }
}

/* Measures one way with the next batch. Returns false if there is no room for it. */
static bool batch_measure(struct measuring *measuring, enum ps_rules_bench_way way)
{
    struct ps_rules_bench *bench = measuring->bench;
    struct ps_rules_bench_cost *cost = &bench->ways[way];
    bool in_place = way != PS_RULES_COPIED && way != PS_BARE_COPIED;
    size_t count;
    struct ps_batch *batch = ps_rules_harness_events(&bench->harness, &bench->lines[measuring->line],
                                                     bench->line_count - measuring->line, bench->headers,
                                                     bench->header_count, in_place, &count);
    if (batch == NULL)
        return false;
    uint64_t bytes = batch->body_bytes;
    if (way == PS_BARE_COPIED && bytes + count > measuring->room_bytes) {
        measuring->room_bytes = bytes + count;
        measuring->room = ps_must_realloc(measuring->room, measuring->room_bytes, "the sample");
    }
    double began_s = ps_thread_cpu_s();
    run(measuring, way, batch);
    cost->ns += (uint64_t)((ps_thread_cpu_s() - began_s) * 1e9);
    cost->events += count;
    cost->bytes += bytes;
    ps_batch_give(batch);
    measuring->line = measuring->line + count >= bench->line_count ? 0 : measuring->line + count;
    return true;
}

/* Measures one way with some batches, but for `seconds` at most. */
static bool turn_measure(struct measuring *measuring, enum ps_rules_bench_way way, double seconds)
{
    double began_s = ps_now_s();
    bool good = true;
    for (unsigned i = 0; good && i < TURN_BATCHES && (i == 0 || ps_now_s() - began_s < seconds); i++)
        good = batch_measure(measuring, way);
    return good;
}

bool ps_rules_bench_measure(struct ps_rules_bench *bench)
{
    struct measuring measuring = {.bench = bench};
    struct ps_rules_progress *progress = &bench->harness.progress;
    bool opened = scan_open(&measuring), good = opened;
    unsigned ways = measuring.hyperscan != NULL ? PS_RULES_BENCH_WAYS : PS_BARE_EVENTS;
    double seconds = bench->command->seconds, began_s = ps_now_s();
    ps_rules_harness_forget(&bench->harness);
    ps_rules_progress_begin(progress);
    for (unsigned turn = 0; good && (turn < ways || ps_now_s() - began_s < seconds); turn++) {
        good = turn_measure(&measuring, (enum ps_rules_bench_way)(turn % ways), seconds / ways);
        ps_rules_progress_say(progress, "measuring, %.0f %% ...", 100 * (ps_now_s() - began_s) / seconds);
    }
    ps_rules_progress_end(progress);
    if (opened && !good)
        fputs("penstock rules bench: the events are too large to be measured\n", stderr);
    ps_rules_scratch_count(bench->harness.scratch, &bench->counts);
    ps_hyperscan_scratch_destroy(measuring.scratch);
    ps_matcher_destroy(measuring.matcher);
    free(measuring.room);
    return good;
}
