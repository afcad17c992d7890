/* Decimal digits, for paths on which snprintf would be felt. Thread: any. */
#pragma once

#include "core/base.h"

#include <string.h>

#define PS_DECIMAL_BYTES 20U /* of any number of 64 bits, its sign included */

/* Writes the number without leading zeros and without a NUL, and returns the place behind it. */
static inline char *ps_decimal_put(char *to, uint64_t number)
{
    char digits[PS_DECIMAL_BYTES];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(to, digits + at, sizeof digits - at);
    return to + sizeof digits - at;
}

static inline char *ps_decimal_put_signed(char *to, int64_t number)
{
    if (number < 0)
        *to++ = '-';
    return ps_decimal_put(to, number < 0 ? -(uint64_t)number : (uint64_t)number);
}
