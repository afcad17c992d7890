/* Decompression of batches from the native client's own codecs (Java reads them: tests/real/kafka_native_test.sh), cut, damaged,
 * and larger than expected or allowed. */
#include "stages/lib/kafka/wire/unpack.h"

#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

#define BUDGET_BYTES (UINT64_C(32) << 20)
#define PLAIN_BYTES (3U << 20)

struct bench {
    struct ps_depot *depot;
    struct ps_block_cache blocks;
    struct ps_kafka_unpacker *unpacker;
    char *plain;
};

static void setup(struct bench *bench)
{
    struct ps_err err = {0};
    uint64_t seed = ps_test_seed();
    bench->depot = ps_depot_create(BUDGET_BYTES, &err);
    assert_non_null(bench->depot);
    ps_block_cache_init(&bench->blocks, bench->depot);
    bench->unpacker = ps_kafka_unpacker_open();
    bench->plain = malloc(PLAIN_BYTES);
    assert_non_null(bench->plain);
    for (size_t i = 0; i < PLAIN_BYTES; i++)
        bench->plain[i] = (char)('a' + ps_test_random(&seed) % 4);
}

static void teardown(struct bench *bench)
{
    ps_kafka_unpacker_close(bench->unpacker);
    ps_block_cache_fini(&bench->blocks);
    assert_int_equal(ps_depot_used_bytes(bench->depot), 0); /* every block was given back */
    ps_depot_destroy(bench->depot);
    free(bench->plain);
}

static char *pack(const struct bench *bench, enum ps_kafka_compression codec, size_t length, size_t *packed)
{
    struct ps_kafka_compressor *compressor =
        ps_kafka_compressor_open(codec, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT);
    char *out = malloc(ps_kafka_compressed_bytes_max(compressor, length) + 1);
    assert_non_null(out);
    *packed = ps_kafka_compress(compressor, bench->plain, length, out);
    assert_true(*packed > 0);
    ps_kafka_compressor_close(compressor);
    return out;
}

static enum ps_kafka_unpack unpack(struct bench *bench, enum ps_kafka_compression codec, const char *data,
                                   size_t length, struct ps_block **block, uint32_t *out_length)
{
    *block = NULL;
    return ps_kafka_unpack(bench->unpacker, &bench->blocks, codec, data, (uint32_t)length, block, out_length);
}

/* A batch outgrows its block. The larger block fits the free memory, but the two together do not. Step 0: the whole budget is
 * free. Step 1: another block is in use. Step 2: the other block leaves too little, and the batch waits until it is smaller. */
static void test_grows_without_room_for_both(void **state)
{
    const uint32_t length = 20U << 20; /* the budget is 32 MiB */
    struct bench bench;
    struct ps_block *other, *block;
    uint32_t out_length;
    setup(&bench);
    bench.plain = realloc(bench.plain, length);
    assert_non_null(bench.plain);
    for (uint32_t i = 0; i < length; i++)
        bench.plain[i] = (char)('a' + i % 1000 / 100);
    for (enum ps_kafka_compression codec = PS_KAFKA_COMPRESSION_GZIP; codec < PS_KAFKA_COMPRESSIONS;
         codec++) {
        size_t packed;
        char *data = pack(&bench, codec, length, &packed);
        for (unsigned step = 0; step < 3; step++) {
            ps_kafka_unpacker_close(bench.unpacker); /* a new one knows no ratio */
            bench.unpacker = ps_kafka_unpacker_open();
            other =
                step == 0 ? NULL : ps_block_take_oversize(&bench.blocks, step == 1 ? 10U << 20 : 24U << 20);
            if (step == 2) {
                assert_int_equal(unpack(&bench, codec, data, packed, &block, &out_length),
                                 PS_KAFKA_UNPACK_NO_MEMORY);
                assert_int_equal(unpack(&bench, codec, data, packed, &block, &out_length),
                                 PS_KAFKA_UNPACK_NO_MEMORY);
                ps_block_drop(&bench.blocks, other);
                other = ps_block_take_oversize(&bench.blocks, 11U << 20);
            }
            assert_int_equal(unpack(&bench, codec, data, packed, &block, &out_length), PS_KAFKA_UNPACKED);
            assert_int_equal(out_length, length);
            assert_memory_equal(block->base, bench.plain, length);
            ps_block_drop(&bench.blocks, block);
            if (other != NULL)
                ps_block_drop(&bench.blocks, other);
        }
        ps_kafka_unpacker_forget(bench.unpacker);
        free(data);
    }
    teardown(&bench);
}

/* Raw snappy, as some clients write it. */
static void test_snappy_without_a_frame(void **state)
{
    struct bench bench;
    struct ps_block *block;
    uint32_t length;
    setup(&bench);
    size_t packed = snappy_max_compressed_length(500000);
    char *data = malloc(packed);
    assert_non_null(data);
    assert_int_equal(snappy_compress(bench.plain, 500000, data, &packed), SNAPPY_OK);
    assert_int_equal(unpack(&bench, PS_KAFKA_COMPRESSION_SNAPPY, data, packed, &block, &length),
                     PS_KAFKA_UNPACKED);
    assert_int_equal(length, 500000);
    assert_memory_equal(block->base, bench.plain, 500000);
    ps_block_drop(&bench.blocks, block);
    free(data);
    teardown(&bench);
}

/* Cut data are refused, or give fewer bytes (a frame that ends with whole blocks), never other bytes. */
static void test_cut(void **state)
{
    struct bench bench;
    setup(&bench);
    for (enum ps_kafka_compression codec = PS_KAFKA_COMPRESSION_GZIP; codec < PS_KAFKA_COMPRESSIONS;
         codec++) {
        size_t packed;
        char *data = pack(&bench, codec, 2000, &packed);
        for (size_t cut = 0; cut < packed; cut++) {
            char *copy = malloc(cut + 1);
            struct ps_block *block;
            uint32_t length;
            assert_non_null(copy);
            memcpy(copy, data, cut);
            enum ps_kafka_unpack outcome = unpack(&bench, codec, copy, cut, &block, &length);
            if (outcome == PS_KAFKA_UNPACKED) {
                assert_true(codec == PS_KAFKA_COMPRESSION_SNAPPY || cut == 0);
                assert_memory_equal(block->base, bench.plain, length);
                ps_block_drop(&bench.blocks, block);
            } else {
                assert_int_equal(outcome, PS_KAFKA_UNPACK_WRONG);
            }
            free(copy);
        }
        free(data);
    }
    teardown(&bench);
}

/* A few bytes that would become more than the whole budget, and more than is free now. */
static void test_bombs_and_lack_of_memory(void **state)
{
    struct bench bench;
    setup(&bench);
    size_t length = 64U << 20, packed;
    char *plain = bench.plain;
    bench.plain = calloc(length, 1);
    assert_non_null(bench.plain);
    for (enum ps_kafka_compression codec = PS_KAFKA_COMPRESSION_GZIP; codec < PS_KAFKA_COMPRESSIONS;
         codec++) {
        struct ps_block *block, *held[128];
        uint32_t count = 0, out_length;
        char *data = pack(&bench, codec, length, &packed);
        assert_int_equal(unpack(&bench, codec, data, packed, &block, &out_length), PS_KAFKA_UNPACK_TOO_LARGE);
        free(data);
        while (count < 128 && (held[count] = ps_block_take(&bench.blocks)) != NULL)
            count++;
        data = pack(&bench, codec, 1000, &packed);
        assert_int_equal(unpack(&bench, codec, data, packed, &block, &out_length), PS_KAFKA_UNPACK_NO_MEMORY);
        while (count > 0)
            ps_block_drop(&bench.blocks, held[--count]);
        assert_int_equal(unpack(&bench, codec, data, packed, &block, &out_length), PS_KAFKA_UNPACKED);
        ps_block_drop(&bench.blocks, block);
        free(data);
    }
    free(bench.plain);
    bench.plain = plain;
    teardown(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snappy_without_a_frame),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_bombs_and_lack_of_memory),
        cmocka_unit_test(test_grows_without_room_for_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
