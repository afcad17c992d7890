/* Blocks of an Avro container file. See blocks.h. */
#include "stages/lib/avro/blocks.h"

#include "stages/lib/avro/binary.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_BYTES_MAX (8U * 1024U * 1024U)

static bool output_bytes(struct ps_output *output, const char *data, size_t length)
{
    char head[PS_AVRO_LONG_BYTES_MAX];
    return output->write(output, head, ps_avro_put_long(head, (int64_t)length)) &&
           output->write(output, data, length);
}

bool ps_avro_blocks_begin(struct ps_avro_blocks *blocks, const char *schema, size_t schema_length,
                          struct ps_output *output)
{
    blocks->count = 0;
    ps_byte_buffer_clear_spare(&blocks->block, &blocks->share->spare, SPARE_BYTES_MAX);
    for (size_t i = 0; i < PS_AVRO_SYNC_BYTES; i += sizeof(uint64_t)) {
        uint64_t word = ps_random_next(&blocks->share->random);
        memcpy(blocks->sync + i, &word, sizeof word);
    }
    const char *codec = ps_avro_codec_names[blocks->codec];
    return output->write(output, "Obj\x01\x04", 5) && output_bytes(output, "avro.schema", 11) &&
           output_bytes(output, schema, schema_length) && output_bytes(output, "avro.codec", 10) &&
           output_bytes(output, codec, strlen(codec)) && output->write(output, "\0", 1) &&
           output->write(output, blocks->sync, PS_AVRO_SYNC_BYTES);
}

/* Returns the block as the file has it: in the shared buffer if it is compressed. */
static bool block_pack(struct ps_avro_blocks *blocks, struct ps_slice *body)
{
    struct ps_byte_buffer *packed = &blocks->share->packed;
    struct ps_packer *packer = ps_avro_share_packer(blocks->share, blocks->codec);
    if (packer == NULL ||
        !ps_avro_pack(packer, blocks->codec, blocks->block.data, blocks->block.length, packed))
        return false;
    *body = (struct ps_slice){packed->data, (uint32_t)packed->length};
    return true;
}

bool ps_avro_blocks_flush(struct ps_avro_blocks *blocks, struct ps_output *output)
{
    if (blocks->count == 0)
        return true;
    struct ps_slice body = {blocks->block.data, (uint32_t)blocks->block.length};
    char head[PS_AVRO_LONG_BYTES_MAX];
    bool good = (blocks->codec == PS_AVRO_CODEC_NULL || block_pack(blocks, &body)) &&
                output->write(output, head, ps_avro_put_long(head, (int64_t)blocks->count)) &&
                output_bytes(output, body.data, body.length) &&
                output->write(output, blocks->sync, PS_AVRO_SYNC_BYTES);
    blocks->count = 0;
    ps_byte_buffer_clear_spare(&blocks->block, &blocks->share->spare, SPARE_BYTES_MAX);
    ps_byte_buffer_clear(&blocks->share->packed, SPARE_BYTES_MAX);
    return good;
}

bool ps_avro_blocks_added(struct ps_avro_blocks *blocks, struct ps_output *output)
{
    blocks->count++;
    return blocks->block.length < blocks->interval_bytes || ps_avro_blocks_flush(blocks, output);
}

void ps_avro_blocks_fini(struct ps_avro_blocks *blocks)
{
    free(blocks->block.data);
}
