/* Source kafka allocates nothing in `work` after a warm-up. */
#include "tests/support/allocations.h"
#include "tests/support/kafka/cluster.h"

#include "tests/support/kafka/member.h"

#define RECORDS 20000U
#define WARM 5000U

static void test_no_allocations(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    struct ps_test_cluster cluster;
    ps_test_cluster_start(&cluster, 1);
    const char *bootstrap = cluster.bootstrap;
    ps_test_cluster_topic(&cluster, "allocations", 4);
    ps_test_kafka_send(
        bootstrap, &(struct ps_test_sent){
                       .topic = "allocations", .count = RECORDS, .size = 120, .partitions = 4, .key = "key"});
    struct ps_test_member *member = ps_test_member_create(
        bootstrap, "g-allocations", PS_KEYS("kafka.topics", "allocations,none", "batchSize", "1000"));
    struct ps_test_stage *stage = &member->stage;
    assert_true(ps_test_members_run(&member, 1, WARM, PS_TEST_PATIENCE_MS) >= WARM);
    size_t count = member->received_count;
    uint64_t allocations = 0, until = ps_test_patience_end_ns();
    while (count < RECORDS && ps_test_patient_ns() < until) {
        ps_test_stage_real_clock(stage);
        stage->ops->source->tick(stage->plan, stage->state, &stage->now); /* commits from time to time */
        struct ps_batch *batch = ps_batch_take(&stage->bump, stage->now);
        assert_non_null(batch);
        uint64_t before = ps_test_allocation_count;
        stage->ops->source->work(stage->plan, stage->state, batch, &stage->now);
        allocations += ps_test_allocation_count - before;
        count += batch->count;
        ps_batch_close(batch);
        stage->ops->source->accepted(stage->plan, stage->state, batch, &stage->now);
        stage->ops->source->delivered(stage->plan, stage->state, batch, &stage->now);
        ps_batch_give(batch);
    }
    assert_int_equal(count, RECORDS);
    assert_int_equal(allocations, 0);
    assert_true(ps_test_member_drain(member, PS_TEST_PATIENCE_MS));
    ps_test_member_destroy(member);
    ps_test_cluster_stop(&cluster);
}

#define LARGE_BYTES 100000U /* longer than the memory that is first allocated for a kept record */

/* The batch has no room for a record, and there is no memory to keep it: the source fails, and reads the record again
 * after it is reopened. */
static void test_no_memory_to_keep(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    static struct ps_block *blocks[4096];
    struct ps_test_cluster cluster;
    ps_test_cluster_start(&cluster, 1);
    ps_test_cluster_topic(&cluster, "keep", 1);
    ps_test_kafka_send(cluster.bootstrap,
                       &(struct ps_test_sent){.topic = "keep", .count = 1, .size = 120, .partitions = 1});
    struct ps_test_member *member = ps_test_member_create(
        cluster.bootstrap, "g-keep", PS_KEYS("kafka.topics", "keep", "penstock.engine", "librdkafka"));
    struct ps_test_stage *stage = &member->stage;
    assert_int_equal(ps_test_members_run(&member, 1, 1, PS_TEST_PATIENCE_MS), 1);

    struct ps_batch *batch = ps_batch_take(&stage->bump, stage->now);
    assert_non_null(batch);
    struct ps_block_cache *cache = ps_pool_cache(stage->pool);
    size_t count = 0;
    while (count < PS_COUNT_OF(blocks) && (blocks[count] = ps_block_take(cache)) != NULL)
        count++;
    assert_true(count > 0 && count < PS_COUNT_OF(blocks));
    uint32_t room;
    while (ps_batch_reserve(batch, 4096, &room) != NULL) /* the rest of the batch's current block */
        ps_batch_commit(batch, 4096);
    static char large[LARGE_BYTES];
    memset(large, ' ', sizeof large);
    large[0] = '1'; /* the number of the record */
    ps_test_kafka_send_value(cluster.bootstrap, "keep", 0, large, sizeof large);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!stage->failed && ps_test_patient_ns() < until_ns) {
        ps_test_stage_real_clock(stage);
        stage->ops->source->tick(stage->plan, stage->state, &stage->now);
        ps_test_allocation_fails = 1;
        stage->ops->source->work(stage->plan, stage->state, batch, &stage->now);
        ps_test_allocation_fails = 0;
    }
    assert_true(stage->failed);
    assert_non_null(strstr(stage->err.text, "no memory to keep a record"));
    assert_int_equal(batch->count, 0);
    while (count > 0)
        ps_block_drop(cache, blocks[--count]);
    ps_batch_give(batch);

    ps_test_stage_close(stage);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
    /* The earlier record may come again. */
    for (size_t received = 1; member->received[member->received_count - 1].sequence != 1;) {
        size_t wanted = ++received;
        assert_true(ps_test_members_run(&member, 1, wanted, PS_TEST_PATIENCE_MS) >= wanted);
    }
    ps_test_members_check(&member, 1, 2);
    assert_true(ps_test_member_drain(member, PS_TEST_PATIENCE_MS));
    ps_test_member_destroy(member);
    ps_test_cluster_stop(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_allocations),
        cmocka_unit_test(test_no_memory_to_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
