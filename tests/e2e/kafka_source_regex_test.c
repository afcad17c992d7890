/* kafka.topics.regex: matching topics are read, others are not, and a topic that is created later is found at
 * the next refresh of the metadata. */
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"

#include <stdio.h>

static void fill(const char *topic, uint32_t first, uint32_t count)
{
    ps_test_topic(topic, 1);
    ps_test_kafka_send(
        ps_test_cluster.bootstrap,
        &(struct ps_test_sent){.topic = topic, .first = first, .count = count, .partitions = 1});
}

static void test_regex(void **state)
{
    fill("logs.web-1", 0, 10);
    fill("xlogs.web-1", 1000, 10);
    fill("logs.web-1x", 2000, 10);
    struct ps_test_member *member =
        ps_test_member_create(ps_test_cluster.bootstrap, "g-regex",
                              PS_KEYS("kafka.topics", "not.used", "kafka.topics.regex", "logs\\.\\w+-\\d",
                                      "kafka.consumer.metadata.max.age.ms", "1000"));
    assert_int_equal(ps_test_members_run(&member, 1, 10, PS_TEST_PATIENCE_MS), 10);
    assert_int_equal(ps_test_members_run(&member, 1, 11, 3000), 10); /* the other topics are not read */
    fill("logs.db-2", 10, 10);
    assert_int_equal(ps_test_members_run(&member, 1, 20, PS_TEST_PATIENCE_MS), 20);
    assert_int_equal(ps_test_members_check(&member, 1, 20), 0);
    assert_true(ps_test_member_drain(member, PS_TEST_PATIENCE_MS));
    ps_test_member_destroy(member);
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "g-regex", "logs.db-2", 0), 10);
}

/* A pattern matches no internal topics unless the file asks for it; a topic that is named is read, as Java's client does. */
static void test_internal_topics(void **state)
{
    static const struct {
        const char *key, *value, *more_key, *more_value;
        size_t count;
    } cases[] = {
        {"kafka.topics.regex", "__c.*|internal-.*", "kafka.consumer.group.id", "g-internal-0", 10},
        {"kafka.topics.regex", "__c.*|internal-.*", "kafka.consumer.exclude.internal.topics", "false", 20},
        {"kafka.topics", "__consumer_offsets", "kafka.consumer.group.id", "g-internal-2", 10},
    };
    fill("internal-not", 0, 10);
    fill("__consumer_offsets", 10, 10);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char group[32];
        snprintf(group, sizeof group, "g-internal-%zu", i);
        struct ps_test_member *member = ps_test_member_create(
            ps_test_cluster.bootstrap, group,
            PS_KEYS(cases[i].key, cases[i].value, cases[i].more_key, cases[i].more_value));
        assert_int_equal(ps_test_members_run(&member, 1, cases[i].count, PS_TEST_PATIENCE_MS),
                         cases[i].count);
        assert_int_equal(ps_test_members_run(&member, 1, SIZE_MAX, 1000), cases[i].count);
        ps_test_member_destroy(member);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regex),
        cmocka_unit_test(test_internal_topics),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
