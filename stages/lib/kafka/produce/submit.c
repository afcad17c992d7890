/* The part of the sender (kafka/produce/sender.h) that makes records of events and hands them to the engine. */
#include "stages/lib/avro/event.h"
#include "stages/lib/kafka/produce/sender.h"
#include "stages/lib/kafka/produce/partition.h"
#include "core/quantity.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATUMS_BYTES (256U * 1024U)
#define MEMORY_RETRY_NS (100 * PS_NS_PER_MS)
/* maximum number of bytes that a batch of one record has in addition to key, value and headers */
#define RECORD_OVERHEAD_BYTES 512U

/* A run: consecutive events of one lease for one topic. */
struct run {
    struct ps_kafka_topic *topic; /* NULL: not known until the first record */
    uint32_t topic_length;
    uint32_t count;
    size_t datums_used;
    /* the reason why the run ended before the next event; 0 and NONE: it is long enough */
    int code;
    enum ps_kafka_flaw flaw;
    int32_t partition;
    bool no_memory; /* there was no memory to encode the next event, or for its topic */
};

/* Keeps the name, cut if necessary, for comparisons and messages. */
static void name_topic(struct ps_kafka_sender *sender, struct run *run, const char *name, uint32_t length)
{
    run->topic_length = length < sizeof sender->run.topic ? length : (uint32_t)sizeof sender->run.topic - 1;
    if (length > 0)
        memcpy(sender->run.topic, name, run->topic_length);
    sender->run.topic[run->topic_length] = 0;
}

/* Without memory the sink backs off, and tries again. `what`: what it wanted to do. */
static void back_off(struct ps_kafka_sender *sender, const char *what)
{
    sender->resume_ns = sender->now.mono_ns + MEMORY_RETRY_NS;
    ps_count(sender->port->counters, PS_COUNTER_EventWriteFail, 1);
    ps_log(
        PS_LOG_ERROR, sender->port->component,
        "no memory to %s; trying again; lower penstock.memory.budget, which leaves more memory to the rest "
        "of the process",
        what);
}

static bool choose_topic(struct ps_kafka_sender *sender, struct run *run, const char *name, uint32_t length)
{
    name_topic(sender, run, name, length);
    run->topic = sender->plan->engine->topic(sender->producer, name, length);
    if (run->topic != NULL)
        return true;
    run->no_memory = ps_kafka_topic_name_is_legal(name, length);
    if (run->no_memory)
        back_off(sender, "send events to another topic");
    else
        run->flaw = PS_KAFKA_FLAW_TOPIC;
    return false;
}

/* Makes room for a datum that is larger than any before. */
static bool datums_grow(struct ps_kafka_sender *sender, size_t bytes)
{
    free(sender->run.datums);
    sender->run.datums = malloc(bytes);
    sender->run.datums_room = sender->run.datums != NULL ? bytes : 0;
    if (sender->run.datums != NULL)
        return true;
    char what[64];
    snprintf(what, sizeof what, "encode an event of %s", ps_quantity_print_bytes(bytes).text);
    back_off(sender, what);
    return false;
}

/* useFlumeEventFormat, serializer = json: encodes the event as an Avro datum or a JSON object, in working memory, and sets
 * it as the value. Returns false if this run has no room left. */
static bool encode(struct ps_kafka_sender *sender, struct run *run, const struct ps_batch *batch,
                   const struct ps_event *event, struct ps_kafka_record *record)
{
    const struct ps_event_json *json = sender->plan->mapping.json;
    size_t need = json != NULL ? ps_json_event_bound(json, batch, event) : ps_avro_event_bound(batch, event);
    if (need > sender->run.datums_room - run->datums_used) {
        if (run->count > 0)
            return false;
        if (!datums_grow(sender, need > DATUMS_BYTES ? need : DATUMS_BYTES)) {
            run->no_memory = true;
            return false;
        }
    }
    char *to = sender->run.datums + run->datums_used;
    record->value = to;
    record->value_length = (uint32_t)(json != NULL ? ps_json_event_write(json, batch, event, to)
                                                   : ps_avro_event_encode(batch, event, to));
    run->datums_used += record->value_length;
    return true;
}

static bool is_too_large(const struct ps_kafka_sender *sender, const struct ps_kafka_record *record)
{
    uint64_t bytes = (uint64_t)record->value_length + record->key_length + RECORD_OVERHEAD_BYTES;
    for (uint32_t i = 0; i < record->header_count; i++)
        bytes += strlen(record->headers[i].name) + record->headers[i].value_length + 10;
    return bytes > sender->plan->record_bytes_max;
}

/* Adds an event that needs mapping. Returns false if the run ends before it. */
static bool add_mapped(struct ps_kafka_sender *sender, struct run *run, struct ps_lease *lease,
                       uint32_t position)
{
    const struct ps_kafka_mapping *mapping = &sender->plan->mapping;
    const struct ps_batch *batch = lease->batch;
    const struct ps_event *event = ps_lease_event(lease, position);
    struct ps_kafka_record *record = &sender->run.records[run->count];
    struct ps_slice topic = {0};
    bool timestamp_ignored = false;
    enum ps_kafka_flaw flaw = ps_kafka_mapping_apply(mapping, batch, event, &sender->run.fields, &sender->now,
                                                     record, &topic, &timestamp_ignored);
    if (timestamp_ignored)
        ps_log(PS_LOG_WARN, sender->port->component,
               "Invalid timestamp in header %s: the broker gets the time of sending",
               mapping->timestamp_header->text);
    /* the memory for headers serves one record, so a record with headers is a run of its own */
    if (run->count > 0 &&
        (flaw != PS_KAFKA_FLAW_NONE || record->header_count > 0 || topic.length != run->topic_length ||
         memcmp(topic.data, sender->run.topic, topic.length) != 0))
        return false;
    run->flaw = flaw;
    run->partition = record->partition;
    if (run->count == 0)
        name_topic(sender, run, topic.data, topic.length);
    if (flaw != PS_KAFKA_FLAW_NONE ||
        (run->count == 0 && !choose_topic(sender, run, topic.data, topic.length)))
        return false;
    record->value = event->body_length > 0 ? event->body : "";
    record->value_length = event->body_length;
    record->token = ps_kafka_token(lease, position);
    const struct ps_kafka_error *barred =
        ps_kafka_chosen_barred(sender, record->token, topic, record->partition);
    if (PS_UNLIKELY(barred != NULL)) {
        if (run->count == 0)
            run->code = barred->code;
        return false;
    }
    bool encodes = mapping->event_format || mapping->json != NULL;
    bool too_large = is_too_large(sender, record); /* an encoded event is not smaller than its body */
    if (encodes && !too_large) {
        if (!encode(sender, run, batch, event, record))
            return false;
        too_large = is_too_large(sender, record);
    }
    if (too_large) {
        if (run->count == 0)
            run->code = 10;
        return false;
    }
    run->count++;
    return true;
}

static bool add_plain(struct ps_kafka_sender *sender, struct run *run, struct ps_lease *lease,
                      uint32_t position)
{
    const struct ps_event *event = ps_lease_event(lease, position);
    struct ps_kafka_record *record = &sender->run.records[run->count];
    *record = (struct ps_kafka_record){
        .value = event->body_length > 0 ? event->body : "",
        .value_length = event->body_length,
        .partition = sender->plan->mapping.default_partition,
        .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
        .token = ps_kafka_token(lease, position),
    };
    if (PS_UNLIKELY(event->body_length + RECORD_OVERHEAD_BYTES > sender->plan->record_bytes_max)) {
        if (run->count == 0)
            run->code = 10;
        return false;
    }
    run->count++;
    return true;
}

/* Returns whether the next records are submitted only when those before them are reported. */
static bool steps(const struct ps_kafka_sender *sender)
{
    return sender->search.stepping && (sender->search.first == NULL || sender->search.reached);
}

/* Lowers *stop to the event with which the steps begin, if the lease has this event and it is still to come. */
static void stop_before_steps(struct ps_kafka_sender *sender, const struct ps_lease *lease, uint32_t *stop)
{
    const void *first = sender->search.first;
    if (PS_LIKELY(!sender->search.stepping) || steps(sender) || ps_kafka_token_lease(first) != lease)
        return;
    uint32_t position = ps_kafka_token_position(first);
    sender->search.reached = sender->window.held.position >= position;
    if (!sender->search.reached)
        *stop = (uint32_t)ps_least(*stop, position);
}

/* Fills a run from the next event on; returns the position where the next run starts. */
static uint32_t fill_run(struct ps_kafka_sender *sender, struct run *run, struct ps_lease *lease,
                         uint32_t end)
{
    const struct ps_kafka_mapping *mapping = &sender->plan->mapping;
    bool plain = ps_kafka_mapping_is_plain(mapping, lease->batch);
    if (plain && !choose_topic(sender, run, mapping->topic, mapping->topic_length))
        return sender->window.held.position;
    uint32_t position = sender->window.held.position;
    uint32_t most = steps(sender) && sender->search.step_records != 0
                        ? (uint32_t)ps_least(sender->search.step_records, PS_KAFKA_RUN_MAX)
                        : PS_KAFKA_RUN_MAX;
    uint64_t bytes = 0;
    for (; position < end && run->count < most; position++) {
        if (lease->settled > 0 && ps_lease_is_settled(lease, position))
            continue;
        bool added =
            plain ? add_plain(sender, run, lease, position) : add_mapped(sender, run, lease, position);
        if (!added)
            break;
        bytes +=
            sender->run.records[run->count - 1].value_length + sender->run.records[run->count - 1].key_length;
        if (sender->search.step_bytes != 0 && bytes > sender->search.step_bytes && run->count > 1) {
            run->count--;
            break;
        }
        if (sender->run.records[run->count - 1].header_count > 0)
            return position + 1;
    }
    return position;
}

/* Submits one run. Returns false if the sender must stop this time. */
static bool submit_run(struct ps_kafka_sender *sender, struct ps_lease *lease, uint32_t end)
{
    struct run run = {.partition = sender->plan->mapping.default_partition};
    struct ps_held *held = &sender->window.held;
    uint32_t next = fill_run(sender, &run, lease, end);
    if (run.count == 0) {
        held->position = next;
        if (next == end)
            return true; /* all events were settled already */
        if (run.no_memory)
            return false;
        return ps_kafka_sender_refused(sender, ps_kafka_token(lease, next), run.code, run.flaw,
                                       sender->run.topic, run.partition);
    }
    int error = 0;
    uint32_t taken =
        sender->plan->engine->submit(sender->producer, run.topic, sender->run.records, run.count, &error);
    sender->transaction.open |= taken > 0;
    bool all = taken == run.count;
    void *token = all ? NULL : sender->run.records[taken].token;
    ps_held_cut_to(held, all ? next : ps_kafka_token_position(token), taken);
    bool never_fits = error == PS_KAFKA_FULL && held->in_flight == 0;
    sender->full = error == PS_KAFKA_FULL && !never_fits;
    if (PS_LIKELY(all))
        return error == 0;
    if (error == PS_KAFKA_NO_MEMORY) { /* of this process: no attempt of the lease */
        back_off(sender, "send an event");
        return false;
    }
    if (never_fits)
        return ps_kafka_sender_refused(sender, token, PS_KAFKA_OK, PS_KAFKA_FLAW_QUEUE, sender->run.topic,
                                       sender->run.records[taken].partition);
    return error != PS_KAFKA_FULL &&
           ps_kafka_sender_refused(sender, token, error, PS_KAFKA_FLAW_NONE, sender->run.topic,
                                   sender->run.records[taken].partition);
}

void ps_kafka_sender_submit(struct ps_kafka_sender *sender)
{
    struct ps_held *held = &sender->window.held;
    while (held->next != sender->transaction.end && !sender->full) {
        struct ps_lease *lease = held->next;
        uint32_t end = lease->count;
        bool fenced = sender->search.fence != NULL && ps_kafka_token_lease(sender->search.fence) == lease;
        if (fenced)
            end = ps_kafka_token_position(sender->search.fence) + 1;
        while (held->position < end) {
            uint32_t stop = end;
            stop_before_steps(sender, lease, &stop);
            if (steps(sender) && held->in_flight > 0)
                return;
            if (ps_kafka_letters_has(sender) && !ps_kafka_letters_pass(sender, lease, &stop))
                return;
            if (held->position < stop && !submit_run(sender, lease, stop))
                return;
        }
        if (fenced)
            return;
        ps_held_next_lease(held);
    }
}
