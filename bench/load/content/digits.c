/* The tables of digits.h. */
#include "bench/load/content/digits.h"

const char ps_digit_pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

const char ps_hex_pairs[513] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
    "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f"
    "505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071727374757677"
    "78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7"
    "c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

const uint64_t ps_digit_limits[20] = {0,
                                      UINT64_C(10),
                                      UINT64_C(100),
                                      UINT64_C(1000),
                                      UINT64_C(10000),
                                      UINT64_C(100000),
                                      UINT64_C(1000000),
                                      UINT64_C(10000000),
                                      UINT64_C(100000000),
                                      UINT64_C(1000000000),
                                      UINT64_C(10000000000),
                                      UINT64_C(100000000000),
                                      UINT64_C(1000000000000),
                                      UINT64_C(10000000000000),
                                      UINT64_C(100000000000000),
                                      UINT64_C(1000000000000000),
                                      UINT64_C(10000000000000000),
                                      UINT64_C(100000000000000000),
                                      UINT64_C(1000000000000000000),
                                      UINT64_C(10000000000000000000)};

/* The texts of ten numbers that begin with these digits. */
#define TEN(...)                                                                                             \
    {__VA_ARGS__ '0', '.'}, {__VA_ARGS__ '1', '.'}, {__VA_ARGS__ '2', '.'}, {__VA_ARGS__ '3', '.'},          \
        {__VA_ARGS__ '4', '.'}, {__VA_ARGS__ '5', '.'}, {__VA_ARGS__ '6', '.'}, {__VA_ARGS__ '7', '.'},      \
        {__VA_ARGS__ '8', '.'},                                                                              \
    {                                                                                                        \
        __VA_ARGS__ '9', '.'                                                                                 \
    }

/* clang-format off */
const char ps_octets[256][4] = {
    TEN(),
    TEN('1',), TEN('2',), TEN('3',), TEN('4',), TEN('5',), TEN('6',), TEN('7',), TEN('8',), TEN('9',),
    TEN('1', '0',), TEN('1', '1',), TEN('1', '2',), TEN('1', '3',), TEN('1', '4',),
    TEN('1', '5',), TEN('1', '6',), TEN('1', '7',), TEN('1', '8',), TEN('1', '9',),
    TEN('2', '0',), TEN('2', '1',), TEN('2', '2',), TEN('2', '3',), TEN('2', '4',),
    {'2', '5', '0', '.'}, {'2', '5', '1', '.'}, {'2', '5', '2', '.'}, {'2', '5', '3', '.'},
    {'2', '5', '4', '.'}, {'2', '5', '5', '.'}};
/* clang-format on */
