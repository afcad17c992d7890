/* The cost of a machine, for the projection. Set-up only; thread: any. */
#pragma once

#include "core/status.h"

#define PS_COST_CURRENCY_BYTES 12U
#define PS_COST_HOURS_A_MONTH 730.0 /* 365 days of 24 hours, a twelfth */

struct ps_cost {
    double per_hour; /* 0: not given */
    char currency[PS_COST_CURRENCY_BYTES];
};

/* Parses AMOUNT[CURRENCY]/UNIT: 0.34/h, 0.34EUR/h, "250 USD/month", "$0.34/h". Units: h, day, month (730 h), year. */
enum ps_status ps_cost_parse(struct ps_cost *cost, const char *what, const char *text, struct ps_err *err);
/* Prints an amount: "1.02 EUR", "8,935". `room`: bytes of `text`, at least 48. Returns `text`. */
const char *ps_cost_print(double amount, const char *currency, char *text, size_t room);
