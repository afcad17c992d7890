/* The arena of one test or of a group of tests: created empty, destroyed with what it holds. One at a time.
 * Thread: the test's. */
#pragma once

#include "core/arena.h"

/* cmocka setup and teardown functions, for a test or a group. */
int ps_test_arena_setup(void **state);
int ps_test_arena_teardown(void **state);

/* Returns the arena. The teardown function destroys it. */
struct ps_arena *ps_test_arena(void);
