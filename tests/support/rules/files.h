/* Rules files in the test's folder (tests/support/folder.h), changed in the ways people change files, and
 * what a stage `rules` says about itself. One thread. */
#pragma once

#include "tests/support/stage.h"

/* In place: truncated, written, closed. The path. */
const char *ps_test_rules_write(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Written beside it and renamed over it. */
const char *ps_test_rules_replace(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A rule that puts its number into the header `generation` of every event. */
#define PS_TEST_RULES_GENERATION "rule all { when true set header.generation = \"%u\" }\n"

/* A number of a built stage; `label` NULL: whatever its label is. -1: there is none. */
double ps_test_series(const struct ps_test_stage *stage, const char *name, const char *label);
/* Waits until it has this value; fails the test after 30 s. */
void ps_test_series_wait(const struct ps_test_stage *stage, const char *name, double value);
