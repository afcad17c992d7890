#include "bench/plan/cost.h"
#include "core/quantity.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AMOUNT_MAX 1e9

static const struct {
    const char *name;
    double hours;
} units[] = {{"h", 1}, {"day", 24}, {"month", PS_COST_HOURS_A_MONTH}, {"year", 8760}};

/* Copies a currency without blanks around it; returns false when it is too long, or not a word. */
static bool currency_copy(struct ps_cost *cost, const char *text, size_t length)
{
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    if (length >= sizeof cost->currency)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= ' ' || strchr("+-*/.,<>", text[i]) != NULL)
            return false;
    snprintf(cost->currency, sizeof cost->currency, "%.*s", (int)length, text);
    return true;
}

enum ps_status ps_cost_parse(struct ps_cost *cost, const char *what, const char *text, struct ps_err *err)
{
    const char *digits = text + strcspn(text, "0123456789."), *slash = strrchr(text, '/');
    size_t length = strspn(digits, "0123456789.");
    *cost = (struct ps_cost){0};
    if (slash == NULL || length == 0 || slash < digits + length)
        return ps_err_set(err, "%s: `%s` is not a cost; write for example 0.34/h or '250 EUR/month'", what,
                          text);
    char *stop;
    errno = 0;
    double amount = strtod(digits, &stop);
    if (errno != 0 || (size_t)(stop - digits) != length || !(amount > 0) || amount > AMOUNT_MAX)
        return ps_err_set(err, "%s: `%.*s` is not an amount above 0 and up to 1e9", what, (int)length,
                          digits);
    bool before = digits > text, after = slash > digits + length;
    if ((before && after) ||
        !currency_copy(cost, before ? text : digits + length,
                       (size_t)(before ? digits - text : slash - digits) - (before ? 0 : length)))
        return ps_err_set(err, "%s: `%s`: a currency is one short word before or behind the amount", what,
                          text);
    for (size_t i = 0; i < PS_COUNT_OF(units); i++)
        if (strcmp(slash + 1, units[i].name) == 0)
            cost->per_hour = amount / units[i].hours;
    return cost->per_hour > 0
               ? PS_OK
               : ps_err_set(err, "%s: `%s` ends in `%s`; use /h, /day, /month or /year", what, text, slash);
}

const char *ps_cost_print(double amount, const char *currency, char *text, size_t room)
{
    struct ps_quantity_text count;
    if (amount >= 1000)
        count = ps_quantity_print_count((uint64_t)llround(fmin(amount, 1e18)));
    else
        snprintf(count.text, sizeof count.text, amount < 1 ? "%.3g" : "%.2f", amount);
    snprintf(text, room, "%s%s%s", count.text, currency[0] != '\0' ? " " : "", currency);
    return text;
}
