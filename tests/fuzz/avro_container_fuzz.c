/* Avro container files: any bytes as header and blocks. Nothing may be read outside them, and what a header or a block claims to
 * have must be inside. Input: how many bytes are there at first (1 byte, in 256ths), then the file. */
#include "stages/lib/avro/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DATA_MAX 65536U

static void blocks(const struct ps_avro_container *container, const uint8_t *at, const uint8_t *end)
{
    struct ps_avro_block block;
    while (ps_avro_container_block(container, at, (size_t)(end - at), DATA_MAX, &block) ==
           PS_AVRO_CONTAINER_OK) {
        PS_ASSERT(block.record_count >= 0 && block.data_length <= DATA_MAX);
        PS_ASSERT(block.data >= at &&
                  block.data + block.data_length + PS_AVRO_SYNC_BYTES == at + block.length);
        PS_ASSERT(at + block.length <= end);
        at += block.length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_avro_container container, again;
    struct ps_slice value;
    if (size == 0)
        return 0;
    size_t first = (size - 1) * data[0] / 256;
    data++;
    size--;
    enum ps_avro_container_result part = ps_avro_container_open(data, first, &again);
    enum ps_avro_container_result whole = ps_avro_container_open(data, size, &container);
    /* More bytes change no answer but "more". */
    PS_ASSERT(part == PS_AVRO_CONTAINER_SHORT || part == whole);
    if (whole != PS_AVRO_CONTAINER_OK)
        return 0;
    PS_ASSERT(container.length <= size && (part != whole || again.length == container.length));
    if (ps_avro_container_meta(&container, "avro.codec", &value))
        PS_ASSERT((const uint8_t *)value.data + value.length <= data + container.length);
    blocks(&container, data + container.length, data + size);
    const uint8_t *sync = ps_avro_container_sync(&container, data, size);
    PS_ASSERT(sync != NULL && sync <= data + container.length);
    return 0;
}
