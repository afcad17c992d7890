/* The native client's table of functions (stages/lib/kafka/produce/seam.h): adds records to batches, runs turns,
 * reports, purges. */
#include "stages/lib/kafka/cluster/native.h"

#include "core/text/list.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/kafka/produce/partition.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

_Static_assert((int)PS_KAFKA_NO_MEMORY == (int)PS_KAFKA_LIBRARY_FAIL, "the library's code");

#define LOOKUPS 64U
#define CONFIGURED_PORT 9092

/* ---- life cycle ---- */

/* Adds the brokers of bootstrap.servers: HOST:PORT, [ADDRESS]:PORT, separated by commas. */
static enum ps_status add_servers(struct ps_kafka_native *client, const char *servers, struct ps_err *err)
{
    struct ps_slice server;
    while (ps_list_next_between_commas(&servers, &server)) {
        const char *item = server.data, *end = server.data + server.length;
        const char *scheme = memmem(item, (size_t)(end - item), "://", 3);
        item = scheme != NULL ? scheme + 3 : item;
        const char *colon = memrchr(item, ':', (size_t)(end - item));
        bool has_port = colon != NULL && memchr(colon, ']', (size_t)(end - colon)) == NULL;
        unsigned port = has_port ? (unsigned)strtoul(colon + 1, NULL, 10) : CONFIGURED_PORT;
        uint32_t host_length = (uint32_t)((has_port ? colon : end) - item);
        if (*item == '[' && host_length > 2 && item[host_length - 1] == ']') {
            item++;
            host_length -= 2;
        }
        if (host_length == 0 || host_length >= PS_HOST_NAME_BYTES || port == 0 || port > 65535)
            return ps_err_set(err, "bootstrap.servers: write HOST:PORT, separated by commas");
        struct ps_kafka_native_broker *broker =
            ps_kafka_native_broker_add(client, -1, item, host_length, port);
        if (broker == NULL)
            return ps_err_set(err, "no memory");
        broker->configured = true;
    }
    return client->brokers != NULL ? PS_OK : ps_err_set(err, "bootstrap.servers is empty");
}

void ps_kafka_native_free(struct ps_kafka_native *client)
{
    while (client->brokers != NULL) {
        struct ps_kafka_native_broker *broker = client->brokers;
        client->brokers = broker->next;
        ps_kafka_native_broker_free(broker);
    }
    ps_kafka_native_topics_free(client);
    while (client->purged != NULL) {
        struct ps_kafka_native_batch *batch = client->purged;
        client->purged = batch->next;
        ps_kafka_native_batch_free(batch);
    }
    for (unsigned size = 0; size < PS_KAFKA_NATIVE_BATCH_SIZES; size++) {
        while (client->free.batches[size] != NULL) {
            struct ps_kafka_native_batch *batch = client->free.batches[size];
            client->free.batches[size] = batch->next;
            ps_kafka_native_batch_free(batch);
        }
    }
    while (client->free.requests != NULL) {
        struct ps_kafka_native_request *request = client->free.requests;
        client->free.requests = request->next;
        free(request->head);
        free(request);
    }
    ps_kafka_compressor_close(client->compressor);
    ps_tls_client_destroy(client->tls);
    ps_token_source_destroy(client->account.tokens);
    free(client->spare.data);
    ps_resolver_destroy(client->resolver);
    if (client->epoll_fd >= 0)
        close(client->epoll_fd);
    free(client);
}

static enum ps_status open_compressor(struct ps_kafka_native *client, struct ps_err *err)
{
    const struct ps_kafka_settings *settings = &client->settings;
    if (settings->compression == PS_KAFKA_COMPRESSION_NONE)
        return PS_OK;
    client->compressor = ps_kafka_compressor_open(settings->compression, settings->compression_level);
    return client->compressor != NULL ? PS_OK : ps_err_set(err, "no memory for compression");
}

/* Adds the native client's epoll, level-triggered, to the worker's epoll. */
static enum ps_status watch(const struct ps_kafka_native *client, int outer_fd, struct ps_err *err)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (client->epoll_fd < 0)
        return ps_err_set(err, "cannot create an epoll descriptor for the connections");
    if (outer_fd >= 0 && epoll_ctl(outer_fd, EPOLL_CTL_ADD, client->epoll_fd, &event) != 0)
        return ps_err_set(err, "cannot watch the connections");
    return PS_OK;
}

static enum ps_status native_init(struct ps_kafka_native *client,
                                  const struct ps_kafka_producer_config *config, struct ps_err *err)
{
    const struct ps_kafka_texts *texts = &config->settings->texts;
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->purged_end = &client->purged;
    client->wake_fd = config->wake_fd;
    ps_random_init(&client->random);
    client->id.id = -1;
    client->id.epoch = -1;
    client->metadata.wanted = true;
    client->metadata.look_ns = PS_NEVER;
    ps_kafka_native_settings_take(&client->settings, config->settings);
    snprintf(client->client_id, sizeof client->client_id, "%s",
             texts->client_id != NULL ? texts->client_id : "penstock");
    if (ps_kafka_native_fits(config->settings, err) != PS_OK || open_compressor(client, err) != PS_OK ||
        ps_kafka_native_account_open(&client->account, config->settings, config->wake_fd, err) != PS_OK ||
        ps_kafka_native_tls_open(&client->tls, config->settings, err) != PS_OK ||
        watch(client, config->epoll_fd, err) != PS_OK)
        return PS_FAIL;
    /* `check` refuses this. Such a client never asks for a producer id, and so would never begin a transaction. */
    if (config->transactional_id != NULL && !client->settings.idempotent)
        return ps_err_set(err, "transactions need enable.idempotence = true");
    if (config->transactional_id != NULL)
        ps_kafka_native_transaction_init(client, config->transactional_id);
    if (config->request_bytes_max != 0)
        client->settings.batch_bytes_max = (uint32_t)config->request_bytes_max;
    if (!client->settings.idempotent)
        client->id_state = PS_KAFKA_NATIVE_ID_KNOWN;
    client->resolver = ps_resolver_create(LOOKUPS, config->wake_fd, err);
    if (client->resolver == NULL ||
        add_servers(client, texts->servers != NULL ? texts->servers : "", err) != PS_OK)
        return PS_FAIL;
    return PS_OK;
}

struct ps_kafka_native *ps_kafka_native_make(const struct ps_kafka_producer_config *config,
                                             struct ps_err *err)
{
    struct ps_kafka_native *client = calloc(1, sizeof *client);
    if (client == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    if (native_init(client, config, err) == PS_OK)
        return client;
    ps_kafka_native_free(client);
    return NULL;
}

static struct ps_kafka_producer *native_create(const struct ps_kafka_producer_config *config,
                                               struct ps_err *err)
{
    return (struct ps_kafka_producer *)ps_kafka_native_make(config, err);
}

static void native_destroy(struct ps_kafka_producer *producer)
{
    ps_kafka_native_free(ps_kafka_native_of(producer));
}

/* ---- records ---- */

static struct ps_kafka_topic *native_topic(struct ps_kafka_producer *producer, const char *name,
                                           uint32_t length)
{
    return (struct ps_kafka_topic *)ps_kafka_native_topic_get(ps_kafka_native_of(producer), name, length);
}

static struct ps_kafka_native_batch *open_batch(struct ps_kafka_native *client,
                                                struct ps_kafka_native_partition *partition)
{
    struct ps_kafka_native_batch *batch = ps_kafka_native_take_batch(client, partition);
    if (batch == NULL)
        return NULL;
    *partition->end = batch;
    partition->end = &batch->next;
    client->queued.bytes += batch->length;
    return batch;
}

/* Called when there was no memory for a record. Removes the partition's last batch if it has none: it would be sent without
 * records. */
static void drop_empty_batch(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition,
                             struct ps_kafka_native_batch *batch)
{
    if (batch->count > 0)
        return;
    struct ps_kafka_native_batch **at = &partition->first;
    while (*at != batch)
        at = &(*at)->next;
    *at = NULL;
    partition->end = at;
    client->queued.bytes -= batch->length;
    ps_kafka_native_give_batch(client, batch);
}

/* Returns the partition's open batch, which is its last batch; NULL if a new batch is needed. */
static struct ps_kafka_native_batch *last_open(const struct ps_kafka_native_partition *partition,
                                               uint32_t records_max)
{
    struct ps_kafka_native_batch *batch = partition->first;
    if (batch == NULL)
        return NULL;
    batch = (struct ps_kafka_native_batch *)(void *)((char *)partition->end -
                                                     offsetof(struct ps_kafka_native_batch, next));
    return batch->closed || batch->count >= records_max ? NULL : batch;
}

/* Returns 0, or the error for which the record was not taken. */
static int add_record(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition,
                      const struct ps_kafka_record *record, int64_t wall_ms)
{
    bool no_memory = false;
    struct ps_kafka_native_batch *batch = last_open(partition, client->settings.batch_records_max);
    for (unsigned i = 0; i < 2; i++) {
        if (batch == NULL && (batch = open_batch(client, partition)) == NULL)
            return PS_KAFKA_NO_MEMORY;
        uint32_t before = batch->length;
        uint64_t memory = ps_kafka_native_batch_memory(batch);
        bool added =
            ps_kafka_native_batch_add(batch, record, wall_ms, client->settings.batch_bytes_max, &no_memory);
        ps_kafka_native_batch_grew(client, batch, memory);
        if (added) {
            client->queued.bytes += batch->length - before;
            client->queued.records++;
            return 0;
        }
        if (no_memory) {
            drop_empty_batch(client, partition, batch);
            return PS_KAFKA_NO_MEMORY;
        }
        batch = NULL; /* the batch is full */
    }
    return PS_KAFKA_NO_MEMORY;
}

/* Adds records that have only values. Returns the number of records taken; *error is the reason why the next
 * record was not taken. */
static uint32_t add_values(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition,
                           const struct ps_kafka_record *records, uint32_t count, int64_t wall_ms, int *error)
{
    const struct ps_kafka_settings *settings = &client->settings;
    struct ps_kafka_native_batch *batch = last_open(partition, settings->batch_records_max);
    bool no_memory = false;
    uint32_t done = 0;
    while (done < count && !no_memory) {
        if (batch == NULL && (batch = open_batch(client, partition)) == NULL)
            break;
        uint32_t before = batch->length;
        uint64_t memory = ps_kafka_native_batch_memory(batch);
        uint32_t taken = ps_kafka_native_batch_add_values(batch, records + done, count - done, wall_ms,
                                                          settings->batch_bytes_max,
                                                          settings->batch_records_max, &no_memory);
        ps_kafka_native_batch_grew(client, batch, memory);
        client->queued.bytes += batch->length - before;
        client->queued.records += taken;
        done += taken;
        if (no_memory)
            drop_empty_batch(client, partition, batch);
        batch = NULL; /* if records are left, the batch is full */
    }
    *error = done < count ? PS_KAFKA_NO_MEMORY : 0;
    return done;
}

/* One record waits here until the topic's partitions are known. The sink keeps the other records. */
static uint32_t wait_for_partitions(struct ps_kafka_native *client, struct ps_kafka_native_topic *topic,
                                    const struct ps_kafka_record *record, int *error)
{
    if (topic->nowhere.first != NULL) {
        *error = PS_KAFKA_FULL;
        return 0;
    }
    *error = add_record(client, &topic->nowhere, record, ps_clock_now().wall_ms);
    if (*error != 0)
        return 0;
    *error = PS_KAFKA_FULL;
    client->unplaced_topics = true;
    topic->nowhere.number = record->partition;
    topic->unplaced_key = record->key != NULL ? ps_kafka_murmur2(record->key, record->key_length) : 0;
    topic->unplaced_has_key = record->key != NULL;
    if (topic->asked_ns == 0)
        topic->asked_ns = client->now.mono_ns;
    ps_kafka_native_want_metadata(client);
    return 1;
}

/* Returns how many of the records, from the first one on, have only values and go to the partition that was
 * chosen for the first one; at most as many as the client has room for. Returns 0 if the first record has
 * more than a value. */
static uint32_t values_in_turn(const struct ps_kafka_native *client, struct ps_kafka_native_topic *topic,
                               const struct ps_kafka_record *records, uint32_t count)
{
    if (!ps_kafka_native_is_value(records))
        return 0;
    uint64_t bytes = client->queued.bytes + records->value_length;
    uint64_t room = client->settings.queue_records_max - client->queued.records;
    uint32_t run = 1;
    while (run < count && run < room && bytes < client->settings.queue_bytes_max &&
           topic->sticky_bytes_left > 0 && ps_kafka_native_is_value(&records[run])) {
        uint32_t length = records[run++].value_length;
        topic->sticky_bytes_left -= (uint32_t)ps_least((uint64_t)length + 1, topic->sticky_bytes_left);
        bytes += length;
    }
    return run;
}

static uint32_t native_submit(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic_,
                              const struct ps_kafka_record *records, uint32_t count, int *error)
{
    struct ps_kafka_native *client = ps_kafka_native_of(producer);
    struct ps_kafka_native_topic *topic = (struct ps_kafka_native_topic *)topic_;
    *error = 0;
    ps_kafka_native_topic_note_use(client, topic);
    if (topic->partition_count == 0 || topic->nowhere.first != NULL)
        return wait_for_partitions(client, topic, records, error);
    int64_t wall_ms = ps_clock_now().wall_ms;
    for (uint32_t i = 0, taken; i < count; i += taken) {
        if (ps_kafka_native_is_full(client)) {
            if (client->settings.linger_ns != 0)
                client->queued.resting_ns = 0; /* the next turn sends the batches that wait for more */
            *error = PS_KAFKA_FULL;
            return i;
        }
        int32_t number = ps_kafka_native_topic_place(client, topic, &records[i]);
        if (number < 0 || number >= topic->partition_count) {
            *error = PS_KAFKA_LIBRARY_UNKNOWN_PARTITION;
            return i;
        }
        struct ps_kafka_native_partition *partition = topic->partitions[number];
        uint32_t run = values_in_turn(client, topic, records + i, count - i);
        if (run > 0) {
            taken = add_values(client, partition, records + i, run, wall_ms, error);
        } else {
            *error = add_record(client, partition, &records[i], wall_ms);
            taken = *error == 0;
        }
        if (taken > 0 && !partition->ready)
            ps_kafka_native_partition_offer(client, partition);
        if (*error != 0)
            return i + taken;
    }
    return count;
}

/* ---- turns ---- */

static uint32_t native_poll(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                            uint32_t)
{
    return ps_kafka_native_turn(ps_kafka_native_of(producer), listener);
}

static uint64_t native_due_ns(struct ps_kafka_producer *producer)
{
    return ps_kafka_native_turn_due_ns(ps_kafka_native_of(producer));
}

static void native_purge(struct ps_kafka_producer *producer, bool in_flight)
{
    ps_kafka_native_purge(ps_kafka_native_of(producer), in_flight);
}

static void native_hurry(struct ps_kafka_producer *producer, bool hurry)
{
    struct ps_kafka_native *client = ps_kafka_native_of(producer);
    if (hurry && !client->hurries && client->settings.linger_ns != 0)
        client->queued.resting_ns = 0; /* the next turn sends the batches that wait for more */
    client->hurries = hurry;
}

/* An answer with an error that may pass says nothing about the topic's partitions. Nor does one that refuses the topic,
 * but that waits for an operator. */
static bool native_heard(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic_, uint64_t since_ns,
                         int *error)
{
    struct ps_kafka_native *client = ps_kafka_native_of(producer);
    const struct ps_kafka_native_topic *topic = (const struct ps_kafka_native_topic *)topic_;
    bool refuses = topic->error != 0 && ps_kafka_error_find(topic->error)->outcome == PS_KAFKA_WAIT;
    *error = refuses ? topic->error : 0;
    if (topic->listed_ns != 0 && topic->described_ns >= since_ns &&
        (refuses || topic->error == 0 || topic->error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION))
        return true;
    ps_kafka_native_want_metadata(client);
    return false;
}

/* A cluster that has given the producer no id takes no record. */
static bool native_reaches(struct ps_kafka_producer *producer)
{
    const struct ps_kafka_native *client = ps_kafka_native_of(producer);
    bool has_id = client->id.id >= 0 || !client->settings.idempotent;
    return client->answered && !client->all_down_told && has_id && !client->id_refused;
}

const struct ps_kafka_engine ps_kafka_native = {
    .create = native_create,
    .destroy = native_destroy,
    .topic = native_topic,
    .submit = native_submit,
    .poll = native_poll,
    .due_ns = native_due_ns,
    .purge = native_purge,
    .hurry = native_hurry,
    .heard = native_heard,
    .reaches = native_reaches,
};
