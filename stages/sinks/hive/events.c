/* Takes leases, and finds the partition of each event. Handles events that are not rows, or have no partition. */
#include "stages/sinks/hive/internal.h"

#include <string.h>

static const char too_long[] =
    "the values of its partition are longer than 2,048 bytes: check the headers in "
    "hive.partition";

static const char too_long_name[] =
    "a value of its partition makes a directory's name of more than 255 bytes, which no file system "
    "takes: check the headers in hive.partition";

static const char has_zero[] =
    "a value of its partition has a byte 0 in it: check the headers in hive.partition";

static const char no_value[] =
    "a value of its partition is no value of the partition key's type: check the headers "
    "in hive.partition";

static const char *const flaws[] = {
    [PS_ESCAPE_OK] = "a value of its partition is empty: check the headers in hive.partition",
    [PS_ESCAPE_NO_TIMESTAMP] =
        "hive.partition has a time escape, and the event has no header timestamp: add a "
        "timestamp interceptor, or "
        "set useLocalTimeStamp = true",
    [PS_ESCAPE_BAD_TIMESTAMP] =
        "hive.partition has a time escape, and the event's header timestamp is no number of "
        "milliseconds: correct "
        "what sets it, or set useLocalTimeStamp = true",
    [PS_ESCAPE_TOO_LONG] = too_long,
};

const char *ps_hive_key_of(struct ps_hive_sink *sink, const struct ps_lease *lease, uint32_t position,
                           char key[PS_HIVE_VALUES_BYTES], uint32_t *length)
{
    const struct ps_event *event = ps_lease_event(lease, position);
    *length = 0;
    for (uint32_t i = 0; i < sink->settings->value_count; i++) {
        uint32_t count = 0;
        enum ps_escape_result result =
            ps_escape_expand(sink->settings->values[i], &sink->caches[i], lease->batch, event, &sink->now,
                             key + *length, PS_HIVE_VALUES_BYTES - *length - 1, &count);
        if (result == PS_ESCAPE_OK && memchr(key + *length, 0, count) != NULL)
            return has_zero;
        if (result != PS_ESCAPE_OK || count == 0)
            return flaws[result];
        if (!ps_hive_target_key_value(&sink->table, i, key + *length, &count,
                                      PS_HIVE_VALUES_BYTES - *length - 1))
            return no_value;
        if (!ps_hive_target_key_fits(&sink->table, i, key + *length, count))
            return too_long_name;
        key[*length + count] = '\0';
        *length += count + 1;
        if (*length == PS_HIVE_VALUES_BYTES)
            return too_long;
    }
    return NULL;
}

static bool is_same(const struct ps_hive_partition *partition, const char *key, uint32_t length)
{
    return partition != NULL && partition->key_length == length && memcmp(partition->key, key, length) == 0;
}

static void refuse(struct ps_hive_sink *sink, const char *reason)
{
    char tries[PS_LOG_BACKOFF_BYTES];
    ps_count(sink->port->counters, PS_COUNTER_EventWriteFail, 1);
    if (ps_log_backoff_says(&sink->flawed_batch, reason, sink->now.mono_ns))
        ps_log(PS_LOG_ERROR, sink->port->component,
               "an event cannot be written: %s. Its batch, and all behind it, wait%s; with "
               "penstock.deadletter only "
               "such events are taken out",
               reason, ps_log_backoff_text(&sink->flawed_batch, sink->now.mono_ns, tries));
}

/* Finds the partitions of all events. Returns PS_TAKEN if all events have a partition or become dead letters. */
static enum ps_result find_partitions(struct ps_hive_sink *sink, const struct ps_lease *lease)
{
    char key[PS_HIVE_VALUES_BYTES];
    struct ps_hive_partition *partition = NULL;
    memset(sink->flawed_bits, 0, sizeof sink->flawed_bits);
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
                sink->flawed_bits[position / 64] |= UINT64_C(1) << position % 64;
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

static void place_events(struct ps_hive_sink *sink, const struct ps_lease *lease, uint16_t slot)
{
    struct ps_hive_partition *partition = NULL;
    for (uint32_t position = lease->cursor; position < lease->count; position++) {
        if (sink->flawed_bits[position / 64] >> position % 64 & 1)
            ps_hdfs_events_add(&sink->pool, &sink->flawed, slot, (uint16_t)position);
        if (sink->found[position] == NULL)
            continue;
        partition = sink->found[position];
        ps_hdfs_events_add(&sink->pool, &partition->waiting, slot, (uint16_t)position);
    }
    if (partition != NULL)
        ps_hive_partition_pump(partition);
}

enum ps_result ps_hive_sink_take(struct ps_hive_sink *sink, struct ps_lease **lease, const struct ps_now *now)
{
    sink->now = *now;
    sink->recall_ns = 0;
    sink->refused = !ps_hive_sink_has_room(sink) || !ps_hdfs_pool_reserve(&sink->pool, (*lease)->count);
    sink->ends = sink->refused;
    if (sink->refused)
        return PS_LATER;
    enum ps_result result = find_partitions(sink, *lease);
    if (result != PS_TAKEN)
        return result;
    sink->flawed_batch = (struct ps_log_backoff){.tries = 0};
    uint16_t slot = ps_hdfs_slots_take(&sink->held, *lease);
    *lease = NULL;
    place_events(sink, sink->held.leases[slot], slot);
    return PS_TAKEN;
}

/* ---- events that cannot be rows ---- */

void ps_hive_refuse_next(struct ps_hive_sink *sink, struct ps_hdfs_events *waiting, const char *reason)
{
    ps_count(sink->port->counters, PS_COUNTER_malformed, 1);
    if (ps_port_has_deadletter(sink->port)) {
        ps_hdfs_events_move(&sink->pool, waiting, &sink->flawed);
        return;
    }
    const struct ps_hdfs_event *event = &sink->pool.events[waiting->first];
    ps_log(PS_LOG_WARN, sink->port->component, "an event is no row, and is dropped: %s", reason);
    ps_hdfs_slots_settle(&sink->held, event->slot, event->position);
    ps_hdfs_events_move(&sink->pool, waiting, &sink->pool.free);
}

/* Finds the reason of the first flawed event: its partition, or its body. */
static void explain(struct ps_hive_sink *sink, const struct ps_hdfs_event *flawed)
{
    char key[PS_HIVE_VALUES_BYTES];
    uint32_t length;
    struct ps_orc_value row;
    struct ps_err err = {.length = 0};
    const struct ps_lease *lease = sink->held.leases[flawed->slot];
    const struct ps_event *event = ps_lease_event(lease, flawed->position);
    const char *flaw = ps_hive_key_of(sink, lease, flawed->position, key, &length);
    if (flaw == NULL && !ps_hive_rows_read(sink->rows, event->body, event->body_length, &row, &err))
        flaw = ps_err_join(&err);
    snprintf(sink->refusal, sizeof sink->refusal, "%s", flaw != NULL ? flaw : "");
}

bool ps_hive_bury(struct ps_hive_sink *sink)
{
    const struct ps_letter_reason reason = {"event-unwritable", sink->refusal, 0};
    while (sink->flawed.count > 0) {
        const struct ps_hdfs_event *flawed = &sink->pool.events[sink->flawed.first];
        if (!ps_burial_has_begun(&sink->burial)) {
            ps_count(sink->port->counters, PS_COUNTER_refused, 1);
            explain(sink, flawed);
            ps_log(PS_LOG_ERROR, sink->port->component, "an event goes to the dead letters: %s",
                   sink->refusal);
            ps_burial_begin(&sink->burial, sink->held.leases[flawed->slot], flawed->position,
                            flawed->position + 1U);
        }
        if (!ps_burial_work(&sink->burial, sink->port, &reason))
            return true;
        ps_hdfs_slots_settled(&sink->held, flawed->slot);
        ps_hdfs_events_move(&sink->pool, &sink->flawed, &sink->pool.free);
    }
    return false;
}
