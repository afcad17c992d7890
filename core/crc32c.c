/* Chooses one of three ways: ISA-L, where it folds 64 bytes at a time with carry-less multiplication (AVX-512); else
 * our folding of 16 bytes at a time, where the processor has that multiplication; for short texts the processor's CRC
 * instruction. Without AVX-512, ISA-L of this version uses the CRC instruction too, at two thirds of the rate of our
 * folding; with AVX-512 it has seven times that rate (perf/README.md). */
#include "core/crc32c.h"

#include <limits.h>
#include <string.h>

#include <isa-l/crc.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "core/base.h"

#define SHORT_BYTES 256U /* up to this length the processor's instruction alone is faster */
#define FOLDED_BYTES_MIN 64U

#ifdef __x86_64__
/* Uses the processor's instruction for texts too short for ISA-L's set-up cost. */
__attribute__((target("sse4.2"))) static uint32_t crc_short(uint32_t crc, const unsigned char *at,
                                                            size_t length)
{
    uint64_t wide = crc, word;
    for (; length >= 8; at += 8, length -= 8) {
        memcpy(&word, at, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    if (length >= 4) {
        uint32_t half;
        memcpy(&half, at, 4);
        crc = __builtin_ia32_crc32si(crc, half);
        at += 4;
        length -= 4;
    }
    for (; length > 0; at++, length--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}

/* Multiplies both halves of `from` by x^(distance + 32) and x^(distance - 32) modulo the polynomial, which moves its
 * 16 bytes on by the distance. (Intel, "Fast CRC computation for generic polynomials using PCLMULQDQ instruction".) */
__attribute__((target("sse4.2,pclmul"))) static __m128i fold(__m128i from, __m128i factors, __m128i onto)
{
    return _mm_xor_si128(
        _mm_xor_si128(_mm_clmulepi64_si128(from, factors, 0x00), _mm_clmulepi64_si128(from, factors, 0x11)),
        onto);
}

__attribute__((target("sse4.2,pclmul"))) static __m128i load(const unsigned char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Computes by folding, for FOLDED_BYTES_MIN bytes and more. */
__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_folded(uint32_t crc, const unsigned char *at,
                                                                    size_t length)
{
    const __m128i by_512 =
        _mm_set_epi64x(0x09e4addf8, 0x0740eef02); /* bits, so reversed and shifted by one: */
    const __m128i by_384 =
        _mm_set_epi64x(0x1d82c63da, 0x01c291d04); /* x^(distance - 32), x^(distance + 32) */
    const __m128i by_256 = _mm_set_epi64x(0x0ba4fc28e, 0x1384aa63a);
    const __m128i by_128 = _mm_set_epi64x(0x14cd00bd6, 0x0f20c0dfe);
    __m128i a = _mm_xor_si128(load(at), _mm_cvtsi32_si128((int)crc)), b = load(at + 16), c = load(at + 32),
            d = load(at + 48);
    for (at += 64, length -= 64; length >= 64; at += 64, length -= 64) {
        a = fold(a, by_512, load(at));
        b = fold(b, by_512, load(at + 16));
        c = fold(c, by_512, load(at + 32));
        d = fold(d, by_512, load(at + 48));
    }
    d = fold(a, by_384, fold(b, by_256, fold(c, by_128, d)));
    uint64_t wide = __builtin_ia32_crc32di(0, (uint64_t)_mm_cvtsi128_si64(d));
    wide = __builtin_ia32_crc32di(wide, (uint64_t)_mm_extract_epi64(d, 1));
    return crc_short((uint32_t)wide, at, length);
}
#endif

static bool can(enum ps_crc32c_way way)
{
#ifdef __x86_64__
    if (way != PS_CRC32C_LIBRARY)
        return __builtin_cpu_supports("sse4.2") &&
               (way == PS_CRC32C_INSTRUCTION || __builtin_cpu_supports("pclmul"));
#endif
    return way == PS_CRC32C_LIBRARY;
}

/* Returns whether ISA-L has a function for the vectors of this processor (its "AVX512_G2"). */
static bool library_folds(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("vpclmulqdq") &&
           __builtin_cpu_supports("gfni");
#else
    return false;
#endif
}

/* All three ways take and return the checksum without the final inversion. */
static uint32_t crc_by(enum ps_crc32c_way way, uint32_t crc, const unsigned char *at, size_t length)
{
#ifdef __x86_64__
    if (way == PS_CRC32C_INSTRUCTION)
        return crc_short(crc, at, length);
    if (way == PS_CRC32C_FOLDING)
        return crc_folded(crc, at, length);
#endif
    (void)way;
    for (; PS_UNLIKELY(length > INT_MAX); at += INT_MAX, length -= INT_MAX)
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, INT_MAX, crc);
    return crc32_iscsi((unsigned char *)(uintptr_t)at, (int)length, crc);
}

uint32_t ps_crc32c(uint32_t crc, const void *data, size_t length)
{
    if (length <= SHORT_BYTES && PS_LIKELY(can(PS_CRC32C_INSTRUCTION)))
        return ~crc_by(PS_CRC32C_INSTRUCTION, ~crc, data, length);
    if (length >= FOLDED_BYTES_MIN && !library_folds() && can(PS_CRC32C_FOLDING))
        return ~crc_by(PS_CRC32C_FOLDING, ~crc, data, length);
    return ~crc_by(PS_CRC32C_LIBRARY, ~crc, data, length);
}

bool ps_crc32c_by(enum ps_crc32c_way way, uint32_t *crc, const void *data, size_t length)
{
    if (!can(way) || (way == PS_CRC32C_FOLDING && length < FOLDED_BYTES_MIN))
        return false;
    *crc = ~crc_by(way, ~*crc, data, length);
    return true;
}
