/* Implements compression for codec.h. bzip2 streams and zstd frames are made by Avro's codecs
 * (stages/lib/avro/codec/codec.h), which have the same settings. */
#include "stages/lib/avro/codec/codec.h"
#include "stages/lib/hadoop/file/codec.h"

#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW_BITS (15 + 16)
#define ZLIB_WINDOW_BITS 15
#define ZLIB_MEMORY_LEVEL 8

/* Size of Hadoop's buffers of 256 KiB (io.compression.codec.lz4.buffersize, ..snappy.buffersize). The limits of plain bytes allow for
 * the growth of a block that does not shrink, as Lz4Codec and SnappyCodec compute it. */
#define BUFFER_BYTES 262144U
#define LZ4_PLAIN_MAX (BUFFER_BYTES - (BUFFER_BYTES / 255 + 16))
#define SNAPPY_PLAIN_MAX (BUFFER_BYTES - (BUFFER_BYTES / 6 + 32))
#define BLOCK_HEAD_BYTES 8U /* plain length, compressed length */

struct ps_hadoop_compressor {
    enum ps_hadoop_codec codec;
    z_stream deflate;
    struct ps_avro_packer *packer; /* bzip2, zstd */
};

static bool is_zlib(enum ps_hadoop_codec codec)
{
    return codec == PS_HADOOP_CODEC_DEFAULT || codec == PS_HADOOP_CODEC_DEFLATE ||
           codec == PS_HADOOP_CODEC_GZIP;
}

static bool open_library(struct ps_hadoop_compressor *compressor)
{
    if (is_zlib(compressor->codec))
        return deflateInit2(&compressor->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                            compressor->codec == PS_HADOOP_CODEC_GZIP ? GZIP_WINDOW_BITS : ZLIB_WINDOW_BITS,
                            ZLIB_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    if (compressor->codec == PS_HADOOP_CODEC_BZIP2)
        return (compressor->packer = ps_avro_packer_open(PS_AVRO_CODEC_BZIP2)) != NULL;
    if (compressor->codec == PS_HADOOP_CODEC_ZSTANDARD)
        return (compressor->packer = ps_avro_packer_open(PS_AVRO_CODEC_ZSTANDARD)) != NULL;
    return true;
}

struct ps_hadoop_compressor *ps_hadoop_compressor_open(enum ps_hadoop_codec codec)
{
    struct ps_hadoop_compressor *compressor = calloc(1, sizeof *compressor);
    if (compressor == NULL)
        return NULL;
    compressor->codec = codec;
    if (open_library(compressor))
        return compressor;
    free(compressor);
    return NULL;
}

void ps_hadoop_compressor_close(struct ps_hadoop_compressor *compressor)
{
    if (compressor == NULL)
        return;
    if (is_zlib(compressor->codec))
        deflateEnd(&compressor->deflate);
    ps_avro_packer_close(compressor->packer);
    free(compressor);
}

static bool pack_zlib(z_stream *stream, const void *data, size_t length, struct ps_byte_buffer *packed)
{
    if (deflateReset(stream) != Z_OK || !ps_byte_buffer_reserve(packed, deflateBound(stream, length)))
        return false;
    size_t room = packed->room - packed->length;
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    stream->next_out = (unsigned char *)packed->data + packed->length;
    stream->avail_out = room < UINT32_MAX ? (uInt)room : UINT32_MAX;
    size_t given = stream->avail_out;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    packed->length += given - stream->avail_out;
    return true;
}

/* Makes room at the end of the buffer, where Avro's packer then writes. */
static bool avro_grow(struct ps_avro_plain *plain, size_t room)
{
    struct ps_byte_buffer *packed = plain->owner;
    if (!ps_byte_buffer_reserve(packed, room))
        return false;
    plain->data = packed->data + packed->length;
    plain->room = packed->room - packed->length;
    return true;
}

static bool pack_avro(struct ps_avro_packer *packer, const void *data, size_t length,
                      struct ps_byte_buffer *packed)
{
    struct ps_avro_plain plain = {.length_max = SIZE_MAX, .grow = avro_grow, .owner = packed};
    if (!avro_grow(&plain, 1) || !ps_avro_pack(packer, data, length, &plain))
        return false;
    packed->length += plain.length;
    return true;
}

static void put_int(char *to, size_t number)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (char)(number >> (24 - 8 * i));
}

static bool pack_block(enum ps_hadoop_codec codec, const char *data, size_t length,
                       struct ps_byte_buffer *packed)
{
    bool lz4 = codec == PS_HADOOP_CODEC_LZ4;
    size_t most = lz4 ? (size_t)LZ4_compressBound((int)length) : snappy_max_compressed_length(length);
    if (!ps_byte_buffer_reserve(packed, BLOCK_HEAD_BYTES + most))
        return false;
    char *head = packed->data + packed->length, *block = head + BLOCK_HEAD_BYTES;
    if (lz4) {
        int block_length = LZ4_compress_default(data, block, (int)length, (int)most);
        if (block_length <= 0)
            return false;
        most = (size_t)block_length;
    } else if (snappy_compress(data, length, block, &most) != SNAPPY_OK) {
        return false;
    }
    put_int(head, length);
    put_int(head + 4, most);
    packed->length += BLOCK_HEAD_BYTES + most;
    return true;
}

static bool pack_blocks(enum ps_hadoop_codec codec, const char *data, size_t length,
                        struct ps_byte_buffer *packed)
{
    size_t plain_max = codec == PS_HADOOP_CODEC_LZ4 ? LZ4_PLAIN_MAX : SNAPPY_PLAIN_MAX;
    if (length == 0)
        return ps_byte_buffer_append(packed, "\0\0\0", 4);
    while (length > 0) {
        size_t part = length < plain_max ? length : plain_max;
        if (!pack_block(codec, data, part, packed))
            return false;
        data += part;
        length -= part;
    }
    return true;
}

bool ps_hadoop_pack(struct ps_hadoop_compressor *compressor, const void *data, size_t length,
                    struct ps_byte_buffer *packed)
{
    if (compressor->packer != NULL)
        return pack_avro(compressor->packer, data, length, packed);
    if (is_zlib(compressor->codec))
        return pack_zlib(&compressor->deflate, data, length, packed);
    return pack_blocks(compressor->codec, data, length, packed);
}
