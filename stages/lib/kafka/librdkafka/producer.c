/* The librdkafka producer behind kafka/produce/seam.h: its client, its topics, its queue of events.
 *
 * Thread: as kafka/produce/seam.h says for each function. None of our callbacks runs on the library's threads, except
 * the partitioner when the library learns of a topic's partitions after records were queued for it. */
#include "core/helper/wake_fd.h"
#include "core/name.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/librdkafka/settings.h"
#include "stages/lib/kafka/librdkafka/statistics.h"
#include "stages/lib/kafka/produce/partition.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_MAX 256U     /* records per call of produce_batch */
#define REPORTS_MAX 512U /* tokens per report */
#define PORTION_BYTES (256U * 1024U)
#define TOPICS_MAX 1024U /* handles that are kept, because topics come from headers */

struct ps_kafka_topic {
    rd_kafka_topic_t *handle; /* NULL: the place is free */
    char name[PS_KAFKA_TOPIC_LENGTH_MAX + 1];
    uint32_t length;
    int32_t sticky_partition;   /* the current partition of records without key */
    uint32_t sticky_bytes_left; /* bytes until another partition is chosen */
    uint32_t turn;              /* partition to try first next time */
};

struct ps_kafka_producer {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    /* each at the place of its name's hash: a topic replaces another one with the same place */
    struct ps_kafka_topic *topics;
    int wake_fd; /* a duplicate (core/helper/wake_fd.h); -1: none */
    enum ps_kafka_spread spread;
    uint32_t portion_bytes; /* records without key go to another partition after this many bytes */
    int flags;              /* RD_KAFKA_MSG_F_COPY or 0 */
    rd_kafka_message_t run[RUN_MAX];
    const rd_kafka_message_t *messages[REPORTS_MAX];
    void *tokens[REPORTS_MAX];
};

/* Set while this thread is inside a produce call in which the partitioner chooses: the partitioner writes its
 * choice here. NULL: the partitioner runs on the library's own thread. */
struct choice {
    uint32_t *turn;
    /* -1: the partitioner was not called, because the topic's partitions are not known yet */
    int32_t partition;
};
static _Thread_local struct choice *choosing;

/* Returns the next partition in turn that has a leader, as Java's sticky partitioner prefers. */
static int32_t next_available(const rd_kafka_topic_t *topic, uint32_t start, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t partition = (int32_t)((start + (uint32_t)i) % (uint32_t)count);
        if (rd_kafka_topic_partition_available(topic, partition))
            return partition;
    }
    return (int32_t)(start % (uint32_t)count);
}

static int32_t choose_partition(const rd_kafka_topic_t *topic, const void *key, size_t key_length,
                                int32_t count, void *topic_opaque, void *token)
{
    const struct ps_kafka_producer *producer = topic_opaque;
    int32_t partition;
    if (key != NULL && producer->spread == PS_KAFKA_SPREAD_BY_KEY)
        partition = ps_kafka_partition_of_key(key, key_length, count);
    else if (choosing != NULL)
        partition = next_available(topic, *choosing->turn, count);
    else /* on the library's thread, the leaders are not known yet */
        partition = (int32_t)(((uintptr_t)token >> 10) * UINT64_C(0x9e3779b97f4a7c15) % (uint32_t)count);
    if (choosing != NULL)
        choosing->partition = partition;
    return partition;
}

/* ---- life cycle ---- */

static enum ps_status configure(struct ps_kafka_producer *producer, rd_kafka_conf_t *conf,
                                const struct ps_kafka_producer_config *config, struct ps_err *err)
{
    char batch_bytes[24];
    snprintf(batch_bytes, sizeof batch_bytes, "%" PRIu64, config->request_bytes_max);
    if (ps_kafka_settings_apply(config->settings, NULL, conf, err) != PS_OK ||
        (config->request_bytes_max != 0 &&
         ps_kafka_conf_set(conf, "batch.size", batch_bytes, err) != PS_OK) ||
        ps_kafka_conf_set(conf, "log.queue", "true", err) != PS_OK ||
        ps_kafka_conf_set(conf, "socket.nagle.disable", "true", err) != PS_OK || /* like Java's client */
        /* our partitioner must be called for every record */
        ps_kafka_conf_set(conf, "sticky.partitioning.linger.ms", "0", err) != PS_OK)
        return PS_FAIL;
    rd_kafka_topic_conf_t *topic_conf = rd_kafka_conf_get_default_topic_conf(conf);
    if (topic_conf == NULL) {
        topic_conf = rd_kafka_topic_conf_new();
        rd_kafka_conf_set_default_topic_conf(conf, topic_conf);
    }
    rd_kafka_topic_conf_set_partitioner_cb(topic_conf, choose_partition);
    rd_kafka_topic_conf_set_opaque(topic_conf, producer);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS |
                                       RD_KAFKA_EVENT_LOG);
    return PS_OK;
}

/* Frees a producer that has no client yet. */
static void unmake(struct ps_kafka_producer *producer, rd_kafka_conf_t *conf)
{
    ps_wake_fd_close(producer->wake_fd);
    rd_kafka_conf_destroy(conf);
    free(producer->topics);
    free(producer);
}

static struct ps_kafka_producer *producer_create(const struct ps_kafka_producer_config *config,
                                                 struct ps_err *err)
{
    char reason[512];
    struct ps_kafka_producer *producer = calloc(1, sizeof *producer);
    struct ps_kafka_topic *topics = calloc(TOPICS_MAX, sizeof *topics);
    if (producer == NULL || topics == NULL) {
        free(producer);
        free(topics);
        ps_err_set(err, "no memory");
        return NULL;
    }
    producer->topics = topics;
    producer->spread = config->settings->spread;
    producer->portion_bytes = PORTION_BYTES;
    producer->flags = config->copy_values ? RD_KAFKA_MSG_F_COPY : 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (ps_wake_fd_copy(config->wake_fd, &producer->wake_fd, err) != PS_OK ||
        configure(producer, conf, config, err) != PS_OK) {
        unmake(producer, conf);
        return NULL;
    }
    producer->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (producer->client == NULL) {
        unmake(producer, conf);
        ps_err_set(err, "%s", reason);
        return NULL;
    }
    rd_kafka_set_log_queue(producer->client, NULL);
    producer->queue = rd_kafka_queue_get_main(producer->client);
    if (producer->wake_fd >= 0) {
        const uint64_t one = 1;
        rd_kafka_queue_io_event_enable(producer->queue, producer->wake_fd, &one, sizeof one);
    }
    return producer;
}

static void producer_destroy(struct ps_kafka_producer *producer)
{
    rd_kafka_queue_io_event_enable(producer->queue, -1, NULL, 0);
    for (size_t i = 0; i < TOPICS_MAX; i++) {
        if (producer->topics[i].handle != NULL)
            rd_kafka_topic_destroy(producer->topics[i].handle);
    }
    free(producer->topics);
    rd_kafka_queue_destroy(producer->queue);
    rd_kafka_destroy(producer->client);
    ps_wake_fd_close(producer->wake_fd);
    free(producer);
}

static struct ps_kafka_topic *producer_topic(struct ps_kafka_producer *producer, const char *name,
                                             uint32_t length)
{
    uint32_t hash = ps_name_keyed_hash32(name, length);
    struct ps_kafka_topic *topic = &producer->topics[hash % TOPICS_MAX];
    if (topic->handle != NULL && topic->length == length && memcmp(topic->name, name, length) == 0)
        return topic;
    if (!ps_kafka_topic_name_is_legal(name, length))
        return NULL;
    /* `turn`: agents started together begin with different partitions */
    struct ps_kafka_topic made = {.length = length, .turn = hash ^ (uint32_t)getpid()};
    memcpy(made.name, name, length);
    made.handle = rd_kafka_topic_new(producer->client, made.name, NULL);
    if (made.handle == NULL)
        return NULL;
    if (topic->handle != NULL) /* messages in flight keep the library's own topic alive */
        rd_kafka_topic_destroy(topic->handle);
    *topic = made;
    return topic;
}

/* ---- sending ---- */

/* Submits `count` records to one partition, or to the partitioner's choice (RD_KAFKA_PARTITION_UA). */
static uint32_t produce_run(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                            int32_t partition, const struct ps_kafka_record *records, uint32_t count,
                            int *error)
{
    rd_kafka_message_t *run = producer->run;
    for (uint32_t i = 0; i < count; i++) {
        run[i].payload = (void *)(uintptr_t)records[i].value;
        run[i].len = records[i].value_length;
        run[i].key = (void *)(uintptr_t)records[i].key;
        run[i].key_len = records[i].key_length;
        run[i]._private = records[i].token;
    }
    int good = rd_kafka_produce_batch(topic->handle, partition, producer->flags, run, (int)count);
    if (PS_LIKELY((uint32_t)good == count))
        return count;
    /* If the library refused only one record in the middle, the following ones would overtake it. This does not
     * happen: a full queue, a topic's error and a fatal error last for the rest of the call, and records that are too
     * large never get here. */
    PS_ASSERT(run[good].err != RD_KAFKA_RESP_ERR_NO_ERROR);
    *error = run[good].err == RD_KAFKA_RESP_ERR__QUEUE_FULL ? PS_KAFKA_FULL : run[good].err;
    return (uint32_t)good;
}

/* Submits one record with headers or a timestamp. */
static uint32_t produce_one(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                            int32_t partition, const struct ps_kafka_record *record, int *error)
{
    rd_kafka_headers_t *headers =
        record->header_count > 0 ? rd_kafka_headers_new(record->header_count) : NULL;
    for (uint32_t i = 0; i < record->header_count; i++)
        rd_kafka_header_add(headers, record->headers[i].name, -1, record->headers[i].value,
                            (ssize_t)record->headers[i].value_length);
    int64_t timestamp_ms =
        record->timestamp_ms != PS_KAFKA_TIMESTAMP_NONE ? record->timestamp_ms : 0; /* 0: now */
    rd_kafka_resp_err_t code =
        rd_kafka_producev(producer->client, RD_KAFKA_V_RKT(topic->handle), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value, record->value_length),
                          RD_KAFKA_V_KEY(record->key, record->key_length), RD_KAFKA_V_OPAQUE(record->token),
                          RD_KAFKA_V_MSGFLAGS(producer->flags), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (PS_LIKELY(code == RD_KAFKA_RESP_ERR_NO_ERROR))
        return 1; /* the library owns the headers */
    if (headers != NULL)
        rd_kafka_headers_destroy(headers);
    *error = code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? PS_KAFKA_FULL : (int)code;
    return 0;
}

static bool is_plain(const struct ps_kafka_record *record)
{
    return record->header_count == 0 && record->timestamp_ms == PS_KAFKA_TIMESTAMP_NONE;
}

/* Returns how many records, from the first one on, fit into one call: their partition is chosen in the same way, and
 * they have no headers. The first record is plain. */
static uint32_t run_length(const struct ps_kafka_record *records, uint32_t count, uint32_t bytes_max)
{
    uint32_t length = 0, bytes = 0;
    while (length < count && length < RUN_MAX && is_plain(&records[length]) &&
           records[length].partition == records[0].partition &&
           (records[length].key == NULL) == (records[0].key == NULL) && bytes <= bytes_max) {
        bytes += records[length].value_length;
        length++;
    }
    return length;
}

/* Submits records from the first one on to one partition, or to the partitioner's choice, in one call. */
static uint32_t produce(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic, int32_t partition,
                        const struct ps_kafka_record *records, uint32_t count, uint32_t bytes_max, int *error)
{
    if (is_plain(records))
        return produce_run(producer, topic, partition, records, run_length(records, count, bytes_max), error);
    return produce_one(producer, topic, partition, records, error);
}

/* Submits records without key or partition: portion_bytes of them go to one partition. The first record of
 * each such group goes through the partitioner, which alone knows how many partitions there are and which
 * have a leader. While a topic's partitions are not known, one record waits for them in the library, and the sink keeps the
 * others (Java's producer also waits for metadata): without known leaders, records would be spread badly, also to
 * partitions without a leader. */
static uint32_t produce_sticky(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                               const struct ps_kafka_record *records, uint32_t count, int *error)
{
    uint32_t done = 0;
    if (topic->sticky_bytes_left == 0) {
        struct choice choice = {.turn = &topic->turn, .partition = -1};
        choosing = &choice;
        done = produce(producer, topic, RD_KAFKA_PARTITION_UA, records, 1, 0, error);
        choosing = NULL;
        if (done == 0)
            return done;
        if (choice.partition < 0) {
            *error = PS_KAFKA_FULL;
            return done;
        }
        topic->turn = (uint32_t)choice.partition + 1;
        topic->sticky_partition = choice.partition;
        topic->sticky_bytes_left = producer->spread == PS_KAFKA_SPREAD_EVENLY ? 0 : producer->portion_bytes;
        return done;
    }
    done = produce(producer, topic, topic->sticky_partition, records, count, topic->sticky_bytes_left, error);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < done; i++)
        bytes += records[i].value_length + 1;
    topic->sticky_bytes_left -= bytes < topic->sticky_bytes_left ? bytes : topic->sticky_bytes_left;
    /* The topic was deleted and created again with fewer partitions. */
    if (*error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        topic->sticky_bytes_left = 0;
        *error = 0;
    }
    return done;
}

static uint32_t producer_submit(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                                const struct ps_kafka_record *records, uint32_t count, int *error)
{
    uint32_t done = 0;
    *error = 0;
    while (done < count && *error == 0) {
        const struct ps_kafka_record *rest = records + done;
        bool sticky = rest->partition == PS_KAFKA_PARTITION_ANY &&
                      (rest->key == NULL || producer->spread != PS_KAFKA_SPREAD_BY_KEY);
        int32_t partition =
            rest->partition == PS_KAFKA_PARTITION_ANY ? RD_KAFKA_PARTITION_UA : rest->partition;
        done += sticky ? produce_sticky(producer, topic, rest, count - done, error)
                       : produce(producer, topic, partition, rest, count - done, UINT32_MAX, error);
    }
    return done;
}

static void producer_fill_requests(struct ps_kafka_producer *producer, uint64_t request_bytes)
{
    uint64_t most = request_bytes - request_bytes / 8;
    producer->portion_bytes = most > PORTION_BYTES ? (uint32_t)most : PORTION_BYTES;
}

static void producer_purge(struct ps_kafka_producer *producer, bool in_flight)
{
    int flags = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING;
    rd_kafka_purge(producer->client, in_flight ? flags | RD_KAFKA_PURGE_F_INFLIGHT : flags);
}

/* ---- reports ---- */

/* Hands over the delivery reports of an event. Returns their number. */
static uint32_t hand_over(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                          rd_kafka_event_t *event)
{
    uint32_t total = (uint32_t)rd_kafka_event_message_count(event);
    size_t count;
    while ((count = rd_kafka_event_message_array(event, producer->messages, REPORTS_MAX)) > 0) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; i++) {
            producer->tokens[i] = producer->messages[i]->_private;
            bytes += producer->messages[i]->len + producer->messages[i]->key_len;
        }
        const rd_kafka_message_t *first = producer->messages[0];
        const struct ps_kafka_report report = {
            .error = first->err,
            .perhaps_written =
                first->err != 0 && rd_kafka_message_status(first) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED,
            .count = (uint32_t)count,
            .group_count = total,
            .group_bytes = count == total ? bytes : 0,
            .partition = first->partition,
            .topic = rd_kafka_topic_name(first->rkt),
            .tokens = producer->tokens,
        };
        listener->report(listener->argument, &report);
    }
    return total;
}

static void notify(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                   rd_kafka_event_t *event)
{
    char text[512];
    const char *facility, *line;
    int level;
    rd_kafka_resp_err_t fatal;
    struct ps_kafka_notice notice = {0};
    struct ps_kafka_measured measured;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_ERROR:
        notice.kind = PS_KAFKA_NOTICE_ERROR;
        notice.code = rd_kafka_event_error(event);
        notice.text = rd_kafka_event_error_string(event);
        fatal = rd_kafka_fatal_error(producer->client, text, sizeof text);
        if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR)
            notice = (struct ps_kafka_notice){PS_KAFKA_NOTICE_FATAL, fatal, text, NULL};
        break;
    case RD_KAFKA_EVENT_STATS:
        if (!ps_kafka_librdkafka_measured(rd_kafka_event_stats(event), &measured))
            return;
        notice.kind = PS_KAFKA_NOTICE_STATISTICS;
        notice.measured = &measured;
        break;
    case RD_KAFKA_EVENT_LOG:
        if (rd_kafka_event_log(event, &facility, &line, &level) != 0)
            return;
        notice.kind = PS_KAFKA_NOTICE_LOG;
        notice.code = level;
        notice.text = line;
        break;
    default:
        return;
    }
    listener->notice(listener->argument, &notice);
}

static uint32_t producer_poll(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                              uint32_t budget)
{
    uint32_t total = 0;
    rd_kafka_event_t *event;
    while (total < budget && (event = rd_kafka_queue_poll(producer->queue, 0)) != NULL) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
            total += hand_over(producer, listener, event);
        } else {
            notify(producer, listener, event);
            total++;
        }
        rd_kafka_event_destroy(event); /* when all records are reported, the library's queue is empty */
    }
    return total;
}

/* Returns whether metadata has come: it has the cluster's id, which every broker since 0.10.1 sends (KIP-78). */
static bool producer_answered(struct ps_kafka_producer *producer)
{
    char *id = rd_kafka_clusterid(producer->client, 0);
    if (id == NULL)
        return false;
    rd_kafka_mem_free(producer->client, id);
    return true;
}

const struct ps_kafka_engine ps_kafka_librdkafka = {
    .create = producer_create,
    .destroy = producer_destroy,
    .topic = producer_topic,
    .submit = producer_submit,
    .poll = producer_poll,
    .purge = producer_purge,
    .fill_requests = producer_fill_requests,
    .answered = producer_answered,
};
