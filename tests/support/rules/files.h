/* Rules files in the test's folder (tests/support/folder.h), changed in the usual ways, and the metrics of
 * a stage `rules`. One thread. */
#pragma once

#include "tests/support/stage.h"

/* Writes the file in place: truncates, writes, closes. Returns its path. */
const char *ps_test_rules_write(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes a new file and renames it over the old one. Returns its path. */
const char *ps_test_rules_replace(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A rule that puts its number into the header `generation` of every event. */
#define PS_TEST_RULES_GENERATION "rule all { when true set header.generation = \"%u\" }\n"

/* Returns a metric of a built stage (`label` NULL: with any label), -1 if there is none. */
double ps_test_series(const struct ps_test_stage *stage, const char *name, const char *label);
/* Waits until the metric has this value; fails the test after PS_TEST_PATIENCE_MS. */
void ps_test_series_wait(const struct ps_test_stage *stage, const char *name, double value);
