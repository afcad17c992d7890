/* Reads the answers that describe the cluster: where the brokers are, which broker leads a partition
 * (Metadata), and which broker keeps a transaction or a group (FindCoordinator). Lengths and counts from the
 * broker are not trusted: every read is bounded (wire.h). */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "core/fnv.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <string.h>

/* The time for which brokers that are behind may still return a former topic's id. The time is limited,
 * because the client may have the new id from a broker that is behind: then the id noted as former is the
 * right one. */
#define FORMER_ID_NS (10 * PS_NS_PER_S)
/* the time between two questions for leaders that nobody needs now: it doubles, up to the second one */
#define LOOK_REST_NS (100 * PS_NS_PER_MS)
#define LOOK_REST_MAX_NS (5 * PS_NS_PER_S)
/* a topic that a reader wants may not exist for a long time */
#define READER_METADATA_REST_NS (500 * PS_NS_PER_MS)
#define AWAITED_NS (10 * PS_NS_PER_S) /* for so long a cluster that starts may name no coordinator */

/* ---- brokers ---- */

struct ps_kafka_native_broker *ps_kafka_native_broker_add(struct ps_kafka_native *client, int32_t node,
                                                          const char *host, uint32_t host_length,
                                                          unsigned port)
{
    struct ps_kafka_native_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL)
        return NULL;
    broker->client = client;
    broker->node = node;
    memcpy(broker->host, host, host_length);
    if (client->tls != NULL && (broker->tls = ps_tls_client_copy(client->tls, broker->host)) == NULL) {
        free(broker);
        return NULL;
    }
    broker->port = port;
    broker->watched_fd = -1;
    broker->login.again_ns = PS_NEVER;
    broker->end = &broker->first;
    broker->ready_end = &broker->ready;
    broker->plan = (struct ps_client_plan){
        .transport = broker->tls != NULL ? &ps_transport_tls : &ps_transport_plain,
        .transport_settings = broker->tls,
        .connect_ns = client->settings.connect_ns,
        .send_buffer_bytes = client->settings.send_buffer_bytes,
        .receive_buffer_bytes = client->settings.receive_buffer_bytes,
    };
    ps_client_init(&broker->connection, &broker->plan);
    struct ps_kafka_native_broker **last = &client->brokers;
    while (*last != NULL)
        last = &(*last)->next;
    *last = broker;
    return broker;
}

struct ps_kafka_native_broker *ps_kafka_native_find_node(const struct ps_kafka_native *client, int32_t node)
{
    struct ps_kafka_native_broker *broker = client->brokers;
    while (broker != NULL && (broker->node != node || broker->gone))
        broker = broker->next;
    return broker;
}

static bool is_at(const struct ps_kafka_native_broker *broker, const char *host, uint32_t length,
                  int32_t port)
{
    return broker->port == (unsigned)port && strlen(broker->host) == length &&
           memcmp(broker->host, host, length) == 0;
}

/* Notes that a node is at this address. A node with another address than before is a new broker; a broker
 * known only from bootstrap.servers becomes the node at its address, but not the connection to a coordinator. Returns false
 * without memory. */
static bool note_broker(struct ps_kafka_native *client, int32_t node, const char *host, uint32_t length,
                        int32_t port)
{
    struct ps_kafka_native_broker *broker = client->brokers;
    while (broker != NULL && (broker->node != node || !is_at(broker, host, length, port)))
        broker = broker->next;
    if (broker == NULL && node < PS_KAFKA_NATIVE_COORDINATOR / 2) {
        broker = client->brokers;
        while (broker != NULL && (broker->node != -1 || !is_at(broker, host, length, port)))
            broker = broker->next;
    }
    if (broker == NULL)
        broker = ps_kafka_native_broker_add(client, node, host, length, (unsigned)port);
    if (broker == NULL)
        return false;
    broker->node = node;
    broker->gone = false;
    return true;
}

/* ---- Metadata ---- */

/* A broker of the response. */
struct broker_is {
    int32_t node, port;
    const char *host;
    uint32_t length; /* of the host */
};

static bool read_broker(struct ps_wire_in *in, struct broker_is *is)
{
    uint32_t rack_length;
    is->node = ps_wire_get_int32(in);
    is->host = ps_wire_get_string(in, &is->length);
    is->port = ps_wire_get_int32(in);
    (void)ps_wire_get_string(in, &rack_length);
    ps_wire_end_fields(in);
    return !in->failed && is->host != NULL && is->length > 0 && is->length < PS_HOST_NAME_BYTES &&
           is->port > 0 && is->port <= 65535 && is->node >= 0;
}

/* Reads the brokers. Marks brokers that the list lacks as gone. A list that cannot be read to its end is not used,
 * because the client could have no broker left to ask. */
static bool read_brokers(struct ps_kafka_native *client, struct ps_wire_in *in)
{
    uint32_t count = ps_wire_get_count(in, 11);
    struct ps_wire_in list = *in;
    struct broker_is is;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_broker(in, &is))
            return false;
    }
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL && count > 0;
         broker = broker->next)
        broker->gone = broker->node >= 0 && broker->node < PS_KAFKA_NATIVE_COORDINATOR / 2;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_broker(&list, &is) || !note_broker(client, is.node, is.host, is.length, is.port))
            return false;
    }
    return true;
}

static void skip_numbers(struct ps_wire_in *in)
{
    uint32_t count = ps_wire_get_count(in, 4);
    (void)ps_wire_take(in, (size_t)count * 4);
}

/* A partition of the response. */
struct partition_is {
    int32_t number, leader, leader_epoch;
};

static struct partition_is read_partition(struct ps_wire_in *in, int16_t version)
{
    struct partition_is is = {.leader_epoch = -1};
    (void)ps_wire_get_int16(in); /* error: a partition without a leader has leader -1 */
    is.number = ps_wire_get_int32(in);
    is.leader = ps_wire_get_int32(in);
    if (version >= 7)
        is.leader_epoch = ps_wire_get_int32(in);
    skip_numbers(in); /* replicas */
    skip_numbers(in); /* in sync */
    if (version >= 5)
        skip_numbers(in); /* offline */
    ps_wire_end_fields(in);
    return is;
}

/* Called if the answer lacks the partition, or has an older leader epoch than the known one: such an answer
 * is out of date (KIP-320). But if no broker takes the partition's records, and all answers have been like
 * this for topic_patience_ns, the topic was created again: its leader epochs begin with 0 again, and the
 * topic may have fewer partitions. Then the producer ends, and the next producer learns the topic as it is
 * now. Returns whether no record needs another answer. */
static bool needs_no_other(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition)
{
    bool waits = partition->returned != NULL || partition->first != NULL;
    if (client->reader != NULL || (partition->leader != NULL && !partition->denied) ||
        (!waits && partition->in_flight == 0)) {
        partition->older_ns = 0;
        return true;
    }
    if (partition->older_ns == 0)
        partition->older_ns = client->now.mono_ns;
    if (!waits) /* the answers to the batches in flight must come first */
        return false;
    if (client->now.mono_ns >= partition->older_ns + client->settings.topic_patience_ns)
        ps_kafka_native_die(
            client, PS_KAFKA_LIBRARY_FATAL,
            "topic %s was deleted and created again: the log of partition %d was replaced or removed",
            partition->topic->name, partition->number);
    return false;
}

/* Sets the partition's leader. Returns whether the partition needs no other answer. */
static bool set_leader(struct ps_kafka_native *client, struct ps_kafka_native_topic *topic,
                       const struct partition_is *is)
{
    if (is->number < 0 || is->number >= topic->partition_count)
        return true;
    struct ps_kafka_native_partition *partition = topic->partitions[is->number];
    if (is->leader_epoch >= 0 && is->leader_epoch < partition->leader_epoch)
        return needs_no_other(client, partition) && (client->reader != NULL || partition->leader != NULL);
    partition->older_ns = 0;
    struct ps_kafka_native_broker *leader =
        is->leader >= 0 ? ps_kafka_native_find_node(client, is->leader) : NULL;
    if (is->leader_epoch != partition->leader_epoch)
        /* a new epoch means a new leader, even if it is the same broker */
        ps_kafka_native_partition_lead(partition, NULL);
    partition->leader_epoch = is->leader_epoch;
    ps_kafka_native_partition_lead(partition, leader);
    ps_kafka_native_partition_offer(client, partition);
    return leader != NULL;
}

static bool is_same_id(const char *one, const char *other)
{
    return memcmp(one, other, PS_KAFKA_NATIVE_TOPIC_ID_BYTES) == 0;
}

static bool is_no_id(const char *id)
{
    static const char none[PS_KAFKA_NATIVE_TOPIC_ID_BYTES];
    return id == NULL || is_same_id(id, none);
}

static bool is_of_the_former(const struct ps_kafka_native *client, const struct ps_kafka_native_topic *topic,
                             const char *id)
{
    bool is_former = false;
    for (uint32_t i = 0; id != NULL && i < PS_KAFKA_NATIVE_FORMERS; i++)
        is_former |= client->now.mono_ns < topic->formers[i].until_ns && is_same_id(id, topic->formers[i].id);
    return is_former;
}

/* Notes the topic's id in the answer. Returns whether it has changed, because the topic was created again. */
static bool note_id(struct ps_kafka_native *client, struct ps_kafka_native_topic *topic, const char *id)
{
    if (is_no_id(id) || is_same_id(id, topic->id))
        return false;
    bool another = !is_no_id(topic->id);
    if (another) {
        uint32_t former = topic->lives++ % PS_KAFKA_NATIVE_FORMERS;
        memcpy(topic->formers[former].id, topic->id, sizeof topic->id);
        topic->formers[former].until_ns = client->now.mono_ns + FORMER_ID_NS;
    }
    memcpy(topic->id, id, sizeof topic->id);
    return another;
}

/* Forgets the known leader epochs if the topic was created again, because its epochs begin with 0 again. Such a topic
 * is recognised by another id, or by an answer that lacks the topic. An answer without ids, from a broker that is not
 * upgraded, may be out of date and have the higher epochs of a former topic: a reader forgets these when an answer
 * has the id again. The new topic may have fewer partitions. A removed partition of a producer may still have
 * records: see needs_no_other(). */
static void look_for_another(struct ps_kafka_native *client, struct ps_kafka_native_topic *topic,
                             const char *id, int16_t error, uint32_t count)
{
    bool another = note_id(client, topic, id);
    bool doubtful = client->reader != NULL && !topic->has_id && !is_no_id(id);
    bool forgets = another || doubtful || error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    for (int32_t i = 0; forgets && i < topic->partition_count; i++)
        topic->partitions[i]->leader_epoch = -1;
    if (another && client->reader != NULL && error == 0)
        ps_kafka_native_topic_shrink(topic, (int32_t)count);
}

/* The first record of a topic may come before the client's first turn, when its time is not known. */
static void note_listed(const struct ps_kafka_native *client, struct ps_kafka_native_topic *topic)
{
    if (topic->listed_ns == 0)
        topic->written_ns = client->now.mono_ns;
    topic->listed_ns = client->now.mono_ns;
    topic->described_ns = client->metadata.sent_ns;
}

/* Called when the answer lacks something. It is asked for again: at once if somebody waits for it, else later. */
static bool note_lack(struct ps_kafka_native *client, bool is_awaited)
{
    client->metadata.lacks = true;
    client->metadata.wanted |= is_awaited;
    if (is_awaited && client->reader != NULL)
        client->metadata.rest_ns = client->now.mono_ns + READER_METADATA_REST_NS;
    return true;
}

/* Reads a topic of the answer. */
static void read_topic(struct ps_kafka_native *client, struct ps_wire_in *in, int16_t version)
{
    uint32_t length;
    int16_t error = ps_wire_get_int16(in);
    const char *name = ps_wire_get_string(in, &length);
    const char *id = in->flexible ? ps_wire_take(in, PS_KAFKA_NATIVE_TOPIC_ID_BYTES) : NULL;
    (void)ps_wire_get_int8(in); /* whether the topic is internal */
    uint32_t count = ps_wire_get_count(in, 18);
    if (client->all_topics && name != NULL && error == 0 && !in->failed)
        client->reader->topic(client, name, length);
    struct ps_kafka_native_topic *topic =
        name != NULL ? ps_kafka_native_topic_find(client, name, length) : NULL;
    if (topic != NULL)
        note_listed(client, topic);
    bool late = topic != NULL && !in->failed && is_of_the_former(client, topic, id);
    if (late)
        topic = NULL;
    bool lacks = false;
    if (late || (topic != NULL && (error != 0 || count == 0)))
        lacks = note_lack(client, late || ps_kafka_native_topic_is_awaited(client, topic));
    int was = topic != NULL ? topic->error : 0;
    if (topic != NULL)
        topic->error = error != 0 ? error : count == 0 ? PS_KAFKA_ERROR_LEADER_NOT_AVAILABLE : 0;
    if (topic != NULL && topic->error == 0 && topic->partition_count == 0 && was != 0)
        client->impatient = false; /* it has appeared */
    if (topic != NULL && !in->failed) {
        look_for_another(client, topic, id, error, count);
        topic->has_id = error == 0 ? !is_no_id(id) : topic->has_id;
        topic->listed_count = count > 0 ? (int32_t)count : topic->listed_count;
    }
    if (topic != NULL && error == 0 && !in->failed && !ps_kafka_native_topic_resize(topic, (int32_t)count))
        lacks = note_lack(client, true);
    for (uint32_t i = 0; i < count; i++) {
        struct partition_is is = read_partition(in, version);
        if (in->failed || topic == NULL || error != 0 || set_leader(client, topic, &is))
            continue;
        lacks = note_lack(client, ps_kafka_native_partition_is_awaited(client, topic->partitions[is.number]));
    }
    if (in->flexible)
        (void)ps_wire_get_int32(in); /* topic_authorized_operations */
    ps_wire_end_fields(in);
    for (int32_t i = (int32_t)count; topic != NULL && topic->error == 0 && i < topic->partition_count; i++) {
        if (!needs_no_other(client, topic->partitions[i]))
            lacks = note_lack(client, true);
    }
    if (topic != NULL && (!lacks || topic->asked_ns == 0))
        topic->asked_ns = lacks ? client->now.mono_ns : 0;
}

/* Handles topics that an answer with all topics lacks: such an answer has no error for a topic that does not exist. */
static void note_missing(struct ps_kafka_native *client)
{
    struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        if (topic->listed_ns == client->now.mono_ns)
            continue;
        topic->error = PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        look_for_another(client, topic, NULL, PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION, 0);
    }
}

static void read_cluster(struct ps_kafka_native *client, struct ps_wire_in *in)
{
    uint32_t length;
    const char *id = ps_wire_get_string(in, &length);
    if (id != NULL && length < sizeof client->cluster) {
        memcpy(client->cluster, id, length);
        client->cluster[length] = '\0';
        client->cluster_number = length > 0 ? ps_fnv64(PS_FNV64, id, length) : 0;
    }
}

/* Called after an answer: sets when to ask for the partitions without a leader that nobody needs now. */
static void plan_look(struct ps_kafka_native *client)
{
    bool complete = !client->metadata.lacks;
    uint64_t rest_ns = client->metadata.look_rest_ns;
    rest_ns = complete ? 0 : rest_ns == 0 ? LOOK_REST_NS : ps_least(2 * rest_ns, LOOK_REST_MAX_NS);
    client->metadata.look_rest_ns = rest_ns;
    client->metadata.look_ns = complete ? PS_NEVER : client->now.mono_ns + rest_ns;
}

bool ps_kafka_native_metadata_answer(struct ps_kafka_native *client,
                                     const struct ps_kafka_native_request *request, struct ps_wire_in *in)
{
    int16_t version = request->version;
    client->metadata.asked = false;
    bool has_brokers = read_brokers(client, in);
    client->metadata.lacks = false;
    if (!has_brokers)
        (void)note_lack(client, true);
    if (version >= 2)
        read_cluster(client, in);
    (void)ps_wire_get_int32(in); /* controller */
    uint32_t count = has_brokers ? ps_wire_get_count(in, 9) : 0;
    for (uint32_t i = 0; i < count; i++)
        read_topic(client, in, version);
    if (in->failed)
        return false;
    if (client->all_topics && has_brokers)
        note_missing(client);
    client->metadata.answered_ns = client->now.mono_ns;
    if (request->question_ns != 0 && request->question_ns == client->transaction.asked_ns)
        client->transaction.answers++;
    plan_look(client);
    return true;
}

/* ---- FindCoordinator ---- */

/* Reports why the cluster names no coordinator, and asks again after a second. An error that passes as a rule is reported when
 * it has lasted for AWAITED_NS. */
static void note_no_coordinator(struct ps_kafka_native *client, struct ps_kafka_native_coordinator *asked,
                                int16_t error)
{
    const struct ps_kafka_error *known = ps_kafka_error_find(error);
    bool awaited = ps_kafka_error_is_awaited(error);
    char text[256];
    if (asked->awaited_ns == 0)
        asked->awaited_ns = client->now.mono_ns;
    if ((known->outcome == PS_KAFKA_AGAIN && !ps_kafka_error_counts(error)) ||
        (awaited && client->now.mono_ns < asked->awaited_ns + AWAITED_NS))
        return;
    client->id_refused |= asked == &client->transaction.own && known->outcome == PS_KAFKA_WAIT;
    asked->awaited_ns = client->now.mono_ns;
    asked->rest_ns = client->now.mono_ns + PS_NS_PER_S;
    if (awaited)
        snprintf(text, sizeof text,
                 "the cluster names no coordinator (error %d): check that it can make the topic %s, and that "
                 "this topic's partitions have leaders",
                 error, asked->type == 0 ? "__consumer_offsets" : "__transaction_state");
    else
        snprintf(text, sizeof text, "the cluster names no coordinator: %s", known->name);
    ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ERROR, error, text);
}

bool ps_kafka_native_coordinator_answer(struct ps_kafka_native *client,
                                        const struct ps_kafka_native_request *request, struct ps_wire_in *in)
{
    struct ps_kafka_native_coordinator *asked = request->coordinator;
    uint32_t length;
    int16_t error = ps_wire_get_int16(in);
    if (request->version >= 1)
        (void)ps_wire_get_string(in, &length); /* the error's text */
    int32_t node = ps_wire_get_int32(in);
    const char *host = ps_wire_get_string(in, &length);
    int32_t port = ps_wire_get_int32(in);
    asked->asked = false;
    if (in->failed)
        return false;
    if (client->reader != NULL && node >= 0 && node < PS_KAFKA_NATIVE_COORDINATOR / 2)
        node = PS_KAFKA_NATIVE_COORDINATOR - node;
    bool usable = host != NULL && length > 0 && length < PS_HOST_NAME_BYTES && port > 0 && port <= 65535;
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next)
        broker->gone |=
            client->reader != NULL && usable && broker->node == node && !is_at(broker, host, length, port);
    if (error == 0 && node >= 0 && usable && note_broker(client, node, host, length, port)) {
        asked->node = node;
        asked->awaited_ns = 0;
        asked->failures = ps_kafka_native_find_node(client, node)->failures;
        return true;
    }
    ps_kafka_native_coordinator_forget(client, asked);
    if (error != 0)
        note_no_coordinator(client, asked, error);
    return true;
}
