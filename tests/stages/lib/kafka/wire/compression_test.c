/* Compressed record batches, unpacked by the codecs' own libraries. The tests of the sink read such batches with Kafka and
 * librdkafka. */
#include "stages/lib/kafka/wire/compression.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "core/crc32c.h"
#include "stages/lib/kafka/wire/batch_writer.h"
#include "stages/lib/kafka/wire/wire.h"
#include "tests/support/support.h"

#define PLAIN_BYTES_MAX (3U << 20)

static char unpacked[PLAIN_BYTES_MAX];

static size_t unpack_gzip(const char *data, size_t length)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)data,
                       .avail_in = (uInt)length,
                       .next_out = (unsigned char *)unpacked,
                       .avail_out = sizeof unpacked};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    return sizeof unpacked - stream.avail_out;
}

static size_t unpack_snappy(const char *data, size_t length)
{
    struct ps_wire_in in = {.at = data, .end = data + length};
    size_t at = 0;
    assert_memory_equal(ps_wire_take(&in, 8), "\x82SNAPPY\0", 8);
    assert_int_equal(ps_wire_get_int32(&in), 1);
    assert_int_equal(ps_wire_get_int32(&in), 1);
    while (in.at < in.end) {
        size_t block = (size_t)ps_wire_get_int32(&in), room = sizeof unpacked - at;
        const char *bytes = ps_wire_take(&in, block);
        assert_non_null(bytes);
        assert_int_equal(snappy_uncompress(bytes, block, unpacked + at, &room), SNAPPY_OK);
        assert_in_range(room, 1, 32768); /* Java's reader takes a block of the writer's size */
        at += room;
    }
    return at;
}

static size_t unpack_lz4(const char *data, size_t length)
{
    LZ4F_dctx *context;
    LZ4F_frameInfo_t info;
    size_t head = length, room = sizeof unpacked;
    assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
    assert_false(LZ4F_isError(LZ4F_getFrameInfo(context, &info, data, &head)));
    assert_int_equal(info.blockMode, LZ4F_blockIndependent);
    assert_int_equal(info.blockSizeID, LZ4F_max64KB);
    size_t from = head, at = 0, left = 1;
    while (left != 0 && from < length) {
        size_t taken = length - from;
        room = sizeof unpacked - at;
        left = LZ4F_decompress(context, unpacked + at, &room, data + from, &taken, NULL);
        assert_false(LZ4F_isError(left));
        from += taken;
        at += room;
    }
    assert_int_equal(left, 0);
    assert_int_equal(from, length);
    LZ4F_freeDecompressionContext(context);
    return at;
}

static size_t unpack(enum ps_kafka_compression codec, const char *data, size_t length)
{
    switch (codec) {
    case PS_KAFKA_COMPRESSION_GZIP:
        return unpack_gzip(data, length);
    case PS_KAFKA_COMPRESSION_SNAPPY:
        return unpack_snappy(data, length);
    case PS_KAFKA_COMPRESSION_LZ4:
        return unpack_lz4(data, length);
    case PS_KAFKA_COMPRESSION_ZSTD:
        return ZSTD_decompress(unpacked, sizeof unpacked, data, length);
    case PS_KAFKA_COMPRESSION_NONE:
    case PS_KAFKA_COMPRESSIONS:
        break;
    }
    fail_msg("no such codec");
    return 0;
}

/* Bytes of which about one in `every` is random. */
static void fill(char *data, size_t length, unsigned every)
{
    uint64_t random = 7;
    for (size_t i = 0; i < length; i++)
        data[i] = (char)(ps_test_random(&random) % every == 0 ? ps_test_random(&random) : i / 100);
}

/* Sizes around the blocks of snappy and lz4; one compressor for all of them. */
static void test_sizes(void **)
{
    static const size_t sizes[] = {0,     1,     100,   32767,   32768,          32769,
                                   65535, 65536, 65537, 1000000, PLAIN_BYTES_MAX};
    static char plain[PLAIN_BYTES_MAX];
    for (unsigned codec = PS_KAFKA_COMPRESSION_GZIP; codec < PS_KAFKA_COMPRESSIONS; codec++) {
        struct ps_kafka_compressor *compressor =
            ps_kafka_compressor_open((enum ps_kafka_compression)codec, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT);
        assert_non_null(compressor);
        assert_int_equal(ps_kafka_compressor_codec(compressor), codec);
        for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
            for (unsigned every = 1; every <= 64; every *= 8) {
                fill(plain, sizes[i], every);
                size_t most = ps_kafka_compressed_bytes_max(compressor, sizes[i]);
                char *packed = malloc(most); /* the exact size, for AddressSanitizer */
                assert_non_null(packed);
                size_t length = ps_kafka_compress(compressor, plain, sizes[i], packed);
                assert_in_range(length, 1, most);
                assert_int_equal(unpack((enum ps_kafka_compression)codec, packed, length), sizes[i]);
                assert_memory_equal(unpacked, plain, sizes[i]);
                free(packed);
            }
        }
        ps_kafka_compressor_close(compressor);
    }
}

static void test_levels(void **)
{
    static const struct {
        enum ps_kafka_compression codec;
        int low, high;
    } levels[] = {{PS_KAFKA_COMPRESSION_GZIP, 1, 9},
                  {PS_KAFKA_COMPRESSION_LZ4, 0, 12},
                  {PS_KAFKA_COMPRESSION_ZSTD, 1, 12}};
    static char plain[500000];
    fill(plain, sizeof plain, 8);
    for (size_t i = 0; i < PS_COUNT_OF(levels); i++) {
        size_t lengths[2];
        for (unsigned j = 0; j < 2; j++) {
            struct ps_kafka_compressor *compressor =
                ps_kafka_compressor_open(levels[i].codec, j == 0 ? levels[i].low : levels[i].high);
            assert_non_null(compressor);
            char *packed = malloc(ps_kafka_compressed_bytes_max(compressor, sizeof plain));
            assert_non_null(packed);
            lengths[j] = ps_kafka_compress(compressor, plain, sizeof plain, packed);
            assert_int_equal(unpack(levels[i].codec, packed, lengths[j]), sizeof plain);
            free(packed);
            ps_kafka_compressor_close(compressor);
        }
        assert_in_range(lengths[1], 1, lengths[0] - 1);
    }
}

static void test_names(void **)
{
    assert_int_equal(ps_kafka_compression_named("none"), PS_KAFKA_COMPRESSION_NONE);
    assert_int_equal(ps_kafka_compression_named("ZSTD"), PS_KAFKA_COMPRESSION_ZSTD);
    assert_int_equal(ps_kafka_compression_named("lz4"), PS_KAFKA_COMPRESSION_LZ4);
    assert_int_equal(ps_kafka_compression_named("lz"), PS_KAFKA_COMPRESSIONS);
    assert_int_equal(ps_kafka_compression_named(""), PS_KAFKA_COMPRESSIONS);
    assert_null(ps_kafka_compressor_open(PS_KAFKA_COMPRESSION_NONE, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT));
}

/* ---- batches ---- */

static void add(struct ps_kafka_native_batch *batch, const char *value, uint32_t length)
{
    bool no_memory = false;
    const struct ps_kafka_record record = {.value = value, .value_length = length, .timestamp_ms = 5};
    assert_true(ps_kafka_native_batch_add(batch, &record, 5, UINT32_MAX, &no_memory));
}

static void check_head(const struct ps_kafka_native_batch *batch, int16_t attributes)
{
    struct ps_wire_in in = {.at = batch->bytes, .end = batch->bytes + batch->length};
    assert_int_equal(ps_wire_get_int64(&in), 0);
    assert_int_equal(ps_wire_get_int32(&in), batch->length - 12);
    (void)ps_wire_get_int32(&in);
    assert_int_equal(ps_wire_get_int8(&in), 2);
    uint32_t checksum = (uint32_t)ps_wire_get_int32(&in);
    assert_int_equal(checksum, ps_crc32c(0, in.at, (size_t)(in.end - in.at)));
    assert_int_equal(ps_wire_get_int16(&in), attributes);
}

/* Batch after batch with one spare buffer: small, large, small. Records that do not shrink stay as they are. */
static void test_sets(void **)
{
    static char value[200000], noise[200000];
    const struct ps_kafka_native_producer_id nobody = {.id = -1, .epoch = -1};
    struct ps_byte_buffer spare = {0};
    fill(value, sizeof value, 64);
    fill(noise, sizeof noise, 1);
    struct ps_kafka_compressor *compressor =
        ps_kafka_compressor_open(PS_KAFKA_COMPRESSION_ZSTD, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT);
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make();
    static const uint32_t counts[] = {1, 10, 1, 4, 1};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        ps_kafka_native_batch_reset(batch, NULL);
        for (uint32_t j = 0; j < counts[i]; j++)
            add(batch, value, counts[i] == 1 ? 1000 : sizeof value);
        uint32_t plain = batch->length;
        char *before = malloc(plain);
        assert_non_null(before);
        memcpy(before, batch->bytes, plain);
        ps_kafka_native_batch_compress(batch, compressor, &spare);
        assert_int_equal(batch->plain_length, plain);
        assert_in_range(batch->length, PS_KAFKA_BATCH_HEAD_BYTES + 1, plain - 1);
        ps_kafka_native_batch_close(batch, &nobody, -1);
        check_head(batch, PS_KAFKA_COMPRESSION_ZSTD);
        assert_int_equal(unpack(batch->compression, batch->bytes + PS_KAFKA_BATCH_HEAD_BYTES,
                                batch->length - PS_KAFKA_BATCH_HEAD_BYTES),
                         plain - PS_KAFKA_BATCH_HEAD_BYTES);
        assert_memory_equal(unpacked, before + PS_KAFKA_BATCH_HEAD_BYTES, plain - PS_KAFKA_BATCH_HEAD_BYTES);
        free(before);
    }
    ps_kafka_native_batch_reset(batch, NULL);
    add(batch, noise, sizeof noise);
    uint32_t plain = batch->length;
    ps_kafka_native_batch_compress(batch, compressor, &spare);
    assert_int_equal(batch->length, plain);
    assert_int_equal(batch->plain_length, 0);
    ps_kafka_native_batch_close(batch, &nobody, -1);
    check_head(batch, PS_KAFKA_COMPRESSION_NONE);
    assert_memory_equal(batch->bytes + plain - 1 - sizeof noise, noise, sizeof noise);
    ps_kafka_native_batch_free(batch);
    ps_kafka_compressor_close(compressor);
    free(spare.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
