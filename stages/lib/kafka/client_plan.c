#include "stages/lib/kafka/client_plan.h"

#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/librdkafka/producer.h"
#include "stages/lib/least.h"
#include "stages/lib/tls/tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES "1000000" /* batch.size: large, so that the broker's cost per event is small */
#define REQUEST_RECORDS "10000" /* batch.num.messages */
/* Measured at 200,000 events/s over four connections: with 0 the median latency is 3 ms lower, and the CPU time is 3
 * times as much. */
#define LINGER_MS "5"
/* Time after which an unknown topic is reported and its metadata requested again. */
#define TOPIC_PATIENCE_MS "5000"
#define RECORD_BYTES_MAX "1048576" /* max.request.size of the Java producer */
#define QUEUED_OVERHEAD_BYTES 256U /* memory of the library per queued record, without its value */
#define QUEUE_RECORDS_MIN UINT64_C(2048)
#define QUEUE_RECORDS_MAX UINT64_C(10000000)
#define REVOKE_WAIT_MAX_MS 30000 /* limited, because the whole group waits for this member */

enum ps_status ps_kafka_translate(enum ps_kafka_client client, const struct ps_pairs *pairs,
                                  const struct ps_context *context, const struct ps_notes *notes,
                                  struct ps_kafka_settings *settings, struct ps_err *err)
{
    struct ps_tls_globals globals = {0};
    ps_tls_globals_fill(&globals, context->system_property, context->argument);
    const struct ps_kafka_properties properties = {
        .client = client,
        .pairs = pairs,
        .tls = &globals,
        .system_property = context->system_property,
        .argument = context->argument,
        .notes = notes,
    };
    return ps_kafka_properties_translate(&properties, settings, err);
}

static void set_number(struct ps_kafka_settings *settings, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    ps_kafka_settings_set(settings, name, text);
}

static uint64_t number_of(const struct ps_kafka_settings *settings, const char *name, uint64_t otherwise)
{
    const char *text = ps_kafka_settings_get(settings, name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- producers ---- */

const char *ps_kafka_acks_of(const struct ps_pairs *pairs, const char *otherwise)
{
    static const char *const words[] = {"0", "1", "all"};
    const struct ps_pair older = {.key = "acks", .value = otherwise};
    const struct ps_pairs list = {.count = otherwise != NULL, .items = &older};
    char value[16];
    if (!ps_kafka_properties_value(PS_KAFKA_PRODUCER, pairs, "acks", value, sizeof value) &&
        !ps_kafka_properties_value(PS_KAFKA_PRODUCER, &list, "acks", value, sizeof value))
        return NULL;
    for (size_t i = 0; i < PS_COUNT_OF(words); i++)
        if (strcmp(words[i], value) == 0)
            return words[i];
    return NULL;
}

bool ps_kafka_acks_are_weak(const char *acks)
{
    return acks != NULL && (strcmp(acks, "0") == 0 || strcmp(acks, "1") == 0);
}

const char *ps_kafka_acks_warning(const char *acks)
{
    if (acks[0] == '0')
        return "acks=0: the broker never answers, so an event counts as delivered once it is sent; if a "
               "broker fails, events are lost and not counted. Remove the key for acks=all";
    return "acks=1: if the leader of a partition fails, events that it had not copied are lost, and a retry "
           "may duplicate events or change their order. Remove the key for acks=all with idempotence";
}

static uint32_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return (uint32_t)(value < min ? min : value > max ? max : value);
}

static void set_default(struct ps_kafka_settings *settings, const char *name, const char *value)
{
    if (ps_kafka_settings_get(settings, name) == NULL)
        ps_kafka_settings_set(settings, name, value);
}

/* Sent records wait without limit for their answer and are sent again in order, whatever happens to brokers.
 * A request that is finally refused ends the producer (gapless), so that no later request overtakes it; the
 * sender then makes a new producer. Without idempotence the order is not certain: with one request in flight
 * librdkafka 2.0.2 has a second request ready, and sends it before it tries the first one again. */
static void set_delivery(struct ps_kafka_settings *settings, const char *acks)
{
    const char *idempotence = ps_kafka_settings_get(settings, "enable.idempotence");
    bool weak = ps_kafka_acks_are_weak(acks);
    ps_kafka_settings_set(settings, "acks", weak ? acks : "all");
    if (weak || (idempotence != NULL && strcmp(idempotence, "false") == 0)) {
        ps_kafka_settings_set(settings, "enable.idempotence", "false");
        ps_kafka_settings_set(settings, "max.in.flight.requests.per.connection", "1");
    } else {
        ps_kafka_settings_set(settings, "enable.idempotence", "true");
        ps_kafka_settings_set(settings, "enable.gapless.guarantee", "true");
    }
    set_default(settings, "message.timeout.ms", "0");
}

/* The queue always holds one record of the largest size, whatever its share of the memory budget is: the library
 * would refuse that record for ever. stages/lib/kafka/properties/properties.c handles keys that contradict each
 * other. */
static void set_sizes(struct ps_kafka_settings *settings, uint64_t queue_bytes)
{
    set_default(settings, "batch.size", REQUEST_BYTES);
    set_default(settings, "batch.num.messages", REQUEST_RECORDS);
    set_default(settings, "message.max.bytes", RECORD_BYTES_MAX);
    set_default(settings, "linger.ms", LINGER_MS);
    if (ps_kafka_settings_get(settings, "queue.buffering.max.messages") == NULL)
        set_number(settings, "queue.buffering.max.messages",
                   clamp(queue_bytes / QUEUED_OVERHEAD_BYTES, QUEUE_RECORDS_MIN, QUEUE_RECORDS_MAX));
    if (ps_kafka_settings_get(settings, "queue.buffering.max.kbytes") == NULL) {
        uint64_t largest = number_of(settings, "message.max.bytes", 0) / 1024 + 1;
        set_number(settings, "queue.buffering.max.kbytes",
                   clamp(queue_bytes / 1024, largest > 2048 ? largest : 2048, INT32_MAX));
    }
    set_default(settings, "statistics.interval.ms", "5000");
    set_default(settings, "topic.metadata.propagation.max.ms", TOPIC_PATIENCE_MS);
    set_default(settings, "log.connection.close", "false");
}

/* Returns the duration of a wave. There is no limit of waves if the user sizes the producer's queue
 * (buffer.memory), sets a linger below 2 ms, or switches idempotence off. */
static uint64_t wave_linger_ns(const struct ps_kafka_settings *settings, bool sizes_are_given)
{
    double linger_ms = strtod(ps_kafka_settings_get(settings, "linger.ms"), NULL);
    if (sizes_are_given || linger_ms < 2 ||
        strcmp(ps_kafka_settings_get(settings, "enable.idempotence"), "true") != 0)
        return 0;
    return (uint64_t)(linger_ms * (double)PS_NS_PER_MS);
}

enum ps_status ps_kafka_sender_plan_build(struct ps_kafka_sender_plan *sender,
                                          struct ps_kafka_settings *settings,
                                          const struct ps_kafka_sender_wants *wants, struct ps_err *err)
{
    set_delivery(settings, wants->acks);
    bool sizes_are_given = ps_kafka_settings_get(settings, "queue.buffering.max.messages") != NULL ||
                           ps_kafka_settings_get(settings, "queue.buffering.max.kbytes") != NULL;
    bool lingers = ps_kafka_settings_get(settings, "linger.ms") != NULL ||
                   ps_kafka_settings_get(settings, "queue.buffering.max.ms") != NULL;
    set_sizes(settings, wants->queue_bytes);
    if (ps_kafka_pairs_check(settings->items, settings->count, err) != PS_OK)
        return PS_FAIL;
    struct ps_err misfit = {0};
    bool native = wants->native && ps_kafka_native_fits(settings->items, settings->count, &misfit) == PS_OK;
    sender->engine = native ? &ps_kafka_native : &ps_kafka_librdkafka;
    sender->record_bytes_max = (uint32_t)number_of(settings, "message.max.bytes", 0);
    sender->request_bytes_max = (uint32_t)number_of(settings, "batch.size", 0);
    sender->linger_ns = native ? 0 : wave_linger_ns(settings, sizes_are_given);
    sender->in_flight_bytes_max =
        ps_least(wants->in_flight_bytes_max, number_of(settings, "queue.buffering.max.kbytes", 0) * 1024);
    sender->spread = wants->spread;
    if (native && !lingers) /* the native client fills record sets while requests are in flight */
        ps_kafka_settings_set(settings, "linger.ms", "0");
    if (native) /* the native client copies only the bodies in flight */
        set_number(settings, "queue.buffering.max.kbytes", sender->in_flight_bytes_max / 1024);
    sender->pairs = settings->items;
    sender->pair_count = settings->count;
    return PS_OK;
}

/* ---- consumers ---- */

enum ps_status ps_kafka_consumer_check(const struct ps_pairs *pairs, const struct ps_context *context,
                                       const struct ps_notes *notes)
{
    struct ps_kafka_settings settings = {0};
    struct ps_err err = {0};
    enum ps_status status = ps_kafka_translate(PS_KAFKA_CONSUMER, pairs, context, notes, &settings, &err);
    if (status == PS_OK) {
        status = ps_kafka_native_fits(settings.items, settings.count, &err);
        if (status != PS_OK && ps_pairs_get(pairs, err.text) != NULL)
            ps_note_add(notes, PS_LOG_ERROR, err.text,
                        "a property of librdkafka's own, which does not read here: remove the line, or use a "
                        "property "
                        "of Java's consumer (docs/KAFKA_PROPERTIES.md)");
        else if (status != PS_OK)
            ps_note_add(notes, PS_LOG_ERROR, "sasl.jaas.config", "%s", err.text);
    }
    ps_kafka_settings_fini(&settings);
    return status;
}

bool ps_kafka_strategy_is_cooperative(const char *strategy)
{
    return strcmp(strategy, "cooperative-sticky") == 0;
}

bool ps_kafka_is_cooperative(const struct ps_kafka_settings *settings)
{
    const char *strategy = ps_kafka_settings_get(settings, "partition.assignment.strategy");
    return strategy != NULL && ps_kafka_strategy_is_cooperative(strategy);
}

uint64_t ps_kafka_revoke_wait_ns(const struct ps_kafka_settings *settings)
{
    uint64_t wait_ms = number_of(settings, "max.poll.interval.ms", 300000) * 3 / 4;
    return (wait_ms < REVOKE_WAIT_MAX_MS ? wait_ms : REVOKE_WAIT_MAX_MS) * PS_NS_PER_MS;
}
