/* Implements figure.h. */
#include "bench/report/figure.h"

#include "core/quantity.h"

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

static struct ps_figure with_unit(double number, const char *unit)
{
    struct ps_figure figure = three_digits(number, true);
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
        return with_unit(count / units[index].size, units[index].unit);
    }
    return three_digits(count, true);
}

/* Puts a narrow blank between number and unit, and µ for "u" (micro). */
static struct ps_figure typeset(const char *text)
{
    struct ps_figure figure = {""};
    for (size_t length = 0; *text != '\0'; text++) {
        bool blank = text[0] == ' ' && text[1] >= 'A', micro = text[0] == 'u' && text[1] == 's';
        length += (size_t)snprintf(figure.text + length, sizeof(figure.text) - length, "%.*s",
                                   blank || micro ? 3 : 1,
                                   blank   ? PS_FIGURE_BLANK
                                   : micro ? "µ"
                                           : text);
        PS_ASSERT(length < sizeof(figure.text));
    }
    return figure;
}

struct ps_figure ps_figure_ns(double ns)
{
    return isfinite(ns) ? typeset(ps_quantity_print_s(ns / 1e9).text) : none();
}

struct ps_figure ps_figure_share(double share)
{
    if (!isfinite(share))
        return none();
    double percent = fabs(share) < 1e-8 ? 0 : share * 100; /* a rounding error of a sum counts as 0 */
    if (fabs(percent) < 1)
        return with_unit(percent, "%");
    struct ps_figure figure;
    snprintf(figure.text, sizeof(figure.text), "%.*f" PS_FIGURE_BLANK "%%", fabs(percent) < 9.95 ? 1 : 0,
             fmin(percent, 1e12));
    return figure;
}

struct ps_figure ps_figure_bytes(double bytes)
{
    return isfinite(bytes) ? typeset(ps_quantity_print_bytes((uint64_t)fmin(fmax(bytes, 0), 1e19)).text)
                           : none();
}

struct ps_figure ps_figure_seconds(double seconds)
{
    return isfinite(seconds) ? typeset(ps_quantity_print_s(seconds).text) : none();
}

struct ps_figure ps_figure_number(double number)
{
    return isfinite(number) ? three_digits(number, true) : none();
}
