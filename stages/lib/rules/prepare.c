/* Prepares the actions of rules: resolves header names, channel numbers, templates and groups that become
 * headers. Reports errors (a channel that the source does not have, a route in an interceptor) with their
 * place in the file. Thread: the one that makes the set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/nearest.h"
#include "stages/lib/rules/set_internal.h"

#define KEYS_MAX 4096U      /* keys of one limit on one worker */
#define KEYS_MIN 64U        /* the same, when there are many limits */
#define KEYS_ALL (1U << 20) /* keys of all limits of a set on one worker */
#define CHANNELS_MAX 4096U  /* channels of a set with `any_channel` */

/* ---- channels ---- */

static bool route_refuse(struct ps_rules_problems *problems, struct ps_rules_place place, const char *what)
{
    ps_rules_problem_add(problems, PS_RULES_ERROR, place,
                         "use selector.type = rules, or set a header that a selector looks at",
                         "%s: an interceptor does not choose channels", what);
    return false;
}

static uint32_t channel_find(const struct ps_texts *channels, const char *name)
{
    for (size_t i = 0; i < channels->count; i++) {
        if (strcmp(channels->items[i], name) == 0)
            return (uint32_t)i;
    }
    return RULES_NONE;
}

static uint32_t channel_add(struct ps_rules_set *set, const char *name)
{
    const char **items = ps_arena_grow(set->arena, set->channels.items, set->channels.count, sizeof *items);
    items[set->channels.count] = name;
    set->channels = (struct ps_texts){set->channels.count + 1, items};
    return (uint32_t)set->channels.count - 1;
}

static void channel_unknown(struct ps_rules_problems *problems, const struct ps_texts *channels,
                            const struct ps_rules_channel *channel)
{
    struct ps_nearest nearest;
    char cure[256];
    ps_nearest_init(&nearest, channel->name);
    for (size_t i = 0; i < channels->count; i++)
        ps_nearest_offer(&nearest, channels->items[i]);
    if (nearest.word != NULL)
        snprintf(cure, sizeof cure, "did you mean %s?", nearest.word);
    else
        snprintf(cure, sizeof cure, "add it to the channels of the source");
    ps_rules_problem_add(problems, PS_RULES_ERROR, channel->place, cure,
                         "channel %s does not belong to this source", channel->name);
}

void ps_rules_set_check_routes(const struct ps_rules_set_options *options, struct ps_rules_problems *problems)
{
    for (size_t i = 0; i < problems->route_count && options->routes && !options->any_channel; i++) {
        if (channel_find(&options->channels, problems->routes[i].name) == RULES_NONE)
            channel_unknown(problems, &options->channels, &problems->routes[i]);
    }
    if (problems->route_count > 0 && !options->routes)
        route_refuse(problems, problems->routes[0].place, "route");
    ps_rules_problems_sort(problems);
}

/* Adds channels to a list of routes, each once. Returns false after adding a problem. */
static bool routes_make(struct rules_build *build, const struct ps_rules_channel *channels, size_t count,
                        bool optional, uint32_t **routes, uint32_t *route_count)
{
    struct ps_rules_set *set = build->set;
    bool good = true;
    *routes = ps_arena_alloc(set->arena, (count + 1) * sizeof **routes);
    for (size_t i = 0; i < count; i++) {
        uint32_t channel = channel_find(&set->channels, channels[i].name);
        if (channel == RULES_NONE && build->options->any_channel && set->channels.count < CHANNELS_MAX)
            channel = channel_add(set, channels[i].name);
        if (channel == RULES_NONE) {
            if (build->options->any_channel)
                ps_rules_problem_add(build->problems, PS_RULES_ERROR, channels[i].place, NULL,
                                     "more than %u channels", CHANNELS_MAX);
            else
                channel_unknown(build->problems, &set->channels, &channels[i]);
            good = false;
            continue;
        }
        uint32_t route = channel * 2 + optional;
        bool there = false;
        for (uint32_t k = 0; k < *route_count; k++)
            there |= (*routes)[k] == route;
        if (!there)
            (*routes)[(*route_count)++] = route;
    }
    return good;
}

/* ---- groups ---- */

static bool capture_make(struct rules_build *build, const struct ps_regex *regex, const char *header,
                         const struct ps_rule *rule, struct ps_rules_place place,
                         struct rules_capture *capture)
{
    struct ps_rules_set *set = build->set;
    unsigned groups = ps_regex_group_count(regex);
    *capture = (struct rules_capture){.regex = regex, .saved = RULES_NONE};
    if (groups >= PS_REGEX_GROUPS_MAX)
        groups = PS_REGEX_GROUPS_MAX - 1;
    capture->slots = ps_arena_alloc(set->arena, (groups + 1) * sizeof *capture->slots);
    for (unsigned group = 1; group <= groups; group++) {
        const char *name = ps_regex_group_name(regex, group);
        if (name == NULL)
            continue;
        const char *prefix = rule->prefix != NULL ? rule->prefix : "";
        struct rules_slot *slot = &capture->slots[capture->slot_count++];
        slot->group = group;
        slot->group_name = name;
        slot->name = ps_rules_name(build, ps_arena_format(set->arena, "%s%s", prefix, name), place);
        if (slot->name == NULL)
            return false;
        capture->group_count = group + 1;
    }
    if (header != NULL)
        capture->header = ps_rules_name(build, header, place);
    return header == NULL || capture->header != NULL;
}

/* Returns the number of a header whose received value is saved for captures. */
static uint32_t saved_number(struct ps_rules_set *set, const struct ps_name *name)
{
    for (uint32_t i = 0; i < set->saved_count; i++) {
        if (set->saved[i] == name)
            return i;
    }
    set->saved = ps_arena_grow(set->arena, set->saved, set->saved_count, sizeof *set->saved);
    set->saved[set->saved_count] = name;
    return set->saved_count++;
}

/* Adds the patterns of a condition that are not under a `not` (those give no groups), the last one first,
 * each once. */
static void patterns_list(struct ps_arena *arena, const struct ps_condition *condition, bool negated,
                          uint32_t **patterns, uint32_t *count)
{
    if (condition->kind == PS_CONDITION_NOT) {
        patterns_list(arena, condition->left, !negated, patterns, count);
    } else if (condition->kind == PS_CONDITION_AND || condition->kind == PS_CONDITION_OR) {
        patterns_list(arena, condition->right, negated, patterns, count);
        patterns_list(arena, condition->left, negated, patterns, count);
    } else if (condition->kind == PS_CONDITION_MATCH && !negated) {
        for (uint32_t i = 0; i < *count; i++) {
            if ((*patterns)[i] == condition->pattern)
                return;
        }
        *patterns = ps_arena_grow(arena, *patterns, *count, sizeof **patterns);
        (*patterns)[(*count)++] = condition->pattern;
    }
}

static bool rule_captures(struct rules_build *build, const struct ps_rule *source, struct rules_rule *rule)
{
    struct ps_rules_set *set = build->set;
    uint32_t *patterns = NULL, count = 0, named = 0;
    patterns_list(set->arena, source->when, false, &patterns, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct ps_regex *regex = set->rules->patterns[patterns[i]].regex;
        unsigned group = 1, groups = ps_regex_group_count(regex);
        while (group <= groups && ps_regex_group_name(regex, group) == NULL)
            group++;
        if (group <= groups)
            patterns[named++] = patterns[i];
    }
    rule->captures = ps_arena_alloc(set->arena, (named + 1) * sizeof *rule->captures);
    /* The list begins with the last pattern. Captures are in the order of the file: of several groups with
     * the same name the last one counts. */
    for (uint32_t i = named; i-- > 0;) {
        const struct ps_rules_pattern *pattern = &set->rules->patterns[patterns[i]];
        struct rules_capture *capture = &rule->captures[rule->capture_count];
        if (!capture_make(build, pattern->regex, pattern->subject.header, source, source->place, capture))
            return false;
        if (capture->header != NULL)
            capture->saved = saved_number(set, capture->header);
        rule->capture_count++;
    }
    return true;
}

/* Numbers the slots of a rule from 0; all rules share the same slots. */
static uint32_t slots_number(struct rules_rule *rule)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < rule->capture_count; i++) {
        rule->captures[i].slot_first = next;
        next += rule->captures[i].slot_count;
    }
    for (uint32_t i = 0; i < rule->action_count; i++) {
        rule->actions[i].capture.slot_first = next;
        next += rule->actions[i].capture.slot_count;
    }
    return next;
}

/* ---- templates ---- */

static void slots_find(const struct rules_capture *capture, const char *name, struct rules_piece *piece)
{
    for (uint32_t i = 0; i < capture->slot_count; i++) {
        if (strcmp(capture->slots[i].group_name, name) == 0)
            piece->slots[piece->slot_count++] = capture->slot_first + i;
    }
}

/* Adds the slots of a group: its value comes from the last expression before this action that set it. */
static void piece_group(struct ps_rules_set *set, const struct rules_rule *rule, uint32_t action,
                        const char *name, struct rules_piece *piece)
{
    piece->slots = ps_arena_alloc(set->arena, (rule->capture_count + action + 1) * sizeof *piece->slots);
    for (uint32_t i = 0; i < rule->capture_count; i++)
        slots_find(&rule->captures[i], name, piece);
    for (uint32_t i = 0; i < action; i++)
        slots_find(&rule->actions[i].capture, name, piece);
}

static bool template_make(struct rules_build *build, const struct rules_rule *rule, uint32_t number)
{
    struct ps_rules_set *set = build->set;
    struct rules_action *action = &rule->actions[number];
    const struct ps_rules_template *text = &action->source->text;
    bool constant = true;
    action->pieces = ps_arena_alloc(set->arena, (text->count + 1) * sizeof *action->pieces);
    for (size_t i = 0; i < text->count; i++) {
        const struct ps_rules_template_piece *source = &text->pieces[i];
        struct rules_piece *piece = &action->pieces[action->piece_count++];
        piece->kind = source->kind;
        piece->text = (struct ps_slice){source->text, source->length};
        constant &= source->kind == PS_RULES_TEMPLATE_TEXT;
        if (source->kind == PS_RULES_TEMPLATE_GROUP)
            piece_group(set, rule, number, source->text, piece);
        if (source->kind == PS_RULES_TEMPLATE_HEADER) {
            piece->name = ps_rules_name(build, source->text, action->source->place);
            if (piece->name == NULL)
                return false;
        }
    }
    if (constant) { /* make one piece of it, so that it is copied at once */
        size_t length = 0;
        for (uint32_t i = 0; i < action->piece_count; i++)
            length += action->pieces[i].text.length;
        char *joined = ps_arena_alloc(set->arena, length + 1);
        size_t used = 0;
        for (uint32_t i = 0; i < action->piece_count; i++) {
            memcpy(joined + used, action->pieces[i].text.data, action->pieces[i].text.length);
            used += action->pieces[i].text.length;
        }
        action->pieces[0] = (struct rules_piece){.text = {joined, (uint32_t)length}};
        action->piece_count = 1;
        action->constant = set->constant_count++;
    }
    return true;
}

/* ---- actions ---- */

static void meter_add(struct rules_build *build, uint32_t rule, uint32_t ordinal, struct rules_action *action)
{
    struct ps_rules_set *set = build->set;
    const struct ps_action *source = action->source;
    double share = build->options->instances > 1 ? build->options->instances : 1;
    double burst = source->burst / share;
    set->meters[set->meter_count] =
        (struct rules_meter_spec){.rule = rule,
                                  .ordinal = ordinal,
                                  .is_limit = source->kind == PS_ACTION_LIMIT,
                                  .per_key = source->per_key,
                                  .one_in = source->one_in > 0 ? source->one_in : 1,
                                  .per_second = source->per_second / share,
                                  .burst = burst > 1 ? burst : 1};
    action->meter = set->meter_count++;
}

static bool action_names(struct rules_build *build, struct rules_action *action)
{
    const struct ps_action *source = action->source;
    if (source->header != NULL) {
        action->name = ps_rules_name(build, source->header, source->place);
        if (action->name == NULL)
            return false;
    }
    const char *from = source->kind == PS_ACTION_COPY ? source->from : source->subject.header;
    if (from != NULL && source->kind != PS_ACTION_SET && source->kind != PS_ACTION_REMOVE) {
        action->from = ps_rules_name(build, from, source->place);
        if (action->from == NULL)
            return false;
    }
    return true;
}

static bool action_make(struct rules_build *build, const struct ps_rule *source, struct rules_action *action)
{
    const struct ps_action *act = action->source;
    if (!action_names(build, action))
        return false;
    if (act->kind == PS_ACTION_EXTRACT &&
        !capture_make(build, act->regex, act->subject.header, source, act->place, &action->capture))
        return false;
    if (act->channel_count > 0 && !build->options->routes)
        return route_refuse(build->problems, act->channels[0].place,
                            act->kind == PS_ACTION_LIMIT ? "else route" : "route");
    return routes_make(build, act->channels, act->channel_count, act->optional, &action->routes,
                       &action->route_count);
}

static bool rule_actions(struct rules_build *build, uint32_t number)
{
    struct ps_rules_set *set = build->set;
    const struct ps_rule *source = &set->rules->rules[number];
    struct rules_rule *rule = &set->rule[number];
    bool good = true, stops = false, continues = false, drops = false;
    rule->actions = ps_arena_alloc(set->arena, (source->action_count + 1) * sizeof *rule->actions);
    rule->action_count = (uint32_t)source->action_count;
    uint32_t meters = 0;
    for (uint32_t i = 0; i < rule->action_count; i++) {
        struct rules_action *action = &rule->actions[i];
        action->source = &source->actions[i];
        action->constant = action->meter = RULES_NONE;
        good &= action_make(build, source, action);
        enum ps_action_kind kind = action->source->kind;
        stops |= kind == PS_ACTION_STOP;
        continues |= kind == PS_ACTION_CONTINUE;
        drops |= kind == PS_ACTION_DROP;
        set->drops |= kind == PS_ACTION_DROP || kind == PS_ACTION_SAMPLE || kind == PS_ACTION_LIMIT;
        if (kind == PS_ACTION_SAMPLE || kind == PS_ACTION_LIMIT)
            meter_add(build, number, meters++, action);
    }
    rule->last = drops || stops || (set->rules->mode == PS_RULES_FIRST && !continues);
    set->single &= rule->last;
    uint32_t slots = slots_number(rule);
    if (slots > set->slot_count)
        set->slot_count = slots;
    for (uint32_t i = 0; good && i < rule->action_count; i++) {
        enum ps_action_kind kind = source->actions[i].kind;
        if (kind == PS_ACTION_SET || kind == PS_ACTION_TAG)
            good = template_make(build, rule, i);
    }
    return good;
}

/* Marks a rule that only routes, as most do, and computes its routes. */
static void rule_plain(struct ps_rules_set *set, struct rules_rule *rule)
{
    size_t count = 0;
    rule->plain = rule->capture_count == 0;
    for (uint32_t i = 0; i < rule->action_count; i++) {
        enum ps_action_kind kind = rule->actions[i].source->kind;
        rule->plain &= kind == PS_ACTION_ROUTE || kind == PS_ACTION_STOP || kind == PS_ACTION_CONTINUE;
        count += rule->actions[i].route_count;
    }
    if (!rule->plain)
        return;
    rule->routes = ps_arena_alloc(set->arena, (count + 1) * sizeof *rule->routes);
    for (uint32_t i = 0; i < rule->action_count; i++) {
        for (uint32_t k = 0; k < rule->actions[i].route_count; k++)
            rule->route_count =
                ps_rules_route_add(rule->routes, rule->route_count, rule->actions[i].routes[k]);
    }
}

static uint32_t meters_of(const struct ps_rules *rules)
{
    uint32_t count = 0;
    for (size_t i = 0; i < rules->rule_count; i++) {
        for (size_t k = 0; k < rules->rules[i].action_count; k++) {
            enum ps_action_kind kind = rules->rules[i].actions[k].kind;
            count += kind == PS_ACTION_SAMPLE || kind == PS_ACTION_LIMIT;
        }
    }
    return count;
}

/* Divides KEYS_ALL among the limits that have keys. */
static void meters_size(struct ps_rules_set *set)
{
    uint32_t keyed = 0;
    for (uint32_t i = 0; i < set->meter_count; i++)
        keyed += set->meters[i].per_key;
    uint32_t keys = keyed == 0 ? 0 : KEYS_ALL / keyed;
    keys = keys > KEYS_MAX ? KEYS_MAX : keys < KEYS_MIN ? KEYS_MIN : keys;
    for (uint32_t i = 0; i < set->meter_count; i++)
        set->meters[i].key_count = set->meters[i].per_key ? keys : 1;
}

bool ps_rules_actions_compile(struct rules_build *build)
{
    struct ps_rules_set *set = build->set;
    const struct ps_rules *rules = set->rules;
    bool good = true;
    set->single = true;
    set->tags = ps_rules_name(build, "tags", (struct ps_rules_place){.file = "rules"});
    if (set->tags == NULL)
        return false;
    set->meters = ps_arena_alloc(set->arena, (meters_of(rules) + 1) * sizeof *set->meters);
    for (uint32_t i = 0; i < set->rule_count; i++) {
        good &= rule_captures(build, &rules->rules[i], &set->rule[i]);
        good &= rule_actions(build, i);
        rule_plain(set, &set->rule[i]);
    }
    meters_size(set);
    if (rules->default_count > 0 && !build->options->routes)
        return route_refuse(build->problems, rules->defaults[0].place, "default");
    return routes_make(build, rules->defaults, rules->default_count, false, &set->defaults,
                       &set->default_count) &&
           good;
}
