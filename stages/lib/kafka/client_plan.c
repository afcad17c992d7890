#include "stages/lib/kafka/client_plan.h"

#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/librdkafka/settings.h"
#include "stages/lib/least.h"
#include "stages/lib/tls/tls.h"

#include <stdlib.h>
#include <string.h>

/* Time after which an unknown topic is reported and its metadata requested again. */
#define TOPIC_PATIENCE_NS (5 * PS_NS_PER_S)
#define STATISTICS_NS (5 * PS_NS_PER_S)
#define QUEUED_OVERHEAD_BYTES 256U /* memory of the library per queued record, without its value */
#define QUEUE_RECORDS_MIN UINT64_C(2048)
#define QUEUE_RECORDS_MAX UINT64_C(10000000)
#define QUEUE_BYTES_MIN (UINT64_C(2) << 20)
#define LINGER_OF_WAVES_NS (2 * PS_NS_PER_MS)
#define REVOKE_WAIT_MAX_NS (30 * PS_NS_PER_S) /* limited, because the whole group waits for this member */

/* Sets what a producer has if the user sets nothing else. Sent records wait without limit for their answer: an outage of
 * hours must fail no event. */
static void set_defaults(struct ps_kafka_settings *settings, enum ps_kafka_client client)
{
    ps_kafka_settings_init(settings);
    if (client != PS_KAFKA_PRODUCER)
        return;
    settings->idempotent = true;
    settings->delivery_ns = 0;
    settings->statistics_ns = STATISTICS_NS;
    settings->topic_patience_ns = TOPIC_PATIENCE_NS;
    ps_kafka_settings_set(settings, "log.connection.close", "false");
}

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
    set_defaults(settings, client);
    if (ps_kafka_properties_translate(&properties, settings, err) == PS_OK)
        return PS_OK;
    ps_kafka_settings_fini(settings);
    return PS_FAIL;
}

static bool is_of_security(const char *key)
{
    return strncmp(key, "ssl.", 4) == 0 || strncmp(key, "sasl.", 5) == 0 || strncmp(key, "security.", 9) == 0;
}

struct ps_kafka_settings ps_kafka_peek(enum ps_kafka_client client, const struct ps_pairs *pairs,
                                       const char *acks)
{
    struct ps_pair *items = ps_must_alloc(pairs->count + 1, sizeof *items, "Kafka properties");
    struct ps_pairs some = {.items = items};
    if (acks != NULL)
        items[some.count++] = (struct ps_pair){.key = "acks", .value = acks};
    for (size_t i = 0; i < pairs->count; i++)
        if (!is_of_security(pairs->items[i].key))
            items[some.count++] = pairs->items[i];
    const struct ps_kafka_properties properties = {.client = client, .pairs = &some};
    struct ps_kafka_settings settings;
    struct ps_err err = {.length = 0};
    set_defaults(&settings, client);
    (void)ps_kafka_properties_translate(&properties, &settings,
                                        &err); /* the check of the stage reports errors */
    ps_kafka_settings_fini(&settings);
    free(items);
    return settings;
}

enum ps_status ps_kafka_native_check(enum ps_kafka_client client, const struct ps_pairs *pairs,
                                     const struct ps_context *context, const struct ps_notes *notes)
{
    struct ps_kafka_settings settings;
    struct ps_err err = {0};
    if (ps_kafka_translate(client, pairs, context, notes, &settings, &err) != PS_OK)
        return PS_FAIL;
    enum ps_status status = PS_OK;
    for (size_t i = 0; i < settings.other_count; i++) {
        const char *name = settings.others[i].key;
        if (ps_kafka_setting_is_for_librdkafka(name) || ps_pairs_get(pairs, name) == NULL)
            continue;
        ps_note_add(notes, PS_LOG_ERROR, name,
                    "a property of librdkafka's own, which is not used here: remove the line, or use a "
                    "property of Java's client (docs/KAFKA_PROPERTIES.md)");
        status = PS_FAIL;
    }
    if (status == PS_OK && (status = ps_kafka_native_fits(&settings, &err)) != PS_OK)
        ps_note_add(notes, PS_LOG_ERROR, "sasl.jaas.config", "%s", err.text);
    ps_kafka_settings_fini(&settings);
    return status;
}

/* ---- producers ---- */

enum ps_status ps_kafka_producer_check(const struct ps_pairs *pairs, bool native,
                                       const struct ps_context *context, const struct ps_notes *notes)
{
    struct ps_kafka_settings settings;
    struct ps_err err = {.length = 0}, misfit = {.length = 0};
    enum ps_status status = PS_OK;
    if (ps_kafka_translate(PS_KAFKA_PRODUCER, pairs, context, notes, &settings, &err) != PS_OK)
        return PS_FAIL;
    if (!native || ps_kafka_native_fits(&settings, &misfit) != PS_OK)
        status = ps_kafka_settings_check(&settings, &err);
    if (status != PS_OK)
        ps_note_add(notes, PS_LOG_ERROR, "librdkafka", "%s", err.text);
    ps_kafka_settings_fini(&settings);
    return status;
}

bool ps_kafka_acks_are_weak(int32_t acks)
{
    return acks == 0 || acks == 1;
}

const char *ps_kafka_acks_word(int32_t acks)
{
    return acks == 0 ? "0" : acks == 1 ? "1" : "all";
}

const char *ps_kafka_acks_warning(int32_t acks)
{
    if (acks == 0)
        return "acks=0: the broker never answers, so an event counts as delivered once it is sent; if a "
               "broker fails, events are lost and not counted. Remove the key for acks=all";
    return "acks=1: if the leader of a partition fails, events that it had not copied are lost, and a retry "
           "may duplicate events or change their order. Remove the key for acks=all with idempotence";
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return value < min ? min : value > max ? max : value;
}

/* A request that is finally refused ends the producer (gapless), so that no later request overtakes it; the
 * sender then makes a new producer. Without idempotence the order is not certain: with one request in flight
 * librdkafka 2.0.2 has a second request ready, and sends it before it tries the first one again. */
static void set_delivery(struct ps_kafka_settings *settings)
{
    bool weak = ps_kafka_acks_are_weak(settings->acks);
    settings->acks = weak ? settings->acks : PS_KAFKA_ACKS_ALL;
    settings->idempotent = settings->idempotent && !weak;
    if (settings->idempotent)
        ps_kafka_settings_set(settings, "enable.gapless.guarantee", "true");
    else
        settings->in_flight_max = 1;
}

/* The queue always holds one record of the largest size, whatever its share of the memory budget is: the client
 * would refuse that record for ever. stages/lib/kafka/properties/properties.c handles keys that contradict each
 * other. */
static void set_queue(struct ps_kafka_settings *settings, uint64_t queue_bytes)
{
    if (settings->queue_records_max == 0)
        settings->queue_records_max =
            clamp(queue_bytes / QUEUED_OVERHEAD_BYTES, QUEUE_RECORDS_MIN, QUEUE_RECORDS_MAX);
    if (settings->queue_bytes_max == 0) {
        uint64_t largest = (settings->request_bytes_max / UINT64_C(1024) + 1) * 1024;
        settings->queue_bytes_max =
            clamp(queue_bytes / 1024 * 1024, largest > QUEUE_BYTES_MIN ? largest : QUEUE_BYTES_MIN,
                  (uint64_t)INT32_MAX * 1024);
    }
}

enum ps_status ps_kafka_sender_plan_build(struct ps_kafka_sender_plan *sender,
                                          struct ps_kafka_settings *settings,
                                          const struct ps_kafka_sender_wants *wants, struct ps_err *err)
{
    struct ps_err misfit = {0};
    bool native = wants->native && ps_kafka_native_fits(settings, &misfit) == PS_OK;
    bool sizes_are_given = settings->queue_records_max != 0 || settings->queue_bytes_max != 0;
    set_delivery(settings);
    set_queue(settings, wants->queue_bytes);
    if (settings->linger_ns == UINT64_MAX) /* the native client fills batches while requests are in flight */
        settings->linger_ns = native ? 0 : PS_KAFKA_LINGER_NS;
    if (!native && ps_kafka_settings_check(settings, err) != PS_OK)
        return PS_FAIL;
    sender->engine = native ? &ps_kafka_native : &ps_kafka_librdkafka;
    sender->record_bytes_max = settings->request_bytes_max;
    sender->request_bytes_max = settings->batch_bytes_max;
    /* There is no limit of waves if the user sizes the producer's queue (buffer.memory), sets a linger below 2 ms, or
     * switches idempotence off. */
    bool has_waves =
        !native && !sizes_are_given && settings->idempotent && settings->linger_ns >= LINGER_OF_WAVES_NS;
    sender->linger_ns = has_waves ? settings->linger_ns : 0;
    sender->in_flight_bytes_max = ps_least(wants->in_flight_bytes_max, settings->queue_bytes_max);
    if (native) /* the native client copies only the bodies in flight */
        settings->queue_bytes_max = sender->in_flight_bytes_max;
    sender->settings = settings;
    return PS_OK;
}

/* ---- consumers ---- */

uint64_t ps_kafka_revoke_wait_ns(const struct ps_kafka_settings *settings)
{
    return ps_least((uint64_t)settings->reader.rebalance_ms * PS_NS_PER_MS * 3 / 4, REVOKE_WAIT_MAX_NS);
}
