/* The fit: solves every subset of {sigma, kappa} and takes the best solution without a negative value. */
#include "bench/plan/scaling.h"

#include <math.h>
#include <string.h>

#define TERMS 3U

double ps_scaling_rate(const struct ps_scaling *scaling, double workers)
{
    return scaling->lambda * workers /
           (1 + scaling->sigma * (workers - 1) + scaling->kappa * workers * (workers - 1));
}

static void terms_of(double workers, double terms[TERMS])
{
    terms[0] = 1;
    terms[1] = workers - 1;
    terms[2] = workers * (workers - 1);
}

/* Gaussian elimination with pivots for `size` equations in a. Returns false when they do not determine the
 * unknowns. */
static bool solve(double a[TERMS][TERMS + 1], unsigned size)
{
    for (unsigned column = 0; column < size; column++) {
        unsigned pivot = column;
        for (unsigned row = column + 1; row < size; row++)
            if (fabs(a[row][column]) > fabs(a[pivot][column]))
                pivot = row;
        if (fabs(a[pivot][column]) < 1e-9)
            return false;
        double swap[TERMS + 1];
        memcpy(swap, a[pivot], sizeof swap);
        memcpy(a[pivot], a[column], sizeof swap);
        memcpy(a[column], swap, sizeof swap);
        for (unsigned row = 0; row < size; row++) {
            double factor = row == column ? 0 : a[row][column] / a[column][column];
            for (unsigned i = column; i <= size; i++)
                a[row][i] -= factor * a[column][i];
        }
    }
    for (unsigned row = 0; row < size; row++)
        a[row][size] /= a[row][row];
    return true;
}

/* Fits only the terms of `mask`. The equations minimise the sum of squares of the relative error of n /
 * rate. */
static bool fit_terms(const struct ps_scaling_point *points, unsigned count, unsigned mask,
                      struct ps_scaling *scaling)
{
    unsigned used[TERMS], size = 0;
    double a[TERMS][TERMS + 1] = {{0}}; /* scaled by the first rate: numbers near 1 */
    for (unsigned i = 0; i < TERMS; i++)
        if (mask & (1U << i))
            used[size++] = i;
    for (unsigned i = 0; i < count; i++) {
        double terms[TERMS], scale = points[i].rate / points[i].workers;
        terms_of(points[i].workers, terms);
        for (unsigned row = 0; row < size; row++) {
            for (unsigned column = 0; column < size; column++)
                a[row][column] += terms[used[row]] * terms[used[column]] * scale * scale /
                                  (points[0].rate * points[0].rate);
            a[row][size] += terms[used[row]] * scale / points[0].rate;
        }
    }
    if (!solve(a, size))
        return false;
    double found[TERMS] = {0};
    for (unsigned i = 0; i < size; i++)
        found[used[i]] = a[i][size];
    if (found[0] <= 0 || found[1] < 0 || found[2] < 0)
        return false;
    scaling->lambda = points[0].rate / found[0];
    scaling->sigma = found[1] / found[0];
    scaling->kappa = found[2] / found[0];
    scaling->free_count = size;
    double sum = 0;
    for (unsigned i = 0; i < count; i++) {
        double off = ps_scaling_rate(scaling, points[i].workers) / points[i].rate - 1;
        sum += off * off;
    }
    scaling->error = sqrt(sum / count);
    return true;
}

static unsigned distinct(const struct ps_scaling_point *points, unsigned count)
{
    unsigned different = 0;
    for (unsigned i = 0; i < count; i++) {
        bool seen = false;
        for (unsigned before = 0; before < i; before++)
            seen = seen || points[before].workers == points[i].workers;
        different += !seen;
    }
    return different;
}

bool ps_scaling_fit(const struct ps_scaling_point *points, unsigned count, struct ps_scaling *scaling)
{
    /* Fewest terms first: another term is only used when it improves the fit. */
    static const unsigned masks[] = {1, 3, 5, 7};
    bool fitted = false;
    *scaling = (struct ps_scaling){0};
    for (unsigned i = 0; i < count; i++)
        if (points[i].workers == 0 || !(points[i].rate > 0) || points[i].at_least)
            return false;
    unsigned different = distinct(points, count);
    for (unsigned i = 0; count > 0 && i < PS_COUNT_OF(masks); i++) {
        struct ps_scaling attempt = {0};
        if ((masks[i] > 1 && different < 2) || (masks[i] > 3 && different < 3))
            continue;
        if (!fit_terms(points, count, masks[i], &attempt))
            continue;
        if (!fitted || attempt.error < scaling->error - 1e-12)
            *scaling = attempt;
        fitted = true;
    }
    if (fitted && scaling->kappa > 0 && scaling->sigma < 1)
        scaling->peak_workers = sqrt((1 - scaling->sigma) / scaling->kappa);
    return fitted;
}
