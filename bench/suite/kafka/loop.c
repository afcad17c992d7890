#include "bench/suite/kafka/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t ps_kafka_loop_reported;

/* ---- producing ---- */

static void on_report(rd_kafka_t *, const rd_kafka_message_t *message, void *)
{
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_bench_fatal("%s", rd_kafka_err2str(message->err));
    if (message->_private != NULL)
        rd_kafka_message_destroy(message->_private);
    ps_kafka_loop_reported++;
}

rd_kafka_t *ps_kafka_loop_client(rd_kafka_type_t type, const char *const (*settings)[2])
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; (*settings)[0] != NULL; settings++)
        if (rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], text, sizeof text) != RD_KAFKA_CONF_OK)
            ps_bench_fatal("%s", text);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof text);
    if (client == NULL)
        ps_bench_fatal("%s", text);
    return client;
}

rd_kafka_t *ps_kafka_loop_producer(const char *brokers, const char *compression, const char *linger_ms)
{
    const char *const settings[][2] = {{"bootstrap.servers", brokers},    {"enable.idempotence", "true"},
                                       {"message.timeout.ms", "0"},       {"batch.size", "1000000"},
                                       {"batch.num.messages", "10000"},   {"linger.ms", linger_ms},
                                       {"compression.type", compression}, {NULL, NULL}};
    return ps_kafka_loop_client(RD_KAFKA_PRODUCER, settings);
}

void ps_kafka_loop_produce(rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition,
                           rd_kafka_message_t *messages, int count)
{
    int taken = 0;
    while (taken < count) {
        taken += rd_kafka_produce_batch(topic, partition, 0, messages + taken, count - taken);
        rd_kafka_poll(client, taken < count ? 1 : 0);
    }
}

void ps_kafka_loop_topic(rd_kafka_t *client, const char *name, int partitions)
{
    char text[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof text);
    if (topic == NULL)
        ps_bench_fatal("%s", text);
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_bench_fatal("the broker does not create topics");
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
}

void ps_kafka_loop_topic_delete(rd_kafka_t *client, const char *name)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
}

/* ---- consuming ---- */

rd_kafka_t *ps_kafka_loop_consumer(const char *brokers, const char *topic)
{
    char group[64];
    static unsigned number;
    snprintf(group, sizeof group, "bare-%d-%u-%lld", (int)getpid(), number++, (long long)time(NULL));
    const char *const settings[][2] = {{"bootstrap.servers", brokers},       {"group.id", group},
                                       {"auto.offset.reset", "earliest"},    {"enable.auto.commit", "false"},
                                       {"enable.auto.offset.store", "true"}, {NULL, NULL}};
    rd_kafka_t *client = ps_kafka_loop_client(RD_KAFKA_CONSUMER, settings);
    rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    return client;
}

double ps_kafka_loop_agent_rate(struct ps_agent *agent, struct ps_kafka_loop_job *job)
{
    struct ps_agent_cost cost = ps_bench_agent_until(agent, job->events);
    job->agent_per_second = cost.per_second;
    return cost.per_cpu_second;
}

/* ---- sides ---- */

void ps_kafka_side_add(struct ps_kafka_side *side, double per_second, double broker_per_million,
                       const struct ps_kafka_account *account)
{
    ps_kafka_account_add(&side->account, account);
    if (side->runs > PS_ROUNDS_MAX)
        return;
    side->per_second[side->runs] = per_second;
    side->broker_per_million[side->runs++] = broker_per_million;
}

/* Returns the median without the warm-up. */
static double median(const double *figures, unsigned runs)
{
    double sorted[PS_ROUNDS_MAX];
    if (runs < 2)
        return 0;
    memcpy(sorted, figures + 1, (runs - 1) * sizeof *sorted);
    return ps_spread_of(sorted, runs - 1).median;
}

static int print_side(char *text, size_t size, const char *prefix, const struct ps_kafka_side *side)
{
    const struct ps_kafka_account *account = &side->account;
    return snprintf(text, size,
                    "\"%sevents_per_second\":%.0f,\"%sbroker_cpu_per_million\":%.4g,\"%saccounted\":%llu,"
                    "\"%slost\":%llu,\"%sduplicated\":%llu,\"%sreordered\":%llu",
                    prefix, median(side->per_second, side->runs), prefix,
                    median(side->broker_per_million, side->runs), prefix, (unsigned long long)account->events,
                    prefix, (unsigned long long)account->lost, prefix,
                    (unsigned long long)account->duplicated, prefix, (unsigned long long)account->reordered);
}

const char *ps_kafka_sides_text(const struct ps_kafka_side *subject, const struct ps_kafka_side *bare)
{
    static char text[1024];
    int length = print_side(text, sizeof text, "", subject);
    text[length++] = ',';
    length += print_side(text + length, sizeof text - (size_t)length, "reference_", bare);
    PS_ASSERT((size_t)length < sizeof text);
    return text;
}

void ps_kafka_loop_compare(const struct ps_paired *paired, struct ps_kafka_loop_job *job, unsigned rounds,
                           unsigned bytes, int partitions)
{
    static struct ps_paired_result result;
    ps_paired_run(paired, rounds, &result);
    ps_paired_print(
        paired, &result,
        "\"bytes\":%u,\"partitions\":%d,\"events_per_second\":%.0f,\"reference_events_per_second\":%.0f",
        bytes, partitions, job->agent_per_second, job->bare_per_second);
}
