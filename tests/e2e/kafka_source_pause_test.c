/* A channel stays full for longer than max.poll.interval.ms: the member stays in its group, there is no
 * rebalance, nothing is read twice, and reading continues at its position. (Flume's source does not poll
 * meanwhile, is removed from the group, and the group rebalances again and again.) The client's queue is so
 * small that it is full a hundred times: with a library that slept for a second each time the test would not
 * end in time. */
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"

#include <unistd.h>

static void set_paused(struct ps_test_member *member, bool paused)
{
    struct ps_test_stage *stage = &member->stage;
    member->paused = paused;
    stage->ops->source->paused(stage->plan, stage->state, paused, &stage->now);
}

static void send_more(uint32_t first, uint32_t count)
{
    ps_test_kafka_send(ps_test_cluster.bootstrap,
                       &(struct ps_test_sent){
                           .topic = "pause", .first = first, .count = count, .size = 100, .partitions = 2});
}

static void test_pause_for_long(void **state)
{
    ps_test_topic("pause", 2);
    send_more(0, 10000);
    struct ps_test_member *member = ps_test_member_create(
        ps_test_cluster.bootstrap, "g-pause",
        PS_KEYS("kafka.topics", "pause", "kafka.consumer.max.poll.interval.ms", "6000", "batchSize", "100",
                "kafka.consumer.max.partition.fetch.bytes", "20000"));
    assert_true(ps_test_members_run(&member, 1, 1000, PS_TEST_PATIENCE_MS) >= 1000);
    size_t before = member->received_count;
    uint64_t warnings = ps_log_count(PS_LOG_WARN), errors = ps_log_count(PS_LOG_ERROR);
    set_paused(member, true);
    send_more(10000, 10000);
    ps_test_members_run(&member, 1, SIZE_MAX, 10000);
    assert_int_equal(member->received_count, before);
    set_paused(member, false);
    assert_int_equal(ps_test_members_run(&member, 1, 20000, PS_TEST_PATIENCE_MS), 20000);
    assert_int_equal(ps_test_members_check(&member, 1, 20000), 0);
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
    assert_true(ps_test_member_drain(member, PS_TEST_PATIENCE_MS));
    ps_test_member_destroy(member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause_for_long),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
