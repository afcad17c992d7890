/* Implements compression for codec.h. */
#include "stages/lib/hadoop/file/codec.h"

#include "core/big_endian.h"
#include "stages/lib/avro/codec/packer.h"

/* Size of Hadoop's buffers of 256 KiB (io.compression.codec.lz4.buffersize, ..snappy.buffersize). The limits of plain bytes allow for
 * the growth of a block that does not shrink, as Lz4Codec and SnappyCodec compute it. */
#define BUFFER_BYTES 262144U
#define LZ4_PLAIN_MAX (BUFFER_BYTES - (BUFFER_BYTES / 255 + 16))
#define SNAPPY_PLAIN_MAX (BUFFER_BYTES - (BUFFER_BYTES / 6 + 32))
#define BLOCK_HEAD_BYTES 8U /* plain length, compressed length */

struct ps_packer *ps_hadoop_packer_open(enum ps_hadoop_codec codec)
{
    static const enum ps_packing packings[PS_HADOOP_CODECS] = {
        [PS_HADOOP_CODEC_DEFAULT] = PS_PACK_ZLIB,
        [PS_HADOOP_CODEC_DEFLATE] = PS_PACK_ZLIB,
        [PS_HADOOP_CODEC_GZIP] = PS_PACK_GZIP,
        [PS_HADOOP_CODEC_BZIP2] = PS_PACK_BZIP2,
        [PS_HADOOP_CODEC_LZ4] = PS_PACK_LZ4,
        [PS_HADOOP_CODEC_SNAPPY] = PS_PACK_SNAPPY,
        [PS_HADOOP_CODEC_ZSTANDARD] = PS_PACK_ZSTANDARD,
    };
    return ps_packer_open(packings[codec]);
}

static bool pack_block(struct ps_packer *packer, const char *data, size_t length,
                       struct ps_byte_buffer *packed)
{
    size_t at = packed->length;
    uint8_t head[BLOCK_HEAD_BYTES] = {0};
    if (!ps_byte_buffer_append(packed, head, sizeof head) || !ps_packer_append(packer, data, length, packed))
        return false;
    ps_big_endian_put_32(head, (uint32_t)length);
    ps_big_endian_put_32(head + 4, (uint32_t)(packed->length - at - sizeof head));
    memcpy(packed->data + at, head, sizeof head);
    return true;
}

bool ps_hadoop_pack(struct ps_packer *packer, enum ps_hadoop_codec codec, const void *bytes, size_t length,
                    struct ps_byte_buffer *packed)
{
    const char *data = bytes;
    if (codec != PS_HADOOP_CODEC_LZ4 && codec != PS_HADOOP_CODEC_SNAPPY)
        return ps_packer_append(packer, data, length, packed);
    size_t plain_max = codec == PS_HADOOP_CODEC_LZ4 ? LZ4_PLAIN_MAX : SNAPPY_PLAIN_MAX;
    if (length == 0)
        return ps_byte_buffer_append(packed, "\0\0\0", 4);
    while (length > 0) {
        size_t part = length < plain_max ? length : plain_max;
        if (!pack_block(packer, data, part, packed))
            return false;
        data += part;
        length -= part;
    }
    return true;
}
