/* The matcher and bare scans of the same bodies with the same database: rule sets of every size, bodies in
 * place (as a line source leaves them) and copied. One iteration is one event of 256 bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/suite/micro/micro.h"
#include "bench/suite/rule_traffic.h"
#include "regex/matcher/internal.h"

#define EVENTS 4096U
#define BATCH 256U
/* A bare scan of a batch takes as many events at once as the matcher does. */
#define STEP 250U

struct harness {
    struct ps_regex **regexes;
    uint32_t count;
    struct ps_matcher *matcher;
    struct ps_matcher_scratch *scratch;
    char *text;
    struct ps_slice *in_place, *apart;
    uint64_t hits;
};

static void harness_add(struct harness *harness, const char *pattern)
{
    harness->regexes[harness->count] = ps_regex_create(pattern, 0, PS_REGEX_FIND, NULL);
    PS_ASSERT(harness->regexes[harness->count] != NULL);
    harness->count++;
}

static void harness_make(struct harness *harness, enum ps_rule_traffic_kind kind, uint32_t rules,
                         const char *only)
{
    struct ps_rule_traffic traffic;
    char pattern[PS_RULE_TRAFFIC_PATTERN_BYTES];
    const size_t pitch = PS_RULE_TRAFFIC_BYTES + 1;
    ps_rule_traffic_init(&traffic, kind, rules);
    *harness = (struct harness){
        .regexes = ps_must_alloc(rules, sizeof *harness->regexes, "the matcher's subjects"),
        .text = ps_must_alloc(1, EVENTS * pitch, "the matcher's subjects"),
        .in_place = ps_must_alloc(EVENTS, sizeof *harness->in_place, "the matcher's subjects"),
        .apart = ps_must_alloc(EVENTS, sizeof *harness->apart, "the matcher's subjects")};
    if (only != NULL)
        harness_add(harness, only);
    for (uint32_t rule = 0; rule < rules && only == NULL; rule++) {
        ps_rule_traffic_pattern(&traffic, rule, pattern);
        harness_add(harness, pattern);
    }
    harness->matcher =
        ps_matcher_create((const struct ps_regex *const *)harness->regexes, harness->count, NULL, NULL, NULL);
    PS_ASSERT(harness->matcher != NULL && harness->matcher->hyperscan != NULL);
    harness->scratch = ps_matcher_scratch_create(harness->matcher, NULL);
    PS_ASSERT(harness->scratch != NULL);
    for (uint32_t i = 0; i < EVENTS; i++) {
        char *at = harness->text + i * pitch;
        ps_rule_traffic_event(&traffic, at);
        at[PS_RULE_TRAFFIC_BYTES] = '\n';
        harness->in_place[i] = (struct ps_slice){at, PS_RULE_TRAFFIC_BYTES};
    }
    /* The same events of each batch, in an order in which neighbours are never adjacent in memory. */
    for (uint32_t i = 0; i < EVENTS; i++)
        harness->apart[i] = harness->in_place[i / BATCH * BATCH + i % BATCH * 7 % BATCH];
}

static void harness_free(struct harness *harness)
{
    PS_ASSERT(harness->hits > 0);
    ps_matcher_scratch_destroy(harness->scratch);
    ps_matcher_destroy(harness->matcher);
    for (uint32_t i = 0; i < harness->count; i++)
        ps_regex_destroy(harness->regexes[i]);
    free(harness->regexes);
    free(harness->text);
    free(harness->in_place);
    free(harness->apart);
}

static int count_hit(unsigned, unsigned long long, unsigned long long, unsigned, void *argument)
{
    ++*(uint64_t *)argument;
    return 0;
}

static void count_each(void *argument, uint32_t, const uint32_t *, uint32_t count)
{
    *(uint64_t *)argument += count;
}

enum way { BARE_EVENTS, BARE_BATCHES, IN_PLACE, COPIED };

static void scan(struct harness *harness, const char *data, uint32_t length)
{
    PS_ASSERT(ps_hyperscan_scan(harness->matcher->hyperscan, harness->scratch->hyperscan, data, length,
                                count_hit, &harness->hits) == PS_SCAN_DONE);
}

static void one_batch(struct harness *harness, enum way way, uint32_t first)
{
    const struct ps_slice *subjects = (way == COPIED ? harness->apart : harness->in_place) + first;
    if (way == BARE_EVENTS) {
        for (uint32_t i = 0; i < BATCH; i++)
            scan(harness, subjects[i].data, subjects[i].length);
    } else if (way == BARE_BATCHES) {
        for (uint32_t i = 0; i < BATCH; i += STEP) {
            uint32_t count = BATCH - i < STEP ? BATCH - i : STEP;
            scan(harness, subjects[i].data, count * (PS_RULE_TRAFFIC_BYTES + 1) - 1);
        }
    } else if (harness->matcher->count == 1) {
        uint64_t bits[PS_MATCHER_WORDS];
        ps_matcher_scan_bits(harness->matcher, harness->scratch, subjects, BATCH, bits);
        for (uint32_t i = 0; i < BATCH / 64; i++)
            harness->hits += (uint64_t)__builtin_popcountll(bits[i]);
    } else {
        ps_matcher_scan_each(harness->matcher, harness->scratch, subjects, BATCH, count_each, &harness->hits);
    }
}

static void run(struct ps_micro *micro, enum ps_rule_traffic_kind kind, uint32_t rules, const char *only,
                enum way way)
{
    struct harness harness;
    uint32_t at = 0;
    harness_make(&harness, kind, rules, only);
    while (ps_micro_batch(micro, BATCH)) {
        one_batch(&harness, way, at);
        at = (at + BATCH) % EVENTS;
    }
    for (; harness.hits == 0; at = (at + BATCH) % EVENTS) /* few iterations may not have seen a hit */
        one_batch(&harness, way, at);
    ps_micro_bytes(micro, PS_RULE_TRAFFIC_BYTES);
    harness_free(&harness);
}

#define WAYS(name, kind, rules, only)                                                                        \
    static void name##_bare_events(struct ps_micro *micro)                                                   \
    {                                                                                                        \
        run(micro, kind, rules, only, BARE_EVENTS);                                                          \
    }                                                                                                        \
    static void name##_bare_batches(struct ps_micro *micro)                                                  \
    {                                                                                                        \
        run(micro, kind, rules, only, BARE_BATCHES);                                                         \
    }                                                                                                        \
    static void name##_in_place(struct ps_micro *micro)                                                      \
    {                                                                                                        \
        run(micro, kind, rules, only, IN_PLACE);                                                             \
    }                                                                                                        \
    static void name##_copied(struct ps_micro *micro)                                                        \
    {                                                                                                        \
        run(micro, kind, rules, only, COPIED);                                                               \
    }

WAYS(simple, PS_RULE_TRAFFIC_SPREAD, 1000, "status=404")
WAYS(spread_10, PS_RULE_TRAFFIC_SPREAD, 10, NULL)
WAYS(spread_1000, PS_RULE_TRAFFIC_SPREAD, 1000, NULL)
WAYS(dense_10, PS_RULE_TRAFFIC_DENSE, 10, NULL)
WAYS(dense_1000, PS_RULE_TRAFFIC_DENSE, 1000, NULL)

#define ADD(name, text)                                                                                      \
    ps_micro_add("matcher/" text "/bare_events", name##_bare_events);                                        \
    ps_micro_add("matcher/" text "/bare_batches", name##_bare_batches);                                      \
    ps_micro_add("matcher/" text "/in_place", name##_in_place);                                              \
    ps_micro_add("matcher/" text "/copied", name##_copied);

void ps_micro_matcher(void)
{
    ADD(simple, "simple")
    ADD(spread_10, "spread_10")
    ADD(spread_1000, "spread_1000")
    ADD(dense_10, "dense_10")
    ADD(dense_1000, "dense_1000")
}
