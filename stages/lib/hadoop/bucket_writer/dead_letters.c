/* Makes events that no file can take dead letters (penstock.deadletter). */
#include "stages/lib/hadoop/bucket_writer/internal.h"

void ps_hdfs_refuse_next(struct ps_hdfs_sink *sink, struct ps_hdfs_events *waiting, const char *reason)
{
    snprintf(sink->refusal, sizeof sink->refusal, "%.*s", (int)sizeof sink->refusal - 1, reason);
    struct ps_hdfs_events refused = {.count = 0};
    ps_hdfs_events_move(&sink->pool, waiting, &refused);
    sink->waiting_bytes -= ps_hdfs_bytes_of(sink, &refused);
    ps_hdfs_events_move(&sink->pool, &refused, &sink->flawed);
}

void ps_hdfs_refuse_all(struct ps_hdfs_sink *sink, struct ps_hdfs_events *waiting, const char *reason)
{
    while (waiting->count > 0)
        ps_hdfs_refuse_next(sink, waiting, reason);
}

/* Returns why the first flawed event is here: its path, or the error of the file's format. */
static const char *reason_of(struct ps_hdfs_sink *sink)
{
    struct ps_hdfs_bucket_name name;
    const struct ps_hdfs_event *flawed = &sink->pool.events[sink->flawed.first];
    const struct ps_lease *lease = sink->held.leases[flawed->slot];
    const char *flaw;
    enum ps_hdfs_placed placed = ps_hdfs_find_place(sink, lease, flawed->position, &name, &flaw);
    struct ps_hdfs_placer *placer = sink->settings->placer;
    struct ps_err reason = {.length = 0};
    if (placed == PS_HDFS_UNPLACEABLE)
        return flaw;
    if (placer == NULL)
        return sink->refusal;
    placer->explain(placer, lease, flawed->position, &reason);
    snprintf(sink->refusal, sizeof sink->refusal, "%s", ps_err_join(&reason));
    return sink->refusal;
}

/* Begins the next dead letter. Returns false if there is none. */
static bool begin(struct ps_hdfs_sink *sink)
{
    sink->giving_up = sink->flawed.count > 0 ? &sink->flawed : &sink->exhausted;
    if (sink->giving_up->count == 0)
        return false;
    if (sink->giving_up == &sink->flawed) {
        ps_count(sink->port->counters, PS_COUNTER_refused, 1);
        ps_log(PS_LOG_ERROR, sink->port->component, "an event goes to the dead letters: %s", reason_of(sink));
    }
    const struct ps_hdfs_event *event = &sink->pool.events[sink->giving_up->first];
    ps_deadletter_pending_begin(&sink->dead_letters, sink->held.leases[event->slot], event->position,
                                event->position + 1U);
    return true;
}

bool ps_hdfs_write_dead_letters(struct ps_hdfs_sink *sink)
{
    while (ps_deadletter_pending_has_begun(&sink->dead_letters) || begin(sink)) {
        bool flawed = sink->giving_up == &sink->flawed;
        const struct ps_letter_reason reason = {flawed ? "event-unwritable" : "attempts-exhausted",
                                                flawed ? reason_of(sink) : sink->exhaustion,
                                                flawed ? 0 : sink->port->retry_max};
        if (!ps_deadletter_pending_work(&sink->dead_letters, sink->port, &reason))
            return true;
        ps_hdfs_slots_settled(&sink->held, sink->pool.events[sink->giving_up->first].slot);
        ps_hdfs_events_move(&sink->pool, sink->giving_up, &sink->pool.free);
    }
    return false;
}

void ps_hdfs_stop_dead_letters(struct ps_hdfs_sink *sink)
{
    ps_deadletter_pending_stop(&sink->dead_letters, sink->port);
    ps_hdfs_events_clear(&sink->pool, &sink->flawed);
    ps_hdfs_events_clear(&sink->pool, &sink->exhausted);
}
