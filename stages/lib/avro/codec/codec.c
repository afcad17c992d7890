/* The codecs' names, and compression. See codec.h. */
#include "stages/lib/avro/codec/codec.h"

#include "core/big_endian.h"
#include "stages/lib/avro/codec/packer.h"

#include <string.h>
#include <zlib.h>

const char *const ps_avro_codec_names[PS_AVRO_CODECS] = {"null",  "deflate", "snappy",
                                                         "bzip2", "xz",      "zstandard"};

bool ps_avro_codec_find(const char *name, size_t length, enum ps_avro_codec *codec)
{
    for (unsigned i = 0; i < PS_AVRO_CODECS; i++) {
        if (length != strlen(ps_avro_codec_names[i]) || memcmp(name, ps_avro_codec_names[i], length) != 0)
            continue;
        *codec = (enum ps_avro_codec)i;
        return true;
    }
    return false;
}

struct ps_packer *ps_avro_packer_open(enum ps_avro_codec codec)
{
    static const enum ps_packing packings[PS_AVRO_CODECS] = {
        [PS_AVRO_CODEC_DEFLATE] = PS_PACK_DEFLATE,     [PS_AVRO_CODEC_SNAPPY] = PS_PACK_SNAPPY,
        [PS_AVRO_CODEC_BZIP2] = PS_PACK_BZIP2,         [PS_AVRO_CODEC_XZ] = PS_PACK_XZ,
        [PS_AVRO_CODEC_ZSTANDARD] = PS_PACK_ZSTANDARD,
    };
    return ps_packer_open(packings[codec]);
}

bool ps_avro_pack(struct ps_packer *packer, enum ps_avro_codec codec, const char *data, size_t length,
                  struct ps_byte_buffer *packed)
{
    uint8_t sum[4];
    if (!ps_packer_append(packer, data, length, packed))
        return false;
    if (codec != PS_AVRO_CODEC_SNAPPY)
        return true;
    ps_big_endian_put_32(sum, (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const Bytef *)data, length));
    return ps_byte_buffer_append(packed, sum, sizeof sum);
}
