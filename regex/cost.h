/* How many states an expression comes to when its bounded repeats are spelt out: an estimate made by reading
 * it, before anything is compiled (cost.c). Thread: any; pure. */
#pragma once

#include "core/base.h"

/* Above that `check` says what it costs: compiling takes about a tenth of a second. */
#define PS_COST_STATES_HIGH UINT64_C(2000)
/* Above that it would take seconds, growing with the square: the expression is loosened for Hyperscan. */
#define PS_COST_STATES_LOOSENED UINT64_C(4000)
/* Above that whoever may refuse it should. */
#define PS_COST_STATES_RUINOUS UINT64_C(100000)

/* Of a translated expression (ps_java_regex.hyperscan); saturates. */
uint64_t ps_cost_states(const char *text);

/* The translated expression as Hyperscan gets it: itself when it is small enough; else with large repeats
 * loosened ("{5,9000}" is "{5,}"), so that it matches what it did and more. NULL: there is no help.
 * malloc'ed. */
char *ps_cost_loosen(const char *text);

/* The repeat with the highest bound in an expression as the user wrote it. False: there is none. */
struct ps_cost_repeat {
    size_t at;     /* of its `{` */
    size_t length; /* up to and with its `}` */
    uint64_t bound;
};
bool ps_cost_largest_repeat(const char *text, struct ps_cost_repeat *repeat);
