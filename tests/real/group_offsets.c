/* Prints what consumer groups have committed, a line for each partition: GROUP TOPIC PARTITION OFFSET END LAG, as Kafka's ConsumerGroupCommand
 * does, which is a JVM and takes 0.7 s of CPU each time.
 *
 *   group_offsets BOOTSTRAP [GROUP]      without GROUP: those of all groups
 *
 * END is the end of the partition's log, open transactions included. Of a topic that was deleted, END and LAG are "-", as there: a group may keep
 * its offsets. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 60000

static void fail(const char *what, const char *reason)
{
    fprintf(stderr, "group_offsets: %s: %s\n", what, reason);
    exit(1);
}

static rd_kafka_t *client_make(const char *bootstrap)
{
    static const char *const settings[][2] = {{"log_level", "3"}, {"isolation.level", "read_uncommitted"}};
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        fail(bootstrap, reason);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason) !=
            RD_KAFKA_CONF_OK)
            fail(settings[i][0], reason);
    }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (client == NULL)
        fail(bootstrap, reason);
    return client;
}

static rd_kafka_AdminOptions_t *options_make(rd_kafka_t *client, rd_kafka_admin_op_t kind)
{
    char reason[256];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, kind);
    if (rd_kafka_AdminOptions_set_request_timeout(options, ANSWER_MS, reason, sizeof reason) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("options", reason);
    return options;
}

static rd_kafka_event_t *answer(rd_kafka_queue_t *queue, rd_kafka_AdminOptions_t *options)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, -1);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("no answer", rd_kafka_event_error_string(event));
    rd_kafka_AdminOptions_destroy(options);
    return event;
}

static void print_partition(rd_kafka_t *client, const char *group,
                            const rd_kafka_topic_partition_t *partition)
{
    int64_t first, end;
    if (partition->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(partition->topic, rd_kafka_err2str(partition->err));
    if (partition->offset < 0)
        return;
    rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
        client, partition->topic, partition->partition, &first, &end, ANSWER_MS);
    if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
        error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        printf("%s %s %" PRId32 " %" PRId64 " - -\n", group, partition->topic, partition->partition,
               partition->offset);
        return;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(partition->topic, rd_kafka_err2str(error));
    printf("%s %s %" PRId32 " %" PRId64 " %" PRId64 " %" PRId64 "\n", group, partition->topic,
           partition->partition, partition->offset, end, end - partition->offset);
}

static void print_group(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *group)
{
    size_t count;
    rd_kafka_AdminOptions_t *options = options_make(client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *wanted = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_ListConsumerGroupOffsets(client, &wanted, 1, options, queue);
    rd_kafka_event_t *event = answer(queue, options);
    const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *error = rd_kafka_group_result_error(results[0]);
    if (error != NULL)
        fail(group, rd_kafka_error_string(error));
    const rd_kafka_topic_partition_list_t *partitions = rd_kafka_group_result_partitions(results[0]);
    for (int i = 0; partitions != NULL && i < partitions->cnt; i++)
        print_partition(client, group, &partitions->elems[i]);
    rd_kafka_event_destroy(event);
    rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
}

static void print_all(rd_kafka_t *client, rd_kafka_queue_t *queue)
{
    size_t count, errors;
    rd_kafka_AdminOptions_t *options = options_make(client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    rd_kafka_ListConsumerGroups(client, options, queue);
    rd_kafka_event_t *event = answer(queue, options);
    const rd_kafka_ListConsumerGroups_result_t *result = rd_kafka_event_ListConsumerGroups_result(event);
    const rd_kafka_error_t **wrong = rd_kafka_ListConsumerGroups_result_errors(result, &errors);
    if (errors > 0)
        fail("the list of groups", rd_kafka_error_string(wrong[0]));
    const rd_kafka_ConsumerGroupListing_t **groups = rd_kafka_ListConsumerGroups_result_valid(result, &count);
    for (size_t i = 0; i < count; i++)
        print_group(client, queue, rd_kafka_ConsumerGroupListing_group_id(groups[i]));
    rd_kafka_event_destroy(event);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "group_offsets BOOTSTRAP [GROUP]\n");
        return 2;
    }
    rd_kafka_t *client = client_make(argv[1]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    if (argc == 3)
        print_group(client, queue, argv[2]);
    else
        print_all(client, queue);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    return 0;
}
