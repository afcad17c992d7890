/* Shared by distribution.c, which makes tables, and distribution_parse.c, which reads their parameters. */
#pragma once

#include "bench/load/content/distribution.h"

#define PS_ZIPF_RANKS_MAX (UINT64_C(1) << 48)
#define PS_ZIPF_S_MAX 10.0
/* The ziggurat does not draw a value so far from the mean (the chance is below 1e-18); limits the text of a
 * normal field. */
#define PS_NORMAL_REACH 9.0 /* standard deviations */
/* Largest whole number used; a double holds it exactly. */
#define PS_NUMBER_MAX 9e15

void ps_zipf_make(struct ps_distribution *distribution, struct ps_arena *arena, uint64_t ranks, double s);
const struct ps_ziggurat *ps_ziggurat_make(struct ps_arena *arena);
