/* How throughput grows with workers: the Universal Scalability Law (Gunther, "Guerrilla Capacity Planning",
 * chapter 4), fitted to measured points.
 *
 *   rate(n) = lambda n / (1 + sigma (n - 1) + kappa n (n - 1))
 *
 * lambda is the rate of one, sigma what they wait for each other, kappa what they have to tell each other.
 *
 * Thread: any; pure. */
#pragma once

#include "core/base.h"

#define PS_SCALING_POINTS_MAX 64U

struct ps_scaling_point {
    unsigned workers;
    double rate;
};

struct ps_scaling {
    double lambda, sigma, kappa; /* sigma, kappa >= 0 */
    double error;                /* root of the mean square of (fit / measured - 1) */
    unsigned free_count;         /* as many points as this leave no error to see */
    double peak_workers;         /* where more workers begin to harm; 0: nowhere */
};

/* Least squares of the relative error of n / rate, which is linear in 1/lambda, sigma/lambda, kappa/lambda.
 * One point gives lambda alone; kappa is fitted from three different worker counts on. False: no point, or
 * one that is not positive. */
bool ps_scaling_fit(const struct ps_scaling_point *points, unsigned count, struct ps_scaling *scaling);
double ps_scaling_rate(const struct ps_scaling *scaling, double workers);
