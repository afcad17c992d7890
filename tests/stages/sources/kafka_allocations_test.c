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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
