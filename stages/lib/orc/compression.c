#include "stages/lib/orc/compression.h"

#include "stages/lib/avro/codec/packer.h"

#include <strings.h>

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

bool ps_orc_compressor_open(struct ps_orc_compressor *compressor, enum ps_orc_compression kind,
                            uint32_t chunk_bytes)
{
    static const enum ps_packing packings[] = {[PS_ORC_ZLIB] = PS_PACK_DEFLATE,
                                               [PS_ORC_SNAPPY] = PS_PACK_SNAPPY,
                                               [PS_ORC_LZ4] = PS_PACK_LZ4,
                                               [PS_ORC_ZSTD] = PS_PACK_ZSTANDARD};
    *compressor = (struct ps_orc_compressor){.kind = kind, .chunk_bytes = chunk_bytes};
    if (kind != PS_ORC_NONE)
        compressor->packer = ps_packer_open(packings[kind]);
    return kind == PS_ORC_NONE || compressor->packer != NULL;
}

void ps_orc_compressor_close(struct ps_orc_compressor *compressor)
{
    ps_packer_close(compressor->packer);
    compressor->packer = NULL;
}

size_t ps_orc_compress_room(size_t length)
{
    return length + length / 6 + 256; /* Snappy needs the most room: 32 bytes and a sixth */
}

size_t ps_orc_compress(struct ps_orc_compressor *compressor, const uint8_t *bytes, size_t length,
                       uint8_t *packed)
{
    size_t packed_length =
        compressor->kind == PS_ORC_NONE
            ? 0
            : ps_packer_pack(compressor->packer, bytes, length, packed, ps_orc_compress_room(length));
    return packed_length < length ? packed_length : 0;
}
