/* The rule sets and the logs that the rule engine is measured with: the same from the same seed, everywhere.
 *
 * Spread: every rule has a literal of its own (a made-up word of eight letters), eight shapes in turn; one
 * event in a hundred is hit, by one rule. Dense: six rules a service, all of which share their
 * longest literal but for the name ("service=<name>-<n> status="); every event is hit by one to three.
 *
 * The spread set has the curve of bare Hyperscan that goals were set by: 1,000 rules cost it 1.4 to 1.8 times
 * what 10 do, 10,000 cost 2.4 to 2.9 times.
 *
 * Expressions are written in what Java, PCRE and POSIX extended expressions have in common, with the word as
 * group 1, so that Flume, rsyslog and syslog-ng take them as they are. Events have 256 bytes and no newline.
 *
 * Thread: any; nothing here keeps state but what the caller holds. */
#pragma once

#include "core/base.h"

#include <stdio.h>

#define PS_RULE_TRAFFIC_SEED UINT64_C(20261120)
#define PS_RULE_TRAFFIC_BYTES 256U /* of an event */
#define PS_RULE_TRAFFIC_RULES_MAX 100000U
#define PS_RULE_TRAFFIC_PATTERN_BYTES 128U
#define PS_RULE_TRAFFIC_SHAPES 8U
#define PS_RULE_TRAFFIC_NONE UINT32_MAX

enum ps_rule_traffic_kind { PS_RULE_TRAFFIC_SPREAD, PS_RULE_TRAFFIC_DENSE };

struct ps_rule_traffic {
    enum ps_rule_traffic_kind kind;
    uint32_t rules;  /* spread: > 0; dense: >= 4 */
    uint32_t one_in; /* spread: one event in so many is hit; 0: none */
    uint64_t random; /* state */
};

/* 1 % of the events are hit, from the seed of the repository. */
void ps_rule_traffic_init(struct ps_rule_traffic *traffic, enum ps_rule_traffic_kind kind, uint32_t rules);
/* "spread", "dense" */
const char *ps_rule_traffic_name(enum ps_rule_traffic_kind kind);

/* Rule number `rule`, from 0: its expression. Returns its length. */
unsigned ps_rule_traffic_pattern(const struct ps_rule_traffic *traffic, uint32_t rule,
                                 char pattern[PS_RULE_TRAFFIC_PATTERN_BYTES]);
/* What group 1 of it is when it matches: its word; dense: its service. */
unsigned ps_rule_traffic_word(const struct ps_rule_traffic *traffic, uint32_t rule,
                              char word[PS_RULE_TRAFFIC_PATTERN_BYTES]);
/* Where it routes: one of PS_RULE_TRAFFIC_SHAPES names; what no rule hits goes to "rest". */
const char *ps_rule_traffic_channel(const struct ps_rule_traffic *traffic, uint32_t rule);

/* The next event of the log. Returns the first rule that hits it, or PS_RULE_TRAFFIC_NONE. */
uint32_t ps_rule_traffic_event(struct ps_rule_traffic *traffic, char event[PS_RULE_TRAFFIC_BYTES]);

enum ps_rule_traffic_action {
    PS_RULE_TRAFFIC_ROUTE, /* route to the rule's channel; "rest" is the default */
    PS_RULE_TRAFFIC_SET,   /* the channel's name into the header `route`: for an interceptor */
};
/* All rules as a file for `rules` (docs/RULES.md): the first that matches acts. Rules are named r0, r1, ...
 */
void ps_rule_traffic_rules(const struct ps_rule_traffic *traffic, enum ps_rule_traffic_action action,
                           FILE *to);
