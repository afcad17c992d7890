/* How sure a search can be: Bayes' rule over the trials.
 *
 * The model: a trial at rate r is held with probability e/2 + (1 - e) / (1 + (r / T)^(1/w)). T is the rate
 * that is held every other time; w is how gradual the change is (0.25, 1, 2.5 or 6 % of the rate); e is how
 * often a trial says nothing about the subject (2 or 12 %). Before the trials T is anywhere from 25 % below
 * the lower end to 25 % above the upper end, with equal chance in its logarithm, and every w and e equally
 * likely. A trial shorter than full length counts for its share of it, and only when it was not held: a queue
 * may have taken what was too much. What comes out is the chance that T
 * lies between the two ends, and the interval that holds it with 95 %.
 *
 * What it cannot know: trials that err together (a machine that is busy for the whole minute).
 *
 * Thread: any; pure. */
#pragma once

#include "core/base.h"

/* The trials at one rate: how many, in full lengths, were held and were not. */
struct ps_belief_point {
    double rate, held, missed;
};

struct ps_belief {
    double confidence; /* that T is between lower and upper */
    double median, low95, high95;
};

/* 0 < lower < upper. */
struct ps_belief ps_belief_of(const struct ps_belief_point *points, unsigned count, double lower,
                              double upper);
