/* Prints the rules and logs with which the rule engine is measured (bench/suite/rule_traffic.h), for scripts:
 *
 *   bench_print_rule_traffic KIND RULES rules       a rules file that routes the events it hits
 *   bench_print_rule_traffic KIND RULES rules-set   the same, setting a header instead: for the interceptor
 *   bench_print_rule_traffic KIND RULES patterns    one line per rule: channel, tab, group 1, tab, expression
 *   bench_print_rule_traffic KIND RULES log EVENTS  EVENTS events, one per line
 *
 * KIND is spread or dense. */
#include "bench/suite/rule_traffic.h"

#include <stdlib.h>
#include <string.h>

static int usage(void)
{
    fprintf(stderr,
            "usage: bench_print_rule_traffic spread|dense RULES rules|rules-set|patterns|log [EVENTS]\n");
    return 2;
}

static void print_patterns(const struct ps_rule_traffic *traffic)
{
    char pattern[PS_RULE_TRAFFIC_PATTERN_BYTES], word[PS_RULE_TRAFFIC_PATTERN_BYTES];
    for (uint32_t rule = 0; rule < traffic->rules; rule++) {
        ps_rule_traffic_pattern(traffic, rule, pattern);
        ps_rule_traffic_word(traffic, rule, word);
        printf("%s\t%s\t%s\n", ps_rule_traffic_channel(traffic, rule), word, pattern);
    }
}

static void print_log(struct ps_rule_traffic *traffic, uint64_t events)
{
    char event[PS_RULE_TRAFFIC_BYTES + 1];
    event[PS_RULE_TRAFFIC_BYTES] = '\n';
    for (uint64_t i = 0; i < events; i++) {
        ps_rule_traffic_event(traffic, event);
        fwrite(event, 1, sizeof event, stdout);
    }
}

int main(int argc, char **argv)
{
    struct ps_rule_traffic traffic;
    if (argc < 4 || argc > 5)
        return usage();
    bool dense = strcmp(argv[1], "dense") == 0;
    uint64_t rules = strtoull(argv[2], NULL, 10), events = argc == 5 ? strtoull(argv[4], NULL, 10) : 0;
    if ((!dense && strcmp(argv[1], "spread") != 0) || rules < (dense ? 4 : 1) ||
        rules > PS_RULE_TRAFFIC_RULES_MAX)
        return usage();
    ps_rule_traffic_init(&traffic, dense ? PS_RULE_TRAFFIC_DENSE : PS_RULE_TRAFFIC_SPREAD, (uint32_t)rules);
    if (strcmp(argv[3], "rules") == 0)
        ps_rule_traffic_rules(&traffic, PS_RULE_TRAFFIC_ROUTE, stdout);
    else if (strcmp(argv[3], "rules-set") == 0)
        ps_rule_traffic_rules(&traffic, PS_RULE_TRAFFIC_SET, stdout);
    else if (strcmp(argv[3], "patterns") == 0)
        print_patterns(&traffic);
    else if (strcmp(argv[3], "log") == 0 && events > 0)
        print_log(&traffic, events);
    else
        return usage();
    return fflush(stdout) == 0 ? 0 : 1;
}
