/* The encoding of Fetch requests, from version 2 of Kafka 0.10.0 on. Versions up to 11 have names of topics; version 13
 * has their ids (KIP-516), so that a broker does not read the log of another topic of the same name. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <string.h>

#define REQUEST_BYTES 80U /* without the rack and the partitions */
#define PART_BYTES 48U    /* of a partition without the name or id of its topic */
#define VERSION_OF_LOG_START 5
#define VERSION_OF_EPOCHS 9

static size_t parts_bytes(const struct ps_kafka_fetch *fetch, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t n = 0; n < count; n++)
        bytes += PS_KAFKA_NATIVE_TOPIC_ID_BYTES + PART_BYTES +
                 fetch->parts[fetch->requests.chosen[n]].topic->length;
    return bytes;
}

static char *put_part(const struct ps_kafka_fetch *fetch, char *at, const struct ps_kafka_fetch_part *part,
                      int16_t version, bool flexible)
{
    const struct ps_kafka_native_topic *topic = part->topic;
    at = flexible ? ps_wire_put_bytes(at, topic->id, PS_KAFKA_NATIVE_TOPIC_ID_BYTES)
                  : ps_wire_put_string(at, topic->name, topic->length);
    at = ps_wire_put_count(at, 1, flexible);
    at = ps_wire_put_int32(at, part->number);
    if (version >= VERSION_OF_EPOCHS)
        at = ps_wire_put_int32(at, ps_kafka_part_place(part)->leader_epoch);
    at = ps_wire_put_int64(at, part->next);
    if (flexible) /* epoch of the last record: not given, because OffsetForLeaderEpoch checks it */
        at = ps_wire_put_int32(at, -1);
    if (version >= VERSION_OF_LOG_START)
        at = ps_wire_put_int64(at, -1);
    at = ps_wire_put_int32(at, fetch->settings.partition_bytes_max);
    at = ps_wire_put_tags(at, flexible);
    return ps_wire_put_tags(at, flexible); /* of the topic */
}

struct ps_kafka_native_request *ps_kafka_fetch_request(struct ps_kafka_fetch *fetch,
                                                       struct ps_kafka_fetch_session *session,
                                                       int16_t version, uint32_t count, int32_t wait_ms)
{
    uint32_t named = ps_kafka_session_ask(fetch, session, version, count);
    const struct ps_kafka_fetch_settings *settings = &fetch->settings;
    size_t rack_length = strlen(settings->rack);
    struct ps_kafka_native_request *request;
    char *at =
        ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_FETCH, version,
                                      REQUEST_BYTES + rack_length + parts_bytes(fetch, named), &request);
    if (at == NULL)
        return NULL;
    bool flexible = request->flexible;
    at = ps_wire_put_int32(at, -1); /* replica: a consumer */
    at = ps_wire_put_int32(at, wait_ms);
    at = ps_wire_put_int32(at, settings->bytes_min);
    if (version >= PS_KAFKA_FETCH_OF_WHOLE_BATCHES)
        at = ps_wire_put_int32(at, settings->bytes_max);
    if (version >= PS_KAFKA_FETCH_OF_TRANSACTIONS)
        at = ps_wire_put_int8(at, settings->committed_only);
    if (version >= PS_KAFKA_FETCH_OF_SESSIONS) {
        at = ps_wire_put_int32(at, session->id);
        at = ps_wire_put_int32(at, session->asked_epoch);
    }
    at = ps_wire_put_count(at, named, flexible);
    for (uint32_t n = 0; n < count; n++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[fetch->requests.chosen[n]];
        part->asked_by = request->correlation;
        if (n < named)
            at = put_part(fetch, at, part, version, flexible);
    }
    if (version >= PS_KAFKA_FETCH_OF_SESSIONS)
        at = ps_wire_put_count(at, 0, flexible); /* partitions that leave the session */
    if (version >= PS_KAFKA_FETCH_OF_RACKS)
        at = ps_wire_put_text(at, settings->rack, rack_length, flexible);
    request->timeout_ns = fetch->client->settings.request_timeout_ns + (uint64_t)wait_ms * PS_NS_PER_MS;
    return ps_kafka_native_request_end(request, at);
}
