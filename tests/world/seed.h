/* A run: a drawn agent, its peers, some lives, and a verdict. All of it follows from the seed, and from what plan.h leaves out. */
#pragma once

#include "tests/world/referee.h"

/* Makes the world new and plays the seed's run. Returns it; NULL: its agent's line does not have this text. Thread: the runner's. */
struct run *seed_play(uint64_t seed, const char *only, enum world_plant plant, bool traces);
/* Prints what happened, on a line. */
void seed_print(uint64_t seed, const struct run *run);
