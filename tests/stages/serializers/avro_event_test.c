/* Serializer avro_event: files read back by a reader that is written only from the specification (Avro 1.11, "Object
 * Container Files"). tests/real reads them with Flume's own Avro. */
#include "tests/support/stage.h"

#include <bzlib.h>
#include <lzma.h>
#include <snappy-c.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

struct reader {
    const unsigned char *at, *end;
};

static uint64_t read_long(struct reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(reader->at < reader->end && shift < 64);
        number |= (uint64_t)(*reader->at & 0x7F) << shift;
        if ((*reader->at++ & 0x80) == 0)
            break;
    }
    assert_int_equal(number & 1, 0); /* no number here is negative */
    return number >> 1;
}

static const char *read_bytes(struct reader *reader, size_t *length)
{
    *length = read_long(reader);
    assert_true(*length <= (size_t)(reader->end - reader->at));
    const char *bytes = (const char *)reader->at;
    reader->at += *length;
    return bytes;
}

static void assert_bytes(struct reader *reader, const char *expected)
{
    size_t length;
    const char *bytes = read_bytes(reader, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(bytes, expected, length);
}

/* Returns the uncompressed bytes of a block; the caller frees them. */
static unsigned char *unpack(const char *codec, const char *packed, size_t packed_length, size_t *length)
{
    *length = 1 << 20;
    unsigned char *plain = malloc(*length);
    assert_non_null(plain);
    if (strcmp(codec, "null") == 0) {
        assert_true(packed_length <= *length);
        memcpy(plain, packed, packed_length);
        *length = packed_length;
    } else if (strcmp(codec, "deflate") == 0) {
        z_stream stream = {.next_in = (unsigned char *)(uintptr_t)packed,
                           .avail_in = (uInt)packed_length,
                           .next_out = plain,
                           .avail_out = (uInt)*length};
        assert_int_equal(inflateInit2(&stream, -15), Z_OK);
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        assert_int_equal(stream.avail_in, 0);
        *length = stream.total_out;
        inflateEnd(&stream);
    } else if (strcmp(codec, "bzip2") == 0) {
        unsigned plain_length = (unsigned)*length;
        assert_int_equal(BZ2_bzBuffToBuffDecompress((char *)plain, &plain_length, (char *)(uintptr_t)packed,
                                                    (unsigned)packed_length, 0, 0),
                         BZ_OK);
        *length = plain_length;
    } else if (strcmp(codec, "xz") == 0) {
        uint64_t memory = UINT64_MAX;
        size_t in = 0, out = 0;
        assert_int_equal(lzma_stream_buffer_decode(&memory, 0, NULL, (const uint8_t *)packed, &in,
                                                   packed_length, plain, &out, *length),
                         LZMA_OK);
        assert_int_equal(in, packed_length);
        *length = out;
    } else if (strcmp(codec, "zstandard") == 0) {
        *length = ZSTD_decompress(plain, *length, packed, packed_length);
        assert_false(ZSTD_isError(*length));
    } else {
        assert_true(packed_length > 4);
        assert_int_equal(snappy_uncompress(packed, packed_length - 4, (char *)plain, length), SNAPPY_OK);
        const unsigned char *sum = (const unsigned char *)packed + packed_length - 4;
        assert_int_equal(crc32(0, plain, (uInt)*length),
                         (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3]);
    }
    return plain;
}

/* Reads a whole file and compares it with the events. Returns the number of blocks. */
static size_t assert_file(struct ps_test_stage *stage, const char *data, size_t data_length,
                          const char *codec, const struct ps_lease *lease)
{
    struct reader reader = {(const unsigned char *)data, (const unsigned char *)data + data_length};
    assert_memory_equal(data, "Obj\x01", 4);
    reader.at += 4;
    assert_int_equal(read_long(&reader), 2);
    assert_bytes(&reader, "avro.schema");
    assert_bytes(
        &reader,
        "{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"headers\",\"type\":{\"type\":"
        "\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}");
    assert_bytes(&reader, "avro.codec");
    assert_bytes(&reader, codec);
    assert_int_equal(read_long(&reader), 0);
    const unsigned char *sync = reader.at;
    reader.at += 16;
    uint32_t position = 0;
    size_t blocks = 0;
    while (reader.at < reader.end) {
        uint64_t count = read_long(&reader);
        size_t length, plain_length;
        const char *packed = read_bytes(&reader, &length);
        unsigned char *plain = unpack(codec, packed, length, &plain_length);
        struct reader block = {plain, plain + plain_length};
        for (; count > 0; count--) {
            struct ps_test_event event = ps_test_lease_event(stage, lease, position++);
            uint64_t headers = read_long(&block);
            assert_int_equal(headers, ps_test_event_header_count(&event));
            for (uint64_t i = 0; i < headers; i++) {
                size_t name_length, value_length;
                const char *name = read_bytes(&block, &name_length);
                const char *value = read_bytes(&block, &value_length);
                const char *expected =
                    ps_test_event_header(&event, ps_arena_copy(stage->arena, name, name_length));
                assert_non_null(expected);
                assert_int_equal(value_length, strlen(expected));
                assert_memory_equal(value, expected, value_length);
            }
            if (headers > 0)
                assert_int_equal(read_long(&block), 0);
            size_t body_length;
            const char *body = read_bytes(&block, &body_length);
            assert_int_equal(body_length, event.length);
            assert_memory_equal(body, event.body, body_length);
        }
        assert_ptr_equal(block.at, block.end);
        free(plain);
        assert_true(reader.end - reader.at >= 16);
        assert_memory_equal(reader.at, sync, 16);
        reader.at += 16;
        blocks++;
    }
    assert_int_equal(position, lease->count);
    return blocks;
}

static void test_codecs(void **unused)
{
    static const char *const codecs[] = {"null", "deflate", "snappy", "bzip2", "xz", "zstandard"};
    for (size_t i = 0; i < PS_COUNT_OF(codecs); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_serializer_avro_event, PS_KEYS("compressionCodec", codecs[i]));
        for (int file = 0; file < 2; file++) {
            struct ps_lease *lease =
                PS_LEASE(&stage, PS_BODY("plain"), PS_EVENT("", "k", "v"), PS_BODY(""),
                         PS_EVENT("x", "timestamp", "1700000000000", "host", "", "\xc3\xa9", "\xe2\x82\xac"));
            assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("dc"), "NY", 2, true));
            size_t length;
            char *data = ps_test_serializer_run(&stage, lease, &length);
            assert_int_equal(assert_file(&stage, data, length, codecs[i], lease), 1);
            free(data);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_sync_interval(void **unused)
{
    static char body[1000];
    memset(body, 'b', sizeof body - 1);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_serializer_avro_event, PS_KEYS("syncIntervalBytes", "2500"));
    struct ps_test_event events[10];
    for (size_t i = 0; i < 10; i++)
        events[i] = PS_BODY(body);
    struct ps_lease *lease = ps_test_lease(&stage, events, 10);
    size_t length;
    char *data = ps_test_serializer_run(&stage, lease, &length);
    assert_int_equal(assert_file(&stage, data, length, "null", lease), 4); /* 3 + 3 + 3 + 1 */
    free(data);
    ps_test_stage_fini(&stage);
}

/* A megabyte fits in one block: Flume's default interval is 2,048,000 bytes. */
static void test_default_sync_interval(void **unused)
{
    static char body[1000];
    memset(body, 'b', sizeof body - 1);
    static struct ps_test_event events[1000];
    for (size_t i = 0; i < PS_COUNT_OF(events); i++)
        events[i] = PS_BODY(body);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_serializer_avro_event, NULL);
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_COUNT_OF(events));
    size_t length;
    char *data = ps_test_serializer_run(&stage, lease, &length);
    assert_int_equal(assert_file(&stage, data, length, "null", lease), 1);
    free(data);
    ps_test_stage_fini(&stage);
}

/* As in Avro's DataFileWriter: a block ends with the record that makes it as long as the interval. */
static void test_sync_interval_to_the_byte(void **unused)
{
    enum { RECORD_BYTES = 1 + 2 + 999 }; /* no headers, the body's length, the body */
    static char body[1000];
    memset(body, 'b', sizeof body - 1);
    static const struct {
        int interval;
        size_t blocks; /* blocks of 12 records */
    } cases[] = {{RECORD_BYTES, 12},         {RECORD_BYTES + 1, 6},     {3 * RECORD_BYTES - 1, 4},
                 {3 * RECORD_BYTES, 4},      {3 * RECORD_BYTES + 1, 3}, {12 * RECORD_BYTES, 1},
                 {12 * RECORD_BYTES + 1, 1}, {12 * RECORD_BYTES - 1, 1}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        char interval[16];
        snprintf(interval, sizeof interval, "%d", cases[i].interval);
        ps_test_stage_start(&stage, &ps_serializer_avro_event, PS_KEYS("syncIntervalBytes", interval));
        struct ps_test_event events[12];
        for (size_t k = 0; k < 12; k++)
            events[k] = PS_BODY(body);
        struct ps_lease *lease = ps_test_lease(&stage, events, 12);
        size_t length;
        char *data = ps_test_serializer_run(&stage, lease, &length);
        assert_int_equal(assert_file(&stage, data, length, "null", lease), cases[i].blocks);
        free(data);
        ps_test_stage_fini(&stage);
    }
}

struct text_output {
    struct ps_output output;
    FILE *stream;
};

static bool text_write(struct ps_output *output, const void *data, size_t length)
{
    return fwrite(data, 1, length, ((struct text_output *)output)->stream) == length;
}

/* A sink that could not write gives its events back, and begins another file, in which they are only once. */
static void test_block_that_was_given_up(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_serializer_avro_event, NULL);
    const struct ps_serializer_ops *ops = stage.ops->serializer;
    char *text;
    size_t length;
    struct text_output given_up = {{.write = text_write}, open_memstream(&text, &length)};
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"));
    assert_true(ops->begin(stage.plan, stage.state, &given_up.output));
    assert_true(
        ops->event(stage.plan, stage.state, lease->batch, ps_lease_event(lease, 0), &given_up.output));
    fclose(given_up.stream);
    free(text);
    lease = PS_LEASE(&stage, PS_BODY("b"));
    text = ps_test_serializer_run(&stage, lease, &length);
    assert_int_equal(assert_file(&stage, text, length, "null", lease), 1);
    free(text);
    ps_test_stage_fini(&stage);
}

static void test_keys(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_serializer_avro_event, PS_KEYS("compressionCodec", "brotli"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "brotli"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x"));
    size_t length;
    char *data = ps_test_serializer_run(&stage, lease, &length);
    assert_int_equal(assert_file(&stage, data, length, "null", lease), 1); /* as in Flume, not compressed */
    free(data);
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_serializer_avro_event);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("syncIntervalBytes", "31")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codecs),
        cmocka_unit_test(test_sync_interval),
        cmocka_unit_test(test_default_sync_interval),
        cmocka_unit_test(test_sync_interval_to_the_byte),
        cmocka_unit_test(test_block_that_was_given_up),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
