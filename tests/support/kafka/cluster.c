#include "tests/support/kafka/cluster.h"

#include <string.h>

struct ps_test_cluster ps_test_cluster;

void ps_test_cluster_start(struct ps_test_cluster *cluster, unsigned broker_count)
{
    struct ps_err err = {0};
    cluster->mock = ps_mock_broker_create(broker_count, &err);
    if (cluster->mock == NULL)
        fail_msg("%s", err.text);
    cluster->handle = ps_mock_broker_cluster(cluster->mock);
    cluster->bootstrap = ps_mock_broker_bootstrap(cluster->mock);
}

void ps_test_cluster_stop(struct ps_test_cluster *cluster)
{
    ps_mock_broker_destroy(cluster->mock);
    *cluster = (struct ps_test_cluster){0};
}

void ps_test_cluster_topic(const struct ps_test_cluster *cluster, const char *name, unsigned partition_count)
{
    struct ps_err err = {0};
    if (ps_mock_broker_topic(cluster->mock, name, partition_count, &err) != PS_OK)
        fail_msg("%s", err.text);
}

bool ps_test_topic_exists(const struct ps_test_cluster *cluster, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    char reason[256];
    bool found = false;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", cluster->bootstrap, NULL, 0);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client == NULL)
        fail_msg("%s", reason);
    assert_int_equal(rd_kafka_metadata(client, 1, NULL, &metadata, 60000), RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int i = 0; i < metadata->topic_cnt; i++)
        found = found || strcmp(metadata->topics[i].topic, name) == 0;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(client);
    return found;
}

int ps_test_cluster_setup(void **state)
{
    ps_test_cluster_start(&ps_test_cluster, 1);
    return 0;
}

int ps_test_cluster_teardown(void **state)
{
    ps_test_cluster_stop(&ps_test_cluster);
    return 0;
}
