/* Requests of Kafka's protocol, in versions without tagged fields (before KIP-482). */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"

enum { PRODUCE = 0, METADATA = 3, API_VERSIONS = 18, INIT_PRODUCER_ID = 22 };

static const struct {
    int16_t key, least, most;
} versions[] = {{PRODUCE, 3, 7}, {METADATA, 1, 7}, {API_VERSIONS, 0, 2}, {INIT_PRODUCER_ID, 0, 1}};
#define VERSIONS (sizeof versions / sizeof *versions)

static void answer_versions(int16_t version, struct kafka_out *answer)
{
    bool is_known = version <= 2;
    kafka_put(answer, is_known ? KAFKA_NONE : KAFKA_UNSUPPORTED_VERSION, 2);
    kafka_put(answer, VERSIONS, 4);
    for (size_t i = 0; i < VERSIONS; i++) {
        kafka_put(answer, versions[i].key, 2);
        kafka_put(answer, versions[i].least, 2);
        kafka_put(answer, versions[i].most, 2);
    }
    if (is_known && version >= 1)
        kafka_put(answer, 0, 4); /* throttle */
}

static void put_topic(const struct kafka_cluster *cluster, int16_t version, const char *name,
                      struct kafka_out *answer)
{
    bool is_ours = strcmp(name, "t") == 0;
    kafka_put(answer, is_ours ? KAFKA_NONE : KAFKA_UNKNOWN_TOPIC_OR_PARTITION, 2);
    kafka_put_string(answer, name);
    kafka_put(answer, 0, 1); /* internal */
    kafka_put(answer, is_ours ? KAFKA_PARTITIONS : 0, 4);
    for (int i = 0; i < KAFKA_PARTITIONS && is_ours; i++) {
        const struct kafka_partition *partition = &cluster->partitions[i];
        bool has_leader = cluster->listeners[partition->leader] != NULL;
        kafka_put(answer, has_leader ? KAFKA_NONE : 5 /* LEADER_NOT_AVAILABLE */, 2);
        kafka_put(answer, i, 4);
        kafka_put(answer, has_leader ? partition->leader + 1 : -1, 4);
        if (version >= 7)
            kafka_put(answer, partition->leader_epoch, 4);
        for (int lists = 0; lists < 2; lists++) { /* replicas, in-sync replicas */
            kafka_put(answer, KAFKA_BROKERS, 4);
            for (int broker = 1; broker <= KAFKA_BROKERS; broker++)
                kafka_put(answer, broker, 4);
        }
        if (version >= 5)
            kafka_put(answer, 0, 4); /* offline replicas */
    }
}

static void answer_metadata(const struct kafka_cluster *cluster, int16_t version, struct kafka_in *request,
                            struct kafka_out *answer)
{
    if (version >= 3)
        kafka_put(answer, 0, 4);
    size_t count_at = answer->length;
    int brokers = 0;
    kafka_put(answer, 0, 4);
    for (int i = 0; i < KAFKA_BROKERS; i++) {
        if (cluster->listeners[i] == NULL)
            continue;
        char host[16];
        snprintf(host, sizeof host, "kafka%d", i + 1);
        kafka_put(answer, i + 1, 4);
        kafka_put_string(answer, host);
        kafka_put(answer, 9092, 4);
        kafka_put_string(answer, NULL); /* rack */
        brokers++;
    }
    kafka_patch(answer, count_at, brokers, 4);
    if (version >= 2)
        kafka_put_string(answer, "world");
    kafka_put(answer, 1, 4); /* controller */
    int64_t count = kafka_get(request, 4);
    if (count < 0) {
        kafka_put(answer, 1, 4);
        put_topic(cluster, version, "t", answer);
        return;
    }
    kafka_put(answer, count, 4);
    for (int64_t i = 0; i < count && !request->bad; i++) {
        char name[256];
        kafka_get_string(request, name, sizeof name);
        put_topic(cluster, version, name, answer);
    }
}

/* An error before or after the batch is written, as replicas cause it. */
static int draw_error(int before, int after, bool is_written)
{
    if (!world->server_faults || world_below(20) != 0)
        return KAFKA_NONE;
    return is_written ? after : before;
}

static void answer_partition(struct kafka_cluster *cluster, int broker, int16_t version, bool is_ours,
                             struct kafka_in *request, struct kafka_out *answer)
{
    int32_t number = (int32_t)kafka_get(request, 4);
    int64_t length = kafka_get(request, 4), offset = -1;
    const unsigned char *batch = kafka_get_bytes(request, length);
    struct kafka_partition *partition =
        number >= 0 && number < KAFKA_PARTITIONS && is_ours ? &cluster->partitions[number] : NULL;
    int error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (batch == NULL)
        error = KAFKA_CORRUPT_MESSAGE;
    else if (partition != NULL && partition->leader != broker)
        error = KAFKA_NOT_LEADER;
    else if (partition != NULL && (error = draw_error(KAFKA_NOT_ENOUGH_REPLICAS, 0, false)) == KAFKA_NONE) {
        error = kafka_append(partition, batch, length, &offset);
        if (error == KAFKA_NONE)
            error = draw_error(
                0, world_below(2) == 0 ? KAFKA_REQUEST_TIMED_OUT : KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                true);
    }
    kafka_put(answer, number, 4);
    kafka_put(answer, error, 2);
    kafka_put(answer, error == KAFKA_NONE ? offset : -1, 8);
    kafka_put(answer, -1, 8); /* time */
    if (version >= 5)
        kafka_put(answer, 0, 8); /* start of the log */
}

/* Returns whether the request is answered: not with acks=0. */
static bool answer_produce(struct kafka_cluster *cluster, int broker, int16_t version,
                           struct kafka_in *request, struct kafka_out *answer)
{
    char name[256];
    kafka_get_string(request, name, sizeof name); /* transactional.id */
    int64_t acks = kafka_get(request, 2);
    kafka_get(request, 4); /* timeout */
    int64_t topics = kafka_get(request, 4);
    kafka_put(answer, topics, 4);
    for (; topics > 0 && !request->bad; topics--) {
        kafka_get_string(request, name, sizeof name);
        kafka_put_string(answer, name);
        int64_t partitions = kafka_get(request, 4);
        kafka_put(answer, partitions, 4);
        for (; partitions > 0 && !request->bad; partitions--)
            answer_partition(cluster, broker, version, strcmp(name, "t") == 0, request, answer);
    }
    kafka_put(answer, 0, 4);
    return acks != 0;
}

static void answer_producer_id(struct kafka_cluster *cluster, struct kafka_out *answer)
{
    kafka_put(answer, 0, 4);
    kafka_put(answer, KAFKA_NONE, 2);
    kafka_put(answer, ++cluster->next_producer, 8);
    kafka_put(answer, 0, 2);
}

bool kafka_serve(struct kafka_cluster *cluster, int broker, struct kafka_in *request,
                 struct kafka_out *answer)
{
    char client[256];
    int16_t key = (int16_t)kafka_get(request, 2), version = (int16_t)kafka_get(request, 2);
    kafka_put(answer, kafka_get(request, 4), 4);
    kafka_get_string(request, client, sizeof client);
    size_t at = 0;
    while (at < VERSIONS && versions[at].key != key)
        at++;
    if (key != API_VERSIONS &&
        (at == VERSIONS || version < versions[at].least || version > versions[at].most))
        world_fatal("the agent sent a request %d in version %d, which the brokers do not offer", key,
                    version);
    switch (key) {
    case API_VERSIONS:
        answer_versions(version, answer);
        break;
    case METADATA:
        answer_metadata(cluster, version, request, answer);
        break;
    case PRODUCE:
        if (!answer_produce(cluster, broker, version, request, answer))
            answer->length = 0;
        break;
    default:
        answer_producer_id(cluster, answer);
        break;
    }
    if (request->bad)
        world_fatal("the agent sent a request %d that ends too early", key);
    return !answer->full;
}
