/* Hexadecimal digits. Thread: any. */
#pragma once

#include "core/base.h"

/* Returns the value of a digit in either case, -1 for any other character. */
static inline int ps_hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Writes two lower-case digits for each byte, and ends the text: `to` has room for 2 * length + 1. */
static inline void ps_hex_write(char *to, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned byte = ((const unsigned char *)bytes)[i];
        *to++ = "0123456789abcdef"[byte >> 4];
        *to++ = "0123456789abcdef"[byte & 15];
    }
    *to = '\0';
}
