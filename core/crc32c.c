/* Computed by ISA-L; short texts by the processor's own instruction. */
#include "core/crc32c.h"

#include <limits.h>
#include <string.h>

#include <isa-l/crc.h>

#include "core/base.h"

#define SHORT_BYTES 256U /* up to this length the processor's instruction alone is faster */

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
#endif

uint32_t ps_crc32c(uint32_t crc, const void *data, size_t length)
{
    const unsigned char *at = data;
    crc = ~crc; /* both functions below expect and return the value without the final inversion */
#ifdef __x86_64__
    if (length <= SHORT_BYTES && PS_LIKELY(__builtin_cpu_supports("sse4.2")))
        return ~crc_short(crc, at, length);
#endif
    for (; PS_UNLIKELY(length > INT_MAX); at += INT_MAX, length -= INT_MAX)
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, INT_MAX, crc);
    return ~crc32_iscsi((unsigned char *)(uintptr_t)at, (int)length, crc);
}
