/* Between distribution.c, which makes tables, and distribution_parse.c, which reads what they are made of. */
#pragma once

#include "bench/load/distribution.h"

#define PS_ZIPF_RANKS_MAX (UINT64_C(1) << 48)
#define PS_ZIPF_S_MAX 10.0
/* No draw of the ziggurat comes so far (its chance is below 1e-18); it bounds the text of a normal field. */
#define PS_NORMAL_REACH 9.0 /* standard deviations */
/* Whole numbers that a double holds exactly. */
#define PS_NUMBER_MAX 9e15

void ps_zipf_make(struct ps_distribution *distribution, struct ps_arena *arena, uint64_t ranks, double s);
const struct ps_ziggurat *ps_ziggurat_make(struct ps_arena *arena);
