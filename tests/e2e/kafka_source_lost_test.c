/* Partitions that are lost, and revocations that take too long: nothing is committed for them, positions that
 * are reported later are discarded, and the next owner reads from the last commit. */
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"

#include <unistd.h>

static struct ps_test_member *member_of(const char *topic, const char *group)
{
    struct ps_test_member *member =
        ps_test_member_create(ps_test_cluster.bootstrap, group,
                              PS_KEYS("kafka.topics", topic, "kafka.consumer.max.poll.interval.ms", "6000"));
    member->hold = true;
    return member;
}

static void fill(const char *topic)
{
    ps_test_topic(topic, 1);
    ps_test_kafka_send(ps_test_cluster.bootstrap,
                       &(struct ps_test_sent){.topic = topic, .count = 1000, .partitions = 1});
}

/* The first member does not poll for too long; the second takes over and commits all; later deliveries of the
 * first must not move the commit back. */
static void test_lost(void **state)
{
    fill("lost");
    struct ps_test_member *first = member_of("lost", "g-lost");
    assert_int_equal(ps_test_members_run(&first, 1, 1000, PS_TEST_PATIENCE_MS), 1000);
    usleep(7000000);
    struct ps_test_member *second = member_of("lost", "g-lost");
    assert_int_equal(ps_test_members_run(&second, 1, 1000, PS_TEST_PATIENCE_MS), 1000);
    second->hold = false;
    ps_test_member_deliver(second, SIZE_MAX);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS / 100 &&
                         ps_test_kafka_committed(ps_test_cluster.bootstrap, "g-lost", "lost", 0) != 1000;
         i++)
        ps_test_members_run(&second, 1, SIZE_MAX, 100);
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "g-lost", "lost", 0), 1000);

    ps_test_members_run(&first, 1, SIZE_MAX, 100); /* learns that it lost all partitions */
    ps_test_member_deliver(first, 1);
    ps_test_members_run(&first, 1, SIZE_MAX, 1500);
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "g-lost", "lost", 0), 1000);
    ps_test_member_destroy(first);
    ps_test_member_destroy(second);
}

/* The first member's sink hangs. After the deadline the first member gives up its partition to the second without a
 * commit. */
static void test_revocation_out_of_time(void **state)
{
    fill("stuck");
    struct ps_test_member *members[2];
    members[0] = member_of("stuck", "g-stuck");
    assert_int_equal(ps_test_members_run(members, 1, 1000, PS_TEST_PATIENCE_MS), 1000);
    size_t first_count = members[0]->received_count;
    members[1] = member_of("stuck", "g-stuck");
    uint64_t until = ps_test_patience_end_ns();
    while (members[0]->received_count + members[1]->received_count < 2000 && ps_test_patient_ns() < until)
        ps_test_members_run(members, 2, 2000, 100);
    assert_int_equal(members[0]->received_count + members[1]->received_count, 2000);
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "g-stuck", "stuck", 0),
                     RD_KAFKA_OFFSET_INVALID);
    /* The records still in flight from the first assignment are discarded. */
    struct ps_test_member *first = members[0];
    while (first->held_count > 0 && first->received_count == first_count)
        ps_test_member_deliver(first, 1);
    if (first->received_count == first_count) {
        ps_test_members_run(members, 2, SIZE_MAX, 1200);
        assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "g-stuck", "stuck", 0),
                         RD_KAFKA_OFFSET_INVALID);
    }
    for (size_t i = 0; i < 2; i++)
        ps_test_member_destroy(members[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_revocation_out_of_time),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
