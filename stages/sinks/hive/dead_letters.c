/* Events that are not rows, or have no partition: makes them dead letters (penstock.deadletter). */
#include "stages/sinks/hive/internal.h"

void ps_hive_refuse_next(struct ps_hive_sink *sink, struct ps_held_group *waiting, const char *reason)
{
    ps_count(sink->port->counters, PS_COUNTER_malformed, 1);
    if (ps_port_has_deadletter(sink->port)) {
        ps_held_group_move_first(&sink->pool, waiting, &sink->flaws.events);
        return;
    }
    ps_log(PS_LOG_WARN, sink->port->component, "an event is not a row, and is dropped: %s", reason);
    ps_held_group_commit(&sink->pool, &sink->held, waiting, 1);
}

/* Finds out why the event is flawed: its partition, or its body. */
static void explain(struct ps_hive_sink *sink, const struct ps_held_event *flawed)
{
    char key[PS_HIVE_VALUES_BYTES];
    uint32_t length;
    struct ps_orc_value row;
    struct ps_err err = {.length = 0};
    const struct ps_event *event = ps_lease_event(flawed->lease, flawed->position);
    const char *flaw = ps_hive_key_of(sink, flawed->lease, flawed->position, key, &length);
    if (flaw == NULL && !ps_hive_rows_read(sink->rows, event->body, event->body_length, &row, &err))
        flaw = ps_err_join(&err);
    snprintf(sink->flaws.reason, sizeof sink->flaws.reason, "%s", flaw != NULL ? flaw : "");
}

void ps_hive_write_dead_letters(struct ps_hive_sink *sink)
{
    const struct ps_dead_letter_reason reason = {"event-unwritable", sink->flaws.reason, 0};
    while (sink->flaws.events.count > 0) {
        const struct ps_held_event *flawed = &sink->pool.events[sink->flaws.events.first];
        if (!ps_deadletter_pending_has_begun(&sink->flaws.letters)) {
            ps_count(sink->port->counters, PS_COUNTER_refused, 1);
            explain(sink, flawed);
            ps_log(PS_LOG_ERROR, sink->port->component, "an event goes to the dead letters: %s",
                   sink->flaws.reason);
            ps_deadletter_pending_begin(&sink->flaws.letters, flawed->lease, flawed->position,
                                        flawed->position + 1U);
        }
        if (!ps_deadletter_pending_work(&sink->flaws.letters, sink->port, &reason))
            return;
        ps_held_group_commit(&sink->pool, &sink->held, &sink->flaws.events, 1);
    }
}
