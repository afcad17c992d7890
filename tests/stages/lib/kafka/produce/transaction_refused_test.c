/* A cluster that does not take the transactions of this sender. */
#include "tests/support/kafka/listener.h"
#include "stages/lib/kafka/read_topics.h"
#include "tests/support/kafka/transaction_run.h"

/* A cluster that gives no producer id: the sink has not reached its destination, with the broker's reason and the cure, also without
 * events, until the cluster gives one. Nothing is said at a recall about a transaction that was not opened. */
static void test_refused_id(void **state)
{
    static struct run run;
    begin(&run, 1, 0);
    ps_test_coordinator_refuse(run.broker, 22, 50, 0);
    open_source(&run);
    for (unsigned turns = 0; turns < 500; turns++)
        turn(&run);
    assert_int_equal(run.stage.port.lack, PS_LACK_NEVER);
    assert_non_null(strstr(run.sender->last_lost, "INVALID_TRANSACTION_TIMEOUT"));
    assert_non_null(strstr(run.sender->last_lost, "transaction.max.timeout.ms"));
    read_batch(&run, 0);
    for (unsigned turns = 0; turns < 100; turns++)
        turn(&run);
    assert_int_equal(run.stage.port.lack, PS_LACK_NEVER);
    uint64_t warned = ps_log_count(PS_LOG_WARN);
    recall(&run);
    assert_int_equal(ps_log_count(PS_LOG_WARN), warned);
    ps_test_coordinator_refuse(run.broker, 0, 0, 0);
    serve_until(&run, 1, 5000);
    assert_int_equal(run.stage.port.lack, PS_LACK_NONE);
    end(&run);
}

/* A topic that the sink's brokers deny, while a source of this process reads it, is no deleted one: the sink writes to another cluster
 * with the same id. Nothing is committed without its positions. When the source's cluster has no such topic either, it was deleted. */
static void test_another_cluster_with_the_same_id(void **state)
{
    static struct run run;
    struct ps_kafka_read_topics source = {.group = "g"};
    struct ps_kafka_read_topic *topics = calloc(1, sizeof *topics);
    assert_non_null(topics);
    *topics = (struct ps_kafka_read_topic){.name = "in", .partitions = PS_TEST_IN_PARTITIONS};
    ps_kafka_read_topics_set(&source, topics, 1);
    begin(&run, 1, 0);
    open_source(&run);
    ps_test_coordinator_remove(run.broker, 1, true);
    read_batch(&run, 1);
    uint64_t since_ns = run.stage.now.mono_ns;
    while (run.stage.now.mono_ns - since_ns < 40 * PS_NS_PER_S)
        turn(&run);
    assert_int_equal(run.stage.done_count, 0);
    assert_int_equal(ps_test_coordinator_counts(run.broker).commits, 0);
    assert_non_null(strstr(run.sender->last_error, "two clusters with the same id"));
    ps_kafka_read_topics_set(&source, NULL, 0);
    serve_until(&run, 1, 20000);
    ps_kafka_read_topics_remove(&source);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_id),
        cmocka_unit_test(test_another_cluster_with_the_same_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
