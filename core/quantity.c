#include "core/quantity.h"
#include "core/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MAX 1e12

struct unit {
    const char *name;
    double factor;
};

/* Reads the number at the start of `text`; `*rest` is the text after it. Plain decimal only: no hexadecimal,
 * no "inf". */
static bool number_read(const char *text, double *number, const char **rest)
{
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || strcspn(text, "0123456789") >= digits)
        return false;
    char *stop;
    errno = 0;
    *number = strtod(text, &stop);
    *rest = stop;
    return errno == 0 && isfinite(*number) && (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'));
}

static const struct unit *unit_find(const struct unit *units, const char *text, size_t length)
{
    for (; units->name != NULL; units++) {
        if (strlen(units->name) == length && memcmp(units->name, text, length) == 0)
            return units;
    }
    return NULL;
}

static const struct unit thousands[] = {{"", 1},    {"k", 1e3}, {"K", 1e3}, {"M", 1e6},
                                        {"G", 1e9}, {"/s", 1},  {NULL, 0}};

enum ps_status ps_quantity_rate(const char *what, const char *text, double *rate, struct ps_err *err)
{
    const char *rest;
    if (!number_read(text, rate, &rest))
        return ps_err_set(err, "%s: `%s` is not a number; write for example 1000, 50k or 1.5M", what, text);
    size_t length = strlen(rest);
    if (length > 2 && strcmp(rest + length - 2, "/s") == 0)
        length -= 2;
    const struct unit *unit = unit_find(thousands, rest, length);
    if (unit == NULL)
        return ps_err_set(err, "%s: `%s` ends in `%s`; k, M and G can follow a number", what, text, rest);
    *rate *= unit->factor;
    if (!(*rate > 0) || *rate > RATE_MAX)
        return ps_err_set(err, "%s: `%s` must be above 0 and at most 1e12", what, text);
    return PS_OK;
}

enum ps_status ps_quantity_count(const char *what, const char *text, uint64_t min, uint64_t max,
                                 uint64_t *count, struct ps_err *err)
{
    const char *rest;
    double number;
    const struct unit *unit = NULL;
    if (number_read(text, &number, &rest))
        unit = unit_find(thousands, rest, strlen(rest));
    if (unit == NULL || number * unit->factor != floor(number * unit->factor))
        return ps_err_set(err, "%s: `%s` is not a whole number; write for example 1000, 50k or 1.5M", what,
                          text);
    number *= unit->factor;
    if (number < (double)min || number > (double)max)
        return ps_err_set(err, "%s: %s is not from %llu to %llu", what, text, (unsigned long long)min,
                          (unsigned long long)max);
    *count = (uint64_t)number;
    return PS_OK;
}

enum ps_status ps_quantity_duration(const char *what, const char *text, uint64_t *ns, struct ps_err *err)
{
    static const struct unit units[] = {{"", 1e9},   {"ns", 1},     {"us", 1e3},   {"ms", 1e6},    {"s", 1e9},
                                        {"m", 6e10}, {"min", 6e10}, {"h", 3.6e12}, {"d", 8.64e13}, {NULL, 0}};
    double total = 0, number;
    const char *at = text;
    do {
        const char *unit_text;
        if (!number_read(at, &number, &unit_text))
            return ps_err_set(err, "%s: `%s` is not a duration; write for example 10s, 500ms or 1h30m", what,
                              text);
        size_t length = strcspn(unit_text, "0123456789.");
        const struct unit *unit = unit_find(units, unit_text, length);
        if (unit == NULL || (length == 0 && at != text))
            return ps_err_set(err, "%s: `%s` has no unit of time at `%s`; use ns, us, ms, s, m, h or d", what,
                              text, unit_text);
        total += number * unit->factor;
        at = unit_text + length;
    } while (*at != '\0');
    if (total > 9e18)
        return ps_err_set(err, "%s: `%s` is longer than 285 years", what, text);
    *ns = (uint64_t)llround(total);
    return PS_OK;
}

enum ps_status ps_quantity_bytes(const char *what, const char *text, uint64_t *bytes, struct ps_err *err)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"k", 1e3},
                                        {"kB", 1e3},
                                        {"K", 1e3},
                                        {"KB", 1e3},
                                        {"M", 1e6},
                                        {"MB", 1e6},
                                        {"G", 1e9},
                                        {"GB", 1e9},
                                        {"T", 1e12},
                                        {"TB", 1e12},
                                        {"KiB", 1024.0},
                                        {"kiB", 1024.0},
                                        {"MiB", 1048576.0},
                                        {"GiB", 1073741824.0},
                                        {"TiB", 1099511627776.0},
                                        {NULL, 0}};
    double number;
    const char *rest;
    if (!number_read(text, &number, &rest))
        return ps_err_set(err, "%s: `%s` is not a size; write for example 512, 64KiB or 1.5GB", what, text);
    const struct unit *unit = unit_find(units, rest, strlen(rest));
    if (unit == NULL)
        return ps_err_set(err, "%s: `%s` ends in `%s`; B, kB, MB, GB, KiB, MiB and GiB can follow a number",
                          what, text, rest);
    if (number * unit->factor > 9e18)
        return ps_err_set(err, "%s: `%s` is too large", what, text);
    *bytes = (uint64_t)llround(number * unit->factor);
    return PS_OK;
}

enum ps_status ps_quantity_share(const char *what, const char *text, double *share, struct ps_err *err)
{
    const char *rest;
    if (!number_read(text, share, &rest) || (strcmp(rest, "%") != 0 && *rest != '\0'))
        return ps_err_set(err, "%s: `%s` is not a share; write for example 0.1%% or 0.001", what, text);
    bool percent = *rest == '%';
    if (percent)
        *share /= 100;
    if (*share > 100 || (*share > 1 && percent))
        return ps_err_set(err, "%s: `%s` is more than 100 %%", what, text);
    if (*share > 1)
        return ps_err_set(err, "%s: `%s` is more than 100 %%; did you mean %s%%?", what, text, text);
    return PS_OK;
}

bool ps_quantity_is_port(const char *digits, size_t length)
{
    unsigned number = 0;
    if (length == 0 || length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        number = 10 * number + (unsigned)(digits[i] - '0');
    }
    return number > 0 && number <= 65535;
}

/* ---- printing for people ---- */

const char *ps_quantity_word(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

struct ps_quantity_text ps_quantity_print_count(uint64_t count)
{
    struct ps_quantity_text shown;
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            shown.text[at++] = ',';
        shown.text[at++] = digits[i];
    }
    shown.text[at] = '\0';
    return shown;
}

/* Prints three significant digits without zeros at the end of a fraction: 1.23, 12.3, 123, 1.2, 64. */
static struct ps_quantity_text print_scaled(double number, const char *unit)
{
    struct ps_quantity_text shown;
    int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
    int length = snprintf(shown.text, sizeof shown.text, "%.*f", decimals, number);
    while (decimals > 0 && shown.text[length - 1] == '0')
        length--;
    if (decimals > 0 && shown.text[length - 1] == '.')
        length--;
    snprintf(shown.text + length, sizeof shown.text - (size_t)length, "%s", unit);
    return shown;
}

/* Prints a count with its unit; `number` is at most 1e12. */
static struct ps_quantity_text print_whole(double number, const char *unit)
{
    struct ps_quantity_text shown = ps_quantity_print_count((uint64_t)(fmin(number, RATE_MAX) + 0.5));
    size_t length = strlen(shown.text);
    snprintf(shown.text + length, sizeof shown.text - length, "%s", unit);
    return shown;
}

struct ps_quantity_text ps_quantity_print_rate(double rate)
{
    if (rate >= 999.5e6)
        return print_scaled(rate / 1e9, " G/s");
    if (rate >= 999.5e3)
        return print_scaled(rate / 1e6, " M/s");
    if (rate >= 9999.5)
        return print_scaled(rate / 1e3, " k/s");
    return rate >= 999.5 ? print_whole(rate, " /s") : print_scaled(rate, " /s");
}

struct ps_quantity_text ps_quantity_print_event_rate(double rate)
{
    return rate >= 99.95 ? print_whole(rate, " events/s") : print_scaled(rate, " events/s");
}

/* Prints "2 h 5 min"; the second part is left out when it is 0. */
static struct ps_quantity_text print_two(uint64_t number, const char *unit, uint64_t part,
                                         const char *part_unit)
{
    struct ps_quantity_text shown;
    int length = snprintf(shown.text, sizeof shown.text, "%llu %s", (unsigned long long)number, unit);
    if (part > 0)
        snprintf(shown.text + length, sizeof shown.text - (size_t)length, " %llu %s",
                 (unsigned long long)part, part_unit);
    return shown;
}

struct ps_quantity_text ps_quantity_print_ns(uint64_t ns)
{
    double number = (double)ns;
    if (number < 999.5)
        return print_scaled(number, ns > 0 ? " ns" : " s");
    if (number < 999.5e3)
        return print_scaled(number / 1e3, " us");
    if (number < 999.5e6)
        return print_scaled(number / 1e6, " ms");
    if (number < 59.95e9)
        return print_scaled(number / 1e9, " s");
    uint64_t whole_s = ns / PS_NS_PER_S + (ns % PS_NS_PER_S >= PS_NS_PER_S / 2);
    if (whole_s < 3600)
        return print_two(whole_s / 60, "min", whole_s % 60, "s");
    uint64_t minutes = (whole_s + 30) / 60;
    if (minutes < 24 * 60)
        return print_two(minutes / 60, "h", minutes % 60, "min");
    uint64_t hours = (minutes + 30) / 60;
    return print_two(hours / 24, "d", hours % 24, "h");
}

struct ps_quantity_text ps_quantity_print_s(double seconds)
{
    return ps_quantity_print_ns(seconds > 0 ? (uint64_t)fmin(seconds * 1e9, 1e19) : 0);
}

struct ps_quantity_text ps_quantity_print_bytes(uint64_t bytes)
{
    static const char *const units[] = {" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    double number = (double)bytes / 1024;
    size_t unit = 0;
    if (bytes < 1024)
        return print_scaled((double)bytes, " B");
    while (number >= 1023.5 && unit + 1 < PS_COUNT_OF(units)) {
        number /= 1024;
        unit++;
    }
    return print_scaled(number, units[unit]);
}
