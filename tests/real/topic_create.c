/* Creates a topic unless it exists, and waits until the leader of each partition answers:
 *
 *   topic_create BOOTSTRAP NAME PARTITIONS [COPIES] [--anew] [--set KEY=VALUE]...
 *
 * COPIES is the cluster's default unless it is given. --anew deletes the topic first: the request to create it follows the
 * answer immediately, on the same connection, so that the brokers have no topic of this name for as short a time as possible.
 * Kafka's own TopicCommand is a JVM, which takes more than a second of CPU for each topic. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 60000
#define LOOKS 600 /* for a leader, every 0.1 s */
#define LOOK_US 100000
#define LEADER_MS 5000 /* for one leader's answer in a look */

static void fail(const char *what, const char *reason)
{
    fprintf(stderr, "topic_create: %s: %s\n", what, reason);
    exit(1);
}

static rd_kafka_t *client_make(const char *bootstrap)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, reason, sizeof reason) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "log_level", "3", reason, sizeof reason) != RD_KAFKA_CONF_OK)
        fail(bootstrap, reason);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client == NULL)
        fail(bootstrap, reason);
    return client;
}

static void add_setting(rd_kafka_NewTopic_t *topic, char *pair)
{
    char *value = strchr(pair, '=');
    if (value == NULL)
        fail(pair, "no KEY=VALUE");
    *value++ = '\0';
    if (rd_kafka_NewTopic_set_config(topic, pair, value) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(pair, "not accepted");
}

/* Makes the topic of the words after PARTITIONS. */
static rd_kafka_NewTopic_t *topic_make(const char *name, int partitions, char **words, bool *anew)
{
    char reason[256];
    int copies = *words != NULL && **words != '-' ? atoi(*words++) : -1;
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, copies, reason, sizeof reason);
    if (topic == NULL)
        fail(name, reason);
    *anew = *words != NULL && strcmp(*words, "--anew") == 0;
    for (words += *anew; *words != NULL; words += 2) {
        if (strcmp(words[0], "--set") != 0 || words[1] == NULL)
            fail(words[0], "unknown option");
        add_setting(topic, words[1]);
    }
    return topic;
}

static rd_kafka_AdminOptions_t *options_make(rd_kafka_t *client, rd_kafka_admin_op_t operation)
{
    char reason[256];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, operation);
    if (rd_kafka_AdminOptions_set_request_timeout(options, ANSWER_MS, reason, sizeof reason) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_AdminOptions_set_operation_timeout(options, ANSWER_MS / 2, reason, sizeof reason) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("options", reason);
    return options;
}

/* Waits for the answer to a request for one topic, in which no error but `expected` may be. Returns whether it is there. */
static bool wait_for_answer(rd_kafka_queue_t *queue, rd_kafka_resp_err_t expected)
{
    size_t count;
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, -1);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("no answer", rd_kafka_event_error_string(event));
    const rd_kafka_topic_result_t **results =
        rd_kafka_event_type(event) == RD_KAFKA_EVENT_DELETETOPICS_RESULT
            ? rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
            : rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[0]);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != expected)
        fail(rd_kafka_topic_result_name(results[0]), rd_kafka_topic_result_error_string(results[0]));
    rd_kafka_event_destroy(event);
    return error != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The first metadata of a cluster that has just started may lack the controller. librdkafka asks again only after minutes, which is
 * too late for the request that waits for it. */
static void wait_for_controller(rd_kafka_t *client)
{
    for (int look = 0; look < LOOKS && rd_kafka_controllerid(client, 0) < 0; look++) {
        const struct rd_kafka_metadata *metadata;
        if (rd_kafka_metadata(client, 0, NULL, &metadata, ANSWER_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_metadata_destroy(metadata);
        usleep(LOOK_US);
    }
}

static void create(rd_kafka_t *client, rd_kafka_NewTopic_t *topic, const char *name, bool anew)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteTopic_t *former = rd_kafka_DeleteTopic_new(name);
    rd_kafka_AdminOptions_t *deletes = options_make(client, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_AdminOptions_t *creates = options_make(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    if (anew) {
        rd_kafka_DeleteTopics(client, &former, 1, deletes, queue);
        (void)wait_for_answer(queue, RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    bool exists;
    int look = 0;
    do { /* with ZooKeeper, the answer to the deletion may come before the topic's name is free */
        if (look > 0)
            usleep(LOOK_US / 10);
        rd_kafka_CreateTopics(client, &topic, 1, creates, queue);
        exists = wait_for_answer(queue, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
    } while (exists && anew && ++look < LOOKS);
    if (exists && anew)
        fail(name, "it is not deleted");
    rd_kafka_AdminOptions_destroy(creates);
    rd_kafka_AdminOptions_destroy(deletes);
    rd_kafka_DeleteTopic_destroy(former);
    rd_kafka_queue_destroy(queue);
}

/* Asks the cluster for the topic's partitions. Returns NULL if all of them have a leader, otherwise what is missing. */
static const char *missing_leader(rd_kafka_t *client, const char *name, int partitions)
{
    static char reason[128];
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, ANSWER_MS);
    rd_kafka_topic_destroy(topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(reason, sizeof reason, "no metadata: %s", rd_kafka_err2str(error));
        return reason;
    }
    int with_leader = 0;
    if (metadata->topic_cnt == 1) {
        for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
            with_leader += metadata->topics[0].partitions[i].leader >= 0;
        error = metadata->topics[0].err;
    }
    snprintf(reason, sizeof reason, "%d of its %d partitions have a leader, wanted are %d; topic: %s",
             with_leader, metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0, partitions,
             rd_kafka_err2str(error));
    rd_kafka_metadata_destroy(metadata);
    return with_leader < partitions ? reason : NULL;
}

/* Asks each leader where its partition ends, which a broker that does not know yet that it leads cannot tell. Returns NULL if all of
 * them answer, otherwise why one does not. */
static const char *silent_leader(rd_kafka_t *client, const char *name, int partitions)
{
    static char reason[128];
    for (int partition = 0; partition < partitions; partition++) {
        int64_t first;
        int64_t end;
        rd_kafka_resp_err_t error =
            rd_kafka_query_watermark_offsets(client, name, partition, &first, &end, LEADER_MS);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            snprintf(reason, sizeof reason, "the leader of partition %d: %s", partition,
                     rd_kafka_err2str(error));
            return reason;
        }
    }
    return NULL;
}

/* A new partition may have no leader for some time, and a broker may not know for some time that it leads the partition. Each look
 * is made by a client of its own: rd_kafka_query_watermark_offsets() does not always ask again for a partition that had no leader
 * in an earlier answer. */
static void wait_for_leaders(const char *bootstrap, const char *name, int partitions)
{
    const char *missing = "no look";
    for (int look = 0; look < LOOKS && missing != NULL; look++) {
        if (look > 0)
            usleep(LOOK_US);
        rd_kafka_t *client = client_make(bootstrap);
        missing = missing_leader(client, name, partitions);
        if (missing == NULL)
            missing = silent_leader(client, name, partitions);
        rd_kafka_destroy(client);
    }
    if (missing != NULL)
        fail(name, missing);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "topic_create BOOTSTRAP NAME PARTITIONS [COPIES] [--anew] [--set KEY=VALUE]...\n");
        return 2;
    }
    int partitions = atoi(argv[3]);
    rd_kafka_t *client = client_make(argv[1]);
    bool anew;
    rd_kafka_NewTopic_t *topic = topic_make(argv[2], partitions, argv + 4, &anew);
    wait_for_controller(client);
    create(client, topic, argv[2], anew);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_destroy(client);
    wait_for_leaders(argv[1], argv[2], partitions);
    return 0;
}
