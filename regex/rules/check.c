/* Warns about rules that are correct but probably not what the author meant. */
#include <string.h>

#include "core/text/nearest.h"
#include "regex/rules/internal.h"

/* ---- one rule ---- */

static bool group_is_given(const struct rules_parser *parser, const char *name, struct ps_nearest *nearest)
{
    for (size_t i = 0; i < parser->group_source_count; i++) {
        const struct ps_regex *regex = parser->group_sources[i];
        for (unsigned group = 1; group <= ps_regex_group_count(regex); group++) {
            const char *given = ps_regex_group_name(regex, group);
            if (given == NULL)
                continue;
            if (strcmp(given, name) == 0)
                return true;
            ps_nearest_offer(nearest, given);
        }
    }
    return false;
}

static void uses_check(struct rules_parser *parser)
{
    for (size_t i = 0; i < parser->use_count; i++) {
        struct ps_nearest nearest;
        ps_nearest_init(&nearest, parser->uses[i].name);
        if (group_is_given(parser, parser->uses[i].name, &nearest))
            continue;
        const char *cure = nearest.word != NULL
                               ? ps_arena_format(parser->arena, "did you mean ${%s}?", nearest.word)
                               : ps_arena_format(parser->arena, "a header of that name is ${header.%s}",
                                                 parser->uses[i].name);
        ps_rules_problem_add(
            parser->loader->problems, PS_RULES_WARNING, parser->uses[i].place, cure,
            "${%s} is always empty: no expression of rule \"%s\" that can match has a group of that name",
            parser->uses[i].name, parser->rule->name);
    }
}

/* Warns about groups named `body` or `rule`: ${body} and ${rule} have another meaning. */
static void group_names_check(struct rules_parser *parser)
{
    for (size_t i = 0; i < parser->group_source_count; i++) {
        for (unsigned group = 1; group <= ps_regex_group_count(parser->group_sources[i]); group++) {
            const char *name = ps_regex_group_name(parser->group_sources[i], group);
            if (name != NULL && (strcmp(name, "body") == 0 || strcmp(name, "rule") == 0))
                ps_rules_problem_add(
                    parser->loader->problems, PS_RULES_WARNING, parser->rule->place,
                    ps_arena_format(parser->arena, "write ${header.%s%s}, or rename the group",
                                    parser->rule->prefix, name),
                    "the group (?<%s>...) of rule \"%s\" cannot be read as ${%s}, which is the %s", name,
                    parser->rule->name, name, name[0] == 'b' ? "event's body" : "rule's name");
        }
    }
}

static void actions_check(struct rules_parser *parser)
{
    const struct ps_rule *rule = parser->rule;
    struct ps_rules_problems *problems = parser->loader->problems;
    const struct ps_action *drop = NULL;
    for (size_t i = 0; i < rule->action_count; i++) {
        const struct ps_action *action = &rule->actions[i];
        if (drop != NULL && action->kind != PS_ACTION_STOP && action->kind != PS_ACTION_CONTINUE) {
            ps_rules_problem_add(problems, PS_RULES_WARNING, action->place, NULL,
                                 "an action after `drop` changes an event that was dropped");
            return;
        }
        if (action->kind == PS_ACTION_DROP)
            drop = action;
    }
}

void ps_rules_check_rule(struct rules_parser *parser)
{
    const struct ps_rule *rule = parser->rule;
    struct ps_rules_problems *problems = parser->loader->problems;
    if (rule->when == NULL) {
        ps_rules_problem_add(problems, PS_RULES_ERROR, rule->place,
                             "write `when true` if it is for every event", "rule \"%s\" has no `when`",
                             rule->name);
        return;
    }
    bool sets_groups = false;
    for (size_t i = 0; i < parser->group_source_count && !sets_groups; i++)
        for (unsigned group = 1; group <= ps_regex_group_count(parser->group_sources[i]); group++)
            sets_groups = sets_groups || ps_regex_group_name(parser->group_sources[i], group) != NULL;
    if (rule->action_count == 0 && !sets_groups)
        ps_rules_problem_add(problems, PS_RULES_WARNING, rule->place, NULL,
                             "rule \"%s\" only counts events: it has no action", rule->name);
    uses_check(parser);
    group_names_check(parser);
    actions_check(parser);
}

/* ---- all rules ---- */

static void expected_check(struct rules_loader *loader)
{
    size_t unknown = 0; /* suggestions are made for the first 20 only */
    for (size_t i = 0; i < loader->expected_count; i++) {
        const struct ps_rules_expected *expected = &loader->expected[i];
        uint32_t number = ps_rules_names_find(&loader->rule_names, expected->rule, strlen(expected->rule));
        if (number != RULES_NAME_NONE && !loader->all[number].disabled)
            continue;
        if (number != RULES_NAME_NONE) {
            ps_rules_problem_add(loader->problems, PS_RULES_WARNING, expected->place, NULL,
                                 "the test expects rule \"%s\", which is disabled at %s", expected->rule,
                                 ps_rules_place_text(loader->arena, loader->all[number].place));
            continue;
        }
        struct ps_nearest nearest;
        unknown++;
        ps_nearest_init(&nearest, expected->rule);
        for (size_t j = 0; j < loader->all_count && j < 10000 && unknown < 20; j++)
            ps_nearest_offer(&nearest, loader->all[j].name);
        const char *cure = nearest.word != NULL
                               ? ps_arena_format(loader->arena, "did you mean \"%s\"?", nearest.word)
                               : NULL;
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, expected->place, cure,
                             "the test expects rule \"%s\", which does not exist", expected->rule);
    }
}

static bool has_action(const struct ps_rule *rule, enum ps_action_kind kind)
{
    for (size_t i = 0; i < rule->action_count; i++)
        if (rule->actions[i].kind == kind)
            return true;
    return false;
}

/* Reports the first rule that takes every event and passes none on: the rules after it are never reached. */
static void unreachable_check(struct rules_loader *loader)
{
    const struct ps_rules *rules = &loader->owned->rules;
    for (size_t i = 0; i + 1 < rules->rule_count; i++) {
        const struct ps_rule *rule = &rules->rules[i];
        bool ends = rules->mode == PS_RULES_FIRST ? !has_action(rule, PS_ACTION_CONTINUE)
                                                  : has_action(rule, PS_ACTION_STOP);
        if (!ends || !ps_condition_is_always(rules, rule->when))
            continue;
        size_t behind = rules->rule_count - i - 2;
        ps_rules_problem_add(loader->problems, PS_RULES_WARNING, rules->rules[i + 1].place,
                             "give the rule that takes all a lower priority, or `continue`",
                             "rule \"%s\"%s %s never reached: rule \"%s\" (%s) takes every event first",
                             rules->rules[i + 1].name,
                             behind == 0 ? "" : ps_arena_format(loader->arena, " and %zu more", behind),
                             behind == 0 ? "is" : "are", rule->name,
                             ps_rules_place_text(loader->arena, rule->place));
        return;
    }
}

/* ---- headers that one rule sets and a later one reads ---- */

/* Calls `take` for the header of each part of the condition, until it returns false. */
static bool each_header(const struct ps_rules *rules, const struct ps_condition *condition,
                        bool (*take)(void *argument, const char *header, struct ps_rules_place place),
                        void *argument)
{
    const char *header = condition->kind == PS_CONDITION_MATCH
                             ? rules->patterns[condition->pattern].subject.header
                             : condition->subject.header;
    return (header == NULL || take(argument, header, condition->place)) &&
           (condition->left == NULL || each_header(rules, condition->left, take, argument)) &&
           (condition->right == NULL || each_header(rules, condition->right, take, argument));
}

static bool is_other(void *argument, const char *header, struct ps_rules_place)
{
    return strcmp(argument, header) != 0;
}

struct header_check {
    struct rules_loader *loader;
    struct rules_names setters, reported; /* by header: the number of the rule that sets it */
    struct rules_names ended; /* by "header=value": the rule that sets it and ends the evaluation */
    uint32_t rule;
};

/* A rule whose condition reads the header only rewrites its value, and is not noted: a later rule that reads the
 * header expects the received value. */
static void note_setter(struct header_check *check, const char *header)
{
    const struct ps_rules *rules = &check->loader->owned->rules;
    char *copy = ps_arena_text(check->loader->arena, header);
    if (each_header(rules, rules->rules[check->rule].when, is_other, copy) &&
        ps_rules_names_find(&check->setters, copy, strlen(copy)) == RULES_NAME_NONE)
        ps_rules_names_add(&check->setters, check->loader->arena, copy, strlen(copy), check->rule);
}

static void note_groups(struct header_check *check, const struct ps_regex *regex, const char *prefix)
{
    for (unsigned group = 1; group <= ps_regex_group_count(regex); group++) {
        const char *name = ps_regex_group_name(regex, group);
        if (name != NULL)
            note_setter(check, ps_arena_format(check->loader->arena, "%s%s", prefix, name));
    }
}

static void note_matches(struct header_check *check, const struct ps_condition *condition, bool negated)
{
    const struct ps_rules *rules = &check->loader->owned->rules;
    if (condition->kind == PS_CONDITION_MATCH && !negated)
        note_groups(check, rules->patterns[condition->pattern].regex, rules->rules[check->rule].prefix);
    if (condition->left != NULL)
        note_matches(check, condition->left, negated != (condition->kind == PS_CONDITION_NOT));
    if (condition->right != NULL)
        note_matches(check, condition->right, negated);
}

static void note_setters(struct header_check *check)
{
    const struct ps_rule *rule = &check->loader->owned->rules.rules[check->rule];
    note_matches(check, rule->when, false);
    for (size_t i = 0; i < rule->action_count; i++) {
        const struct ps_action *action = &rule->actions[i];
        if (action->kind == PS_ACTION_COPY || (action->kind == PS_ACTION_SET && !action->unless_exists))
            note_setter(check, action->header);
        else if (action->kind == PS_ACTION_EXTRACT)
            note_groups(check, action->regex, rule->prefix);
    }
}

static bool look_at_header(void *argument, const char *header, struct ps_rules_place place)
{
    struct header_check *check = argument;
    const struct ps_rule *rules = check->loader->owned->rules.rules;
    uint32_t setter = ps_rules_names_find(&check->setters, header, strlen(header));
    if (setter == RULES_NAME_NONE ||
        ps_rules_names_find(&check->reported, header, strlen(header)) != RULES_NAME_NONE)
        return true;
    ps_rules_names_add(&check->reported, check->loader->arena, header, strlen(header), setter);
    ps_rules_problem_add(
        check->loader->problems, PS_RULES_WARNING, place,
        ps_arena_format(check->loader->arena,
                        "repeat the condition of rule \"%s\", or use two sets of rules, one after the other",
                        rules[setter].name),
        "rule \"%s\" (%s) sets header.%s, but every condition reads the event as it was received",
        rules[setter].name, ps_rules_place_text(check->loader->arena, rules[setter].place), header);
    return true;
}

static const char *set_name(struct header_check *check, const char *header, const char *value, size_t length)
{
    return ps_arena_format(check->loader->arena, "%s=%.*s", header, (int)length, value);
}

/* Notes the texts that the rule gives to headers. A condition that compares a header with such a text expects an
 * event of this rule. */
static void note_ended(struct header_check *check)
{
    const struct ps_rule *rule = &check->loader->owned->rules.rules[check->rule];
    for (size_t i = 0; i < rule->action_count; i++) {
        const struct ps_action *action = &rule->actions[i];
        if (action->kind != PS_ACTION_SET || action->text.count != 1 ||
            action->text.pieces[0].kind != PS_RULES_TEMPLATE_TEXT ||
            !each_header(&check->loader->owned->rules, rule->when, is_other,
                         ps_arena_text(check->loader->arena, action->header)))
            continue; /* a rule that reads the header rewrites it, as in note_setter */
        const struct ps_rules_template_piece *piece = &action->text.pieces[0];
        const char *name = set_name(check, action->header, piece->text, piece->length);
        if (ps_rules_names_find(&check->ended, name, strlen(name)) == RULES_NAME_NONE)
            ps_rules_names_add(&check->ended, check->loader->arena, name, strlen(name), check->rule);
    }
}

static void look_at_comparison(struct header_check *check, const struct ps_condition *condition)
{
    const struct ps_rule *rules = check->loader->owned->rules.rules;
    const char *header = condition->subject.header;
    for (size_t i = 0; i < condition->value_count; i++) {
        const struct ps_slice *value = &condition->values[i].text;
        const char *name = set_name(check, header, value->data, value->length);
        uint32_t setter = ps_rules_names_find(&check->ended, name, strlen(name));
        if (setter == RULES_NAME_NONE ||
            ps_rules_names_find(&check->reported, header, strlen(header)) != RULES_NAME_NONE)
            continue;
        ps_rules_names_add(&check->reported, check->loader->arena, header, strlen(header), setter);
        ps_rules_problem_add(
            check->loader->problems, PS_RULES_WARNING, condition->place,
            ps_arena_format(
                check->loader->arena,
                "repeat the condition of rule \"%s\", or use two sets of rules, one after the other",
                rules[setter].name),
            "rule \"%s\" (%s) sets header.%s to this value, but ends the evaluation: no later rule sees its "
            "events",
            rules[setter].name, ps_rules_place_text(check->loader->arena, rules[setter].place), header);
    }
}

static void look_at_comparisons(struct header_check *check, const struct ps_condition *condition)
{
    bool compares = condition->kind == PS_CONDITION_COMPARE && condition->subject.header != NULL;
    if (compares && (condition->op == PS_OPERATOR_EQUAL || condition->op == PS_OPERATOR_IN))
        look_at_comparison(check, condition);
    if (condition->left != NULL && condition->kind != PS_CONDITION_NOT)
        look_at_comparisons(check, condition->left);
    if (condition->right != NULL)
        look_at_comparisons(check, condition->right);
}

/* Warns, once for each header, about a condition that reads a header which an earlier rule sets on an event that
 * later rules see, or that compares a header with a text which only a rule that ends the evaluation sets. */
static void headers_check(struct rules_loader *loader)
{
    const struct ps_rules *rules = &loader->owned->rules;
    struct header_check check = {.loader = loader};
    for (; check.rule < rules->rule_count; check.rule++) {
        const struct ps_rule *rule = &rules->rules[check.rule];
        (void)each_header(rules, rule->when, look_at_header, &check);
        look_at_comparisons(&check, rule->when);
        if (rules->mode == PS_RULES_FIRST ? has_action(rule, PS_ACTION_CONTINUE)
                                          : !has_action(rule, PS_ACTION_STOP))
            note_setters(&check);
        else
            note_ended(&check);
    }
}

void ps_rules_check_all(struct rules_loader *loader)
{
    expected_check(loader);
    unreachable_check(loader);
    headers_check(loader);
}
