/* Decompressing blocks, which may be hostile. See codec.h. */
#include "stages/lib/avro/codec/codec.h"

#include <bzlib.h>
#include <limits.h>
#include <lzma.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define DEFLATE_WINDOW_BITS (-15) /* raw deflate, without a zlib header */
#define CRC_BYTES 4U
#define ROOM_MIN 1024U
#define XZ_MEMORY_MIN (UINT64_C(16) << 20) /* the memory that level 6, Java's default, needs, and some more */

void ps_avro_unpacker_close(struct ps_avro_unpacker *unpacker)
{
    if (unpacker->deflate != NULL)
        inflateEnd(unpacker->deflate);
    if (unpacker->xz != NULL)
        lzma_end(unpacker->xz);
    free(unpacker->deflate);
    free(unpacker->xz);
    ZSTD_freeDCtx(unpacker->zstandard);
    *unpacker = (struct ps_avro_unpacker){.deflate = NULL};
}

/* Makes more room when none is left: the first time an estimate from the compressed length, then twice as
 * much. */
static enum ps_avro_unpacked make_room(struct ps_avro_plain *plain, size_t packed_length)
{
    if (plain->room > plain->length)
        return PS_AVRO_UNPACKED;
    if (plain->room >= plain->length_max)
        return PS_AVRO_UNPACK_LONG;
    size_t room = plain->room > 0 ? 2 * plain->room : 4 * packed_length + ROOM_MIN;
    return plain->grow(plain, room < plain->length_max ? room : plain->length_max) ? PS_AVRO_UNPACKED
                                                                                   : PS_AVRO_UNPACK_LATER;
}

/* ---- deflate ---- */

static z_stream *deflate_ready(struct ps_avro_unpacker *unpacker)
{
    z_stream *stream = unpacker->deflate;
    if (stream != NULL)
        return inflateReset(stream) == Z_OK ? stream : NULL;
    stream = calloc(1, sizeof *stream);
    if (stream == NULL || inflateInit2(stream, DEFLATE_WINDOW_BITS) != Z_OK) {
        free(stream);
        return NULL;
    }
    unpacker->deflate = stream;
    return stream;
}

static enum ps_avro_unpacked unpack_deflate(struct ps_avro_unpacker *unpacker, const uint8_t *data,
                                            size_t length, struct ps_avro_plain *plain)
{
    z_stream *stream = deflate_ready(unpacker);
    if (stream == NULL)
        return PS_AVRO_UNPACK_LATER;
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    for (;;) {
        enum ps_avro_unpacked ready = make_room(plain, length);
        if (ready != PS_AVRO_UNPACKED)
            return ready;
        stream->next_out = (unsigned char *)plain->data + plain->length;
        stream->avail_out = (uInt)(plain->room - plain->length);
        int code = inflate(stream, Z_NO_FLUSH);
        plain->length = plain->room - stream->avail_out;
        if (code == Z_STREAM_END)
            return PS_AVRO_UNPACKED;
        if (code != Z_OK || (stream->avail_in == 0 && stream->avail_out > 0))
            return PS_AVRO_UNPACK_DAMAGED;
    }
}

/* ---- snappy ---- */

static enum ps_avro_unpacked unpack_snappy(const uint8_t *bytes, size_t length, struct ps_avro_plain *plain)
{
    const char *data = (const char *)bytes;
    size_t plain_length;
    if (length < CRC_BYTES ||
        snappy_uncompressed_length(data, length - CRC_BYTES, &plain_length) != SNAPPY_OK)
        return PS_AVRO_UNPACK_DAMAGED;
    if (plain_length > plain->length_max)
        return PS_AVRO_UNPACK_LONG;
    if ((plain->room < plain_length || plain->room == 0) &&
        !plain->grow(plain, plain_length > 0 ? plain_length : 1))
        return PS_AVRO_UNPACK_LATER;
    if (snappy_uncompress(data, length - CRC_BYTES, plain->data, &plain_length) != SNAPPY_OK)
        return PS_AVRO_UNPACK_DAMAGED;
    plain->length = plain_length;
    unsigned long crc = crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)plain->data, plain_length);
    for (unsigned i = 0; i < CRC_BYTES; i++) {
        if (bytes[length - CRC_BYTES + i] != (uint8_t)(crc >> (24 - 8 * i)))
            return PS_AVRO_UNPACK_CHECKSUM;
    }
    return PS_AVRO_UNPACKED;
}

/* ---- bzip2 ---- */

static enum ps_avro_unpacked run_bzip2(bz_stream *stream, size_t length, struct ps_avro_plain *plain)
{
    for (;;) {
        enum ps_avro_unpacked ready = make_room(plain, length);
        if (ready != PS_AVRO_UNPACKED)
            return ready;
        size_t room = plain->room - plain->length;
        stream->next_out = plain->data + plain->length;
        stream->avail_out = room < UINT_MAX ? (unsigned)room : UINT_MAX;
        unsigned before = stream->avail_out;
        int code = BZ2_bzDecompress(stream);
        plain->length += before - stream->avail_out;
        if (code == BZ_STREAM_END)
            return PS_AVRO_UNPACKED;
        if (code == BZ_MEM_ERROR)
            return PS_AVRO_UNPACK_LATER;
        if (code != BZ_OK || (stream->avail_in == 0 && stream->avail_out > 0))
            return PS_AVRO_UNPACK_DAMAGED; /* also when a checksum is wrong */
    }
}

static enum ps_avro_unpacked unpack_bzip2(const uint8_t *data, size_t length, struct ps_avro_plain *plain)
{
    bz_stream stream = {.next_in = (char *)(uintptr_t)data, .avail_in = (unsigned)length};
    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
        return PS_AVRO_UNPACK_LATER;
    enum ps_avro_unpacked result = run_bzip2(&stream, length, plain);
    BZ2_bzDecompressEnd(&stream);
    return result;
}

/* ---- xz ---- */

static lzma_stream *xz_ready(struct ps_avro_unpacker *unpacker, const struct ps_avro_plain *plain)
{
    static const lzma_stream none = LZMA_STREAM_INIT;
    uint64_t memory = plain->length_max > XZ_MEMORY_MIN ? plain->length_max : XZ_MEMORY_MIN;
    lzma_stream *stream = unpacker->xz;
    if (stream == NULL) {
        stream = unpacker->xz = calloc(1, sizeof *stream);
        if (stream == NULL)
            return NULL;
        *stream = none;
    }
    return lzma_stream_decoder(stream, memory, LZMA_CONCATENATED) == LZMA_OK ? stream : NULL;
}

static enum ps_avro_unpacked unpack_xz(struct ps_avro_unpacker *unpacker, const uint8_t *data, size_t length,
                                       struct ps_avro_plain *plain)
{
    lzma_stream *stream = xz_ready(unpacker, plain);
    if (stream == NULL)
        return PS_AVRO_UNPACK_LATER;
    stream->next_in = data;
    stream->avail_in = length;
    for (;;) {
        enum ps_avro_unpacked ready = make_room(plain, length);
        if (ready != PS_AVRO_UNPACKED)
            return ready;
        stream->next_out = (uint8_t *)plain->data + plain->length;
        stream->avail_out = plain->room - plain->length;
        lzma_ret code = lzma_code(stream, LZMA_FINISH);
        plain->length = plain->room - stream->avail_out;
        if (code == LZMA_STREAM_END)
            return PS_AVRO_UNPACKED;
        if (code == LZMA_MEMLIMIT_ERROR)
            return PS_AVRO_UNPACK_LONG;
        if (code == LZMA_MEM_ERROR)
            return PS_AVRO_UNPACK_LATER;
        if (code != LZMA_OK)
            return PS_AVRO_UNPACK_DAMAGED;
    }
}

/* ---- zstandard ---- */

/* Decompresses the frame in one call, which needs no memory for a window. Java's frames do not contain their
 * length, so with too little room the decompression begins again. */
static enum ps_avro_unpacked unpack_zstandard(struct ps_avro_unpacker *unpacker, const uint8_t *data,
                                              size_t length, struct ps_avro_plain *plain)
{
    unsigned long long known = ZSTD_getFrameContentSize(data, length);
    if (unpacker->zstandard == NULL && (unpacker->zstandard = ZSTD_createDCtx()) == NULL)
        return PS_AVRO_UNPACK_LATER;
    if (known == ZSTD_CONTENTSIZE_ERROR)
        return PS_AVRO_UNPACK_DAMAGED;
    if (known != ZSTD_CONTENTSIZE_UNKNOWN && known > plain->length_max)
        return PS_AVRO_UNPACK_LONG;
    if (known != ZSTD_CONTENTSIZE_UNKNOWN && known > plain->room && !plain->grow(plain, (size_t)known))
        return PS_AVRO_UNPACK_LATER;
    for (;;) {
        enum ps_avro_unpacked ready = make_room(plain, length);
        if (ready != PS_AVRO_UNPACKED)
            return ready;
        size_t got = ZSTD_decompressDCtx(unpacker->zstandard, plain->data, plain->room, data, length);
        if (!ZSTD_isError(got)) {
            plain->length = got;
            return PS_AVRO_UNPACKED;
        }
        if (ZSTD_getErrorCode(got) == ZSTD_error_checksum_wrong)
            return PS_AVRO_UNPACK_CHECKSUM;
        if (ZSTD_getErrorCode(got) != ZSTD_error_dstSize_tooSmall)
            return PS_AVRO_UNPACK_DAMAGED;
        plain->length = plain->room; /* so that make_room adds to the room */
        ready = make_room(plain, length);
        plain->length = 0;
        if (ready != PS_AVRO_UNPACKED)
            return ready;
    }
}

enum ps_avro_unpacked ps_avro_unpack(struct ps_avro_unpacker *unpacker, enum ps_avro_codec codec,
                                     const uint8_t *data, size_t length, struct ps_avro_plain *plain)
{
    plain->length = 0;
    if (length > UINT_MAX)
        return PS_AVRO_UNPACK_LONG;
    switch (codec) {
    case PS_AVRO_CODEC_DEFLATE:
        return unpack_deflate(unpacker, data, length, plain);
    case PS_AVRO_CODEC_SNAPPY:
        return unpack_snappy(data, length, plain);
    case PS_AVRO_CODEC_BZIP2:
        return unpack_bzip2(data, length, plain);
    case PS_AVRO_CODEC_XZ:
        return unpack_xz(unpacker, data, length, plain);
    case PS_AVRO_CODEC_ZSTANDARD:
        return unpack_zstandard(unpacker, data, length, plain);
    case PS_AVRO_CODEC_NULL:
    case PS_AVRO_CODECS:
        break;
    }
    return PS_AVRO_UNPACK_DAMAGED;
}
