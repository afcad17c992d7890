/* Computes the model on a grid over threshold, width and lapse. */
#include "bench/plan/search/posterior.h"

#include <math.h>

#define STEPS 256U
#define MARGIN 1.25 /* how far outside the ends the threshold may be, at least */
/* and at least the interval multiplied by this: without trials an interval is less than 7 % sure */
#define MARGIN_WIDTHS 7.5

static const double widths[] = {0.0025, 0.01, 0.025, 0.06};
static const double lapses[] = {0.02, 0.12};

#define MODELS (PS_COUNT_OF(widths) * PS_COUNT_OF(lapses))

static double log_likelihood(const struct ps_posterior_point *points, unsigned count, double log_threshold,
                             double width, double lapse)
{
    double sum = 0;
    for (unsigned i = 0; i < count; i++) {
        double held = 1 / (1 + exp((log(points[i].rate) - log_threshold) / width));
        held = lapse / 2 + (1 - lapse) * held;
        if (points[i].held > 0)
            sum += points[i].held * log(held);
        if (points[i].missed > 0)
            sum += points[i].missed * log1p(-held);
    }
    return sum;
}

struct grid {
    double from, step; /* of the logarithm */
    double weights[STEPS];
    double total;
};

static void fill(struct grid *grid, const struct ps_posterior_point *points, unsigned count)
{
    double logs[STEPS][MODELS], highest = -INFINITY;
    for (unsigned i = 0; i < STEPS; i++) {
        for (unsigned model = 0; model < MODELS; model++) {
            logs[i][model] =
                log_likelihood(points, count, grid->from + (i + 0.5) * grid->step,
                               widths[model / PS_COUNT_OF(lapses)], lapses[model % PS_COUNT_OF(lapses)]);
            highest = fmax(highest, logs[i][model]);
        }
    }
    grid->total = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        grid->weights[i] = 0;
        for (unsigned model = 0; model < MODELS; model++)
            grid->weights[i] += exp(logs[i][model] - highest);
        grid->total += grid->weights[i];
    }
}

/* Returns the rate below which `share` of the weight lies. */
static double quantile(const struct grid *grid, double share)
{
    double sum = 0, wanted = share * grid->total;
    for (unsigned i = 0; i < STEPS; i++) {
        if (sum + grid->weights[i] >= wanted)
            return exp(grid->from + (i + (wanted - sum) / grid->weights[i]) * grid->step);
        sum += grid->weights[i];
    }
    return exp(grid->from + STEPS * grid->step);
}

/* Returns the weight below a rate. */
static double weight_below(const struct grid *grid, double rate)
{
    double at = (log(rate) - grid->from) / grid->step, sum = 0;
    for (unsigned i = 0; i < STEPS; i++)
        sum += grid->weights[i] * fmin(fmax(at - i, 0), 1);
    return sum;
}

struct ps_posterior ps_posterior_of(const struct ps_posterior_point *points, unsigned count, double lower,
                                    double upper)
{
    struct grid grid;
    PS_ASSERT(lower > 0 && upper > lower);
    double margin = fmax(log(MARGIN), MARGIN_WIDTHS * log(upper / lower));
    grid.from = log(lower) - margin;
    grid.step = (log(upper) + margin - grid.from) / STEPS;
    fill(&grid, points, count);
    return (struct ps_posterior){
        .confidence = (weight_below(&grid, upper) - weight_below(&grid, lower)) / grid.total,
        .median = quantile(&grid, 0.5),
        .low95 = quantile(&grid, 0.025),
        .high95 = quantile(&grid, 0.975),
    };
}
