/* Implements axis.h. */
#include "bench/report/axis.h"

#include <math.h>

static unsigned clamp_ticks(unsigned ticks_max)
{
    return ticks_max < 2 ? 2 : ticks_max > PS_AXIS_TICKS_MAX ? PS_AXIS_TICKS_MAX : ticks_max;
}

/* Returns the smallest of 1, 2, 2.5, 5 times a power of ten that is at least `step`. */
static double round_step(double step)
{
    static const double factors[] = {1, 2, 2.5, 5, 10};
    double power = pow(10, floor(log10(step)));
    for (unsigned index = 0; index < PS_COUNT_OF(factors); index++)
        if (factors[index] * power >= step * (1 - 1e-9))
            return factors[index] * power;
    return 10 * power;
}

struct ps_axis ps_axis_linear(double low, double high, unsigned ticks_max, double from, double to)
{
    struct ps_axis axis = {.from = from, .to = to};
    low = isfinite(low) ? low : 0;
    high = isfinite(high) ? high : 0;
    if (low > high) {
        double swap = low;
        low = high;
        high = swap;
    }
    if (high - low <= 1e-9 * fmax(fabs(low), fabs(high)) || high == low) {
        double room = fmax(fabs(high) * 0.1, 1e-9);
        low = low >= 0 && low - room < 0 ? 0 : low - room;
        high += room;
        if (low == 0 && high <= 1e-9)
            high = 1;
    }
    ticks_max = clamp_ticks(ticks_max);
    double step = round_step((high - low) / (ticks_max - 1));
    for (;;) { /* rounding both ends outwards may need one tick too many */
        axis.low = floor(low / step + 1e-9) * step;
        axis.high = ceil(high / step - 1e-9) * step;
        if ((axis.high - axis.low) / step < ticks_max - 0.5)
            break;
        step = round_step(step * 1.01);
    }
    axis.tick_count = (unsigned)((axis.high - axis.low) / step + 1.5);
    for (unsigned index = 0; index < axis.tick_count; index++)
        axis.ticks[index] = fabs(axis.low + index * step) < step * 1e-6 ? 0 : axis.low + index * step;
    axis.high = axis.ticks[axis.tick_count - 1];
    return axis;
}

/* Returns the nearest of 1, 2 or 5 times a power of ten at or below `value` (up: at or above). */
static double round_log(double value, bool up)
{
    static const double factors[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(value) + 1e-9)), best = power;
    for (unsigned index = 0; index < PS_COUNT_OF(factors); index++) {
        double factor = factors[index] * power;
        if (up && factor >= value * (1 - 1e-9))
            return factor;
        if (!up && factor <= value * (1 + 1e-9))
            best = factor;
    }
    return best;
}

/* Places `each` (1 to 3) ticks at every `stride`th power of ten. Counts ticks that do not fit, without
 * storing them. */
static void log_ticks(struct ps_axis *axis, int first, int last, int stride, unsigned each)
{
    static const double factors[] = {1, 2, 5};
    axis->tick_count = 0;
    for (int power = first; power <= last; power += stride) {
        for (unsigned index = 0; index < each; index++) {
            double tick = factors[index] * pow(10, power);
            if (tick < axis->low * (1 - 1e-9) || tick > axis->high * (1 + 1e-9))
                continue;
            if (axis->tick_count < PS_AXIS_TICKS_MAX)
                axis->ticks[axis->tick_count] = tick;
            axis->tick_count++;
        }
    }
}

struct ps_axis ps_axis_log(double low, double high, unsigned ticks_max, double from, double to)
{
    struct ps_axis axis = {.from = from, .to = to, .log = true};
    high = isfinite(high) && high > 0 ? high : 1;
    low = isfinite(low) && low > 0 ? fmax(low, high * 1e-15) : high;
    axis.low = round_log(fmin(low, high), false);
    axis.high = round_log(fmax(low, high), true);
    if (axis.high <= axis.low * 1.01) { /* the data have a single value, which is round */
        axis.low = round_log(axis.low * 0.6, false);
        axis.high = round_log(axis.high * 1.5, true);
    }
    ticks_max = clamp_ticks(ticks_max);
    int first = (int)floor(log10(axis.low) + 1e-9), last = (int)ceil(log10(axis.high) - 1e-9);
    log_ticks(&axis, first, last, 1, 3);
    if (axis.tick_count <= ticks_max)
        return axis;
    axis.low = pow(10, first);
    axis.high = pow(10, last);
    int stride = 1;
    while ((last - first) / stride + 1 > (int)ticks_max)
        stride++;
    log_ticks(&axis, first, last, stride, 1);
    return axis;
}

double ps_axis_at(const struct ps_axis *axis, double value)
{
    double share;
    if (axis->log)
        share = value > 0 ? (log10(value) - log10(axis->low)) / (log10(axis->high) - log10(axis->low)) : 0;
    else
        share = (value - axis->low) / (axis->high - axis->low);
    share = share > 0 ? fmin(share, 1) : 0; /* also for NaN */
    return axis->from + share * (axis->to - axis->from);
}
