/* Implements figure.h. */
#include "bench/report/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct ps_figure none(void)
{
    return (struct ps_figure){PS_FIGURE_NONE};
}

/* Formats `number` with three significant digits; removes trailing zeros of the fraction when `trim`. */
static struct ps_figure three_digits(double number, bool trim)
{
    struct ps_figure figure;
    double size = fabs(number);
    if (size != 0 && (size < 1e-6 || size >= 1e15)) {
        snprintf(figure.text, sizeof(figure.text), "%.2e", number);
        return figure;
    }
    int digits = size == 0 ? 0 : 2 - (int)floor(log10(size) + 1e-9);
    digits = digits < 0 ? 0 : digits > 9 ? 9 : digits;
    snprintf(figure.text, sizeof(figure.text), "%.*f", digits, number);
    if (trim && strchr(figure.text, '.')) {
        char *end = figure.text + strlen(figure.text);
        while (end[-1] == '0')
            *--end = '\0';
        if (end[-1] == '.')
            end[-1] = '\0';
    }
    return figure;
}

static struct ps_figure with_unit(double number, const char *unit, bool trim)
{
    struct ps_figure figure = three_digits(number, trim);
    size_t length = strlen(figure.text);
    snprintf(figure.text + length, sizeof(figure.text) - length, PS_FIGURE_BLANK "%s", unit);
    return figure;
}

struct ps_figure ps_figure_count(double count)
{
    struct ps_figure figure;
    if (!isfinite(count))
        return none();
    if (fabs(count) >= 1e15)
        return three_digits(count, false);
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%.0f", fabs(count));
    char *to = figure.text;
    if (count <= -0.5)
        *to++ = '-';
    for (int index = 0; index < length; index++) {
        if (index > 0 && (length - index) % 3 == 0)
            *to++ = ',';
        *to++ = digits[index];
    }
    *to = '\0';
    return figure;
}

struct ps_figure ps_figure_short(double count)
{
    static const struct {
        double size;
        const char *unit;
    } units[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    if (!isfinite(count))
        return none();
    for (size_t index = 0; fabs(count) < 1e15 && index < PS_COUNT_OF(units); index++) {
        if (fabs(count) < units[index].size * 0.9995)
            continue;
        struct ps_figure figure = three_digits(count / units[index].size, true);
        strncat(figure.text, units[index].unit, sizeof(figure.text) - strlen(figure.text) - 1);
        return figure;
    }
    return three_digits(count, true);
}

struct ps_figure ps_figure_ns(double ns)
{
    if (!isfinite(ns))
        return none();
    double size = fabs(ns);
    if (size < 999.5)
        return with_unit(ns, "ns", true);
    if (size < 999.5e3)
        return with_unit(ns / 1e3, "µs", true);
    if (size < 999.5e6)
        return with_unit(ns / 1e6, "ms", true);
    if (size < 9999.5e9)
        return with_unit(ns / 1e9, "s", true);
    return size < 36000e9 ? with_unit(ns / 60e9, "min", true) : with_unit(ns / 3600e9, "h", true);
}

struct ps_figure ps_figure_share(double share)
{
    if (!isfinite(share))
        return none();
    double percent = fabs(share) < 1e-8 ? 0 : share * 100; /* a rounding error of a sum counts as 0 */
    if (fabs(percent) < 1)
        return with_unit(percent, "%", true);
    struct ps_figure figure;
    snprintf(figure.text, sizeof(figure.text), "%.*f" PS_FIGURE_BLANK "%%", fabs(percent) < 9.95 ? 1 : 0,
             fmin(percent, 1e12));
    return figure;
}

struct ps_figure ps_figure_bytes(double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    if (!isfinite(bytes))
        return none();
    size_t index = 0;
    while (fabs(bytes) >= 999.5 && index + 1 < PS_COUNT_OF(units)) {
        bytes /= 1000;
        index++;
    }
    return with_unit(bytes, units[index], true);
}

struct ps_figure ps_figure_seconds(double seconds)
{
    struct ps_figure figure;
    if (!isfinite(seconds))
        return none();
    if (seconds < 120)
        return with_unit(seconds, "s", true);
    if (seconds < 7200) {
        int whole = (int)(seconds + 0.5);
        snprintf(figure.text, sizeof(figure.text), "%d" PS_FIGURE_BLANK "min", whole / 60);
        size_t length = strlen(figure.text);
        if (whole % 60)
            snprintf(figure.text + length, sizeof(figure.text) - length, " %d" PS_FIGURE_BLANK "s",
                     whole % 60);
        return figure;
    }
    return seconds < 172800 ? with_unit(seconds / 3600, "h", true) : with_unit(seconds / 86400, "days", true);
}

struct ps_figure ps_figure_number(double number)
{
    return isfinite(number) ? three_digits(number, true) : none();
}
