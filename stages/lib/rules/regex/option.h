/* A configuration key that holds a Java regular expression: all stages use these functions to check and
 * describe it. Thread: control. */
#pragma once

#include "core/stage.h"
#include "regex/regex.h"

/* The way in which a stage runs its expression, for `describe` and the cost check. */
enum ps_regex_run {
    PS_REGEX_RUN_BITS, /* the chain's pass finds the events that match */
    /* the chain's pass finds the events that may match, then PCRE2 runs on these events */
    PS_REGEX_RUN_GROUPS,
    PS_REGEX_RUN_PCRE2, /* PCRE2 alone */
};

/* Reports an expression that does not compile (ERROR, with the position and the reason; PS_FAIL), one that is
 * empty (as Flume's components do), and one that is dear (WARN). */
enum ps_status ps_regex_option_check(const struct ps_context *context, const char *key, const char *pattern,
                                     enum ps_regex_how how, enum ps_regex_run run);

/* Prints "interceptor i1 of source r1: regex "status=(200|404)": Hyperscan". */
void ps_regex_option_describe(const struct ps_context *context, const char *key, const char *pattern,
                              enum ps_regex_how how, enum ps_regex_run run,
                              void (*line)(void *argument, const char *text), void *argument);
