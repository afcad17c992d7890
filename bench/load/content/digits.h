/* Writes numbers as text, two digits at a time. Thread: any; no state. */
#pragma once

#include <string.h>

#include "core/base.h"

/* "00" "01" ... "99" */
extern const char ps_digit_pairs[201];
/* "0." "1." ... "255." */
extern const char ps_octets[256][4];
/* 0, 10, 100, ... 10^19 */
extern const uint64_t ps_digit_limits[20];
/* "00" "01" ... "ff" */
extern const char ps_hex_pairs[513];

static inline unsigned ps_digits_count(uint64_t value)
{
    /* 1233 / 4096 approximates the logarithm of 2 to the base 10 closely enough for 64 bits */
    unsigned guess = ((64U - (unsigned)__builtin_clzll(value | 1)) * 1233U) >> 12;
    return guess + (value >= ps_digit_limits[guess]);
}

/* Writes the last `width` digits, with leading zeros. */
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

/* Makes eight digits at once, the first in the low byte: divides by 100 and by 10 in parallel within one
 * word. */
static inline uint64_t ps_digits_eight(uint32_t value)
{
    uint64_t word = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t tens = ((word * 10486) >> 20) & UINT64_C(0x0000007f0000007f);
    word = tens | (word - 100 * tens) << 16;
    tens = ((word * 103) >> 10) & UINT64_C(0x000f000f000f000f);
    return (tens | (word - 10 * tens) << 8) | UINT64_C(0x3030303030303030);
}

/* Writes as many digits as the number has; up to eight digits there is no branch that depends on their count.
 * May write 8 bytes past the returned end. */
static inline char *ps_digits_write(char *to, uint64_t value)
{
    unsigned count = ps_digits_count(value);
    if (PS_LIKELY(value < 100000000)) {
        uint64_t word = ps_digits_eight((uint32_t)value) >> (8 * (8 - count));
        memcpy(to, &word, 8);
        return to + count;
    }
    ps_digits_put(to, value, count);
    return to + count;
}

static inline char *ps_digits_write_signed(char *to, int64_t value)
{
    bool negative = value < 0;
    *to = '-';
    return ps_digits_write(to + negative, negative ? 0 - (uint64_t)value : (uint64_t)value);
}

/* Writes a byte as decimal text and a point. May write 4 bytes too many. Returns the end. */
static inline char *ps_digits_octet(char *to, unsigned octet)
{
    memcpy(to, ps_octets[octet], 4);
    return to + 2 + (octet > 9) + (octet > 99);
}
