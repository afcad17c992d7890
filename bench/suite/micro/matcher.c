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

struct bed {
    struct ps_regex **regexes;
    uint32_t count;
    struct ps_matcher *matcher;
    struct ps_matcher_scratch *scratch;
    char *text;
    struct ps_slice *in_place, *apart;
    uint64_t hits;
};

static void bed_add(struct bed *bed, const char *pattern)
{
    bed->regexes[bed->count] = ps_regex_create(pattern, 0, PS_REGEX_FIND, NULL);
    PS_ASSERT(bed->regexes[bed->count] != NULL);
    bed->count++;
}

static void bed_make(struct bed *bed, enum ps_rule_traffic_kind kind, uint32_t rules, const char *only)
{
    struct ps_rule_traffic traffic;
    char pattern[PS_RULE_TRAFFIC_PATTERN_BYTES];
    const size_t pitch = PS_RULE_TRAFFIC_BYTES + 1;
    ps_rule_traffic_init(&traffic, kind, rules);
    *bed = (struct bed){.regexes = ps_must_alloc(rules, sizeof *bed->regexes, "the matcher's subjects"),
                        .text = ps_must_alloc(1, EVENTS * pitch, "the matcher's subjects"),
                        .in_place = ps_must_alloc(EVENTS, sizeof *bed->in_place, "the matcher's subjects"),
                        .apart = ps_must_alloc(EVENTS, sizeof *bed->apart, "the matcher's subjects")};
    if (only != NULL)
        bed_add(bed, only);
    for (uint32_t rule = 0; rule < rules && only == NULL; rule++) {
        ps_rule_traffic_pattern(&traffic, rule, pattern);
        bed_add(bed, pattern);
    }
    bed->matcher =
        ps_matcher_create((const struct ps_regex *const *)bed->regexes, bed->count, NULL, NULL, NULL);
    PS_ASSERT(bed->matcher != NULL && bed->matcher->hyperscan != NULL);
    bed->scratch = ps_matcher_scratch_create(bed->matcher, NULL);
    PS_ASSERT(bed->scratch != NULL);
    for (uint32_t i = 0; i < EVENTS; i++) {
        char *at = bed->text + i * pitch;
        ps_rule_traffic_event(&traffic, at);
        at[PS_RULE_TRAFFIC_BYTES] = '\n';
        bed->in_place[i] = (struct ps_slice){at, PS_RULE_TRAFFIC_BYTES};
    }
    /* The same events of each batch, in an order in which neighbours are never adjacent in memory. */
    for (uint32_t i = 0; i < EVENTS; i++)
        bed->apart[i] = bed->in_place[i / BATCH * BATCH + i % BATCH * 7 % BATCH];
}

static void bed_free(struct bed *bed)
{
    PS_ASSERT(bed->hits > 0);
    ps_matcher_scratch_destroy(bed->scratch);
    ps_matcher_destroy(bed->matcher);
    for (uint32_t i = 0; i < bed->count; i++)
        ps_regex_destroy(bed->regexes[i]);
    free(bed->regexes);
    free(bed->text);
    free(bed->in_place);
    free(bed->apart);
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

static void scan(struct bed *bed, const char *data, uint32_t length)
{
    PS_ASSERT(ps_hyperscan_scan(bed->matcher->hyperscan, bed->scratch->hyperscan, data, length, count_hit,
                                &bed->hits) == PS_SCAN_DONE);
}

static void one_batch(struct bed *bed, enum way way, uint32_t first)
{
    const struct ps_slice *subjects = (way == COPIED ? bed->apart : bed->in_place) + first;
    if (way == BARE_EVENTS) {
        for (uint32_t i = 0; i < BATCH; i++)
            scan(bed, subjects[i].data, subjects[i].length);
    } else if (way == BARE_BATCHES) {
        for (uint32_t i = 0; i < BATCH; i += STEP) {
            uint32_t count = BATCH - i < STEP ? BATCH - i : STEP;
            scan(bed, subjects[i].data, count * (PS_RULE_TRAFFIC_BYTES + 1) - 1);
        }
    } else if (bed->matcher->count == 1) {
        uint64_t bits[PS_MATCHER_WORDS];
        ps_matcher_scan_bits(bed->matcher, bed->scratch, subjects, BATCH, bits);
        for (uint32_t i = 0; i < BATCH / 64; i++)
            bed->hits += (uint64_t)__builtin_popcountll(bits[i]);
    } else {
        ps_matcher_scan_each(bed->matcher, bed->scratch, subjects, BATCH, count_each, &bed->hits);
    }
}

static void run(struct ps_micro *micro, enum ps_rule_traffic_kind kind, uint32_t rules, const char *only,
                enum way way)
{
    struct bed bed;
    uint32_t at = 0;
    bed_make(&bed, kind, rules, only);
    while (ps_micro_batch(micro, BATCH)) {
        one_batch(&bed, way, at);
        at = (at + BATCH) % EVENTS;
    }
    for (; bed.hits == 0; at = (at + BATCH) % EVENTS) /* few iterations may not have seen a hit */
        one_batch(&bed, way, at);
    ps_micro_bytes(micro, PS_RULE_TRAFFIC_BYTES);
    bed_free(&bed);
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
