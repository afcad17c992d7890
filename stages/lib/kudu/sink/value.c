/* Numbers and texts as columns have them. */
#include <string.h>

#include "core/text/utf8.h"
#include "stages/lib/kudu/sink/internal.h"

#define DIGITS_MAX 38U /* of DECIMAL */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads an exponent, "e-3", at the end of the text. */
static bool parse_exponent(const char *text, size_t length, int64_t *exponent)
{
    size_t at = 1;
    bool is_negative = at < length && text[at] == '-';
    if (at < length && (text[at] == '-' || text[at] == '+'))
        at++;
    if (at == length || length - at > 9)
        return false;
    for (*exponent = 0; at < length && is_digit(text[at]); at++)
        *exponent = *exponent * 10 + (text[at] - '0');
    *exponent = is_negative ? -*exponent : *exponent;
    return at == length;
}

bool ps_kudu_parse_decimal(const char *text, size_t length, __int128 *digits, int64_t *scale)
{
    size_t at = 0, count = 0;
    bool is_negative = length > 0 && text[0] == '-', has_point = false, good = true;
    int64_t exponent = 0;
    __int128 number = 0;
    *scale = 0;
    if (length > 0 && (text[0] == '-' || text[0] == '+'))
        at++;
    for (; at < length && (is_digit(text[at]) || (text[at] == '.' && !has_point)); at++) {
        if (text[at] == '.') {
            has_point = true;
            continue;
        }
        count++;
        good &=
            number < (__int128)UINT64_C(10000000000000000000) * 1000000000000000000; /* 38 digits at most */
        if (good)
            number = number * 10 + (text[at] - '0');
        *scale += has_point;
    }
    if (count == 0 || !good)
        return false;
    if (at < length &&
        ((text[at] != 'e' && text[at] != 'E') || !parse_exponent(text + at, length - at, &exponent)))
        return false;
    *scale -= exponent;
    *digits = is_negative ? -number : number;
    return true;
}

bool ps_kudu_fit_decimal(const struct ps_kudu_column *column, __int128 digits, int64_t scale,
                         __int128 *number)
{
    __int128 limit = 1;
    for (unsigned i = 0; i < column->precision && i < DIGITS_MAX; i++)
        limit *= 10;
    for (; scale < (int64_t)column->scale && digits != 0; scale++) {
        if (digits >= limit / 10 || digits <= -(limit / 10)) /* ten times as much is too much, or overflows */
            return false;
        digits *= 10;
    }
    for (; scale > (int64_t)column->scale && digits != 0; scale--) {
        if (digits % 10 != 0)
            return false;
        digits /= 10;
    }
    *number = digits;
    return digits < limit && digits > -limit;
}

uint32_t ps_kudu_cut(const char *text, uint32_t length, unsigned characters)
{
    uint32_t at = 0;
    for (unsigned i = 0; i < characters && at < length; i++) {
        uint32_t code;
        size_t taken = ps_utf8_get(text + at, length - at, &code);
        at += taken > 0 ? (uint32_t)taken : 1;
    }
    return at;
}
