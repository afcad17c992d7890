/* Record batches as they are read: those that our own native client writes (Java's consumer and DumpLogSegments read these in
 * tests/real/kafka_native_test.sh), cut, damaged, and with heads that contradict themselves. */
#include "stages/lib/kafka/wire/record_batch.h"

#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "stages/lib/kafka/wire/batch_writer.h"
#include "stages/lib/kafka/wire/wire.h"
#include "tests/support/support.h"

#define BASE_OFFSET 1000
#define BASE_MS INT64_C(1700000000000)
#define ATTRIBUTES_AT 21U
#define LAST_DELTA_AT 23U
#define FIRST_MS_AT 27U
#define MAX_MS_AT 35U
#define COUNT_AT 57U

static void add(struct ps_kafka_native_batch *set, const struct ps_kafka_record *record)
{
    bool no_memory = false;
    assert_true(ps_kafka_native_batch_add(set, record, BASE_MS, UINT32_MAX, &no_memory));
}

/* A batch of three records, as a broker gives it. */
static struct ps_kafka_native_batch *make_batch(void)
{
    static const struct ps_kafka_header headers[] = {{"a", "one", 3}, {"b", "", 0}, {"a", "two", 3}};
    const struct ps_kafka_native_producer_id nobody = {.id = -1, .epoch = -1};
    struct ps_kafka_native_batch *set = ps_kafka_native_batch_make();
    char value[200];
    memset(value, 'v', sizeof value);
    add(set, &(struct ps_kafka_record){.value = "first", .value_length = 5, .timestamp_ms = BASE_MS});
    add(set, &(struct ps_kafka_record){.value = value,
                                       .value_length = sizeof value,
                                       .key = "key",
                                       .key_length = 3,
                                       .header_count = 3,
                                       .headers = headers,
                                       .timestamp_ms = BASE_MS + 100000});
    add(set, &(struct ps_kafka_record){
                 .value = "", .value_length = 0, .key = "", .key_length = 0, .timestamp_ms = BASE_MS - 5});
    ps_kafka_native_batch_close(set, &nobody, -1);
    (void)ps_wire_put_int64(set->bytes, BASE_OFFSET);
    return set;
}

static void close_again(struct ps_kafka_native_batch *set)
{
    (void)ps_wire_put_int32(set->bytes + 17,
                            (int32_t)ps_crc32c(0, set->bytes + ATTRIBUTES_AT, set->length - ATTRIBUTES_AT));
}

static void test_reads_what_the_native_writes(void **state)
{
    struct ps_kafka_native_batch *set = make_batch();
    struct ps_kafka_batch batch;
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record;
    struct ps_slice value;
    assert_int_equal(ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length), PS_KAFKA_BATCH_WHOLE);
    assert_int_equal(batch.length, set->length);
    assert_int_equal(batch.base_offset, BASE_OFFSET);
    assert_int_equal(batch.last_offset, BASE_OFFSET + 2);
    assert_int_equal(batch.count, 3);
    assert_int_equal(batch.producer_id, -1);
    assert_false(batch.transactional || batch.control || batch.append_time);
    assert_true(ps_kafka_batch_is_intact(&batch));
    ps_kafka_batch_begin(&cursor, &batch, batch.records, batch.records_length);

    assert_true(ps_kafka_batch_next(&cursor, &record));
    assert_int_equal(record.offset, BASE_OFFSET);
    assert_int_equal(record.timestamp_ms, BASE_MS);
    assert_null(record.key);
    assert_int_equal(record.value_length, 5);
    assert_memory_equal(record.value, "first", 5);
    ps_kafka_batch_header(&record, "a", &value);
    assert_null(value.data);

    assert_true(ps_kafka_batch_next(&cursor, &record));
    assert_int_equal(record.offset, BASE_OFFSET + 1);
    assert_int_equal(record.timestamp_ms, BASE_MS + 100000);
    assert_int_equal(record.key_length, 3);
    assert_memory_equal(record.key, "key", 3);
    assert_int_equal(record.value_length, 200);
    assert_int_equal(record.header_count, 3);
    ps_kafka_batch_header(&record, "a", &value); /* the last one of the name */
    assert_int_equal(value.length, 3);
    assert_memory_equal(value.data, "two", 3);
    ps_kafka_batch_header(&record, "b", &value);
    assert_non_null(value.data);
    assert_int_equal(value.length, 0);
    ps_kafka_batch_header(&record, "", &value);
    assert_null(value.data);

    assert_true(ps_kafka_batch_next(&cursor, &record));
    assert_int_equal(record.timestamp_ms, BASE_MS - 5);
    assert_non_null(record.key);
    assert_int_equal(record.key_length, 0);
    assert_non_null(record.value);
    assert_int_equal(cursor.left, 0);
    ps_kafka_native_batch_free(set);
}

/* The broker's time holds for all records of a topic with message.timestamp.type = LogAppendTime. */
static void test_append_time(void **state)
{
    struct ps_kafka_native_batch *set = make_batch();
    struct ps_kafka_batch batch;
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record;
    (void)ps_wire_put_int16(set->bytes + ATTRIBUTES_AT, 0x08);
    (void)ps_wire_put_int64(set->bytes + MAX_MS_AT, BASE_MS + 777);
    assert_int_equal(ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length), PS_KAFKA_BATCH_WHOLE);
    assert_false(ps_kafka_batch_is_intact(&batch));
    close_again(set);
    assert_true(ps_kafka_batch_is_intact(&batch));
    ps_kafka_batch_begin(&cursor, &batch, batch.records, batch.records_length);
    while (cursor.left > 0) {
        assert_true(ps_kafka_batch_next(&cursor, &record));
        assert_int_equal(record.timestamp_ms, BASE_MS + 777);
    }
    ps_kafka_native_batch_free(set);
}

/* A batch that is cut at any byte is incomplete. */
static void test_cut_at_every_byte(void **state)
{
    struct ps_kafka_native_batch *set = make_batch();
    struct ps_kafka_batch batch;
    for (uint32_t length = 0; length < set->length; length++) {
        char *copy = ps_test_exact_copy(set->bytes, length);
        assert_int_equal(ps_kafka_batch_read(&batch, copy, copy + length), PS_KAFKA_BATCH_PART);
        free(copy);
    }
    ps_kafka_native_batch_free(set);
}

/* A change of any bit that the checksum covers is detected. */
static void test_every_bit_is_checked(void **state)
{
    struct ps_kafka_native_batch *set = make_batch();
    struct ps_kafka_batch batch;
    for (uint32_t bit = ATTRIBUTES_AT * 8; bit < set->length * 8; bit++) {
        set->bytes[bit / 8] = (char)(set->bytes[bit / 8] ^ (1 << bit % 8));
        if (ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length) == PS_KAFKA_BATCH_WHOLE)
            assert_false(ps_kafka_batch_is_intact(&batch));
        set->bytes[bit / 8] = (char)(set->bytes[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length), PS_KAFKA_BATCH_WHOLE);
    assert_true(ps_kafka_batch_is_intact(&batch));
    ps_kafka_native_batch_free(set);
}

static enum ps_kafka_batch_outcome with_byte(struct ps_kafka_native_batch *set, uint32_t at, char byte)
{
    struct ps_kafka_batch batch;
    char before = set->bytes[at];
    set->bytes[at] = byte;
    enum ps_kafka_batch_outcome outcome = ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length);
    set->bytes[at] = before;
    return outcome;
}

static void test_heads_that_are_refused(void **state)
{
    struct ps_kafka_native_batch *set = make_batch();
    assert_int_equal(with_byte(set, 16, 3), PS_KAFKA_BATCH_UNKNOWN);
    assert_int_equal(with_byte(set, 0, -1), PS_KAFKA_BATCH_WRONG);                /* base offset */
    assert_int_equal(with_byte(set, 8, -1), PS_KAFKA_BATCH_WRONG);                /* length */
    assert_int_equal(with_byte(set, ATTRIBUTES_AT + 1, 5), PS_KAFKA_BATCH_WRONG); /* no such codec */
    assert_int_equal(with_byte(set, LAST_DELTA_AT, -1), PS_KAFKA_BATCH_WRONG);
    assert_int_equal(with_byte(set, COUNT_AT, -1), PS_KAFKA_BATCH_WRONG);
    assert_int_equal(with_byte(set, ATTRIBUTES_AT + 1, 4), PS_KAFKA_BATCH_WHOLE); /* zstd */
    struct ps_kafka_batch batch;
    (void)ps_wire_put_int32(set->bytes + 8, 48); /* shorter than a head */
    assert_int_equal(ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length), PS_KAFKA_BATCH_WRONG);
    (void)ps_wire_put_int32(set->bytes + 8, 49); /* a head alone */
    assert_int_equal(ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length), PS_KAFKA_BATCH_WHOLE);
    assert_int_equal(batch.records_length, 0);
    ps_kafka_native_batch_free(set);
}

/* More records than there are bytes: the cursor ends with an error, and reads nothing past the batch. */
static void test_more_records_than_bytes(void **state)
{
    struct ps_kafka_native_batch *set = make_batch();
    struct ps_kafka_batch batch;
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record;
    uint32_t read = 0;
    (void)ps_wire_put_int32(set->bytes + COUNT_AT, 4);
    assert_int_equal(ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length), PS_KAFKA_BATCH_WHOLE);
    ps_kafka_batch_begin(&cursor, &batch, batch.records, batch.records_length);
    while (cursor.left > 0 && ps_kafka_batch_next(&cursor, &record))
        read++;
    assert_int_equal(read, 3);
    assert_int_equal(cursor.left, 1);
    ps_kafka_native_batch_free(set);
}

/* Random bytes in the records: each record is refused, or lies inside of the batch. */
static void test_drawn_bytes(void **state)
{
    uint64_t seed = ps_test_seed();
    struct ps_kafka_native_batch *set = make_batch();
    for (unsigned i = 0; i < 20000; i++) {
        struct ps_kafka_batch batch;
        struct ps_kafka_batch_cursor cursor;
        struct ps_kafka_batch_record record;
        uint32_t length = set->length - PS_KAFKA_BATCH_HEAD_BYTES;
        char *copy = malloc(length);
        assert_non_null(copy);
        memcpy(copy, set->bytes + PS_KAFKA_BATCH_HEAD_BYTES, length);
        for (unsigned n = 0; n < 3; n++)
            copy[ps_test_random(&seed) % 40] = (char)ps_test_random(&seed);
        assert_int_equal(ps_kafka_batch_read(&batch, set->bytes, set->bytes + set->length),
                         PS_KAFKA_BATCH_WHOLE);
        ps_kafka_batch_begin(&cursor, &batch, copy, length);
        while (cursor.left > 0 && ps_kafka_batch_next(&cursor, &record)) {
            assert_in_range(record.offset, BASE_OFFSET, BASE_OFFSET + 2);
            if (record.value != NULL)
                assert_true(record.value >= copy && record.value + record.value_length <= copy + length);
            if (record.key != NULL)
                assert_true(record.key >= copy && record.key + record.key_length <= copy + length);
            struct ps_slice value;
            ps_kafka_batch_header(&record, "a", &value);
            if (value.data != NULL)
                assert_true(value.data >= copy && value.data + value.length <= copy + length);
        }
        free(copy);
    }
    ps_kafka_native_batch_free(set);
}

static void test_control_records(void **state)
{
    struct ps_kafka_batch_record record = {.key = "\0\0\0\0", .key_length = 4};
    assert_true(ps_kafka_batch_is_abort(&record));
    record.key = "\0\0\0\1";
    assert_false(ps_kafka_batch_is_abort(&record));
    record.key_length = 3;
    assert_false(ps_kafka_batch_is_abort(&record));
    record = (struct ps_kafka_batch_record){.key = NULL};
    assert_false(ps_kafka_batch_is_abort(&record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_the_native_writes),
        cmocka_unit_test(test_append_time),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_bit_is_checked),
        cmocka_unit_test(test_heads_that_are_refused),
        cmocka_unit_test(test_more_records_than_bytes),
        cmocka_unit_test(test_drawn_bytes),
        cmocka_unit_test(test_control_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
