/* What `penstock check --probe` says of a cluster and its topics, with the embedded cluster: a topic has this very name, and each
 * leader of its partitions answers. */
#include "stages/lib/kafka/probe.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/probed.h"

#define BROKERS 2U
#define LIST_OFFSETS 2 /* the key of this request */

static struct ps_test_cluster cluster;
static struct ps_test_probed probed;

static int setup(void **state)
{
    ps_test_cluster_start(&cluster, BROKERS);
    return 0;
}

static int teardown(void **state)
{
    ps_test_cluster_stop(&cluster);
    return 0;
}

/* Probes the cluster for a topic. What is said of the topic is last. */
static void probe(enum ps_kafka_client client, const char *topic)
{
    struct ps_context context = {0};
    const struct ps_pairs none = {0};
    const struct ps_probe probe = {.component = "k",
                                   .timeout_ms = PS_TEST_PATIENCE_MS,
                                   .tried = ps_test_probed_note,
                                   .argument = &probed};
    const struct ps_kafka_probe kafka = {.client = client,
                                         .pairs = &none,
                                         .brokers = strchr(cluster.bootstrap, ',') + 1, /* one address */
                                         .topics = {1, &topic}};
    probed = (struct ps_test_probed){.count = 0};
    ps_kafka_probe(&probe, &context, &kafka);
    assert_int_equal(probed.count, 2);
}

/* Neither the beginning of a name, nor a longer one, nor other letters are the topic. */
static void test_names(void **state)
{
    static const struct {
        const char *topic, *what; /* what NULL: the cluster has no such topic */
    } rows[] = {{"orders", NULL},     {"orders-dlq", "topic orders-dlq: 3 partitions, their leaders answer"},
                {"orders-dl", NULL},  {"orders-dlq2", NULL},
                {"Orders-dlq", NULL}, {"pay", "topic pay: 1 partition, their leaders answer"},
                {"pays", NULL},       {"payments", "topic payments: 2 partitions, their leaders answer"}};
    ps_test_cluster_topic(&cluster, "orders-dlq", 3);
    ps_test_cluster_topic(&cluster, "payments", 2);
    ps_test_cluster_topic(&cluster, "pay", 1);
    for (size_t i = 0; i < 2 * PS_COUNT_OF(rows); i++) {
        char what[100];
        const char *topic = rows[i / 2].topic;
        probe(i % 2 == 0 ? PS_KAFKA_PRODUCER : PS_KAFKA_CONSUMER, topic);
        snprintf(what, sizeof what, "topic %s", topic);
        assert_string_equal(probed.what, rows[i / 2].what != NULL ? rows[i / 2].what : what);
        if (rows[i / 2].what != NULL)
            ps_test_probed_expect(&probed, PS_PROBED_OK, "", "");
        else
            ps_test_probed_expect(&probed, PS_PROBED_FAILED, "the cluster has no such topic",
                                  "create it, grant DESCRIBE on it");
    }
}

/* Each partition's leader is asked: the one that does not answer well is named, and a partition without a leader too. */
static void test_leaders(void **state)
{
    ps_test_cluster_topic(&cluster, "led", 4);
    for (int32_t partition = 0; partition < 4; partition++)
        assert_int_equal(rd_kafka_mock_partition_set_leader(cluster.handle, "led", partition, 2), 0);
    probe(PS_KAFKA_PRODUCER, "led");
    ps_test_probed_expect(&probed, PS_PROBED_OK, "", "");
    for (int32_t one = 3; one >= 0; one--) { /* broker 2 leads the others */
        char cause[200];
        assert_int_equal(rd_kafka_mock_partition_set_leader(cluster.handle, "led", one, 1), 0);
        assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(
                             cluster.handle, 1, LIST_OFFSETS, 2, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                             0, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0),
                         0);
        probe(PS_KAFKA_PRODUCER, "led");
        assert_string_equal(probed.what, "topic led");
        snprintf(cause, sizeof cause, ", the leader of partition %d: Broker: Topic authorization failed",
                 one);
        ps_test_probed_expect(&probed, PS_PROBED_FAILED, cause, "grant WRITE on it to this principal");
        assert_memory_equal(probed.cause, "broker 1 at 127.0.0.1:", strlen("broker 1 at 127.0.0.1:"));
        assert_int_equal(rd_kafka_mock_partition_set_leader(cluster.handle, "led", one, -1), 0);
        probe(PS_KAFKA_PRODUCER, "led");
        snprintf(cause, sizeof cause, "partition %d has no leader", one);
        ps_test_probed_expect(&probed, PS_PROBED_FAILED, cause, "see which brokers of the cluster are down");
        assert_int_equal(rd_kafka_mock_partition_set_leader(cluster.handle, "led", one, 2), 0);
    }
}

/* An error of the topic is said with its meaning. */
static void test_errors(void **state)
{
    ps_test_cluster_topic(&cluster, "denied", 1);
    rd_kafka_mock_topic_set_error(cluster.handle, "denied", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    probe(PS_KAFKA_PRODUCER, "denied");
    assert_string_equal(probed.what, "topic denied");
    ps_test_probed_expect(&probed, PS_PROBED_FAILED, "Broker: Topic authorization failed",
                          "grant WRITE on it to this principal");
}

/* Nothing answers at the address: the cure names the keys of the component that is probed. */
static void test_no_broker(void **state)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ps_context context = {0};
        const struct ps_pairs none = {0};
        const struct ps_probe probe = {
            .component = "k", .timeout_ms = 1000, .tried = ps_test_probed_note, .argument = &probed};
        const struct ps_kafka_probe kafka = {.client = i == 0 ? PS_KAFKA_PRODUCER : PS_KAFKA_CONSUMER,
                                             .pairs = &none,
                                             .brokers = "127.0.0.1:1"};
        ps_kafka_probe(&probe, &context, &kafka);
        ps_test_probed_expect(&probed, PS_PROBED_FAILED, "",
                              i == 0 ? "kafka.producer.security.protocol"
                                     : "kafka.consumer.security.protocol");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_leaders),
                                       cmocka_unit_test(test_errors), cmocka_unit_test(test_no_broker)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
