/* What a plan says to people. Thread: the main one. */
#pragma once

#include "bench/plan/planning.h"
#include "bench/support/live.h"

/* A line for the trial that was run last. */
void ps_planning_print_trial(struct ps_live *live, const struct ps_planning *planning);
/* Everything, at the end. */
void ps_planning_print(struct ps_live *live, const struct ps_planning *planning);
