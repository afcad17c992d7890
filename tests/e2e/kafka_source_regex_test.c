/* kafka.topics.regex: matching topics are read, others are not, and a topic that is created later is found at
 * the next refresh of the metadata. */
#include "stages/kafka/mock.h"
#include "tests/support/kafka_member.h"

static struct ps_kafka_mock *mock;
static const char *bootstrap;

static int group_setup(void **state)
{
    (void)state;
    struct ps_err err = {0};
    mock = ps_kafka_mock_create(1, &err);
    bootstrap = mock != NULL ? ps_kafka_mock_bootstrap(mock) : NULL;
    return mock != NULL ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    ps_kafka_mock_destroy(mock);
    return 0;
}

static void fill(const char *topic, uint32_t first, uint32_t count)
{
    struct ps_err err = {0};
    assert_int_equal(ps_kafka_mock_topic(mock, topic, 1, &err), PS_OK);
    ps_test_kafka_send(
        bootstrap, &(struct ps_test_sent){.topic = topic, .first = first, .count = count, .partitions = 1});
}

static void test_regex(void **state)
{
    (void)state;
    fill("logs.web-1", 0, 10);
    fill("xlogs.web-1", 1000, 10);
    fill("logs.web-1x", 2000, 10);
    struct ps_test_member *member =
        ps_test_member_create(bootstrap, "g-regex",
                              PS_KEYS("kafka.topics", "not.used", "kafka.topics.regex", "logs\\.\\w+-\\d",
                                      "kafka.consumer.metadata.max.age.ms", "1000"));
    assert_int_equal(ps_test_members_run(&member, 1, 11, 6000), 10);
    fill("logs.db-2", 10, 10);
    assert_int_equal(ps_test_members_run(&member, 1, 20, 12000), 20);
    assert_int_equal(ps_test_members_check(&member, 1, 20), 0);
    assert_true(ps_test_member_drain(member, 5000));
    ps_test_member_destroy(member);
    assert_int_equal(ps_test_kafka_committed(bootstrap, "g-regex", "logs.db-2", 0), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regex),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
