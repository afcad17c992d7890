#include "core/name.h"
#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/kafka/produce/partition.h"
#include "stages/lib/least.h"

#include <stdlib.h>
#include <string.h>

/* metadata.max.idle.ms of Java's producer; by the clock of the client's last turn, which a submitted record does not move */
#define UNUSED_NS (300 * PS_NS_PER_S)
#define PORTION_BYTES                                                                                        \
    (256U * 1024U) /* of records without a key for one partition, before the next one is chosen */

static struct ps_kafka_native_topic **bucket_of(struct ps_kafka_native *client, uint32_t hash)
{
    return &client->buckets[hash % PS_COUNT_OF(client->buckets)];
}

struct ps_kafka_native_topic *ps_kafka_native_topic_next(const struct ps_kafka_native *client,
                                                         const struct ps_kafka_native_topic *topic)
{
    if (topic != NULL && topic->next != NULL)
        return topic->next;
    size_t bucket = topic != NULL ? topic->hash % PS_COUNT_OF(client->buckets) + 1 : 0;
    while (bucket < PS_COUNT_OF(client->buckets) && client->buckets[bucket] == NULL)
        bucket++;
    return bucket < PS_COUNT_OF(client->buckets) ? client->buckets[bucket] : NULL;
}

struct ps_kafka_native_topic *ps_kafka_native_topic_find(const struct ps_kafka_native *client,
                                                         const char *name, uint32_t length)
{
    uint32_t hash = ps_name_keyed_hash32(name, length);
    struct ps_kafka_native_topic *topic = client->buckets[hash % PS_COUNT_OF(client->buckets)];
    while (topic != NULL &&
           (topic->hash != hash || topic->length != length || memcmp(topic->name, name, length) != 0))
        topic = topic->next;
    return topic;
}

/* ---- the cache ---- */

static bool is_idle(struct ps_kafka_native_topic *topic)
{
    for (int32_t i = PS_KAFKA_PARTITION_ANY; i < topic->partition_count; i++) {
        const struct ps_kafka_native_partition *partition = ps_kafka_native_partition_of(topic, i);
        if (partition->first != NULL || partition->in_flight > 0 || partition->returned != NULL ||
            partition->ready || partition->next_sequence != 0)
            return false;
    }
    return true;
}

static void partition_init(struct ps_kafka_native_partition *partition, struct ps_kafka_native_topic *topic,
                           int32_t number)
{
    *partition = (struct ps_kafka_native_partition){.topic = topic, .number = number, .leader_epoch = -1};
    partition->end = &partition->first;
}

static void topic_free(struct ps_kafka_native_topic *topic)
{
    ps_kafka_native_topic_shrink(topic, 0);
    free(topic->partitions);
    free(topic);
}

/* Removes the idle topic that was used longest ago. A topic that was written to stays, because its sequence numbers
 * must continue. */
static void evict(struct ps_kafka_native *client)
{
    struct ps_kafka_native_topic *topic = NULL, *oldest = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL)
        if (is_idle(topic) && (oldest == NULL || topic->written_ns < oldest->written_ns))
            oldest = topic;
    if (oldest == NULL)
        return;
    struct ps_kafka_native_topic **at = bucket_of(client, oldest->hash);
    while (*at != oldest)
        at = &(*at)->next;
    *at = oldest->next;
    topic_free(oldest);
    client->topic_count--;
}

struct ps_kafka_native_topic *ps_kafka_native_topic_get(struct ps_kafka_native *client, const char *name,
                                                        uint32_t length)
{
    struct ps_kafka_native_topic *topic = ps_kafka_native_topic_find(client, name, length);
    if (topic != NULL)
        return topic;
    if (!ps_kafka_topic_name_is_legal(name, length) || (topic = calloc(1, sizeof *topic)) == NULL)
        return NULL;
    if (client->reader == NULL && client->topic_count >= PS_KAFKA_NATIVE_TOPICS_MAX &&
        client->purged == NULL) /* batches that are not reported yet point to their topics */
        evict(client);
    memcpy(topic->name, name, length);
    topic->length = length;
    topic->hash = ps_name_keyed_hash32(name, length);
    partition_init(&topic->nowhere, topic, PS_KAFKA_PARTITION_ANY);
    topic->asked_ns = client->now.mono_ns;
    topic->sticky_partition = (int32_t)(ps_random_next(&client->random) >> 33);
    struct ps_kafka_native_topic **bucket = bucket_of(client, topic->hash);
    topic->next = *bucket;
    *bucket = topic;
    client->topic_count++;
    ps_kafka_native_want_metadata(client);
    return topic;
}

bool ps_kafka_native_partition_is_awaited(const struct ps_kafka_native *client,
                                          const struct ps_kafka_native_partition *partition)
{
    return client->reader == NULL &&
           (partition->first != NULL || partition->returned != NULL || partition->in_flight > 0);
}

bool ps_kafka_native_topic_is_awaited(const struct ps_kafka_native *client,
                                      const struct ps_kafka_native_topic *topic)
{
    bool awaited = client->reader != NULL || topic->nowhere.first != NULL;
    for (int32_t i = 0; i < topic->partition_count && !awaited; i++)
        awaited = ps_kafka_native_partition_is_awaited(client, topic->partitions[i]);
    return awaited;
}

bool ps_kafka_native_topic_is_named(const struct ps_kafka_native *client,
                                    const struct ps_kafka_native_topic *topic)
{
    if (topic->of_positions)
        return client->transaction.missing_ns != 0;
    return topic->listed_ns == 0 || client->now.mono_ns < topic->written_ns + UNUSED_NS ||
           ps_kafka_native_topic_is_awaited(client, topic);
}

void ps_kafka_native_topic_note_use(struct ps_kafka_native *client, struct ps_kafka_native_topic *topic)
{
    if (!ps_kafka_native_topic_is_named(client, topic)) {
        topic->asked_ns = 0; /* nobody has asked for it lately: the patience with it begins anew */
        ps_kafka_native_want_metadata(client);
    }
    topic->of_positions = false;
    topic->written_ns = client->now.mono_ns;
}

void ps_kafka_native_topics_free(struct ps_kafka_native *client)
{
    struct ps_kafka_native_topic *following = ps_kafka_native_topic_next(client, NULL), *topic;
    while ((topic = following) != NULL) {
        following = ps_kafka_native_topic_next(client, topic);
        for (int32_t p = PS_KAFKA_PARTITION_ANY; p < topic->partition_count; p++) {
            struct ps_kafka_native_partition *partition = ps_kafka_native_partition_of(topic, p);
            struct ps_kafka_native_batch *batch;
            while ((batch = ps_kafka_native_partition_pop(partition)) != NULL)
                ps_kafka_native_batch_free(batch);
            while ((batch = partition->returned) != NULL) {
                partition->returned = batch->next;
                ps_kafka_native_batch_free(batch);
            }
        }
        topic_free(topic);
    }
}

/* ---- partitions ---- */

/* A topic that was created again with fewer partitions keeps the old partitions, until a record for a removed partition
 * ends the producer (cluster.c). */
bool ps_kafka_native_topic_resize(struct ps_kafka_native_topic *topic, int32_t partition_count)
{
    if (partition_count <= topic->partition_count)
        return true;
    struct ps_kafka_native_partition **partitions =
        reallocarray(topic->partitions, (size_t)partition_count, sizeof *partitions);
    if (partitions == NULL)
        return false;
    topic->partitions = partitions;
    while (topic->partition_count < partition_count) {
        struct ps_kafka_native_partition *partition = malloc(sizeof *partition);
        if (partition == NULL)
            return false;
        partition_init(partition, topic, topic->partition_count);
        partitions[topic->partition_count++] = partition;
    }
    return true;
}

void ps_kafka_native_topic_shrink(struct ps_kafka_native_topic *topic, int32_t partition_count)
{
    while (topic->partition_count > partition_count)
        free(topic->partitions[--topic->partition_count]);
}

bool ps_kafka_native_leads(const struct ps_kafka_native *client, const struct ps_kafka_native_broker *broker)
{
    const struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL)
        for (int32_t p = 0; p < topic->partition_count; p++)
            if (topic->partitions[p]->leader == broker)
                return true;
    return false;
}

void ps_kafka_native_partition_withdraw(struct ps_kafka_native_partition *partition)
{
    if (!partition->ready)
        return;
    struct ps_kafka_native_partition **at = &partition->leader->ready;
    while (*at != partition)
        at = &(*at)->next_ready;
    *at = partition->next_ready;
    if (*at == NULL)
        partition->leader->ready_end = at;
    partition->ready = false;
}

void ps_kafka_native_partition_lead(struct ps_kafka_native_partition *partition,
                                    struct ps_kafka_native_broker *leader)
{
    if (partition->leader == leader)
        return;
    ps_kafka_native_partition_withdraw(partition);
    /* The new leader must not get later batches before the batches in flight are answered. */
    partition->resends |= partition->in_flight > 0;
    partition->known_ns = 0;
    partition->denied = false;
    partition->leader = leader;
}

/* Returns whether the partition's batch waits for more records (linger.ms). It does not wait if the client is full (as
 * Java's RecordAccumulator when its memory is exhausted), or if the sink waits for the reports. Notes when the wait
 * ends. */
static bool lingers(struct ps_kafka_native *client, const struct ps_kafka_native_partition *partition)
{
    const struct ps_kafka_native_batch *batch = partition->first;
    uint64_t end_ns = batch->born_ns + client->settings.linger_ns;
    if (client->settings.linger_ns == 0 || client->hurries || batch->closed || batch->next != NULL ||
        batch->count >= client->settings.batch_records_max || client->now.mono_ns >= end_ns ||
        ps_kafka_native_is_full(client))
        return false;
    client->queued.resting_ns = ps_least(client->queued.resting_ns, end_ns);
    return true;
}

void ps_kafka_native_partition_offer(struct ps_kafka_native *client,
                                     struct ps_kafka_native_partition *partition)
{
    if (partition->first != NULL && partition->leader == NULL)
        ps_kafka_native_want_metadata(client);
    if (partition->ready || partition->first == NULL || partition->leader == NULL || partition->resends ||
        partition->alone || (partition->first->closed && partition->in_flight > 0) ||
        partition->rest_ns > client->now.mono_ns || lingers(client, partition) ||
        !ps_kafka_native_has_joined(client, partition))
        return;
    partition->ready = true;
    partition->next_ready = NULL;
    *partition->leader->ready_end = partition;
    partition->leader->ready_end = &partition->next_ready;
}

struct ps_kafka_native_batch *ps_kafka_native_partition_pop(struct ps_kafka_native_partition *partition)
{
    struct ps_kafka_native_batch *batch = partition->first;
    if (batch == NULL)
        return NULL;
    partition->first = batch->next;
    if (partition->first == NULL)
        partition->end = &partition->first;
    batch->next = NULL;
    return batch;
}

/* Compares sequence numbers, which have 31 bits: 0 follows the largest one. */
static bool is_before(const struct ps_kafka_native_batch *one, const struct ps_kafka_native_batch *other)
{
    uint32_t distance = ((uint32_t)one->base_sequence - (uint32_t)other->base_sequence) << 1;
    return (int32_t)distance < 0;
}

void ps_kafka_native_partition_return(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch)
{
    struct ps_kafka_native_partition *partition = batch->partition;
    struct ps_kafka_native_batch **at = &partition->returned;
    while (*at != NULL && is_before(*at, batch))
        at = &(*at)->next;
    batch->next = *at;
    *at = batch;
    ps_kafka_native_partition_withdraw(partition);
    partition->resends = true;
    partition->rest_ns = client->now.mono_ns + client->settings.retry_rest_ns;
    client->queued.resting_ns = ps_least(client->queued.resting_ns, partition->rest_ns);
}

void ps_kafka_native_partition_landed(struct ps_kafka_native *client,
                                      struct ps_kafka_native_partition *partition)
{
    if (partition->in_flight > 0)
        return;
    partition->alone = false;
    if (partition->resends) {
        struct ps_kafka_native_batch **end = &partition->returned;
        while (*end != NULL)
            end = &(*end)->next;
        *end = partition->first;
        if (partition->first == NULL)
            partition->end = end == &partition->returned ? &partition->first : end;
        partition->first = partition->returned;
        partition->returned = NULL;
        partition->resends = false;
    }
    ps_kafka_native_partition_offer(client, partition);
}

/* ---- which partition ---- */

/* Returns the partition after the present one, if it has a leader, or the next one that has. */
static int32_t next_led(const struct ps_kafka_native_topic *topic)
{
    uint32_t count = (uint32_t)topic->partition_count, from = (uint32_t)topic->sticky_partition + 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (from + i) % count;
        if (topic->partitions[number]->leader != NULL)
            return (int32_t)number;
    }
    return (int32_t)(from % count);
}

static int32_t place_in_turn(const struct ps_kafka_native *client, struct ps_kafka_native_topic *topic,
                             uint32_t bytes)
{
    if (topic->sticky_bytes_left == 0 || topic->sticky_partition >= topic->partition_count) {
        topic->sticky_partition = next_led(topic);
        topic->sticky_bytes_left = client->settings.spread == PS_KAFKA_SPREAD_EVENLY ? 0 : PORTION_BYTES;
    }
    topic->sticky_bytes_left -= (uint32_t)ps_least(bytes + 1, topic->sticky_bytes_left);
    return topic->sticky_partition;
}

int32_t ps_kafka_native_topic_place(const struct ps_kafka_native *client, struct ps_kafka_native_topic *topic,
                                    const struct ps_kafka_record *record)
{
    if (record->partition != PS_KAFKA_PARTITION_ANY)
        return record->partition;
    if (record->key != NULL && client->settings.spread == PS_KAFKA_SPREAD_BY_KEY)
        return ps_kafka_partition_of_key(record->key, record->key_length, topic->partition_count);
    return place_in_turn(client, topic, record->value_length);
}
