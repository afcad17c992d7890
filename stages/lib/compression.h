/* The compressed formats of plain files: gzip (RFC 1952) and zstd (RFC 8878). */
#pragma once

#include "core/base.h"

enum ps_compression { /* the words of penstock.compression */
                      PS_COMPRESSION_NONE,
                      PS_COMPRESSION_GZIP,
                      PS_COMPRESSION_ZSTD,
};

/* Returns the suffix of the names of such files: "", ".gz", ".zst". */
static inline const char *ps_compression_suffix(enum ps_compression kind)
{
    static const char *const suffixes[] = {"", ".gz", ".zst"};
    return suffixes[kind];
}
