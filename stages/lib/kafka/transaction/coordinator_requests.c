/* The encoding of the requests of transactions (Kafka protocol guide; KIP-98, KIP-447, KIP-890). TxnOffsetCommit and
 * OffsetFetch are flexible. */
#include "stages/lib/kafka/transaction/position.h"
#include "stages/lib/kafka/wire/slice.h"

#include <string.h>

#define PRODUCER_BYTES (PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES + 12U)
#define TOPIC_BYTES_MAX (PS_KAFKA_NATIVE_TOPIC_BYTES + 16U)
#define PARTITION_BYTES_MAX 32U

static bool is_same_owner(const struct ps_stream_name *one, const struct ps_stream_name *other,
                          bool of_member)
{
    return ps_slice_same(one->group, other->group) &&
           (!of_member ||
            (one->generation == other->generation && ps_slice_same(one->member, other->member)));
}

/* Halves the rest, because the positions are often those of one member, and many. */
uint32_t ps_kafka_native_positions_end(const struct ps_kafka_position *positions, uint32_t count,
                                       uint32_t from, bool of_member)
{
    uint32_t low = from + 1, high = count;
    if (is_same_owner(positions[count - 1].name, positions[from].name, of_member))
        return count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_same_owner(positions[middle].name, positions[from].name, of_member))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct ps_kafka_native_request *
ps_kafka_native_request_coordinator(const struct ps_kafka_native_broker *broker,
                                    struct ps_kafka_native_coordinator *coordinator)
{
    struct ps_kafka_native_request *request;
    int16_t version = broker->versions[PS_KAFKA_NATIVE_FIND_COORDINATOR].plain;
    char *at = ps_kafka_native_request_begin(broker->client, PS_KAFKA_NATIVE_FIND_COORDINATOR, version,
                                             3 + (size_t)coordinator->key.length, &request);
    if (at == NULL)
        return NULL;
    request->coordinator = coordinator;
    at = ps_wire_put_string(at, coordinator->key.data, coordinator->key.length);
    if (version >= 1)
        at = ps_wire_put_int8(at, coordinator->type);
    return ps_kafka_native_request_end(request, at);
}

/* Writes the transactional id, the producer's id and its epoch. */
static char *put_producer(const struct ps_kafka_native *client, bool flexible, char *at)
{
    at = ps_wire_put_text(at, client->transaction.id, strlen(client->transaction.id), flexible);
    at = ps_wire_put_int64(at, client->id.id);
    return ps_wire_put_int16(at, client->id.epoch);
}

/* ---- partitions that join ---- */

static bool wants_to_join(const struct ps_kafka_native *client,
                          const struct ps_kafka_native_partition *partition)
{
    return partition->first != NULL && partition->joined != client->transaction.number;
}

static uint32_t count_joining(const struct ps_kafka_native *client, const struct ps_kafka_native_topic *topic)
{
    uint32_t count = 0;
    for (int32_t i = 0; i < topic->partition_count; i++)
        count += wants_to_join(client, topic->partitions[i]);
    return count;
}

static char *put_joining(const struct ps_kafka_native *client, const struct ps_kafka_native_topic *topic,
                         uint32_t count, char *at)
{
    at = ps_wire_put_string(at, topic->name, topic->length);
    at = ps_wire_put_int32(at, (int32_t)count);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        if (wants_to_join(client, topic->partitions[i]))
            at = ps_wire_put_int32(at, i);
    }
    return at;
}

struct ps_kafka_native_request *ps_kafka_native_request_join(struct ps_kafka_native *client, bool *any)
{
    uint32_t topics = 0, partitions = 0;
    const struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        uint32_t count = count_joining(client, topic);
        topics += count > 0;
        partitions += count;
    }
    *any = topics > 0;
    struct ps_kafka_native_request *request;
    size_t room =
        PRODUCER_BYTES + 4 + (size_t)topics * TOPIC_BYTES_MAX + (size_t)partitions * sizeof(int32_t);
    char *at = topics > 0
                   ? ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_ADD_PARTITIONS, 0, room, &request)
                   : NULL;
    if (at == NULL)
        return NULL;
    at = put_producer(client, request->flexible, at);
    at = ps_wire_put_int32(at, (int32_t)topics);
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        uint32_t count = count_joining(client, topic);
        if (count > 0)
            at = put_joining(client, topic, count, at);
    }
    return ps_kafka_native_request_end(request, at);
}

/* ---- the steps of a commit ---- */

static const struct ps_stream_name *current(const struct ps_kafka_native *client)
{
    return client->transaction.positions[client->transaction.from].name;
}

struct ps_kafka_native_request *ps_kafka_native_request_group(struct ps_kafka_native *client)
{
    struct ps_slice group = current(client)->group;
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_ADD_OFFSETS, 0,
                                             PRODUCER_BYTES + 2 + (size_t)group.length, &request);
    if (at == NULL)
        return NULL;
    at = put_producer(client, request->flexible, at);
    return ps_kafka_native_request_end(request, ps_wire_put_string(at, group.data, group.length));
}

/* Writes each position with its topic: coordinators accept a topic several times. */
static char *put_offset(char *at, const struct ps_kafka_position *position)
{
    at = ps_wire_put_text(at, position->name->name.data, position->name->name.length, true);
    at = ps_wire_put_count(at, 1, true);
    at = ps_wire_put_int32(at, (int32_t)position->name->part);
    at = ps_wire_put_int64(at, position->next);
    at = ps_wire_put_int32(at, position->epoch);
    at = ps_wire_put_text(at, "", 0, true); /* metadata */
    at = ps_wire_put_tags(at, true);
    return ps_wire_put_tags(at, true); /* of the topic */
}

static size_t offsets_room(const struct ps_kafka_native_transaction *transaction,
                           const struct ps_stream_name *name)
{
    return 64 + PRODUCER_BYTES + (size_t)name->group.length + name->member.length + name->instance.length +
           (size_t)(transaction->end - transaction->from) * (TOPIC_BYTES_MAX + PARTITION_BYTES_MAX);
}

struct ps_kafka_native_request *ps_kafka_native_request_offsets(struct ps_kafka_native *client)
{
    const struct ps_kafka_native_transaction *transaction = &client->transaction;
    const struct ps_stream_name *name = current(client);
    const struct ps_kafka_native_api *api = &ps_kafka_native_apis[PS_KAFKA_NATIVE_COMMIT_OFFSETS];
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_COMMIT_OFFSETS,
                                             transaction->second ? api->modern : api->most,
                                             offsets_room(transaction, name), &request);
    if (at == NULL)
        return NULL;
    client->transaction.any_joined = true;
    at = ps_wire_put_text(at, transaction->id, strlen(transaction->id), true);
    at = ps_wire_put_text(at, name->group.data, name->group.length, true);
    at = ps_wire_put_int64(at, client->id.id);
    at = ps_wire_put_int16(at, client->id.epoch);
    at = ps_wire_put_int32(at, name->generation);
    at = ps_wire_put_text(at, name->member.data, name->member.length, true);
    at = ps_wire_put_text(at, name->instance.length > 0 ? name->instance.data : NULL, name->instance.length,
                          true);
    at = ps_wire_put_count(at, transaction->end - transaction->from, true);
    for (uint32_t i = transaction->from; i < transaction->end; i++)
        at = put_offset(at, &transaction->positions[i]);
    return ps_kafka_native_request_end(request, at);
}

struct ps_kafka_native_request *ps_kafka_native_request_end_transaction(struct ps_kafka_native *client)
{
    const struct ps_kafka_native_api *api = &ps_kafka_native_apis[PS_KAFKA_NATIVE_END_TRANSACTION];
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_END_TRANSACTION,
                                             client->transaction.second ? api->modern : api->most,
                                             PRODUCER_BYTES + 8, &request);
    if (at == NULL)
        return NULL;
    at = put_producer(client, request->flexible, at);
    return ps_kafka_native_request_end(request, ps_wire_put_int8(at, 1)); /* commit */
}

struct ps_kafka_native_request *ps_kafka_native_request_committed(struct ps_kafka_native *client)
{
    const struct ps_kafka_native_transaction *transaction = &client->transaction;
    struct ps_slice group = current(client)->group;
    struct ps_kafka_native_request *request;
    size_t room =
        16 + (size_t)group.length + (size_t)(transaction->end - transaction->from) * TOPIC_BYTES_MAX;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_FETCH_OFFSETS,
                                             ps_kafka_native_apis[PS_KAFKA_NATIVE_FETCH_OFFSETS].most, room,
                                             &request);
    if (at == NULL)
        return NULL;
    at = ps_wire_put_text(at, group.data, group.length, true);
    at = ps_wire_put_uvarint(at, transaction->end - transaction->from + 1);
    for (uint32_t i = transaction->from; i < transaction->end; i++) {
        const struct ps_stream_name *name = transaction->positions[i].name;
        at = ps_wire_put_text(at, name->name.data, name->name.length, true);
        at = ps_wire_put_uvarint(at, 2);
        at = ps_wire_put_int32(at, (int32_t)name->part);
        at = ps_wire_put_uvarint(at, 0);
    }
    at = ps_wire_put_int8(at, 1); /* stable offsets: none that a transaction may still change (KIP-447) */
    return ps_kafka_native_request_end(request, at);
}
