/* The certainty of a search's result, by Bayes' rule over the trials.
 *
 * The model: a trial at rate r is held with probability e/2 + (1 - e) / (1 + (r / T)^(1/w)).
 *
 *   T  the rate that is held in half of all trials
 *   w  how gradual the change is: 0.25, 1, 2.5 or 6 % of the rate
 *   e  how often a trial's result has nothing to do with the subject: 2 or 12 %
 *
 * Before the trials T is anywhere from 25 % below the lower end to 25 % above the upper end, or 7.5 times as far outside
 * as the ends are apart, uniform in its logarithm, and every w and e is equally likely. The certainty comes from the
 * trials only: a wide interval is not more likely for that reason. A trial that is shorter than the full length counts only when it was
 * not held, and then with its share of the full length: in a short trial a queue may have absorbed a rate that is too
 * high. The result is the probability that T lies between the two ends, and the interval that contains T with 95 %.
 *
 * The model does not cover trials with a common error (a machine that is busy for a whole minute).
 *
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

/* The trials at one rate: the numbers of held and of missed trials, in units of a full length. */
struct ps_posterior_point {
    double rate, held, missed;
};

struct ps_posterior {
    double confidence; /* probability that T is between lower and upper */
    double median, low95, high95;
};

/* Requires 0 < lower < upper. */
struct ps_posterior ps_posterior_of(const struct ps_posterior_point *points, unsigned count, double lower,
                                    double upper);
