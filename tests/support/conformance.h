/* Shared by the conformance suites (tests/stages/conformance_*_test.c). */
#pragma once

#include "tests/support/stage.h"

/* Takes every block of the depot into `hoard`, and the free rest of the lease's batch, so that the stage finds no
 * memory. Returns the number of blocks in `taken`. */
unsigned ps_test_stage_hoard(struct ps_test_stage *stage, struct ps_block_cache *hoard,
                             struct ps_block **taken, struct ps_lease *lease);

/* Returns how many entries /proc/self/fd has, for comparisons before and after. */
unsigned ps_test_open_fds(void);

/* Prints what is open, for a check that failed. */
void ps_test_print_fds(void);
