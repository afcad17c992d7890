/* The comparison of `plan --compare`: a result against an older one, figure by figure, each change with its 95 %
 * interval. Computed from the two documents.
 *
 * Thread: any; no state. */
#pragma once

#include "core/status.h"

#include <jansson.h>

enum ps_comparison_verdict {
    PS_COMPARED_NONE,    /* the interval of the change contains 0: no change beyond noise */
    PS_COMPARED_BETTER,  /* the whole interval is above 0 */
    PS_COMPARED_WORSE,   /* the whole interval is below 0 */
    PS_COMPARED_UNKNOWN, /* one of the figures, or its interval, is not known */
};
const char *ps_comparison_verdict_text(enum ps_comparison_verdict verdict);

/* A rate with its 95 % interval. */
struct ps_compared {
    double rate, low, high; /* events/s; high is INFINITY for "at least"; rate 0: unknown */
};

/* Computes the relative change from `before` to `now` and its 95 % interval: the errors of the two rates, in their
 * logarithms, are taken as independent and added as squares. `*change`, `*low` and `*high` are 0 when unknown; `*high`
 * can be INFINITY and `*low` -1. */
enum ps_comparison_verdict ps_compare_rates(const struct ps_compared *before, const struct ps_compared *now,
                                            double *change, double *low, double *high);

/* Puts "comparison" into `document`: the goals and the worker counts that both documents have, and how the conditions
 * of the two measurements differ. `path` names the old document. Returns the number of figures that are worse beyond
 * noise. */
unsigned ps_comparison_make(json_t *document, const json_t *old, const char *path);
