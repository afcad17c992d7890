/* The encoding of requests (Kafka protocol guide). */
#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/wire/wire.h"

#include <stdlib.h>
#include <string.h>

#define PRODUCE_VERSION_OF_ZSTD 7
#define HEADER_BYTES_MAX (16U + PS_KAFKA_NATIVE_CLIENT_ID_BYTES) /* and the tags at both ends */
/* bytes before one batch: topic, counts, partition, length */
#define PART_BYTES_MAX (PS_KAFKA_NATIVE_TOPIC_BYTES + 32U)

#define NEVER INT16_MAX

/* Brokers from Kafka 0.10.0 on are met. */
const struct ps_kafka_native_api ps_kafka_native_apis[PS_KAFKA_NATIVE_KINDS] = {
    [PS_KAFKA_NATIVE_API_VERSIONS] = {"ApiVersions", 18, 0, 0, 3, 3, NEVER},
    [PS_KAFKA_NATIVE_SASL_HANDSHAKE] = {"SaslHandshake", 17, 1, 1, 0, NEVER, NEVER},
    [PS_KAFKA_NATIVE_SASL_AUTHENTICATE] = {"SaslAuthenticate", 36, 0, 1, 0, 2, NEVER},
    /* From version 10 on, a topic's id shows that the topic was created again (KIP-516). */
    [PS_KAFKA_NATIVE_METADATA] = {"Metadata", 3, 1, 7, 10, 9, 3},
    [PS_KAFKA_NATIVE_INIT_PRODUCER_ID] = {"InitProducerId", 22, 0, 1, 0, 2, 0},
    /* Modern: of the second protocol of transactions; so are those of TxnOffsetCommit and EndTxn. */
    [PS_KAFKA_NATIVE_PRODUCE] = {"Produce", 0, 2, 8, 12, 9, NEVER},
    /* Version 1 knows also the coordinators of transactions. */
    [PS_KAFKA_NATIVE_FIND_COORDINATOR] = {"FindCoordinator", 10, 0, 1, 0, 3, 1},
    [PS_KAFKA_NATIVE_ADD_PARTITIONS] = {"AddPartitionsToTxn", 24, 0, 0, 0, 3, 0},
    [PS_KAFKA_NATIVE_ADD_OFFSETS] = {"AddOffsetsToTxn", 25, 0, 0, 0, 3, 0},
    /* Earlier versions take offsets of any member. */
    [PS_KAFKA_NATIVE_COMMIT_OFFSETS] = {"TxnOffsetCommit", 28, 3, 3, 5, 3, 0},
    [PS_KAFKA_NATIVE_END_TRANSACTION] = {"EndTxn", 26, 0, 0, 5, 3, 0},
    /* Earlier versions also return offsets that a transaction may still change. */
    [PS_KAFKA_NATIVE_FETCH_OFFSETS] = {"OffsetFetch", 9, 7, 7, 0, 6, 3},
    /* Modern: with ids of topics, so that a broker does not read the log of another topic of the same name. */
    [PS_KAFKA_NATIVE_FETCH] = {"Fetch", 1, 2, 11, 13, 12, 1},
    [PS_KAFKA_NATIVE_LIST_OFFSETS] = {"ListOffsets", 2, 0, 2, 0, 6, 2},
    /* Versions before 3 need a permission that clients do not have. */
    [PS_KAFKA_NATIVE_LEADER_EPOCH] = {"OffsetForLeaderEpoch", 23, 3, 3, 0, 4, 2},
    /* Modern: waits for stable offsets (KIP-447). */
    [PS_KAFKA_NATIVE_GROUP_OFFSETS] = {"OffsetFetch", 9, 1, 5, 7, 6, 3},
    [PS_KAFKA_NATIVE_GROUP_COMMIT] = {"OffsetCommit", 8, 2, 7, 0, 8, 3},
    /* Modern: tells a leader to keep the assignment (KIP-814). */
    [PS_KAFKA_NATIVE_JOIN_GROUP] = {"JoinGroup", 11, 0, 5, 9, 6, 2},
    [PS_KAFKA_NATIVE_SYNC_GROUP] = {"SyncGroup", 14, 0, 3, 0, 4, 1},
    [PS_KAFKA_NATIVE_HEARTBEAT] = {"Heartbeat", 12, 0, 3, 0, 4, 1},
    [PS_KAFKA_NATIVE_LEAVE_GROUP] = {"LeaveGroup", 13, 0, 1, 0, 4, 1},
    [PS_KAFKA_NATIVE_DESCRIBE_GROUPS] = {"DescribeGroups", 15, 0, 2, 0, 5, 1},
};

/* Begins a request, and returns where its body begins, with room for `body_bytes`; NULL without memory. */
static char *begin(struct ps_kafka_native *client, struct ps_kafka_native_request *request, size_t body_bytes)
{
    size_t need = HEADER_BYTES_MAX + body_bytes;
    if (request->head_room < need) {
        char *head = realloc(request->head, need);
        if (head == NULL)
            return NULL;
        request->head = head;
        request->head_room = (uint32_t)need;
    }
    request->correlation = (int32_t)(client->correlation++ & INT32_MAX);
    request->flexible = request->version >= ps_kafka_native_apis[request->kind].flexible;
    char *at = request->head + sizeof(int32_t);
    at = ps_wire_put_int16(at, ps_kafka_native_apis[request->kind].key);
    at = ps_wire_put_int16(at, request->version);
    at = ps_wire_put_int32(at, request->correlation);
    at = ps_wire_put_string(at, client->client_id, strlen(client->client_id));
    return ps_wire_put_tags(at, request->flexible);
}

/* Writes the length field, which counts the bytes of the batches too. */
struct ps_kafka_native_request *ps_kafka_native_request_end(struct ps_kafka_native_request *request, char *at)
{
    at = ps_wire_put_tags(at, request->flexible);
    request->head_length = (uint32_t)(at - request->head);
    request->bytes = request->head_length;
    for (uint32_t i = 0; i < request->batch_count; i++)
        request->bytes += request->batches[i]->length;
    (void)ps_wire_put_int32(request->head, (int32_t)(request->bytes - sizeof(int32_t)));
    return request;
}

void ps_kafka_native_broker_send(struct ps_kafka_native_broker *broker,
                                 struct ps_kafka_native_request *request)
{
    request->next = NULL;
    request->written = 0;
    request->sent_ns = 0;
    *broker->end = request;
    broker->end = &request->next;
    if (broker->writing == NULL)
        broker->writing = request;
    if (request->kind == PS_KAFKA_NATIVE_PRODUCE)
        broker->produce_in_flight++;
}

char *ps_kafka_native_request_begin(struct ps_kafka_native *client, enum ps_kafka_native_kind kind,
                                    int16_t version, size_t body_bytes,
                                    struct ps_kafka_native_request **request)
{
    *request = ps_kafka_native_take_request(client, kind, version);
    char *at = *request != NULL ? begin(client, *request, body_bytes) : NULL;
    if (at != NULL || *request == NULL)
        return at;
    ps_kafka_native_give_request(client, *request);
    *request = NULL;
    return NULL;
}

/* Version 3 also names the client (KIP-511; a broker refuses an empty version), and asks for the features of the cluster
 * (KIP-584). */
struct ps_kafka_native_request *ps_kafka_native_request_versions(struct ps_kafka_native *client,
                                                                 int16_t version)
{
    /* as Java's client without a version */
    static const char name[] = "penstock", version_text[] = "unknown";
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_API_VERSIONS, version,
                                             4 + sizeof name + sizeof version_text, &request);
    if (at == NULL)
        return NULL;
    if (request->flexible) {
        at = ps_wire_put_text(at, name, sizeof name - 1, true);
        at = ps_wire_put_text(at, version_text, sizeof version_text - 1, true);
    }
    return ps_kafka_native_request_end(request, at);
}

/* Writes the transactional id; a null string without transactions. */
static char *put_transactional_id(const struct ps_kafka_native *client, bool flexible, char *at)
{
    const char *id = ps_kafka_native_is_transactional(client) ? client->transaction.id : NULL;
    return ps_wire_put_text(at, id, id != NULL ? strlen(id) : 0, flexible);
}

struct ps_kafka_native_request *ps_kafka_native_request_id(struct ps_kafka_native *client, int16_t version)
{
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_INIT_PRODUCER_ID, version,
                                             6 + PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES, &request);
    if (at == NULL)
        return NULL;
    at = put_transactional_id(client, request->flexible, at);
    at = ps_wire_put_int32(
        at, ps_kafka_native_is_transactional(client) ? client->settings.transaction_timeout_ms : INT32_MAX);
    return ps_kafka_native_request_end(request, at);
}

/* ---- login ---- */

struct ps_kafka_native_request *ps_kafka_native_request_handshake(struct ps_kafka_native *client)
{
    const char *mechanism = client->account.mechanism;
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_SASL_HANDSHAKE, 1, 2 + strlen(mechanism),
                                             &request);
    if (at == NULL)
        return NULL;
    return ps_kafka_native_request_end(request, ps_wire_put_string(at, mechanism, strlen(mechanism)));
}

struct ps_kafka_native_request *ps_kafka_native_request_message(struct ps_kafka_native *client,
                                                                int16_t version, const void *message,
                                                                size_t length)
{
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_SASL_AUTHENTICATE, version, 4 + length,
                                             &request);
    if (at == NULL)
        return NULL;
    at = ps_wire_put_int32(at, (int32_t)length);
    return ps_kafka_native_request_end(request, ps_wire_put_bytes(at, message, length));
}

/* ---- metadata ---- */

static uint32_t count_named(const struct ps_kafka_native *client)
{
    uint32_t count = 0;
    const struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL)
        count += ps_kafka_native_topic_is_named(client, topic);
    return count;
}

static char *put_topics(const struct ps_kafka_native *client, bool flexible, char *at)
{
    const struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        if (!ps_kafka_native_topic_is_named(client, topic))
            continue;
        if (flexible) /* id: none, because the topic is requested by its name */
            at = ps_wire_put_bytes(at, (char[PS_KAFKA_NATIVE_TOPIC_ID_BYTES]){0},
                                   PS_KAFKA_NATIVE_TOPIC_ID_BYTES);
        at = ps_wire_put_text(at, topic->name, topic->length, flexible);
        at = ps_wire_put_tags(at, flexible);
    }
    return at;
}

struct ps_kafka_native_request *ps_kafka_native_request_metadata(struct ps_kafka_native *client,
                                                                 int16_t version)
{
    struct ps_kafka_native_request *request;
    uint32_t count = count_named(client);
    size_t room = 16 + (size_t)count * (PS_KAFKA_NATIVE_TOPIC_BYTES + PS_KAFKA_NATIVE_TOPIC_ID_BYTES + 3);
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_METADATA, version, room, &request);
    if (at == NULL)
        return NULL;
    at = ps_wire_put_count(at, client->all_topics ? UINT32_MAX : count,
                           request->flexible); /* UINT32_MAX: a null array */
    if (!client->all_topics)
        at = put_topics(client, request->flexible, at);
    if (version >= 4) /* a topic of positions that was deleted does not come back */
        at = ps_wire_put_int8(at, client->settings.creates_topics && client->transaction.missing_ns == 0);
    if (request->flexible) {
        at = ps_wire_put_int8(at, 0); /* include_cluster_authorized_operations: no */
        at = ps_wire_put_int8(at, 0); /* include_topic_authorized_operations: no */
    }
    return ps_kafka_native_request_end(request, at);
}

/* ---- produce ---- */

/* Compresses and closes the batch in the format of the broker. Returns false if there is no memory for it. */
static bool close_batch(const struct ps_kafka_native_broker *broker, struct ps_kafka_native_batch *batch)
{
    struct ps_kafka_native *client = broker->client;
    struct ps_kafka_native_partition *partition = batch->partition;
    int16_t version = broker->versions[PS_KAFKA_NATIVE_PRODUCE].plain;
    bool known = client->settings.compression != PS_KAFKA_COMPRESSION_ZSTD ||
                 version >= PRODUCE_VERSION_OF_ZSTD; /* KIP-110 */
    struct ps_kafka_compressor *compressor = known ? client->compressor : NULL;
    partition->usual_bytes = batch->length;
    if (version < PS_KAFKA_NATIVE_PRODUCE_OF_BATCHES) {
        uint64_t memory = ps_kafka_native_batch_memory(batch);
        bool closed = ps_kafka_native_batch_close_as_messages(batch, compressor, &client->spare);
        ps_kafka_native_batch_grew(client, batch, memory);
        return closed;
    }
    if (compressor != NULL)
        ps_kafka_native_batch_compress(batch, compressor, &client->spare);
    ps_kafka_native_batch_close(batch, &client->id, partition->next_sequence);
    partition->next_sequence = (int32_t)(((uint32_t)partition->next_sequence + batch->count) & INT32_MAX);
    return true;
}

static bool knows_producer(const struct ps_kafka_native *client,
                           const struct ps_kafka_native_partition *partition)
{
    return !client->settings.idempotent ||
           (partition->known_ns != 0 && client->now.mono_ns < partition->known_ns + PS_KAFKA_NATIVE_KNOWN_NS);
}

/* Returns whether the broker takes the format of a batch that was closed for another leader. If not, because one of them is
 * older than Kafka 0.11, the producer ends: the next one encodes the records anew. */
static bool takes_format(const struct ps_kafka_native_broker *broker,
                         const struct ps_kafka_native_batch *batch)
{
    bool wants_messages =
        broker->versions[PS_KAFKA_NATIVE_PRODUCE].plain < PS_KAFKA_NATIVE_PRODUCE_OF_BATCHES;
    if (ps_kafka_native_batch_has_messages(batch) == wants_messages)
        return true;
    ps_kafka_native_die(
        broker->client, PS_KAFKA_LIBRARY_RETRY,
        "topic %s, partition %d: one of its leaders is older than Kafka 0.11, and records for "
        "it have another format",
        batch->partition->topic->name, batch->partition->number);
    return false;
}

/* Takes batches while there is room and memory, one batch of each ready partition, and closes them. */
static void take_batches(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request)
{
    struct ps_kafka_native *client = broker->client;
    uint64_t bytes = 0;
    while (broker->ready != NULL && request->batch_count < PS_KAFKA_NATIVE_REQUEST_BATCHES_MAX) {
        struct ps_kafka_native_partition *partition = broker->ready;
        struct ps_kafka_native_batch *batch = partition->first;
        bool again = batch->closed;
        if (request->batch_count > 0 && bytes + batch->length > client->settings.request_bytes_max)
            break;
        if (again ? !takes_format(broker, batch) : !close_batch(broker, batch))
            break;
        broker->ready = partition->next_ready;
        if (broker->ready == NULL)
            broker->ready_end = &broker->ready;
        partition->ready = false;
        (void)ps_kafka_native_partition_pop(partition);
        partition->alone = again || !knows_producer(client, partition);
        partition->in_flight++;
        bytes += batch->length;
        request->batches[request->batch_count++] = batch;
    }
}

struct ps_kafka_native_request *ps_kafka_native_request_produce(struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_native *client = broker->client;
    bool flexible = ps_kafka_native_is_transactional(client) && client->transaction.second;
    struct ps_kafka_native_request *request;
    size_t room = 16 + PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES +
                  PART_BYTES_MAX * (size_t)PS_KAFKA_NATIVE_REQUEST_BATCHES_MAX;
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_PRODUCE,
                                             flexible ? ps_kafka_native_apis[PS_KAFKA_NATIVE_PRODUCE].modern
                                                      : broker->versions[PS_KAFKA_NATIVE_PRODUCE].plain,
                                             room, &request);
    if (at == NULL)
        return NULL;
    take_batches(broker, request);
    if (request->batch_count == 0) {
        ps_kafka_native_give_request(client, request);
        return NULL;
    }
    client->transaction.any_joined |= flexible;
    if (request->version >= PS_KAFKA_NATIVE_PRODUCE_OF_BATCHES)
        at = put_transactional_id(client, flexible, at);
    at = ps_wire_put_int16(at, (int16_t)client->settings.acks);
    at = ps_wire_put_int32(at, client->settings.acks_timeout_ms);
    at = ps_wire_put_count(at, request->batch_count, flexible);
    for (uint32_t i = 0; i < request->batch_count; i++) {
        const struct ps_kafka_native_batch *batch = request->batches[i];
        const struct ps_kafka_native_topic *topic = batch->partition->topic;
        /* each partition with its topic: brokers accept a topic several times */
        at = ps_wire_put_text(at, topic->name, topic->length, flexible);
        at = ps_wire_put_count(at, 1, flexible);
        at = ps_wire_put_int32(at, batch->partition->number);
        at = ps_wire_put_count(at, batch->length, flexible);
        request->part_end[i] = (uint32_t)(at - request->head);
        at = ps_wire_put_tags(at, flexible);
        at = ps_wire_put_tags(at, flexible); /* of the topic */
    }
    return ps_kafka_native_request_end(request, at);
}
