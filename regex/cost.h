/* How many states an expression comes to when its bounded repeats are spelt out: an estimate made by reading
 * it, before anything is compiled (cost.c). Thread: any; pure. */
#pragma once

#include "core/base.h"

/* Above that an expression is not given to Hyperscan, alone or in a set. */
#define PS_COST_STATES_RUINOUS UINT64_C(100000)
/* Above that `check` says what it costs. */
#define PS_COST_STATES_HIGH UINT64_C(5000)

/* Of a translated expression (ps_java_regex.hyperscan); saturates. */
uint64_t ps_cost_states(const char *text);

/* The repeat with the highest bound in an expression as the user wrote it. False: there is none. */
struct ps_cost_repeat {
    size_t at;     /* of its `{` */
    size_t length; /* up to and with its `}` */
    uint64_t bound;
};
bool ps_cost_largest_repeat(const char *text, struct ps_cost_repeat *repeat);
