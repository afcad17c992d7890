#include "stages/lib/orc/compression.h"

#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#define DEFLATE_LEVEL 6 /* Java's: orc.compression.strategy SPEED is 5, COMPRESSION is 6 */
#define ZSTD_LEVEL 3    /* orc.compression.zstd.level */

bool ps_orc_compression_find(const char *name, enum ps_orc_compression *compression)
{
    static const struct {
        const char *name;
        enum ps_orc_compression compression;
    } names[] = {{"NONE", PS_ORC_NONE},
                 {"ZLIB", PS_ORC_ZLIB},
                 {"SNAPPY", PS_ORC_SNAPPY},
                 {"LZ4", PS_ORC_LZ4},
                 {"ZSTD", PS_ORC_ZSTD}};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        if (strcasecmp(name, names[i].name) == 0) {
            *compression = names[i].compression;
            return true;
        }
    return false;
}

static void *open_deflate(void)
{
    z_stream *stream = calloc(1, sizeof(*stream));
    if (stream != NULL &&
        deflateInit2(stream, DEFLATE_LEVEL, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

bool ps_orc_compressor_open(struct ps_orc_compressor *compressor, enum ps_orc_compression kind,
                            uint32_t chunk_bytes)
{
    *compressor = (struct ps_orc_compressor){.kind = kind, .chunk_bytes = chunk_bytes};
    if (kind == PS_ORC_ZLIB)
        compressor->state = open_deflate();
    else if (kind == PS_ORC_ZSTD)
        compressor->state = ZSTD_createCCtx();
    else
        return true;
    return compressor->state != NULL;
}

void ps_orc_compressor_close(struct ps_orc_compressor *compressor)
{
    if (compressor->state == NULL)
        return;
    if (compressor->kind == PS_ORC_ZLIB) {
        deflateEnd(compressor->state);
        free(compressor->state);
    } else {
        ZSTD_freeCCtx(compressor->state);
    }
    compressor->state = NULL;
}

size_t ps_orc_compress_room(size_t length)
{
    return length + length / 6 + 256; /* Snappy needs the most room: 32 bytes and a sixth */
}

static size_t deflate_chunk(z_stream *stream, const uint8_t *bytes, size_t length, uint8_t *packed)
{
    if (deflateReset(stream) != Z_OK)
        return 0;
    stream->next_in = (Bytef *)(uintptr_t)bytes;
    stream->avail_in = (uInt)length;
    stream->next_out = packed;
    stream->avail_out = (uInt)length;
    return deflate(stream, Z_FINISH) == Z_STREAM_END ? length - stream->avail_out : 0;
}

static size_t zstd_chunk(ZSTD_CCtx *context, const uint8_t *bytes, size_t length, uint8_t *packed)
{
    size_t packed_length =
        ZSTD_compressCCtx(context, packed, ps_orc_compress_room(length), bytes, length, ZSTD_LEVEL);
    return ZSTD_isError(packed_length) ? 0 : packed_length;
}

static size_t snappy_chunk(const uint8_t *bytes, size_t length, uint8_t *packed)
{
    size_t packed_length = ps_orc_compress_room(length);
    return snappy_compress((const char *)bytes, length, (char *)packed, &packed_length) == SNAPPY_OK
               ? packed_length
               : 0;
}

size_t ps_orc_compress(struct ps_orc_compressor *compressor, const uint8_t *bytes, size_t length,
                       uint8_t *packed)
{
    size_t packed_length = 0;
    switch (compressor->kind) {
    case PS_ORC_NONE:
        break;
    case PS_ORC_ZLIB:
        packed_length = deflate_chunk(compressor->state, bytes, length, packed);
        break;
    case PS_ORC_SNAPPY:
        packed_length = snappy_chunk(bytes, length, packed);
        break;
    case PS_ORC_LZ4:
        packed_length = (size_t)LZ4_compress_default((const char *)bytes, (char *)packed, (int)length,
                                                     (int)ps_orc_compress_room(length));
        break;
    case PS_ORC_ZSTD:
        packed_length = zstd_chunk(compressor->state, bytes, length, packed);
        break;
    }
    return packed_length < length ? packed_length : 0;
}
