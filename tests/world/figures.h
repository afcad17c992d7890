/* How much the lives of all runs were worth. */
#pragma once

#include "tests/world/referee.h"

/* Counts the lives of a run. */
void figures_count(const struct run *run);
/* Prints how many there were, what the median one delivered, how many faults took effect in it, and how many lives an hour of CPU has. */
void figures_print(void);
