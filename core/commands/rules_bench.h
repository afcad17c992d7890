/* What `penstock rules bench` finds out, for its report. Thread: main. */
#pragma once

#include "core/commands/rules.h"
#include "regex/rules/names.h"

#define PS_RULES_EXAMPLES 16U /* lines kept of those a rule matches */

struct ps_rules_bench_rule {
    uint64_t matches, match_bytes; /* events its condition holds for; their bodies */
    uint64_t acts;                 /* events it acted on */
    uint64_t hidden_by_count;      /* of those it matched but did not act on: by the rule that hid most */
    uint32_t hidden_by;            /* UINT32_MAX: none */
    uint32_t examples[PS_RULES_EXAMPLES];
    uint32_t example_count;
    double pcre2_ns; /* an event: what PCRE2 takes for it, estimated */
    bool pcre2_alone;
};

struct ps_rules_bench_pair {
    uint32_t first, second;
    uint64_t count;
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
    bool cut; /* there was more */
    struct ps_rules_header_value *headers;
    size_t header_count;
    /* results */
    struct ps_rules_bed bed; /* the rules as they are */
    struct ps_rules_bench_rule *rules;
    uint64_t unmatched, overlapping;   /* events that no rule matches; that two or more do */
    struct ps_rules_bench_pair *pairs; /* most frequent first */
    size_t pair_count;
    uint64_t events, event_bytes; /* measured */
    uint64_t rules_ns, scan_ns;   /* for them; scan 0: there is nothing to scan for */
    struct ps_matcher_counts counts;
};

/* The two passes that look at every event: which rules match, which act. False: said why. */
bool ps_rules_bench_look(struct ps_rules_bench *bench);
void ps_rules_bench_print(const struct ps_rules_bench *bench);
void ps_rules_bench_print_json(const struct ps_rules_bench *bench);
