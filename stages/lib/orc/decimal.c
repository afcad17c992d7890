#include "stages/lib/orc/decimal.h"

#include <string.h>

size_t ps_orc_decimal_text(__int128 unscaled, uint32_t scale, char text[PS_ORC_DECIMAL_TEXT_BYTES])
{
    unsigned __int128 rest = unscaled < 0 ? -(unsigned __int128)unscaled : (unsigned __int128)unscaled;
    char digits[PS_ORC_DECIMAL_TEXT_BYTES];
    size_t at = sizeof(digits);
    for (; scale > 0 && rest % 10 == 0; scale--)
        rest /= 10;
    for (uint32_t i = 0; i < scale; i++, rest /= 10)
        digits[--at] = (char)('0' + (int)(rest % 10));
    if (scale > 0)
        digits[--at] = '.';
    do
        digits[--at] = (char)('0' + (int)(rest % 10));
    while ((rest /= 10) > 0);
    if (unscaled < 0)
        digits[--at] = '-';
    memcpy(text, digits + at, sizeof(digits) - at);
    text[sizeof(digits) - at] = '\0';
    return sizeof(digits) - at;
}

bool ps_orc_decimal_fits(__int128 unscaled, uint32_t precision)
{
    __int128 limit = 1;
    for (uint32_t i = 0; i < precision; i++)
        limit *= 10;
    return unscaled < limit && unscaled > -limit;
}
