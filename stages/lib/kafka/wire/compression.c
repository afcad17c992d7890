#include "stages/lib/kafka/wire/compression.h"

#include "stages/lib/kafka/wire/wire.h"
#include "stages/lib/least.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_WINDOW_BITS (15 + 16)
#define GZIP_MEMORY_LEVEL 8
#define SNAPPY_BLOCK_BYTES 32768U /* as in Java's SnappyOutputStream */
#define DATA_BYTES_MAX (1U << 30)

/* The head that Java's SnappyOutputStream writes: magic, version 1, compatible with version 1. Blocks follow,
 * each after its length. */
static const char snappy_head[16] = "\x82SNAPPY\0\0\0\0\1\0\0\0\1";

struct ps_kafka_compressor {
    enum ps_kafka_compression codec;
    z_stream deflate;
    ZSTD_CCtx *zstd;
    LZ4F_cctx *lz4;
    LZ4F_preferences_t lz4_preferences;
};

enum ps_kafka_compression ps_kafka_compression_named(const char *name)
{
    static const char *const names[PS_KAFKA_COMPRESSIONS] = {"none", "gzip", "snappy", "lz4", "zstd"};
    for (unsigned i = 0; i < PS_KAFKA_COMPRESSIONS; i++)
        if (strcasecmp(name, names[i]) == 0)
            return (enum ps_kafka_compression)i;
    return PS_KAFKA_COMPRESSIONS;
}

/* ---- life cycle ---- */

static bool open_zstd(struct ps_kafka_compressor *compressor, int level)
{
    compressor->zstd = ZSTD_createCCtx();
    return compressor->zstd != NULL &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd, ZSTD_c_compressionLevel,
                                                level == PS_KAFKA_COMPRESSION_LEVEL_DEFAULT ? 0 : level));
}

/* The blocks are independent, because Java reads no other frames. */
static bool open_lz4(struct ps_kafka_compressor *compressor, int level)
{
    compressor->lz4_preferences = (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = level == PS_KAFKA_COMPRESSION_LEVEL_DEFAULT ? 0 : level,
        .autoFlush = 1,
    };
    return !LZ4F_isError(LZ4F_createCompressionContext(&compressor->lz4, LZ4F_VERSION));
}

static bool open_library(struct ps_kafka_compressor *compressor, int level)
{
    switch (compressor->codec) {
    case PS_KAFKA_COMPRESSION_GZIP: /* level -1 is also zlib's default */
        return deflateInit2(&compressor->deflate, level, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    case PS_KAFKA_COMPRESSION_LZ4:
        return open_lz4(compressor, level);
    case PS_KAFKA_COMPRESSION_ZSTD:
        return open_zstd(compressor, level);
    case PS_KAFKA_COMPRESSION_SNAPPY:
        return true;
    case PS_KAFKA_COMPRESSION_NONE:
    case PS_KAFKA_COMPRESSIONS:
        break;
    }
    return false;
}

struct ps_kafka_compressor *ps_kafka_compressor_open(enum ps_kafka_compression codec, int level)
{
    struct ps_kafka_compressor *compressor = calloc(1, sizeof *compressor);
    if (compressor == NULL)
        return NULL;
    compressor->codec = codec;
    if (open_library(compressor, level))
        return compressor;
    ps_kafka_compressor_close(compressor);
    return NULL;
}

void ps_kafka_compressor_close(struct ps_kafka_compressor *compressor)
{
    if (compressor == NULL)
        return;
    if (compressor->codec == PS_KAFKA_COMPRESSION_GZIP)
        deflateEnd(&compressor->deflate);
    LZ4F_freeCompressionContext(compressor->lz4);
    ZSTD_freeCCtx(compressor->zstd);
    free(compressor);
}

enum ps_kafka_compression ps_kafka_compressor_codec(const struct ps_kafka_compressor *compressor)
{
    return compressor->codec;
}

/* ---- compressing ---- */

static size_t snappy_bytes_max(size_t length)
{
    size_t blocks = length / SNAPPY_BLOCK_BYTES + 1;
    return sizeof snappy_head +
           blocks * (sizeof(uint32_t) + snappy_max_compressed_length(SNAPPY_BLOCK_BYTES));
}

size_t ps_kafka_compressed_bytes_max(const struct ps_kafka_compressor *compressor, size_t length)
{
    if (length > DATA_BYTES_MAX)
        return 0;
    switch (compressor->codec) {
    case PS_KAFKA_COMPRESSION_GZIP:
        return deflateBound((z_stream *)(uintptr_t)&compressor->deflate, length);
    case PS_KAFKA_COMPRESSION_SNAPPY:
        return snappy_bytes_max(length);
    case PS_KAFKA_COMPRESSION_LZ4:
        return LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(length, &compressor->lz4_preferences);
    case PS_KAFKA_COMPRESSION_ZSTD:
        return ZSTD_compressBound(length);
    case PS_KAFKA_COMPRESSION_NONE:
    case PS_KAFKA_COMPRESSIONS:
        break;
    }
    return 0;
}

static size_t compress_gzip(z_stream *stream, const char *data, size_t length, char *out, size_t room)
{
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    stream->next_out = (unsigned char *)out;
    stream->avail_out = (uInt)room;
    size_t packed = deflate(stream, Z_FINISH) == Z_STREAM_END ? room - stream->avail_out : 0;
    /* deflateBound is only right for a stream that was reset */
    return deflateReset(stream) == Z_OK ? packed : 0;
}

static size_t compress_snappy(const char *data, size_t length, char *out)
{
    char *at = ps_wire_put_bytes(out, snappy_head, sizeof snappy_head);
    for (size_t from = 0; from < length; from += SNAPPY_BLOCK_BYTES) {
        size_t block = ps_least(length - from, SNAPPY_BLOCK_BYTES);
        size_t packed = snappy_max_compressed_length(block);
        if (snappy_compress(data + from, block, at + sizeof(uint32_t), &packed) != SNAPPY_OK)
            return 0;
        (void)ps_wire_put_int32(at, (int32_t)packed);
        at += sizeof(uint32_t) + packed;
    }
    return (size_t)(at - out);
}

static size_t compress_lz4(struct ps_kafka_compressor *compressor, const char *data, size_t length, char *out,
                           size_t room)
{
    size_t at = LZ4F_compressBegin(compressor->lz4, out, room, &compressor->lz4_preferences);
    if (LZ4F_isError(at))
        return 0;
    size_t packed = LZ4F_compressUpdate(compressor->lz4, out + at, room - at, data, length, NULL);
    if (LZ4F_isError(packed))
        return 0;
    at += packed;
    packed = LZ4F_compressEnd(compressor->lz4, out + at, room - at, NULL);
    return LZ4F_isError(packed) ? 0 : at + packed;
}

size_t ps_kafka_compress(struct ps_kafka_compressor *compressor, const char *data, size_t length, char *out)
{
    size_t room = ps_kafka_compressed_bytes_max(compressor, length), packed;
    if (room == 0)
        return 0;
    switch (compressor->codec) {
    case PS_KAFKA_COMPRESSION_GZIP:
        return compress_gzip(&compressor->deflate, data, length, out, room);
    case PS_KAFKA_COMPRESSION_SNAPPY:
        return compress_snappy(data, length, out);
    case PS_KAFKA_COMPRESSION_LZ4:
        return compress_lz4(compressor, data, length, out, room);
    case PS_KAFKA_COMPRESSION_ZSTD:
        packed = ZSTD_compress2(compressor->zstd, out, room, data, length);
        return ZSTD_isError(packed) ? 0 : packed;
    case PS_KAFKA_COMPRESSION_NONE:
    case PS_KAFKA_COMPRESSIONS:
        break;
    }
    return 0;
}
