/* Makes a bad seed small: leaves out, one after the other, everything without which it is bad in the same way, and prints what remains. */
#pragma once

#include "tests/world/shared.h"

/* Takes the first bad seed of a range. Returns false if there is none. Thread: the runner's. */
bool shrink_first_bad(uint64_t from, uint64_t runs, const char *only, enum world_plant plant);
