/* Java's Long.valueOf. See long.h. */
#include "stages/lib/text/java/long.h"

bool ps_java_long_read(const struct ps_slice *text, int64_t *number)
{
    uint32_t at = text->length > 0 && (text->data[0] == '-' || text->data[0] == '+');
    if (at == text->length)
        return false;
    int64_t value = 0; /* kept negative: the negative range is larger by one */
    for (; at < text->length; at++) {
        unsigned digit = (unsigned)(unsigned char)text->data[at] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return false;
    }
    if (text->data[0] != '-' && __builtin_sub_overflow(0, value, &value))
        return false;
    *number = value;
    return true;
}
