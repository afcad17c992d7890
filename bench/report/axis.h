/* Maps values to positions in a picture: linear and logarithmic axes with ticks at round numbers.
 *
 * Thread: any; an axis is a plain value. */
#pragma once

#include "core/base.h"

#define PS_AXIS_TICKS_MAX 16U

struct ps_axis {
    double low, high; /* values at the ends; low < high */
    double from, to;  /* their positions, pixels; from > to for an axis that points upwards */
    bool log;
    unsigned tick_count;
    double ticks[PS_AXIS_TICKS_MAX]; /* values, ascending, all between low and high */
};

/* Makes an axis that covers low to high and ends at round numbers, with at most `ticks_max` (2 to 16) ticks,
 * which are 1, 2, 2.5 or 5 times a power of ten apart. `low` and `high` may be equal or swapped; a value that
 * is not finite counts as 0. */
struct ps_axis ps_axis_linear(double low, double high, unsigned ticks_max, double from, double to);
/* Makes a logarithmic axis: ticks at powers of ten, with 2 and 5 between them when there is room. Values <= 0
 * count as the smallest positive end. */
struct ps_axis ps_axis_log(double low, double high, unsigned ticks_max, double from, double to);

/* Returns the position of a value; a value outside the axis gets the position of the nearer end. */
double ps_axis_at(const struct ps_axis *axis, double value);
