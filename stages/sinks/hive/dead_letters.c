/* Events that are not rows, or have no partition: makes them dead letters (penstock.deadletter). */
#include "stages/sinks/hive/internal.h"

void ps_hive_refuse_next(struct ps_hive_sink *sink, struct ps_bucket_events *waiting, const char *reason)
{
    ps_count(sink->port->counters, PS_COUNTER_malformed, 1);
    if (ps_port_has_deadletter(sink->port)) {
        ps_bucket_events_move(&sink->pool, waiting, &sink->flawed);
        return;
    }
    const struct ps_bucket_event *event = &sink->pool.events[waiting->first];
    ps_log(PS_LOG_WARN, sink->port->component, "an event is not a row, and is dropped: %s", reason);
    ps_bucket_slots_settle(&sink->held, event->slot, event->position);
    ps_bucket_events_move(&sink->pool, waiting, &sink->pool.free);
}

/* Finds the reason of the first flawed event: its partition, or its body. */
static void explain(struct ps_hive_sink *sink, const struct ps_bucket_event *flawed)
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

bool ps_hive_write_dead_letters(struct ps_hive_sink *sink)
{
    const struct ps_letter_reason reason = {"event-unwritable", sink->refusal, 0};
    while (sink->flawed.count > 0) {
        const struct ps_bucket_event *flawed = &sink->pool.events[sink->flawed.first];
        if (!ps_deadletter_pending_has_begun(&sink->dead_letters)) {
            ps_count(sink->port->counters, PS_COUNTER_refused, 1);
            explain(sink, flawed);
            ps_log(PS_LOG_ERROR, sink->port->component, "an event goes to the dead letters: %s",
                   sink->refusal);
            ps_deadletter_pending_begin(&sink->dead_letters, sink->held.leases[flawed->slot],
                                        flawed->position, flawed->position + 1U);
        }
        if (!ps_deadletter_pending_work(&sink->dead_letters, sink->port, &reason))
            return true;
        ps_bucket_slots_settled(&sink->held, flawed->slot);
        ps_bucket_events_move(&sink->pool, &sink->flawed, &sink->pool.free);
    }
    return false;
}
