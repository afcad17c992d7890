/* Makes and destroys rule sets, and runs a lease through one: finds the matching rules, runs their actions,
 * routes the events.
 *
 * The set is const once made. Each worker has its own scratch, which remembers where a lease stopped when
 * there was no memory. ps_rules_set_work allocates only from the batch. */
#include <stdlib.h>
#include <string.h>

#include "stages/lib/rules/set_internal.h"

#define STORE_RULES 16384U /* rules that act in one round, at least */

/* ---- the set ---- */

static void book_entries(struct ps_rules_set *set)
{
    for (uint32_t i = 0; i < set->rule_count; i++) {
        set->rule[i].entry = set->counters != NULL
                                 ? ps_rules_counters_hold(set->counters, set->rules->rules[i].name)
                                 : RULES_NONE;
    }
}

static bool set_compile(struct rules_build *build)
{
    struct ps_rules_set *set = build->set;
    /* Reports together all problems that can be found without compiling. */
    bool good = ps_rules_actions_compile(build);
    good &= ps_rules_patterns_check(build->set->rules, build->problems);
    good &= ps_rules_patterns_assign(build);
    good = good && ps_rules_conditions_compile(build) && ps_rules_patterns_compile(build);
    if (!good)
        return false;
    book_entries(set);
    build->report->pattern_count = set->rules->pattern_count;
    build->report->always_count = set->always_count;
    return true;
}

static struct ps_rules_set *set_new(struct ps_rules *rules, const struct ps_rules_set_options *options)
{
    struct ps_rules_set *set = ps_must_alloc(1, sizeof *set, "a set of rules");
    set->arena = ps_arena_create();
    set->rules = rules;
    set->counters = options->counters;
    set->component = options->component;
    set->instances = options->instances > 0 ? options->instances : 1;
    set->routes = options->routes;
    if (!options->any_channel) /* otherwise the set has its own list, which grows */
        set->channels = options->channels;
    set->rule_count = (uint32_t)rules->rule_count;
    set->rule = ps_arena_alloc(set->arena, (set->rule_count + 1) * sizeof *set->rule);
    for (uint32_t i = 0; i < set->rule_count; i++)
        set->rule[i].entry = RULES_NONE;
    return set;
}

struct ps_rules_set *ps_rules_set_create(struct ps_rules *rules, const struct ps_rules_set_options *options,
                                         struct ps_rules_set_report *report,
                                         struct ps_rules_problems *problems)
{
    struct ps_rules_set_report unread;
    struct rules_build build = {.set = set_new(rules, options),
                                .options = options,
                                .problems = problems,
                                .report = report != NULL ? report : &unread};
    *build.report = (struct ps_rules_set_report){.matcher = {.failed_pattern = UINT32_MAX}};
    bool good = set_compile(&build);
    if (good)
        return build.set;
    ps_rules_set_destroy(build.set);
    return NULL;
}

bool ps_rules_set_check(const struct ps_rules *rules, const struct ps_rules_set_options *options,
                        struct ps_rules_problems *problems)
{
    struct ps_rules *same = (struct ps_rules *)(uintptr_t)rules; /* only read; the caller keeps it */
    struct rules_build build = {.set = set_new(same, options), .options = options, .problems = problems};
    bool good = ps_rules_actions_compile(&build);
    good &= ps_rules_patterns_check(rules, problems);
    ps_arena_destroy(build.set->arena);
    free(build.set);
    return good;
}

void ps_rules_set_destroy(struct ps_rules_set *set)
{
    if (set == NULL)
        return;
    for (uint32_t i = 0; set->counters != NULL && i < set->rule_count; i++)
        ps_rules_counters_drop(set->counters, set->rule[i].entry);
    ps_matcher_destroy(set->body);
    for (uint32_t i = 0; i < set->header_count; i++) {
        ps_matcher_destroy(set->headers[i].matcher);
        ps_rules_values_fini(&set->headers[i].values);
    }
    free(set->headers);
    ps_arena_destroy(set->arena);
    ps_rules_destroy(set->rules);
    free(set);
}

const struct ps_rules *ps_rules_set_rules(const struct ps_rules_set *set)
{
    return set->rules;
}

struct ps_texts ps_rules_set_channels(const struct ps_rules_set *set)
{
    return set->channels;
}

/* ---- the scratch ---- */

static void *make(size_t count, size_t size, bool *good)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    *good &= memory != NULL;
    return memory;
}

static bool headers_make(struct ps_rules_scratch *scratch, struct ps_err *err)
{
    const struct ps_rules_set *set = scratch->set;
    bool good = true;
    scratch->headers = make(set->header_count, sizeof *scratch->headers, &good);
    for (uint32_t i = 0; good && i < set->header_count; i++) {
        const struct rules_header *header = &set->headers[i];
        struct rules_header_scan *scan = &scratch->headers[i];
        if (header->matcher == NULL)
            continue;
        scan->subject_of = make(PS_BATCH_EVENTS_MAX, sizeof *scan->subject_of, &good);
        scan->any = make(PS_BATCH_EVENTS_MAX, sizeof *scan->any, &good);
        scan->values = make(PS_BATCH_EVENTS_MAX, sizeof *scan->values, &good);
        scan->bits = make((size_t)PS_BATCH_EVENTS_MAX * header->words, sizeof *scan->bits, &good);
        scan->scratch = ps_matcher_scratch_create(header->matcher, err);
        if (scan->scratch == NULL)
            return false;
    }
    return good || ps_err_set(err, "no memory for the rules' headers") == PS_OK;
}

static bool counts_make(struct ps_rules_scratch *scratch)
{
    const struct ps_rules_set *set = scratch->set;
    bool good = true;
    scratch->counted.counts = make(set->rule_count, sizeof(struct rules_counts *), &good);
    scratch->counted.rare = make(set->rule_count, sizeof(struct rules_rare_counts *), &good);
    scratch->counted.quick = make(set->plain ? set->rule_count : 0, sizeof *scratch->counted.quick, &good);
    scratch->counted.meters = make(set->meter_count, sizeof(struct rules_meter *), &good);
    for (uint32_t i = 0; good && i < set->rule_count; i++) {
        uint32_t entry = set->rule[i].entry;
        bool counted = entry != RULES_NONE;
        scratch->counted.counts[i] = counted
                                         ? ps_rules_counters_counts(set->counters, entry, scratch->instance)
                                         : &scratch->counted.unread;
        scratch->counted.rare[i] = counted ? ps_rules_counters_rare(set->counters, entry, scratch->instance)
                                           : &scratch->counted.unread_rare;
        if (set->plain)
            scratch->counted.quick[i] = (struct rules_quick){scratch->counted.counts[i], set->rule[i].routes,
                                                             set->rule[i].route_count};
    }
    for (uint32_t i = 0; good && i < set->meter_count; i++) {
        uint32_t entry = set->rule[set->meters[i].rule].entry;
        scratch->counted.meters[i] =
            entry == RULES_NONE
                ? ps_rules_meter_create(&set->meters[i])
                : ps_rules_counters_meter_take(set->counters, entry, scratch->instance, &set->meters[i]);
        good = scratch->counted.meters[i] != NULL;
    }
    return good;
}

static bool rooms_make(struct ps_rules_scratch *scratch)
{
    const struct ps_rules_set *set = scratch->set;
    bool good = true;
    scratch->event_rules_max = set->single || set->rule_count == 0 ? 1 : set->rule_count;
    scratch->store_room = STORE_RULES + scratch->event_rules_max;
    scratch->store = make(scratch->store_room, sizeof *scratch->store, &good);
    scratch->hits = make(PS_BATCH_EVENTS_MAX, sizeof *scratch->hits, &good);
    scratch->outcomes = make(PS_BATCH_EVENTS_MAX, sizeof *scratch->outcomes, &good);
    scratch->subjects = make(PS_BATCH_EVENTS_MAX, sizeof *scratch->subjects, &good);
    scratch->stamps = make(set->rule_count, sizeof *scratch->stamps, &good);
    scratch->sorting = make((set->rule_count + 63) / 64, sizeof *scratch->sorting, &good);
    scratch->constants = make(set->constant_count, sizeof *scratch->constants, &good);
    scratch->slots = make(set->slot_count, sizeof *scratch->slots, &good);
    scratch->saved = make(set->saved_count, sizeof *scratch->saved, &good);
    scratch->routes = make(PS_BATCH_EVENTS_MAX * set->channels.count, sizeof *scratch->routes, &good);
    return good;
}

struct ps_rules_scratch *ps_rules_scratch_create(const struct ps_rules_set *set, unsigned instance,
                                                 struct ps_err *err)
{
    struct ps_rules_scratch *scratch = NULL;
    if (posix_memalign((void **)&scratch, PS_CACHE_GAP, sizeof *scratch) != 0) {
        ps_err_set(err, "no memory for the rules");
        return NULL;
    }
    memset(scratch, 0, sizeof *scratch);
    scratch->set = set;
    scratch->instance = instance;
    scratch->regex = ps_regex_scratch_create();
    ps_regex_budget_init(&scratch->budget, set->component);
    ps_regex_scratch_limit(scratch->regex, &scratch->budget);
    if (!counts_make(scratch) || !rooms_make(scratch)) {
        ps_err_set(err, "no memory for %u rules", set->rule_count);
        goto failed;
    }
    if (set->body != NULL && (scratch->body = ps_matcher_scratch_create(set->body, err)) == NULL)
        goto failed;
    if (!headers_make(scratch, err))
        goto failed;
    if (scratch->body != NULL)
        ps_matcher_scratch_limit(scratch->body, &scratch->budget);
    for (uint32_t i = 0; i < set->header_count; i++) {
        if (scratch->headers[i].scratch != NULL)
            ps_matcher_scratch_limit(scratch->headers[i].scratch, &scratch->budget);
    }
    return scratch;
failed:
    ps_rules_scratch_destroy(scratch);
    return NULL;
}

static void headers_free(struct ps_rules_scratch *scratch)
{
    for (uint32_t i = 0; scratch->headers != NULL && i < scratch->set->header_count; i++) {
        struct rules_header_scan *scan = &scratch->headers[i];
        ps_matcher_scratch_destroy(scan->scratch);
        free(scan->subject_of);
        free(scan->any);
        free(scan->values);
        free(scan->bits);
    }
    free(scratch->headers);
}

void ps_rules_scratch_destroy(struct ps_rules_scratch *scratch)
{
    if (scratch == NULL)
        return;
    const struct ps_rules_set *set = scratch->set;
    for (uint32_t i = 0; scratch->counted.meters != NULL && i < set->meter_count; i++) {
        uint32_t entry = set->rule[set->meters[i].rule].entry;
        if (entry == RULES_NONE)
            ps_rules_meter_destroy(scratch->counted.meters[i]);
        else if (scratch->counted.meters[i] != NULL)
            ps_rules_counters_meter_give(set->counters, entry, scratch->counted.meters[i]);
    }
    headers_free(scratch);
    ps_matcher_scratch_destroy(scratch->body);
    ps_regex_scratch_destroy(scratch->regex);
    free(scratch->counted.counts);
    free(scratch->counted.rare);
    free(scratch->counted.quick);
    free(scratch->counted.meters);
    free(scratch->store);
    free(scratch->hits);
    free(scratch->outcomes);
    free(scratch->subjects);
    free(scratch->stamps);
    free(scratch->sorting);
    free(scratch->constants);
    free(scratch->slots);
    free(scratch->saved);
    free(scratch->routes);
    free(scratch->text);
    free(scratch);
}

void ps_rules_scratch_count(const struct ps_rules_scratch *scratch, struct ps_matcher_counts *sum)
{
    ps_matcher_scratch_count(scratch->body, sum);
    for (uint32_t i = 0; i < scratch->set->header_count; i++)
        ps_matcher_scratch_count(scratch->headers[i].scratch, sum);
    sum->given_up += ps_regex_scratch_given_up(scratch->regex);
}

void ps_rules_scratch_set_port(struct ps_rules_scratch *scratch, struct ps_port *port)
{
    scratch->port = port;
}

bool ps_rules_scratch_is_busy(const struct ps_rules_scratch *scratch)
{
    return scratch->busy;
}

/* ---- a lease ---- */

static void lease_begin(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                        const struct ps_lease *lease)
{
    scratch->busy = true;
    scratch->lease_number++;
    scratch->scan.from = scratch->scan.to = 0;
    scratch->scan.chunk = PS_BATCH_EVENTS_MAX;
    scratch->next.hit = scratch->hit_count = 0;
    scratch->event.open = false;
    scratch->route_used = scratch->outcome_count = 0;
    scratch->any_dropped = false;
    memset(scratch->keep, 0xFF, sizeof scratch->keep);
    if (set->header_count > 0)
        ps_rules_headers_scan(set, scratch, lease);
}

enum ps_result ps_rules_set_work(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                                 struct ps_lease *lease, struct ps_route *route, const struct ps_now *now,
                                 ps_rules_trace trace, void *argument)
{
    struct rules_work work = {.set = set,
                              .scratch = scratch,
                              .lease = lease,
                              .batch = lease->batch,
                              .now = now,
                              .trace = trace,
                              .argument = argument};
    if (!scratch->busy)
        ps_regex_budget_begin(&scratch->budget);
    if (set->plain && trace == NULL && !scratch->busy) {
        ps_rules_plain_work(set, scratch, lease, route, now);
        return PS_DONE;
    }
    if (!scratch->busy)
        lease_begin(set, scratch, lease);
    for (;;) {
        if (!ps_rules_act(&work))
            return PS_RETRY;
        if (scratch->scan.to == lease->count)
            break;
        scratch->scan.from = scratch->scan.to;
        scratch->next.hit = 0;
        ps_rules_evaluate(set, scratch, lease);
    }
    if (route == NULL && scratch->any_dropped && !ps_lease_filter_bits(lease, scratch->keep))
        return PS_RETRY;
    if (route != NULL)
        ps_rules_route(set, scratch, lease, route);
    scratch->busy = false;
    return PS_DONE;
}

/* ---- one condition, for `explain` ---- */

static bool subject_find(const struct ps_rules_subject *subject, const struct ps_batch *batch,
                         const struct ps_event *event, struct ps_slice *text)
{
    *text = (struct ps_slice){event->body, event->body_length};
    if (subject->header == NULL)
        return true;
    const struct ps_name *name = ps_name_intern_try(subject->header, strlen(subject->header));
    return name != NULL && ps_event_header(batch, event, name, text);
}

static bool pattern_holds(const struct ps_rules_set *set, struct ps_rules_scratch *scratch, uint32_t number,
                          const struct ps_batch *batch, const struct ps_event *event)
{
    const struct ps_rules_pattern *pattern = &set->rules->patterns[number];
    struct ps_slice text;
    if (!subject_find(&pattern->subject, batch, event, &text))
        return false;
    return ps_regex_find(pattern->regex, scratch->regex, text.data, text.length, 0, NULL, 0);
}

static bool leaf_holds(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                       const struct ps_condition *condition, const struct ps_batch *batch,
                       const struct ps_event *event)
{
    struct ps_slice text;
    bool there = subject_find(&condition->subject, batch, event, &text);
    switch (condition->kind) {
    case PS_CONDITION_MATCH:
        return pattern_holds(set, scratch, condition->pattern, batch, event);
    case PS_CONDITION_COMPARE:
        return there && ps_rules_compare(condition, text);
    case PS_CONDITION_EXISTS:
        return there;
    case PS_CONDITION_SIZE:
        return ps_rules_size_compare(condition, event->body_length);
    default:
        return true;
    }
}

bool ps_rules_condition_holds(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                              const struct ps_condition *condition, const struct ps_batch *batch,
                              const struct ps_event *event)
{
    bool either = condition->kind == PS_CONDITION_OR;
    if (condition->kind == PS_CONDITION_NOT)
        return !ps_rules_condition_holds(set, scratch, condition->left, batch, event);
    if (!either && condition->kind != PS_CONDITION_AND)
        return leaf_holds(set, scratch, condition, batch, event);
    if (ps_rules_condition_holds(set, scratch, condition->left, batch, event) == either)
        return either;
    return ps_rules_condition_holds(set, scratch, condition->right, batch, event);
}
