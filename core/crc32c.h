/* The checksum CRC32C (Castagnoli; RFC 3720, appendix B.4). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Returns the CRC32C of `data`, continued from `crc` (0 to begin). Thread: any. */
uint32_t ps_crc32c(uint32_t crc, const void *data, size_t length);
