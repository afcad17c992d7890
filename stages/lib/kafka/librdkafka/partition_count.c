#include "stages/lib/kafka/librdkafka/partition_count.h"
#include "stages/lib/kafka/librdkafka/settings.h"

#include <librdkafka/rdkafka.h>
#include <string.h>
#include <unistd.h>

#define LOOKS 10U
#define LOOK_US 100000U

static rd_kafka_t *client_make(const struct ps_pair *pairs, size_t pair_count, struct ps_err *err)
{
    char reason[512];
    const struct ps_kafka_settings list = {.count = pair_count, .items = (struct ps_pair *)(uintptr_t)pairs};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (ps_kafka_settings_apply(&list, conf, err) != PS_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0); /* the reason is in `err` */
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        ps_err_set(err, "%s", reason);
    }
    return client;
}

/* Asks once. Asks for all topics, unless the topic may be made: brokers make a topic that a client asks for by name, the
 * old ones whatever the request says. */
static rd_kafka_resp_err_t ask(rd_kafka_t *client, const char *topic, bool may_create, int timeout_ms,
                               unsigned *partition_count)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = may_create ? rd_kafka_topic_new(client, topic, NULL) : NULL;
    *partition_count = 0;
    if (may_create && handle == NULL)
        return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, !may_create, handle, &metadata, timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        for (int i = 0; i < metadata->topic_cnt; i++) {
            if (strcmp(metadata->topics[i].topic, topic) != 0)
                continue;
            error = metadata->topics[i].err;
            *partition_count = (unsigned)metadata->topics[i].partition_cnt;
        }
        rd_kafka_metadata_destroy(metadata);
    }
    if (handle != NULL)
        rd_kafka_topic_destroy(handle);
    return error;
}

enum ps_status ps_kafka_partition_count(const struct ps_pair *pairs, size_t pair_count, const char *topic,
                                        bool may_create, int timeout_ms, unsigned *partition_count,
                                        struct ps_err *err)
{
    rd_kafka_t *client = client_make(pairs, pair_count, err);
    if (client == NULL)
        return PS_FAIL;
    rd_kafka_resp_err_t error;
    unsigned looks = 0;
    do { /* a broker may not know yet of a topic that was just made */
        if (looks > 0)
            usleep(LOOK_US);
        error = ask(client, topic, may_create, timeout_ms, partition_count);
    } while ((error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
              error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
              (error == RD_KAFKA_RESP_ERR_NO_ERROR && *partition_count == 0)) &&
             ++looks < LOOKS);
    rd_kafka_destroy(client);
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return ps_err_set(
            err, "topic %s does not exist, or this user may not see it: create it, or grant DESCRIBE on it",
            topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || *partition_count == 0)
        return ps_err_set(err, "cannot get the partitions of topic %s: %s", topic, rd_kafka_err2str(error));
    return PS_OK;
}
