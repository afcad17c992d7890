#include "stages/lib/kafka/channel/left.h"

#include <librdkafka/rdkafka.h>

#include "core/clock.h"
#include "core/helper/helper.h"
#include "core/log/log.h"
#include "core/quantity.h"

/* Limit of the time for which the control thread asks the brokers. Signals and the next reload wait for its
 * end. */
#define ASK_NS (2 * PS_NS_PER_S)
#define END_MS 1000U /* time for the client to end: milliseconds are enough unless a name server is silent */
/* Timestamps with which ListOffsets returns the beginning and the end of a partition. */
#define OLDEST (-2)
#define NEWEST (-1)

static int rest_ms(uint64_t until_ns)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    return now_ns < until_ns ? (int)((until_ns - now_ns) / PS_NS_PER_MS) + 1 : 0;
}

/* Returns a list of the topic's partitions; NULL if the brokers do not answer, or have no such topic. */
static rd_kafka_topic_partition_list_t *partitions_of(rd_kafka_t *client, const char *topic,
                                                      uint64_t until_ns)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    if (handle == NULL)
        return NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, rest_ms(until_ns));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 &&
        metadata->topics[0].partition_cnt > 0) {
        list = rd_kafka_topic_partition_list_new(metadata->topics[0].partition_cnt);
        for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
            rd_kafka_topic_partition_list_add(list, topic, metadata->topics[0].partitions[i].id);
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return list;
}

/* Sets each offset to the beginning or the end of its partition, as `end` says. Returns whether all of these
 * offsets are known. */
static bool find_ends(rd_kafka_t *client, rd_kafka_topic_partition_list_t *list, int64_t end,
                      uint64_t until_ns)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = end;
    bool known = rd_kafka_offsets_for_times(client, list, rest_ms(until_ns)) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; known && i < list->cnt; i++)
        known = list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && list->elems[i].offset >= 0;
    return known;
}

/* Sets *count to the number of records behind the committed offsets of the client's group, without records
 * that the brokers have removed. Returns whether the number is known. */
static bool count_left(rd_kafka_t *client, const char *topic, uint64_t until_ns, uint64_t *count)
{
    rd_kafka_topic_partition_list_t *next = partitions_of(client, topic, until_ns);
    if (next == NULL)
        return false;
    rd_kafka_topic_partition_list_t *oldest = rd_kafka_topic_partition_list_copy(next);
    rd_kafka_topic_partition_list_t *newest = rd_kafka_topic_partition_list_copy(next);
    bool known = rd_kafka_committed(client, next, rest_ms(until_ns)) == RD_KAFKA_RESP_ERR_NO_ERROR &&
                 find_ends(client, oldest, OLDEST, until_ns) && find_ends(client, newest, NEWEST, until_ns);
    *count = 0;
    for (int i = 0; known && i < next->cnt; i++) {
        int64_t from =
            next->elems[i].offset > oldest->elems[i].offset ? next->elems[i].offset : oldest->elems[i].offset;
        known = next->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
        *count += newest->elems[i].offset > from ? (uint64_t)(newest->elems[i].offset - from) : 0;
    }
    rd_kafka_topic_partition_list_destroy(next);
    rd_kafka_topic_partition_list_destroy(oldest);
    rd_kafka_topic_partition_list_destroy(newest);
    return known;
}

static void no_log(const rd_kafka_t *, int, const char *, const char *)
{
}

/* Makes a client that only asks for offsets: it does not join the group, whose consumers have left. */
static rd_kafka_t *client_make(const struct ps_kafka_settings *settings)
{
    char reason[512];
    struct ps_err err = {0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, no_log);
    rd_kafka_t *client = NULL;
    if (ps_kafka_settings_apply(settings, conf, &err) == PS_OK)
        client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (client == NULL)
        rd_kafka_conf_destroy(conf);
    return client;
}

/* Thread: the helper's, or control. */
static void client_destroy(void *client)
{
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

/* Calls rd_kafka_destroy on a helper thread, because it waits for the library's threads, which may wait for a
 * name server without a limit. */
static void client_end(rd_kafka_t *client)
{
    struct ps_err err = {0};
    const struct ps_helper_settings settings = {
        .name = "kafka-leaver", .room = 1, .wake_fd = -1, .end = client_destroy, .argument = client};
    struct ps_helper *helper = ps_helper_create(&settings, &err);
    if (helper == NULL)
        client_destroy(client);
    (void)ps_helper_destroy(helper, END_MS);
}

void ps_kafka_channel_say_left(const struct ps_kafka_settings *settings, const char *component,
                               const char *topic, const char *group)
{
    uint64_t count = 0, until_ns = ps_clock_now().mono_ns + ASK_NS;
    const char *brokers = ps_kafka_settings_get(settings, "bootstrap.servers");
    rd_kafka_t *client = client_make(settings);
    bool known = client != NULL && count_left(client, topic, until_ns, &count);
    if (client != NULL)
        client_end(client);
    if (!known)
        ps_log(PS_LOG_WARN, component,
               "events may stay in topic %s at %s, undelivered (the brokers did not say how many): a channel "
               "with these brokers, this topic and group %s delivers them",
               topic, brokers, group);
    else if (count > 0)
        ps_log(PS_LOG_WARN, component,
               "%s %s in topic %s at %s, undelivered: a channel with these brokers, this topic and group %s "
               "delivers %s",
               ps_quantity_print_count(count).text, ps_quantity_word(count, "event stays", "events stay"),
               topic, brokers, group, ps_quantity_word(count, "it", "them"));
}
