/* Shared by the conformance suites (tests/stages/conformance_*_test.c). */
#pragma once

#include "tests/support/stage.h"

/* Takes every block of the depot into `hoard`, and the free rest of the lease's batch, so that the stage finds no
 * memory. Returns the number of blocks in `taken`. */
unsigned ps_test_stage_hoard(struct ps_test_stage *stage, struct ps_block_cache *hoard,
                             struct ps_block **taken, struct ps_lease *lease);

/* Returns how many entries /proc/self/fd has, for comparisons before and after. */
unsigned ps_test_open_fds(void);

/* Returns the sum of the gauges that count what is open or under way; limits and times are not among them. */
uint64_t ps_test_stage_gauges(const struct ps_test_stage *stage);
/* Closes the stage. Fails the test if a gauge counts something afterwards, but not for a plug-in, whose gauges may be limits. */
void ps_test_stage_close_all(struct ps_test_stage *stage);

/* Prints why a suite does not ask the stage: "FILE: REASON". Fails the test if there is no such file, whose test asks it. */
void ps_test_asked_elsewhere(const struct ps_stage_ops *ops, const char *text);

/* Prints what is open, for a check that failed. */
void ps_test_print_fds(void);

/* In a value of a channel's keys: stands for the test's folder and a slash. Nobody types the one for plug-ins, whose keys are
 * a user's. */
#ifdef PS_TEST_PLUGIN
#define PS_TEST_PLACE '\1'
#else
#define PS_TEST_PLACE '@'
#endif

/* Copies the keys with that replaced; both lists end with NULL. */
void ps_test_place_keys(struct ps_test_stage *stage, const char *const *keys, const char **copies);
