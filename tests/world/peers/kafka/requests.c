/* Requests of Kafka's protocol: which versions there are, and those that ask any broker or write records. */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"

#define METADATA 3
#define INVALID_RECORD 87
#define DUPLICATE_SEQUENCE_NUMBER 46
#define COUNT_AT 57 /* in a batch: how many records it has */
#define API_VERSIONS 18
#define GENERATIONS 4
#define OLD 3       /* Kafka 0.10 */
#define ID_BEGINS 7 /* the upper half of each topic's id */

static enum kafka_served answer_versions(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
static enum kafka_served answer_metadata(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
static enum kafka_served answer_produce(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);

static const struct {
    int16_t key, least, most[GENERATIONS], flexible;
    enum kafka_served (*serve)(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
} requests[] = {
    {0, 3, {7, 8, 12, 2}, 9, answer_produce},
    {1, 4, {11, 13, 13, 2}, 12, kafka_fetch},
    {2, 1, {2, 2, 2, 0}, 6, kafka_list_offsets},
    {3, 1, {7, 10, 10, 1}, 9, answer_metadata},
    {8, 2, {7, 7, 7, 2}, 8, kafka_commit},
    {9, 1, {5, 7, 7, 1}, 6, kafka_offsets},
    {10, 0, {1, 1, 1, 0}, 3, kafka_coordinator},
    {11, 0, {5, 9, 9, 0}, 6, kafka_join},
    {12, 0, {3, 3, 3, 0}, 4, kafka_heartbeat},
    {13, 0, {1, 1, 1, 0}, 4, kafka_leave},
    {14, 0, {3, 3, 3, 0}, 4, kafka_sync},
    {15, 0, {2, 2, 2, 0}, 5, kafka_describe},
    {API_VERSIONS, 0, {3, 3, 3, 0}, 3, answer_versions},
    {22, 0, {1, 1, 1, -1}, 2, kafka_producer_id},
    {23, 3, {3, 3, 3, -1}, 4, kafka_epochs},
    {24, 0, {1, 1, 1, -1}, 3, kafka_add_partitions},
    {25, 0, {1, 1, 1, -1}, 3, kafka_add_offsets},
    {26, 0, {1, 1, 5, -1}, 3, kafka_end_transaction},
    {28, 0, {2, 3, 5, -1}, 3, kafka_commit_in_transaction},
};
#define REQUESTS (sizeof requests / sizeof *requests)

#define VERSIONS_AT 12

/* Old brokers have all versions from 0 on. */
static int16_t least_of(const struct kafka_cluster *cluster, size_t at)
{
    return cluster->generation == OLD ? 0 : requests[at].least;
}

/* ---- topics ---- */

int kafka_topic_named(const struct kafka_cluster *cluster, const char *name)
{
    for (int i = 0; i < KAFKA_TOPICS; i++)
        if (name[0] != 0 && strcmp(cluster->topics[i].name, name) == 0)
            return i;
    return -1;
}

int kafka_topic_of_id(const struct kafka_cluster *cluster, int64_t id)
{
    for (int i = 0; i < KAFKA_TOPICS; i++)
        if (id != 0 && cluster->topics[i].id == id)
            return i;
    return -1;
}

struct kafka_partition *kafka_partition_of(struct kafka_cluster *cluster, int topic, int32_t number)
{
    return topic < 0 || number < 0 || number >= cluster->topics[topic].count
               ? NULL
               : &cluster->topics[topic].partitions[number];
}

int64_t kafka_get_id(struct kafka_in *in)
{
    bool is_ours = kafka_get(in, 8) == ID_BEGINS;
    int64_t id = kafka_get(in, 8);
    return is_ours ? id : -1;
}

void kafka_put_id(struct kafka_out *out, int64_t id)
{
    kafka_put(out, ID_BEGINS, 8);
    kafka_put(out, id, 8);
}

/* ---- what any broker answers ---- */

/* The feature by which brokers say that they have the second protocol of transactions (KIP-890). */
static void put_features(struct kafka_out *answer)
{
    unsigned char bytes[64];
    struct kafka_out field = {.bytes = bytes, .room = sizeof bytes, .flexible = true};
    kafka_put_count(&field, 1);
    kafka_put_text(&field, "transaction.version");
    kafka_put(&field, 2, 2);
    kafka_put(&field, 0, 2);
    kafka_put_tags(&field);
    kafka_put(answer, 1, 1); /* one tagged field: 2, finalized features */
    kafka_put(answer, 2, 1);
    kafka_put(answer, (int64_t)field.length, 1);
    kafka_put_bytes(answer, bytes, field.length);
}

static enum kafka_served answer_versions(struct kafka_cluster *cluster, struct kafka_request *request,
                                         struct kafka_out *answer)
{
    bool is_known = request->version <= requests[VERSIONS_AT].most[cluster->generation];
    if (!is_known)
        answer->flexible = false; /* an answer of version 0 */
    kafka_put(answer, is_known ? KAFKA_NONE : KAFKA_UNSUPPORTED_VERSION, 2);
    size_t count_at = answer->length;
    int offered = 0;
    kafka_put_count(answer, 0);
    for (size_t i = 0; i < REQUESTS && is_known; i++) {
        if (requests[i].most[cluster->generation] < 0)
            continue;
        offered++;
        kafka_put(answer, requests[i].key, 2);
        kafka_put(answer, least_of(cluster, i), 2);
        kafka_put(answer, requests[i].most[cluster->generation], 2);
        kafka_put_tags(answer);
    }
    kafka_patch_count(answer, count_at, offered);
    if (!is_known)
        return KAFKA_ANSWERED;
    if (request->version >= 1)
        kafka_put(answer, 0, 4); /* throttle */
    if (request->version >= 3 && cluster->generation == 2)
        put_features(answer);
    else
        kafka_put_tags(answer);
    return KAFKA_ANSWERED;
}

static bool is_named(const struct kafka_cluster *cluster, int broker)
{
    return broker >= 0 && cluster->listeners[broker] != NULL && !cluster->leaves_metadata[broker];
}

static void put_partition(struct kafka_cluster *cluster, const struct kafka_request *request, int topic,
                          int number, struct kafka_out *answer)
{
    static const int errors[] = {KAFKA_LEADER_NOT_AVAILABLE, KAFKA_REPLICA_NOT_AVAILABLE};
    const struct kafka_partition *partition = &cluster->topics[topic].partitions[number];
    int16_t version = request->version;
    int error = kafka_fails(cluster, request, topic, number, errors, 2);
    bool has_leader = is_named(cluster, partition->leader) && error != KAFKA_LEADER_NOT_AVAILABLE;
    kafka_put(answer, error != KAFKA_NONE ? error : has_leader ? KAFKA_NONE : KAFKA_LEADER_NOT_AVAILABLE, 2);
    kafka_put(answer, number, 4);
    kafka_put(answer, has_leader ? partition->leader + 1 : -1, 4);
    if (version >= 7)
        kafka_put(answer, partition->leader_epoch, 4);
    for (int lists = 0; lists < 2; lists++) { /* replicas, in-sync replicas */
        kafka_put_count(answer, KAFKA_BROKERS);
        for (int broker = 1; broker <= KAFKA_BROKERS; broker++)
            kafka_put(answer, broker, 4);
    }
    if (version >= 5)
        kafka_put_count(answer, 0); /* offline replicas */
    kafka_put_tags(answer);
}

static void put_topic(struct kafka_cluster *cluster, const struct kafka_request *request, const char *name,
                      struct kafka_out *answer)
{
    static const int errors[] = {KAFKA_LEADER_NOT_AVAILABLE, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, 29};
    int16_t version = request->version;
    int topic = kafka_topic_named(cluster, name);
    int error =
        topic < 0 ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : kafka_fails(cluster, request, topic, -1, errors, 3);
    kafka_put(answer, error, 2);
    kafka_put_text(answer, name);
    if (version >= 10)
        kafka_put_id(answer, topic >= 0 ? cluster->topics[topic].id : 0);
    kafka_put(answer, 0, 1); /* internal */
    int32_t count = error == KAFKA_NONE ? cluster->topics[topic].count : 0;
    kafka_put_count(answer, count);
    for (int32_t i = 0; i < count; i++)
        put_partition(cluster, request, topic, i, answer);
    if (version >= 8)
        kafka_put(answer, 0, 4); /* allowed operations */
    kafka_put_tags(answer);
}

static void put_brokers(const struct kafka_cluster *cluster, struct kafka_out *answer)
{
    size_t count_at = answer->length;
    int brokers = 0;
    kafka_put_count(answer, 0);
    for (int i = 0; i < KAFKA_BROKERS; i++) {
        if (!is_named(cluster, i))
            continue;
        char host[16];
        snprintf(host, sizeof host, "kafka%d", i + 1);
        kafka_put(answer, i + 1, 4);
        kafka_put_text(answer, host);
        kafka_put(answer, 9092, 4);
        kafka_put_text(answer, NULL); /* rack */
        kafka_put_tags(answer);
        brokers++;
    }
    kafka_patch_count(answer, count_at, brokers);
}

static enum kafka_served answer_metadata(struct kafka_cluster *cluster, struct kafka_request *request,
                                         struct kafka_out *answer)
{
    int16_t version = request->version;
    if (version >= 3)
        kafka_put(answer, 0, 4);
    put_brokers(cluster, answer);
    if (version >= 2)
        kafka_put_text(answer, "world");
    kafka_put(answer, 1, 4); /* controller */
    int64_t count = kafka_get_count(&request->in);
    int64_t all = 0;
    for (int i = 0; i < KAFKA_TOPICS; i++)
        all += cluster->topics[i].name[0] != 0;
    kafka_put_count(answer, count < 0 ? all : count);
    for (int i = 0; i < KAFKA_TOPICS && count < 0; i++)
        if (cluster->topics[i].name[0] != 0)
            put_topic(cluster, request, cluster->topics[i].name, answer);
    for (int64_t i = 0; i < count && !request->in.bad; i++) {
        char name[KAFKA_NAME_MAX];
        if (version >= 10)
            kafka_get_id(&request->in);
        kafka_get_text(&request->in, name, sizeof name);
        kafka_get_tags(&request->in);
        put_topic(cluster, request, name, answer);
    }
    if (version >= 8)
        kafka_put(answer, 0, 4); /* allowed operations */
    kafka_put_tags(answer);
    return KAFKA_ANSWERED;
}

/* ---- Produce ---- */

int kafka_fails(struct kafka_cluster *cluster, const struct kafka_request *request, int topic, int32_t number,
                const int *errors, unsigned count)
{
    for (struct kafka_failure *one = cluster->failures; one < cluster->failures + KAFKA_FAILURES_MAX; one++) {
        if (one->times == 0 || one->key != request->key || one->error >= KAFKA_BREAKS ||
            (one->topic >= 0 && one->topic != topic) || (one->number >= 0 && one->number != number) ||
            (request->key == METADATA && (number >= 0) != (one->number >= 0)))
            continue;
        one->times -= one->times != UINT32_MAX;
        return one->error;
    }
    if (!world->server_faults || world_below(20) != 0)
        return KAFKA_NONE;
    world->server_trouble++;
    return errors[world_below(count)];
}

/* While a request is refused, nothing is written; some errors come after it was. */
static bool is_written(int error)
{
    return error == KAFKA_REQUEST_TIMED_OUT || error == KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND ||
           error == DUPLICATE_SEQUENCE_NUMBER;
}

static int produce(struct kafka_cluster *cluster, const struct kafka_request *request, const char *id,
                   int topic, int32_t number, int64_t *offset, struct kafka_in *batch)
{
    /* Kafka's for a request to produce: of leaders, replicas and disks; of the request, its batch and its records; of rights; unknown ones. */
    static const int errors[] = {KAFKA_REQUEST_TIMED_OUT,
                                 KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                                 KAFKA_NOT_ENOUGH_REPLICAS,
                                 KAFKA_CORRUPT_MESSAGE,
                                 KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                 KAFKA_LEADER_NOT_AVAILABLE,
                                 KAFKA_NOT_LEADER,
                                 KAFKA_MESSAGE_TOO_LARGE,
                                 KAFKA_FENCED_LEADER_EPOCH,
                                 KAFKA_UNKNOWN_LEADER_EPOCH,
                                 -1, /* UNKNOWN_SERVER_ERROR */
                                 8,  /* BROKER_NOT_AVAILABLE */
                                 9,  /* REPLICA_NOT_AVAILABLE */
                                 13, /* NETWORK_EXCEPTION */
                                 17, /* INVALID_TOPIC_EXCEPTION */
                                 18, /* RECORD_LIST_TOO_LARGE */
                                 29, /* TOPIC_AUTHORIZATION_FAILED */
                                 31, /* CLUSTER_AUTHORIZATION_FAILED */
                                 32, /* INVALID_TIMESTAMP */
                                 42, /* INVALID_REQUEST */
                                 43, /* UNSUPPORTED_FOR_MESSAGE_FORMAT */
                                 44, /* POLICY_VIOLATION */
                                 56, /* KAFKA_STORAGE_ERROR */
                                 72, /* LISTENER_NOT_FOUND */
                                 83, /* ELIGIBLE_LEADERS_NOT_AVAILABLE */
                                 INVALID_RECORD,
                                 89, /* THROTTLING_QUOTA_EXCEEDED */
                                 500 /* none that a client knows */};
    const struct kafka_partition *partition = kafka_partition_of(cluster, topic, number);
    int64_t length = batch->end - batch->at;
    if (partition == NULL)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (partition->leader != request->broker)
        return KAFKA_NOT_LEADER;
    int failure = kafka_fails(cluster, request, topic, number, errors, sizeof errors / sizeof *errors);
    int error = is_written(failure) ? KAFKA_NONE : failure;
    if (error == KAFKA_NONE && cluster->batch_limit > 0 && length > cluster->batch_limit)
        error = KAFKA_MESSAGE_TOO_LARGE;
    if (error == KAFKA_NONE && cluster->refused_error != 0 &&
        kafka_find_record(batch->at, length, cluster->refused) >= 0)
        error = cluster->refused_error;
    if (error == KAFKA_NONE && id[0] != 0)
        error =
            kafka_check_transaction(cluster, id, batch->at, length, topic, number, request->version >= 12);
    if (error == KAFKA_NONE)
        error = (cluster->generation == OLD ? kafka_append_messages : kafka_append)(
            &cluster->topics[topic], number, batch->at, length, offset);
    if (error != KAFKA_NONE)
        return error;
    cluster->changed = true;
    return failure;
}

/* A broker may name the record that it refuses (KIP-467). */
static void put_bad_record(const struct kafka_cluster *cluster, const unsigned char *bytes, int64_t length,
                           int error, struct kafka_out *answer)
{
    struct kafka_in batch = {.at = bytes, .end = bytes + length};
    kafka_get_bytes(&batch, COUNT_AT);
    int64_t count = kafka_get(&batch, 4);
    bool is_named = error == INVALID_RECORD && !batch.bad && count > 0 && world_below(2) == 0;
    kafka_put_count(answer, is_named);
    if (!is_named)
        return;
    int64_t number = cluster->refused_error != 0 ? kafka_find_record(bytes, length, cluster->refused) : -1;
    kafka_put(answer, number >= 0 ? number : (int64_t)world_below((uint64_t)count), 4);
    kafka_put_text(answer, "the world does not like it");
    kafka_put_tags(answer);
}

static void answer_partition(struct kafka_cluster *cluster, struct kafka_request *request, const char *id,
                             int topic, struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    int32_t number = (int32_t)kafka_get(in, 4);
    int64_t length = kafka_get_count(in), offset = -1;
    const unsigned char *bytes = kafka_get_bytes(in, length);
    kafka_get_tags(in);
    struct kafka_in batch = {.at = bytes, .end = bytes + length};
    int error =
        bytes == NULL ? KAFKA_CORRUPT_MESSAGE : produce(cluster, request, id, topic, number, &offset, &batch);
    kafka_put(answer, number, 4);
    kafka_put(answer, error, 2);
    kafka_put(answer, error == KAFKA_NONE ? offset : -1, 8);
    kafka_put(answer, -1, 8); /* time */
    if (request->version >= 5)
        kafka_put(answer, 0, 8); /* start of the log */
    if (request->version >= 8) {
        put_bad_record(cluster, bytes, length, error, answer);
        kafka_put_text(answer, NULL); /* the error's text */
    }
    kafka_put_tags(answer);
}

/* With acks=0 there is no answer. */
static enum kafka_served answer_produce(struct kafka_cluster *cluster, struct kafka_request *request,
                                        struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    char id[KAFKA_NAME_MAX] = "", name[KAFKA_NAME_MAX];
    if (request->version >= 3)
        kafka_get_text(in, id, sizeof id);
    int64_t acks = kafka_get(in, 2);
    kafka_get(in, 4); /* timeout */
    int64_t topics = kafka_echo_count(in, answer);
    for (; topics > 0 && !in->bad; topics--) {
        kafka_echo_text(in, answer, name, sizeof name);
        int topic = kafka_topic_named(cluster, name);
        int64_t partitions = kafka_echo_count(in, answer);
        for (; partitions > 0 && !in->bad; partitions--)
            answer_partition(cluster, request, id, topic, answer);
        kafka_get_tags(in);
        kafka_put_tags(answer);
    }
    bool is_limited = world->server_faults && world_below(30) == 0;
    kafka_put(answer, is_limited ? (int64_t)world_below(3000) : cluster->throttle_ms, 4);
    kafka_put_tags(answer);
    if (acks == 0)
        answer->length = 0;
    return KAFKA_ANSWERED;
}

/* ---- all of them ---- */

enum kafka_served kafka_wait(struct kafka_request *request, uint64_t until_ns)
{
    request->connection->again_ns = until_ns;
    return KAFKA_LATER;
}

enum kafka_served kafka_serve(struct kafka_cluster *cluster, struct connection *connection,
                              struct kafka_in in, struct kafka_out *answer)
{
    char client[KAFKA_NAME_MAX];
    struct kafka_request request = {.broker = connection->server, .connection = connection};
    request.key = (int16_t)kafka_get(&in, 2);
    request.version = (int16_t)kafka_get(&in, 2);
    kafka_put(answer, kafka_get(&in, 4), 4);
    kafka_get_string(&in, client, sizeof client);
    size_t at = 0;
    while (at < REQUESTS && requests[at].key != request.key)
        at++;
    if (at == REQUESTS || request.version < least_of(cluster, at) ||
        (request.version > requests[at].most[cluster->generation] && request.key != API_VERSIONS))
        world_fatal("the agent sent a request %d in version %d, which the brokers do not offer", request.key,
                    request.version);
    in.flexible = answer->flexible = request.version >= requests[at].flexible;
    kafka_get_tags(&in);
    if (request.key != API_VERSIONS)
        kafka_put_tags(answer);
    request.in = in;
    enum kafka_served served = requests[at].serve(cluster, &request, answer);
    if (request.in.bad)
        world_fatal("the agent sent a request %d that ends too early", request.key);
    return answer->full ? KAFKA_CLOSE : served;
}
