/* The results of `penstock rules bench`, for its report. Thread: main. */
#pragma once

#include "commands/rules/rules.h"
#include "regex/rules/names.h"

#define PS_RULES_EXAMPLES 16U /* matching lines kept for each rule */

struct ps_rules_bench_rule {
    /* events for which the rule's condition holds, and the bytes of their bodies */
    uint64_t matches, match_bytes;
    uint64_t acts;            /* events that the rule acted on */
    uint64_t hidden_by_count; /* events that the rule matched but that rule `hidden_by` acted on first */
    uint32_t hidden_by;       /* number of the rule that hid most events of this one; UINT32_MAX: none */
    uint32_t examples[PS_RULES_EXAMPLES];
    uint32_t example_count;
    double pcre2_ns; /* estimated cost of PCRE2 for an event */
    bool pcre2_alone;
};

struct ps_rules_bench_pair {
    uint32_t first, second;
    uint64_t count;
};

/* What is measured: the rules over batches whose bodies lie one after the other with newlines between, as a source of
 * lines leaves them, and over bodies that lie apart; and bare Hyperscan with the same database and a callback that
 * counts: a scan for each event, a scan for each batch in place, and a scan for each batch of bodies that had to be
 * copied together. */
enum ps_rules_bench_way {
    PS_RULES_IN_PLACE,
    PS_RULES_COPIED,
    PS_BARE_EVENTS,
    PS_BARE_BATCHES,
    PS_BARE_COPIED,
    PS_RULES_BENCH_WAYS
};

struct ps_rules_bench_cost {
    uint64_t events, bytes; /* that were measured */
    uint64_t ns;            /* CPU time */
};

struct ps_rules_bench {
    struct ps_rules_command *command;
    const char *file;
    struct ps_arena *arena;
    /* the sample */
    char *text;
    struct ps_slice *lines;
    size_t line_count;
    uint64_t bytes;
    bool cut; /* the file was longer */
    struct ps_rules_header_value *headers;
    size_t header_count;
    /* results */
    struct ps_rules_harness harness; /* the unchanged rules */
    struct ps_rules_bench_rule *rules;
    /* events that no rule matches, and events that two or more rules match */
    uint64_t unmatched, overlapping;
    struct ps_rules_bench_pair *pairs; /* most frequent first */
    size_t pair_count;
    struct ps_rules_bench_cost
        ways[PS_RULES_BENCH_WAYS]; /* those of Hyperscan are empty if no expression needs it */
    uint64_t database_bytes;
    struct ps_matcher_counts counts;
};

/* Runs the two passes over every event, which show the rules that match and the rules that act. Returns false
 * after printing the reason. */
bool ps_rules_bench_look(struct ps_rules_bench *bench);
/* Measures the ways in turn for the time that the command says (commands/rules/bench/measure.c). Returns false after
 * printing the reason. */
bool ps_rules_bench_measure(struct ps_rules_bench *bench);
void ps_rules_bench_print(const struct ps_rules_bench *bench);
void ps_rules_bench_print_json(const struct ps_rules_bench *bench);
