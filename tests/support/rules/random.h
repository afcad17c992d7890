/* Random rules files: every kind of condition and action, with few words, so that they match. */
#pragma once

#include "core/base.h"
#include "tests/support/support.h"

#define PS_TEST_RANDOM_RULES_MAX 24

struct ps_test_text {
    char bytes[32768];
    size_t length;
};

/* Writes a file that parses; channels are c1 to c4. `routes`: for a selector. `plain`: rules only route,
 * by the body, and the first rule that matches acts. `random`: as ps_test_random. Thread: one at a time. */
void ps_test_rules_random(struct ps_test_text *text, bool routes, bool plain, uint64_t *random);
