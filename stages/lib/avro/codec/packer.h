/* Compresses blocks of bytes in memory, for Avro's container files, Hadoop's codecs and ORC: a block becomes one stream (zlib, gzip, raw
 * deflate, bzip2, xz), one frame (Zstandard), or bytes without a frame (LZ4, Snappy). The levels are the defaults of the Java classes, which
 * are the same in all three: 6 for zlib and xz, 9 for bzip2, 3 for Zstandard.
 *
 * Thread: the owner's. The libraries of bzip2 and xz allocate for each block. */
#pragma once

#include "stages/lib/byte_buffer.h"

enum ps_packing {
    PS_PACK_ZLIB,    /* RFC 1950 */
    PS_PACK_DEFLATE, /* RFC 1951 */
    PS_PACK_GZIP,    /* RFC 1952 */
    PS_PACK_BZIP2,
    PS_PACK_XZ,
    PS_PACK_ZSTANDARD,
    PS_PACK_LZ4,
    PS_PACK_SNAPPY,
};

/* It serves any number of blocks. */
struct ps_packer;

/* Returns NULL if there is no memory. */
struct ps_packer *ps_packer_open(enum ps_packing packing);
/* NULL is allowed. */
void ps_packer_close(struct ps_packer *packer);

/* Returns the compressed length; 0 if it is longer than `room`, or there is no memory. */
size_t ps_packer_pack(struct ps_packer *packer, const void *data, size_t length, void *to, size_t room);
/* Appends the compressed block to a buffer. Returns false if there is no memory. */
bool ps_packer_append(struct ps_packer *packer, const void *data, size_t length,
                      struct ps_byte_buffer *packed);
