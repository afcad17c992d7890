/* Channel kafka (org.apache.flume.channel.kafka.KafkaChannel): a topic is the channel. Sources produce to it, and sinks
 * are consumers of one group. Other agents, of Flume or of penstock, may use the topic as well, so the channel may have no
 * source here, or no sink.
 *
 * A put is promised when the brokers have acknowledged its events (stages/lib/kafka/channel/put.h). Offsets are committed when
 * a sink has delivered their events (stages/lib/kafka/channel/take.h). This file has the keys, the checks, and the plans that
 * follow from them; docs/stages/channel_kafka.md describes the differences to Flume.
 *
 * Thread: check, build, start, strip, restore, teardown: control; all others: the worker of the producer or consumer. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/flow/engine_channel.h"
#include "core/quantity.h"
#include "core/text/list.h"
#include "stages/lib/kafka/channel/put.h"
#include "stages/lib/kafka/channel/take.h"
#include "stages/lib/kafka/client_plan.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/options.h"
#include "stages/lib/kafka/probe.h"
#include "stages/lib/kafka/produce/partition.h"

/* Limit of the waits of `part`, or else `strip`, for the brokers: for the last commits, and for leaving the group. */
#define LEAVE_WAIT_NS (5 * PS_NS_PER_S)
#define IN_FLIGHT_BYTES_MAX (UINT64_C(64) << 20)
/* Java's max.block.ms: how long a put waits for room. */
#define PUT_WAIT_MS UINT64_C(60000)
/* Java's delivery.timeout.ms: limit of the time that a client waits if its source can refuse it. */
#define DELIVERY_MS UINT64_C(120000)
/* /readyz reports a channel whose brokers have acknowledged nothing for this long. */
#define TROUBLE_NS (10 * PS_NS_PER_S)
/* Leases of the last plan that belonged to other workers are taken by any producer after this time. */
#define CARRIED_WAIT_NS PS_NS_PER_S
/* Divisor of the channel's share of the memory budget: the other part is for the bytes that its sinks read. */
#define PUT_SHARE 2U

struct kafka_channel {
    const char *bootstrap_servers, *topic, *group, *partition_header, *zookeeper;
    bool parse_as_flume_event, migrate_offsets;
    bool identities; /* a sink reads those of the events */
    const char *read_smallest_text;
    int64_t default_partition, poll_timeout_ms;
    struct ps_pairs producer_pairs, consumer_pairs;

    struct ps_kafka_settings producer_settings, consumer_settings;
    struct ps_kafka_channel_put_plan putter;
    struct ps_kafka_channel_take_plan taker;
    unsigned producer_count, consumer_count;
    uint64_t keep_alive_ms;
    /* Number of producers; without producers 1, for leases that a reload carries over (the first consumer's worker). */
    unsigned put_count;
    struct ps_kafka_channel_put *puts;
    struct ps_kafka_channel_take *takes;
    struct ps_kafka_channel_carried carried;
    bool forsaken;             /* a reload removes the channel: `teardown` logs what stays in the topic */
    struct ps_counters *spare; /* used if the context has none */
};

#define FIELD(name) offsetof(struct kafka_channel, name)

static const struct ps_option options[] = {
    PS_KAFKA_SERVERS_OPTION_ROW(FIELD(bootstrap_servers), PS_WORDS("brokerList")),
    {.key = "kafka.topic",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(topic),
     .fallback = "flume-channel",
     .aliases = PS_WORDS("topic"),
     .help = "the topic that is the channel"},
    {.key = "kafka.consumer.group.id",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(group),
     .fallback = "flume",
     .aliases = PS_WORDS("groupId"),
     .help = "consumer group of the sinks; channels of one topic and group share its events"},
    {.key = "parseAsFlumeEvent",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(parse_as_flume_event),
     .fallback = "true",
     .help = "put headers and body into records as an Avro datum (AvroFlumeEvent), not only the body"},
    PS_KAFKA_PARTITION_OPTION_ROWS(FIELD(default_partition), FIELD(partition_header)),
    {.key = "kafka.pollTimeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(poll_timeout_ms),
     .fallback = "500",
     .min = 0,
     .max = INT64_MAX,
     .unit = "ms",
     .aliases = PS_WORDS("pollTimeout"),
     .flags = PS_OPTION_NO_EFFECT,
     .help = "no sink waits in a poll here: records wake its worker"},
    PS_KAFKA_PRODUCER_OPTION_ROW(FIELD(producer_pairs)),
    {.key = "kafka.consumer.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(consumer_pairs),
     .help = "properties of the Java consumer, see docs/KAFKA_PROPERTIES.md; auto.offset.reset is earliest "
             "if not set"},
    {.key = "readSmallestOffset",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(read_smallest_text),
     .flags = PS_OPTION_DEPRECATED,
     .help = "use kafka.consumer.auto.offset.reset: earliest for true, latest for false"},
    PS_KAFKA_ZOOKEEPER_OPTION_ROWS(FIELD(zookeeper), FIELD(migrate_offsets)),
    PS_OPTION_END,
};

/* ---- check ---- */

static void note(const struct ps_context *context, const char *prefix, enum ps_log_level severity,
                 const char *key, const char *message)
{
    char name[256];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    ps_report(context, severity, name, "%s", message);
}

static void note_producer(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    note(argument, "kafka.producer.", severity, key, message);
}

static void note_consumer(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    note(argument, "kafka.consumer.", severity, key, message);
}

static enum ps_status channel_check(const void *plan_, const struct ps_context *context)
{
    const struct kafka_channel *plan = plan_;
    void *argument = (void *)(uintptr_t)context;
    const struct ps_notes producer = {.report = note_producer, .argument = argument};
    const struct ps_notes consumer = {.report = note_consumer, .argument = argument};
    int32_t acks = ps_kafka_peek(PS_KAFKA_PRODUCER, &plan->producer_pairs, NULL).acks;
    enum ps_status status = ps_kafka_servers_check(context, plan->bootstrap_servers) ? PS_OK : PS_FAIL;
    if (ps_kafka_acks_are_weak(acks))
        ps_report(context, PS_LOG_WARN, "kafka.producer.acks", "%s", ps_kafka_acks_warning(acks));
    if (!ps_kafka_topic_check(context, "kafka.topic", plan->topic))
        status = PS_FAIL;
    if (ps_kafka_native_check(PS_KAFKA_PRODUCER, &plan->producer_pairs, context, &producer) != PS_OK)
        status = PS_FAIL;
    if (ps_kafka_native_check(PS_KAFKA_CONSUMER, &plan->consumer_pairs, context, &consumer) != PS_OK)
        status = PS_FAIL;
    return status;
}

/* ---- build ---- */

static void name_client(struct ps_kafka_settings *settings, struct ps_context *context)
{
    if (settings->texts.client_id == NULL)
        ps_kafka_text_set(&settings->texts.client_id,
                          ps_arena_format(context->arena, "penstock-%s-%s", context->agent, context->name));
}

/* Maps events to records as KafkaChannel.doPut does: the header `key` is the record's key, and a partition header has
 * precedence over the default partition. */
static enum ps_status build_producer(struct kafka_channel *plan, struct ps_context *context,
                                     struct ps_err *err)
{
    struct ps_kafka_settings *settings = &plan->producer_settings;
    if (ps_kafka_translate(PS_KAFKA_PRODUCER, &plan->producer_pairs, context, NULL, settings, err) != PS_OK)
        return PS_FAIL;
    ps_kafka_text_set(&settings->texts.servers, plan->bootstrap_servers);
    name_client(settings, context);
    const struct ps_kafka_sender_wants wants = {
        .queue_bytes = context->client_queue_bytes,
        .in_flight_bytes_max = IN_FLIGHT_BYTES_MAX,
        .native = true,
    };
    if (ps_kafka_native_fits(settings, err) != PS_OK ||
        ps_kafka_sender_plan_build(&plan->putter.sender, settings, &wants, err) != PS_OK)
        return PS_FAIL;
    plan->putter.sender.may_give_up = true;
    struct ps_kafka_mapping *mapping = &plan->putter.sender.mapping;
    *mapping = (struct ps_kafka_mapping){
        .topic = plan->topic,
        .topic_length = (uint32_t)strlen(plan->topic),
        .key_header = ps_name_intern("key"),
        .default_partition = (int32_t)plan->default_partition,
        .event_format = plan->parse_as_flume_event,
    };
    mapping->mask = mapping->key_header->mask;
    if (plan->partition_header != NULL) {
        mapping->partition_header = ps_name_intern(plan->partition_header);
        mapping->mask |= mapping->partition_header->mask;
    }
    return PS_OK;
}

/* Flume's code begins with the oldest record; its guide says with the newest. */
static enum ps_kafka_reset offset_reset(const struct kafka_channel *plan)
{
    if (plan->read_smallest_text != NULL && strcasecmp(plan->read_smallest_text, "true") != 0)
        return PS_KAFKA_RESET_LATEST;
    return PS_KAFKA_RESET_EARLIEST;
}

static enum ps_status build_consumer(struct kafka_channel *plan, struct ps_context *context,
                                     struct ps_err *err)
{
    struct ps_kafka_settings *settings = &plan->consumer_settings;
    if (ps_kafka_translate(PS_KAFKA_CONSUMER, &plan->consumer_pairs, context, NULL, settings, err) != PS_OK)
        return PS_FAIL;
    ps_kafka_text_set(&settings->texts.servers, plan->bootstrap_servers);
    if (ps_pairs_get(&plan->consumer_pairs, "auto.offset.reset") == NULL)
        settings->reader.reset = offset_reset(plan);
    name_client(settings, context);
    if (ps_kafka_native_fits(settings, err) != PS_OK)
        return PS_FAIL;
    const char **topics = ps_arena_alloc(context->arena, sizeof *topics);
    topics[0] = plan->topic;
    plan->taker = (struct ps_kafka_channel_take_plan){
        .component = context->component,
        .settings = settings,
        .subscription = {1, topics},
        .record = {.key = ps_name_intern("key"),
                   .group = plan->group,
                   .flume_event_format = plan->parse_as_flume_event,
                   .identities = plan->identities,
                   .batch_events_max = context->batch_events_max},
        .revoke_wait_ns = ps_kafka_revoke_wait_ns(settings),
        .held_bytes_max = context->client_queue_bytes,
        .place = ps_kafka_place_plan_of(context, "channel"),
    };
    return PS_OK;
}

/* Returns the counters of one side: producers first, then consumers. */
static struct ps_counters *counters_of(struct kafka_channel *plan, const struct ps_context *context,
                                       unsigned side)
{
    return context->counters != NULL ? &context->counters[side] : plan->spare;
}

/* Returns a Java property, or Java's default for it. */
static uint64_t milliseconds_of(const struct ps_pairs *pairs, const char *name, uint64_t otherwise)
{
    const char *text = ps_pairs_get(pairs, name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void channel_set_quota(void *plan_, uint64_t channel_quota_bytes)
{
    struct kafka_channel *plan = plan_;
    plan->putter.memory_bytes_max = channel_quota_bytes / PUT_SHARE / plan->put_count;
}

static void build_sides(struct kafka_channel *plan, struct ps_context *context)
{
    if (context->counters == NULL)
        plan->spare = ps_must_alloc_aligned(sizeof *plan->spare, "a channel");
    plan->producer_count = context->producers;
    plan->consumer_count = context->consumers;
    plan->put_count = context->producers > 0 ? context->producers : 1;
    plan->puts = ps_must_alloc_aligned(plan->put_count * sizeof *plan->puts, "a channel");
    plan->takes = ps_must_alloc_aligned((plan->consumer_count + 1) * sizeof *plan->takes, "a channel");
    pthread_mutex_init(&plan->carried.lock, NULL);
    plan->putter.component = context->component;
    channel_set_quota(plan, context->channel_quota_bytes);
    plan->putter.patience_ns =
        milliseconds_of(&plan->producer_pairs, "delivery.timeout.ms", DELIVERY_MS) * PS_NS_PER_MS;
    for (unsigned i = 0; i < plan->put_count; i++)
        ps_kafka_channel_put_init(&plan->puts[i], &plan->putter, counters_of(plan, context, i));
    for (unsigned i = 0; i < plan->consumer_count; i++)
        ps_kafka_channel_take_init(&plan->takes[i], &plan->taker, i,
                                   counters_of(plan, context, plan->producer_count + i));
}

static void channel_teardown(void *plan_)
{
    struct kafka_channel *plan = plan_;
    if (plan->forsaken && plan->consumer_count > 0)
        ps_kafka_channel_take_say_left_over(plan->takes, plan->consumer_count, plan->bootstrap_servers);
    pthread_mutex_destroy(&plan->carried.lock);
    for (unsigned i = 0; plan->puts != NULL && i < plan->put_count; i++)
        ps_kafka_channel_put_fini(&plan->puts[i]);
    for (unsigned i = 0; plan->takes != NULL && i < plan->consumer_count; i++)
        ps_kafka_channel_take_fini(&plan->takes[i]);
    free(plan->spare);
    free(plan->puts);
    free(plan->takes);
    plan->spare = NULL;
    plan->puts = NULL;
    plan->takes = NULL;
    ps_kafka_settings_fini(&plan->producer_settings);
    ps_kafka_settings_fini(&plan->consumer_settings);
}

static enum ps_status channel_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct kafka_channel *plan = plan_;
    plan->keep_alive_ms = milliseconds_of(&plan->producer_pairs, "max.block.ms", PUT_WAIT_MS);
    if (build_producer(plan, context, err) != PS_OK) {
        channel_teardown(plan);
        return ps_err_append(err, "keys kafka.producer.*");
    }
    if (build_consumer(plan, context, err) != PS_OK) {
        channel_teardown(plan);
        return ps_err_append(err, "keys kafka.consumer.*");
    }
    build_sides(plan, context);
    return PS_OK;
}

/* ---- running ---- */

static enum ps_put channel_put(void *plan, unsigned producer, struct ps_lease **lease,
                               const struct ps_now *now)
{
    return ps_kafka_channel_put_add(&((struct kafka_channel *)plan)->puts[producer], lease, now);
}

/* Takes the leases of the last plan, which are put first. */
static void take_carried(struct kafka_channel *plan, struct ps_kafka_channel_put *put,
                         const struct ps_port *port, const struct ps_now *now)
{
    bool takes_all =
        plan->producer_count == 0 || (put->since_ns != 0 && now->mono_ns - put->since_ns >= CARRIED_WAIT_NS);
    unsigned worker = ps_pool_worker(port->pool);
    struct ps_lease *list = ps_kafka_channel_carried_take(&plan->carried, takes_all ? NULL : &worker);
    if (list != NULL)
        ps_kafka_channel_put_front(put, list);
}

static uint64_t put_tick(struct kafka_channel *plan, unsigned number, struct ps_port *port,
                         const struct ps_now *now)
{
    struct ps_kafka_channel_put *put = &plan->puts[number];
    take_carried(plan, put, port, now);
    uint64_t next_ns = ps_kafka_channel_put_tick(put, port, now);
    uint64_t rest_ns = put->since_ns + CARRIED_WAIT_NS;
    return plan->carried.events > 0 && rest_ns > now->mono_ns && rest_ns < next_ns ? rest_ns : next_ns;
}

static uint64_t channel_tick(void *plan, unsigned producer, struct ps_port *port, const struct ps_now *now)
{
    return put_tick(plan, producer, port, now);
}

static bool channel_hungry(const void *plan, unsigned producer)
{
    return ps_kafka_channel_put_hungry(&((const struct kafka_channel *)plan)->puts[producer]);
}

static uint64_t channel_consumer_tick(void *plan_, unsigned consumer, struct ps_port *port,
                                      const struct ps_now *now)
{
    struct kafka_channel *plan = plan_;
    uint64_t next_ns = ps_kafka_channel_take_tick(&plan->takes[consumer], port, now);
    if (plan->producer_count > 0 || consumer > 0 || plan->carried.events == 0)
        return next_ns;
    uint64_t put_ns = put_tick(plan, 0, port, now);
    return put_ns < next_ns ? put_ns : next_ns;
}

static struct ps_lease *channel_take(void *plan, unsigned consumer, struct ps_port *port,
                                     const struct ps_now *now)
{
    return ps_kafka_channel_take_next(&((struct kafka_channel *)plan)->takes[consumer], port, now);
}

/* Called for a lease that a sink has released: sends it to its home, the window of its consumer. */
static void channel_done(void *, unsigned, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

static void channel_untake(void *plan, unsigned consumer, struct ps_lease **lease)
{
    struct ps_kafka_channel_take *take = &((struct kafka_channel *)plan)->takes[consumer];
    ps_count(take->counters, PS_COUNTER_RollbackCount, 1);
    ps_kafka_channel_take_back(take, lease);
}

static void channel_leave(void *plan, unsigned consumer, struct ps_port *port)
{
    ps_kafka_channel_take_leave(&((struct kafka_channel *)plan)->takes[consumer], port);
}

/* The events in the topic are not counted: their number is not known without asking the brokers, and they are safe there. */
static void channel_fill(const void *plan_, struct ps_fill *fill)
{
    const struct kafka_channel *plan = plan_;
    uint64_t events = plan->carried.events, bytes = plan->carried.bytes;
    for (unsigned i = 0; i < plan->put_count; i++) {
        const struct ps_kafka_channel_put *put = &plan->puts[i];
        events += __atomic_load_n(&put->events, __ATOMIC_RELAXED) -
                  __atomic_load_n(&put->front_events, __ATOMIC_RELAXED);
        bytes += __atomic_load_n(&put->bytes, __ATOMIC_RELAXED) -
                 __atomic_load_n(&put->front_bytes, __ATOMIC_RELAXED);
    }
    /* Workers update the numbers meanwhile, so a difference may be negative. */
    *fill =
        (struct ps_fill){.size = (int64_t)events > 0 ? events : 0, .bytes = (int64_t)bytes > 0 ? bytes : 0};
}

static uint64_t channel_keep_alive_ms(const void *plan)
{
    return ((const struct kafka_channel *)plan)->keep_alive_ms;
}

static bool channel_trouble(const void *plan_, char *text, size_t room)
{
    const struct kafka_channel *plan = plan_;
    uint64_t now_ns = ps_clock_now().mono_ns;
    char reason[PS_KAFKA_REASON_BYTES];
    for (unsigned i = 0; i < plan->put_count; i++) {
        uint64_t since_ns = __atomic_load_n(&plan->puts[i].stuck_since_ns, __ATOMIC_RELAXED);
        if (since_ns == 0 || now_ns < since_ns + TROUBLE_NS)
            continue;
        ps_kafka_reason_read(&plan->puts[i].reason, reason,
                             "check the brokers, and that the topic may be written");
        snprintf(text, room, "the brokers have acknowledged nothing for %s: %s",
                 ps_quantity_print_ns(now_ns - since_ns).text, reason);
        return true;
    }
    for (unsigned i = 0; i < plan->consumer_count; i++) {
        if (ps_kafka_channel_take_trouble(&plan->takes[i], text, room))
            return true;
    }
    return false;
}

/* ---- reload and stop ---- */

/* Returns whether a broker is in both lists: then the lists are of one cluster. */
static bool share_a_broker(const char *a, const char *b)
{
    struct ps_slice address;
    while (ps_list_next(&a, ", \t", &address))
        if (ps_list_has(b, ", \t", address.data, address.length))
            return true;
    return false;
}

/* Several channels of one topic and group share its events, so any of them can take over the work of another. */
static bool channel_goes_on(const void *plan_, const void *next_)
{
    const struct kafka_channel *plan = plan_, *next = next_;
    return next->consumer_count > 0 && strcmp(plan->topic, next->topic) == 0 &&
           strcmp(plan->group, next->group) == 0 &&
           share_a_broker(plan->bootstrap_servers, next->bootstrap_servers);
}

static void channel_forsake(void *plan)
{
    ((struct kafka_channel *)plan)->forsaken = true;
}

static bool channel_part(void *plan, unsigned consumer, const struct ps_now *now)
{
    struct ps_kafka_channel_take *take = &((struct kafka_channel *)plan)->takes[consumer];
    if (!take->parting)
        take->part_until_ns = now->mono_ns + LEAVE_WAIT_NS;
    return ps_kafka_channel_take_part(take, take->part_until_ns, now->mono_ns);
}

/* Ends all clients at the same time, so that several that wait for an answer do not wait longer than one. */
static void end_clients(struct kafka_channel *plan)
{
    uint64_t until_ns = ps_clock_now().mono_ns + LEAVE_WAIT_NS;
    for (bool all = false; !all;) {
        all = true;
        for (unsigned i = 0; i < plan->put_count; i++)
            all &= ps_kafka_channel_put_recall(&plan->puts[i]);
        for (unsigned i = 0; i < plan->consumer_count; i++)
            all &= ps_kafka_channel_take_part(&plan->takes[i], until_ns, ps_clock_now().mono_ns);
        if (!all)
            nanosleep(&(struct timespec){.tv_nsec = (long)PS_NS_PER_MS}, NULL);
    }
}

static struct ps_lease *channel_strip(void *plan_)
{
    struct kafka_channel *plan = plan_;
    struct ps_lease *list = NULL, **end = &list;
    *end = ps_kafka_channel_carried_take(&plan->carried, NULL);
    while (*end != NULL)
        end = &(*end)->next;
    end_clients(plan);
    for (unsigned i = 0; i < plan->put_count; i++)
        end = ps_kafka_channel_put_strip(&plan->puts[i], end);
    return list;
}

static void channel_restore(void *plan, struct ps_lease *list)
{
    struct ps_kafka_channel_carried *carried = &((struct kafka_channel *)plan)->carried;
    carried->first = list;
    for (; list != NULL; list = list->next) {
        carried->events += list->count;
        carried->bytes += list->bytes;
    }
}

/* ---- outline and probe ---- */

static void channel_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct kafka_channel *plan = plan_;
    int32_t acks = ps_kafka_peek(PS_KAFKA_PRODUCER, &plan->producer_pairs, NULL).acks;
    ps_kafka_outline(out, plan->bootstrap_servers, &plan->producer_pairs);
    fprintf(out, ", topic %s, group %s, %s, acks %s", plan->topic, plan->group,
            plan->parse_as_flume_event ? "Flume events" : "bodies", ps_kafka_acks_word(acks));
    if (ps_kafka_acks_are_weak(acks))
        fputs(" (events can be lost)", out);
}

static const char *channel_weakness(const void *plan_)
{
    const struct kafka_channel *plan = plan_;
    return ps_kafka_acks_are_weak(ps_kafka_peek(PS_KAFKA_PRODUCER, &plan->producer_pairs, NULL).acks)
               ? "with this acks of the channel a broker that fails loses events that the channel has taken"
               : NULL;
}

/* Probes the brokers without joining the group. */
static void channel_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct kafka_channel *plan = plan_;
    const struct ps_kafka_probe producer = {.client = PS_KAFKA_PRODUCER,
                                            .pairs = &plan->producer_pairs,
                                            .brokers = plan->bootstrap_servers,
                                            .topics = {1, &plan->topic}};
    const struct ps_kafka_probe consumer = {.client = PS_KAFKA_CONSUMER,
                                            .pairs = &plan->consumer_pairs,
                                            .brokers = plan->bootstrap_servers,
                                            .topics = {1, &plan->topic},
                                            .identities = plan->identities};
    if (context->producers > 0 || context->consumers == 0)
        ps_kafka_probe(probe, context, &producer);
    if (context->consumers > 0)
        ps_kafka_probe(probe, context, &consumer);
}

static void channel_gives_identities(void *plan_)
{
    struct kafka_channel *plan = plan_;
    plan->identities = true;
}

/* Counters of org.apache.flume.instrumentation.kafka.KafkaChannelCounter. */
static const enum ps_counter json_counters[] = {PS_COUNTER_KafkaEventGetTimer, PS_COUNTER_KafkaEventSendTimer,
                                                PS_COUNTER_KafkaCommitTimer, PS_COUNTER_RollbackCount,
                                                PS_COUNTER_COUNT};

const struct ps_stage_ops ps_channel_kafka = {
    PS_STAGE(PS_KIND_CHANNEL),
    .name = "kafka",
    .aliases = PS_WORDS("org.apache.flume.channel.kafka.KafkaChannel"),
    .summary = "a Kafka topic: events are kept by the brokers, and other agents may share them",
    .options = options,
    .plan_size = sizeof(struct kafka_channel),
    .counters = ps_kafka_gauge_names,
    .json_counters = json_counters,
    .client_holds_events = true,
    .shared = true,
    .check = channel_check,
    .build = channel_build,
    .teardown = channel_teardown,
    .outline = channel_outline,
    .probe = channel_probe,
    .channel =
        &(const struct ps_channel_ops){
            .promises = PS_LEVEL_DURABLE,
            .tick = channel_tick,
            .put = channel_put,
            .consumer_tick = channel_consumer_tick,
            .take = channel_take,
            .done = channel_done,
            .untake = channel_untake,
            .leave = channel_leave,
            .hungry = channel_hungry,
            .fill = channel_fill,
            .keep_alive_ms = channel_keep_alive_ms,
            .trouble = channel_trouble,
            .weakness = channel_weakness,
            .engine =
                &(const struct ps_engine_channel_ops){
                    .gives_identities = channel_gives_identities,
                    .part = channel_part,
                    .strip = channel_strip,
                    .goes_on = channel_goes_on,
                    .forsake = channel_forsake,
                    .restore = channel_restore,
                    .set_quota = channel_set_quota,
                },
        },
};
