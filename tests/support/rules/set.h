/* Compiles a rule set from a text and runs it without the engine. One file of a test includes it, since it
 * includes fake_route.h. */
#pragma once

#include <stdio.h>

#include "stages/lib/rules/set.h"
#include "tests/support/fake_route.h"

struct ps_test_rules {
    struct ps_test_stage stage; /* for batches, leases and the clock */
    struct ps_arena *arena;
    struct ps_rules_problems problems;
    struct ps_rules_set_report report;
    struct ps_rules_counters *counters;
    struct ps_rules_set *set;
    struct ps_rules_scratch *scratch;
    struct ps_route route;
    bool routes;
    bool quiet;                           /* no trace of rules that acted: `acted` stays empty */
    char acted[PS_BATCH_EVENTS_MAX][256]; /* by row: names of rules in order, each followed by a blank */
};

static const char *const ps_test_rules_channels[] = {"c1", "c2", "c3", "c4"};

static void ps_test_rules_print(struct ps_test_rules *rules)
{
    size_t kept =
        rules->problems.count < PS_RULES_PROBLEMS_MAX ? rules->problems.count : PS_RULES_PROBLEMS_MAX;
    for (size_t i = 0; i < kept; i++)
        print_message("%s\n", ps_rules_problem_text(rules->arena, &rules->problems.items[i]));
}

/* Compiles a set from a text; returns NULL if there were errors, which are in `problems`. */
static struct ps_rules_set *ps_test_rules_compile(struct ps_test_rules *rules, const char *text,
                                                  struct ps_rules_set_options options)
{
    rules->problems = (struct ps_rules_problems){.arena = rules->arena};
    struct ps_rules *tree = ps_rules_parse("test.rules", text, strlen(text), &rules->problems);
    if (tree == NULL)
        return NULL;
    return ps_rules_set_create(tree, &options, &rules->report, &rules->problems);
}

static struct ps_rules_set_options ps_test_rules_options(const struct ps_test_rules *rules)
{
    return (struct ps_rules_set_options){
        .channels = {PS_COUNT_OF(ps_test_rules_channels), ps_test_rules_channels},
        .routes = rules->routes,
        .counters = rules->counters,
        .instances = 1};
}

/* Compiles the text and uses the set. The previous set is destroyed after its successor was made, as in a
 * reload. */
static __attribute__((unused)) void ps_test_rules_use(struct ps_test_rules *rules, const char *text)
{
    struct ps_rules_set *set = ps_test_rules_compile(rules, text, ps_test_rules_options(rules));
    if (set == NULL) {
        ps_test_rules_print(rules);
        fail_msg("these rules do not compile: %s", text);
    }
    struct ps_err err = {.length = 0};
    struct ps_rules_scratch *scratch = ps_rules_scratch_create(set, 0, &err);
    if (scratch == NULL)
        fail_msg("%s", err.text);
    ps_rules_scratch_destroy(rules->scratch);
    ps_rules_set_destroy(rules->set);
    rules->set = set;
    rules->scratch = scratch;
}

/* Begins without a set. `routes`: as a selector. */
static void ps_test_rules_begin(struct ps_test_rules *rules, bool routes)
{
    memset(rules, 0, sizeof *rules);
    ps_test_stage_init(&rules->stage, &ps_selector_replicating);
    rules->arena = ps_arena_create();
    rules->problems.arena = rules->arena;
    rules->counters = ps_rules_counters_create(1);
    rules->routes = routes;
}

static __attribute__((unused)) struct ps_test_rules *ps_test_rules_start(const char *text, bool routes)
{
    struct ps_test_rules *rules = malloc(sizeof *rules);
    assert_non_null(rules);
    ps_test_rules_begin(rules, routes);
    ps_test_rules_use(rules, text);
    return rules;
}

static __attribute__((unused)) void ps_test_rules_end(struct ps_test_rules *rules)
{
    ps_rules_scratch_destroy(rules->scratch);
    ps_rules_set_destroy(rules->set);
    ps_rules_counters_destroy(rules->counters);
    ps_arena_destroy(rules->arena);
    ps_test_stage_fini(&rules->stage);
    free(rules);
}

static void ps_test_rules_trace(void *argument, uint16_t row, const struct ps_rule *rule)
{
    struct ps_test_rules *rules = argument;
    size_t used = strlen(rules->acted[row]);
    snprintf(rules->acted[row] + used, sizeof rules->acted[row] - used, "%s ", rule->name);
}

/* Calls the set once; the names of rules that acted are in `acted`, the routes of events in `route`. */
static enum ps_result ps_test_rules_try(struct ps_test_rules *rules, struct ps_lease *lease)
{
    rules->route.channel_count = PS_COUNT_OF(ps_test_rules_channels);
    for (size_t i = 0; i < PS_COUNT_OF(rules->route.slots); i++) {
        rules->route.slots[i].all = false;
        rules->route.slots[i].count = 0;
    }
    if (!ps_rules_scratch_is_busy(rules->scratch))
        memset(rules->acted, 0, sizeof rules->acted);
    return ps_rules_set_work(rules->set, rules->scratch, lease, rules->routes ? &rules->route : NULL,
                             &rules->stage.now, rules->quiet ? NULL : ps_test_rules_trace, rules);
}

static __attribute__((unused)) void ps_test_rules_work(struct ps_test_rules *rules, struct ps_lease *lease)
{
    assert_int_equal(ps_test_rules_try(rules, lease), PS_DONE);
    assert_false(ps_rules_scratch_is_busy(rules->scratch));
}

/* Returns the channels of the event at a position as "c1 c3? "; a question mark means optional. */
static __attribute__((unused)) const char *ps_test_rules_ways(const struct ps_test_rules *rules,
                                                              const struct ps_lease *lease, uint32_t position)
{
    char text[128] = "";
    for (unsigned i = 0; i < PS_COUNT_OF(ps_test_rules_channels); i++) {
        enum ps_test_way way = ps_test_route_way(&rules->route, lease, position, i);
        size_t used = strlen(text);
        if (way != PS_WAY_NONE)
            snprintf(text + used, sizeof text - used, "%s%s ", ps_test_rules_channels[i],
                     way == PS_WAY_OPTIONAL ? "?" : "");
    }
    return ps_arena_text(rules->arena, text);
}

/* The count of one rule; zeroes if the counters do not have it. */
struct ps_test_rules_wanted {
    const char *name;
    struct ps_rules_count count;
    bool found;
};

static void ps_test_rules_pick(void *argument, const char *rule, const struct ps_rules_count *count)
{
    struct ps_test_rules_wanted *wanted = argument;
    if (strcmp(rule, wanted->name) != 0)
        return;
    assert_false(wanted->found);
    wanted->found = true;
    wanted->count = *count;
}

static __attribute__((unused)) struct ps_rules_count ps_test_rules_count(const struct ps_test_rules *rules,
                                                                         const char *name)
{
    struct ps_test_rules_wanted wanted = {.name = name};
    ps_rules_counters_each(rules->counters, ps_test_rules_pick, &wanted);
    return wanted.count;
}
