/* Decides which patterns of a set go to Hyperscan, and the meaning of its reports on them. Called while a matcher
 * is created. */
#include "regex/matcher/internal.h"

#include <stdlib.h>
#include <string.h>

#include "regex/bytes.h"

static void *zeroed(size_t count, size_t size)
{
    return ps_must_alloc(count + 1, size, "a matcher");
}

struct ps_hyperscan_expression ps_matcher_expression_of(const struct ps_java_regex *java)
{
    return (struct ps_hyperscan_expression){
        .text = java->hyperscan,
        .flags = (java->exactness == PS_REGEX_CONFIRM ? PS_HYPERSCAN_PREFILTER : 0U) |
                 (java->length_min == 0 ? PS_HYPERSCAN_ALLOW_EMPTY : 0U),
        .states = (uint32_t)java->states_loosened,
    };
}

/* Returns the number of an equal expression, or adds this one. Open addressing; slots hold the number + 1. */
static uint32_t intern(struct ps_matcher_plan *plan, uint32_t *slots, uint32_t mask,
                       struct ps_hyperscan_expression expression)
{
    uint32_t at =
        (uint32_t)(ps_bytes_hash(expression.text, strlen(expression.text)) + expression.flags) & mask;
    for (; slots[at] != 0; at = (at + 1) & mask) {
        const struct ps_hyperscan_expression *other = &plan->expressions[slots[at] - 1];
        if (other->flags == expression.flags && strcmp(other->text, expression.text) == 0)
            return slots[at] - 1;
    }
    plan->expressions[plan->count] = expression;
    slots[at] = ++plan->count;
    return plan->count - 1;
}

void ps_matcher_plan_init(struct ps_matcher_plan *plan, const struct ps_regex *const *patterns,
                          uint32_t count)
{
    uint32_t size = 16;
    while (size < 2 * (uint64_t)count)
        size *= 2;
    uint32_t *slots = zeroed(size, sizeof *slots);
    *plan = (struct ps_matcher_plan){.expressions = zeroed(count, sizeof *plan->expressions),
                                     .expression_of = zeroed(count, sizeof *plan->expression_of)};
    for (uint32_t i = 0; i < count; i++) {
        const struct ps_java_regex *java = ps_regex_java(patterns[i]);
        plan->expression_of[i] = java->hyperscan == NULL
                                     ? UINT32_MAX
                                     : intern(plan, slots, size - 1, ps_matcher_expression_of(java));
    }
    free(slots);
}

void ps_matcher_plan_fini(struct ps_matcher_plan *plan)
{
    free(plan->expressions);
    free(plan->expression_of);
    *plan = (struct ps_matcher_plan){0};
}

static bool in_database(const struct ps_matcher_plan *plan, const uint8_t *outcomes, uint32_t pattern)
{
    uint32_t expression = plan->expression_of[pattern];
    return expression != UINT32_MAX && outcomes[expression] != PS_HYPERSCAN_LEFT_OUT;
}

static void members_fill(struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                         const uint8_t *outcomes)
{
    uint32_t *start = matcher->member_start = zeroed(plan->count + 1, sizeof *start);
    matcher->members = zeroed(matcher->count, sizeof *matcher->members);
    matcher->expression_count = plan->count;
    for (uint32_t i = 0; i < matcher->count; i++) {
        if (in_database(plan, outcomes, i))
            start[plan->expression_of[i] + 1]++;
    }
    for (uint32_t i = 0; i < plan->count; i++)
        start[i + 1] += start[i];
    uint32_t *next = zeroed(plan->count, sizeof *next);
    memcpy(next, start, plan->count * sizeof *next);
    for (uint32_t i = 0; i < matcher->count; i++) {
        if (in_database(plan, outcomes, i))
            matcher->members[next[plan->expression_of[i]]++] = i;
    }
    free(next);
}

static void border_choose(struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                          const uint8_t *outcomes)
{
    bool crosses = false, anchored = false;
    for (uint32_t i = 0; i < matcher->count; i++) {
        if (!in_database(plan, outcomes, i))
            continue;
        const struct ps_java_regex *java = ps_regex_java(matcher->patterns[i]);
        crosses |= java->crosses_newline;
        anchored |= java->anchored;
        matcher->replaces_ff |= java->repair;
    }
    matcher->border = !crosses ? PS_BORDER_NEWLINE : !anchored ? PS_BORDER_FF : PS_BORDER_BOTH;
}

static enum ps_matcher_worth worth_of(const struct ps_matcher *matcher, const struct ps_java_regex *java,
                                      uint8_t outcome)
{
    if (java->exactness == PS_REGEX_CONFIRM || outcome == PS_HYPERSCAN_PREFILTERED)
        return PS_WORTH_ASKED;
    if (matcher->border == PS_BORDER_BOTH && java->crosses_newline && java->begins_newline)
        return PS_WORTH_ASKED; /* the newline may be one that the matcher added */
    /* ^ and $ also match at newlines within a subject, and a character beyond ASCII is several bytes, which may be
     * taken for several characters. A plain subject has neither newlines nor characters beyond ASCII. */
    bool taken = java->exactness == PS_REGEX_EXACT && !java->anchored && !java->repair;
    return taken ? PS_WORTH_TAKEN : PS_WORTH_PLAIN;
}

void ps_matcher_settle(struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                       const uint8_t *outcomes)
{
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    members_fill(matcher, plan, outcomes);
    border_choose(matcher, plan, outcomes);
    matcher->worth = zeroed(matcher->count, 1);
    matcher->always = zeroed(matcher->count, sizeof *matcher->always);
    matcher->pcre2 = zeroed(matcher->count, sizeof *matcher->pcre2);
    matcher->empty = zeroed(matcher->count, sizeof *matcher->empty);
    for (uint32_t i = 0; i < matcher->count; i++) {
        const struct ps_regex *regex = matcher->patterns[i];
        const struct ps_java_regex *java = ps_regex_java(regex);
        if (java->exactness == PS_REGEX_ALWAYS) {
            matcher->always[matcher->always_count++] = i;
            continue;
        }
        if (in_database(plan, outcomes, i))
            matcher->worth[i] = (uint8_t)worth_of(matcher, java, outcomes[plan->expression_of[i]]);
        else
            matcher->pcre2[matcher->pcre2_count++] = i;
        if (ps_regex_find(regex, scratch, "", 0, 0, NULL, 0))
            matcher->empty[matcher->empty_count++] = i;
    }
    ps_regex_scratch_destroy(scratch);
}
