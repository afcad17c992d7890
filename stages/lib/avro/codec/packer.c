#include "stages/lib/avro/codec/packer.h"

#include <bzlib.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define BZIP2_LEVEL 9
#define XZ_LEVEL 6
#define ZSTANDARD_LEVEL 3
#define ZLIB_MEMORY_LEVEL 8 /* zlib's default */

struct ps_packer {
    enum ps_packing packing;
    z_stream deflate;
    ZSTD_CCtx *zstandard;
};

static bool is_zlib(const struct ps_packer *packer)
{
    return packer->packing <= PS_PACK_GZIP;
}

static bool open_library(struct ps_packer *packer)
{
    static const int window_bits[] = {
        [PS_PACK_ZLIB] = MAX_WBITS, [PS_PACK_DEFLATE] = -MAX_WBITS, [PS_PACK_GZIP] = MAX_WBITS + 16};
    if (is_zlib(packer))
        return deflateInit2(&packer->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits[packer->packing],
                            ZLIB_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    return packer->packing != PS_PACK_ZSTANDARD || (packer->zstandard = ZSTD_createCCtx()) != NULL;
}

struct ps_packer *ps_packer_open(enum ps_packing packing)
{
    struct ps_packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL)
        return NULL;
    packer->packing = packing;
    if (open_library(packer))
        return packer;
    free(packer);
    return NULL;
}

void ps_packer_close(struct ps_packer *packer)
{
    if (packer == NULL)
        return;
    if (is_zlib(packer))
        deflateEnd(&packer->deflate);
    ZSTD_freeCCtx(packer->zstandard);
    free(packer);
}

static size_t pack_zlib(z_stream *stream, const void *data, size_t length, void *to, size_t room)
{
    uInt given = room < UINT_MAX ? (uInt)room : UINT_MAX;
    if (deflateReset(stream) != Z_OK)
        return 0;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    stream->next_out = to;
    stream->avail_out = given;
    return deflate(stream, Z_FINISH) == Z_STREAM_END ? given - stream->avail_out : 0;
}

size_t ps_packer_pack(struct ps_packer *packer, const void *data, size_t length, void *to, size_t room)
{
    size_t packed = 0;
    unsigned packed_int = room < UINT_MAX ? (unsigned)room : UINT_MAX;
    if (length == 0)
        data = ""; /* an empty buffer may be NULL, which the library of bzip2 refuses */
    switch (packer->packing) {
    case PS_PACK_ZLIB:
    case PS_PACK_DEFLATE:
    case PS_PACK_GZIP:
        return pack_zlib(&packer->deflate, data, length, to, room);
    case PS_PACK_BZIP2:
        return BZ2_bzBuffToBuffCompress(to, &packed_int, (char *)(uintptr_t)data, (unsigned)length,
                                        BZIP2_LEVEL, 0, 0) == BZ_OK
                   ? packed_int
                   : 0;
    case PS_PACK_XZ:
        return lzma_easy_buffer_encode(XZ_LEVEL, LZMA_CHECK_CRC32, NULL, data, length, to, &packed, room) ==
                       LZMA_OK
                   ? packed
                   : 0;
    case PS_PACK_ZSTANDARD:
        packed = ZSTD_compressCCtx(packer->zstandard, to, room, data, length, ZSTANDARD_LEVEL);
        return ZSTD_isError(packed) ? 0 : packed;
    case PS_PACK_LZ4:
        return (size_t)LZ4_compress_default(data, to, (int)length, (int)room);
    case PS_PACK_SNAPPY:
        packed = room;
        return snappy_compress(data, length, to, &packed) == SNAPPY_OK ? packed : 0;
    }
    return 0;
}

/* Returns the greatest length that a block can have after compression. */
static size_t bound(struct ps_packer *packer, size_t length)
{
    switch (packer->packing) {
    case PS_PACK_ZLIB:
    case PS_PACK_DEFLATE:
    case PS_PACK_GZIP:
        return deflateBound(&packer->deflate, length);
    case PS_PACK_BZIP2:
        return length + length / 100 + 600; /* as the library's manual says */
    case PS_PACK_XZ:
        return lzma_stream_buffer_bound(length);
    case PS_PACK_ZSTANDARD:
        return ZSTD_compressBound(length);
    case PS_PACK_LZ4:
        return (size_t)LZ4_compressBound((int)length);
    case PS_PACK_SNAPPY:
        return snappy_max_compressed_length(length);
    }
    return length;
}

bool ps_packer_append(struct ps_packer *packer, const void *data, size_t length,
                      struct ps_byte_buffer *packed)
{
    if (!ps_byte_buffer_reserve(packed, bound(packer, length)))
        return false;
    size_t added =
        ps_packer_pack(packer, data, length, packed->data + packed->length, packed->room - packed->length);
    packed->length += added;
    return added > 0;
}
