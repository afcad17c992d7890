/* The checksum CRC32C (Castagnoli; RFC 3720, appendix B.4). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns the CRC32C of `data`, continued from `crc` (0 to begin). Thread: any. */
uint32_t ps_crc32c(uint32_t crc, const void *data, size_t length);

/* The ways to compute it, of which ps_crc32c chooses one by the length and the processor. */
enum ps_crc32c_way {
    PS_CRC32C_LIBRARY,     /* ISA-L, on any processor */
    PS_CRC32C_INSTRUCTION, /* the processor's instruction alone */
    PS_CRC32C_FOLDING,     /* carry-less multiplication */
    PS_CRC32C_WAYS,
};

/* For tests: computes it in this way. Returns false if the processor lacks this way, or if the text is too short for
 * it. */
bool ps_crc32c_by(enum ps_crc32c_way way, uint32_t *crc, const void *data, size_t length);
