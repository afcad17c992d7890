/* Blocks of Avro container files in all codecs: any bytes. Nothing may be read outside them, and the memory for a block
 * must not exceed the limit, whatever size the block claims; a packed block is unpacked to the same bytes. Input: the codec
 * (1 byte), then the block. */
#include "stages/lib/avro/codec/codec.h"
#include "stages/lib/avro/codec/packer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAIN_MAX 65536U

static bool grow(struct ps_avro_plain *plain, size_t room)
{
    PS_ASSERT(room <= plain->length_max);
    char *data = realloc(plain->data, room);
    PS_ASSERT(data != NULL);
    plain->data = data;
    plain->room = room;
    return true;
}

static void there_and_back(struct ps_avro_unpacker *unpacker, enum ps_avro_codec codec, const uint8_t *data,
                           size_t size)
{
    struct ps_byte_buffer packed = {.data = NULL};
    struct ps_avro_plain plain = {.length_max = size + 1, .grow = grow};
    struct ps_packer *packer = ps_avro_packer_open(codec);
    PS_ASSERT(packer != NULL && ps_avro_pack(packer, codec, (const char *)data, size, &packed));
    PS_ASSERT(ps_avro_unpack(unpacker, codec, (uint8_t *)packed.data, packed.length, &plain) ==
              PS_AVRO_UNPACKED);
    PS_ASSERT(plain.length == size && (size == 0 || memcmp(plain.data, data, size) == 0));
    ps_packer_close(packer);
    free(packed.data);
    free(plain.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_avro_unpacker unpacker = {.deflate = NULL};
    struct ps_avro_plain plain = {.length_max = PLAIN_MAX, .grow = grow};
    if (size == 0)
        return 0;
    enum ps_avro_codec codec = (enum ps_avro_codec)(1 + data[0] % (PS_AVRO_CODECS - 1));
    if (ps_avro_unpack(&unpacker, codec, data + 1, size - 1, &plain) == PS_AVRO_UNPACKED)
        PS_ASSERT(plain.length <= PLAIN_MAX && plain.length <= plain.room);
    free(plain.data);
    if (size - 1 <= PLAIN_MAX)
        there_and_back(&unpacker, codec, data + 1, size - 1);
    ps_avro_unpacker_close(&unpacker);
    return 0;
}
