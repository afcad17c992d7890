/* See option.h. */
#include "stages/lib/rules/regex/option.h"

#include <stdio.h>

#include "regex/matcher/matcher.h"
#include "stages/lib/rules/regex/chain.h"

enum ps_status ps_regex_option_check(const struct ps_context *context, const char *key, const char *pattern,
                                     enum ps_regex_how how, enum ps_regex_run run)
{
    if (pattern[0] == '\0') {
        ps_report(context, PS_LOG_ERROR, key, "is empty: write a regular expression");
        return PS_FAIL;
    }
    struct ps_err err = {.length = 0};
    struct ps_regex *regex = ps_regex_create(pattern, 0, how, &err);
    if (regex == NULL) {
        ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
        return PS_FAIL;
    }
    struct ps_matcher_cost cost = {.grade = PS_COST_FINE};
    struct ps_regex *fragment = run != PS_REGEX_RUN_PCRE2 ? ps_regex_fragment_of(regex) : NULL;
    if (run != PS_REGEX_RUN_PCRE2)
        ps_matcher_cost_of(fragment != NULL ? fragment : regex, &cost);
    ps_regex_destroy(fragment);
    if (cost.grade == PS_COST_HIGH)
        ps_report(context, PS_LOG_WARN, key, "is dear: %s", cost.why);
    else if (cost.grade == PS_COST_RUINOUS)
        ps_report(context, PS_LOG_WARN, key,
                  "is too expensive for Hyperscan: %s; PCRE2 alone will match every event, which is slow",
                  cost.why);
    ps_regex_destroy(regex);
    return PS_OK;
}

/* Prints which engine decides which texts match, and why. */
static void engine_words(const struct ps_regex *regex, enum ps_regex_run run, char *words, size_t room)
{
    struct ps_matcher_cost cost;
    if (run == PS_REGEX_RUN_PCRE2) {
        snprintf(words, room, "PCRE2");
        return;
    }
    struct ps_regex *fragment = ps_regex_fragment_of(regex);
    ps_matcher_cost_of(fragment != NULL ? fragment : regex, &cost);
    bool ruinous = cost.grade == PS_COST_RUINOUS; /* the chain leaves it to PCRE2 */
    const char *alone = ruinous ? "PCRE2 alone: " : "", *engine = ruinous ? cost.why : cost.engine_words;
    if (fragment != NULL)
        snprintf(words, room, "PCRE2, on events that contain \"%.100s\": %s%s", ps_regex_text(fragment),
                 alone, engine);
    else
        snprintf(words, room, "%s%s%s", alone, engine,
                 run == PS_REGEX_RUN_GROUPS ? "; PCRE2 finds the groups in events that match" : "");
    ps_regex_destroy(fragment);
}

void ps_regex_option_describe(const struct ps_context *context, const char *key, const char *pattern,
                              enum ps_regex_how how, enum ps_regex_run run,
                              void (*line)(void *argument, const char *text), void *argument)
{
    struct ps_regex *regex = ps_regex_create(pattern, 0, how, NULL);
    if (regex == NULL) /* `check` has reported it */
        return;
    char words[640], text[1024];
    engine_words(regex, run, words, sizeof words);
    snprintf(text, sizeof text, "%s: %s \"%.200s\": %s", context->component, key, pattern, words);
    line(argument, text);
    ps_regex_destroy(regex);
}
