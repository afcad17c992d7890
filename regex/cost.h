/* Estimates how many states an expression has when its bounded repeats are expanded. The estimate reads the
 * text and compiles nothing (cost.c). Thread: any; pure. */
#pragma once

#include "core/base.h"

/* Above this, `check` reports the cost: compiling takes about a tenth of a second. */
#define PS_COST_STATES_HIGH UINT64_C(2000)
/* Above this, compiling takes seconds and grows with the square, so the expression is loosened for
 * Hyperscan. */
#define PS_COST_STATES_LOOSENED UINT64_C(4000)
/* Above this, a caller that may refuse the expression should refuse it. */
#define PS_COST_STATES_RUINOUS UINT64_C(100000)

/* Counts the states of a translated expression (ps_java_regex.hyperscan). The result saturates. */
uint64_t ps_cost_states(const char *text);

/* Returns the translated expression as Hyperscan gets it. A small expression is returned unchanged. In other
 * expressions, large repeats are loosened ("{5,9000}" becomes "{5,}"), so the result matches everything the original
 * matches, and more. Returns NULL if loosening cannot make it small enough. Owns: the caller frees the result. */
char *ps_cost_loosen(const char *text);

/* Finds the repeat with the highest bound in an expression as the user wrote it. Returns false if there is
 * none. */
struct ps_cost_repeat {
    size_t at;     /* offset of its `{` */
    size_t length; /* up to and including its `}` */
    uint64_t bound;
};
bool ps_cost_largest_repeat(const char *text, struct ps_cost_repeat *repeat);
