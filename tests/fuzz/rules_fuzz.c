/* Any bytes as a rules file. The parsed rules are traversed; no include names an existing file. */
#include "regex/rules/rules.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct ps_rules *rules, const struct ps_condition *condition)
{
    if (condition == NULL)
        return 0;
    if (condition->kind == PS_CONDITION_MATCH)
        PS_ASSERT(condition->pattern < rules->pattern_count &&
                  rules->patterns[condition->pattern].regex != NULL);
    if (condition->kind == PS_CONDITION_COMPARE || condition->kind == PS_CONDITION_SIZE)
        PS_ASSERT(condition->value_count > 0);
    return 1 + walk(rules, condition->left) + walk(rules, condition->right);
}

static void rules_look(const struct ps_rules *rules)
{
    for (size_t i = 0; i < rules->rule_count; i++) {
        PS_ASSERT(rules->rules[i].name != NULL && walk(rules, rules->rules[i].when) > 0);
        PS_ASSERT(i == 0 || rules->rules[i - 1].priority >= rules->rules[i].priority);
        for (size_t j = 0; j < rules->rules[i].action_count; j++) {
            const struct ps_action *action = &rules->rules[i].actions[j];
            PS_ASSERT((action->kind == PS_ACTION_REPLACE) == (action->replacement != NULL));
            PS_ASSERT(action->kind != PS_ACTION_LIMIT || (action->per_second > 0 && action->burst >= 1));
            PS_ASSERT(action->kind != PS_ACTION_SAMPLE || action->one_in > 0);
        }
    }
    for (uint32_t i = 0; i < rules->pattern_count_all; i++)
        PS_ASSERT(rules->patterns[i].regex != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_rules_problems *problems = calloc(1, sizeof *problems);
    PS_ASSERT(problems != NULL);
    problems->arena = ps_arena_create();
    struct ps_rules *rules = ps_rules_parse("/nonexistent/fuzz.rules", (const char *)data, size, problems);
    PS_ASSERT((rules == NULL) == (problems->errors > 0));
    for (size_t i = 0; i < ps_rules_problems_kept(problems); i++)
        PS_ASSERT(ps_rules_problem_text(problems->arena, &problems->items[i])[0] != '\0');
    if (rules != NULL)
        rules_look(rules);
    ps_rules_destroy(rules);
    ps_arena_destroy(problems->arena);
    free(problems);
    return 0;
}
