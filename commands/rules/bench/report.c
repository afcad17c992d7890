/* The report of `penstock rules bench`, as text and as JSON. Thread: main. */
#include "commands/rules/bench/bench.h"
#include "core/quantity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define RULES_SHOWN 20U
#define PAIRS_SHOWN 10U
#define NAMES_SHOWN 30U

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100 * (double)part / (double)whole;
}

static const char *rule_name(const struct ps_rules_bench *bench, uint32_t number)
{
    return bench->harness.rules->rules[number].name;
}

/* ---- the whole sample ---- */

static double ns_per_event(const struct ps_rules_bench *bench, enum ps_rules_bench_way way)
{
    const struct ps_rules_bench_cost *cost = &bench->ways[way];
    return cost->events > 0 ? (double)cost->ns / (double)cost->events : 0;
}

/* Returns the faster of a scan for each event and a scan for each batch; 0: there is nothing to scan for. */
static double scan_ns_per_event(const struct ps_rules_bench *bench, enum ps_rules_bench_way batches)
{
    return fmin(ns_per_event(bench, PS_BARE_EVENTS), ns_per_event(bench, batches));
}

static void print_cost(const struct ps_rules_bench *bench)
{
    const struct ps_rules_bench_cost *cost = &bench->ways[PS_RULES_IN_PLACE];
    double rules = ns_per_event(bench, PS_RULES_IN_PLACE), scan = scan_ns_per_event(bench, PS_BARE_BATCHES);
    double line_bytes = (double)bench->bytes / (double)bench->line_count;
    printf("sample       %s %s, %s, %.0f %s a line%s\n", ps_quantity_print_count(bench->line_count).text,
           ps_quantity_word(bench->line_count, "line", "lines"), ps_quantity_print_bytes(bench->bytes).text,
           line_bytes, ps_quantity_word((uint64_t)lround(line_bytes), "byte", "bytes"),
           bench->cut ? " (cut off)" : "");
    printf("measured     %s %s in %s, on one thread\n", ps_quantity_print_count(cost->events).text,
           ps_quantity_word(cost->events, "event", "events"), ps_quantity_print_ns(cost->ns).text);
    printf("rules        %8.1f ns an event   %20s   %s/s\n", rules,
           ps_quantity_print_event_rate(1e9 / rules).text,
           ps_quantity_print_bytes((uint64_t)((double)cost->bytes / (double)cost->ns * 1e9)).text);
    if (scan > 0)
        printf("bare scan    %8.1f ns an event   %20s   the rules take %.2f times as long\n", scan,
               ps_quantity_print_event_rate(1e9 / scan).text, rules / scan);
    if (bench->counts.confirms > 0)
        printf("PCRE2        run %.3f times an event after the scan, and matched in %.0f %% of the runs\n",
               (double)bench->counts.confirms /
                   (double)(bench->counts.subjects > 0 ? bench->counts.subjects : 1),
               share(bench->counts.confirmed, bench->counts.confirms));
    if (bench->counts.scan_errors + bench->counts.given_up > 0)
        printf("trouble      %s scan errors, %s matches given up for taking too many steps\n",
               ps_quantity_print_count(bench->counts.scan_errors).text,
               ps_quantity_print_count(bench->counts.given_up).text);
}

/* ---- each rule ---- */

static const struct ps_rules_bench *sorting;

/* Sorts by number of matches, most first. */
static int rule_compare(const void *left, const void *right)
{
    uint32_t i = *(const uint32_t *)left, j = *(const uint32_t *)right;
    const struct ps_rules_bench_rule *a = &sorting->rules[i], *b = &sorting->rules[j];
    if (a->matches != b->matches)
        return a->matches > b->matches ? -1 : 1;
    return i < j ? -1 : i > j;
}

static uint32_t *rules_sorted(const struct ps_rules_bench *bench)
{
    size_t count = bench->harness.rules->rule_count;
    uint32_t *order = ps_arena_alloc(bench->arena, (count + 1) * sizeof *order);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    sorting = bench;
    qsort(order, count, sizeof *order, rule_compare);
    return order;
}

static void print_rules(const struct ps_rules_bench *bench)
{
    const uint32_t *order = rules_sorted(bench);
    size_t count = bench->harness.rules->rule_count;
    size_t shown = bench->command->verbose || count < RULES_SHOWN ? count : RULES_SHOWN;
    printf("\n%-28s %12s %7s %12s %12s %10s\n", "rule", "matches", "share", "acts", "bytes", "PCRE2 ns*");
    for (size_t i = 0; i < shown; i++) {
        const struct ps_rules_bench_rule *rule = &bench->rules[order[i]];
        printf("%-28s %12s %6.2f%% %12s %12s %10.1f%s\n", rule_name(bench, order[i]),
               ps_quantity_print_count(rule->matches).text, share(rule->matches, bench->line_count),
               ps_quantity_print_count(rule->acts).text, ps_quantity_print_bytes(rule->match_bytes).text,
               rule->pcre2_ns, rule->pcre2_alone ? "  PCRE2 alone" : "");
    }
    if (shown < count)
        printf("... and %zu more; --verbose shows all\n", count - shown);
    puts("* estimated matches of PCRE2 for each event of the sample: to confirm and for groups; an "
         "expression that only PCRE2 can run is matched with every event");
}

static void print_names(const struct ps_rules_bench *bench, const char *what,
                        bool (*is)(const struct ps_rules_bench_rule *rule))
{
    size_t count = bench->harness.rules->rule_count, found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is(&bench->rules[i]))
            continue;
        if (found < NAMES_SHOWN || bench->command->verbose)
            printf("%s%s", found == 0 ? what : ", ", rule_name(bench, i));
        found++;
    }
    if (found > NAMES_SHOWN && !bench->command->verbose)
        printf(" ... and %zu more", found - NAMES_SHOWN);
    if (found > 0)
        putchar('\n');
}

static bool is_never(const struct ps_rules_bench_rule *rule)
{
    return rule->matches == 0;
}

static bool is_hidden(const struct ps_rules_bench_rule *rule)
{
    return rule->matches > 0 && rule->acts == 0;
}

static void print_overlaps(const struct ps_rules_bench *bench)
{
    printf("\nmatched by no rule: %s (%.2f %%), by two or more: %s (%.2f %%)\n",
           ps_quantity_print_count(bench->unmatched).text, share(bench->unmatched, bench->line_count),
           ps_quantity_print_count(bench->overlapping).text, share(bench->overlapping, bench->line_count));
    print_names(bench, "never matched: ", is_never);
    for (uint32_t i = 0; i < bench->harness.rules->rule_count; i++)
        if (is_hidden(&bench->rules[i]) && bench->rules[i].hidden_by != UINT32_MAX)
            printf("hidden: %s matched %s %s and never acted; %s came first\n", rule_name(bench, i),
                   ps_quantity_print_count(bench->rules[i].matches).text,
                   ps_quantity_word(bench->rules[i].matches, "time", "times"),
                   rule_name(bench, bench->rules[i].hidden_by));
    for (size_t i = 0; i < bench->pair_count && i < PAIRS_SHOWN; i++) {
        const struct ps_rules_bench_pair *pair = &bench->pairs[i];
        uint64_t first = bench->rules[pair->first].matches, second = bench->rules[pair->second].matches;
        printf("overlap: %s and %s both match %s %s (%.0f %% of the first's, %.0f %% of the second's)\n",
               rule_name(bench, pair->first), rule_name(bench, pair->second),
               ps_quantity_print_count(pair->count).text, ps_quantity_word(pair->count, "event", "events"),
               share(pair->count, first), share(pair->count, second));
    }
    if (bench->pair_count > PAIRS_SHOWN)
        printf("... and %zu more pairs\n", bench->pair_count - PAIRS_SHOWN);
}

void ps_rules_bench_print(const struct ps_rules_bench *bench)
{
    print_cost(bench);
    print_rules(bench);
    print_overlaps(bench);
}

/* ---- as JSON ---- */

static json_t *rules_json(const struct ps_rules_bench *bench)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < bench->harness.rules->rule_count; i++) {
        const struct ps_rules_bench_rule *rule = &bench->rules[i];
        json_t *object =
            json_pack("{s:s, s:I, s:I, s:I, s:f, s:b}", "rule", rule_name(bench, i), "matches",
                      (json_int_t)rule->matches, "match_bytes", (json_int_t)rule->match_bytes, "acts",
                      (json_int_t)rule->acts, "pcre2_ns", rule->pcre2_ns, "pcre2_alone", rule->pcre2_alone);
        if (is_hidden(rule) && rule->hidden_by != UINT32_MAX)
            json_object_set_new(object, "hidden_by", json_string(rule_name(bench, rule->hidden_by)));
        json_array_append_new(list, object);
    }
    return list;
}

void ps_rules_bench_print_json(const struct ps_rules_bench *bench)
{
    const struct ps_rules_bench_cost *cost = &bench->ways[PS_RULES_IN_PLACE];
    json_t *pairs = json_array();
    for (size_t i = 0; i < bench->pair_count && i < 1000; i++)
        json_array_append_new(pairs,
                              json_pack("{s:s, s:s, s:I}", "first", rule_name(bench, bench->pairs[i].first),
                                        "second", rule_name(bench, bench->pairs[i].second), "events",
                                        (json_int_t)bench->pairs[i].count));
    json_t *root =
        json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f, s:I, s:I, s:I, s:I, "
                  "s:I, s:I, s:o, s:o}",
                  "file", bench->file, "sample_lines", (json_int_t)bench->line_count, "sample_bytes",
                  (json_int_t)bench->bytes, "events", (json_int_t)cost->events, "ns_per_event",
                  ns_per_event(bench, PS_RULES_IN_PLACE), "scan_ns_per_event",
                  scan_ns_per_event(bench, PS_BARE_BATCHES), "copied_ns_per_event",
                  ns_per_event(bench, PS_RULES_COPIED), "copied_scan_ns_per_event",
                  scan_ns_per_event(bench, PS_BARE_COPIED), "scan_events_ns_per_event",
                  ns_per_event(bench, PS_BARE_EVENTS), "scan_batches_ns_per_event",
                  ns_per_event(bench, PS_BARE_BATCHES), "copied_scan_batches_ns_per_event",
                  ns_per_event(bench, PS_BARE_COPIED), "database_bytes", (json_int_t)bench->database_bytes,
                  "megabytes_per_second", (double)cost->bytes / (double)cost->ns * 1e3, "unmatched",
                  (json_int_t)bench->unmatched, "overlapping", (json_int_t)bench->overlapping, "confirms",
                  (json_int_t)bench->counts.confirms, "confirmed", (json_int_t)bench->counts.confirmed,
                  "scan_errors", (json_int_t)bench->counts.scan_errors, "given_up",
                  (json_int_t)bench->counts.given_up, "rules", rules_json(bench), "overlaps", pairs);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    puts(text);
    free(text);
    json_decref(root);
}
