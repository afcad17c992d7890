/* Reads the settings of the fetch client from the properties that the stage sets for librdkafka. Defaults are those
 * of librdkafka, which are Java's. */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "core/text/list.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/cluster/property.h"
#include "stages/lib/least.h"

#include <string.h>

/* Maximum number of bytes of one answer. A larger answer saves nothing and causes cache misses: it does not
 * fit into the memory of the last answer, which is still in the CPU's caches. */
#define ANSWER_BYTES (1024U * 1024U)
#define ANSWER_BYTES_MIN (64U * 1024U)

static int32_t number(const struct ps_kafka_property_list *from, const char *name, uint64_t fallback)
{
    return (int32_t)ps_least(ps_kafka_property_number(from, name, fallback), INT32_MAX);
}

const char *const ps_kafka_assignor_names[PS_KAFKA_ASSIGNOR_COUNT] = {
    [PS_KAFKA_RANGE] = "range",
    [PS_KAFKA_ROUND_ROBIN] = "roundrobin",
    [PS_KAFKA_STICKY] = "cooperative-sticky",
};

static void add_assignor(struct ps_kafka_fetch_settings *settings, const char *name, size_t length)
{
    for (unsigned i = 0; i < PS_KAFKA_ASSIGNOR_COUNT; i++) {
        bool known = false;
        for (uint32_t j = 0; j < settings->assignor_count; j++)
            known |= settings->assignors[j] == i;
        if (!known && strlen(ps_kafka_assignor_names[i]) == length &&
            memcmp(ps_kafka_assignor_names[i], name, length) == 0)
            settings->assignors[settings->assignor_count++] = (enum ps_kafka_assignor)i;
    }
}

/* As in Java's ConsumerCoordinator, a member that also offers an eager assignor uses the eager protocol, because
 * other members may not know the cooperative one yet. */
static void read_assignors(struct ps_kafka_fetch_settings *settings, const char *strategy)
{
    struct ps_slice name;
    while (ps_list_next(&strategy, ", \t", &name))
        add_assignor(settings, name.data, name.length);
    if (settings->assignor_count == 0)
        add_assignor(settings, "range", strlen("range"));
    settings->cooperative = settings->assignor_count == 1 && settings->assignors[0] == PS_KAFKA_STICKY;
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
    uint64_t answer = ps_least(ANSWER_BYTES, held_bytes_max / 4);
    answer = answer > ANSWER_BYTES_MIN ? answer : ANSWER_BYTES_MIN;
    *settings = (struct ps_kafka_fetch_settings){
        .session_ms = number(&from, "session.timeout.ms", 45000),
        .rebalance_ms = number(&from, "max.poll.interval.ms", 300000),
        .heartbeat_ns = (uint64_t)number(&from, "heartbeat.interval.ms", 3000) * PS_NS_PER_MS,
        .reset = reset_of(&from),
        .committed_only =
            !ps_kafka_property_is(&from, "isolation.level", "read_uncommitted", "read_committed"),
        .checks_sums = !ps_kafka_property_is(&from, "check.crcs", "false", "true"),
        .wait_ms = number(&from, "fetch.wait.max.ms", 500),
        .bytes_min = number(&from, "fetch.min.bytes", 1),
        .bytes_max = (int32_t)ps_least((uint64_t)number(&from, "fetch.max.bytes", INT32_MAX), answer),
        .partition_bytes_max = number(&from, "max.partition.fetch.bytes", ANSWER_BYTES),
    };
    read_assignors(settings, strategy);
}

enum ps_status ps_kafka_fetch_fits(const struct ps_pair *pairs, size_t count, struct ps_err *err)
{
    return ps_kafka_native_fits(pairs, count, err);
}
