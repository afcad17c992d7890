/* Implements kafka/record.h. No allocation, no logging per record. */
#include "stages/kafka/record.h"

#include "stages/kafka/event_format.h"

#include <string.h>

#define CALL_BYTES_MAX (512U * 1024U) /* read in one call of work */
#define TEXT_MAX 20U                  /* digits and sign of an int64_t */

void ps_kafka_record_begin(struct ps_kafka_record_state *state, struct ps_batch *batch)
{
    state->batch = batch;
    state->taken_bytes = 0;
    /* It may be the same batch as before, still empty: then a few texts are written again. */
    if (batch->count == 0)
        state->batch_number++;
}

/* Prints the number in decimal to the end of `text` (TEXT_MAX bytes); returns the length. */
static uint32_t print(int64_t number, char *text)
{
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    uint32_t at = TEXT_MAX;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        text[--at] = '-';
    return TEXT_MAX - at;
}

static const char *copy_text(struct ps_batch *batch, const char *text, uint32_t length)
{
    char *copy = ps_batch_alloc(batch, length > 0 ? length : 1);
    if (copy != NULL && length > 0)
        memcpy(copy, text, length);
    return copy;
}

static const char *copy_number(struct ps_batch *batch, int64_t number, uint32_t *length)
{
    char text[TEXT_MAX];
    *length = print(number, text);
    return copy_text(batch, text + TEXT_MAX - *length, *length);
}

static bool has_own(const struct ps_event *event, const struct ps_name *name)
{
    return (event->mask & name->mask) != 0 && ps_header_find(event->headers, name) != NULL;
}

/* ---- headers ---- */

static bool add_timestamp(struct ps_kafka_record_state *state, struct ps_event *event, int64_t timestamp_ms)
{
    if (has_own(event, state->plan->timestamp))
        return true;
    if (state->timestamp_batch != state->batch_number || state->timestamp_ms != timestamp_ms) {
        const char *text = copy_number(state->batch, timestamp_ms, &state->timestamp_length);
        if (text == NULL)
            return false;
        state->timestamp_text = text;
        state->timestamp_ms = timestamp_ms;
        state->timestamp_batch = state->batch_number;
    }
    return ps_batch_header_add(state->batch, event, state->plan->timestamp, state->timestamp_text,
                               state->timestamp_length);
}

/* Makes the texts of topic and partition: each batch holds those of a stream once. */
static bool stream_texts(struct ps_kafka_record_state *state, struct ps_kafka_stream *stream)
{
    if (stream->text_batch == state->batch_number)
        return true;
    stream->partition_text = copy_number(state->batch, stream->partition, &stream->partition_length);
    if (stream->partition_text == NULL)
        return false;
    if (state->plan->topic != NULL && state->plan->single_topic == NULL) {
        stream->topic_text = copy_text(state->batch, stream->topic, stream->topic_length);
        if (stream->topic_text == NULL)
            return false;
    }
    stream->text_batch = state->batch_number;
    return true;
}

static bool add_position(struct ps_kafka_record_state *state, struct ps_event *event,
                         struct ps_kafka_stream *stream, int64_t offset)
{
    const struct ps_kafka_record_plan *plan = state->plan;
    struct ps_batch *batch = state->batch;
    if (!stream_texts(state, stream))
        return false;
    if (plan->topic != NULL && plan->single_topic == NULL && !has_own(event, plan->topic) &&
        !ps_batch_header_add(batch, event, plan->topic, stream->topic_text, stream->topic_length))
        return false;
    if (!has_own(event, plan->partition) &&
        !ps_batch_header_add(batch, event, plan->partition, stream->partition_text, stream->partition_length))
        return false;
    if (has_own(event, plan->offset))
        return true;
    uint32_t length;
    const char *text = copy_number(batch, offset, &length);
    return text != NULL && ps_batch_header_add(batch, event, plan->offset, text, length);
}

static bool set_copied(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                       const char *value, uint32_t length)
{
    const char *text = copy_text(batch, value, length);
    return text != NULL && ps_batch_header_set(batch, event, name, text, length);
}

static bool add_headers(struct ps_kafka_record_state *state, struct ps_event *event,
                        const struct ps_kafka_message *message)
{
    const struct ps_kafka_record_plan *plan = state->plan;
    if (!add_timestamp(state, event, message->timestamp_ms))
        return false;
    for (size_t i = 0; i < plan->mapped_count; i++) {
        const struct ps_slice *value = &message->mapped[i];
        if (value->data != NULL &&
            !set_copied(state->batch, event, plan->mapped[i], value->data, value->length))
            return false;
    }
    if (!add_position(state, event, &state->streams->items[message->stream], message->offset))
        return false;
    return message->key == NULL ||
           set_copied(state->batch, event, plan->key, message->key, message->key_length);
}

/* ---- bodies ---- */

/* Copies a datum into the batch. Returns NULL: no room (or no memory: then the batch is not marked full). */
static char *copy_datum(struct ps_batch *batch, const char *bytes, uint32_t length)
{
    if (length > PS_BLOCK_BYTES) {
        char *copy = ps_batch_alloc(batch, length);
        if (copy != NULL)
            memcpy(copy, bytes, length);
        else
            batch->full = batch->count > 0;
        return copy;
    }
    uint32_t room;
    char *copy = ps_batch_reserve(batch, length, &room);
    if (copy != NULL) {
        memcpy(copy, bytes, length);
        ps_batch_commit(batch, length);
    }
    return copy;
}

/* Returns whether the bytes are a Flume event, and sets its body. */
static bool datum_body(const char *bytes, uint32_t length, struct ps_slice *body)
{
    struct ps_kafka_event_reader reader;
    struct ps_slice name;
    enum ps_kafka_event_step step;
    ps_kafka_event_reader_init(&reader, bytes, length);
    while ((step = ps_kafka_event_reader_next(&reader, &name, body)) == PS_KAFKA_EVENT_HEADER)
        ;
    return step == PS_KAFKA_EVENT_BODY;
}

/* Sets the datum's headers. A later entry of the same name wins, as in Flume's map. */
static bool add_datum_headers(struct ps_batch *batch, struct ps_event *event, const char *bytes,
                              uint32_t length)
{
    struct ps_kafka_event_reader reader;
    struct ps_slice text, value;
    ps_kafka_event_reader_init(&reader, bytes, length);
    while (ps_kafka_event_reader_next(&reader, &text, &value) == PS_KAFKA_EVENT_HEADER) {
        const struct ps_name *name = ps_batch_name(batch, text.data, text.length);
        if (name == NULL && text.length > 65536)
            continue; /* longer than any legal name */
        if (name == NULL || !ps_batch_header_set(batch, event, name, value.data, value.length))
            return false;
    }
    return true;
}

/* Removes the event just added: there is no room for its headers or its span. */
static void withdraw(struct ps_batch *batch, uint32_t length)
{
    batch->count--;
    batch->body_bytes -= length;
    batch->full = batch->count > 0; /* if it was alone, memory is missing: the caller tries again later */
}

static struct ps_event *add_event(struct ps_kafka_record_state *state, const struct ps_kafka_message *message,
                                  const struct ps_slice *body)
{
    struct ps_batch *batch = state->batch;
    if (!state->plan->flume_event_format)
        return ps_batch_add_copy(batch, message->value != NULL ? message->value : "", message->value_length);
    char *copy = copy_datum(batch, message->value, message->value_length);
    if (copy == NULL)
        return NULL;
    struct ps_event *event = ps_batch_add(batch, copy + (body->data - message->value), body->length);
    if (event == NULL)
        return NULL;
    if (add_datum_headers(batch, event, copy, message->value_length))
        return event;
    withdraw(batch, event->body_length);
    return NULL;
}

/* Sets the topic header for all events of the batch; once, before its first event. */
static bool begin_batch(struct ps_kafka_record_state *state)
{
    const struct ps_kafka_record_plan *plan = state->plan;
    if (state->batch->count > 0 || plan->single_topic == NULL || plan->topic == NULL)
        return true;
    return ps_batch_shared_set(state->batch, plan->topic, plan->single_topic,
                               (uint32_t)strlen(plan->single_topic), false);
}

enum ps_kafka_take ps_kafka_record_take(void *argument, const struct ps_kafka_message *message)
{
    struct ps_kafka_record_state *state = argument;
    struct ps_batch *batch = state->batch;
    struct ps_kafka_stream *stream = &state->streams->items[message->stream];
    struct ps_slice body = {0};
    if (state->plan->flume_event_format &&
        (message->value == NULL || !datum_body(message->value, message->value_length, &body))) {
        ps_count(state->counters, PS_COUNTER_EventReadFail, 1);
        ps_count(state->counters, PS_COUNTER_malformed, 1);
        ps_kafka_streams_skip(state->streams, message->stream, message->offset);
        return PS_KAFKA_TAKEN;
    }
    if (batch->full || batch->count >= state->plan->batch_events_max || !begin_batch(state)) {
        batch->full = batch->count > 0;
        return PS_KAFKA_NOT_TAKEN;
    }
    struct ps_event *event = add_event(state, message, &body);
    if (event == NULL)
        return PS_KAFKA_NOT_TAKEN;
    if (!add_headers(state, event, message) ||
        !ps_batch_span(batch, message->stream, stream->generation, message->offset)) {
        withdraw(batch, event->body_length);
        return PS_KAFKA_NOT_TAKEN;
    }
    stream->taken = message->offset;
    state->taken_bytes += event->body_length;
    if (batch->count >= state->plan->batch_events_max)
        batch->full = true;
    return batch->full || state->taken_bytes >= CALL_BYTES_MAX ? PS_KAFKA_TAKEN_LAST : PS_KAFKA_TAKEN;
}
