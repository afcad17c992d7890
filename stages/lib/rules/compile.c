/* Compiles the conditions of rules into programs (tests with jumps) and lists of their triggers. Works on
 * arrays of all rules' nodes in postorder.
 *
 * Thread: the one that makes the set. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "stages/lib/rules/set_internal.h"

enum node_kind { NODE_AND, NODE_OR, NODE_LEAF };

/* A node of a condition whose negations were moved to the leaves. Children come before their parents. */
struct node {
    enum node_kind kind;
    bool negated; /* for leaves */
    bool needed;  /* its atoms are triggers of the rule */
    bool sure;
    uint32_t left, right, first_leaf; /* the leaves of all rules are numbered from the left */
    uint32_t yes, no;
    double cost; /* number of rules that its triggers also lead to; INFINITY: it has no triggers */
    const struct ps_condition *condition;
};

struct trees {
    struct node *nodes;
    uint32_t count, room, *first; /* first[rule]: the rule's first node; first[rule_count]: the end */
    uint32_t leaf_count;
};

/* A pair of an atom and a rule that it triggers. */
struct pair {
    uint32_t atom, entry;
};
struct pairs {
    struct pair *items;
    size_t count, room;
};

/* Adds the nodes of a condition. The last one added is its root. The parser limits the depth of conditions. */
static uint32_t tree_add(struct trees *trees, const struct ps_condition *condition, bool negated)
{
    struct node node = {.kind = NODE_LEAF, .negated = negated, .condition = condition};
    if (condition->kind == PS_CONDITION_NOT)
        return tree_add(trees, condition->left, !negated);
    if (condition->kind == PS_CONDITION_AND || condition->kind == PS_CONDITION_OR) {
        node = (struct node){.kind = (condition->kind == PS_CONDITION_AND) != negated ? NODE_AND : NODE_OR};
        node.left = tree_add(trees, condition->left, negated);
        node.right = tree_add(trees, condition->right, negated);
        node.first_leaf = trees->nodes[node.left].first_leaf;
    } else
        node.first_leaf = trees->leaf_count++;
    PS_ARRAY_GROW(trees->nodes, trees->count, trees->room, "compiling rules");
    trees->nodes[trees->count] = node;
    return trees->count++;
}

/* ---- atoms ---- */

/* Returns true for a leaf that compares a header with values, which go into that header's table. */
static bool is_lookup(const struct node *node)
{
    const struct ps_condition *condition = node->condition;
    return node->kind == NODE_LEAF && !node->negated && condition->kind == PS_CONDITION_COMPARE &&
           condition->subject.header != NULL &&
           (condition->op == PS_OPERATOR_EQUAL || condition->op == PS_OPERATOR_IN);
}

/* Calls back for each atom of a leaf that may trigger. Returns false when the leaf can be true without any of
 * its atoms, so that it must always be evaluated. */
static bool leaf_atoms(struct rules_build *build, const struct node *node,
                       void (*each)(void *argument, uint32_t atom), void *argument)
{
    const struct ps_rules_set *set = build->set;
    const struct ps_condition *condition = node->condition;
    if (node->negated)
        return false;
    if (condition->kind == PS_CONDITION_MATCH && !set->pattern[condition->pattern].always) {
        uint32_t header = set->pattern[condition->pattern].header;
        uint32_t first = header == RULES_NONE ? 0 : set->headers[header].atom_first;
        each(argument, first + set->pattern[condition->pattern].number);
        return true;
    }
    if (!is_lookup(node))
        return false;
    uint32_t header = ps_rules_header_number(build, condition->subject.header, condition->place);
    for (size_t i = 0; i < condition->value_count; i++)
        each(argument, ps_rules_values_same(&set->headers[header].values, &condition->values[i]));
    return true;
}

/* Numbers the atoms: first the patterns, then the values. Returns false after adding a problem. */
static bool atoms_number(struct rules_build *build, const struct trees *trees)
{
    struct ps_rules_set *set = build->set;
    for (uint32_t i = 0; i < trees->count; i++) {
        const struct ps_condition *condition = trees->nodes[i].condition;
        if (is_lookup(&trees->nodes[i]) &&
            ps_rules_header_number(build, condition->subject.header, condition->place) == RULES_NONE)
            return false;
    }
    set->atom_count = set->body_pattern_count;
    for (uint32_t i = 0; i < set->header_count; i++) {
        set->headers[i].atom_first = set->atom_count;
        set->atom_count += set->headers[i].pattern_count;
    }
    for (uint32_t i = 0; i < trees->count; i++) {
        const struct ps_condition *condition = trees->nodes[i].condition;
        if (!is_lookup(&trees->nodes[i]))
            continue;
        uint32_t header = ps_rules_header_number(build, condition->subject.header, condition->place);
        for (size_t v = 0; v < condition->value_count; v++) {
            struct rules_values *values = &set->headers[header].values;
            if (ps_rules_values_same(values, &condition->values[v]) == RULES_NONE)
                ps_rules_values_add(values, &condition->values[v], set->atom_count++);
        }
    }
    return true;
}

static void use_count(void *argument, uint32_t atom)
{
    uint32_t *uses = argument;
    uses[atom]++;
}

struct cost {
    const uint32_t *uses;
    double sum;
};

static void cost_add(void *argument, uint32_t atom)
{
    struct cost *cost = argument;
    cost->sum += cost->uses[atom];
}

/* Computes for every node the cost of using its atoms as triggers. One side of an `and` is enough. */
static void costs_fill(struct rules_build *build, struct trees *trees)
{
    uint32_t *uses = ps_must_alloc((size_t)build->set->atom_count + 1, sizeof *uses, "compiling rules");
    for (uint32_t i = 0; i < trees->count; i++) {
        if (trees->nodes[i].kind == NODE_LEAF)
            leaf_atoms(build, &trees->nodes[i], use_count, uses);
    }
    for (uint32_t i = 0; i < trees->count; i++) {
        struct node *node = &trees->nodes[i];
        if (node->kind == NODE_LEAF) {
            struct cost cost = {.uses = uses};
            node->cost = leaf_atoms(build, node, cost_add, &cost) ? cost.sum : (double)INFINITY;
            continue;
        }
        double left = trees->nodes[node->left].cost, right = trees->nodes[node->right].cost;
        if (node->kind == NODE_OR)
            node->cost = left + right;
        else
            node->cost = left <= right ? left : right;
    }
    free(uses);
}

/* ---- triggers ---- */

struct collect {
    struct pairs *pairs;
    uint32_t rule, count;
    bool sure;
};

static void trigger_add(void *argument, uint32_t atom)
{
    struct collect *collect = argument;
    struct pairs *pairs = collect->pairs;
    PS_ARRAY_GROW(pairs->items, pairs->count, pairs->room, "compiling rules");
    pairs->items[pairs->count++] =
        (struct pair){atom, collect->rule << 2 | (collect->sure ? 0 : RULES_ENTRY_UNSURE)};
    collect->count++;
}

/* Collects the triggers of one rule, from the root down. */
static void rule_triggers(struct rules_build *build, struct trees *trees, uint32_t rule, struct pairs *pairs)
{
    struct ps_rules_set *set = build->set;
    uint32_t first = trees->first[rule], root = trees->first[rule + 1] - 1;
    size_t before = pairs->count;
    const struct node *top = &trees->nodes[root];
    bool sure = top->kind == NODE_LEAF && top->condition->kind == PS_CONDITION_TRUE && !top->negated;
    if (isinf(trees->nodes[root].cost)) {
        set->always[set->always_count++] = rule << 2 | (sure ? 0 : RULES_ENTRY_UNSURE);
        return;
    }
    trees->nodes[root].needed = trees->nodes[root].sure = true;
    for (uint32_t i = root + 1; i-- > first;) {
        struct node *node = &trees->nodes[i], *left = &trees->nodes[node->left],
                    *right = &trees->nodes[node->right];
        if (!node->needed)
            continue;
        if (node->kind == NODE_LEAF) {
            struct collect collect = {pairs, rule, 0, node->sure};
            leaf_atoms(build, node, trigger_add, &collect);
        } else if (node->kind == NODE_OR) {
            left->needed = right->needed = true;
            left->sure = right->sure = node->sure;
        } else {
            (left->cost <= right->cost ? left : right)->needed = true;
        }
    }
    if (pairs->count - before > 1) {
        for (size_t i = before; i < pairs->count; i++)
            pairs->items[i].entry |= RULES_ENTRY_REPEATED;
    }
}

static int pair_compare(const void *a_, const void *b_)
{
    const struct pair *a = a_, *b = b_;
    if (a->atom != b->atom)
        return a->atom < b->atom ? -1 : 1;
    return a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* Makes the lists of rules by atom. A rule that names an atom twice is in the atom's list once; that entry is
 * sure if one of the two is sure. */
static void lists_fill(struct ps_rules_set *set, struct pairs *pairs)
{
    if (pairs->count > 1)
        qsort(pairs->items, pairs->count, sizeof *pairs->items, pair_compare);
    set->atom_first = ps_arena_alloc(set->arena, ((size_t)set->atom_count + 1) * sizeof(uint32_t));
    set->entries = ps_arena_alloc(set->arena, (pairs->count + 1) * sizeof(uint32_t));
    uint32_t used = 0;
    size_t next = 0;
    for (uint32_t atom = 0; atom < set->atom_count; atom++) {
        set->atom_first[atom] = used;
        for (; next < pairs->count && pairs->items[next].atom == atom; next++) {
            uint32_t entry = pairs->items[next].entry;
            if (used > set->atom_first[atom] && set->entries[used - 1] >> 2 == entry >> 2)
                continue;
            set->entries[used++] = entry;
        }
    }
    set->atom_first[set->atom_count] = used;
    for (uint32_t i = 0; i < set->header_count; i++) {
        struct rules_header *header = &set->headers[i];
        for (uint32_t atom = header->atom_first; atom < header->atom_first + header->pattern_count; atom++)
            header->triggers |= set->atom_first[atom] < set->atom_first[atom + 1];
        for (uint32_t slot = 0; header->values.count > 0 && slot <= header->values.mask; slot++) {
            uint32_t atom = header->values.slots[slot].atom;
            header->triggers |= atom != RULES_NONE && set->atom_first[atom] < set->atom_first[atom + 1];
        }
        set->prelude |= header->triggers;
    }
    set->prelude |= set->always_count > 0;
    set->simple = set->single && !set->prelude;
    set->first_rules = ps_arena_alloc(set->arena, ((size_t)set->atom_count + 1) * sizeof(uint32_t));
    for (uint32_t atom = 0; atom < set->atom_count; atom++) {
        uint32_t first = set->atom_first[atom], end = set->atom_first[atom + 1];
        set->first_rules[atom] = first < end ? set->entries[first] >> 2 : RULES_NONE;
        set->simple &= first == end || (set->entries[first] & RULES_ENTRY_UNSURE) == 0;
    }
    set->plain = set->simple && set->body_pattern_count > 0;
    for (uint32_t i = 0; i < set->rule_count; i++)
        set->plain &= set->rule[i].plain;
}

/* ---- programs ---- */

static bool check_make(struct rules_build *build, const struct node *node, struct rules_check *check)
{
    const struct ps_rules_set *set = build->set;
    const struct ps_condition *condition = node->condition;
    *check = (struct rules_check){.condition = condition,
                                  .yes = node->negated ? node->no : node->yes,
                                  .no = node->negated ? node->yes : node->no};
    const char *header = condition->subject.header;
    switch (condition->kind) {
    case PS_CONDITION_MATCH:
        header = set->rules->patterns[condition->pattern].subject.header;
        check->kind = header == NULL ? RULES_CHECK_BODY_MATCH : RULES_CHECK_HEADER_MATCH;
        if (set->pattern[condition->pattern].always)
            check->kind = header == NULL ? RULES_CHECK_TRUE : RULES_CHECK_EXISTS;
        check->header = set->pattern[condition->pattern].header;
        check->pattern = set->pattern[condition->pattern].number;
        break;
    case PS_CONDITION_COMPARE:
        check->kind = RULES_CHECK_COMPARE;
        break;
    case PS_CONDITION_EXISTS:
        check->kind = header == NULL ? RULES_CHECK_TRUE : RULES_CHECK_EXISTS;
        break;
    case PS_CONDITION_SIZE:
        check->kind = RULES_CHECK_SIZE;
        header = NULL;
        break;
    default:
        check->kind = RULES_CHECK_TRUE;
        header = NULL;
    }
    if (header == NULL)
        return true;
    check->name = ps_rules_name(build, header, condition->place);
    return check->name != NULL;
}

/* Makes the program of one rule: assigns jump targets from the root down. Each leaf is the step of its number. */
static bool rule_program(struct rules_build *build, struct trees *trees, uint32_t rule)
{
    struct ps_rules_set *set = build->set;
    uint32_t first = trees->first[rule], root = trees->first[rule + 1] - 1;
    trees->nodes[root].yes = RULES_YES;
    trees->nodes[root].no = RULES_NO;
    set->rule[rule].program = trees->nodes[root].first_leaf;
    for (uint32_t i = root + 1; i-- > first;) {
        struct node *node = &trees->nodes[i];
        if (node->kind == NODE_LEAF) {
            if (!check_make(build, node, &set->program[node->first_leaf]))
                return false;
            continue;
        }
        struct node *left = &trees->nodes[node->left], *right = &trees->nodes[node->right];
        right->yes = node->yes;
        right->no = node->no;
        left->yes = node->kind == NODE_AND ? right->first_leaf : node->yes;
        left->no = node->kind == NODE_AND ? node->no : right->first_leaf;
    }
    return true;
}

static void trees_make(const struct ps_rules_set *set, struct trees *trees)
{
    trees->first = ps_must_alloc((size_t)set->rule_count + 1, sizeof *trees->first, "compiling rules");
    for (uint32_t rule = 0; rule < set->rule_count; rule++) {
        trees->first[rule] = trees->count;
        tree_add(trees, set->rules->rules[rule].when, false);
    }
    trees->first[set->rule_count] = trees->count;
}

bool ps_rules_conditions_compile(struct rules_build *build)
{
    struct ps_rules_set *set = build->set;
    struct trees trees = {.nodes = NULL};
    struct pairs pairs = {.items = NULL};
    trees_make(set, &trees);
    set->always = ps_arena_alloc(set->arena, ((size_t)set->rule_count + 1) * sizeof(uint32_t));
    set->program = ps_arena_alloc(set->arena, ((size_t)trees.leaf_count + 1) * sizeof *set->program);
    bool good = atoms_number(build, &trees);
    if (good)
        costs_fill(build, &trees);
    for (uint32_t rule = 0; good && rule < set->rule_count; rule++) {
        rule_triggers(build, &trees, rule, &pairs);
        good = rule_program(build, &trees, rule);
    }
    if (good)
        lists_fill(set, &pairs);
    free(pairs.items);
    free(trees.nodes);
    free(trees.first);
    return good;
}
