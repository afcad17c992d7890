/* The settings of the fetch client, out of the properties that the stage sets for librdkafka. Defaults are librdkafka's, which
 * are Java's. */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/kafka/native/native.h"
#include "stages/lib/kafka/native/property.h"
#include "stages/lib/least.h"

#include <string.h>

/* Bytes of one answer. A larger answer saves nothing, and costs cache misses: it does not fit into the memory of the last answer, which
 * is in the CPU's caches. */
#define ANSWER_BYTES (1024U * 1024U)
#define ANSWER_BYTES_MIN (64U * 1024U)

static int32_t number(const struct ps_kafka_property_list *from, const char *name, uint64_t fallback)
{
    return (int32_t)ps_least(ps_kafka_property_number(from, name, fallback), INT32_MAX);
}

static enum ps_kafka_reset reset_of(const struct ps_kafka_property_list *from)
{
    const char *text = ps_kafka_property(from, "auto.offset.reset");
    if (text == NULL)
        return PS_KAFKA_RESET_LATEST;
    if (strcmp(text, "error") == 0)
        return PS_KAFKA_RESET_ERROR;
    bool earliest =
        strcmp(text, "earliest") == 0 || strcmp(text, "smallest") == 0 || strcmp(text, "beginning") == 0;
    return earliest ? PS_KAFKA_RESET_EARLIEST : PS_KAFKA_RESET_LATEST;
}

void ps_kafka_fetch_settings_read(struct ps_kafka_fetch_settings *settings, const struct ps_pair *pairs,
                                  size_t count, uint64_t held_bytes_max)
{
    const struct ps_kafka_property_list from = {pairs, count};
    const char *strategy = ps_kafka_property(&from, "partition.assignment.strategy");
    if (strategy == NULL)
        strategy = "range,roundrobin";
    const char *range = strstr(strategy, "range"), *round_robin = strstr(strategy, "roundrobin");
    uint64_t answer = ps_least(ANSWER_BYTES, held_bytes_max / 4);
    answer = answer > ANSWER_BYTES_MIN ? answer : ANSWER_BYTES_MIN;
    *settings = (struct ps_kafka_fetch_settings){
        .session_ms = number(&from, "session.timeout.ms", 45000),
        .rebalance_ms = number(&from, "max.poll.interval.ms", 300000),
        .heartbeat_ns = (uint64_t)number(&from, "heartbeat.interval.ms", 3000) * PS_NS_PER_MS,
        .range = range != NULL,
        .round_robin = round_robin != NULL,
        .round_robin_first = round_robin != NULL && (range == NULL || round_robin < range),
        .reset = reset_of(&from),
        .committed_only =
            !ps_kafka_property_is(&from, "isolation.level", "read_uncommitted", "read_committed"),
        .checks_sums = !ps_kafka_property_is(&from, "check.crcs", "false", "true"),
        .wait_ms = number(&from, "fetch.wait.max.ms", 500),
        .bytes_min = number(&from, "fetch.min.bytes", 1),
        .bytes_max = (int32_t)ps_least((uint64_t)number(&from, "fetch.max.bytes", INT32_MAX), answer),
        .partition_bytes_max = number(&from, "max.partition.fetch.bytes", ANSWER_BYTES),
    };
}

enum ps_status ps_kafka_fetch_fits(const struct ps_pair *pairs, size_t count, struct ps_err *err)
{
    const struct ps_kafka_property_list from = {pairs, count};
    const char *strategy = ps_kafka_property(&from, "partition.assignment.strategy");
    if (strategy != NULL && strcasestr(strategy, "cooperative") != NULL)
        return ps_err_set(err, "partition.assignment.strategy=%s", strategy);
    return ps_kafka_native_fits(pairs, count, err);
}
