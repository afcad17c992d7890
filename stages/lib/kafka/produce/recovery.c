/* The part of the sender (kafka/produce/sender.h) that decides about a failure: which event caused it, which
 * events are sent again, and when. */
#include "stages/lib/kafka/produce/sender.h"
#include "core/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DOUBTS_MAX 2U /* an event whose bytes arrived damaged is sent again this often before it is blamed */

/* Counts an attempt at which KafkaSink.process() would have thrown: then a sink group may give the leases to another
 * sink. */
static void attempt_failed(struct ps_kafka_sender *sender, const char *why)
{
    struct ps_err err = {0};
    ps_err_set(&err, "topic %s: %s", sender->cause.topic, why);
    ps_port_troubled(sender->port, &err);
}

static void set_cause(struct ps_kafka_sender *sender, const struct ps_kafka_error *error,
                      enum ps_kafka_flaw flaw, void *token, const char *topic, int32_t partition)
{
    struct ps_kafka_cause *cause = &sender->cause;
    *cause = (struct ps_kafka_cause){.error = error,
                                     .flaw = flaw,
                                     .first_token = token,
                                     .last_token = token,
                                     .group_count = 1,
                                     .partition = partition};
    snprintf(cause->topic, sizeof cause->topic, "%s", topic);
}

/* Describes an event by everything but its body, in one line. */
static void describe_event(const void *token, char *text, size_t size)
{
    const struct ps_lease *lease = ps_kafka_token_lease(token);
    const struct ps_event *event = ps_lease_event(lease, ps_kafka_token_position(token));
    int used = snprintf(text, size, "%s bytes, headers {", ps_quantity_print_count(event->body_length).text);
    struct ps_header_cursor cursor = ps_headers_begin(lease->batch, event);
    const struct ps_header *header;
    for (unsigned i = 0; i < 8 && (header = ps_headers_next(&cursor)) != NULL; i++) {
        int room = (int)size - used;
        if (room <= 0)
            return;
        used += snprintf(text + used, (size_t)room, "%s%.*s=%.*s", i > 0 ? ", " : "",
                         (int)(header->name->length < 40 ? header->name->length : 40), header->name->text,
                         (int)(header->value_length < 40 ? header->value_length : 40), header->value);
    }
    if ((size_t)used + 2 <= size)
        memcpy(text + used, "}", 2);
}

/* Gives up the lease of the refused event: the source refuses its client, which still has all events. Events of the
 * lease that are in flight stay in flight until they are reported. */
static void give_up(struct ps_kafka_sender *sender, const char *why)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    struct ps_lease *lease = ps_kafka_token_lease(cause->last_token);
    char text[512], place[PS_KAFKA_PLACE_BYTES];
    uint32_t from = sender->window.held.in_flight == 0 ? 0 : ps_kafka_token_position(cause->last_token);
    describe_event(cause->last_token, text, sizeof text);
    ps_log(
        PS_LOG_ERROR, sender->port->component,
        "an event cannot be delivered to %s: %s. It is refused, with the batch that it came in. The event: "
        "%s",
        ps_kafka_cause_place(cause, place), why, text);
    ps_count(sender->port->counters, PS_COUNTER_EventWriteFail, 1);
    ps_count(sender->port->counters, PS_COUNTER_refused, 1);
    lease->failed = true;
    for (uint32_t position = from; position < lease->count; position++) {
        if (!ps_lease_is_settled(lease, position))
            ps_lease_settle(lease, position);
    }
    ps_kafka_sender_check_fence(sender);
}

/* Handles a single refused event: logs the event and tries it again later. Later events are not sent before
 * it. */
static void report_refused_event(struct ps_kafka_sender *sender, const char *why)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    char text[512], place[PS_KAFKA_PLACE_BYTES], tries[PS_LOG_BACKOFF_BYTES];
    if (sender->plan->may_give_up && ps_kafka_token_lease(cause->last_token)->refusable) {
        give_up(sender, why);
        return;
    }
    sender->search.fence = cause->last_token;
    uint64_t rest = ps_kafka_sender_rest_ns(sender);
    sender->resume_ns = sender->now.mono_ns + rest;
    ps_count(sender->port->counters, PS_COUNTER_EventWriteFail, 1);
    if (sender->search.blamed != cause->last_token) {
        ps_count(sender->port->counters, PS_COUNTER_refused, 1);
        sender->refusals = (struct ps_log_backoff){0};
    }
    sender->search.blamed = cause->last_token;
    sender->search.blamed_ns = sender->now.mono_ns;
    describe_event(cause->last_token, text, sizeof text);
    if (ps_log_backoff_says(&sender->refusals, why, sender->now.mono_ns))
        ps_log(
            PS_LOG_ERROR, sender->port->component,
            "an event cannot be delivered to %s: %s. It is tried again in %s and all events after it wait%s. "
            "The event: %s",
            ps_kafka_cause_place(cause, place), why, ps_quantity_print_ns(rest).text,
            ps_log_backoff_text(&sender->refusals, sender->now.mono_ns, tries), text);
    snprintf(sender->last_error, sizeof sender->last_error,
             "an event cannot be delivered to topic %.100s: %s", cause->topic, why);
    attempt_failed(sender, why);
}

void ps_kafka_sender_collect(struct ps_kafka_sender *sender, uint64_t patience_ns)
{
    int code = sender->fatal ? sender->fatal_code : 0;
    if (sender->cause.error != NULL)
        code = sender->cause.error->code;
    if (ps_kafka_sender_is_transactional(sender) && sender->phase == PS_KAFKA_SENDING && !sender->recalling)
        ps_kafka_transaction_failed(sender, code);
    sender->phase = PS_KAFKA_COLLECTING;
    sender->patient = sender->keeps_producer = false;
    sender->purge_again_ns = 0;
    sender->give_up_ns = sender->now.mono_ns + patience_ns;
}

/* A transaction cannot be committed while one of its events waits. If the event that waits is not of the first lease,
 * a new producer begins again, and the leases before the event's lease are a transaction. */
static void commit_leases_before(struct ps_kafka_sender *sender, const void *token)
{
    const struct ps_lease *lease = ps_kafka_token_lease(token);
    if (!ps_kafka_sender_is_transactional(sender) || lease == ps_kafka_transaction_first(sender))
        return;
    sender->transaction.suspect = lease;
    ps_kafka_sender_collect(sender, PS_KAFKA_PATIENCE_NS);
    sender->patient = true;
}

/* Handles an event that the producer refused; the producer itself still works. Returns whether the event is
 * given up. */
static bool refused_here(struct ps_kafka_sender *sender, void *token, enum ps_kafka_flaw flaw)
{
    const struct ps_kafka_error *error = sender->cause.error;
    const char *why = flaw != PS_KAFKA_FLAW_NONE        ? ps_kafka_flaw_text(flaw)
                      : error->outcome == PS_KAFKA_WAIT ? error->meaning
                                                        : "it is larger than kafka.producer.max.request.size";
    bool too_large = flaw == PS_KAFKA_FLAW_QUEUE || error->outcome == PS_KAFKA_SPLIT;
    bool no_record = flaw != PS_KAFKA_FLAW_NONE || error->outcome == PS_KAFKA_WAIT;
    char place[PS_KAFKA_PLACE_BYTES + 256], of[PS_KAFKA_PLACE_BYTES];
    snprintf(place, sizeof place, "%s: %s", ps_kafka_cause_place(&sender->cause, of), why);
    const struct ps_dead_letter_reason reason = {too_large   ? "record-too-large"
                                                 : no_record ? "no-record"
                                                             : "record-refused",
                                                 error->outcome == PS_KAFKA_WAIT ? place : why, 0};
    if (ps_kafka_letters_has(sender)) {
        sender->cause.error = NULL;
        return ps_kafka_letters_give_up(sender, ps_kafka_token_lease(token), &reason);
    }
    report_refused_event(sender, why);
    ps_count(sender->port->counters, PS_COUNTER_RollbackCount, 1);
    sender->cause.error = NULL;
    if (sender->search.fence == token) /* the event waits, its lease is not given up */
        commit_leases_before(sender, token);
    return false;
}

bool ps_kafka_sender_refused(struct ps_kafka_sender *sender, void *token, int code, enum ps_kafka_flaw flaw,
                             const char *topic, int32_t partition)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(code);
    if (error->outcome == PS_KAFKA_RENEW) { /* a report will have the reason */
        sender->fatal = true;
        sender->fatal_code = code;
        ps_kafka_sender_collect(sender, PS_KAFKA_PATIENCE_NS);
        return false;
    }
    bool chosen = flaw == PS_KAFKA_FLAW_NONE && ps_kafka_chose(sender, token, code);
    bool asks = chosen && !ps_kafka_chosen_is_sure(sender, token, partition, &code);
    if (asks && sender->plan->engine->heard != NULL)
        return false;
    error = ps_kafka_error_find(code);
    chosen = chosen && ps_kafka_chose(sender, token, code);
    set_cause(sender, error, flaw, token, topic, partition);
    sender->cause.asks = asks;
    if (flaw != PS_KAFKA_FLAW_NONE || error->outcome == PS_KAFKA_SPLIT || error->outcome == PS_KAFKA_BLAME ||
        (chosen && !asks))
        return refused_here(sender, token, flaw);
    /* The topic or the producer has failed: waits for the reports of the sent events, then continues with a new
     * producer, which requests metadata again. */
    ps_kafka_sender_collect(sender, PS_KAFKA_PATIENCE_NS);
    sender->patient = true;
    return false;
}

void ps_kafka_sender_failed(struct ps_kafka_sender *sender, const struct ps_kafka_report *report,
                            const struct ps_kafka_error *error)
{
    struct ps_kafka_cause *cause = &sender->cause;
    struct ps_counters *counters = sender->port->counters;
    ps_count(counters, PS_COUNTER_retried, report->count);
    if (report->perhaps_written)
        ps_count(counters, PS_COUNTER_duplicated, report->count);
    if (cause->group_left > 0 && cause->error == error) { /* a further part of the same request */
        cause->group_left -= report->count < cause->group_left ? report->count : cause->group_left;
        cause->last_token = report->tokens[report->count - 1];
        return;
    }
    if (error->outcome == PS_KAFKA_PURGED || cause->error != NULL)
        return;
    set_cause(sender, error, PS_KAFKA_FLAW_NONE, report->tokens[report->count - 1], report->topic,
              report->partition);
    cause->first_token = report->tokens[0];
    cause->group_count = report->group_count;
    cause->group_left = report->group_count - report->count;
    cause->group_bytes = report->group_bytes;
}

void ps_kafka_sender_attempted(struct ps_kafka_sender *sender, int code, const char *topic)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(code);
    struct ps_err err = {0};
    if (sender->phase != PS_KAFKA_SENDING || sender->cause.error != NULL ||
        sender->now.mono_ns < sender->attempt_ns)
        return;
    sender->attempt_ns = sender->now.mono_ns + ps_kafka_sender_rest_ns(sender);
    sender->troubled = true;
    ps_count(sender->port->counters, PS_COUNTER_EventWriteFail, 1);
    snprintf(sender->last_error, sizeof sender->last_error, "topic %s: %s (%s)", topic, error->name,
             error->meaning);
    ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), sender->port->component,
           "%s; undelivered events are sent again, in order", sender->last_error);
    ps_kafka_letters_failed(sender, error->meaning);
    ps_err_set(&err, "%s", sender->last_error);
    ps_port_troubled(sender->port, &err);
    if (sender->letters.exhausted != NULL) /* its events are purged, and become dead letters */
        ps_kafka_sender_collect(sender, PS_KAFKA_PATIENCE_NS);
}

void ps_kafka_sender_check_fence(struct ps_kafka_sender *sender)
{
    if (sender->search.fence == NULL || !ps_lease_is_settled(ps_kafka_token_lease(sender->search.fence),
                                                             ps_kafka_token_position(sender->search.fence)))
        return;
    if (sender->search.blamed == sender->search.fence)
        ps_log(PS_LOG_INFO, sender->port->component, "the refused event is delivered now");
    sender->search.fence = sender->search.blamed = sender->search.doubted = NULL;
}

/* Returns whether the refused timestamp was made here, not taken from a header: of the only event, or of each event of
 * a request. */
static bool is_stamped_here(const struct ps_kafka_sender *sender)
{
    const struct ps_kafka_mapping *mapping = &sender->plan->mapping;
    const struct ps_kafka_cause *cause = &sender->cause;
    if (mapping->timestamp_header == NULL)
        return true;
    if (cause->group_count > 1)
        return false;
    const struct ps_lease *lease = ps_kafka_token_lease(cause->last_token);
    const struct ps_event *event = ps_lease_event(lease, ps_kafka_token_position(cause->last_token));
    return !ps_kafka_mapping_gives_timestamp(mapping, lease->batch, event);
}

/* Returns whether the refused event, if the request had no other, is sent again before it is blamed. If so, it is sent alone. */
static bool is_in_doubt(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    if (cause->group_count > 1)
        return false;
    if (sender->search.doubted != cause->last_token)
        sender->search.doubts = 0;
    sender->search.doubted = cause->last_token;
    if (sender->search.doubts >= DOUBTS_MAX)
        return false;
    sender->search.doubts++;
    sender->search.fence = cause->last_token;
    return true;
}

/* Returns what follows from the first failure. The broker may refuse a record which is in order: because of a wrong
 * clock, or because bytes were changed on the way. */
static enum ps_kafka_outcome judge(struct ps_kafka_sender *sender)
{
    static const struct ps_kafka_error wrong_clock = {PS_KAFKA_ERROR_INVALID_TIMESTAMP, "INVALID_TIMESTAMP",
                                                      PS_KAFKA_WAIT,
                                                      "the broker refuses the time of sending: check this "
                                                      "agent's clock, the broker's clock and the topic's "
                                                      "message.timestamp.after.max.ms"};
    struct ps_kafka_cause *cause = &sender->cause;
    if (cause->first_token != NULL && ps_kafka_chose(sender, cause->first_token, cause->error->code)) {
        cause->last_token =
            cause->first_token; /* the whole request is for the place that its first event chose */
        cause->group_count = 1;
        return PS_KAFKA_BLAME;
    }
    if (cause->error->code == PS_KAFKA_ERROR_INVALID_TIMESTAMP && is_stamped_here(sender))
        cause->error = &wrong_clock;
    if (cause->error->code == PS_KAFKA_ERROR_CORRUPT_MESSAGE && is_in_doubt(sender))
        return PS_KAFKA_AGAIN;
    return cause->error->outcome;
}

void ps_kafka_sender_end_search(struct ps_kafka_sender *sender)
{
    sender->search.first = NULL;
    sender->search.stepping = false;
    sender->search.step_records = 0;
    sender->search.step_bytes = 0;
}

static void halve(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    sender->search.fence = cause->last_token;
    sender->search.stepping = true;
    if (cause->error->outcome == PS_KAFKA_BLAME) {
        sender->search.step_records = cause->group_count / 2;
        return;
    }
    uint64_t was = sender->search.step_bytes != 0 ? sender->search.step_bytes
                                                  : ps_kafka_sender_request_bytes_max(sender);
    if (cause->group_bytes != 0 && cause->group_bytes < was)
        was = cause->group_bytes;
    sender->search.step_bytes = was > 1 ? was / 2 : 1;
    ps_log(PS_LOG_WARN, sender->port->component,
           "topic %s refuses a request of %s%" PRIu64
           " bytes; smaller ones are tried: set kafka.producer.batch.size, or raise the topic's "
           "max.message.bytes",
           cause->topic, cause->group_bytes == 0 ? "up to " : "", was);
}

/* The event that failed chose a place that the cluster refuses. */
static void refuse_choice(struct ps_kafka_sender *sender)
{
    if (ps_kafka_letters_has(sender))
        ps_kafka_chosen_bar(sender); /* it becomes a dead letter when it would be sent again */
    else
        report_refused_event(sender, sender->cause.error->meaning);
}

/* The broker refuses this one event: the event becomes a dead letter, and then later events are sent. The
 * request size is not lowered after this refusal, because the event alone is too large. */
static void condemn(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    ps_count(sender->port->counters, PS_COUNTER_EventWriteFail, 1);
    ps_count(sender->port->counters, PS_COUNTER_refused, 1);
    sender->search.fence = cause->last_token;
    sender->search.step_bytes = 0;
    ps_kafka_letters_condemn(sender, cause->last_token, cause->error->meaning);
}

/* Returns the error of a producer that failed without a report: its own; for the error of a record, a fatal error without a meaning of its
 * own. */
static const struct ps_kafka_error *fatal_error(const struct ps_kafka_sender *sender)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(sender->fatal_code);
    return error->outcome == PS_KAFKA_WAIT || error->outcome == PS_KAFKA_AGAIN ||
                   error->outcome == PS_KAFKA_RENEW
               ? error
               : ps_kafka_error_find(PS_KAFKA_LIBRARY_FATAL);
}

void ps_kafka_sender_recover(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    const char *component = sender->port->component;
    uint64_t rest_ns;
    if (sender->transaction.renews) {
        sender->transaction.renews = sender->fatal = false;
        sender->cause.error = NULL;
        return;
    }
    if (sender->fatal && cause->error == NULL)
        set_cause(sender, fatal_error(sender), PS_KAFKA_FLAW_NONE, NULL, "-", -1);
    sender->fatal = false;
    if (cause->error == NULL)
        return;
    if (cause->asks) {
        sender->cause.error = NULL;
        return;
    }
    ps_count(sender->port->counters, PS_COUNTER_RollbackCount, 1);
    bool chosen =
        cause->first_token != NULL && ps_kafka_chose(sender, cause->first_token, cause->error->code);
    enum ps_kafka_outcome outcome = judge(sender);
    if (ps_kafka_sender_is_transactional(sender) && cause->first_token != NULL && outcome != PS_KAFKA_RENEW)
        sender->transaction.suspect = ps_kafka_token_lease(cause->first_token);
    switch (outcome) {
    case PS_KAFKA_SPLIT:
    case PS_KAFKA_BLAME:
        /* While the largest request is not known, those before may be too large, too. */
        sender->search.first =
            outcome == PS_KAFKA_BLAME && sender->search.step_bytes == 0 ? cause->first_token : NULL;
        if (chosen)
            refuse_choice(sender);
        else if (cause->group_count > 1)
            halve(sender);
        else if (ps_kafka_letters_has(sender))
            condemn(sender);
        else
            report_refused_event(sender, cause->error->meaning);
        break;
    case PS_KAFKA_DELIVERED:
    case PS_KAFKA_PURGED:
        break;
    case PS_KAFKA_RENEW:
    case PS_KAFKA_AGAIN:
    case PS_KAFKA_WAIT:
        ps_count(sender->port->counters, PS_COUNTER_EventWriteFail, 1);
        rest_ns = ps_kafka_sender_rest_ns(sender);
        sender->resume_ns = sender->now.mono_ns + rest_ns;
        sender->troubled = true;
        ps_log(ps_port_outage_level(sender->port, PS_LOG_WARN), component,
               "topic %s: %s (%s); undelivered events are sent again, in order, after %s", cause->topic,
               cause->error->name, cause->error->meaning, ps_quantity_print_ns(rest_ns).text);
        if (outcome != PS_KAFKA_RENEW && cause->first_token != NULL)
            ps_kafka_letters_failed(sender, cause->error->meaning);
        attempt_failed(sender, cause->error->meaning);
        break;
    }
    sender->cause.error = NULL;
    sender->cause.group_left = 0;
}
