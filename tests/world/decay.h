/* Decay: between two lives the disk forgets or changes a part of what a channel has on it. */
#pragma once

#include <stdbool.h>

/* Draws a file of a log on disk, and what becomes of it: some bits, a sector, its end or all of it. Returns whether there was one. */
bool decay_strike(void);
