/* The encoding of Fetch requests, from version 2 of Kafka 0.10.0 on. Versions up to 11 have names of topics; version 13 has their ids (KIP-516), so that
 * a broker does not read the log of another topic of the same name. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <string.h>

#define PART_BYTES 48U /* bytes of a partition without the name or id of its topic */
#define VERSION_OF_LOG_START 5
#define VERSION_OF_EPOCHS 9

static int32_t leader_epoch(const struct ps_kafka_fetch_part *part, int16_t version)
{
    return version >= VERSION_OF_EPOCHS ? ps_kafka_part_place(part)->leader_epoch : -1;
}

/* The number of partitions that a request names, and their bytes. `gone`: partitions that are no longer wanted. */
struct named {
    uint32_t count, gone;
    size_t bytes;
};

static size_t topic_bytes(const struct ps_kafka_native_topic *topic)
{
    return PS_KAFKA_NATIVE_TOPIC_ID_BYTES + topic->length + PART_BYTES;
}

/* `session` NULL: the broker is too old for sessions, and the request names all partitions that are chosen. */
static struct named name_parts(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_session *session,
                               uint32_t count, int16_t version)
{
    struct named named = {0};
    for (uint32_t n = 0; n < count; n++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[fetch->requests.chosen[n]];
        part->named = session == NULL || ps_kafka_session_want(fetch, session, fetch->requests.chosen[n],
                                                               leader_epoch(part, version));
        named.count += part->named;
        named.bytes += part->named ? topic_bytes(part->topic) : 0;
    }
    named.gone = session != NULL ? ps_kafka_session_sweep(fetch, session) : 0;
    for (uint32_t n = 0; n < named.gone; n++)
        named.bytes += topic_bytes(session->parts[session->count + n].topic);
    return named;
}

/* Writes a topic with one partition. `id`: the topic's id in the broker's session. */
static char *put_topic(char *at, const struct ps_kafka_native_topic *topic, const char *id, int32_t partition,
                       bool flexible)
{
    at = flexible ? ps_wire_put_bytes(at, id, PS_KAFKA_NATIVE_TOPIC_ID_BYTES)
                  : ps_wire_put_string(at, topic->name, topic->length);
    at = ps_wire_put_count(at, 1, flexible);
    return ps_wire_put_int32(at, partition);
}

static char *put_part(const struct ps_kafka_fetch *fetch, char *at, const struct ps_kafka_fetch_part *part,
                      int16_t version)
{
    bool flexible = version >= ps_kafka_native_apis[PS_KAFKA_NATIVE_FETCH].flexible;
    at = put_topic(at, part->topic, part->topic->id, part->number, flexible);
    if (version >= VERSION_OF_EPOCHS)
        at = ps_wire_put_int32(at, leader_epoch(part, version));
    at = ps_wire_put_int64(at, part->next);
    if (flexible)
        at = ps_wire_put_int32(
            at,
            /* epoch of the last record: not given, because OffsetForLeaderEpoch checks it */
            -1);
    if (version >= VERSION_OF_LOG_START)
        at = ps_wire_put_int64(at, -1);
    at = ps_wire_put_int32(at, fetch->settings.partition_bytes_max);
    at = ps_wire_put_tags(at, flexible);
    return ps_wire_put_tags(at, flexible); /* of the topic */
}

/* Marks all chosen partitions as asked for, also those that the request does not name because the broker's session
 * has them. */
static char *put_parts(struct ps_kafka_fetch *fetch, char *at, uint32_t count, int16_t version,
                       int32_t correlation)
{
    for (uint32_t n = 0; n < count; n++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[fetch->requests.chosen[n]];
        part->asked_by = correlation;
        if (part->named)
            at = put_part(fetch, at, part, version);
    }
    return at;
}

static char *put_gone(char *at, const struct ps_kafka_fetch_session *session, uint32_t count, bool flexible)
{
    at = ps_wire_put_count(at, count, flexible);
    for (uint32_t n = 0; n < count; n++) {
        const struct ps_kafka_fetch_session_part *part = &session->parts[session->count + n];
        at = put_topic(at, part->topic, part->id, part->number, flexible);
        at = ps_wire_put_tags(at, flexible);
    }
    return at;
}

struct ps_kafka_native_request *ps_kafka_fetch_request(struct ps_kafka_fetch *fetch,
                                                       struct ps_kafka_fetch_session *session,
                                                       int16_t version, uint32_t count, int32_t wait_ms)
{
    const struct ps_kafka_fetch_settings *settings = &fetch->settings;
    const struct named named = name_parts(fetch, session, count, version);
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_FETCH, version,
                                             64 + strlen(settings->rack) + named.bytes, &request);
    if (at == NULL)
        return NULL;
    at = ps_wire_put_int32(at, -1); /* replica: a consumer */
    at = ps_wire_put_int32(at, wait_ms);
    at = ps_wire_put_int32(at, settings->bytes_min);
    if (version >= PS_KAFKA_FETCH_OF_WHOLE_BATCHES)
        at = ps_wire_put_int32(at, settings->bytes_max);
    if (version >= PS_KAFKA_FETCH_OF_TRANSACTIONS)
        at = ps_wire_put_int8(at, settings->committed_only);
    if (session != NULL) {
        at = ps_wire_put_int32(at, session->id);
        at = ps_wire_put_int32(at, session->epoch);
        session->asked_by = request->correlation;
    }
    at = ps_wire_put_count(at, named.count, request->flexible);
    at = put_parts(fetch, at, count, version, request->correlation);
    if (session != NULL)
        at = put_gone(at, session, named.gone, request->flexible);
    if (version >= PS_KAFKA_FETCH_OF_RACKS)
        at = ps_wire_put_text(at, settings->rack, strlen(settings->rack), request->flexible);
    request->timeout_ns = fetch->client->settings.request_timeout_ns + (uint64_t)wait_ms * PS_NS_PER_MS;
    return ps_kafka_native_request_end(request, at);
}
