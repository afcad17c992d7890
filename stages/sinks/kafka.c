/* Sink kafka (org.apache.flume.sink.kafka.KafkaSink): writes events to topics, with many batches in flight.
 * An event is delivered when the broker confirms it. kafka/produce/mapping.c has Flume's rules,
 * kafka/produce/sender.c keeps the order and loses no event, kafka/produce/seam.h is the interface to the client
 * library. This file has the keys, the checks, and the library's properties that follow from them.
 *
 * Thread: check, build, teardown: control; the rest: its worker. */
#include "stages/lib/text/java/map.h"
#include "stages/lib/kafka/client_plan.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/options.h"
#include "stages/lib/kafka/probe.h"
#include "stages/lib/kafka/produce/partition.h"
#include "stages/lib/kafka/properties/properties.h"
#include "stages/lib/kafka/produce/sender.h"

#include "stages/lib/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct kafka_plan {
    const char *bootstrap_servers, *topic;
    int64_t flume_batch_size;
    bool use_flume_event_format, allow_topic_override;
    const char *topic_header, *partition_header, *timestamp_header;
    int64_t default_partition;
    struct ps_pairs header_pairs, producer_pairs, encoder_keys;
    const char *encoder; /* key serializer */
    const char *required_acks, *serializer, *key_serializer;
    int64_t in_flight_bytes_max;
    int engine, guarantee;
    const char *transaction_id, *positions_topic;
    bool keeps_positions; /* the positions of a channel on disk are kept in `positions_topic` */
    int64_t transaction_interval_ms, transaction_timeout_ms;

    struct ps_kafka_settings settings;
    struct ps_kafka_sender_plan sender;
};

#define FIELD(name) offsetof(struct kafka_plan, name)

#define ENGINE_NATIVE 0
#define EXACTLY_ONCE 1

static const struct ps_option options[] = {
    PS_KAFKA_SERVERS_OPTION_ROW(FIELD(bootstrap_servers), PS_WORDS("brokerList")),
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
     .help = "events in one transaction; here the source decides the size of batches, of which many are in "
             "flight"},
    {.key = "useFlumeEventFormat",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(use_flume_event_format),
     .fallback = "false",
     .help = "put headers and body into records as an Avro datum, not only the body"},
    PS_KAFKA_PARTITION_OPTION_ROWS(FIELD(default_partition), FIELD(partition_header)),
    {.key = "allowTopicOverride",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(allow_topic_override),
     .fallback = "true",
     .help = "use the topic header, and expand escapes in kafka.topic"},
    {.key = "topicHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(topic_header),
     .fallback = "topic",
     .flags = PS_OPTION_HEADER,
     .help = "header with the topic's name"},
    {.key = "timestampHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(timestamp_header),
     .flags = PS_OPTION_HEADER,
     .help = "header whose value, milliseconds since the epoch, becomes the record's timestamp"},
    {.key = "header.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(header_pairs),
     .flags = PS_OPTION_HEADER,
     .help = "header.<name of the event's header> = name of the record's header"},
    PS_KAFKA_PRODUCER_OPTION_ROW(FIELD(producer_pairs)),
    PS_JSON_EVENT_OPTION_ROWS(FIELD(encoder), FIELD(encoder_keys)),
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
    {.key = "penstock.in.flight.max",
     .type = PS_OPTION_SIZE,
     .offset = FIELD(in_flight_bytes_max),
     .fallback = "64m",
     .min = 1 << 20,
     .max = INT64_C(1) << 40,
     .unit = "bytes",
     .flags = PS_OPTION_EXTENSION,
     .help = "maximum number of bytes of bodies that are sent, or ready, and not delivered yet; 3 MiB are in "
             "flight, and more when the round trip to the brokers is long"},
    {.key = "penstock.engine",
     .type = PS_OPTION_ENUM,
     .offset = FIELD(engine),
     .fallback = "native",
     .words = PS_WORDS("native", "librdkafka", "java"),
     .flags = PS_OPTION_EXTENSION,
     .help =
         "the client of the brokers: native (penstock's own, with a fraction of the CPU time) or librdkafka. "
         "librdkafka is also used when kafka.producer.* has a property that only librdkafka has; check "
         "reports that. java: Flume's own class in a Java process"},
    {.key = "penstock.guarantee",
     .type = PS_OPTION_ENUM,
     .offset = FIELD(guarantee),
     .fallback = "at-least-once",
     .words = PS_WORDS("at-least-once", "exactly-once"),
     .flags = PS_OPTION_EXTENSION,
     .help =
         "exactly-once: events and the positions up to which they are delivered are committed together, "
         "in transactions of the native engine. Flows: source kafka, channel memory and this sink, all of "
         "one cluster; a source taildir or spooldir, channel memory and this sink; or a channel file and "
         "this sink, from the channel on. Other flows are refused. "
         "Readers with isolation.level = read_committed see each event once"},
    {.key = "penstock.positions.topic",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(positions_topic),
     .fallback = "penstock-positions",
     .flags = PS_OPTION_EXTENSION,
     .help = "exactly-once from a channel file, or a source taildir or spooldir: the compacted topic that "
             "has how "
             "far the channel, or each file, is delivered. All agents may use the same one; it is created if "
             "the cluster does not have it. "
             "Another topic has no positions: with it, events come again that the channel has not marked "
             "yet, or the source has not noted itself"},
    {.key = "penstock.transaction.id",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(transaction_id),
     .flags = PS_OPTION_EXTENSION,
     .help =
         "prefix of the transactional ids; each agent must have its own. Only needed if no directory "
         "outlives the "
         "agent (penstock.state.dir): then, with this key, an agent that was killed ends its open "
         "transactions "
         "when it starts again; without it they end after penstock.transaction.timeout. With a channel file, "
         "or a source taildir or spooldir, the ids also "
         "have the random number of the channel or source, and agents may share the key; unset: penstock"},
    {.key = "penstock.transaction.interval",
     .type = PS_OPTION_INT,
     .offset = FIELD(transaction_interval_ms),
     .fallback = "300",
     .min = 1,
     .max = 600000,
     .unit = "ms",
     .flags = PS_OPTION_EXTENSION,
     .help = "age at which a transaction is committed; earlier when no event comes or when it fills its "
             "share of the memory budget"},
    {.key = "penstock.transaction.timeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(transaction_timeout_ms),
     .fallback = "60000",
     .min = 1000,
     .max = 86400000,
     .unit = "ms",
     .flags = PS_OPTION_EXTENSION,
     .help =
         "age at which the cluster aborts a transaction; at most the brokers' transaction.max.timeout.ms"},
    PS_OPTION_END,
};

/* ---- check ---- */

static struct ps_kafka_settings peek(const struct kafka_plan *plan)
{
    return ps_kafka_peek(PS_KAFKA_PRODUCER, &plan->producer_pairs, plan->required_acks);
}

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    char name[256];
    snprintf(name, sizeof name, "kafka.producer.%s", key);
    ps_report(argument, severity, name, "%s", message);
}

/* Returns a text about a setting that the native engine does not support (the text of `err`); NULL if it supports
 * all settings. */
static const char *engine_misfit(const struct kafka_plan *plan, const struct ps_context *context,
                                 struct ps_err *err)
{
    struct ps_kafka_settings settings;
    if (ps_kafka_translate(PS_KAFKA_PRODUCER, &plan->producer_pairs, context, NULL, &settings, err) != PS_OK)
        return NULL;
    bool misfit = ps_kafka_native_fits(&settings, err) != PS_OK;
    ps_kafka_settings_fini(&settings);
    return misfit ? err->text : NULL;
}

/* Returns whether the native engine is used; only it has transactions. */
static bool is_native(const struct kafka_plan *plan)
{
    return plan->engine == ENGINE_NATIVE || plan->guarantee == EXACTLY_ONCE;
}

/* Checks penstock.guarantee: transactions need idempotence and acks=all. */
static enum ps_status check_guarantee(const struct kafka_plan *plan, const struct ps_context *context,
                                      const char *misfit)
{
    const struct ps_kafka_settings settings = peek(plan);
    if (plan->guarantee != EXACTLY_ONCE)
        return PS_OK;
    if (ps_kafka_acks_are_weak(settings.acks))
        misfit = "kafka.producer.acks is not all";
    else if (!settings.idempotent)
        misfit = "kafka.producer.enable.idempotence = false";
    else if (plan->transaction_interval_ms > plan->transaction_timeout_ms / 2)
        misfit = "penstock.transaction.interval is above half of penstock.transaction.timeout";
    if (misfit == NULL)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "penstock.guarantee",
              "exactly-once is not possible with this setting: %s; remove that key", misfit);
    return PS_FAIL;
}

/* Checks that no events go to the topic of positions, because consumers of the events would read the positions. */
static enum ps_status check_positions(const struct kafka_plan *plan, const struct ps_context *context)
{
    bool legal = ps_kafka_topic_name_is_legal(plan->positions_topic, (uint32_t)strlen(plan->positions_topic));
    if (legal && strcmp(plan->positions_topic, plan->topic) != 0)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "penstock.positions.topic", "%s %s", plan->positions_topic,
              legal ? "is the topic of the events: positions need a topic of their own"
                    : "is not a legal name of a topic");
    return PS_FAIL;
}

/* Reports why librdkafka is used instead of the native engine. */
static enum ps_status check_engine(const struct kafka_plan *plan, const struct ps_context *context)
{
    struct ps_err err = {0};
    const char *misfit = is_native(plan) ? engine_misfit(plan, context, &err) : NULL;
    if (misfit != NULL && plan->guarantee != EXACTLY_ONCE)
        ps_report(context, PS_LOG_INFO, "penstock.engine",
                  "librdkafka is used, because the native engine does not support this: %s", misfit);
    return check_guarantee(plan, context, misfit);
}

static enum ps_status check_encoder(const struct kafka_plan *plan, const struct ps_context *context)
{
    const struct ps_event_json *json;
    struct ps_err err = {0};
    if (ps_json_event_of_sink(plan->encoder, &plan->encoder_keys, (struct ps_context *)(uintptr_t)context,
                              &json, &err) != PS_OK)
        return PS_FAIL;
    if (json == NULL || !plan->use_flume_event_format)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "serializer", "json and useFlumeEventFormat = true exclude each other");
    return PS_FAIL;
}

static enum ps_status kafka_check(const void *plan_, const struct ps_context *context)
{
    const struct kafka_plan *plan = plan_;
    int32_t acks = peek(plan).acks;
    enum ps_status status = ps_kafka_servers_check(context, plan->bootstrap_servers) ? PS_OK : PS_FAIL;
    struct ps_err err = {0};
    if (ps_kafka_acks_are_weak(acks))
        ps_report(context, PS_LOG_WARN, "kafka.producer.acks", "%s", ps_kafka_acks_warning(acks));
    if (plan->header_pairs.count > PS_KAFKA_HEADERS_MAX) {
        ps_report(context, PS_LOG_ERROR, "header.", "more than %u headers", PS_KAFKA_HEADERS_MAX);
        status = PS_FAIL;
    }
    bool fixed = !plan->allow_topic_override || strchr(plan->topic, '%') == NULL;
    if (fixed && !ps_kafka_topic_check(context, "kafka.topic", plan->topic))
        status = PS_FAIL;
    if (plan->allow_topic_override)
        ps_escape_check(context, "kafka.topic", plan->topic);
    if (plan->allow_topic_override && ps_escape_compile(context->arena, plan->topic, NULL, &err) == NULL) {
        ps_report(context, PS_LOG_ERROR, "kafka.topic", "%s", err.text);
        status = PS_FAIL;
    }
    const struct ps_notes notes = {.report = note, .argument = (void *)(uintptr_t)context};
    if (ps_kafka_producer_check(&plan->producer_pairs, is_native(plan), context, &notes) != PS_OK)
        status = PS_FAIL;
    if (check_engine(plan, context) != PS_OK || check_positions(plan, context) != PS_OK ||
        check_encoder(plan, context) != PS_OK)
        status = PS_FAIL;
    return status;
}

/* ---- build ---- */

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
    if (ps_json_event_of_sink(plan->encoder, &plan->encoder_keys, context, &mapping->json, err) != PS_OK)
        return PS_FAIL;
    mapping->mask = mapping->key_header->mask;
    if (plan->allow_topic_override) {
        const struct ps_escape *escape = ps_escape_compile(context->arena, plan->topic, NULL, err);
        if (escape == NULL)
            return ps_err_append(err, "key kafka.topic");
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

/* Makes an id that is unique to this plan: a sink that is opened again has the same id, and so ends the transactions
 * of its previous producer. If positions are kept, the sender adds the channel's or source's random number, which
 * outlives the process; else the number of a place in the state directory is used instead, if there is one. */
static const char *transaction_id(const struct kafka_plan *plan, const struct ps_context *context)
{
    struct ps_random random;
    if (plan->keeps_positions)
        return plan->transaction_id != NULL ? plan->transaction_id : "penstock";
    if (plan->transaction_id != NULL)
        return ps_arena_format(context->arena, "%s-%s", plan->transaction_id, context->name);
    ps_random_init(&random);
    return ps_arena_format(context->arena, "penstock-%s-%s-%016" PRIx64, context->agent, context->name,
                           ps_random_next(&random));
}

static void build_transactions(struct kafka_plan *plan, const struct ps_context *context)
{
    bool is_placed = ps_kafka_place_has_transactions(plan->keeps_positions, plan->transaction_id);
    plan->sender.transaction = (struct ps_kafka_transaction_plan){
        .id = transaction_id(plan, context),
        .place_id = is_placed
                        ? ps_arena_format(context->arena, "penstock-%s-%s", context->agent, context->name)
                        : NULL,
        .place = ps_kafka_place_plan_of(context, "sink"),
        .positions_topic = plan->keeps_positions ? plan->positions_topic : NULL,
        .positions = &ps_kafka_positions_topic,
        .interval_ns = (uint64_t)plan->transaction_interval_ms * PS_NS_PER_MS,
        .timeout_ns = (uint64_t)plan->transaction_timeout_ms * PS_NS_PER_MS,
        .bytes_max = context->channel_quota_bytes / 5, /* less than half of a sink's share */
    };
    plan->settings.transaction_timeout_ms = (int32_t)plan->transaction_timeout_ms;
}

static bool kafka_transactional(const void *plan_)
{
    const struct kafka_plan *plan = plan_;
    return plan->guarantee == EXACTLY_ONCE;
}

static const char *kafka_weakness(const void *plan_)
{
    const struct ps_kafka_settings settings = peek(plan_);
    if (ps_kafka_acks_are_weak(settings.acks))
        return "with this acks a broker that fails loses events that count as delivered";
    if (!settings.idempotent)
        return "with enable.idempotence = false retries can double events and change their order";
    return NULL;
}

static void kafka_keep_positions(void *plan_)
{
    struct kafka_plan *plan = plan_;
    plan->keeps_positions = true;
}

static enum ps_status kafka_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct kafka_plan *plan = plan_;
    struct ps_kafka_settings *settings = &plan->settings;
    if (ps_kafka_translate(PS_KAFKA_PRODUCER, &plan->producer_pairs, context, NULL, settings, err) != PS_OK)
        return ps_err_append(err, "keys kafka.producer.*");
    ps_kafka_text_set(&settings->texts.servers, plan->bootstrap_servers);
    settings->acks = peek(plan).acks;
    const struct ps_kafka_sender_wants wants = {
        .queue_bytes = context->client_queue_bytes,
        .in_flight_bytes_max = (uint64_t)plan->in_flight_bytes_max,
        .native = is_native(plan),
    };
    if (plan->guarantee == EXACTLY_ONCE)
        build_transactions(plan, context);
    if (ps_kafka_sender_plan_build(&plan->sender, settings, &wants, err) != PS_OK) {
        ps_kafka_settings_fini(settings);
        return ps_err_append(err, "keys kafka.producer.*");
    }
    if (build_mapping(plan, context, err) != PS_OK) {
        ps_kafka_settings_fini(settings);
        return PS_FAIL;
    }
    return PS_OK;
}

static void kafka_outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct kafka_plan *plan = plan_;
    struct ps_err err = {0};
    const struct ps_kafka_settings settings = peek(plan);
    bool weak = ps_kafka_acks_are_weak(settings.acks);
    ps_kafka_outline(out, plan->bootstrap_servers, &plan->producer_pairs);
    fprintf(out, ", topic %s%s, acks %s", plan->topic, plan->allow_topic_override ? " or the event's" : "",
            ps_kafka_acks_word(settings.acks));
    fputs(weak                              ? " (events can be lost)"
          : plan->guarantee == EXACTLY_ONCE ? ", transactions: exactly once for readers of committed records"
          : !settings.idempotent            ? ", not idempotent (retries can double events)"
                                            : ", idempotent",
          out);
    fputs(is_native(plan) && engine_misfit(plan, context, &err) == NULL ? ", native engine"
                                                                        : ", engine librdkafka",
          out);
}

/* Returns the topic of the probe; a topic that depends on the event is not known yet. */
static const char *topic_known(const struct kafka_plan *plan, struct ps_context *context)
{
    struct ps_err err = {.length = 0};
    const struct ps_escape *escape =
        plan->allow_topic_override ? ps_escape_compile(context->arena, plan->topic, NULL, &err) : NULL;
    return escape != NULL ? ps_escape_constant(escape) : plan->topic;
}

static void kafka_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct kafka_plan *plan = plan_;
    const char *topic = topic_known(plan, context);
    const struct ps_kafka_probe kafka = {.client = PS_KAFKA_PRODUCER,
                                         .pairs = &plan->producer_pairs,
                                         .brokers = plan->bootstrap_servers,
                                         .topics = {topic != NULL ? 1 : 0, &topic}};
    if (topic == NULL)
        ps_probe_skipped(probe, plan->topic, "the topic depends on the event");
    ps_kafka_probe(probe, context, &kafka);
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

static void kafka_close(const void *, void *state)
{
    ps_kafka_sender_close(state);
}

static enum ps_result kafka_work(const void *, void *state, struct ps_lease **lease, const struct ps_now *now)
{
    return ps_kafka_sender_take(state, lease, now);
}

static uint64_t kafka_tick(const void *, void *state, const struct ps_now *now)
{
    return ps_kafka_sender_tick(state, now);
}

static bool kafka_recall(const void *, void *state, struct ps_lease **back, const struct ps_now *now)
{
    return ps_kafka_sender_recall(state, back, now);
}

static bool kafka_drain(const void *, void *state, const struct ps_now *now)
{
    return ps_kafka_sender_drain(state, now);
}

static const struct ps_sink_ops sink = {
    .work = kafka_work,
    .tick = kafka_tick,
    .recall = kafka_recall,
    .drain = kafka_drain,
    .sockets = true,
    .commits = true,
    .transactional = kafka_transactional,
    .weakness = kafka_weakness,
    .keep_positions = kafka_keep_positions,
};

/* Counters of org.apache.flume.instrumentation.kafka.KafkaSinkCounter. */
static const enum ps_counter json_counters[] = {PS_COUNTER_KafkaEventSendTimer, PS_COUNTER_RollbackCount,
                                                PS_COUNTER_COUNT};

const struct ps_stage_ops ps_sink_kafka = {
    PS_STAGE(PS_KIND_SINK),
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
    .outline = kafka_outline,
    .probe = kafka_probe,
    .sink = &sink,
};
