/* Finds rules that can never act because, in mode first, an earlier rule takes every event that they match. Only the
 * conditions are compared. A condition is a list of alternatives (or) of requirements (and). An earlier rule takes an
 * alternative if one of the earlier rule's alternatives has no requirement that the taken alternative lacks. `body ~
 * /abc/` and `body contains "abc"` require nothing beyond the same conditions with a longer text that contains abc.
 * Thread: main. */
#include "commands/rules/rules.h"
#include "regex/rules/names.h"

#include <stdlib.h>
#include <string.h>

#define ALTERNATIVES_MAX 64U
#define REQUIREMENTS_MAX 64U
#define LENGTHS_MAX 512U /* longer literals are not compared */

struct alternative {
    uint32_t items[REQUIREMENTS_MAX]; /* ascending */
    uint32_t count;
};

struct alternatives {
    struct alternative list[ALTERNATIVES_MAX];
    uint32_t count;
};

struct taker {
    uint32_t rule;
    uint32_t *items, count; /* the requirements other than the last one */
    struct taker *next;
};

struct shadows {
    const struct ps_rules *rules;
    struct ps_arena *arena;
    struct rules_names leaves; /* leaf as text -> number */
    uint32_t leaf_count;
    struct taker **takers; /* a hash table by the last requirement, because the fewest rules share that one */
    size_t taker_room;
    struct rules_names literals; /* subject and literal -> the first rule that requires only this literal */
    bool lengths[LENGTHS_MAX];   /* the lengths that literals have */
    const char **texts;          /* for each leaf: its subject and literal, or NULL */
};

/* ---- leaves ---- */

/* Returns the text of an expression that is one plain literal; NULL for any other expression. */
static const char *regex_literal(struct ps_arena *arena, const struct ps_regex *regex)
{
    const char *text = ps_regex_text(regex);
    char *out = ps_arena_alloc(arena, strlen(text) + 1), *to = out;
    if (ps_regex_flags_of(regex) != 0)
        return NULL;
    for (; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0' && strchr(".\\/|?*+()[]{}^$-\" ", text[1]) != NULL)
            text++;
        else if (strchr("\\^$.|?*+()[]{}", *text) != NULL)
            return NULL;
        *to++ = *text;
    }
    return out;
}

static const char *leaf_literal(struct shadows *shadows, const struct ps_condition *leaf)
{
    const char *literal = NULL, *header = NULL;
    if (leaf->kind == PS_CONDITION_MATCH) {
        const struct ps_rules_pattern *pattern = &shadows->rules->patterns[leaf->pattern];
        literal = regex_literal(shadows->arena, pattern->regex);
        header = pattern->subject.header;
    } else if (leaf->kind == PS_CONDITION_COMPARE && leaf->op == PS_OPERATOR_CONTAINS) {
        literal = leaf->values[0].text.data;
        header = leaf->subject.header;
        if (strlen(literal) != leaf->values[0].text.length)
            return NULL;
    }
    return literal == NULL || literal[0] == '\0'
               ? NULL
               : ps_arena_format(shadows->arena, "%s\n%s", header != NULL ? header : "", literal);
}

static const char *condition_words(struct shadows *shadows, const struct ps_condition *condition)
{
    const char *own = ps_rules_leaf_text(shadows->arena, shadows->rules, condition);
    if (condition->left == NULL)
        return own;
    return ps_arena_format(shadows->arena, "%s(%s)(%s)", own, condition_words(shadows, condition->left),
                           condition->right != NULL ? condition_words(shadows, condition->right) : "");
}

static uint32_t leaf_number(struct shadows *shadows, const struct ps_condition *leaf)
{
    const char *words = condition_words(shadows, leaf);
    uint32_t number = ps_rules_names_find(&shadows->leaves, words, strlen(words));
    if (number != RULES_NAME_NONE)
        return number;
    number = shadows->leaf_count++;
    ps_rules_names_add(&shadows->leaves, shadows->arena, words, strlen(words), number);
    if (number >= shadows->taker_room) {
        size_t room = shadows->taker_room == 0 ? 1024 : 2 * shadows->taker_room;
        shadows->takers =
            ps_must_realloc(shadows->takers, room * sizeof(struct taker *), "the search for hidden rules");
        shadows->texts =
            ps_must_realloc(shadows->texts, room * sizeof(const char *), "the search for hidden rules");
        memset(&shadows->takers[shadows->taker_room], 0,
               (room - shadows->taker_room) * sizeof(struct taker *));
        shadows->taker_room = room;
    }
    shadows->texts[number] = leaf_literal(shadows, leaf);
    return number;
}

/* ---- alternatives ---- */

/* Collects the requirements. Returns false if they are too many to compare. */
static bool requirements_add(struct shadows *shadows, struct alternative *alternative,
                             const struct ps_condition *condition)
{
    if (condition->kind == PS_CONDITION_AND)
        return requirements_add(shadows, alternative, condition->left) &&
               requirements_add(shadows, alternative, condition->right);
    if (condition->kind == PS_CONDITION_TRUE)
        return true;
    if (alternative->count == REQUIREMENTS_MAX)
        return false;
    uint32_t number = leaf_number(shadows, condition), at = 0;
    while (at < alternative->count && alternative->items[at] < number)
        at++;
    if (at < alternative->count && alternative->items[at] == number)
        return true;
    memmove(&alternative->items[at + 1], &alternative->items[at],
            (alternative->count - at) * sizeof alternative->items[0]);
    alternative->items[at] = number;
    alternative->count++;
    return true;
}

static bool alternatives_add(struct shadows *shadows, struct alternatives *all,
                             const struct ps_condition *condition)
{
    if (condition->kind == PS_CONDITION_OR)
        return alternatives_add(shadows, all, condition->left) &&
               alternatives_add(shadows, all, condition->right);
    if (all->count == ALTERNATIVES_MAX)
        return false;
    struct alternative *alternative = &all->list[all->count++];
    alternative->count = 0;
    return requirements_add(shadows, alternative, condition);
}

static bool is_subset(const uint32_t *items, uint32_t count, const struct alternative *of)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < of->count && found < count; i++)
        found += of->items[i] == items[found];
    return found == count;
}

/* Returns the first rule that requires only a part of this text. */
static uint32_t literal_taker(const struct shadows *shadows, const char *text)
{
    const char *literal = strchr(text, '\n') + 1;
    size_t prefix = (size_t)(literal - text), length = strlen(literal);
    char key[2 * LENGTHS_MAX];
    uint32_t best = UINT32_MAX;
    if (prefix >= LENGTHS_MAX || length >= 16 * LENGTHS_MAX)
        return best;
    memcpy(key, text, prefix);
    for (size_t size = 1; size <= length && size < LENGTHS_MAX; size++) {
        for (size_t at = 0; shadows->lengths[size] && at + size <= length; at++) {
            memcpy(key + prefix, literal + at, size);
            uint32_t rule = ps_rules_names_find(&shadows->literals, key, prefix + size);
            best = rule < best ? rule : best;
        }
    }
    return best;
}

/* Returns the first rule that takes every event of this alternative, or UINT32_MAX. */
static uint32_t taker_of(const struct shadows *shadows, const struct alternative *alternative)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < alternative->count; i++) {
        for (const struct taker *taker = shadows->takers[alternative->items[i]]; taker != NULL;
             taker = taker->next)
            if (taker->rule < best && is_subset(taker->items, taker->count, alternative))
                best = taker->rule;
        const char *text = shadows->texts[alternative->items[i]];
        uint32_t rule = text != NULL ? literal_taker(shadows, text) : UINT32_MAX;
        best = rule < best ? rule : best;
    }
    return best;
}

static void taker_add(struct shadows *shadows, uint32_t rule, const struct alternative *alternative)
{
    if (alternative->count == 0)
        return; /* this rule takes all events: the parser has already warned */
    struct taker *taker = ps_arena_alloc(shadows->arena, sizeof *taker);
    uint32_t last = alternative->items[alternative->count - 1];
    taker->rule = rule;
    taker->count = alternative->count;
    taker->items = ps_arena_alloc(shadows->arena, alternative->count * sizeof(uint32_t));
    memcpy(taker->items, alternative->items, alternative->count * sizeof(uint32_t));
    taker->next = shadows->takers[last];
    shadows->takers[last] = taker;
    const char *text = alternative->count == 1 ? shadows->texts[last] : NULL;
    size_t length = text != NULL ? strlen(strchr(text, '\n') + 1) : LENGTHS_MAX;
    if (length < LENGTHS_MAX &&
        ps_rules_names_find(&shadows->literals, text, strlen(text)) == RULES_NAME_NONE) {
        ps_rules_names_add(&shadows->literals, shadows->arena, text, strlen(text), rule);
        shadows->lengths[length] = true;
    }
}

/* ---- rules ---- */

static bool ends_evaluation(const struct ps_rules *rules, const struct ps_rule *rule)
{
    bool goes_on = false, stops = false;
    for (size_t i = 0; i < rule->action_count; i++) {
        goes_on = goes_on || rule->actions[i].kind == PS_ACTION_CONTINUE;
        stops = stops || rule->actions[i].kind == PS_ACTION_STOP || rule->actions[i].kind == PS_ACTION_DROP;
    }
    return rules->mode == PS_RULES_FIRST ? !goes_on : stops;
}

static void rule_look(struct shadows *shadows, uint32_t number, struct alternatives *all,
                      struct ps_rules_problems *problems)
{
    const struct ps_rule *rule = &shadows->rules->rules[number];
    all->count = 0;
    if (!alternatives_add(shadows, all, rule->when))
        return;
    uint32_t taken = 0, first = UINT32_MAX;
    for (uint32_t i = 0; i < all->count; i++) {
        uint32_t rule_of = taker_of(shadows, &all->list[i]);
        taken += rule_of != UINT32_MAX;
        first = rule_of < first ? rule_of : first;
    }
    if (taken == all->count && first != UINT32_MAX) {
        const struct ps_rule *taker = &shadows->rules->rules[first];
        ps_rules_problem_add(problems, PS_RULES_WARNING, rule->place,
                             "put the narrower rule first: give it a higher priority, or put it before",
                             "rule \"%s\" can never act: rule \"%s\" (%s) takes every event it matches",
                             rule->name, taker->name, ps_rules_place_text(shadows->arena, taker->place));
    } else if (ends_evaluation(shadows->rules, rule)) {
        for (uint32_t i = 0; i < all->count; i++)
            taker_add(shadows, number, &all->list[i]);
    }
}

void ps_rules_shadows(const struct ps_rules *rules, struct ps_rules_problems *problems)
{
    struct shadows shadows = {.rules = rules, .arena = ps_arena_create()};
    struct alternatives *all = ps_must_alloc(1, sizeof *all, "the search for hidden rules");
    for (uint32_t i = 0; i < rules->rule_count; i++)
        rule_look(&shadows, i, all, problems);
    free(all);
    free(shadows.takers);
    free(shadows.texts);
    ps_arena_destroy(shadows.arena);
}
