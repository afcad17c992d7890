/* The codecs of ORC files (ORC v1 specification, "Compression"): raw deflate, Snappy, LZ4 blocks and Zstandard frames. Each chunk
 * is compressed by itself.
 *
 * Thread: the owner's. One compressor serves all streams of a file, one call after the other. */
#pragma once

#include "core/base.h"

enum ps_orc_compression { /* the numbers of the PostScript */
                          PS_ORC_NONE = 0,
                          PS_ORC_ZLIB = 1,
                          PS_ORC_SNAPPY = 2,
                          PS_ORC_LZ4 = 4,
                          PS_ORC_ZSTD = 5,
};

/* Finds a codec by its name in orc.compress: "NONE", "ZLIB", "SNAPPY", "LZ4", "ZSTD"; case does not matter. Returns
 * false if there is no such codec. */
bool ps_orc_compression_find(const char *name, enum ps_orc_compression *compression);

struct ps_orc_compressor {
    enum ps_orc_compression kind;
    uint32_t chunk_bytes;     /* orc.compress.size: the plain length of a chunk at most */
    struct ps_packer *packer; /* NULL: chunks are not compressed */
};

/* Returns false when there is no memory. */
bool ps_orc_compressor_open(struct ps_orc_compressor *compressor, enum ps_orc_compression kind,
                            uint32_t chunk_bytes);
void ps_orc_compressor_close(struct ps_orc_compressor *compressor);

/* Returns the room that ps_orc_compress needs for this many bytes. */
size_t ps_orc_compress_room(size_t length);
/* Returns the compressed length, or 0 if the result is not shorter. */
size_t ps_orc_compress(struct ps_orc_compressor *compressor, const uint8_t *bytes, size_t length,
                       uint8_t *packed);
