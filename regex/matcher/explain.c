/* Determines the cost and the engine of an expression, for `check` and `rules`. Compiles the one expression in
 * this thread, unless the estimate is too high. Thread: control. */
#include "regex/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/matcher/internal.h"
#include "core/quantity.h"

/* For the database of one expression; a larger one evicts others from the CPU caches. */
#define DATABASE_BYTES_HIGH (UINT64_C(512) << 10)

/* Compiles one expression alone. Returns LEFT_OUT when Hyperscan cannot run it. */
static enum ps_hyperscan_outcome build_one(const struct ps_java_regex *java, struct ps_matcher_cost *cost)
{
    struct ps_hyperscan_expression expression = ps_matcher_expression_of(java);
    struct ps_hyperscan_built built;
    uint32_t failed;
    enum ps_hyperscan_outcome outcome = PS_HYPERSCAN_LEFT_OUT;
    uint64_t start = ps_regex_mono_ns();
    if (ps_hyperscan_build(&expression, 1, &built, &failed, NULL) == PS_OK) {
        outcome = (enum ps_hyperscan_outcome)built.outcomes[0];
        cost->database_bytes = built.length;
        ps_hyperscan_built_fini(&built);
    }
    cost->compile_ns = ps_regex_mono_ns() - start;
    return outcome;
}

static void engine_explain(const struct ps_java_regex *java, enum ps_hyperscan_outcome outcome,
                           struct ps_matcher_cost *cost)
{
    char *words = cost->engine_words;
    size_t room = sizeof cost->engine_words;
    bool confirms = java->exactness == PS_REGEX_CONFIRM;
    if (outcome == PS_HYPERSCAN_LEFT_OUT) {
        cost->engine = PS_ENGINE_PCRE2;
        snprintf(words, room, "PCRE2 alone, on every text: %s",
                 java->exactness == PS_REGEX_NONE ? java->why : "it is too large for Hyperscan");
    } else if (confirms || outcome == PS_HYPERSCAN_PREFILTERED) {
        cost->engine = PS_ENGINE_PREFILTER;
        snprintf(words, room, "Hyperscan's prefilter, confirmed by PCRE2: %s",
                 confirms ? java->why : PS_REGEX_TOO_LARGE);
    } else {
        cost->engine = PS_ENGINE_HYPERSCAN;
        snprintf(words, room, "Hyperscan%s",
                 java->exactness == PS_REGEX_PLAIN || java->anchored || java->repair
                     ? ", confirmed by PCRE2 where the text is not plain ASCII"
                     : "");
    }
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

static void states_explain(const struct ps_java_regex *java, struct ps_matcher_cost *cost)
{
    const char *repeat = java->largest_repeat;
    char number[32];
    bool too_many = cost->states == UINT64_MAX;
    grouped(cost->states, number);
    if (repeat[0] != '\0')
        snprintf(cost->why, sizeof cost->why, "the repeat %s makes %s states", repeat,
                 too_many ? "too many" : number);
    else
        snprintf(cost->why, sizeof cost->why, "it has %s states", too_many ? "too many" : number);
}

void ps_matcher_cost_of(const struct ps_regex *regex, struct ps_matcher_cost *cost)
{
    const struct ps_java_regex *java = ps_regex_java(regex);
    enum ps_hyperscan_outcome outcome = PS_HYPERSCAN_LEFT_OUT;
    *cost = (struct ps_matcher_cost){.grade = PS_COST_FINE, .states = java->states};
    if (java->exactness == PS_REGEX_ALWAYS) {
        snprintf(cost->engine_words, sizeof cost->engine_words, "no engine: it matches every text");
        return;
    }
    bool ruinous = cost->states > PS_REGEX_STATES_RUINOUS;
    if (java->exactness != PS_REGEX_NONE)
        outcome = ruinous ? PS_HYPERSCAN_AS_ASKED : build_one(java, cost);
    engine_explain(java, outcome, cost);
    cost->grade = ruinous ? PS_COST_RUINOUS : PS_COST_HIGH;
    if (ruinous) {
        states_explain(java, cost);
    } else if (java->exactness == PS_REGEX_NONE) {
        snprintf(cost->why, sizeof cost->why, "PCRE2 runs it on every text: %.150s", java->why);
    } else if (outcome == PS_HYPERSCAN_LEFT_OUT) {
        snprintf(cost->why, sizeof cost->why, "it is too large for Hyperscan: PCRE2 runs it on every text");
    } else if (cost->states > PS_REGEX_STATES_HIGH) {
        states_explain(java, cost);
    } else if (cost->database_bytes > DATABASE_BYTES_HIGH) {
        snprintf(cost->why, sizeof cost->why, "its database alone takes %s",
                 ps_quantity_print_bytes(cost->database_bytes).text);
    } else if (java->length_min == 0) {
        snprintf(cost->why, sizeof cost->why, "it may match empty text, so each text must be checked");
    } else {
        cost->grade = PS_COST_FINE;
    }
}
