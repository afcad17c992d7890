/* The memory of the native client. Without memory for a record: the record is not taken, and what was there before stays as it
 * was. With records for a thousand partitions: what they occupy is bounded, not only what is in the records. */
#include "tests/support/allocations.h"

#include <malloc.h>

#include "stages/lib/kafka/produce/seam.h"
#include "tests/support/kafka/native_run.h"

#define LARGE_BYTES 40000U   /* more than a batch has at first */
#define BATCH_ALLOCATIONS 3U /* of a new batch, before it grows */
#define QUIET_TURNS 50U

/* A record that needs a larger batch than there is, while one before it is on its way: when that one is answered, nothing is
 * sent, and no report comes. Later the same record is taken, and delivered. */
static void test_no_memory_for_a_larger_set(void **state)
{
    static const int32_t partitions[] = {
        0, PS_KAFKA_PARTITION_ANY}; /* added one by one, and as a run of values */
    static char large[LARGE_BYTES];
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("a sanitizer has its own allocator");
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < PS_COUNT_OF(partitions); i++) {
        struct ps_test_request request;
        struct run run;
        begin(&run, "linger.ms", "0");
        deliver(&run);
        assert_int_equal(submit_of(&run, "value", 5, partitions[i]), 0);
        const struct produced before = expect_produce(&run);
        ps_test_allocation_fails = BATCH_ALLOCATIONS + 1;
        assert_int_equal(submit_of(&run, large, sizeof large, partitions[i]), PS_KAFKA_NO_MEMORY);
        assert_int_equal(ps_test_allocation_fails, 0);
        answer_produce(&run, &before, 0, 0);
        wait_for_reports(&run, 2);
        for (unsigned turns = 0; turns < QUIET_TURNS; turns++) {
            turn(&run);
            while (ps_test_broker_ask(&run.broker, &request)) {
                assert_int_not_equal(request.key, KEY_PRODUCE);
                answer(&run, &request, UINT32_MAX);
            }
        }
        assert_int_equal(run.report_count, 2);
        assert_int_equal(submit_of(&run, large, sizeof large, partitions[i]), 0);
        const struct produced after = expect_produce(&run);
        assert_in_range(after.bytes, LARGE_BYTES, LARGE_BYTES + 200);
        answer_produce(&run, &after, 0, 0);
        wait_for_reports(&run, 3);
        assert_int_equal(run.reports[2].error, 0);
        assert_int_equal(run.reports[2].count, 1);
        end(&run);
    }
}

/* ---- many partitions ---- */

#define PARTITIONS 1000
#define RECORD_BYTES 100U
#define LIMIT_KBYTES "2048"
#define LIMIT_BYTES (2048U * 1024U)

/* The client learns that the topic has this many partitions, from a broker that takes no records. */
static void begin_with_partitions(struct run *run, int32_t partitions, const char *limit_kbytes)
{
    static char body[64 * PARTITIONS];
    const struct ps_pair pair = {.key = "queue.buffering.max.kbytes", .value = limit_kbytes};
    struct cluster one;
    begin_with(run, "127.0.0.1", &pair, 1);
    one = run->cluster;
    submit(run);
    const struct ps_test_request request = expect(run, KEY_METADATA);
    run->cluster.error = 3;
    char *at = put_metadata(run, body); /* without partitions */
    run->cluster = one;
    at -= sizeof(int32_t) + 1 + 3 +
          sizeof(int16_t); /* the topic: its error, "t", not internal, the number of partitions */
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int8(at, 0);
    at = ps_wire_put_int32(at, partitions);
    for (int32_t i = 0; i < partitions; i++) {
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int32(at, i);
        at = ps_wire_put_int32(at, 0);
        at = ps_wire_put_int32(at, 0);
        for (int list = 0; list < 3; list++)
            at = ps_wire_put_int32(at, 0);
    }
    ps_test_broker_answer(&run->broker, &request, body, (uint32_t)(at - body), UINT32_MAX);
    (void)expect(run, KEY_PRODUCE);
}

/* Records for each partition, until the client is full or each has `rounds`. Returns the growth of the memory in use. */
static uint64_t fill(struct run *run, unsigned rounds, uint64_t *taken)
{
    static const char value[RECORD_BYTES];
    const uint64_t before = mallinfo2().uordblks;
    int error = 0;
    *taken = 0;
    for (unsigned round = 0; round < rounds && error == 0; round++) {
        for (int32_t i = 0; i < PARTITIONS && error == 0; i++) {
            error = submit_of(run, value, sizeof value, i);
            *taken += error == 0;
        }
    }
    assert_true(error == 0 || error == PS_KAFKA_FULL);
    return mallinfo2().uordblks - before;
}

/* One record in each partition: a batch takes little more memory than its record. Many records: the memory stays below the limit,
 * which half of it is used well for. */
static void test_many_partitions(void **state)
{
    struct run run;
    uint64_t taken;
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("a sanitizer has its own allocator");
    begin_with_partitions(&run, PARTITIONS, "1048576");
    assert_in_range(fill(&run, 1, &taken), 1, PARTITIONS * UINT64_C(1024));
    assert_int_equal(taken, PARTITIONS);
    end(&run);
    begin_with_partitions(&run, PARTITIONS, LIMIT_KBYTES);
    assert_in_range(fill(&run, 1000, &taken), LIMIT_BYTES / 2, LIMIT_BYTES + LIMIT_BYTES / 8);
    assert_in_range(taken, PARTITIONS, 1000 * PARTITIONS);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory_for_a_larger_set),
                                       cmocka_unit_test(test_many_partitions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
