/* The rule sets and logs with which the rule engine is measured; the same seed gives the same data
 * everywhere.
 *
 * Spread: every rule has a literal of its own (a made-up word of eight letters), in eight shapes in turn; one
 * event in a hundred is hit, by one rule. Dense: six rules per service, which all share their longest literal
 * except for the name ("service=<name>-<n> status="); every event is hit by one to three rules.
 *
 * The spread set has the curve of bare Hyperscan on which the goals are based: 1,000 rules cost Hyperscan 1.4 to 1.8
 * times as much as 10 rules, and 10,000 rules 2.4 to 2.9 times.
 *
 * Expressions use only what Java, PCRE and POSIX extended expressions have in common, with the word as group
 * 1, so that Flume, rsyslog and syslog-ng accept them unchanged. Events have 256 bytes and no newline.
 *
 * Thread: any; the caller holds all state. */
#pragma once

#include "core/base.h"

#include <stdio.h>

#define PS_RULE_TRAFFIC_SEED UINT64_C(20261120)
#define PS_RULE_TRAFFIC_BYTES 256U /* size of an event */
#define PS_RULE_TRAFFIC_RULES_MAX 100000U
#define PS_RULE_TRAFFIC_PATTERN_BYTES 128U
#define PS_RULE_TRAFFIC_SHAPES 8U
#define PS_RULE_TRAFFIC_NONE UINT32_MAX

enum ps_rule_traffic_kind { PS_RULE_TRAFFIC_SPREAD, PS_RULE_TRAFFIC_DENSE };

struct ps_rule_traffic {
    enum ps_rule_traffic_kind kind;
    uint32_t rules;  /* spread: > 0; dense: >= 4 */
    uint32_t one_in; /* spread: one event in this many is hit; 0: none */
    uint64_t random; /* generator state */
};

/* Initialises traffic in which 1 % of the events are hit, with the repository's seed. */
void ps_rule_traffic_init(struct ps_rule_traffic *traffic, enum ps_rule_traffic_kind kind, uint32_t rules);
/* "spread", "dense" */
const char *ps_rule_traffic_name(enum ps_rule_traffic_kind kind);

/* Writes the expression of rule number `rule`, from 0. Returns its length. */
unsigned ps_rule_traffic_pattern(const struct ps_rule_traffic *traffic, uint32_t rule,
                                 char pattern[PS_RULE_TRAFFIC_PATTERN_BYTES]);
/* Writes what group 1 of the rule matches: spread: the rule's word; dense: the rule's service. */
unsigned ps_rule_traffic_word(const struct ps_rule_traffic *traffic, uint32_t rule,
                              char word[PS_RULE_TRAFFIC_PATTERN_BYTES]);
/* Returns the rule's channel: one of PS_RULE_TRAFFIC_SHAPES names. Events that no rule hits go to "rest". */
const char *ps_rule_traffic_channel(const struct ps_rule_traffic *traffic, uint32_t rule);

/* Writes the next event of the log. Returns the first rule that hits it, or PS_RULE_TRAFFIC_NONE. */
uint32_t ps_rule_traffic_event(struct ps_rule_traffic *traffic, char event[PS_RULE_TRAFFIC_BYTES]);

enum ps_rule_traffic_action {
    PS_RULE_TRAFFIC_ROUTE, /* routes to the rule's channel; "rest" is the default */
    PS_RULE_TRAFFIC_SET,   /* writes the channel's name into the header `route`: for an interceptor */
};
/* Writes all rules as a file for `rules` (docs/RULES.md) in which the first match acts. Rules are named r0,
 * r1, ... */
void ps_rule_traffic_rules(const struct ps_rule_traffic *traffic, enum ps_rule_traffic_action action,
                           FILE *to);
