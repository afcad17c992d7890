/* Record batches at their limits. In the tests of the sink librdkafka and Kafka read the records. */
#include "stages/lib/kafka/wire/batch_writer.h"

#include <stdlib.h>
#include <string.h>

#include "stages/lib/kafka/wire/record_batch.h"
#include "stages/lib/kafka/wire/wire.h"
#include "tests/support/support.h"

static bool add(struct ps_kafka_native_batch *batch, const char *value, uint32_t length, uint32_t bytes_max)
{
    bool no_memory = false;
    const struct ps_kafka_record record = {
        .value = value, .value_length = length, .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE, .token = batch};
    bool added = ps_kafka_native_batch_add(batch, &record, 1700000000000, bytes_max, &no_memory);
    assert_false(no_memory);
    return added;
}

/* Each of the first two records of a batch takes eight bytes if its value has one byte. */
static void test_exact_limit(void **state)
{
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make();
    const uint32_t two = PS_KAFKA_BATCH_HEAD_BYTES + 2 * 8;
    assert_true(add(batch, "a", 1, 10)); /* a batch takes one record whatever its length */
    assert_int_equal(batch->length, PS_KAFKA_BATCH_HEAD_BYTES + 8);
    assert_false(add(batch, "b", 1, two - 1));
    assert_int_equal(batch->count, 1);
    assert_true(add(batch, "b", 1, two));
    assert_int_equal(batch->length, two);
    ps_kafka_native_batch_free(batch);
}

/* Buffers grow, and keep their contents. */
static void test_grows(void **state)
{
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make();
    char *value = malloc(300000);
    assert_non_null(value);
    memset(value, 'x', 300000);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(add(batch, "abc", 3, UINT32_MAX));
    assert_true(add(batch, value, 300000, UINT32_MAX));
    assert_int_equal(batch->count, 1001);
    assert_int_equal(batch->payload_bytes, 303000);
    for (unsigned i = 0; i < 1001; i++)
        assert_ptr_equal(batch->tokens[i], batch);
    assert_memory_equal(batch->bytes + batch->length - 1 - 300000, value, 300000);
    ps_kafka_native_batch_reset(batch, NULL);
    assert_int_equal(batch->count, 0);
    assert_int_equal(batch->length, PS_KAFKA_BATCH_HEAD_BYTES);
    free(value);
    ps_kafka_native_batch_free(batch);
}

/* A batch that is used again keeps nothing of its former use: it is like a new one, whatever happened to it. */
static void test_used_again(void **state)
{
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make(), *fresh = ps_kafka_native_batch_make();
    struct ps_kafka_native_partition *partition = (void *)&batch;
    assert_true(add(batch, "abc", 3, UINT32_MAX));
    batch->next = fresh;
    batch->plain_length = 77;
    batch->compression = PS_KAFKA_COMPRESSION_GZIP;
    batch->base_sequence = 9;
    batch->closed = batch->perhaps_written = true;
    ps_kafka_native_batch_reset(batch, partition);
    assert_null(batch->next);
    assert_ptr_equal(batch->partition, partition);
    assert_int_equal(batch->length, fresh->length);
    assert_int_equal(batch->count, 0);
    assert_int_equal(batch->payload_bytes, 0);
    assert_int_equal(batch->plain_length, 0);
    assert_int_equal(batch->compression, PS_KAFKA_COMPRESSION_NONE);
    assert_int_equal(batch->base_sequence, -1);
    assert_false(batch->closed);
    assert_false(batch->perhaps_written);
    ps_kafka_native_batch_free(fresh);
    ps_kafka_native_batch_free(batch);
}

/* Fills the same records into two batches, one by one into `slow` and as runs of values into `fast`, up to both limits. */
static void fill_both(struct ps_kafka_native_batch *slow, struct ps_kafka_native_batch *fast,
                      uint64_t *random)
{
    static char text[20000];
    static struct ps_kafka_record records[200];
    const uint32_t bytes_max = 1000 + (uint32_t)(ps_test_random(random) % 200000);
    const uint32_t records_max = 1 + (uint32_t)(ps_test_random(random) % 2000);
    const uint32_t length_max = ps_test_random(random) % 4 == 0 ? sizeof text : 300;
    int64_t now_ms = 1700000000000;
    bool no_memory = false, full = false;
    while (!full) {
        const uint32_t count = 1 + (uint32_t)(ps_test_random(random) % PS_COUNT_OF(records));
        now_ms += (int64_t)(ps_test_random(random) % 300) - 100;
        for (uint32_t i = 0; i < count; i++)
            records[i] =
                (struct ps_kafka_record){.value = text,
                                         .value_length = (uint32_t)(ps_test_random(random) % length_max),
                                         .partition = PS_KAFKA_PARTITION_ANY,
                                         .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
                                         .token = text + i};
        uint32_t done = 0;
        while (done < count && slow->count < records_max &&
               ps_kafka_native_batch_add(slow, &records[done], now_ms, bytes_max, &no_memory))
            done++;
        assert_int_equal(ps_kafka_native_batch_add_values(fast, records, count, now_ms, bytes_max,
                                                          records_max, &no_memory),
                         done);
        assert_false(no_memory);
        full = done < count;
    }
}

/* Runs of values give the bytes and tokens that the same records give one by one. */
static void test_values(void **state)
{
    const struct ps_kafka_native_producer_id producer = {.id = 7, .epoch = 2};
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 300; round++) {
        struct ps_kafka_native_batch *slow = ps_kafka_native_batch_make(),
                                     *fast = ps_kafka_native_batch_make();
        fill_both(slow, fast, &random);
        ps_kafka_native_batch_close(slow, &producer, 40);
        ps_kafka_native_batch_close(fast, &producer, 40);
        assert_int_equal(fast->count, slow->count);
        assert_int_equal(fast->length, slow->length);
        assert_int_equal(fast->payload_bytes, slow->payload_bytes);
        assert_memory_equal(fast->bytes, slow->bytes, slow->length);
        assert_memory_equal(fast->tokens, slow->tokens, slow->count * sizeof *slow->tokens);
        ps_kafka_native_batch_free(slow);
        ps_kafka_native_batch_free(fast);
    }
}

/* Times go back and forth: the batch's header has the time of the first record, and the latest time. */
static void test_times(void **state)
{
    static const int64_t times_ms[] = {1000, 5000, 10};
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make();
    bool no_memory = false;
    for (size_t i = 0; i < PS_COUNT_OF(times_ms); i++) {
        const struct ps_kafka_record record = {.value = "", .timestamp_ms = times_ms[i]};
        assert_true(ps_kafka_native_batch_add(batch, &record, 0, UINT32_MAX, &no_memory));
    }
    const struct ps_kafka_native_producer_id producer = {.id = 7, .epoch = 2};
    ps_kafka_native_batch_close(batch, &producer, 40);
    struct ps_wire_in in = {.at = batch->bytes + 27, .end = batch->bytes + batch->length};
    assert_int_equal(ps_wire_get_int64(&in), 1000);
    assert_int_equal(ps_wire_get_int64(&in), 5000);
    assert_int_equal(ps_wire_get_int64(&in), 7);
    assert_int_equal(ps_wire_get_int16(&in), 2);
    assert_int_equal(ps_wire_get_int32(&in), 40);
    assert_int_equal(ps_wire_get_int32(&in), 3);
    ps_kafka_native_batch_free(batch);
}

/* The length that is computed for a varint equals the bytes that are written, around each power of 2^7. */
static void test_varints(void **state)
{
    for (unsigned bit = 0; bit < 63; bit++) {
        for (int64_t off = -2; off <= 2; off++) {
            for (int sign = -1; sign <= 1; sign += 2) {
                char bytes[PS_WIRE_VARINT_BYTES];
                int64_t value = sign * ((INT64_C(1) << bit) + off);
                assert_int_equal(ps_wire_put_varint(bytes, value) - bytes, ps_wire_varint_bytes(value));
            }
        }
    }
}

/* Every read beyond the end fails, and so does what follows. */
static void test_reads_are_bounded(void **state)
{
    const char bytes[] = {0, 5, 'a', 'b'};
    uint32_t length;
    struct ps_wire_in in = {.at = bytes, .end = bytes + sizeof bytes};
    assert_null(ps_wire_get_string(&in, &length));
    assert_true(in.failed);
    assert_int_equal(ps_wire_get_int8(&in), 0);
    in = (struct ps_wire_in){.at = "\0\0\0\2\1\1"};
    in.end = in.at + 6;
    assert_int_equal(ps_wire_get_count(&in, 1), 2);
    in.at -= 4;
    assert_int_equal(ps_wire_get_count(&in, 2), 0); /* two elements of two bytes do not fit into two bytes */
    assert_true(in.failed);
}

/* ---- brokers before Kafka 0.11 ---- */

#define MESSAGES 3U

/* A batch of three records: with a key, with a header, which is left out, and without a value. */
static struct ps_kafka_native_batch *make_records(void)
{
    static char value[600];
    static const struct ps_kafka_header header = {.name = "h", .value = "v", .value_length = 1};
    const struct ps_kafka_record records[MESSAGES] = {
        {.value = value, .value_length = sizeof value, .key = "k", .key_length = 1, .timestamp_ms = 5000},
        {.value = "b", .value_length = 1, .header_count = 1, .headers = &header, .timestamp_ms = 7000},
        {.key = "", .timestamp_ms = 6000},
    };
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make();
    bool no_memory = false;
    for (size_t i = 0; i < MESSAGES; i++)
        assert_true(ps_kafka_native_batch_add(batch, &records[i], 0, UINT32_MAX, &no_memory));
    return batch;
}

static void check_message(const struct ps_kafka_batch_record *record, uint32_t number)
{
    static const int64_t times_ms[MESSAGES] = {5000, 7000, 6000};
    assert_int_equal(record->offset, number);
    assert_int_equal(record->timestamp_ms, times_ms[number]);
    assert_int_equal(record->header_count, 0);
    assert_int_equal(record->key_length, number == 0 ? 1 : 0);
    assert_int_equal(record->key != NULL, number != 1);
    assert_int_equal(record->value_length, number == 0 ? 600 : number == 1 ? 1 : 0);
    assert_int_equal(record->value != NULL, number != 2);
}

/* Uncompressed each message is a batch of its own; compressed, one message has all of them. */
static void test_messages(void **state)
{
    for (enum ps_kafka_compression codec = 0; codec < PS_KAFKA_COMPRESSION_ZSTD; codec++) {
        struct ps_kafka_native_batch *set = make_records();
        struct ps_byte_buffer spare = {.length = 0};
        struct ps_kafka_compressor *compressor =
            codec == PS_KAFKA_COMPRESSION_NONE
                ? NULL
                : ps_kafka_compressor_open(codec, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT);
        uint32_t plain = set->length, count = 0;
        assert_true(ps_kafka_native_batch_close_as_messages(set, compressor, &spare));
        assert_true(set->closed);
        assert_int_equal(set->plain_length, plain);
        assert_int_equal(set->compression, codec);
        const char *end = set->bytes + set->length;
        struct ps_kafka_batch batch;
        for (const char *at = set->bytes; at < end; at += batch.length) {
            struct ps_kafka_batch_cursor cursor;
            struct ps_kafka_batch_record record;
            assert_int_equal(ps_kafka_batch_read(&batch, at, end), PS_KAFKA_BATCH_WHOLE);
            assert_int_equal(batch.magic, 1);
            assert_int_equal(batch.compression, codec);
            assert_true(ps_kafka_batch_is_intact(&batch));
            if (codec != PS_KAFKA_COMPRESSION_NONE) {
                assert_int_equal(batch.last_offset, MESSAGES - 1);
                assert_int_equal(batch.max_ms, 7000);
                assert_ptr_equal(at + batch.length, end);
                continue;
            }
            ps_kafka_batch_begin(&cursor, &batch, batch.records, batch.records_length);
            assert_true(ps_kafka_batch_next(&cursor, &record));
            check_message(&record, count++);
        }
        assert_int_equal(count, codec == PS_KAFKA_COMPRESSION_NONE ? MESSAGES : 0);
        ps_kafka_compressor_close(compressor);
        free(spare.data);
        ps_kafka_native_batch_free(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_limit),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_used_again),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_varints),
        cmocka_unit_test(test_reads_are_bounded),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
