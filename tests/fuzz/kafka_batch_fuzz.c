/* Record batches of a broker, and messages of old formats: heads, checksums, records, headers, and compressed records. Everything that is found lies within
 * the bytes, and nothing grows beyond the memory budget. */
#include "stages/lib/kafka/wire/record_batch.h"
#include "stages/lib/kafka/wire/unpack.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 65536U
#define BUDGET_BYTES (UINT64_C(8) << 20)

static void check_inside(const char *at, uint32_t length, const char *from, size_t size)
{
    PS_ASSERT(at == NULL ||
              (at >= from && (size_t)(at - from) <= size && length <= size - (size_t)(at - from)));
}

static void read_records(const struct ps_kafka_batch *batch, const char *records, size_t length)
{
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record;
    struct ps_slice value;
    ps_kafka_batch_begin(&cursor, batch, records, length);
    while (cursor.left > 0 && ps_kafka_batch_next(&cursor, &record)) {
        PS_ASSERT(record.offset >= batch->base_offset && record.offset <= batch->last_offset);
        check_inside(record.key, record.key_length, records, length);
        check_inside(record.value, record.value_length, records, length);
        ps_kafka_batch_header(&record, "h", &value);
        check_inside(value.data, value.length, records, length);
        (void)ps_kafka_batch_is_abort(&record);
    }
}

static void read_batch(const struct ps_kafka_batch *batch, struct ps_kafka_unpacker *unpacker,
                       struct ps_block_cache *blocks)
{
    struct ps_block *block;
    uint32_t length;
    (void)ps_kafka_batch_is_intact(batch);
    if (batch->compression == PS_KAFKA_COMPRESSION_NONE) {
        read_records(batch, batch->records, batch->records_length);
        return;
    }
    if (ps_kafka_unpack(unpacker, blocks, batch->compression, batch->records, batch->records_length, &block,
                        &length) != PS_KAFKA_UNPACKED)
        return;
    PS_ASSERT(length <= block->size);
    read_records(batch, block->base, length);
    ps_block_drop(blocks, block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_err err = {0};
    if (size > MOST)
        return 0;
    struct ps_depot *depot = ps_depot_create(BUDGET_BYTES, &err);
    struct ps_kafka_unpacker *unpacker = ps_kafka_unpacker_open();
    struct ps_block_cache blocks;
    char *bytes = malloc(size + 1);
    PS_ASSERT(depot != NULL && unpacker != NULL && bytes != NULL);
    ps_block_cache_init(&blocks, depot);
    if (size > 0)
        memcpy(bytes, data, size);
    const char *at = bytes, *end = bytes + size;
    struct ps_kafka_batch batch;
    while (ps_kafka_batch_read(&batch, at, end) == PS_KAFKA_BATCH_WHOLE) {
        PS_ASSERT(batch.length > 0 && batch.length <= (size_t)(end - at));
        read_batch(&batch, unpacker, &blocks);
        at += batch.length;
    }
    ps_kafka_unpacker_close(unpacker);
    ps_block_cache_fini(&blocks);
    PS_ASSERT(ps_depot_used_bytes(depot) == 0);
    ps_depot_destroy(depot);
    free(bytes);
    return 0;
}
