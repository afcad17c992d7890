/* Source kafka (Flume's org.apache.flume.source.kafka.KafkaSource): a member of a consumer group.
 *
 * The client of kafka/fetch/reading.h reads. Only offsets of delivered records are committed, even if interceptors
 * have removed all events of a batch. While a channel is full, the record queue is not read and the group is still
 * served, so a full channel never causes a rebalance.
 *
 * Thread: its worker. It must never commit offsets of records that are not delivered, and never wait for a broker. */
#include "core/stage.h"
#include "core/flow/engine_source.h"
#include "regex/regex.h"
#include "stages/lib/kafka/client_plan.h"
#include "stages/lib/kafka/fetch/reading.h"
#include "stages/lib/kafka/fetch/reports.h"
#include "stages/lib/kafka/options.h"
#include "stages/lib/kafka/probe.h"
#include "stages/lib/kafka/properties/properties.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_GROUP "flume"
#define COMMIT_INTERVAL_NS (200 * PS_NS_PER_MS) /* after a crash, records delivered in this time come twice */
#define GROUP_BYTES_MAX 1000U /* longest name of a group whose offsets are committed in transactions */
/* limits of the waits when the source stops: for the last commit, and for having left the group */
#define COMMIT_WAIT_NS (5 * PS_NS_PER_S)
#define LEAVE_WAIT_NS (10 * PS_NS_PER_S)
/* Limits of the wait before memory for a record is tried again; each wait is as long as the record has waited
 * already. */
#define MEMORY_RETRY_MIN_NS PS_NS_PER_MS
#define MEMORY_RETRY_MAX_NS (10 * PS_NS_PER_MS)

struct kafka_plan {
    const char *bootstrap, *regex, *group, *old_group, *zookeeper, *topic_header, *timestamp_header;
    struct ps_texts topics, old_topics;
    struct ps_pairs headers, consumer;
    int64_t batch_size, batch_duration_ms;
    int engine;
    bool flume_event_format, set_topic_header, migrate_offsets;
    /* Set by build: */
    struct ps_kafka_settings settings;
    struct ps_texts subscription, wanted;
    struct ps_regex *pattern; /* of the topics; NULL: they are named */
    struct ps_kafka_record_plan record;
    uint64_t revoke_wait_ns, held_bytes_max;
    bool sink_commits;   /* the sink commits the offsets, in its transactions */
    bool reads_internal; /* the pattern matches internal topics, too, which is not Java's default */
    struct ps_kafka_place_plan place;
};

enum { ENGINE_NATIVE, ENGINE_LIBRDKAFKA, ENGINE_JAVA };

enum phase { RUNNING, FINISHING, LEFT };

struct kafka_state {
    struct ps_port *port;
    struct ps_kafka_fetch *reading;
    struct ps_kafka_place place;
    struct ps_kafka_record_state record;
    enum phase phase;
    bool paused;
    bool starved; /* a record waits for memory */
    uint64_t starved_since_ns;
    uint64_t drained_ns; /* FINISHING: when all records that were read were delivered; 0: they are not yet */
    uint64_t idle_since_ns;
};

#define FIELD(name) offsetof(struct kafka_plan, name)

static const struct ps_option options[] = {
    PS_KAFKA_SERVERS_OPTION_ROW(FIELD(bootstrap), NULL),
    {.key = "kafka.topics",
     .type = PS_OPTION_COMMAS,
     .offset = FIELD(topics),
     .help = "topics to read, separated by commas"},
    {.key = "kafka.topics.regex",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(regex),
     .help = "Java regular expression for the names of topics to read; overrides kafka.topics"},
    {.key = "kafka.consumer.group.id",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(group),
     .help = "consumer group; unset: flume"},
    {.key = "batchSize",
     .type = PS_OPTION_INT,
     .offset = FIELD(batch_size),
     .fallback = "1000",
     .min = 1,
     .max = INT32_MAX,
     .unit = "events",
     .help = "maximum number of events in a batch (at most 1024)"},
    {.key = "batchDurationMillis",
     .type = PS_OPTION_INT,
     .offset = FIELD(batch_duration_ms),
     .fallback = "1000",
     .min = 1,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "no batch waits for this time here, because it is closed as soon as its channel is empty; the "
             "value is only the idle time for KafkaEmptyCount"},
    {.key = "useFlumeEventFormat",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(flume_event_format),
     .fallback = "false",
     .help = "read records as Flume events in Avro's binary encoding, headers included"},
    {.key = "setTopicHeader",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(set_topic_header),
     .fallback = "true",
     .help = "put the topic into a header"},
    {.key = "topicHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(topic_header),
     .fallback = "topic",
     .flags = PS_OPTION_HEADER,
     .help = "name of that header"},
    {.key = "timestampHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(timestamp_header),
     .flags = PS_OPTION_NO_EFFECT,
     .help = "Flume's guide has it, Flume's code does not: the header is always \"timestamp\""},
    {.key = "header.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(headers),
     .flags = PS_OPTION_HEADER,
     .help = "header.<event header> = <record header>: copied into the event"},
    {.key = "penstock.engine",
     .type = PS_OPTION_ENUM,
     .offset = FIELD(engine),
     .fallback = "native",
     .words = PS_WORDS("native", "librdkafka", "java"),
     .flags = PS_OPTION_EXTENSION,
     .help =
         "what speaks to the brokers: native: penstock itself, which receives record batches into the "
         "memory of batches and copies nothing. java: Flume's own class in a Java process. librdkafka, of "
         "earlier releases, is refused"},
    {.key = "kafka.consumer.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(consumer),
     .help = "the consumer's properties, by Java's names: docs/KAFKA_PROPERTIES.md"},
    {.key = "topic",
     .type = PS_OPTION_COMMAS,
     .offset = FIELD(old_topics),
     .flags = PS_OPTION_DEPRECATED,
     .help = "kafka.topics"},
    {.key = "groupId",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(old_group),
     .flags = PS_OPTION_DEPRECATED,
     .help = "kafka.consumer.group.id"},
    PS_KAFKA_ZOOKEEPER_OPTION_ROWS(FIELD(zookeeper), FIELD(migrate_offsets)),
    PS_OPTION_END,
};

/* ---- check and build ---- */

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    const struct ps_context *context = argument;
    char full[256];
    snprintf(full, sizeof full, "kafka.consumer.%s", key);
    context->report(context, severity, full, message);
}

static struct ps_texts wanted_topics(const struct kafka_plan *plan)
{
    return plan->topics.count > 0 ? plan->topics : plan->old_topics;
}

static enum ps_status kafka_check(const void *plan_, const struct ps_context *context)
{
    const struct kafka_plan *plan = plan_;
    struct ps_err err = {0};
    const struct ps_notes notes = {.report = note, .argument = (void *)(uintptr_t)context};
    if (!ps_kafka_servers_check(context, plan->bootstrap))
        return PS_FAIL;
    if (plan->engine == ENGINE_LIBRDKAFKA) {
        ps_report(context, PS_LOG_ERROR, "penstock.engine",
                  "librdkafka is no longer an engine of this source, which reads itself: remove the line");
        return PS_FAIL;
    }
    if (plan->regex == NULL && wanted_topics(plan).count == 0) {
        ps_report(context, PS_LOG_ERROR, "kafka.topics", "no topic: set kafka.topics or kafka.topics.regex");
        return PS_FAIL;
    }
    if (plan->regex == NULL && !ps_kafka_topics_check(context, wanted_topics(plan)))
        return PS_FAIL;
    struct ps_regex *pattern =
        plan->regex != NULL ? ps_regex_create(plan->regex, 0, PS_REGEX_WHOLE, &err) : NULL;
    if (plan->regex != NULL && pattern == NULL) {
        ps_report(context, PS_LOG_ERROR, "kafka.topics.regex", "%s", err.text);
        return PS_FAIL;
    }
    ps_regex_destroy(pattern);
    return ps_kafka_native_check(PS_KAFKA_CONSUMER, &plan->consumer, context, &notes);
}

static const char *group_of(const struct kafka_plan *plan)
{
    return plan->group != NULL ? plan->group : plan->old_group != NULL ? plan->old_group : DEFAULT_GROUP;
}

static void build_headers(struct kafka_plan *plan, struct ps_context *context)
{
    struct ps_kafka_record_plan *record = &plan->record;
    record->timestamp = ps_name_intern("timestamp");
    record->partition = ps_name_intern("partition");
    record->offset = ps_name_intern("offset");
    record->key = ps_name_intern("key");
    record->topic = plan->set_topic_header ? ps_name_intern(plan->topic_header) : NULL;
    if (plan->regex == NULL && plan->subscription.count == 1)
        record->single_topic = plan->subscription.items[0];
    size_t count = plan->headers.count;
    const struct ps_name **names = ps_arena_alloc(context->arena, (count + 1) * sizeof *names);
    const char **wanted = ps_arena_alloc(context->arena, (count + 1) * sizeof *wanted);
    for (size_t i = 0; i < count; i++) {
        names[i] = ps_name_intern(plan->headers.items[i].key);
        wanted[i] = plan->headers.items[i].value;
    }
    record->mapped = names;
    record->mapped_count = count;
    plan->wanted = (struct ps_texts){count, wanted};
    record->group = group_of(plan);
    record->flume_event_format = plan->flume_event_format;
    record->batch_events_max = context->batch_events_max;
    if (plan->batch_size < record->batch_events_max)
        record->batch_events_max = (uint32_t)plan->batch_size;
}

static enum ps_status kafka_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct kafka_plan *plan = plan_;
    struct ps_kafka_settings *settings = &plan->settings;
    if (ps_kafka_translate(PS_KAFKA_CONSUMER, &plan->consumer, context, NULL, settings, err) != PS_OK)
        return PS_FAIL;
    ps_kafka_text_set(&settings->texts.servers, plan->bootstrap);
    if (settings->texts.client_id == NULL)
        ps_kafka_text_set(&settings->texts.client_id,
                          ps_arena_format(context->arena, "penstock-%s-%s", context->agent, context->name));
    if (ps_kafka_place_has_member(settings->texts.group_instance_id))
        plan->place = ps_kafka_place_plan_of(context, "source");
    plan->held_bytes_max = context->client_queue_bytes / (context->instances > 0 ? context->instances : 1);
    if (plan->sink_commits)
        settings->reader.committed_only = true;
    const char *excludes = ps_pairs_get(&plan->consumer, "exclude.internal.topics");
    plan->reads_internal = excludes != NULL && strcasecmp(excludes, "false") == 0;
    plan->subscription = plan->regex == NULL ? wanted_topics(plan) : (struct ps_texts){0};
    build_headers(plan, context);
    if (plan->sink_commits && settings->reader.cooperative) {
        ps_kafka_settings_fini(settings);
        return ps_err_set(err,
                          "partition.assignment.strategy = cooperative-sticky cannot deliver exactly once");
    }
    plan->revoke_wait_ns = ps_kafka_revoke_wait_ns(settings);
    if (plan->regex != NULL) /* `check` has compiled it before */
        plan->pattern = ps_regex_create(plan->regex, 0, PS_REGEX_WHOLE, err);
    return PS_OK;
}

/* Sets `err` to the key as it is written, and to what the client makes of its value. */
static bool refuse_positions(const struct kafka_plan *plan, const char *key, const char *value,
                             struct ps_err *err)
{
    const char *written = ps_pairs_get(&plan->consumer, key);
    bool same = written != NULL && strcasecmp(written, value) == 0;
    ps_err_set(err, "kafka.consumer.%s = %s%s%s", key, written != NULL ? written : "",
               same ? "" : ", which is used as ", same ? "" : value);
    return false;
}

/* The sink's transactions commit the offsets. isolation.level must be read_committed, because only then does the
 * library wait, after an assignment, for offsets of transactions that have not ended. The protocol must not be
 * cooperative: with it the source keeps partitions in a new generation, which batches under way do not
 * have. (kafka_build refuses such a plan too.) */
static bool kafka_yields_positions(void *plan_, struct ps_err *err)
{
    struct kafka_plan *plan = plan_;
    static const char isolation_key[] = "isolation.level", strategy_key[] = "partition.assignment.strategy";
    const struct ps_kafka_settings settings = ps_kafka_peek(PS_KAFKA_CONSUMER, &plan->consumer, NULL);
    /* without the key read_committed is set */
    if (ps_pairs_get(&plan->consumer, isolation_key) != NULL && !settings.reader.committed_only)
        return refuse_positions(plan, isolation_key, "read_uncommitted", err);
    if (settings.reader.cooperative)
        return refuse_positions(plan, strategy_key, "cooperative-sticky", err);
    if (strlen(group_of(plan)) > GROUP_BYTES_MAX) {
        ps_err_set(err, "kafka.consumer.group.id has more than %u bytes", GROUP_BYTES_MAX);
        return false;
    }
    plan->sink_commits = true;
    return true;
}

static void kafka_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct kafka_plan *plan = plan_;
    struct ps_texts topics = wanted_topics(plan);
    ps_kafka_outline(out, plan->bootstrap, &plan->consumer);
    fprintf(out, ", group %s, topic%s", group_of(plan), plan->regex != NULL || topics.count > 1 ? "s" : "");
    if (plan->regex != NULL)
        fprintf(out, " that match %s", plan->regex);
    for (size_t i = 0; plan->regex == NULL && i < topics.count; i++)
        fprintf(out, " %s", topics.items[i]);
    if (plan->sink_commits)
        fputs(", offsets committed by the sink", out);
    fputs(", native engine", out);
}

/* Asks brokers for metadata; does not join the group. */
static void kafka_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct kafka_plan *plan = plan_;
    const struct ps_kafka_probe kafka = {.client = PS_KAFKA_CONSUMER,
                                         .pairs = &plan->consumer,
                                         .brokers = plan->bootstrap,
                                         .identities = plan->record.identities,
                                         .topics = plan->regex == NULL ? wanted_topics(plan)
                                                                       : (struct ps_texts){0}};
    if (plan->regex != NULL)
        ps_probe_skipped(probe, plan->regex, "topics that match are read when they are there");
    ps_kafka_probe(probe, context, &kafka);
}

static void kafka_teardown(void *plan_)
{
    struct kafka_plan *plan = plan_;
    ps_kafka_settings_fini(&plan->settings);
    ps_regex_destroy(plan->pattern);
}

/* ---- open and close ---- */

static enum ps_status kafka_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct kafka_plan *plan = plan_;
    struct kafka_state *state = state_;
    *state = (struct kafka_state){.port = port};
    const struct ps_kafka_reading_config config = {
        .port = port,
        .settings = &plan->settings,
        .group = group_of(plan),
        .place = &state->place,
        .subscription = plan->subscription,
        .pattern = plan->pattern,
        .reads_internal = plan->reads_internal,
        .wanted = plan->wanted,
        .sink_commits = plan->sink_commits,
        .commit_interval_ns = COMMIT_INTERVAL_NS,
        .revoke_wait_ns = plan->revoke_wait_ns,
        .held_bytes_max = plan->held_bytes_max,
    };
    ps_kafka_place_open(&state->place, &plan->place, port->instance, port->component);
    state->reading = ps_kafka_reading_open(&config, err);
    if (state->reading == NULL) {
        ps_kafka_place_close(&state->place);
        return PS_FAIL;
    }
    state->record = (struct ps_kafka_record_state){
        .plan = &plan->record,
        .streams = ps_kafka_reading_streams(state->reading),
        .membership = plan->sink_commits ? ps_kafka_reading_membership(state->reading) : NULL,
        .port = port};
    return PS_OK;
}

static void kafka_close(const void *, void *state_)
{
    struct kafka_state *state = state_;
    struct ps_err reason;
    if (state->phase != LEFT && !ps_kafka_reading_failed(state->reading, &reason))
        ps_log(PS_LOG_WARN, state->port->component,
               "closed before it could leave the group: the group notices by its session time-out");
    ps_kafka_reading_destroy(state->reading);
    ps_kafka_place_close(&state->place);
}

/* ---- running ---- */

static enum ps_result kafka_work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *now)
{
    struct kafka_state *state = state_;
    if (state->phase != RUNNING)
        return PS_IDLE;
    uint32_t before = batch->count;
    ps_kafka_record_begin(&state->record, batch);
    uint32_t read = ps_kafka_reading_read(state->reading, &state->record);
    bool starved = ps_kafka_reading_has_kept(state->reading) && !batch->full;
    if (starved && (read > 0 || !state->starved))
        state->starved_since_ns = now->mono_ns;
    state->starved = starved;
    if (read == 0)
        return batch->full ? PS_DONE : PS_IDLE;
    state->idle_since_ns = now->mono_ns;
    if (before == 0 && batch->count > 0)
        ps_count(state->port->counters, PS_COUNTER_AppendBatchReceivedCount, 1);
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, batch->count - before);
    ps_count(state->port->counters, PS_COUNTER_bytes, state->record.taken_bytes);
    return PS_DONE;
}

/* Flume counts a poll without records; here one is counted for each batchDurationMillis without records. */
static void count_idle(const struct kafka_plan *plan, struct kafka_state *state, uint64_t mono_ns)
{
    uint64_t interval_ns = (uint64_t)plan->batch_duration_ms * PS_NS_PER_MS;
    if (state->paused || state->idle_since_ns == 0) {
        state->idle_since_ns = mono_ns;
    } else if (mono_ns - state->idle_since_ns >= interval_ns) {
        state->idle_since_ns = mono_ns;
        ps_count(state->port->counters, PS_COUNTER_KafkaEmptyCount, 1);
    }
}

static uint64_t kafka_tick(const void *plan_, void *state_, const struct ps_now *now)
{
    const struct kafka_plan *plan = plan_;
    struct kafka_state *state = state_;
    struct ps_err reason = {0};
    bool idle = state->paused || state->phase != RUNNING;
    uint64_t next_ns = ps_kafka_reading_tick(state->reading, idle, now->mono_ns);
    /* Offsets of undelivered records can no longer be committed: the next consumer reads these records again. */
    if (PS_UNLIKELY(ps_kafka_reading_failed(state->reading, &reason)) && state->drained_ns == 0)
        ps_port_failed(state->port, &reason);
    if (state->phase == RUNNING) {
        const char *why = NULL;
        enum ps_lack lack = ps_kafka_reading_lack(state->reading, &why);
        ps_port_lacks(state->port, lack, why, ps_kafka_reports_lack_level(lack, why));
        count_idle(plan, state, now->mono_ns);
    }
    if (state->starved && !state->paused) {
        uint64_t waited_ns = now->mono_ns - state->starved_since_ns;
        waited_ns = waited_ns < MEMORY_RETRY_MIN_NS ? MEMORY_RETRY_MIN_NS : waited_ns;
        next_ns = ps_least(next_ns, now->mono_ns + ps_least(waited_ns, MEMORY_RETRY_MAX_NS));
    }
    return next_ns;
}

static void kafka_accepted(const void *, void *state_, const struct ps_batch *batch, const struct ps_now *now)
{
    struct kafka_state *state = state_;
    ps_count(state->port->counters, PS_COUNTER_KafkaEventGetTimer,
             (now->mono_ns - batch->opened.mono_ns) / PS_NS_PER_MS);
}

static void kafka_delivered(const void *, void *state_, const struct ps_batch *batch, const struct ps_now *)
{
    struct kafka_state *state = state_;
    for (uint32_t i = 0; i < batch->span_count; i++)
        ps_kafka_streams_delivered(ps_kafka_reading_streams(state->reading), &batch->spans[i]);
}

static void kafka_paused(const void *, void *state_, bool paused, const struct ps_now *)
{
    struct kafka_state *state = state_;
    state->paused = paused;
}

/* ---- stopping ---- */

/* Stops reading; waits for the delivery of the records that were read, as long as the engine allows. Then commits, and
 * leaves the group. */
static bool kafka_drain(const void *, void *state_, const struct ps_now *now)
{
    struct kafka_state *state = state_;
    if (state->phase == RUNNING) {
        state->phase = FINISHING;
        state->starved = false;
        ps_kafka_reading_forget(state->reading);
    }
    if (state->phase == LEFT || !ps_kafka_reading_is_drained(state->reading))
        return state->phase == LEFT;
    if (state->drained_ns == 0)
        state->drained_ns = now->mono_ns;
    if (ps_kafka_reading_end(state->reading, now->mono_ns >= state->drained_ns + COMMIT_WAIT_NS) ||
        now->mono_ns >= state->drained_ns + LEAVE_WAIT_NS)
        state->phase = LEFT;
    return state->phase == LEFT;
}

static void kafka_gives_identities(void *plan_)
{
    struct kafka_plan *plan = plan_;
    plan->record.identities = true;
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_DELIVERED,
    .when_full = PS_WAIT,
    .work = kafka_work,
    .tick = kafka_tick,
    .accepted = kafka_accepted,
    .delivered = kafka_delivered,
    .paused = kafka_paused,
    .drain = kafka_drain,
    .yields_positions = kafka_yields_positions,
    .engine = &(const struct ps_engine_source_ops){.gives_identities = kafka_gives_identities},
};

/* org.apache.flume.instrumentation.kafka.KafkaSourceCounter. */
static const enum ps_counter json_counters[] = {PS_COUNTER_KafkaEventGetTimer, PS_COUNTER_KafkaCommitTimer,
                                                PS_COUNTER_KafkaEmptyCount, PS_COUNTER_COUNT};

const struct ps_stage_ops ps_source_kafka = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "kafka",
    .aliases = PS_WORDS("org.apache.flume.source.kafka.KafkaSource"),
    .summary = "a member of a Kafka consumer group; commits delivered records",
    .options = options,
    .plan_size = sizeof(struct kafka_plan),
    .state_size = sizeof(struct kafka_state),
    .client_holds_events = true,
    .json_counters = json_counters,
    .check = kafka_check,
    .build = kafka_build,
    .teardown = kafka_teardown,
    .open = kafka_open,
    .close = kafka_close,
    .outline = kafka_outline,
    .probe = kafka_probe,
    .source = &source,
};
