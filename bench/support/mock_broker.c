#include "bench/support/mock_broker.h"

#include "bench/support/mock_relay.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ps_mock_broker {
    rd_kafka_t *host; /* owns the cluster's thread; not used as a client */
    rd_kafka_mock_cluster_t *cluster;
    unsigned broker_count;
    struct ps_mock_relay *relay; /* NULL: clients connect to the brokers' own ports */
    char address[32];            /* the relay's address */
};

struct ps_mock_broker *ps_mock_broker_create(unsigned broker_count, struct ps_err *err)
{
    char reason[512];
    if (broker_count < 1 || broker_count > 16) {
        ps_err_set(err, "1 to 16 brokers, not %u", broker_count);
        return NULL;
    }
    struct ps_mock_broker *mock = ps_must_alloc(1, sizeof *mock, "the mock broker");
    mock->broker_count = broker_count;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* logs only errors, or there would be a line for every client that disconnects */
    rd_kafka_conf_set(conf, "log_level", "3", reason, sizeof reason);
    /* like those of real brokers, answers do not wait for the client's delayed acknowledgement (40 ms) */
    rd_kafka_conf_set(conf, "socket.nagle.disable", "true", reason, sizeof reason);
    mock->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (mock->host == NULL) {
        rd_kafka_conf_destroy(conf);
        free(mock);
        ps_err_set(err, "no mock cluster: %s", reason);
        return NULL;
    }
    mock->cluster = rd_kafka_mock_cluster_new(mock->host, (int)broker_count);
    if (mock->cluster == NULL) {
        rd_kafka_destroy(mock->host);
        free(mock);
        ps_err_set(err, "cannot create a mock cluster of %u brokers", broker_count);
        return NULL;
    }
    return mock;
}

void ps_mock_broker_destroy(struct ps_mock_broker *mock)
{
    ps_mock_relay_destroy(mock->relay);
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->host);
    free(mock);
}

enum ps_status ps_mock_broker_listen(struct ps_mock_broker *mock, uint16_t port, struct ps_err *err)
{
    const char *colon = strchr(rd_kafka_mock_cluster_bootstraps(mock->cluster), ':');
    PS_ASSERT(colon != NULL && mock->relay == NULL);
    mock->relay = ps_mock_relay_create(port, (uint16_t)strtoul(colon + 1, NULL, 10), err);
    if (mock->relay == NULL)
        return PS_FAIL;
    snprintf(mock->address, sizeof mock->address, "127.0.0.1:%u", port);
    return PS_OK;
}

const char *ps_mock_broker_bootstrap(const struct ps_mock_broker *mock)
{
    return mock->relay != NULL ? mock->address : rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

enum ps_status ps_mock_broker_topic(struct ps_mock_broker *mock, const char *name, unsigned partition_count,
                                    struct ps_err *err)
{
    if (partition_count < 1 || partition_count > 10000)
        return ps_err_set(err, "topic %s: 1 to 10000 partitions, not %u", name, partition_count);
    int replicas = mock->broker_count < 3 ? (int)mock->broker_count : 3;
    rd_kafka_resp_err_t failed =
        rd_kafka_mock_topic_create(mock->cluster, name, (int)partition_count, replicas);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return ps_err_set(err, "topic %s: %s", name, rd_kafka_err2str(failed));
    return PS_OK;
}

void ps_mock_broker_round_trip(struct ps_mock_broker *mock, uint32_t ms)
{
    for (unsigned broker = 1; broker <= mock->broker_count; broker++)
        rd_kafka_mock_broker_set_rtt(mock->cluster, (int32_t)broker, (int)ms);
}

struct rd_kafka_mock_cluster_s *ps_mock_broker_cluster(struct ps_mock_broker *mock)
{
    return mock->cluster;
}
