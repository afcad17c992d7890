/* Takes leases, and finds the partition of each event. */
#include "stages/sinks/hive/internal.h"

#include <string.h>

static bool is_same(const struct ps_hive_partition *partition, const char *key, uint32_t length)
{
    return partition != NULL && partition->key_length == length && memcmp(partition->key, key, length) == 0;
}

static void refuse(struct ps_hive_sink *sink, const char *reason)
{
    char tries[PS_LOG_BACKOFF_BYTES], trouble[512];
    snprintf(trouble, sizeof trouble, "an event cannot be written: %.450s", reason);
    ps_port_rolls_back(sink->port, trouble);
    ps_count(sink->port->counters, PS_COUNTER_EventWriteFail, 1);
    if (ps_log_backoff_says(&sink->flaws.batch, reason, sink->now.mono_ns))
        ps_log(PS_LOG_ERROR, sink->port->component,
               "an event cannot be written: %s. Its batch, and all batches after it, wait%s; set "
               "penstock.deadletter to take out only such events",
               reason, ps_log_backoff_text(&sink->flaws.batch, sink->now.mono_ns, tries));
}

/* Finds the partitions of all events. Returns PS_TAKEN if all events have a partition or become dead letters. */
static enum ps_result find_partitions(struct ps_hive_sink *sink, const struct ps_lease *lease)
{
    char key[PS_HIVE_VALUES_BYTES];
    struct ps_hive_partition *partition = NULL;
    memset(sink->flaws.bits, 0, sizeof sink->flaws.bits);
    for (uint32_t position = lease->cursor; position < lease->count; position++) {
        uint32_t length;
        sink->found[position] = NULL;
        if (ps_lease_is_settled(lease, position))
            continue;
        if (partition == NULL || !sink->settings->is_constant) {
            const char *flaw = ps_hive_key_of(sink, lease, position, key, &length);
            if (flaw != NULL && !ps_port_has_deadletter(sink->port)) {
                refuse(sink, flaw);
                return PS_RETRY;
            }
            if (flaw != NULL) {
                sink->flaws.bits[position / 64] |= UINT64_C(1) << position % 64;
                continue;
            }
            if (!is_same(partition, key, length) &&
                (partition = ps_hive_partition_get(sink, key, length)) == NULL)
                return PS_LATER;
        }
        sink->found[position] = partition;
    }
    return PS_TAKEN;
}

static void place_events(struct ps_hive_sink *sink, struct ps_lease *lease)
{
    struct ps_hive_partition *partition = NULL;
    for (uint32_t position = lease->cursor; position < lease->count; position++) {
        if (sink->flaws.bits[position / 64] >> position % 64 & 1)
            ps_held_group_add(&sink->pool, &sink->flaws.events, lease, position, 1);
        if (sink->found[position] == NULL)
            continue;
        partition = sink->found[position];
        ps_held_group_add(&sink->pool, &partition->waiting, lease, position, 1);
    }
    if (partition != NULL)
        ps_hive_partition_pump(partition);
}

bool ps_hive_sink_has_room(const struct ps_hive_sink *sink)
{
    return sink->asking.state == PS_HIVE_TABLE_KNOWN && !ps_held_is_full(&sink->held) &&
           sink->held.pinned_bytes < sink->settings->held_bytes_max &&
           sink->filesystem->held_bytes + sink->orc_bytes < sink->settings->held_bytes_max;
}

enum ps_result ps_hive_sink_take(struct ps_hive_sink *sink, struct ps_lease **lease, const struct ps_now *now)
{
    sink->now = *now;
    sink->recall_ns = 0;
    sink->refused = !ps_hive_sink_has_room(sink) || !ps_held_pool_reserve(&sink->pool, (*lease)->count);
    sink->ends = sink->refused;
    if (sink->refused)
        return PS_LATER;
    enum ps_result result = find_partitions(sink, *lease);
    if (result != PS_TAKEN)
        return result;
    sink->flaws.batch = (struct ps_log_backoff){.tries = 0};
    struct ps_lease *taken = *lease;
    ps_held_add(&sink->held, lease);
    place_events(sink, taken);
    return PS_TAKEN;
}
