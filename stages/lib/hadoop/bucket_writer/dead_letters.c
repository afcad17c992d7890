/* Turns events that cannot be written to any file into dead letters (penstock.deadletter). */
#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/internal.h"

#include <string.h>

/* One text is kept for all events that are refused; a placer explains each of them again. */
bool ps_bucket_may_refuse(const struct ps_bucket_writer *sink, const char *reason)
{
    const struct ps_bucket_refusals *refusals = &sink->refusals;
    return refusals->flawed.count == 0 || sink->settings->placer != NULL ||
           strncmp(refusals->format_error, reason, sizeof refusals->format_error - 1) == 0;
}

void ps_bucket_refuse_next(struct ps_bucket_writer *sink, struct ps_held_group *waiting, const char *reason)
{
    snprintf(sink->refusals.format_error, sizeof sink->refusals.format_error, "%.*s",
             (int)sizeof sink->refusals.format_error - 1, reason);
    struct ps_held_group refused = {.count = 0};
    ps_held_group_move_first(&sink->pool, waiting, &refused);
    sink->waiting_bytes -= ps_bucket_bytes_of(sink, &refused);
    ps_held_group_move_first(&sink->pool, &refused, &sink->refusals.flawed);
}

bool ps_bucket_has_dead_letters(const struct ps_bucket_writer *sink)
{
    return sink->recall_ns == 0 && ps_port_has_deadletter(sink->port);
}

void ps_bucket_refuse_all(struct ps_bucket_writer *sink, struct ps_held_group *waiting, const char *reason)
{
    while (waiting->count > 0)
        ps_bucket_refuse_next(sink, waiting, reason);
}

void ps_bucket_exhaust(struct ps_bucket_writer *sink, struct ps_bucket *bucket, uint32_t events,
                       const char *reason)
{
    ps_log(PS_LOG_ERROR, sink->port->component,
           "%s %s to the dead letters after %s %s (penstock.retry.max): %s",
           ps_quantity_print_count(events).text, ps_quantity_word(events, "event goes", "events go"),
           ps_quantity_print_count(bucket->attempts).text,
           ps_quantity_word(bucket->attempts, "attempt", "attempts"), reason);
    snprintf(sink->refusals.exhaustion, sizeof sink->refusals.exhaustion, "%s", reason);
    bucket->attempts = 0;
    uint64_t left_bytes = sink->waiting_bytes - ps_bucket_bytes_of(sink, &bucket->waiting);
    for (; events > 0; events--)
        ps_held_group_move_first(&sink->pool, &bucket->waiting, &sink->refusals.exhausted);
    sink->waiting_bytes = left_bytes + ps_bucket_bytes_of(sink, &bucket->waiting);
}

/* Returns why no file can take the first flawed event: its path, or the error of the file's format. */
static const char *reason_of(struct ps_bucket_writer *sink)
{
    struct ps_bucket_name name;
    const struct ps_held_event *flawed = &sink->pool.events[sink->refusals.flawed.first];
    const char *flaw;
    enum ps_bucket_placed placed = ps_bucket_find(sink, flawed->lease, flawed->position, &name, &flaw);
    struct ps_bucket_placer *placer = sink->settings->placer;
    struct ps_err reason = {.length = 0};
    if (placed == PS_BUCKET_UNPLACEABLE)
        return flaw;
    if (placer == NULL)
        return sink->refusals.format_error;
    placer->explain(placer, flawed->lease, flawed->position, &reason);
    snprintf(sink->refusals.format_error, sizeof sink->refusals.format_error, "%s", ps_err_join(&reason));
    return sink->refusals.format_error;
}

/* Begins the next dead letter. Returns false if there is none. */
static bool begin(struct ps_bucket_writer *sink)
{
    sink->refusals.giving_up =
        sink->refusals.flawed.count > 0 ? &sink->refusals.flawed : &sink->refusals.exhausted;
    if (sink->refusals.giving_up->count == 0)
        return false;
    if (sink->refusals.giving_up == &sink->refusals.flawed) {
        ps_count(sink->port->counters, PS_COUNTER_refused, 1);
        ps_log(PS_LOG_ERROR, sink->port->component, "an event goes to the dead letters: %s", reason_of(sink));
    }
    const struct ps_held_event *event = &sink->pool.events[sink->refusals.giving_up->first];
    ps_deadletter_pending_begin(&sink->refusals.dead_letters, event->lease, event->position,
                                event->position + 1U);
    return true;
}

bool ps_bucket_write_dead_letters(struct ps_bucket_writer *sink)
{
    while (ps_deadletter_pending_has_begun(&sink->refusals.dead_letters) || begin(sink)) {
        bool flawed = sink->refusals.giving_up == &sink->refusals.flawed;
        const struct ps_dead_letter_reason reason = {flawed ? "event-unwritable" : "attempts-exhausted",
                                                     flawed ? reason_of(sink) : sink->refusals.exhaustion,
                                                     flawed ? 0 : sink->port->retry_max};
        if (!ps_deadletter_pending_work(&sink->refusals.dead_letters, sink->port, &reason))
            return true;
        ps_held_group_commit(&sink->pool, &sink->held, sink->refusals.giving_up, 1);
    }
    return false;
}

void ps_bucket_stop_dead_letters(struct ps_bucket_writer *sink)
{
    ps_deadletter_pending_stop(&sink->refusals.dead_letters, sink->port);
    ps_held_group_clear(&sink->pool, &sink->refusals.flawed);
    ps_held_group_clear(&sink->pool, &sink->refusals.exhausted);
}
