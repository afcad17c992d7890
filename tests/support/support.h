/* What tests share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The seed of a property test: PENSTOCK_SEED if set, else from the clock. Printed, so that a failure can be
 * replayed. */
uint64_t ps_test_seed(void);

/* xorshift64*: the next number of the generator in `*state` (never 0). */
uint64_t ps_test_random(uint64_t *state);
