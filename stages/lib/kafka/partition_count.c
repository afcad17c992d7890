#include "stages/lib/kafka/partition_count.h"

#include <librdkafka/rdkafka.h>

static rd_kafka_t *client_make(const struct ps_pair *pairs, size_t pair_count, struct ps_err *err)
{
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < pair_count; i++) {
        if (rd_kafka_conf_set(conf, pairs[i].key, pairs[i].value, reason, sizeof reason) !=
            RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            ps_err_set(err, "%s: %s", pairs[i].key, reason);
            return NULL;
        }
    }
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0); /* the reason is in `err` */
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        ps_err_set(err, "%s", reason);
    }
    return client;
}

enum ps_status ps_kafka_partition_count(const struct ps_pair *pairs, size_t pair_count, const char *topic,
                                        int timeout_ms, unsigned *partition_count, struct ps_err *err)
{
    rd_kafka_t *client = client_make(pairs, pair_count, err);
    if (client == NULL)
        return PS_FAIL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    if (handle == NULL) {
        rd_kafka_destroy(client);
        return ps_err_set(err, "%s is not a legal topic name", topic);
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, timeout_ms);
    *partition_count = 0;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        error = metadata->topics[0].err;
        *partition_count = (unsigned)metadata->topics[0].partition_cnt;
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(client);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || *partition_count == 0)
        return ps_err_set(err, "cannot get the partitions of topic %s: %s", topic, rd_kafka_err2str(error));
    return PS_OK;
}
