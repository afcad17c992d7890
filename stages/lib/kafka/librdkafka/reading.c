/* Implements kafka/fetch/seam.h with librdkafka. */
#include "stages/lib/kafka/librdkafka/farewell.h"
#include "stages/lib/kafka/librdkafka/rebalance.h"
#include "stages/lib/kafka/fetch/seam.h"

#include <stdlib.h>

/* How long `destroy` waits for the library: it is done in milliseconds, unless a coordinator is silent. */
#define PATIENCE_MS 1000U

struct reading {
    struct ps_kafka_reading base;
    struct ps_kafka_group group;
    bool has_pattern;
};

static struct ps_kafka_group *group_of(struct ps_kafka_reading *reading)
{
    return &((struct reading *)reading)->group;
}

static const struct ps_kafka_group *const_group_of(const struct ps_kafka_reading *reading)
{
    return &((const struct reading *)reading)->group;
}

static struct ps_kafka_reading *open_reading(const struct ps_kafka_reading_config *config, struct ps_err *err)
{
    struct ps_port *port = config->port;
    struct reading *reading = ps_must_alloc(1, sizeof *reading, "a Kafka consumer");
    const struct ps_kafka_consumer_config consumer = {
        .component = port->component,
        .group_instance_id = config->group_instance_id,
        .instance = port->instance,
        .pairs = config->pairs,
        .pair_count = config->pair_count,
        .subscription = config->subscription,
        .wanted = config->wanted,
        .cooperative = config->cooperative,
        .wake_fd = port->wake_fd,
    };
    ps_kafka_group_init(&reading->group, port->component, port->counters, config->commit_interval_ns,
                        config->revoke_wait_ns);
    reading->group.sink_commits = config->sink_commits;
    reading->has_pattern = config->subscription.count == 1 && config->subscription.items[0][0] == '^';
    reading->base = (struct ps_kafka_reading){&reading->group.streams, &reading->group.membership};
    if (ps_kafka_consumer_open(&reading->group.consumer, &consumer, err) == PS_OK) {
        if (config->place != NULL && config->group_instance_id == NULL)
            ps_kafka_group_remember(&reading->group, config->place, config->group, config->pairs,
                                    config->pair_count);
        return &reading->base;
    }
    ps_kafka_group_fini(&reading->group);
    free(reading);
    return NULL;
}

static void destroy(struct ps_kafka_reading *reading)
{
    struct ps_kafka_consumer *consumer = &group_of(reading)->consumer;
    bool has_left = !consumer->fatal && ps_kafka_consumer_closed(consumer);
    struct ps_kafka_farewell *farewell = ps_kafka_farewell_begin(consumer, false);
    ps_kafka_farewell_end(farewell, PATIENCE_MS);
    if (has_left)
        ps_kafka_group_left(group_of(reading));
    ps_kafka_group_fini(group_of(reading));
    free(reading);
}

static uint64_t tick(struct ps_kafka_reading *reading, bool paused, uint64_t mono_ns)
{
    struct ps_kafka_group *group = group_of(reading);
    uint64_t next_ns = ps_kafka_group_tick(group, mono_ns);
    uint64_t refill_ns = paused ? PS_NEVER : ps_kafka_consumer_refill(&group->consumer, mono_ns);
    return refill_ns < next_ns ? refill_ns : next_ns;
}

static enum ps_kafka_take take(void *argument, const struct ps_kafka_message *message)
{
    return ps_kafka_record_take(argument, message);
}

static uint32_t stream_of(void *argument, const rd_kafka_message_t *message)
{
    struct ps_kafka_record_state *record = argument;
    return ps_kafka_streams_of_record(record->streams, message);
}

static uint32_t read_records(struct ps_kafka_reading *reading, struct ps_kafka_record_state *record)
{
    const struct ps_kafka_consumer_reader reader = {.stream = stream_of, .take = take, .argument = record};
    return ps_kafka_consumer_read(&group_of(reading)->consumer, &reader);
}

static bool has_kept(const struct ps_kafka_reading *reading)
{
    return ps_kafka_consumer_has_kept(&const_group_of(reading)->consumer);
}

static void forget(struct ps_kafka_reading *reading)
{
    ps_kafka_consumer_forget_kept(&group_of(reading)->consumer);
}

static bool failed(const struct ps_kafka_reading *reading, struct ps_err *reason)
{
    const struct ps_kafka_group *group = const_group_of(reading);
    if (!group->consumer.fatal && !group->consumer.no_memory && !group->no_membership)
        return false;
    if (group->no_membership)
        ps_err_set(reason, "librdkafka does not report the member of the group or the id of the cluster, "
                           "which the sink's transactions need");
    else
        ps_kafka_consumer_failure(&group->consumer, reason);
    return true;
}

static enum ps_lack lack(struct ps_kafka_reading *reading, const char **why)
{
    struct ps_kafka_group *group = group_of(reading);
    return ps_kafka_reports_lack(&group->consumer.reports, ps_kafka_streams_has_owned(&group->streams),
                                 ((struct reading *)reading)->has_pattern, group->mono_ns, why);
}

static bool is_drained(const struct ps_kafka_reading *reading)
{
    return ps_kafka_group_is_drained(const_group_of(reading));
}

static bool settle(struct ps_kafka_reading *reading)
{
    return ps_kafka_group_settle(group_of(reading));
}

static void leave(struct ps_kafka_reading *reading)
{
    ps_kafka_consumer_close(&group_of(reading)->consumer);
    /* all records that were read are delivered, so a revocation need not wait */
    group_of(reading)->revoke_wait_ns = 0;
}

static bool left(const struct ps_kafka_reading *reading)
{
    return ps_kafka_consumer_closed(&const_group_of(reading)->consumer);
}

const struct ps_kafka_reading_engine ps_kafka_reading_librdkafka = {
    .name = "librdkafka",
    .open = open_reading,
    .destroy = destroy,
    .tick = tick,
    .read = read_records,
    .has_kept = has_kept,
    .forget = forget,
    .failed = failed,
    .lack = lack,
    .is_drained = is_drained,
    .settle = settle,
    .leave = leave,
    .left = left,
};
