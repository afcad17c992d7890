/* Sink kafka (org.apache.flume.sink.kafka.KafkaSink): writes events to topics, with many batches in flight.
 * An event is delivered when the broker confirms it. kafka/mapping.c has Flume's rules, kafka/sender.c keeps
 * the order and loses nothing, kafka/seam.h is the interface to the client library. This file has the keys,
 * the checks, and the library's properties that follow from them.
 *
 * Thread: check, build, teardown: control; the rest: its worker. */
#include "stages/text/java_map.h"
#include "stages/kafka/producer.h"
#include "stages/kafka/properties.h"
#include "stages/kafka/sender.h"
#include "stages/kafka/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES "1000000" /* batch.size: large, so that the broker's cost per event is small */
#define REQUEST_RECORDS "10000" /* batch.num.messages */
/* At 200,000 events/s over four connections: 0 costs 3 times the CPU, for 3 ms less at the median. */
#define LINGER_MS "5"
/* How long a topic may be unknown before it is reported; then it is asked for again. */
#define TOPIC_PATIENCE_MS "5000"
#define RECORD_BYTES_MAX "1048576" /* max.request.size of the Java producer */
#define RECORD_BYTES_ESTIMATE 256U /* memory of the library per queued record, without its value */
#define QUEUE_RECORDS_MIN UINT64_C(2048)
#define QUEUE_RECORDS_MAX UINT64_C(10000000)

struct kafka_plan {
    const char *bootstrap_servers, *topic;
    int64_t flume_batch_size;
    bool use_flume_event_format, allow_topic_override;
    const char *topic_header, *partition_header, *timestamp_header;
    int64_t default_partition;
    struct ps_pairs header_pairs, producer_pairs;
    const char *required_acks, *serializer, *key_serializer;

    struct ps_kafka_settings settings;
    struct ps_kafka_sender_plan sender;
};

#define FIELD(name) offsetof(struct kafka_plan, name)

static const struct ps_option options[] = {
    {.key = "kafka.bootstrap.servers",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(bootstrap_servers),
     .aliases = PS_WORDS("brokerList"),
     .flags = PS_OPTION_REQUIRED,
     .help = "brokers to contact first, host:port, separated by commas"},
    {.key = "kafka.topic",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(topic),
     .fallback = "default-flume-topic",
     .aliases = PS_WORDS("topic"),
     .help = "topic of events without a topic header; %{header} and time escapes are expanded unless "
             "allowTopicOverride is false"},
    {.key = "flumeBatchSize",
     .type = PS_OPTION_INT,
     .offset = FIELD(flume_batch_size),
     .fallback = "100",
     .min = 1,
     .max = INT32_MAX,
     .unit = "events",
     .aliases = PS_WORDS("batchSize", "kafka.flumeBatchSize"),
     .flags = PS_OPTION_NO_EFFECT,
     .help =
         "events in one transaction; here the source decides the size of batches, and many are in flight"},
    {.key = "useFlumeEventFormat",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(use_flume_event_format),
     .fallback = "false",
     .help = "records contain headers and body as an Avro datum, not only the body"},
    {.key = "defaultPartitionId",
     .type = PS_OPTION_INT,
     .offset = FIELD(default_partition),
     .fallback = "-1",
     .min = -1,
     .max = INT32_MAX,
     .help = "partition of events without a partition header; -1: by key, or spread"},
    {.key = "partitionIdHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(partition_header),
     .help = "header with the partition number"},
    {.key = "allowTopicOverride",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(allow_topic_override),
     .fallback = "true",
     .help = "use the topic header, and expand escapes in kafka.topic"},
    {.key = "topicHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(topic_header),
     .fallback = "topic",
     .help = "header with the topic's name"},
    {.key = "timestampHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(timestamp_header),
     .help = "header whose value, milliseconds since the epoch, becomes the record's timestamp"},
    {.key = "header.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(header_pairs),
     .help = "header.<name of the event's header> = name of the record's header"},
    {.key = "kafka.producer.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(producer_pairs),
     .help = "properties of the Java producer, see docs/KAFKA_PROPERTIES.md"},
    {.key = "requiredAcks",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(required_acks),
     .flags = PS_OPTION_DEPRECATED,
     .help = "use kafka.producer.acks"},
    {.key = "serializer.class",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(serializer),
     .flags = PS_OPTION_DEPRECATED | PS_OPTION_NO_EFFECT,
     .help = "from Flume before 1.7; values are bytes"},
    {.key = "key.serializer.class",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(key_serializer),
     .flags = PS_OPTION_DEPRECATED | PS_OPTION_NO_EFFECT,
     .help = "from Flume before 1.7; keys are strings"},
    PS_OPTION_END,
};

/* ---- check ---- */

static const char *acks_of(const struct kafka_plan *plan)
{
    const char *acks = ps_pairs_get(&plan->producer_pairs, "acks");
    return acks != NULL ? acks : plan->required_acks;
}

/* Returns true for 0 and 1, which are used as set. All other values become "all". */
static bool acks_are_weak(const char *acks)
{
    return acks != NULL && (strcmp(acks, "0") == 0 || strcmp(acks, "1") == 0);
}

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    char name[256];
    snprintf(name, sizeof name, "kafka.producer.%s", key);
    ps_report(argument, severity, name, "%s", message);
}

static void ignore_note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    (void)argument;
    (void)severity;
    (void)key;
    (void)message;
}

/* Translates Java's properties to the library's. `settings` NULL: only checks them. */
static enum ps_status translate(const struct kafka_plan *plan, const struct ps_context *context,
                                const struct ps_notes *notes, struct ps_kafka_settings *settings,
                                struct ps_err *err)
{
    struct ps_tls_globals globals;
    ps_tls_globals_fill(&globals, context->system_property, context->argument);
    const struct ps_kafka_properties properties = {
        .client = PS_KAFKA_PRODUCER,
        .pairs = &plan->producer_pairs,
        .tls = &globals,
        .system_property = context->system_property,
        .argument = context->argument,
        .notes = notes,
    };
    return ps_kafka_properties_translate(&properties, settings, err);
}

static const char *acks_warning(const char *acks)
{
    if (acks[0] == '0')
        return "acks=0: the broker never answers, so an event counts as delivered once it is sent; if a "
               "broker fails, events are lost and not counted. Remove the key for acks=all";
    return "acks=1: if the leader of a partition fails, events that it had not copied are lost, and a retry "
           "may duplicate events. Remove the key for acks=all with idempotence";
}

static enum ps_status kafka_check(const void *plan_, const struct ps_context *context)
{
    const struct kafka_plan *plan = plan_;
    const char *acks = acks_of(plan);
    enum ps_status status = PS_OK;
    struct ps_err err = {0};
    if (acks_are_weak(acks))
        ps_report(context, PS_LOG_WARN, "kafka.producer.acks", "%s", acks_warning(acks));
    if (plan->header_pairs.count > PS_KAFKA_HEADERS_MAX) {
        ps_report(context, PS_LOG_ERROR, "header.", "more than %u headers", PS_KAFKA_HEADERS_MAX);
        status = PS_FAIL;
    }
    if (plan->allow_topic_override && ps_escape_compile(context->arena, plan->topic, NULL, &err) == NULL) {
        ps_report(context, PS_LOG_ERROR, "kafka.topic", "%s", err.text);
        status = PS_FAIL;
    }
    const struct ps_notes notes = {.report = note, .argument = (void *)(uintptr_t)context};
    if (translate(plan, context, &notes, NULL, &err) != PS_OK)
        status = PS_FAIL;
    return status;
}

/* ---- build ---- */

static uint32_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return (uint32_t)(value < min ? min : value > max ? max : value);
}

static void set_number(struct ps_kafka_settings *settings, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    ps_kafka_settings_set(settings, name, text);
}

static void set_default(struct ps_kafka_settings *settings, const char *name, const char *value)
{
    if (ps_kafka_settings_get(settings, name) == NULL)
        ps_kafka_settings_set(settings, name, value);
}

/* Sent records wait without limit for their answer and are sent again in order, whatever happens to brokers.
 * A request that is finally refused ends the producer (gapless), so that no later request overtakes it; the
 * sender then makes a new producer. */
static void set_delivery(struct ps_kafka_settings *settings, const char *acks)
{
    const char *idempotence = ps_kafka_settings_get(settings, "enable.idempotence");
    bool weak = acks_are_weak(acks);
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

static void set_sizes(struct ps_kafka_settings *settings, uint64_t queue_bytes)
{
    set_default(settings, "batch.size", REQUEST_BYTES);
    set_default(settings, "batch.num.messages", REQUEST_RECORDS);
    set_default(settings, "message.max.bytes", RECORD_BYTES_MAX);
    set_default(settings, "linger.ms", LINGER_MS);
    if (ps_kafka_settings_get(settings, "queue.buffering.max.messages") == NULL)
        set_number(settings, "queue.buffering.max.messages",
                   clamp(queue_bytes / RECORD_BYTES_ESTIMATE, QUEUE_RECORDS_MIN, QUEUE_RECORDS_MAX));
    if (ps_kafka_settings_get(settings, "queue.buffering.max.kbytes") == NULL)
        set_number(settings, "queue.buffering.max.kbytes", clamp(queue_bytes / 1024, 2048, INT32_MAX));
    set_default(settings, "statistics.interval.ms", "5000");
    set_default(settings, "topic.metadata.propagation.max.ms", TOPIC_PATIENCE_MS);
    set_default(settings, "log.connection.close", "false");
}

static uint32_t java_bucket(const char *name, size_t count)
{
    uint32_t hash = ps_java_hash(name, strlen(name)), table = 16;
    while (count > table * 3 / 4)
        table *= 2;
    return (hash ^ hash >> 16) & (table - 1);
}

/* Orders a record's headers as Flume does: in the order of a Java HashMap of the event headers' names. */
static void build_headers(const struct kafka_plan *plan, struct ps_kafka_mapping *mapping)
{
    size_t count = plan->header_pairs.count;
    for (size_t i = 0; i < count; i++) {
        const struct ps_pair *pair = &plan->header_pairs.items[i];
        uint32_t bucket = java_bucket(pair->key, count);
        size_t at = i;
        for (; at > 0 && java_bucket(mapping->header_names[at - 1]->text, count) > bucket; at--) {
            mapping->header_names[at] = mapping->header_names[at - 1];
            mapping->kafka_names[at] = mapping->kafka_names[at - 1];
        }
        mapping->header_names[at] = ps_name_intern(pair->key);
        mapping->kafka_names[at] = pair->value;
        mapping->mask |= mapping->header_names[at]->mask;
    }
}

static enum ps_status build_mapping(struct kafka_plan *plan, struct ps_context *context, struct ps_err *err)
{
    struct ps_kafka_mapping *mapping = &plan->sender.mapping;
    *mapping = (struct ps_kafka_mapping){
        .topic = plan->topic,
        .topic_length = (uint32_t)strlen(plan->topic),
        .key_header = ps_name_intern("key"),
        .default_partition = (int32_t)plan->default_partition,
        .event_format = plan->use_flume_event_format,
        .header_count = (uint32_t)plan->header_pairs.count,
    };
    mapping->mask = mapping->key_header->mask;
    if (plan->allow_topic_override) {
        const struct ps_escape *escape = ps_escape_compile(context->arena, plan->topic, NULL, err);
        if (escape == NULL)
            return ps_err_append(err, "%s: kafka.topic", context->component);
        const char *constant = ps_escape_constant(escape);
        if (constant == NULL) {
            mapping->topic_escape = escape;
        } else {
            mapping->topic = constant;
            mapping->topic_length = (uint32_t)strlen(constant);
        }
        mapping->topic_header = ps_name_intern(plan->topic_header);
        mapping->mask |= mapping->topic_header->mask;
    }
    if (plan->partition_header != NULL) {
        mapping->partition_header = ps_name_intern(plan->partition_header);
        mapping->mask |= mapping->partition_header->mask;
    }
    if (plan->timestamp_header != NULL) {
        mapping->timestamp_header = ps_name_intern(plan->timestamp_header);
        mapping->mask |= mapping->timestamp_header->mask;
    }
    size_t count = plan->header_pairs.count;
    mapping->header_names = ps_arena_alloc(context->arena, (count + 1) * sizeof *mapping->header_names);
    mapping->kafka_names = ps_arena_alloc(context->arena, (count + 1) * sizeof *mapping->kafka_names);
    build_headers(plan, mapping);
    return PS_OK;
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

static enum ps_status kafka_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct kafka_plan *plan = plan_;
    struct ps_kafka_settings *settings = &plan->settings;
    const struct ps_notes notes = {.report = ignore_note}; /* `check` has already reported them */
    if (translate(plan, context, &notes, settings, err) != PS_OK) {
        ps_kafka_settings_fini(settings);
        return ps_err_append(err, "%s: kafka.producer", context->component);
    }
    ps_kafka_settings_set(settings, "bootstrap.servers", plan->bootstrap_servers);
    set_delivery(settings, acks_of(plan));
    bool sizes_are_given = ps_kafka_settings_get(settings, "queue.buffering.max.messages") != NULL ||
                           ps_kafka_settings_get(settings, "queue.buffering.max.kbytes") != NULL;
    set_sizes(settings, context->client_queue_bytes);
    if (ps_kafka_pairs_check(settings->items, settings->count, err) != PS_OK) {
        ps_kafka_settings_fini(settings);
        return ps_err_append(err, "%s: kafka.producer", context->component);
    }
    if (build_mapping(plan, context, err) != PS_OK) {
        ps_kafka_settings_fini(settings);
        return PS_FAIL;
    }
    plan->sender.engine = &ps_kafka_librdkafka;
    plan->sender.pairs = settings->items;
    plan->sender.pair_count = settings->count;
    plan->sender.record_bytes_max =
        (uint32_t)strtoul(ps_kafka_settings_get(settings, "message.max.bytes"), NULL, 10);
    plan->sender.request_bytes_max =
        (uint32_t)strtoul(ps_kafka_settings_get(settings, "batch.size"), NULL, 10);
    static const enum ps_kafka_spread spreads[] = {
        [PS_KAFKA_PARTITIONER_BY_KEY] = PS_KAFKA_SPREAD_BY_KEY,
        [PS_KAFKA_PARTITIONER_STICKY] = PS_KAFKA_SPREAD_STICKY,
        [PS_KAFKA_PARTITIONER_EVENLY] = PS_KAFKA_SPREAD_EVENLY,
    };
    plan->sender.linger_ns = wave_linger_ns(settings, sizes_are_given);
    plan->sender.spread = spreads[ps_kafka_properties_partitioner(&plan->producer_pairs)];
    return PS_OK;
}

static void kafka_teardown(void *plan_)
{
    struct kafka_plan *plan = plan_;
    ps_kafka_settings_fini(&plan->settings);
}

/* ---- functions of a worker ---- */

static enum ps_status kafka_open(const void *plan_, void *state, struct ps_port *port, struct ps_err *err)
{
    const struct kafka_plan *plan = plan_;
    return ps_kafka_sender_open(state, &plan->sender, port, err);
}

static void kafka_close(const void *plan, void *state)
{
    (void)plan;
    ps_kafka_sender_close(state);
}

static enum ps_result kafka_work(const void *plan, void *state, struct ps_lease **lease,
                                 const struct ps_now *now)
{
    (void)plan;
    return ps_kafka_sender_take(state, lease, now);
}

static uint64_t kafka_tick(const void *plan, void *state, const struct ps_now *now)
{
    (void)plan;
    return ps_kafka_sender_tick(state, now);
}

static bool kafka_recall(const void *plan, void *state, struct ps_lease **back, const struct ps_now *now)
{
    (void)plan;
    return ps_kafka_sender_recall(state, back, now);
}

static bool kafka_drain(const void *plan, void *state, const struct ps_now *now)
{
    (void)plan;
    return ps_kafka_sender_drain(state, now);
}

static const struct ps_sink_ops sink = {
    .work = kafka_work,
    .tick = kafka_tick,
    .recall = kafka_recall,
    .drain = kafka_drain,
};

/* org.apache.flume.instrumentation.kafka.KafkaSinkCounter. */
static const enum ps_counter json_counters[] = {PS_COUNTER_KafkaEventSendTimer, PS_COUNTER_RollbackCount,
                                                PS_COUNTER_COUNT};

const struct ps_stage_ops ps_sink_kafka = {
    .kind = PS_KIND_SINK,
    .name = "kafka",
    .aliases = PS_WORDS("org.apache.flume.sink.kafka.KafkaSink", "org.apache.flume.kafka.sink.KafkaSink"),
    .summary = "writes events to Kafka topics",
    .options = options,
    .plan_size = sizeof(struct kafka_plan),
    .state_size = sizeof(struct ps_kafka_sender),
    .counters = ps_kafka_gauge_names,
    .client_holds_events = true,
    .json_counters = json_counters,
    .check = kafka_check,
    .build = kafka_build,
    .teardown = kafka_teardown,
    .open = kafka_open,
    .close = kafka_close,
    .sink = &sink,
};
