/* Includes that every cmocka test needs, and a seeded random generator. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The time that a test waits, by ps_test_patient_ns(), for an event that comes immediately on an idle
 * machine. Only a failing test waits that long. */
#define PS_TEST_PATIENCE_MS 60000U

/* Returns a clock for waits with a time-out: it counts the time in which the machine was idle, and an eighth of the rest. As
 * long as a CPU computes or waits for the disk, for this test or for a neighbour that keeps it from its turn, the clock is
 * slow: a wait of PS_TEST_PATIENCE_MS then lasts up to eight minutes, less than the time limits of ctest.
 * tests/support/patience.sh is the same for scripts. */
uint64_t ps_test_patient_ns(void);

/* Returns the time by ps_test_patient_ns() at which a wait that begins now has lasted PS_TEST_PATIENCE_MS. */
uint64_t ps_test_patience_end_ns(void);

/* Returns the clock for a wait of this length: ps_test_patient_ns() from ten seconds on, because such a wait is for
 * an event that must come; else the real clock, because a short wait is for an event that must not come. */
uint64_t ps_test_wait_ns(unsigned patience_ms);

/* Lets other threads run, in a loop that waits for one of them. Where neighbours want all CPUs, sched_yield returns after milliseconds, and a
 * short sleep does not: then the next calls sleep. */
void ps_test_yield(void);

/* Returns a copy of the bytes in a block that ends with their last byte, so that AddressSanitizer detects each read
 * past them. Never NULL. The caller frees it. */
void *ps_test_exact_copy(const void *bytes, size_t length);

/* Ends the calling test as skipped, for this reason (a text). ./test.sh counts the line and prints it at the end of a run, as it does for a
 * test whose whole program was skipped. Use it in place of cmocka's skip(), which gives no reason. */
#define ps_test_skip(reason)                                                                                 \
    do {                                                                                                     \
        print_message("SKIP PART: %s: %s\n", __func__, reason);                                              \
        skip();                                                                                              \
    } while (0)

/* Returns the seed of a property test: PENSTOCK_SEED if it is set; else one from PENSTOCK_SEED_BASE, which ./test.sh
 * takes from tests/seeds.txt, so that each run has the same cases; else one from the clock. Prints it, so that a
 * failure can be replayed. */
uint64_t ps_test_seed(void);

/* Returns the next number of the xorshift64* generator in *state, which must not be 0. */
uint64_t ps_test_random(uint64_t *state);
