/* Prints a plan for people. Thread: the main one. */
#pragma once

#include "bench/plan/planning.h"
#include "bench/support/live.h"

/* Prints one line for the last trial. */
void ps_planning_print_trial(struct ps_live *live, const struct ps_planning *planning);
/* Prints the complete result. Its document may come from outside, so nothing in it is trusted. */
void ps_planning_print(struct ps_live *live, const json_t *document);
/* Prints the requirements and the comparison of a result document; nothing when it has none. */
void ps_planning_print_verdicts(struct ps_live *live, const json_t *document);
