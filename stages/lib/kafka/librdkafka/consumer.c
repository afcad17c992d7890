/* Implements kafka/librdkafka/consumer.h. Thread: the source's worker. */
#include "stages/lib/kafka/librdkafka/consumer.h"

#include "core/clock.h"
#include "core/helper/wake_fd.h"
#include "core/log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 64U    /* events handled in one poll */
#define KEPT_BYTES 65536U /* initial size of the buffer for the record that was not taken */
/* Polls while a client closes, each CLOSE_POLL_MS long: 1 s in all. */
#define CLOSE_TRIES 50U
#define LEAVE_TRIES 400U /* 8 s in all: the library gives up its request to leave after 5 s */
#define CLOSE_POLL_MS 20
#define STATISTICS_MS "2000"
#define NUDGE_NS (5 * PS_NS_PER_MS)
#define NUDGES_MAX 200U /* requests that wake the library's thread; after a second it wakes by itself */

/* ---- life cycle ---- */

/* librdkafka reports the join state of the group only in its debug lines: enables them. */
static enum ps_status watch_group(rd_kafka_conf_t *conf, struct ps_err *err)
{
    char contexts[256] = "", reason[256];
    size_t size = sizeof contexts - sizeof ",cgrp";
    if (rd_kafka_conf_get(conf, "debug", contexts, &size) != RD_KAFKA_CONF_OK)
        contexts[0] = '\0';
    strcat(contexts, contexts[0] != '\0' ? ",cgrp" : "cgrp");
    if (rd_kafka_conf_set(conf, "debug", contexts, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        return ps_err_set(err, "debug: %s", reason);
    return PS_OK;
}

static enum ps_status configure(rd_kafka_conf_t *conf, const struct ps_kafka_consumer_config *config,
                                struct ps_err *err)
{
    char reason[256];
    static const struct ps_pair ours[] = {
        {.key = "enable.auto.commit", .value = "false"},
        {.key = "enable.auto.offset.store", .value = "false"},
        {.key = "enable.partition.eof", .value = "false"},
        {.key = "log.queue", .value = "true"},
        /* the only way to learn that a broker is connected again */
        {.key = "statistics.interval.ms", .value = STATISTICS_MS},
    };
    for (size_t i = 0; i < config->pair_count + PS_COUNT_OF(ours); i++) {
        const struct ps_pair *pair =
            i < config->pair_count ? &config->pairs[i] : &ours[i - config->pair_count];
        if (rd_kafka_conf_set(conf, pair->key, pair->value, reason, sizeof reason) != RD_KAFKA_CONF_OK)
            return ps_err_set(err, "%s: %s", pair->key, reason);
    }
    if (config->group_instance_id != NULL && config->instance > 0) {
        char id[512];
        snprintf(id, sizeof id, "%s-%u", config->group_instance_id, config->instance);
        if (rd_kafka_conf_set(conf, "group.instance.id", id, reason, sizeof reason) != RD_KAFKA_CONF_OK)
            return ps_err_set(err, "group.instance.id: %s", reason);
    }
    if (config->cooperative && watch_group(conf, err) != PS_OK)
        return PS_FAIL;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT |
                                       RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS);
    return PS_OK;
}

static enum ps_status subscribe(struct ps_kafka_consumer *consumer, struct ps_texts subscription,
                                struct ps_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)subscription.count);
    for (size_t i = 0; i < subscription.count; i++)
        rd_kafka_topic_partition_list_add(list, subscription.items[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(consumer->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return ps_err_set(err, "cannot subscribe to \"%s\"%s: %s", subscription.items[0],
                          subscription.count > 1 ? " and others" : "", rd_kafka_err2str(error));
    return PS_OK;
}

static uint64_t number_of(const rd_kafka_conf_t *conf, const char *name)
{
    char text[32] = "";
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? strtoull(text, NULL, 10) : 0;
}

/* Gives back what a consumer without a client has. Returns PS_FAIL. */
static enum ps_status unmake(struct ps_kafka_consumer *consumer, rd_kafka_conf_t *conf)
{
    ps_wake_fd_close(consumer->wake_fd);
    rd_kafka_conf_destroy(conf);
    return PS_FAIL;
}

enum ps_status ps_kafka_consumer_open(struct ps_kafka_consumer *consumer,
                                      const struct ps_kafka_consumer_config *config, struct ps_err *err)
{
    char reason[512];
    *consumer = (struct ps_kafka_consumer){.component = config->component,
                                           .reports = {.component = config->component},
                                           .wanted = config->wanted};
    if (ps_wake_fd_copy(config->wake_fd, &consumer->wake_fd, err) != PS_OK)
        return PS_FAIL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (configure(conf, config, err) != PS_OK)
        return unmake(consumer, conf);
    consumer->records_max = number_of(conf, "queued.min.messages");
    consumer->bytes_max = number_of(conf, "queued.max.messages.kbytes") * 1024;
    consumer->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (consumer->client == NULL) {
        ps_err_set(err, "%s", reason);
        return unmake(consumer, conf);
    }
    rd_kafka_set_log_queue(consumer->client, NULL);
    rd_kafka_poll_set_consumer(consumer->client);
    consumer->control = rd_kafka_queue_get_consumer(consumer->client);
    consumer->records = rd_kafka_queue_new(consumer->client);
    if (consumer->wake_fd >= 0) {
        const uint64_t one = 1;
        rd_kafka_queue_io_event_enable(consumer->control, consumer->wake_fd, &one, sizeof one);
        rd_kafka_queue_io_event_enable(consumer->records, consumer->wake_fd, &one, sizeof one);
    }
    consumer->mapped = ps_must_alloc(config->wanted.count + 1, sizeof *consumer->mapped, "kept records");
    consumer->kept_mapped =
        ps_must_alloc(config->wanted.count + 1, sizeof *consumer->kept_mapped, "kept records");
    consumer->kept_room = KEPT_BYTES;
    consumer->kept_bytes = ps_must_alloc(1, KEPT_BYTES, "kept records");
    if (subscribe(consumer, config->subscription, err) != PS_OK) {
        ps_kafka_consumer_destroy(consumer);
        return PS_FAIL;
    }
    return PS_OK;
}

void ps_kafka_consumer_forward(struct ps_kafka_consumer *consumer, const char *topic, int32_t partition)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(consumer->client, topic, partition);
    PS_ASSERT(queue != NULL);
    rd_kafka_queue_forward(queue, consumer->records);
    rd_kafka_queue_destroy(queue);
}

void ps_kafka_consumer_close(struct ps_kafka_consumer *consumer)
{
    consumer->closing = rd_kafka_queue_new(consumer->client);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->client, consumer->closing);
    if (error == NULL)
        return;
    ps_log(PS_LOG_WARN, consumer->component, "leaving the consumer group: %s", rd_kafka_error_string(error));
    consumer->fatal = true; /* the client can no longer be used */
    rd_kafka_error_destroy(error);
}

bool ps_kafka_consumer_closed(const struct ps_kafka_consumer *consumer)
{
    return consumer->fatal || rd_kafka_consumer_closed(consumer->client);
}

/* rd_kafka_destroy waits for the client to close, and a closing client waits for the application's answer to
 * its last rebalance: for ever, if no answer was given in time. So this function answers; a closing client
 * takes any assignment as an empty one. The function answers only if a rebalance is open: otherwise the
 * client may end at any moment and drop the request of rd_kafka_assign, and that call then waits for ever. If
 * the coordinator is silent, the rebalance and the end of the client come together, when the request to leave
 * times out. */
static void finish_closing(struct ps_kafka_consumer *consumer, unsigned tries)
{
    for (unsigned i = 0; i < tries && !ps_kafka_consumer_closed(consumer); i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(consumer->closing, CLOSE_POLL_MS);
        if (event != NULL) {
            consumer->asked |= rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE;
            rd_kafka_event_destroy(event);
        }
        if (consumer->asked)
            (void)rd_kafka_assign(consumer->client, NULL);
        consumer->asked = false;
    }
}

void ps_kafka_consumer_leave(struct ps_kafka_consumer *consumer)
{
    /* The client cannot end before it is closed, so this answer is never dropped. A cooperative rebalance is answered
     * with another function. */
    if (consumer->asked && rd_kafka_assign(consumer->client, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer->asked = false;
    ps_kafka_consumer_close(consumer);
    finish_closing(consumer, LEAVE_TRIES);
}

void ps_kafka_consumer_destroy(struct ps_kafka_consumer *consumer)
{
    if (consumer->client == NULL)
        return;
    if (consumer->closing != NULL)
        finish_closing(consumer, CLOSE_TRIES);
    rd_kafka_queue_io_event_enable(consumer->control, -1, NULL, 0);
    rd_kafka_queue_io_event_enable(consumer->records, -1, NULL, 0);
    if (consumer->closing != NULL)
        rd_kafka_queue_destroy(consumer->closing);
    rd_kafka_queue_destroy(consumer->records);
    rd_kafka_queue_destroy(consumer->control);
    rd_kafka_destroy_flags(consumer->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    ps_wake_fd_close(consumer->wake_fd);
    free(consumer->mapped);
    free(consumer->kept_mapped);
    free(consumer->kept_bytes);
    *consumer = (struct ps_kafka_consumer){.component = consumer->component};
}

/* ---- group events ---- */

void ps_kafka_consumer_failure(const struct ps_kafka_consumer *consumer, struct ps_err *reason)
{
    char text[512];
    if (consumer->no_memory) {
        ps_err_set(reason, "Kafka: no memory to keep a record; the source reads the record again; lower "
                           "penstock.memory.budget, which leaves more memory to the rest of the process");
        return;
    }
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(consumer->client, text, sizeof text);
    const char *remedy = ps_kafka_consumer_remedy(code);
    ps_err_set(reason, "Kafka: the consumer cannot continue: %s (%s)%s%s",
               code != RD_KAFKA_RESP_ERR_NO_ERROR ? text : "it is closed", rd_kafka_err2name(code),
               remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
}

/* Parses a debug line: "Group "g" changed join state steady -> wait-join (state up)" */
static void watch_state(struct ps_kafka_consumer *consumer, const char *text)
{
    const char *state = strstr(text, " -> ");
    if (state == NULL)
        return;
    state += 4;
    consumer->rejoining = strncmp(state, "wait-join", 9) == 0 || strncmp(state, "wait-metadata", 13) == 0 ||
                          strncmp(state, "wait-sync", 9) == 0;
}

static void report_log(struct ps_kafka_consumer *consumer, rd_kafka_event_t *event)
{
    const char *facility, *text;
    int level;
    if (rd_kafka_event_log(event, &facility, &text, &level) != 0)
        return;
    if (strcmp(facility, "CGRPJOINSTATE") == 0)
        watch_state(consumer, text);
    /* Failed connections and fatal errors also come as error events, and these are logged once, with a
     * remedy. */
    bool reported =
        strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0 || strcmp(facility, "FATAL") == 0;
    ps_log(level <= 4 && !reported ? PS_LOG_WARN : PS_LOG_DEBUG, consumer->component, "librdkafka: %s: %s",
           facility, text);
}

static void serve(struct ps_kafka_consumer *consumer, const struct ps_kafka_consumer_listener *listener,
                  rd_kafka_event_t *event, uint64_t mono_ns)
{
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        consumer->asked = true;
        if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
            listener->assigned(listener->argument, rd_kafka_event_topic_partition_list(event));
        else
            listener->revoked(listener->argument, rd_kafka_event_topic_partition_list(event));
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        listener->committed(listener->argument, error, rd_kafka_event_topic_partition_list(event));
        break;
    case RD_KAFKA_EVENT_ERROR:
        if (rd_kafka_fatal_error(consumer->client, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR)
            consumer->fatal = true; /* the source tells the engine, which logs it */
        else
            ps_kafka_reports_error(&consumer->reports, error, rd_kafka_event_error_string(event), mono_ns);
        break;
    case RD_KAFKA_EVENT_LOG:
        report_log(consumer, event);
        break;
    case RD_KAFKA_EVENT_STATS:
        if (strstr(rd_kafka_event_stats(event), "\"state\":\"UP\"") != NULL)
            ps_kafka_reports_met(&consumer->reports, PS_KAFKA_NEED_BROKERS);
        break;
    default: /* records do not come here: their partition's queue was forwarded before it was assigned */
        PS_ASSERT(rd_kafka_event_type(event) != RD_KAFKA_EVENT_FETCH);
        break;
    }
}

void ps_kafka_consumer_poll(struct ps_kafka_consumer *consumer,
                            const struct ps_kafka_consumer_listener *listener, uint64_t mono_ns)
{
    consumer->mono_ns = mono_ns;
    for (uint32_t i = 0; i < EVENTS_MAX; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(consumer->control, 0);
        if (event == NULL)
            break;
        serve(consumer, listener, event, mono_ns);
        rd_kafka_event_destroy(event);
    }
}

/* ---- records ---- */

struct reading {
    struct ps_kafka_consumer *consumer;
    const struct ps_kafka_consumer_reader *reader;
    uint32_t count;
    uint64_t bytes;
};

/* Finds the last header of each wanted name, as Flume's source does. */
static void find_headers(struct ps_kafka_consumer *consumer, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    bool none = rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < consumer->wanted.count; i++) {
        const void *value = NULL;
        size_t length = 0;
        if (none || rd_kafka_header_get_last(headers, consumer->wanted.items[i], &value, &length) !=
                        RD_KAFKA_RESP_ERR_NO_ERROR)
            value = NULL;
        consumer->mapped[i] = (struct ps_slice){value, (uint32_t)length};
    }
}

static char *copy_bytes(char *to, const char **bytes, uint32_t length)
{
    if (*bytes == NULL)
        return to;
    if (length > 0)
        memcpy(to, *bytes, length);
    *bytes = to;
    return to + length;
}

/* Makes `kept_bytes` hold this many bytes. Returns false if there is no memory. */
static bool kept_reserve(struct ps_kafka_consumer *consumer, size_t bytes)
{
    if (bytes <= consumer->kept_room)
        return true;
    free(consumer->kept_bytes);
    consumer->kept_bytes = malloc(bytes);
    consumer->kept_room = consumer->kept_bytes != NULL ? bytes : 0;
    return consumer->kept_bytes != NULL;
}

/* Copies a record for which the reader had no room: the library hands it over only once. Without memory for
 * the copy the consumer ends: the next consumer reads the record again. */
static void keep(struct ps_kafka_consumer *consumer, const struct ps_kafka_message *message)
{
    size_t need = (size_t)message->key_length + message->value_length + 1;
    for (size_t i = 0; i < consumer->wanted.count; i++)
        need += message->mapped[i].length;
    if (!kept_reserve(consumer, need)) {
        consumer->no_memory = true;
        return;
    }
    struct ps_kafka_message *kept = &consumer->kept;
    *kept = *message;
    char *to = copy_bytes(consumer->kept_bytes, &kept->key, kept->key_length);
    to = copy_bytes(to, &kept->value, kept->value_length);
    for (size_t i = 0; i < consumer->wanted.count; i++) {
        consumer->kept_mapped[i] = message->mapped[i];
        to = copy_bytes(to, &consumer->kept_mapped[i].data, consumer->kept_mapped[i].length);
    }
    kept->mapped = consumer->kept_mapped;
    consumer->has_kept = true;
}

static void on_record(rd_kafka_message_t *record, void *argument)
{
    struct reading *reading = argument;
    struct ps_kafka_consumer *consumer = reading->consumer;
    if (PS_UNLIKELY(record->err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
        ps_kafka_reports_error(&consumer->reports, record->err, rd_kafka_message_errstr(record),
                               consumer->mono_ns);
        return;
    }
    rd_kafka_timestamp_type_t type;
    struct ps_kafka_message message = {
        .stream = reading->reader->stream(reading->reader->argument, record),
        .offset = record->offset,
        .timestamp_ms = rd_kafka_message_timestamp(record, &type),
        .key = record->key,
        .value = record->payload,
        .mapped = consumer->mapped,
        .key_length = (uint32_t)record->key_len,
        .value_length = (uint32_t)record->len,
        .epoch = -1, /* librdkafka reports the epoch since 2.1 */
    };
    if (message.stream == UINT32_MAX)
        return;
    reading->bytes += message.key_length + message.value_length;
    if (consumer->wanted.count > 0)
        find_headers(consumer, record);
    enum ps_kafka_take taken = reading->reader->take(reading->reader->argument, &message);
    if (taken == PS_KAFKA_NOT_TAKEN)
        keep(consumer, &message);
    else
        reading->count++;
    if (taken != PS_KAFKA_TAKEN)
        rd_kafka_yield(consumer->client);
}

uint32_t ps_kafka_consumer_read(struct ps_kafka_consumer *consumer,
                                const struct ps_kafka_consumer_reader *reader)
{
    struct reading reading = {.consumer = consumer, .reader = reader};
    if (PS_UNLIKELY(consumer->no_memory))
        return 0;
    if (consumer->has_kept) {
        enum ps_kafka_take taken = reader->take(reader->argument, &consumer->kept);
        if (taken == PS_KAFKA_NOT_TAKEN)
            return 0;
        consumer->has_kept = false;
        reading.count = 1;
        if (taken == PS_KAFKA_TAKEN_LAST)
            return 1;
    }
    rd_kafka_consume_callback_queue(consumer->records, 0, on_record, &reading);
    if (reading.count > 0)
        ps_kafka_reports_recovery(&consumer->reports);
    if (reading.count > 0)
        consumer->average_bytes = (7 * consumer->average_bytes + reading.bytes / reading.count) / 8;
    return reading.count;
}

/* Wakes the library's thread that fetches from a broker: any request wakes it. A metadata request is small,
 * and with a time-out of zero the call does not wait for its answer. */
static void wake_fetchers(struct ps_kafka_consumer *consumer)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(consumer->client, 0, NULL, &metadata, 0) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

uint64_t ps_kafka_consumer_refill(struct ps_kafka_consumer *consumer, uint64_t mono_ns)
{
    uint64_t full = consumer->bytes_max / (consumer->average_bytes + 1);
    if (full > consumer->records_max)
        full = consumer->records_max;
    uint64_t length = rd_kafka_queue_length(consumer->records);
    if (length >= full / 4 * 3) {
        consumer->was_full = true;
        consumer->nudge_count = 0;
    }
    if (!consumer->was_full)
        return PS_NEVER;
    if (length < full / 2 && mono_ns - consumer->nudge_ns >= NUDGE_NS) {
        consumer->nudge_ns = mono_ns;
        if (++consumer->nudge_count == NUDGES_MAX)
            consumer->was_full = false;
        wake_fetchers(consumer);
    }
    return mono_ns + NUDGE_NS;
}
