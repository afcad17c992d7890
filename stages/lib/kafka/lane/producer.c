/* The native lane's table of functions (stages/lib/kafka/producer/seam.h): records into sets, one turn of the lane,
 * reports, purges. */
#include "stages/lib/kafka/lane/lane.h"

#include "stages/lib/kafka/lane/turn.h"
#include "stages/lib/kafka/producer/partition.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ERROR_UNKNOWN_PARTITION (-190)
#define ERROR_NO_MEMORY (-196)
#define PORTION_BYTES (256U * 1024U)
#define LOOKUPS 64U
#define CONFIGURED_PORT 9092

static struct ps_kafka_lane *lane_of(struct ps_kafka_producer *producer)
{
    return (struct ps_kafka_lane *)producer;
}

/* ---- life ---- */

/* Adds the brokers of bootstrap.servers: HOST:PORT, [ADDRESS]:PORT, separated by commas. */
static enum ps_status add_servers(struct ps_kafka_lane *lane, const char *servers, struct ps_err *err)
{
    while (*servers != '\0') {
        size_t length = strcspn(servers, ",");
        const char *item = servers, *end = servers + length;
        servers = *end == ',' ? end + 1 : end;
        while (item < end && *item == ' ')
            item++;
        while (end > item && end[-1] == ' ')
            end--;
        if (item == end)
            continue;
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
        if (ps_kafka_lane_broker_add(lane, -1, item, host_length, port) == NULL)
            return ps_err_set(err, "no memory");
    }
    return lane->brokers != NULL ? PS_OK : ps_err_set(err, "bootstrap.servers is empty");
}

static const char *servers_of(const struct ps_kafka_producer_config *config)
{
    const char *servers = "";
    for (size_t i = 0; i < config->pair_count; i++)
        if (strcmp(config->pairs[i].key, "bootstrap.servers") == 0)
            servers = config->pairs[i].value;
    return servers;
}

void ps_kafka_lane_free(struct ps_kafka_lane *lane)
{
    while (lane->brokers != NULL) {
        struct ps_kafka_lane_broker *broker = lane->brokers;
        lane->brokers = broker->next;
        ps_kafka_lane_broker_free(broker);
    }
    ps_kafka_lane_topics_free(lane);
    while (lane->purged != NULL) {
        struct ps_kafka_lane_set *set = lane->purged;
        lane->purged = set->next;
        ps_kafka_lane_set_free(set);
    }
    while (lane->free_sets != NULL) {
        struct ps_kafka_lane_set *set = lane->free_sets;
        lane->free_sets = set->next;
        ps_kafka_lane_set_free(set);
    }
    while (lane->free_requests != NULL) {
        struct ps_kafka_lane_request *request = lane->free_requests;
        lane->free_requests = request->next;
        free(request->head);
        free(request);
    }
    ps_kafka_compressor_close(lane->compressor);
    ps_tls_client_destroy(lane->tls);
    ps_kafka_lane_account_fini(&lane->account);
    free(lane->spare.data);
    ps_resolver_destroy(lane->resolver);
    if (lane->epoll_fd >= 0)
        close(lane->epoll_fd);
    free(lane);
}

static enum ps_status open_compressor(struct ps_kafka_lane *lane, struct ps_err *err)
{
    const struct ps_kafka_lane_settings *settings = &lane->settings;
    if (settings->compression == PS_KAFKA_COMPRESSION_NONE)
        return PS_OK;
    lane->compressor = ps_kafka_compressor_open(settings->compression, settings->compression_level);
    return lane->compressor != NULL ? PS_OK : ps_err_set(err, "no memory for compression");
}

/* The lane's epoll is level-triggered inside the worker's. */
static enum ps_status watch(const struct ps_kafka_lane *lane, int outer_fd, struct ps_err *err)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (lane->epoll_fd < 0)
        return ps_err_set(err, "no descriptor for the connections");
    if (outer_fd >= 0 && epoll_ctl(outer_fd, EPOLL_CTL_ADD, lane->epoll_fd, &event) != 0)
        return ps_err_set(err, "the connections cannot be watched");
    return PS_OK;
}

static enum ps_status lane_init(struct ps_kafka_lane *lane, const struct ps_kafka_producer_config *config,
                                struct ps_err *err)
{
    lane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    lane->purged_end = &lane->purged;
    lane->spread = config->spread;
    lane->wake_fd = config->wake_fd;
    lane->portion_bytes = PORTION_BYTES;
    lane->random = ps_clock_now().mono_ns ^ (uint64_t)(uintptr_t)lane;
    lane->id.id = -1;
    lane->id.epoch = -1;
    lane->metadata_wanted = true;
    if (ps_kafka_lane_settings_read(&lane->settings, config->pairs, config->pair_count, err) != PS_OK ||
        open_compressor(lane, err) != PS_OK ||
        ps_kafka_lane_account_read(&lane->account, config->pairs, config->pair_count, config->wake_fd, err) !=
            PS_OK ||
        ps_kafka_lane_tls_open(&lane->tls, config->pairs, config->pair_count, err) != PS_OK ||
        watch(lane, config->epoll_fd, err) != PS_OK)
        return PS_FAIL;
    if (config->transactional_id != NULL)
        ps_kafka_lane_transaction_init(lane, config->transactional_id);
    if (config->request_bytes_max != 0)
        lane->settings.set_bytes_max = (uint32_t)config->request_bytes_max;
    if (!lane->settings.idempotent)
        lane->id_state = PS_KAFKA_LANE_ID_KNOWN;
    lane->resolver = ps_resolver_create(LOOKUPS, config->wake_fd, err);
    return lane->resolver != NULL ? add_servers(lane, servers_of(config), err) : PS_FAIL;
}

struct ps_kafka_lane *ps_kafka_lane_make(const struct ps_kafka_producer_config *config, struct ps_err *err)
{
    struct ps_kafka_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    if (lane_init(lane, config, err) == PS_OK)
        return lane;
    ps_kafka_lane_free(lane);
    return NULL;
}

static struct ps_kafka_producer *lane_create(const struct ps_kafka_producer_config *config,
                                             struct ps_err *err)
{
    return (struct ps_kafka_producer *)ps_kafka_lane_make(config, err);
}

static void lane_destroy(struct ps_kafka_producer *producer)
{
    ps_kafka_lane_free(lane_of(producer));
}

/* ---- records ---- */

static struct ps_kafka_topic *lane_topic(struct ps_kafka_producer *producer, const char *name,
                                         uint32_t length)
{
    return (struct ps_kafka_topic *)ps_kafka_lane_topic_get(lane_of(producer), name, length);
}

static struct ps_kafka_lane_set *open_set(struct ps_kafka_lane *lane,
                                          struct ps_kafka_lane_partition *partition)
{
    struct ps_kafka_lane_set *set = ps_kafka_lane_take_set(lane, partition);
    if (set == NULL)
        return NULL;
    *partition->end = set;
    partition->end = &set->next;
    lane->queued_bytes += set->length;
    return set;
}

/* Returns the partition's open set, which is its last one; NULL: a new one is needed. */
static struct ps_kafka_lane_set *last_open(const struct ps_kafka_lane_partition *partition,
                                           uint32_t records_max)
{
    struct ps_kafka_lane_set *set = partition->first;
    if (set == NULL)
        return NULL;
    set = (struct ps_kafka_lane_set *)(void *)((char *)partition->end -
                                               offsetof(struct ps_kafka_lane_set, next));
    return set->closed || set->count >= records_max ? NULL : set;
}

/* Returns 0, or why the record was not taken. */
static int add_record(struct ps_kafka_lane *lane, struct ps_kafka_lane_partition *partition,
                      const struct ps_kafka_record *record, int64_t wall_ms)
{
    bool no_memory = false;
    struct ps_kafka_lane_set *set = last_open(partition, lane->settings.set_records_max);
    for (unsigned i = 0; i < 2; i++) {
        if (set == NULL && (set = open_set(lane, partition)) == NULL)
            return ERROR_NO_MEMORY;
        uint32_t before = set->length;
        if (ps_kafka_lane_set_add(set, record, wall_ms, lane->settings.set_bytes_max, &no_memory)) {
            lane->queued_bytes += set->length - before;
            lane->queued_records++;
            return 0;
        }
        if (no_memory)
            return ERROR_NO_MEMORY;
        set = NULL; /* it is full */
    }
    return ERROR_NO_MEMORY;
}

/* Adds records that have only values. Returns how many were taken; *error: why the next one was not. */
static uint32_t add_values(struct ps_kafka_lane *lane, struct ps_kafka_lane_partition *partition,
                           const struct ps_kafka_record *records, uint32_t count, int64_t wall_ms, int *error)
{
    const struct ps_kafka_lane_settings *settings = &lane->settings;
    struct ps_kafka_lane_set *set = last_open(partition, settings->set_records_max);
    bool no_memory = false;
    uint32_t done = 0;
    while (done < count && !no_memory) {
        if (set == NULL && (set = open_set(lane, partition)) == NULL)
            break;
        uint32_t before = set->length;
        uint32_t taken =
            ps_kafka_lane_set_add_values(set, records + done, count - done, wall_ms, settings->set_bytes_max,
                                         settings->set_records_max, &no_memory);
        lane->queued_bytes += set->length - before;
        lane->queued_records += taken;
        done += taken;
        set = NULL; /* it is full, if there are more */
    }
    *error = done < count ? ERROR_NO_MEMORY : 0;
    return done;
}

/* One record waits here until the topic's partitions are known. The sink keeps the others. */
static uint32_t wait_for_partitions(struct ps_kafka_lane *lane, struct ps_kafka_lane_topic *topic,
                                    const struct ps_kafka_record *record, int *error)
{
    bool no_memory = false;
    *error = PS_KAFKA_FULL;
    if (topic->unplaced != NULL)
        return 0;
    struct ps_kafka_lane_set *set = ps_kafka_lane_take_set(lane, &topic->nowhere);
    if (set == NULL || !ps_kafka_lane_set_add(set, record, ps_clock_now().wall_ms, UINT32_MAX, &no_memory)) {
        if (set != NULL)
            ps_kafka_lane_give_set(lane, set);
        *error = ERROR_NO_MEMORY;
        return 0;
    }
    topic->unplaced = set;
    lane->unplaced_topics = true;
    topic->unplaced_partition = record->partition;
    topic->unplaced_key = record->key != NULL ? ps_kafka_murmur2(record->key, record->key_length) : 0;
    topic->unplaced_has_key = record->key != NULL;
    lane->queued_bytes += set->length;
    lane->queued_records++;
    if (topic->asked_ns == 0)
        topic->asked_ns = lane->now.mono_ns;
    ps_kafka_lane_want_metadata(lane);
    return 1;
}

/* Returns how many of the records from the first one on have only values and go to the same partition as it, which has its place
 * already; 0: it has more than a value. No more than the lane has room for. */
static uint32_t values_in_turn(const struct ps_kafka_lane *lane, struct ps_kafka_lane_topic *topic,
                               const struct ps_kafka_record *records, uint32_t count)
{
    if (!ps_kafka_lane_is_value(records))
        return 0;
    uint64_t bytes = lane->queued_bytes + records->value_length;
    uint64_t room = lane->settings.queue_records_max - lane->queued_records;
    uint32_t run = 1;
    while (run < count && run < room && bytes < lane->settings.queue_bytes_max &&
           topic->sticky_bytes_left > 0 && ps_kafka_lane_is_value(&records[run])) {
        uint32_t length = records[run++].value_length;
        topic->sticky_bytes_left -= (uint32_t)ps_least((uint64_t)length + 1, topic->sticky_bytes_left);
        bytes += length;
    }
    return run;
}

static uint32_t lane_submit(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic_,
                            const struct ps_kafka_record *records, uint32_t count, int *error)
{
    struct ps_kafka_lane *lane = lane_of(producer);
    struct ps_kafka_lane_topic *topic = (struct ps_kafka_lane_topic *)topic_;
    *error = 0;
    if (topic->partition_count == 0 || topic->unplaced != NULL)
        return wait_for_partitions(lane, topic, records, error);
    int64_t wall_ms = ps_clock_now().wall_ms;
    for (uint32_t i = 0, taken; i < count; i += taken) {
        if (ps_kafka_lane_is_full(lane)) {
            if (lane->settings.linger_ns != 0)
                lane->resting_ns = 0; /* the next turn sends the sets that wait for more records */
            *error = PS_KAFKA_FULL;
            return i;
        }
        int32_t number = ps_kafka_lane_topic_place(lane, topic, &records[i]);
        if (number < 0 || number >= topic->partition_count) {
            *error = ERROR_UNKNOWN_PARTITION;
            return i;
        }
        struct ps_kafka_lane_partition *partition = &topic->partitions[number];
        uint32_t run = values_in_turn(lane, topic, records + i, count - i);
        if (run > 0) {
            taken = add_values(lane, partition, records + i, run, wall_ms, error);
        } else {
            *error = add_record(lane, partition, &records[i], wall_ms);
            taken = *error == 0;
        }
        if (taken > 0 && !partition->ready)
            ps_kafka_lane_partition_offer(lane, partition);
        if (*error != 0)
            return i + taken;
    }
    return count;
}

/* ---- turns ---- */

static uint32_t lane_poll(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                          uint32_t)
{
    return ps_kafka_lane_turn(lane_of(producer), listener);
}

static uint64_t lane_due_ns(struct ps_kafka_producer *producer)
{
    return ps_kafka_lane_turn_due_ns(lane_of(producer));
}

static void lane_purge(struct ps_kafka_producer *producer, bool in_flight)
{
    ps_kafka_lane_purge(lane_of(producer), in_flight);
}

/* It waits for answers without work: there is nothing to hold. */
static void lane_hold(struct ps_kafka_producer *, bool)
{
}

static void lane_hurry(struct ps_kafka_producer *producer, bool hurry)
{
    struct ps_kafka_lane *lane = lane_of(producer);
    if (hurry && !lane->hurries && lane->settings.linger_ns != 0)
        lane->resting_ns = 0; /* the next turn sends the sets that wait for more records */
    lane->hurries = hurry;
}

static void lane_fill_requests(struct ps_kafka_producer *producer, uint64_t request_bytes)
{
    struct ps_kafka_lane *lane = lane_of(producer);
    lane->portion_bytes =
        request_bytes > PORTION_BYTES ? (uint32_t)ps_least(request_bytes, INT32_MAX) : PORTION_BYTES;
}

static bool lane_answered(struct ps_kafka_producer *producer)
{
    return lane_of(producer)->answered;
}

static bool lane_begun(struct ps_kafka_producer *producer)
{
    const struct ps_kafka_lane *lane = lane_of(producer);
    return lane->id_state == PS_KAFKA_LANE_ID_KNOWN && !lane->fatal;
}

static void lane_commit(struct ps_kafka_producer *producer, const struct ps_kafka_position *positions,
                        uint32_t count)
{
    ps_kafka_lane_commit(lane_of(producer), positions, count);
}

static bool lane_withdraw(struct ps_kafka_producer *producer)
{
    return ps_kafka_lane_withdraw(lane_of(producer));
}

static void lane_resolve(struct ps_kafka_producer *producer, const struct ps_kafka_position *positions,
                         uint32_t count)
{
    ps_kafka_lane_resolve(lane_of(producer), positions, count);
}

enum ps_status ps_kafka_lane_fits(const struct ps_pair *pairs, size_t count, struct ps_err *err)
{
    struct ps_kafka_lane_settings settings;
    return ps_kafka_lane_settings_read(&settings, pairs, count, err);
}

const struct ps_kafka_engine ps_kafka_native = {
    .name = "native",
    .create = lane_create,
    .destroy = lane_destroy,
    .topic = lane_topic,
    .submit = lane_submit,
    .poll = lane_poll,
    .due_ns = lane_due_ns,
    .purge = lane_purge,
    .hold = lane_hold,
    .hurry = lane_hurry,
    .fill_requests = lane_fill_requests,
    .answered = lane_answered,
    .begun = lane_begun,
    .commit = lane_commit,
    .withdraw = lane_withdraw,
    .resolve = lane_resolve,
};
