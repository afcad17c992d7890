/* Parses and prints goals. Set-up only; thread: any. */
#pragma once

#include "bench/plan/search/search.h"
#include "core/status.h"

/* Parses ndr, pdr=SHARE or pNN<DURATION (p50, p99, p99.9, p99.99; these also require that nothing is lost).
 * The error names the mistake and what is allowed; `what` is the option's name in the error. */
enum ps_status ps_goal_parse(struct ps_goal *goal, const char *what, const char *text, struct ps_err *err);
/* Returns whether two goals ask the same, even if they are written differently. */
bool ps_goal_equal(const struct ps_goal *one, const struct ps_goal *other);
/* Prints a goal: "loss 0", "loss <= 0.1 %", "p99 < 20.0 ms, loss 0". Returns `text`. */
const char *ps_goal_text(const struct ps_goal *goal, char *text, size_t room);
