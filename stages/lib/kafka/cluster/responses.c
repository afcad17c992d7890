/* Reads the brokers' responses, and decides the reaction to each. Lengths and counts from the broker are not trusted:
 * every read is bounded (wire.h). */
#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/kafka/wire/wire.h"

#include "core/quantity.h"
#include "stages/lib/kafka/errors.h"

#include <stdio.h>
#include <string.h>

/* An error that does not pass is named after this time, before the sink says that nothing was delivered (STALL_NS in
 * produce/silence.c), */
#define TELL_AFTER_NS (9 * PS_NS_PER_S)
#define TELL_THROTTLE_NS (2 * PS_NS_PER_S) /* a shorter delay by a quota is not named */
#define TAG_FINALIZED_FEATURES 2
#define TRANSACTION_FEATURE "transaction.version"

/* ---- ApiVersions ---- */

static bool supports(int16_t version, int16_t least, int16_t most)
{
    return version >= least && version <= most;
}

/* Notes which versions of the requests with this key the broker supports. */
static void note_versions(struct ps_kafka_native_broker *broker, int16_t key, int16_t least, int16_t most)
{
    for (unsigned kind = 0; kind < PS_KAFKA_NATIVE_KINDS; kind++) {
        const struct ps_kafka_native_api *api = &ps_kafka_native_apis[kind];
        int16_t latest = most < api->most ? most : api->most;
        if (api->key != key)
            continue;
        if (supports(latest, api->least, api->most) && latest >= least)
            broker->versions[kind].plain = latest;
        if (api->modern != 0 && supports(api->modern, least, most))
            broker->versions[kind].modern = api->modern;
    }
}

/* Reads the features that the cluster has finalized, a tagged field of the answer. Returns whether the second protocol of
 * transactions is among them. */
static bool read_features(struct ps_wire_in *in)
{
    bool finalized = false;
    uint32_t tags = ps_wire_get_uvarint(in);
    for (uint32_t i = 0; i < tags && !in->failed; i++) {
        uint32_t tag = ps_wire_get_uvarint(in), size = ps_wire_get_uvarint(in), length;
        const char *bytes = ps_wire_take(in, size);
        if (tag != TAG_FINALIZED_FEATURES || bytes == NULL)
            continue;
        struct ps_wire_in features = {.at = bytes, .end = bytes + size};
        uint32_t count = ps_wire_get_compact_count(&features, 6);
        for (uint32_t f = 0; f < count; f++) {
            const char *name = ps_wire_get_compact_string(&features, &length);
            int16_t most = ps_wire_get_int16(&features);
            (void)ps_wire_get_int16(&features); /* least */
            ps_wire_skip_tags(&features);
            if (!features.failed && name != NULL && length == sizeof TRANSACTION_FEATURE - 1 &&
                memcmp(name, TRANSACTION_FEATURE, length) == 0)
                finalized = most >= 2;
        }
        in->failed |= features.failed;
    }
    return finalized;
}

static bool versions(struct ps_kafka_native_broker *broker, struct ps_wire_in *in, char *reason)
{
    int16_t error = ps_wire_get_int16(in);
    if (error == PS_KAFKA_ERROR_UNSUPPORTED_VERSION && in->flexible) {
        /* a broker that does not know the version of the request answers with version 0 */
        return ps_kafka_native_broker_ask_versions(broker, 0) || ps_kafka_native_refuse(reason, "no memory");
    }
    for (unsigned kind = 0; kind < PS_KAFKA_NATIVE_KINDS; kind++)
        broker->versions[kind].plain = broker->versions[kind].modern = -1;
    uint32_t count = ps_wire_get_count(in, 6);
    for (uint32_t i = 0; i < count; i++) {
        int16_t key = ps_wire_get_int16(in), least = ps_wire_get_int16(in), most = ps_wire_get_int16(in);
        ps_wire_end_fields(in);
        if (!in->failed)
            note_versions(broker, key, least, most);
    }
    bool finalized = false;
    if (in->flexible) {
        (void)ps_wire_get_int32(in); /* throttle time */
        finalized = read_features(in);
    }
    broker->has_transactions = broker->versions[PS_KAFKA_NATIVE_COMMIT_OFFSETS].plain >= 0 &&
                               broker->versions[PS_KAFKA_NATIVE_FETCH_OFFSETS].plain >= 0;
    broker->has_second = broker->has_transactions && finalized &&
                         broker->versions[PS_KAFKA_NATIVE_PRODUCE].modern >= 0 &&
                         broker->versions[PS_KAFKA_NATIVE_COMMIT_OFFSETS].modern >= 0 &&
                         broker->versions[PS_KAFKA_NATIVE_END_TRANSACTION].modern >= 0;
    if (in->failed || error != 0)
        return ps_kafka_native_refuse(reason,
                                      "the answer to ApiVersions cannot be read: is this a Kafka broker?");
    if (broker->versions[PS_KAFKA_NATIVE_PRODUCE].plain < 0 ||
        ps_kafka_native_version(broker, PS_KAFKA_NATIVE_METADATA) < 0) {
        broker->refusal = PS_KAFKA_ERROR_UNSUPPORTED_VERSION;
        return ps_kafka_native_refuse(reason, "the broker's versions of Produce or Metadata are not known: "
                                              "it needs Kafka 0.10 or newer");
    }
    if (broker->client->settings.idempotent &&
        broker->versions[PS_KAFKA_NATIVE_PRODUCE].plain < PS_KAFKA_NATIVE_PRODUCE_OF_BATCHES) {
        broker->refusal = PS_KAFKA_LIBRARY_UNSUPPORTED_FEATURE;
        return ps_kafka_native_refuse(reason, "the broker is older than Kafka 0.11, and needs "
                                              "kafka.producer.enable.idempotence = false");
    }
    if (broker->client->account.mechanism != NULL)
        return ps_kafka_native_login_begin(broker, reason);
    broker->phase = PS_KAFKA_NATIVE_UP;
    broker->failures = 0;
    return true;
}

/* ---- InitProducerId ---- */

/* Reports the error for which the cluster gives no producer id. The client requests the id again each second. */
static void tell_no_id(struct ps_kafka_native *client, const struct ps_kafka_error *error)
{
    if (client->id_told != error->code)
        client->id_told_ns = 0;
    client->id_told = error->code;
    client->id_refused = error->outcome == PS_KAFKA_WAIT;
    if (!ps_kafka_native_may_tell(client, &client->id_told_ns))
        return;
    char text[256];
    snprintf(text, sizeof text, "the cluster gives no producer id: %s", error->name);
    ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ERROR, error->code, text);
}

static bool producer_id(struct ps_kafka_native_broker *broker, struct ps_wire_in *in)
{
    struct ps_kafka_native *client = broker->client;
    int16_t error = ps_wire_get_int16(in);
    struct ps_kafka_native_producer_id id = {.id = ps_wire_get_int64(in), .epoch = ps_wire_get_int16(in)};
    client->id_state = PS_KAFKA_NATIVE_ID_NONE;
    if (in->failed)
        return false;
    if (error == 0) {
        client->id_waits = (struct ps_kafka_native_wait){0};
        client->id_refused = false;
        id.transactional = ps_kafka_native_is_transactional(client);
        client->id = id;
        client->id_state = PS_KAFKA_NATIVE_ID_KNOWN;
        if (id.transactional)
            ps_kafka_native_transaction_decide(client, broker->has_second);
        return true;
    }
    client->id_rest_ns = client->now.mono_ns + client->settings.retry_rest_ns;
    if (ps_kafka_native_is_transactional(client) &&
        (error == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE || error == PS_KAFKA_ERROR_NOT_COORDINATOR))
        ps_kafka_native_coordinator_forget(client, &client->transaction.own);
    const struct ps_kafka_error *known = ps_kafka_error_find(error);
    if (!ps_kafka_error_is_awaited(error) &&
        (known->outcome != PS_KAFKA_AGAIN || ps_kafka_error_counts(error))) {
        client->id_rest_ns = client->now.mono_ns + PS_NS_PER_S;
        tell_no_id(client, known);
    } else {
        ps_kafka_native_note_wait(client, &client->id_waits, "the cluster has given no producer id", error);
    }
    return true;
}

/* ---- Produce ---- */

/* Names an error that does not pass: the records of a partition are sent again and again, also while other partitions
 * take theirs. */
static void tell_refused(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition,
                         const struct ps_kafka_error *error)
{
    char text[PS_KAFKA_NATIVE_TOPIC_BYTES + 128];
    if (partition->refused_ns == 0)
        partition->refused_ns = client->now.mono_ns;
    uint64_t refused_ns = client->now.mono_ns - partition->refused_ns;
    if (refused_ns < TELL_AFTER_NS || !ps_kafka_native_may_tell(client, &client->refused_told_ns))
        return;
    snprintf(text, sizeof text, "topic %s, partition %d takes no records since %s: %s",
             partition->topic->name, partition->number, ps_quantity_print_ns(refused_ns).text, error->name);
    ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ERROR, error->code, text);
}

/* Handles the answer for one batch of a request. `bad`: the record that the broker refuses; -1: it names none. */
static void batch_answered(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch, int16_t error,
                           int32_t bad)
{
    struct ps_kafka_native_partition *partition = batch->partition;
    const struct ps_kafka_error *known = ps_kafka_error_find(error);
    partition->in_flight--;
    bool denied =
        error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION || error == PS_KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER;
    if (!denied || !partition->resends) /* if it resends, the answer may be the former leader's */
        partition->denied = denied;
    if (!denied)
        partition->older_ns = 0;
    if (error == 0 || error == PS_KAFKA_ERROR_DUPLICATE_SEQUENCE_NUMBER) {
        if (!partition->resends)
            partition->known_ns = client->now.mono_ns;
        partition->refused_ns = 0;
        ps_kafka_native_report(client, batch, 0);
    } else if (known->outcome == PS_KAFKA_AGAIN ||
               (error == PS_KAFKA_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER && partition->resends)) {
        /* An error "out of order" is normal if an earlier batch is sent again: this batch is sent after that
         * batch. */
        ps_kafka_native_want_metadata(client);
        batch->perhaps_written |= error == PS_KAFKA_ERROR_REQUEST_TIMED_OUT ||
                                  error == PS_KAFKA_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
        ps_kafka_native_partition_return(client, batch);
        if (known->outcome == PS_KAFKA_AGAIN)
            tell_refused(client, partition, known);
        if (ps_kafka_error_counts(error))
            ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ATTEMPT, error, partition->topic->name);
    } else {
        bool renews = known->outcome == PS_KAFKA_RENEW;
        char topic[PS_KAFKA_NATIVE_TOPIC_BYTES];
        snprintf(topic, sizeof topic, "%s", partition->topic->name);
        int32_t number = partition->number;
        if (known->outcome == PS_KAFKA_BLAME && batch->count > 1 && bad >= 0 && (uint32_t)bad < batch->count)
            ps_kafka_native_report_record(client, batch, error, (uint32_t)bad);
        else
            ps_kafka_native_report(client, batch, error);
        if (client->settings.idempotent)
            ps_kafka_native_die(client, renews ? error : PS_KAFKA_LIBRARY_GAPLESS_GUARANTEE,
                                "topic %s, partition %d: %s", topic, number, known->name);
    }
    ps_kafka_native_partition_landed(client, partition);
}

static struct ps_kafka_native_batch *take_answered(struct ps_kafka_native_request *request, const char *topic,
                                                   uint32_t length, int32_t number)
{
    for (uint32_t i = 0; i < request->batch_count; i++) {
        struct ps_kafka_native_batch *batch = request->batches[i];
        if (batch != NULL && batch->partition->number == number &&
            batch->partition->topic->length == length &&
            memcmp(batch->partition->topic->name, topic, length) == 0) {
            request->batches[i] = NULL;
            return batch;
        }
    }
    return NULL;
}

/* Reads the answer for a partition. The new leader of a partition that moved is in tags, which are skipped: Metadata has
 * it. Returns the error; *bad: the first record that the broker refuses (KIP-467); -1: it names none. */
static int16_t read_answer(struct ps_wire_in *in, int16_t version, int32_t *bad)
{
    uint32_t length;
    int16_t error = ps_wire_get_int16(in);
    (void)ps_wire_take(in, version >= 5 ? 24 : 16); /* base offset, append time, log start */
    *bad = -1;
    if (version >= 8) {
        uint32_t count = ps_wire_get_count(in, 5);
        for (uint32_t i = 0; i < count; i++) {
            int32_t record = ps_wire_get_int32(in);
            *bad = i == 0 || record < *bad ? record : *bad;
            (void)ps_wire_get_string(in, &length);
            ps_wire_end_fields(in);
        }
        (void)ps_wire_get_string(in, &length); /* the error's text */
    }
    ps_wire_end_fields(in);
    return error;
}

/* The broker delays this client because of a quota (KIP-219): nothing is produced to it for this time. A long one is
 * named, because it looks like a broker that does not answer. */
static void throttled(struct ps_kafka_native_broker *broker, uint64_t throttle_ns)
{
    struct ps_kafka_native *client = broker->client;
    char text[128];
    broker->throttle_ns = broker->muted_ns = client->now.mono_ns + throttle_ns;
    if (throttle_ns < TELL_THROTTLE_NS || !ps_kafka_native_may_tell(client, &client->throttle_told_ns))
        return;
    snprintf(text, sizeof text, "broker %d takes no records for %s", broker->node,
             ps_quantity_print_ns(throttle_ns).text);
    ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ERROR, PS_KAFKA_ERROR_THROTTLING_QUOTA_EXCEEDED, text);
}

static bool produced(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                     struct ps_wire_in *in, char *reason)
{
    struct ps_kafka_native *client = broker->client;
    uint32_t topics = ps_wire_get_count(in, 3);
    for (uint32_t t = 0; t < topics; t++) {
        uint32_t length, count;
        const char *topic = ps_wire_get_string(in, &length);
        count = ps_wire_get_count(in, 22);
        for (uint32_t i = 0; i < count; i++) {
            int32_t number = ps_wire_get_int32(in), bad;
            int16_t error = read_answer(in, request->version, &bad);
            if (in->failed || topic == NULL)
                return false;
            struct ps_kafka_native_batch *batch = take_answered(request, topic, length, number);
            if (batch != NULL)
                batch_answered(client, batch, error, bad);
        }
        ps_wire_end_fields(in);
    }
    int32_t throttle_ms = ps_wire_get_int32(in);
    if (in->failed)
        return false;
    if (throttle_ms > 0)
        throttled(broker, (uint64_t)throttle_ms * PS_NS_PER_MS);
    for (uint32_t i = 0; i < request->batch_count; i++) {
        if (request->batches[i] != NULL)
            return ps_kafka_native_refuse(reason, "the answer to Produce leaves out a partition");
    }
    return true;
}

/* Handles an answer. Returns false if it cannot be read, or with `reason` if the connection must be closed. */
static bool handle(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                   struct ps_wire_in *in, char *reason)
{
    switch (request->kind) {
    case PS_KAFKA_NATIVE_API_VERSIONS:
        return versions(broker, in, reason);
    case PS_KAFKA_NATIVE_SASL_HANDSHAKE:
        return ps_kafka_native_login_handshake(broker, in, reason);
    case PS_KAFKA_NATIVE_SASL_AUTHENTICATE:
        return ps_kafka_native_login_message(broker, in, reason);
    case PS_KAFKA_NATIVE_METADATA:
        return request->ignored || ps_kafka_native_metadata_answer(broker->client, request, in);
    case PS_KAFKA_NATIVE_INIT_PRODUCER_ID:
        return producer_id(broker, in);
    case PS_KAFKA_NATIVE_PRODUCE:
        return produced(broker, request, in, reason);
    case PS_KAFKA_NATIVE_FIND_COORDINATOR:
        return ps_kafka_native_coordinator_answer(broker->client, request, in);
    case PS_KAFKA_NATIVE_ADD_PARTITIONS:
    case PS_KAFKA_NATIVE_ADD_OFFSETS:
    case PS_KAFKA_NATIVE_COMMIT_OFFSETS:
    case PS_KAFKA_NATIVE_END_TRANSACTION:
    case PS_KAFKA_NATIVE_FETCH_OFFSETS:
        return ps_kafka_native_transaction_answer(broker->client, request, in);
    default:
        return broker->client->reader->answer(broker, request, in);
    }
    return false;
}

bool ps_kafka_native_response(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                              const char *bytes, uint32_t length, char *reason)
{
    const struct ps_kafka_native_api *api = &ps_kafka_native_apis[request->kind];
    struct ps_wire_in in = {.at = bytes, .end = bytes + length, .flexible = request->flexible};
    int32_t correlation = ps_wire_get_int32(&in);
    if (in.failed || correlation != request->correlation)
        return ps_kafka_native_refuse(reason, "the answer does not belong to the request");
    /* brokers answer these also to clients that they do not let in */
    if (request->kind != PS_KAFKA_NATIVE_API_VERSIONS && request->kind != PS_KAFKA_NATIVE_SASL_HANDSHAKE &&
        request->kind != PS_KAFKA_NATIVE_SASL_AUTHENTICATE) {
        broker->answered = broker->client->answered = true;
        broker->client->all_down_told = false;
    }
    if (request->kind != PS_KAFKA_NATIVE_API_VERSIONS) /* its header is the old one in all versions */
        ps_wire_end_fields(&in);
    request->throttle_ms = request->version >= api->throttles ? ps_wire_get_int32(&in) : 0;
    reason[0] = '\0';
    if (handle(broker, request, &in, reason) && !in.failed)
        return true;
    if (reason[0] == '\0')
        snprintf(reason, PS_TRANSPORT_REASON_BYTES, "the answer to %s cannot be read", api->name);
    return false;
}
