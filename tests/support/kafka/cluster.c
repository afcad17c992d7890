#include "tests/support/kafka/cluster.h"

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
