/* Compressed batches, by the libraries of the formats, without the product's code. */
#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/world/peers/kafka/cluster.h"

#define BYTES ((size_t)4 << 20)
#define SNAPPY_HEAD 16 /* of Java's SnappyOutputStream: its blocks follow, each behind its length */

enum { GZIP = 1, SNAPPY, LZ4, ZSTD };

static unsigned char room[BYTES];

static bool gunzip(const unsigned char *bytes, size_t length, size_t *result)
{
    z_stream stream = {.next_in = (unsigned char *)bytes,
                       .avail_in = (uInt)length,
                       .next_out = room,
                       .avail_out = (uInt)BYTES};
    bool good = inflateInit2(&stream, 15 + 16) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END;
    *result = stream.total_out;
    inflateEnd(&stream);
    return good;
}

static bool gzip(const unsigned char *bytes, size_t length, size_t *result)
{
    z_stream stream = {.next_in = (unsigned char *)bytes,
                       .avail_in = (uInt)length,
                       .next_out = room,
                       .avail_out = (uInt)BYTES};
    bool good = deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK &&
                deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *result = stream.total_out;
    deflateEnd(&stream);
    return good;
}

static bool unsnap(const unsigned char *bytes, size_t length, size_t *result)
{
    struct kafka_in in = {.at = bytes, .end = bytes + length};
    *result = 0;
    if (length < SNAPPY_HEAD || memcmp(bytes, "\x82SNAPPY", 8) != 0)
        return false;
    kafka_get_bytes(&in, SNAPPY_HEAD);
    while (in.at < in.end && !in.bad) {
        int64_t block = kafka_get(&in, 4);
        const unsigned char *at = kafka_get_bytes(&in, block);
        size_t got = BYTES - *result;
        if (at == NULL ||
            snappy_uncompress((const char *)at, (size_t)block, (char *)room + *result, &got) != SNAPPY_OK)
            return false;
        *result += got;
    }
    return !in.bad;
}

static bool snap(const unsigned char *bytes, size_t length, size_t *result)
{
    static const unsigned char head[SNAPPY_HEAD] = "\x82SNAPPY\0\0\0\0\1\0\0\0\1";
    size_t got = BYTES - SNAPPY_HEAD - 4;
    if (snappy_compress((const char *)bytes, length, (char *)room + SNAPPY_HEAD + 4, &got) != SNAPPY_OK)
        return false;
    struct kafka_out out = {.bytes = room, .room = SNAPPY_HEAD + 4};
    kafka_put_bytes(&out, head, SNAPPY_HEAD);
    kafka_put(&out, (int64_t)got, 4);
    *result = SNAPPY_HEAD + 4 + got;
    return true;
}

static bool unlz4(const unsigned char *bytes, size_t length, size_t *result)
{
    LZ4F_dctx *context;
    size_t taken = length, left = 1;
    *result = BYTES;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return false;
    left = LZ4F_decompress(context, room, result, bytes, &taken, NULL);
    LZ4F_freeDecompressionContext(context);
    return left == 0 && taken == length;
}

const unsigned char *kafka_decompress(int codec, const unsigned char *bytes, size_t length, size_t *result)
{
    bool good = false;
    if (codec == GZIP)
        good = gunzip(bytes, length, result);
    else if (codec == SNAPPY)
        good = unsnap(bytes, length, result);
    else if (codec == LZ4)
        good = unlz4(bytes, length, result);
    else if (codec == ZSTD)
        good = !ZSTD_isError(*result = ZSTD_decompress(room, BYTES, bytes, length));
    return good ? room : NULL;
}

const unsigned char *kafka_compress(int codec, const unsigned char *bytes, size_t length, size_t *result)
{
    bool good = false;
    if (codec == GZIP)
        good = gzip(bytes, length, result);
    else if (codec == SNAPPY)
        good = snap(bytes, length, result);
    else if (codec == LZ4)
        good = !LZ4F_isError(*result = LZ4F_compressFrame(room, BYTES, bytes, length, NULL));
    else if (codec == ZSTD)
        good = !ZSTD_isError(*result = ZSTD_compress(room, BYTES, bytes, length, 3));
    if (!good)
        world_fatal("the model cannot compress with codec %d", codec);
    return room;
}
