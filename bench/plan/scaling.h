/* The growth of throughput with workers: the Universal Scalability Law (Gunther, "Guerrilla Capacity Planning",
 * chapter 4), fitted to measured points.
 *
 *   rate(n) = lambda n / (1 + sigma (n - 1) + kappa n (n - 1))
 *
 * lambda is the rate of one worker, sigma the cost of waiting for each other, kappa the cost of
 * communication.
 *
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

#define PS_SCALING_POINTS_MAX 64U

struct ps_scaling_point {
    unsigned workers;
    double rate;
    bool at_least; /* the rate is a lower limit only */
};

struct ps_scaling {
    double lambda, sigma, kappa; /* sigma, kappa >= 0 */
    double error;                /* root of the mean square of (fit / measured - 1) */
    /* number of parameters fitted; with no more points than this the error is always 0 */
    unsigned free_count;
    double peak_workers; /* worker count from which more workers reduce the rate; 0: none */
};

/* Fits by least squares of the relative error of n / rate, which is linear in 1/lambda, sigma/lambda, kappa/lambda. One
 * point gives only lambda; kappa is fitted from three different worker counts. Returns false when there is no point, or
 * when a point is not positive or is only a lower limit. */
bool ps_scaling_fit(const struct ps_scaling_point *points, unsigned count, struct ps_scaling *scaling);
double ps_scaling_rate(const struct ps_scaling *scaling, double workers);
