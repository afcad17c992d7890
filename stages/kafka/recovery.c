/* The part of the sender (kafka/sender.h) that decides what a failure means: which event is to blame, what is
 * sent again, and when. */
#include "stages/kafka/sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REST_NS PS_NS_PER_S
#define RESTS_MAX 5U /* Flume's sink runner: 1, 2, .. 5 s */

uint64_t ps_kafka_sender_rest_ns(struct ps_kafka_sender *sender)
{
    if (sender->rest_count < RESTS_MAX)
        sender->rest_count++;
    return sender->rest_count * REST_NS;
}

static void set_cause(struct ps_kafka_sender *sender, const struct ps_kafka_error *error,
                      enum ps_kafka_flaw flaw, void *last_token, const char *topic, int32_t partition)
{
    struct ps_kafka_cause *cause = &sender->cause;
    *cause = (struct ps_kafka_cause){
        .error = error, .flaw = flaw, .last_token = last_token, .group_count = 1, .partition = partition};
    snprintf(cause->topic, sizeof cause->topic, "%s", topic);
}

/* Describes an event by everything but its body, in one line. */
static void describe_event(const void *token, char *text, size_t size)
{
    const struct ps_lease *lease = ps_kafka_token_lease(token);
    const struct ps_event *event = ps_lease_event(lease, ps_kafka_token_position(token));
    int used = snprintf(text, size, "%" PRIu32 " bytes, headers {", event->body_length);
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

/* Handles a single refused event: logs it and tries it again later; no event after it is sent before it. */
static void report_refused_event(struct ps_kafka_sender *sender, const char *why)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    char text[512];
    sender->fence = cause->last_token;
    uint64_t rest = ps_kafka_sender_rest_ns(sender);
    sender->resume_ns = sender->now.mono_ns + rest;
    ps_count(sender->port->counters, PS_COUNTER_EventWriteFail, 1);
    if (sender->blamed != cause->last_token)
        ps_count(sender->port->counters, PS_COUNTER_refused, 1);
    sender->blamed = cause->last_token;
    describe_event(cause->last_token, text, sizeof text);
    ps_log(PS_LOG_ERROR, sender->port->component,
           "an event cannot be delivered to topic %s, partition %" PRId32
           ": %s. It is tried again in %" PRIu64 " s and all events after it wait. The event: %s",
           cause->topic, cause->partition, why, rest / PS_NS_PER_S, text);
}

void ps_kafka_sender_collect(struct ps_kafka_sender *sender, uint64_t patience_ns)
{
    sender->phase = PS_KAFKA_COLLECTING;
    sender->patient = false;
    sender->purge_again_ns = 0;
    sender->give_up_ns = sender->now.mono_ns + patience_ns;
}

void ps_kafka_sender_refused(struct ps_kafka_sender *sender, void *token, int code, enum ps_kafka_flaw flaw,
                             const char *topic, int32_t partition)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(code);
    if (error->outcome == PS_KAFKA_RENEW) { /* a report says why */
        sender->fatal = true;
        ps_kafka_sender_collect(sender, PS_KAFKA_PATIENCE_NS);
        return;
    }
    set_cause(sender, error, flaw, token, topic, partition);
    if (flaw != PS_KAFKA_FLAW_NONE || error->outcome == PS_KAFKA_SPLIT || error->outcome == PS_KAFKA_BLAME) {
        /* The event never reached the producer: the producer can still be used. */
        report_refused_event(sender, flaw != PS_KAFKA_FLAW_NONE
                                         ? ps_kafka_flaw_text(flaw)
                                         : "it is larger than kafka.producer.max.request.size");
        ps_count(sender->port->counters, PS_COUNTER_RollbackCount, 1);
        sender->cause.error = NULL;
        return;
    }
    /* The topic or the producer is the problem: waits for what was sent, then continues with a new producer,
     * which asks the brokers again. */
    ps_kafka_sender_collect(sender, PS_KAFKA_PATIENCE_NS);
    sender->patient = true;
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
    cause->group_count = report->group_count;
    cause->group_left = report->group_count - report->count;
    cause->group_bytes = report->group_bytes;
}

void ps_kafka_sender_check_fence(struct ps_kafka_sender *sender)
{
    if (sender->fence == NULL ||
        !ps_lease_is_settled(ps_kafka_token_lease(sender->fence), ps_kafka_token_position(sender->fence)))
        return;
    if (sender->blamed == sender->fence)
        ps_log(PS_LOG_INFO, sender->port->component, "the refused event is delivered now");
    sender->fence = sender->blamed = NULL;
}

static void halve(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    sender->fence = cause->last_token;
    sender->stepping = true;
    if (cause->error->outcome == PS_KAFKA_BLAME) {
        sender->step_records = cause->group_count / 2;
        return;
    }
    uint64_t was = sender->step_bytes != 0 ? sender->step_bytes : sender->plan->request_bytes_max;
    if (cause->group_bytes != 0 && cause->group_bytes < was)
        was = cause->group_bytes;
    sender->step_bytes = was > 1 ? was / 2 : 1;
    ps_log(PS_LOG_WARN, sender->port->component,
           "topic %s refuses a request of %" PRIu64
           " bytes; smaller ones are tried: set kafka.producer.batch.size, or raise the topic's "
           "max.message.bytes",
           cause->topic, was);
}

void ps_kafka_sender_recover(struct ps_kafka_sender *sender)
{
    const struct ps_kafka_cause *cause = &sender->cause;
    const char *component = sender->port->component;
    if (sender->fatal && cause->error == NULL)
        set_cause(sender, ps_kafka_error_find(-150), PS_KAFKA_FLAW_NONE, NULL, "-", -1);
    sender->fatal = false;
    if (cause->error == NULL)
        return;
    ps_count(sender->port->counters, PS_COUNTER_RollbackCount, 1);
    switch (cause->error->outcome) {
    case PS_KAFKA_SPLIT:
    case PS_KAFKA_BLAME:
        if (cause->group_count > 1)
            halve(sender);
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
        sender->resume_ns = sender->now.mono_ns + ps_kafka_sender_rest_ns(sender);
        sender->troubled = true;
        ps_log(PS_LOG_WARN, component,
               "topic %s: %s (%s); undelivered events are sent again, in order, after %" PRIu32 " s",
               cause->topic, cause->error->name, cause->error->meaning, sender->rest_count);
        break;
    }
    sender->cause.error = NULL;
    sender->cause.group_left = 0;
}
