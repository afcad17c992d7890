/* Source kafka against the embedded cluster: what an event looks like, what is committed when, drain. */
#include "stages/kafka_mock.h"
#include "tests/support/kafka_member.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_kafka;

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

static void make_topic(const char *name, unsigned partitions)
{
    struct ps_err err = {0};
    if (ps_kafka_mock_topic(mock, name, partitions, &err) != PS_OK)
        fail_msg("%s", err.text);
}

/* Everything in order, per partition; then draining commits and leaves; then a second run goes on there. */
static void test_consumes_in_order_and_goes_on(void **state)
{
    (void)state;
    make_topic("order", 4);
    ps_test_kafka_send(
        bootstrap, &(struct ps_test_sent){.topic = "order", .count = 20000, .size = 120, .partitions = 4});
    struct ps_test_member *member =
        ps_test_member_create(bootstrap, "g-order", PS_KEYS("kafka.topics", "order"));
    assert_int_equal(ps_test_members_run(&member, 1, 20000, 15000), 20000);
    int64_t next[4] = {0};
    for (size_t i = 0; i < member->received_count; i++) {
        const struct ps_test_received *record = &member->received[i];
        assert_int_equal(record->offset, next[record->partition]);
        assert_int_equal(record->sequence, record->offset * 4 + record->partition);
        next[record->partition]++;
    }
    assert_int_equal(ps_test_stage_counter(&member->stage, PS_COUNTER_EventReceivedCount), 20000);
    assert_true(ps_test_member_drain(member, 10000));
    ps_test_member_destroy(member);
    for (int32_t partition = 0; partition < 4; partition++)
        assert_int_equal(ps_test_kafka_committed(bootstrap, "g-order", "order", partition), 5000);

    ps_test_kafka_send(
        bootstrap,
        &(struct ps_test_sent){.topic = "order", .first = 20000, .count = 8, .size = 120, .partitions = 4});
    member = ps_test_member_create(bootstrap, "g-order", PS_KEYS("kafka.topics", "order"));
    assert_int_equal(ps_test_members_run(&member, 1, 9, 6000), 8);
    assert_true(ps_test_member_drain(member, 10000));
    ps_test_member_destroy(member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consumes_in_order_and_goes_on),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
