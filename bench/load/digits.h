/* Numbers as text, two digits at a time. Thread: any; pure. */
#pragma once

#include <string.h>

#include "core/base.h"

/* "00" "01" ... "99" */
extern const char ps_digit_pairs[201];
/* 0, 10, 100, ... 10^19 */
extern const uint64_t ps_digit_limits[20];
/* "00" "01" ... "ff" */
extern const char ps_hex_pairs[513];

static inline unsigned ps_digits_count(uint64_t value)
{
    /* 1233 / 4096 is the logarithm of 2 to the base 10, near enough for 64 bits */
    unsigned guess = ((64U - (unsigned)__builtin_clzll(value | 1)) * 1233U) >> 12;
    return guess + (value >= ps_digit_limits[guess]);
}

/* The last `width` digits, zeros in front. */
static inline void ps_digits_put(char *to, uint64_t value, unsigned width)
{
    char *at = to + width;
    while (at - to >= 4) {
        unsigned four = (unsigned)(value % 10000);
        value /= 10000;
        at -= 4;
        memcpy(at, ps_digit_pairs + (size_t)2 * (four / 100), 2);
        memcpy(at + 2, ps_digit_pairs + (size_t)2 * (four % 100), 2);
    }
    if (at - to >= 2) {
        unsigned two = (unsigned)(value % 100);
        value /= 100;
        at -= 2;
        memcpy(at, ps_digit_pairs + (size_t)2 * two, 2);
    }
    if (at > to)
        *to = (char)('0' + value % 10);
}

/* As many digits as it needs. Returns the end. */
static inline char *ps_digits_write(char *to, uint64_t value)
{
    unsigned count = ps_digits_count(value);
    ps_digits_put(to, value, count);
    return to + count;
}

static inline char *ps_digits_write_signed(char *to, int64_t value)
{
    if (value >= 0)
        return ps_digits_write(to, (uint64_t)value);
    *to = '-';
    return ps_digits_write(to + 1, 0 - (uint64_t)value);
}
