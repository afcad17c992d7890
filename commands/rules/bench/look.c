/* Finds the rules that match and act on each event of a sample, in two passes: one with the unchanged rules,
 * one in which all rules are evaluated and none acts. Thread: main. */
#include "commands/rules/bench/bench.h"

#include <stdlib.h>
#include <string.h>

#define PAIR_RULES_MAX 32U /* rules that match one event */
#define PAIRS_MAX 1000000U
#define NO_RULE UINT32_MAX

struct pass {
    struct ps_rules_bench *bench;
    struct ps_rules_harness *harness;
    size_t from;        /* first line of the batch */
    uint32_t *first;    /* for each line: the rule that acted first */
    uint32_t *matching; /* the rules that match the current event */
    uint32_t matching_count;
    size_t line; /* line of the current event */
    struct rules_names pairs;
    struct rules_names hiders; /* hidden rule and hider -> number in hider_counts */
    uint64_t *hider_counts;
    uint32_t hider_count;
};

static uint32_t number_of(const struct ps_rules_harness *harness, const struct ps_rule *rule)
{
    return (uint32_t)(rule - harness->rules->rules);
}

/* ---- which rules act ---- */

static void on_act(void *argument, uint16_t row, const struct ps_rule *rule)
{
    struct pass *pass = argument;
    uint32_t number = number_of(pass->harness, rule);
    pass->bench->rules[number].acts++;
    if (pass->first[pass->from + row] == NO_RULE)
        pass->first[pass->from + row] = number;
}

/* ---- which rules match ---- */

static void pair_add(struct pass *pass, uint32_t first, uint32_t second)
{
    struct ps_rules_bench *bench = pass->bench;
    const uint32_t key[2] = {first, second};
    uint32_t number = ps_rules_names_find(&pass->pairs, (const char *)key, sizeof key);
    if (number == RULES_NAME_NONE) {
        if (bench->pair_count == PAIRS_MAX)
            return;
        if ((bench->pair_count & (bench->pair_count - 1)) == 0) {
            size_t room = bench->pair_count == 0 ? 1 : 2 * bench->pair_count;
            bench->pairs = ps_must_realloc(bench->pairs, room * sizeof *bench->pairs, "pairs of rules");
        }
        number = (uint32_t)bench->pair_count++;
        bench->pairs[number] = (struct ps_rules_bench_pair){first, second, 0};
        ps_rules_names_add(&pass->pairs, bench->arena, (const char *)key, sizeof key, number);
    }
    bench->pairs[number].count++;
}

/* Counts an event that `rule` matched and did not act on, because `hider` acted before it. */
static void hidden_add(struct pass *pass, uint32_t rule, uint32_t hider)
{
    const uint32_t key[2] = {rule, hider};
    uint32_t number = ps_rules_names_find(&pass->hiders, (const char *)key, sizeof key);
    if (number == RULES_NAME_NONE) {
        if (pass->hider_count == PAIRS_MAX)
            return;
        number = pass->hider_count++;
        ps_rules_names_add(&pass->hiders, pass->bench->arena, (const char *)key, sizeof key, number);
    }
    uint64_t count = ++pass->hider_counts[number];
    struct ps_rules_bench_rule *hidden = &pass->bench->rules[rule];
    if (count > hidden->hidden_by_count) {
        hidden->hidden_by_count = count;
        hidden->hidden_by = hider;
    }
}

/* Called when all matching rules of one event are known. */
static void event_end(struct pass *pass)
{
    struct ps_rules_bench *bench = pass->bench;
    uint32_t count = pass->matching_count < PAIR_RULES_MAX ? pass->matching_count : PAIR_RULES_MAX;
    bench->overlapping += pass->matching_count > 1;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i + 1; j < count; j++)
            pair_add(pass, pass->matching[i], pass->matching[j]);
        uint32_t first = pass->first[pass->line];
        if (first != NO_RULE && first < pass->matching[i] && bench->harness.rules->mode == PS_RULES_FIRST)
            hidden_add(pass, pass->matching[i], first);
    }
    pass->matching_count = 0;
}

static void on_match(void *argument, uint16_t row, const struct ps_rule *rule)
{
    struct pass *pass = argument;
    struct ps_rules_bench *bench = pass->bench;
    size_t line = pass->from + row;
    uint32_t number = number_of(pass->harness, rule);
    struct ps_rules_bench_rule *seen = &bench->rules[number];
    if (pass->matching_count > 0 && line != pass->line)
        event_end(pass);
    pass->line = line;
    bench->unmatched -= pass->matching_count == 0;
    pass->matching[pass->matching_count++] = number;
    seen->matches++;
    seen->match_bytes += bench->lines[line].length;
    if (seen->example_count < PS_RULES_EXAMPLES)
        seen->examples[seen->example_count++] = (uint32_t)line;
}

/* ---- the passes ---- */

static bool pass_run(struct pass *pass, ps_rules_trace trace, const char *what)
{
    struct ps_rules_bench *bench = pass->bench;
    size_t count;
    ps_rules_progress_begin(&bench->harness.progress);
    for (pass->from = 0; pass->from < bench->line_count; pass->from += count) {
        struct ps_batch *batch =
            ps_rules_harness_events(pass->harness, &bench->lines[pass->from], bench->line_count - pass->from,
                                    bench->headers, bench->header_count, false, &count);
        bool good = batch != NULL && ps_rules_harness_run(pass->harness, batch, trace, pass);
        if (batch != NULL)
            ps_batch_give(batch);
        if (!good) {
            fputs("penstock rules bench: the events are too large\n", stderr);
            return false;
        }
        ps_rules_progress_say(&bench->harness.progress, "%s, %.0f %% ...", what,
                              100 * (double)pass->from / (double)bench->line_count);
    }
    ps_rules_progress_end(&bench->harness.progress);
    return true;
}

/* Makes a copy of the rules in which all are evaluated and none acts. */
static enum ps_status quiet_open(struct ps_rules_bench *bench, struct ps_rules_harness *harness)
{
    struct ps_rules *rules;
    enum ps_status status = ps_rules_harness_load(harness, bench->command, bench->file, &rules);
    if (status == PS_OK && rules->rule_count != bench->harness.rules->rule_count) {
        ps_rules_destroy(rules);
        ps_rules_problem_add(harness->problems, PS_RULES_ERROR, (struct ps_rules_place){.file = bench->file},
                             NULL, "the file changed while it was being measured");
        status = PS_FAIL;
    } else if (status == PS_OK) {
        rules->mode = PS_RULES_ALL;
        rules->default_count = 0;
        for (size_t i = 0; i < rules->rule_count; i++)
            rules->rules[i].action_count = 0;
        harness->routes = false;
        status = ps_rules_harness_compile(harness, bench->command, rules);
    }
    if (status != PS_OK)
        ps_rules_print_problems(stderr, harness->problems);
    return status;
}

static int pair_compare(const void *left, const void *right)
{
    const struct ps_rules_bench_pair *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->first != b->first ? (a->first < b->first ? -1 : 1) : a->second < b->second ? -1 : 1;
}

bool ps_rules_bench_look(struct ps_rules_bench *bench)
{
    size_t rule_count = bench->harness.rules->rule_count;
    struct ps_rules_harness quiet;
    struct pass pass = {.bench = bench, .harness = &bench->harness};
    pass.first = ps_must_alloc(bench->line_count + 1, sizeof *pass.first, "counts of rules");
    pass.matching = ps_must_alloc(rule_count + 1, sizeof *pass.matching, "counts of rules");
    pass.hider_counts = ps_must_alloc(PAIRS_MAX, sizeof *pass.hider_counts, "counts of rules");
    memset(pass.first, 0xFF, (bench->line_count + 1) * sizeof *pass.first);
    for (size_t i = 0; i < rule_count; i++)
        bench->rules[i].hidden_by = NO_RULE;
    bench->unmatched = bench->line_count;
    bool good = pass_run(&pass, on_act, "looking at what acts");
    if (good) {
        good = quiet_open(bench, &quiet) == PS_OK;
        pass.harness = &quiet;
        good = good && pass_run(&pass, on_match, "looking at what matches");
        if (pass.matching_count > 0)
            event_end(&pass);
        ps_rules_harness_close(&quiet);
    }
    if (bench->pair_count > 0)
        qsort(bench->pairs, bench->pair_count, sizeof *bench->pairs, pair_compare);
    free(pass.hider_counts);
    free(pass.matching);
    free(pass.first);
    return good;
}
