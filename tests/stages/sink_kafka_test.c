/* Sink kafka against the embedded cluster: what arrives, and that leases are done when it did. */
#include "stages/kafka_mock.h"
#include "stages/table.h"
#include "tests/support/kafka_reader.h"
#include "tests/support/stage.h"

#include <poll.h>
#include <stdio.h>

extern const struct ps_stage_ops ps_sink_kafka;

static struct ps_kafka_mock *mock;

static int group_setup(void **state)
{
    (void)state;
    struct ps_err err = {0};
    mock = ps_kafka_mock_create(1, &err);
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

/* Offers the lease until the sink takes it, for 10 s. */
static void offer(struct ps_test_stage *stage, struct ps_lease *lease)
{
    for (int i = 0; i < 10000 && lease != NULL; i++) {
        ps_test_stage_real_clock(stage);
        enum ps_result result = ps_test_sink_work(stage, &lease);
        if (result == PS_BACKOFF) {
            struct pollfd wait = {.fd = stage->port.wake_fd, .events = POLLIN};
            poll(&wait, 1, 1);
            ps_test_stage_real_clock(stage);
            ps_test_sink_tick(stage);
        } else {
            assert_int_equal(result, PS_KEPT);
        }
    }
    assert_null(lease);
}

#define START(stage, topic, ...)                                                                             \
    ps_test_stage_start((stage), &ps_sink_kafka,                                                             \
                        PS_KEYS("kafka.bootstrap.servers", ps_kafka_mock_bootstrap(mock), "kafka.topic",     \
                                topic, ##__VA_ARGS__))

static void test_bodies_arrive_in_order(void **state)
{
    (void)state;
    struct ps_test_stage stage;
    make_topic("order", 1);
    START(&stage, "order");
    char text[64][16];
    for (int lease = 0; lease < 8; lease++) {
        struct ps_test_event events[64];
        for (int i = 0; i < 64; i++) {
            snprintf(text[i], sizeof text[i], "%d", lease * 64 + i);
            events[i] = (struct ps_test_event){.body = text[i], .length = (uint32_t)strlen(text[i])};
        }
        offer(&stage, ps_test_lease(&stage, events, 64));
    }
    ps_test_sink_wait(&stage, 8, 10000);
    assert_true(stage.ops->sink->drain(stage.plan, stage.state, &stage.now));
    struct ps_test_records records = ps_test_records_read(ps_kafka_mock_bootstrap(mock), "order", 1, 512);
    assert_int_equal(records.count, 512);
    for (size_t i = 0; i < records.count; i++) {
        assert_int_equal(strtoul(records.items[i].value, NULL, 10), i);
        assert_null(records.items[i].key);
    }
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_arrive_in_order),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
