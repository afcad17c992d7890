/* kafka.topics.regex: matching topics are read, others are not, and a topic that is created later is found at
 * the next refresh of the metadata. */
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"

static void fill(const char *topic, uint32_t first, uint32_t count)
{
    ps_test_topic(topic, 1);
    ps_test_kafka_send(
        ps_test_cluster.bootstrap,
        &(struct ps_test_sent){.topic = topic, .first = first, .count = count, .partitions = 1});
}

static void test_regex(void **state)
{
    (void)state;
    fill("logs.web-1", 0, 10);
    fill("xlogs.web-1", 1000, 10);
    fill("logs.web-1x", 2000, 10);
    struct ps_test_member *member =
        ps_test_member_create(ps_test_cluster.bootstrap, "g-regex",
                              PS_KEYS("kafka.topics", "not.used", "kafka.topics.regex", "logs\\.\\w+-\\d",
                                      "kafka.consumer.metadata.max.age.ms", "1000"));
    assert_int_equal(ps_test_members_run(&member, 1, 10, 30000), 10);
    assert_int_equal(ps_test_members_run(&member, 1, 11, 3000), 10); /* the other topics are not read */
    fill("logs.db-2", 10, 10);
    assert_int_equal(ps_test_members_run(&member, 1, 20, 30000), 20);
    assert_int_equal(ps_test_members_check(&member, 1, 20), 0);
    assert_true(ps_test_member_drain(member, 5000));
    ps_test_member_destroy(member);
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "g-regex", "logs.db-2", 0), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regex),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
