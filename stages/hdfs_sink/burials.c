/* Events that can be in no file, with penstock.deadletter: each becomes a dead letter. */
#include "stages/hdfs_sink/parts.h"

void ps_hdfs_refuse_next(struct ps_hdfs_sink *sink, struct ps_hdfs_events *waiting, const char *reason)
{
    snprintf(sink->refusal, sizeof sink->refusal, "%.*s", (int)sizeof sink->refusal - 1, reason);
    ps_hdfs_events_move(&sink->pool, waiting, &sink->flawed);
}

/* Why the first of them is here: its path, or what the file's format says. */
static const char *reason_of(struct ps_hdfs_sink *sink)
{
    struct ps_hdfs_bucket_name name;
    const struct ps_hdfs_event *flawed = &sink->pool.events[sink->flawed.first];
    const struct ps_lease *lease = sink->slots[flawed->slot];
    enum ps_hdfs_flaw flaw = ps_hdfs_place_of(&sink->settings->place, &sink->places, lease->batch,
                                              ps_lease_event(lease, flawed->position), &sink->now, &name);
    return flaw != PS_HDFS_FLAW_NONE ? ps_hdfs_flaw_text(flaw) : sink->refusal;
}

static void begin(struct ps_hdfs_sink *sink, const char *reason)
{
    const struct ps_hdfs_event *flawed = &sink->pool.events[sink->flawed.first];
    ps_count(sink->port->counters, PS_COUNTER_refused, 1);
    ps_log(PS_LOG_ERROR, sink->port->component, "an event goes to the dead letters: %s", reason);
    ps_burial_begin(&sink->burial, sink->slots[flawed->slot], flawed->position, flawed->position + 1U);
}

bool ps_hdfs_bury(struct ps_hdfs_sink *sink)
{
    while (sink->flawed.count > 0) {
        const char *text = reason_of(sink);
        const struct ps_letter_reason reason = {"event-unwritable", text, 0};
        if (!ps_burial_has_begun(&sink->burial))
            begin(sink, text);
        if (!ps_burial_work(&sink->burial, sink->port, &reason))
            return true;
        ps_hdfs_events_move(&sink->pool, &sink->flawed, &sink->pool.free);
    }
    return false;
}

void ps_hdfs_stop_burials(struct ps_hdfs_sink *sink)
{
    ps_burial_stop(&sink->burial, sink->port);
    ps_hdfs_events_clear(&sink->pool, &sink->flawed);
}
