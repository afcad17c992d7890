/* Determines the cost and the engine of an expression, for `check` and `rules`. Compiles the one expression in
 * this thread, unless the estimate is too high. Thread: control. */
#include "regex/budget.h"
#include "regex/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/matcher/internal.h"
#include "core/quantity.h"

/* For the database of one expression; a larger one evicts others from the CPU caches. */
#define DATABASE_BYTES_HIGH (UINT64_C(512) << 10)

/* Compiles one expression alone. Returns LEFT_OUT when Hyperscan cannot run it. */
static enum ps_hyperscan_outcome build_one(const struct ps_java_regex *java, uint64_t *bytes)
{
    struct ps_hyperscan_expression expression;
    struct ps_hyperscan_built built;
    uint32_t failed;
    enum ps_hyperscan_outcome outcome = PS_HYPERSCAN_LEFT_OUT;
    *bytes = 0;
    if (!ps_matcher_expression_of(java, &expression))
        return PS_HYPERSCAN_LEFT_OUT;
    if (ps_hyperscan_build(&expression, 1, &built, &failed, NULL) == PS_OK) {
        outcome = (enum ps_hyperscan_outcome)built.outcomes[0];
        *bytes = built.length;
        ps_hyperscan_built_fini(&built);
    }
    bool filter = (expression.flags & PS_HYPERSCAN_PREFILTER) != 0;
    free((char *)(uintptr_t)expression.text);
    return outcome == PS_HYPERSCAN_AS_ASKED && filter ? PS_HYPERSCAN_PREFILTERED : outcome;
}

enum ps_matcher_engine ps_matcher_explain(const struct ps_regex *regex, char *why, size_t room)
{
    const struct ps_java_regex *java = ps_regex_java(regex);
    uint64_t bytes;
    if (java->exactness == PS_REGEX_ALWAYS) {
        snprintf(why, room, "no engine: it matches every text");
        return PS_ENGINE_NONE;
    }
    if (java->exactness == PS_REGEX_NONE || java->hyperscan == NULL) {
        snprintf(why, room, "PCRE2 alone, on every text: %s",
                 java->why[0] == '\0' ? "Hyperscan cannot run it" : java->why);
        return PS_ENGINE_PCRE2;
    }
    enum ps_hyperscan_outcome outcome = build_one(java, &bytes);
    if (outcome == PS_HYPERSCAN_LEFT_OUT) {
        snprintf(why, room, "PCRE2 alone, on every text: it is too large for Hyperscan");
        return PS_ENGINE_PCRE2;
    }
    if (outcome == PS_HYPERSCAN_PREFILTERED) {
        const char *because = java->prefilter ? java->why : "it is too large for Hyperscan to match exactly";
        snprintf(why, room, "Hyperscan's prefilter, confirmed by PCRE2: %s", because);
        return PS_ENGINE_PREFILTER;
    }
    if (java->exactness == PS_REGEX_CONFIRM)
        snprintf(why, room, "Hyperscan, confirmed by PCRE2%s%s", java->why[0] == '\0' ? "" : ": ", java->why);
    else if (java->exactness == PS_REGEX_PLAIN || java->anchored || java->repair)
        snprintf(why, room, "Hyperscan, confirmed by PCRE2 where the text is not plain ASCII");
    else
        snprintf(why, room, "Hyperscan");
    return PS_ENGINE_HYPERSCAN;
}

/* Formats a number as 1,234,567. */
static const char *grouped(uint64_t number, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

static void states_explain(const struct ps_regex *regex, struct ps_matcher_cost *cost)
{
    struct ps_cost_repeat repeat;
    char number[32];
    bool too_many = cost->states == UINT64_MAX;
    const char *text = ps_regex_text(regex);
    grouped(cost->states, number);
    if (ps_cost_largest_repeat(text, &repeat) && repeat.bound > 1 && repeat.length <= 40)
        snprintf(cost->why, sizeof cost->why, "the repeat %.*s at %zu makes %s states", (int)repeat.length,
                 text + repeat.at, repeat.at, too_many ? "too many" : number);
    else
        snprintf(cost->why, sizeof cost->why, "it has %s states", too_many ? "too many" : number);
}

void ps_matcher_cost_of(const struct ps_regex *regex, struct ps_matcher_cost *cost)
{
    const struct ps_java_regex *java = ps_regex_java(regex);
    *cost = (struct ps_matcher_cost){.grade = PS_COST_FINE};
    if (java->exactness == PS_REGEX_ALWAYS)
        return;
    if (java->exactness == PS_REGEX_NONE || java->hyperscan == NULL) {
        cost->grade = PS_COST_HIGH;
        snprintf(cost->why, sizeof cost->why, "PCRE2 runs it on every text: %.150s", java->why);
        return;
    }
    cost->states = ps_cost_states(java->hyperscan);
    if (cost->states > PS_COST_STATES_RUINOUS) {
        cost->grade = PS_COST_RUINOUS;
        states_explain(regex, cost);
        return;
    }
    uint64_t start = ps_regex_mono_ns();
    enum ps_hyperscan_outcome outcome = build_one(java, &cost->database_bytes);
    cost->compile_ns = ps_regex_mono_ns() - start;
    if (outcome == PS_HYPERSCAN_LEFT_OUT) {
        cost->grade = PS_COST_HIGH;
        snprintf(cost->why, sizeof cost->why, "it is too large for Hyperscan: PCRE2 runs it on every text");
    } else if (cost->states > PS_COST_STATES_HIGH) {
        cost->grade = PS_COST_HIGH;
        states_explain(regex, cost);
    } else if (cost->database_bytes > DATABASE_BYTES_HIGH) {
        cost->grade = PS_COST_HIGH;
        snprintf(cost->why, sizeof cost->why, "its database alone takes %s",
                 ps_quantity_print_bytes(cost->database_bytes).text);
    } else if (java->length_min == 0) {
        cost->grade = PS_COST_HIGH;
        snprintf(cost->why, sizeof cost->why, "it may match empty text, so each text must be checked");
    }
}
