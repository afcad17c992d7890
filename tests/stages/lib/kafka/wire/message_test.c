/* Messages of the formats 0 and 1, from the logs of a real Kafka 0.10.2: that of its console producer, with each codec. Format 0 with lz4 has
 * the checksum of KAFKA-3160. (tests/real/kafka_0_10_test.sh reads more of them.) */
#include "stages/lib/kafka/wire/record_batch.h"
#include "stages/lib/kafka/wire/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "stages/lib/kafka/wire/wire.h"
#include "tests/support/support.h"

#define BUDGET_BYTES (UINT64_C(8) << 20)
#define RECORDS 3
#define LONG_VALUE 60U
#define MAGIC_AT 16U
#define ATTRIBUTES_AT 17U
#define STAMP_AT 18U

/* Three records: k1 = "one", k2 = 60 times "v", k3 = "three". */
static const struct log {
    uint8_t magic;
    enum ps_kafka_compression codec;
    const char *hex;
} logs[] = {
    {0, PS_KAFKA_COMPRESSION_NONE,
     "000000000000000000000013d3ef6f4d0000000000026b31000000036f6e6500000000000000010000004cb39c69a400"
     "00000000026b320000003c76767676767676767676767676767676767676767676767676767676767676767676767676"
     "767676767676767676767676767676767676767676767600000000000000020000001505cff93e0000000000026b3300"
     "0000057468726565"},
    {0, PS_KAFKA_COMPRESSION_GZIP,
     "00000000000000020000005c6086f0b60001ffffffff0000004e1f8b08000000000000ff63608003e1cbeff37dc12ca6"
     "6c4320c99c9f970a956204629fcd73329740a58d80a44d1905006a2e13108bb29eff690735d71848b2966414a5a60200"
     "b9a5344298000000"},
    {0, PS_KAFKA_COMPRESSION_SNAPPY,
     "000000000000000200000074133a1c530002ffffffff0000006682534e41505059000000000100000001000000529801"
     "000019011013d3ef6f4d050f24026b31000000036f6e65050f280000010000004cb39c69a405101c026b320000003c76"
     "ea01000548280000020000001505cff93e05102c026b33000000057468726565"},
    {0, PS_KAFKA_COMPRESSION_LZ4,
     "00000000000000020000007047fa492e0003ffffffff0000006204224d1860401a53000000160001005113d3ef6f4d0f"
     "00a1026b31000000036f6e650f00b00000010000004cb39c69a40d009f00026b320000003c76010028014800b0000002"
     "0000001505cff93e0d00d000026b3300000005746872656500000000"},
    {1, PS_KAFKA_COMPRESSION_NONE,
     "00000000000000000000001bef9bf86f0100000001a22a986aa1000000026b31000000036f6e65000000000000000100"
     "0000544db6a4550100000001a22a986aad000000026b320000003c767676767676767676767676767676767676767676"
     "767676767676767676767676767676767676767676767676767676767676767676767676767676000000000000000200"
     "00001d42fce2b70100000001a22a986aae000000026b33000000057468726565"},
    {1, PS_KAFKA_COMPRESSION_GZIP,
     "000000000000000200000072b8b61a3f0101000001a22a987ea2ffffffff0000005c1f8b08000000000000ff63608003"
     "e90b622c698c4006e322ad197599400653b6219064cecf4b852a01c986ccaf303e0657361faccc0848da945100a0e633"
     "01b16c637bff59b8f98bc0e61b0349d6928ca2d4540088004f70b0000000"},
    {1, PS_KAFKA_COMPRESSION_SNAPPY,
     "00000000000000020000008347121cf50102000001a22a989a74ffffffff0000006d82534e4150505900000000010000"
     "000100000059b001000019016c1b8a65c2da0100000001a22a989a28000000026b31000000036f6e650d26011e1054d2"
     "fb2cd0010905270074052714320000003c76ea01000d6020020000001dfcd378903a60002433000000057468726565"},
    {1, PS_KAFKA_COMPRESSION_LZ4,
     "0000000000000002000000846911c4760103000001a22a98ac5dffffffff0000006e04224d186040825f000000160001"
     "00f30d1bb950ce9d0100000001a22a98abed000000026b31000000036f6e652600001e005054eb9c6eda090000270021"
     "ac5a27006f320000003c7601002803600095020000001da85111bc6000115d6000a03300000005746872656500000000"},
};

struct bytes {
    char at[512];
    uint32_t length;
};

static struct bytes read_hex(const char *hex)
{
    struct bytes bytes = {.length = (uint32_t)strlen(hex) / 2};
    assert_in_range(bytes.length, 1, sizeof bytes.at);
    for (uint32_t i = 0; i < bytes.length; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes.at[i] = (char)strtoul(digits, NULL, 16);
    }
    return bytes;
}

struct bench {
    struct ps_depot *depot;
    struct ps_block_cache blocks;
    struct ps_kafka_unpacker *unpacker;
};

static void setup(struct bench *bench)
{
    struct ps_err err = {0};
    bench->depot = ps_depot_create(BUDGET_BYTES, &err);
    assert_non_null(bench->depot);
    ps_block_cache_init(&bench->blocks, bench->depot);
    bench->unpacker = ps_kafka_unpacker_open();
}

static void teardown(struct bench *bench)
{
    ps_kafka_unpacker_close(bench->unpacker);
    ps_block_cache_fini(&bench->blocks);
    ps_depot_destroy(bench->depot);
}

static void check_record(const struct ps_kafka_batch_record *record, unsigned n, int64_t offset)
{
    static const char *const keys[RECORDS] = {"k1", "k2", "k3"}, *const values[RECORDS] = {"one", NULL,
                                                                                           "three"};
    struct ps_slice header;
    assert_int_equal(record->offset, offset);
    assert_int_equal(record->key_length, 2);
    assert_memory_equal(record->key, keys[n], 2);
    assert_int_equal(record->value_length, values[n] != NULL ? strlen(values[n]) : LONG_VALUE);
    if (values[n] != NULL)
        assert_memory_equal(record->value, values[n], record->value_length);
    ps_kafka_batch_header(record, "h", &header);
    assert_null(header.data);
}

/* Reads a log, whose first record has offset `base`. Returns the number of records; *stamp_ms is the time of the last one. */
static unsigned read_log(struct bench *bench, const struct bytes *bytes, int64_t base, int64_t *stamp_ms)
{
    unsigned count = 0;
    struct ps_kafka_batch batch;
    for (const char *at = bytes->at, *end = at + bytes->length; at < end; at += batch.length) {
        struct ps_block *block = NULL;
        struct ps_kafka_batch_cursor cursor;
        struct ps_kafka_batch_record record;
        assert_int_equal(ps_kafka_batch_read(&batch, at, end), PS_KAFKA_BATCH_WHOLE);
        assert_false(batch.transactional || batch.control);
        assert_int_equal(batch.leader_epoch, -1);
        const char *records = batch.records;
        uint32_t length = batch.records_length;
        if (batch.compression != PS_KAFKA_COMPRESSION_NONE) {
            assert_int_equal(ps_kafka_unpack(bench->unpacker, &bench->blocks, batch.compression, records,
                                             length, &block, &length),
                             PS_KAFKA_UNPACKED);
            records = block->base;
        }
        ps_kafka_batch_begin(&cursor, &batch, records, length);
        while (cursor.left > 0) {
            assert_true(ps_kafka_batch_next(&cursor, &record));
            check_record(&record, count, base + count);
            *stamp_ms = record.timestamp_ms;
            count++;
        }
        assert_int_equal(batch.last_offset, record.offset);
        if (block != NULL)
            ps_block_drop(&bench->blocks, block);
    }
    return count;
}

static void test_every_format_and_codec(void **state)
{
    struct bench bench;
    setup(&bench);
    for (size_t i = 0; i < PS_COUNT_OF(logs); i++) {
        struct bytes bytes = read_hex(logs[i].hex);
        struct ps_kafka_batch batch;
        int64_t stamp_ms;
        assert_int_equal(ps_kafka_batch_read(&batch, bytes.at, bytes.at + bytes.length),
                         PS_KAFKA_BATCH_WHOLE);
        assert_int_equal(batch.magic, logs[i].magic);
        assert_int_equal(batch.compression, logs[i].codec);
        assert_true(ps_kafka_batch_is_intact(&batch));
        assert_int_equal(read_log(&bench, &bytes, 0, &stamp_ms), RECORDS);
        if (logs[i].magic == 0)
            assert_int_equal(stamp_ms, -1);
        else
            assert_in_range(stamp_ms, INT64_C(1796000000000), INT64_C(1797000000000));
    }
    teardown(&bench);
}

/* In format 1 the offsets inside a compressed message are relative; in format 0 they are those of the log. */
static void test_offsets_inside(void **state)
{
    struct bench bench;
    setup(&bench);
    for (size_t i = 0; i < PS_COUNT_OF(logs); i++) {
        struct bytes bytes = read_hex(logs[i].hex);
        int64_t stamp_ms, base = logs[i].magic == 1 ? 1000 : 0;
        if (logs[i].codec == PS_KAFKA_COMPRESSION_NONE)
            continue;
        (void)ps_wire_put_int64(bytes.at, 1000 + RECORDS - 1);
        if (base > 0)
            assert_int_equal(read_log(&bench, &bytes, base, &stamp_ms), RECORDS);
    }
    teardown(&bench);
}

/* With LogAppendTime the time of a compressed message is that of all its records. */
static void test_append_time(void **state)
{
    struct bench bench;
    setup(&bench);
    for (size_t i = 0; i < PS_COUNT_OF(logs); i++) {
        struct bytes bytes = read_hex(logs[i].hex);
        int64_t stamp_ms;
        if (logs[i].magic == 0 || logs[i].codec == PS_KAFKA_COMPRESSION_NONE)
            continue;
        bytes.at[ATTRIBUTES_AT] = (char)(bytes.at[ATTRIBUTES_AT] | 0x08);
        (void)ps_wire_put_int64(bytes.at + STAMP_AT, 777);
        assert_int_equal(read_log(&bench, &bytes, 0, &stamp_ms), RECORDS);
        assert_int_equal(stamp_ms, 777);
    }
    teardown(&bench);
}

/* The last message of an answer may be cut at any byte. */
static void test_cut_at_every_byte(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(logs); i++) {
        struct bytes bytes = read_hex(logs[i].hex);
        struct ps_kafka_batch batch;
        assert_int_equal(ps_kafka_batch_read(&batch, bytes.at, bytes.at + bytes.length),
                         PS_KAFKA_BATCH_WHOLE);
        for (uint32_t length = 0; length < batch.length; length++) {
            struct ps_kafka_batch part;
            char *copy = ps_test_exact_copy(bytes.at, length);
            assert_int_equal(ps_kafka_batch_read(&part, copy, copy + length), PS_KAFKA_BATCH_PART);
            free(copy);
        }
    }
}

/* The checksum covers everything from the magic on. */
static void test_every_bit_is_checked(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(logs); i++) {
        struct bytes bytes = read_hex(logs[i].hex);
        struct ps_kafka_batch batch;
        assert_int_equal(ps_kafka_batch_read(&batch, bytes.at, bytes.at + bytes.length),
                         PS_KAFKA_BATCH_WHOLE);
        uint32_t length = batch.length;
        for (uint32_t bit = MAGIC_AT * 8; bit < length * 8; bit++) {
            bytes.at[bit / 8] = (char)(bytes.at[bit / 8] ^ (1 << bit % 8));
            bool whole =
                ps_kafka_batch_read(&batch, bytes.at, bytes.at + bytes.length) == PS_KAFKA_BATCH_WHOLE;
            assert_false(whole && batch.magic < 2 && ps_kafka_batch_is_intact(&batch));
            bytes.at[bit / 8] = (char)(bytes.at[bit / 8] ^ (1 << bit % 8));
        }
    }
}

static char *put_message(char *at, int64_t offset, const char *key, int32_t key_length, const char *value,
                         int32_t value_length)
{
    at = ps_wire_put_int64(at, offset);
    at =
        ps_wire_put_int32(at, 14 + (key_length > 0 ? key_length : 0) + (value_length > 0 ? value_length : 0));
    at = ps_wire_put_int32(at, 0); /* checksum */
    at = ps_wire_put_int16(at, 0); /* magic, attributes */
    at = ps_wire_put_int32(at, key_length);
    at = ps_wire_put_bytes(at, key, key_length > 0 ? (size_t)key_length : 0);
    at = ps_wire_put_int32(at, value_length);
    return ps_wire_put_bytes(at, value, value_length > 0 ? (size_t)value_length : 0);
}

static bool read_one(const char *at, const char *end, struct ps_kafka_batch_record *record)
{
    struct ps_kafka_batch batch;
    struct ps_kafka_batch_cursor cursor;
    assert_int_equal(ps_kafka_batch_read(&batch, at, end), PS_KAFKA_BATCH_WHOLE);
    ps_kafka_batch_begin(&cursor, &batch, batch.records, batch.records_length);
    assert_int_equal(cursor.left, 1);
    return ps_kafka_batch_next(&cursor, record);
}

static void test_null_and_empty(void **state)
{
    char bytes[64];
    struct ps_kafka_batch_record record;
    assert_true(read_one(bytes, put_message(bytes, 7, NULL, -1, NULL, -1), &record));
    assert_null(record.key);
    assert_null(record.value);
    assert_int_equal(record.offset, 7);
    assert_true(read_one(bytes, put_message(bytes, 7, "", 0, "", 0), &record));
    assert_non_null(record.key);
    assert_int_equal(record.key_length, 0);
    assert_non_null(record.value);
    assert_int_equal(record.value_length, 0);
}

/* Lengths that contradict each other. */
static void test_what_is_refused(void **state)
{
    char bytes[64];
    struct ps_kafka_batch batch;
    struct ps_kafka_batch_record record;
    char *end = put_message(bytes, 7, "k", 1, "v", 1);
    (void)ps_wire_put_int32(bytes + 18, 2); /* the key's length */
    assert_false(read_one(bytes, end, &record));
    (void)ps_wire_put_int32(bytes + 18, -2);
    assert_false(read_one(bytes, end, &record));
    (void)ps_wire_put_int32(bytes + 18, 1);
    assert_true(read_one(bytes, end, &record));
    (void)ps_wire_put_int64(bytes, -1);
    assert_int_equal(ps_kafka_batch_read(&batch, bytes, end), PS_KAFKA_BATCH_WRONG);
    (void)ps_wire_put_int64(bytes, 7);
    (void)ps_wire_put_int32(bytes + 8, 13);
    assert_int_equal(ps_kafka_batch_read(&batch, bytes, end), PS_KAFKA_BATCH_WRONG);
    (void)ps_wire_put_int32(bytes + 8, -1);
    assert_int_equal(ps_kafka_batch_read(&batch, bytes, end), PS_KAFKA_BATCH_WRONG);
    end = put_message(bytes, 7, NULL, -1, NULL, -1);
    bytes[ATTRIBUTES_AT] = PS_KAFKA_COMPRESSION_GZIP; /* without a value */
    assert_int_equal(ps_kafka_batch_read(&batch, bytes, end), PS_KAFKA_BATCH_WRONG);
    end = put_message(bytes, 7, NULL, -1, "v", 1);
    bytes[ATTRIBUTES_AT] = PS_KAFKA_COMPRESSION_ZSTD; /* came with a later format */
    assert_int_equal(ps_kafka_batch_read(&batch, bytes, end), PS_KAFKA_BATCH_WRONG);
}

/* Decompressed bytes that are no messages, or messages that are compressed or cut. */
static void test_damaged_inside(void **state)
{
    char inside[128], outside[32];
    struct ps_kafka_batch batch;
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record;
    char *end = put_message(outside, 7, NULL, -1, "v", 1);
    outside[ATTRIBUTES_AT] = PS_KAFKA_COMPRESSION_GZIP;
    assert_int_equal(ps_kafka_batch_read(&batch, outside, end), PS_KAFKA_BATCH_WHOLE);
    end = put_message(put_message(inside, 6, NULL, -1, "a", 1), 7, NULL, -1, "b", 1);
    for (uint32_t length = 1; length < (uint32_t)(end - inside); length++) {
        char *copy = ps_test_exact_copy(inside, length);
        ps_kafka_batch_begin(&cursor, &batch, copy, length);
        unsigned whole = length >= 27;
        for (unsigned n = 0; n < whole; n++)
            assert_true(ps_kafka_batch_next(&cursor, &record));
        if (length != 27) {
            assert_int_equal(cursor.left, 1);
            assert_false(ps_kafka_batch_next(&cursor, &record));
        }
        free(copy);
    }
    inside[ATTRIBUTES_AT] = PS_KAFKA_COMPRESSION_GZIP;
    ps_kafka_batch_begin(&cursor, &batch, inside, (size_t)(end - inside));
    assert_false(ps_kafka_batch_next(&cursor, &record));
    inside[ATTRIBUTES_AT] = 0;
    inside[MAGIC_AT] = 1;
    ps_kafka_batch_begin(&cursor, &batch, inside, (size_t)(end - inside));
    assert_false(ps_kafka_batch_next(&cursor, &record));
    (void)ps_wire_put_int64(inside, 8); /* an offset above that of the compressed message */
    inside[MAGIC_AT] = 0;
    ps_kafka_batch_begin(&cursor, &batch, inside, (size_t)(end - inside));
    assert_false(ps_kafka_batch_next(&cursor, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format_and_codec),
        cmocka_unit_test(test_offsets_inside),
        cmocka_unit_test(test_append_time),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_bit_is_checked),
        cmocka_unit_test(test_null_and_empty),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_damaged_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
