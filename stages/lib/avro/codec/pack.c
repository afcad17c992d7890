/* Compressing blocks. See codec.h. */
#include "stages/lib/avro/codec/codec.h"

#include <bzlib.h>
#include <lzma.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* The defaults of org.apache.avro.file.CodecFactory. */
#define XZ_LEVEL 6
#define ZSTANDARD_LEVEL 3
#define BZIP2_LEVEL 9

#define DEFLATE_WINDOW_BITS (-15) /* raw deflate, without a zlib header */
#define CRC_BYTES 4U

struct ps_avro_packer {
    enum ps_avro_codec codec;
    z_stream deflate;
    ZSTD_CCtx *zstandard;
};

struct ps_avro_packer *ps_avro_packer_open(enum ps_avro_codec codec)
{
    struct ps_avro_packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL)
        return NULL;
    packer->codec = codec;
    bool good = true;
    if (codec == PS_AVRO_CODEC_DEFLATE)
        good = deflateInit2(&packer->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW_BITS, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    else if (codec == PS_AVRO_CODEC_ZSTANDARD)
        good = (packer->zstandard = ZSTD_createCCtx()) != NULL;
    if (good)
        return packer;
    free(packer);
    return NULL;
}

void ps_avro_packer_close(struct ps_avro_packer *packer)
{
    if (packer == NULL)
        return;
    if (packer->codec == PS_AVRO_CODEC_DEFLATE)
        deflateEnd(&packer->deflate);
    ZSTD_freeCCtx(packer->zstandard);
    free(packer);
}

static bool make_room(struct ps_avro_plain *packed, size_t room)
{
    return packed->room >= room || packed->grow(packed, room);
}

static bool pack_deflate(struct ps_avro_packer *packer, const char *data, size_t length,
                         struct ps_avro_plain *packed)
{
    z_stream *stream = &packer->deflate;
    if (deflateReset(stream) != Z_OK || !make_room(packed, deflateBound(stream, length)))
        return false;
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    stream->next_out = (unsigned char *)packed->data;
    stream->avail_out = (uInt)packed->room;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    packed->length = packed->room - stream->avail_out;
    return true;
}

static bool pack_snappy(const char *data, size_t length, struct ps_avro_plain *packed)
{
    size_t packed_length = snappy_max_compressed_length(length);
    if (!make_room(packed, packed_length + CRC_BYTES) ||
        snappy_compress(data, length, packed->data, &packed_length) != SNAPPY_OK)
        return false;
    unsigned long crc = crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)data, length);
    for (unsigned i = 0; i < CRC_BYTES; i++)
        packed->data[packed_length + i] = (char)(crc >> (24 - 8 * i));
    packed->length = packed_length + CRC_BYTES;
    return true;
}

static bool pack_bzip2(const char *data, size_t length, struct ps_avro_plain *packed)
{
    size_t room = length + length / 100 + 600; /* the bound of the library's manual */
    if (!make_room(packed, room))
        return false;
    unsigned packed_length = (unsigned)packed->room;
    if (BZ2_bzBuffToBuffCompress(packed->data, &packed_length, (char *)(uintptr_t)data, (unsigned)length,
                                 BZIP2_LEVEL, 0, 0) != BZ_OK)
        return false;
    packed->length = packed_length;
    return true;
}

static bool pack_xz(const char *data, size_t length, struct ps_avro_plain *packed)
{
    packed->length = 0;
    return make_room(packed, lzma_stream_buffer_bound(length)) &&
           lzma_easy_buffer_encode(XZ_LEVEL, LZMA_CHECK_CRC32, NULL, (const uint8_t *)data, length,
                                   (uint8_t *)packed->data, &packed->length, packed->room) == LZMA_OK;
}

static bool pack_zstandard(struct ps_avro_packer *packer, const char *data, size_t length,
                           struct ps_avro_plain *packed)
{
    if (!make_room(packed, ZSTD_compressBound(length)))
        return false;
    packed->length =
        ZSTD_compressCCtx(packer->zstandard, packed->data, packed->room, data, length, ZSTANDARD_LEVEL);
    return !ZSTD_isError(packed->length);
}

bool ps_avro_pack(struct ps_avro_packer *packer, const char *data, size_t length,
                  struct ps_avro_plain *packed)
{
    if (length == 0)
        data =
            ""; /* the buffer of a block of empty records may be NULL, which the library of bzip2 refuses */
    switch (packer->codec) {
    case PS_AVRO_CODEC_DEFLATE:
        return pack_deflate(packer, data, length, packed);
    case PS_AVRO_CODEC_SNAPPY:
        return pack_snappy(data, length, packed);
    case PS_AVRO_CODEC_BZIP2:
        return pack_bzip2(data, length, packed);
    case PS_AVRO_CODEC_XZ:
        return pack_xz(data, length, packed);
    case PS_AVRO_CODEC_ZSTANDARD:
        return pack_zstandard(packer, data, length, packed);
    case PS_AVRO_CODEC_NULL:
    case PS_AVRO_CODECS:
        break;
    }
    return false;
}
