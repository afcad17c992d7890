/* Implements kafka/fetch/record.h. No allocation, no logging per record. */
#include "stages/lib/kafka/fetch/record.h"

#include "core/flow/headers_room.h"
#include "core/flow/identity.h"
#include "core/log/log.h"
#include "core/quantity.h"

#include <inttypes.h>
#include <string.h>

#define CALL_BYTES_MAX (512U * 1024U) /* bytes read in one call of `work` */
#define TEXT_MAX PS_KAFKA_NUMBER_TEXT_BYTES
/* bytes of a dead letter in addition to the record; each skipped record counts as much */
#define SKIPPED_BYTES 512U
#define NOT_AN_EVENT "not an event of Flume's Avro format"
/* bytes of the budget that a record needs in addition to its value: rows, headers, the rest of blocks */
#define SPARE_BYTES (8U * PS_BLOCK_BYTES)

void ps_kafka_record_begin(struct ps_kafka_record_state *state, struct ps_batch *batch)
{
    state->batch = batch;
    state->group = (struct ps_slice){state->plan->group, (uint32_t)strlen(state->plan->group)};
    state->taken_bytes = state->skipped_bytes = 0;
    state->spanned = state->runs = false;
    /* An empty batch may be the same as in the last call: a record was withdrawn, and its texts with it. So the batch
     * gets a new number, and texts are made again. (A batch with other events would be full then.) */
    if (batch->count == 0) {
        state->batch_number++;
        ps_event_headers_begin(&state->headers);
    }
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

/* Headers that are added together. */
struct pending {
    struct ps_header items[PS_KAFKA_RECORD_HEADERS];
    uint32_t count;
};

static void note(struct pending *pending, const struct ps_name *name, const char *value, uint32_t length)
{
    pending->items[pending->count++] =
        (struct ps_header){.name = name, .value = value, .value_length = length};
}

/* Returns whether the event has a header of that name, or one is pending. */
static bool has(const struct ps_event *event, const struct pending *pending, const struct ps_name *name)
{
    for (uint32_t i = 0; i < pending->count; i++)
        if (pending->items[i].name == name)
            return true;
    return has_own(event, name);
}

static bool note_timestamp(struct ps_kafka_record_state *state, struct pending *pending, int64_t timestamp_ms)
{
    if (state->timestamp_batch != state->batch_number || state->timestamp_ms != timestamp_ms) {
        const char *text = copy_number(state->batch, timestamp_ms, &state->timestamp_length);
        if (text == NULL)
            return false;
        state->timestamp_text = text;
        state->timestamp_ms = timestamp_ms;
        state->timestamp_batch = state->batch_number;
    }
    note(pending, state->plan->timestamp, state->timestamp_text, state->timestamp_length);
    return true;
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

/* Prints the offset to the end of `offset_text`. If it follows the last one, as most do, only its last digits
 * change. */
static void print_offset(struct ps_kafka_record_state *state, int64_t offset)
{
    char *text = state->offset_text;
    uint32_t at = TEXT_MAX - 1;
    bool follows = state->offset_length > 0 && offset > 0 && offset - 1 == state->offset;
    while (follows && at > TEXT_MAX - state->offset_length && text[at] == '9')
        text[at--] = '0';
    if (follows && text[at] != '9')
        text[at]++;
    else
        state->offset_length = print(offset, text);
    state->offset = offset;
}

static const char *copy_offset(struct ps_kafka_record_state *state, int64_t offset, uint32_t *length)
{
    print_offset(state, offset);
    *length = state->offset_length;
    return copy_text(state->batch, state->offset_text + TEXT_MAX - *length, *length);
}

static bool note_position(struct ps_kafka_record_state *state, const struct ps_event *event,
                          struct pending *pending, struct ps_kafka_stream *stream, int64_t offset)
{
    const struct ps_kafka_record_plan *plan = state->plan;
    if (!stream_texts(state, stream))
        return false;
    if (plan->topic != NULL && plan->single_topic == NULL && !has(event, pending, plan->topic))
        note(pending, plan->topic, stream->topic_text, stream->topic_length);
    if (!has(event, pending, plan->partition))
        note(pending, plan->partition, stream->partition_text, stream->partition_length);
    if (has(event, pending, plan->offset))
        return true;
    uint32_t length;
    const char *text = copy_offset(state, offset, &length);
    if (text != NULL)
        note(pending, plan->offset, text, length);
    return text != NULL;
}

/* Sets a header's value. A value that lies in a block of the batch is not copied. */
static bool set_value(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                      const struct ps_kafka_message *message, const char *value, uint32_t length)
{
    const char *text = message->block != NULL ? value : copy_text(batch, value, length);
    return text != NULL && ps_batch_header_set(batch, event, name, text, length);
}

static bool add_mapped(struct ps_kafka_record_state *state, struct ps_event *event,
                       const struct ps_kafka_message *message)
{
    const struct ps_kafka_record_plan *plan = state->plan;
    for (size_t i = 0; i < plan->mapped_count; i++) {
        const struct ps_slice *value = &message->mapped[i];
        if (value->data != NULL &&
            !set_value(state->batch, event, plan->mapped[i], message, value->data, value->length))
            return false;
    }
    return true;
}

/* Notes what the next record of the stream has in common with this one. */
static void begin_run(struct ps_kafka_record_state *state, const struct ps_event *event,
                      const struct ps_kafka_message *message, const struct pending *pending)
{
    const struct ps_kafka_record_plan *plan = state->plan;
    if (plan->flume_event_format || plan->mapped_count > 0 || message->key != NULL ||
        message->block == NULL || pending->count == 0 ||
        pending->items[pending->count - 1].name != plan->offset ||
        (plan->timestamp != NULL && pending->items[0].name != plan->timestamp))
        return;
    state->runs = true;
    state->run_stream = message->stream;
    state->run_count = pending->count;
    state->run_mask = event->mask;
    memcpy(state->run_headers, pending->items, sizeof pending->items);
}

static bool add_headers(struct ps_kafka_record_state *state, struct ps_event *event,
                        const struct ps_kafka_message *message)
{
    const struct ps_kafka_record_plan *plan = state->plan;
    struct pending pending = {.count = 0};
    if (plan->timestamp != NULL && !has_own(event, plan->timestamp) &&
        !note_timestamp(state, &pending, message->timestamp_ms))
        return false;
    if (plan->mapped_count > 0) { /* mapped headers replace existing headers */
        if (!ps_batch_headers_add(state->batch, event, pending.items, pending.count) ||
            !add_mapped(state, event, message))
            return false;
        pending.count = 0;
    }
    if (plan->partition != NULL &&
        !note_position(state, event, &pending, &state->streams->items[message->stream], message->offset))
        return false;
    if (!ps_batch_headers_add(state->batch, event, pending.items, pending.count) ||
        (message->key != NULL &&
         !set_value(state->batch, event, plan->key, message, message->key, message->key_length)))
        return false;
    begin_run(state, event, message, &pending);
    return true;
}

/* ---- bodies ---- */

/* Copies a datum into the batch. Returns NULL if there is no room, or no memory. An empty batch is not marked
 * as full for lack of memory. */
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

/* Makes the batch an owner of the record's block. Returns false if the batch is full. */
static bool refer(struct ps_kafka_record_state *state, const struct ps_kafka_message *message)
{
    if (PS_LIKELY(state->referred_batch == state->batch_number &&
                  state->referred_block == message->block_number))
        return true;
    bool first = state->counted_block != message->block_number;
    if (!ps_batch_refer(state->batch, message->block, first)) {
        state->batch->full = true; /* the batch's list of blocks has no room */
        return false;
    }
    state->counted_block = state->referred_block = message->block_number;
    state->referred_batch = state->batch_number;
    return true;
}

/* Adds the record as an event. Returns NULL without room; the caller then withdraws the parts that were added. */
static struct ps_event *add_event(struct ps_kafka_record_state *state, const struct ps_kafka_message *message,
                                  const struct ps_avro_datum *datum)
{
    const struct ps_slice *body = &datum->body;
    struct ps_batch *batch = state->batch;
    bool is_view = message->block != NULL && message->value != NULL;
    if (message->block != NULL && !refer(state, message))
        return NULL;
    if (!state->plan->flume_event_format)
        return is_view ? ps_batch_add(batch, (char *)(uintptr_t)message->value, message->value_length)
                       : ps_batch_add_copy(batch, message->value != NULL ? message->value : "",
                                           message->value_length);
    char *copy = is_view ? (char *)(uintptr_t)message->value
                         : copy_datum(batch, message->value, message->value_length);
    if (copy == NULL)
        return NULL;
    struct ps_event *event = ps_batch_add(batch, copy + (body->data - message->value), body->length);
    if (event == NULL)
        return NULL;
    return ps_avro_event_add_headers(&state->headers, batch, event, copy, datum) ? event : NULL;
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

/* Notes that the batch has a record of this stream, which may have no span in the batch yet. Returns false if the batch cannot take
 * the record. */
static bool add_new_span(struct ps_kafka_record_state *state, const struct ps_kafka_message *message)
{
    const struct ps_kafka_stream *stream = &state->streams->items[message->stream];
    struct ps_stream_name name = {
        .system = "kafka",
        .group = state->group,
        .name = {stream->topic, stream->topic_length},
        .part = stream->partition,
        .generation = -1,
    };
    if (state->membership != NULL) {
        const struct ps_span *first = state->batch->span_count > 0 ? &state->batch->spans[0] : NULL;
        if (first != NULL && (first->name->generation != state->membership->generation ||
                              first->name->member.length != state->membership->member.length ||
                              memcmp(first->name->member.data, state->membership->member.data,
                                     first->name->member.length) != 0)) {
            /* a batch has records of one generation: if its partitions are lost, the whole batch may be dropped */
            state->batch->full = true;
            return false;
        }
        name.member = state->membership->member;
        name.instance = state->membership->instance;
        name.generation = state->membership->generation;
        name.cluster = state->membership->cluster;
    }
    if (!ps_batch_span(state->batch, message->stream, stream->pass, message->offset, &name))
        return false;
    ps_batch_span_epoch(state->batch, message->stream, stream->pass, message->epoch);
    return true;
}

/* Notes that the batch has the record. Within one call the assignment does not change, so after the first record the span
 * of the last stream is only moved. */
static bool add_span(struct ps_kafka_record_state *state, const struct ps_kafka_message *message)
{
    const struct ps_kafka_stream *stream = &state->streams->items[message->stream];
    struct ps_batch *batch = state->batch;
    struct ps_span *last = batch->span_count > 0 ? &batch->spans[batch->span_count - 1] : NULL;
    if (PS_LIKELY(state->spanned && last != NULL && last->stream == message->stream &&
                  last->pass == stream->pass && message->offset > last->position)) {
        last->position = message->offset;
        last->epoch = message->epoch;
        return true;
    }
    state->spanned = add_new_span(state, message);
    return state->spanned;
}

/* Gives the row added last the record's identity, if no other record can ever get it. */
static bool add_origin(struct ps_kafka_record_state *state, const struct ps_kafka_message *message)
{
    const struct ps_kafka_stream *stream = &state->streams->items[message->stream];
    struct ps_identity identity = {
        .system = "kafka",
        .part = stream->partition,
        .position = (uint64_t)message->offset,
    };
    state->run_identity =
        ps_kafka_log_name_find(&state->log, message->topic_id, message->cluster, message->epoch, &identity);
    if (state->run_identity)
        return ps_batch_origin(state->batch, &identity, 1);
    if (state->plan->identities && !state->told) {
        state->told = true;
        ps_log(PS_LOG_WARN, state->port->component,
               "topic %s, partition %" PRId32
               ": its events have no identities, because the broker %s: what a sink stores "
               "of them by penstock.ids may be there twice after a failure",
               stream->topic, stream->partition,
               message->topic_id == NULL ? "reads no topic by its id (Kafka does from 3.1 on)"
               : message->epoch < 0      ? "keeps them in a format older than Kafka 0.11"
                                         : "does not say the cluster's id");
    }
    return true;
}

/* Puts the record's dead letter, unless it was put when the record was offered before: a record is offered again without end
 * while the batch cannot take its position. Returns false when there is no memory. */
static bool put_letter(struct ps_kafka_record_state *state, const struct ps_kafka_message *message,
                       const struct ps_dead_letter_reason *reason)
{
    uint32_t pass = state->streams->items[message->stream].pass;
    const char *value = message->value != NULL ? message->value : "";
    if (state->letter_pass == pass && state->letter_offset == message->offset)
        return true;
    if (ps_port_deadletter_bytes(state->port, value, message->value_length, reason) == 0)
        return false;
    state->letter_pass = pass;
    state->letter_offset = message->offset;
    return true;
}

/* Makes a dead letter of the record. The batch covers the record's position, and waits until the letter is written.
 * Returns false when there is no memory, or the batch cannot take the record, which is then offered again. */
static bool give_up(struct ps_kafka_record_state *state, const struct ps_kafka_message *message,
                    const char *why)
{
    struct ps_kafka_stream *stream = &state->streams->items[message->stream];
    const char *value = message->value != NULL ? message->value : "";
    struct ps_kafka_dead_letter *letter = NULL;
    char text[512];
    snprintf(text, sizeof text, "topic %s, partition %" PRId32 ", offset %" PRId64 ": %s", stream->topic,
             stream->partition, message->offset, why != NULL ? why : NOT_AN_EVENT);
    const struct ps_dead_letter_reason reason = {why != NULL ? "record-too-large" : "malformed", text, 0};
    if (state->dead_letters != NULL) {
        letter = ps_kafka_dead_letter_make(reason.code, text, value, message->value_length);
        if (letter == NULL)
            return false;
    } else if (!put_letter(state, message, &reason)) {
        return false; /* the batch must not have the position of a record without a letter */
    }
    if (!add_span(state, message)) {
        ps_kafka_dead_letter_free(letter);
        return false;
    }
    if (letter != NULL)
        ps_kafka_dead_letters_add(state->dead_letters, letter);
    stream->taken = message->offset;
    return true;
}

/* Counts a record that cannot be decoded as an event. A topic may be full of them: like the bytes of events, their bytes end
 * the call at a limit. */
static enum ps_kafka_take skip(struct ps_kafka_record_state *state, const struct ps_kafka_message *message,
                               const char *why)
{
    if (!ps_port_has_deadletter(state->port)) /* committed when all earlier records are delivered */
        ps_kafka_streams_skip(state->streams, message->stream, message->offset, message->epoch);
    else if (!give_up(state, message, why))
        return PS_KAFKA_NOT_TAKEN;
    state->skipped_bytes += SKIPPED_BYTES + message->value_length;
    const struct ps_kafka_stream *stream = &state->streams->items[message->stream];
    char where[320];
    snprintf(where, sizeof where, "topic %s, partition %" PRId32 ", offset %" PRId64, stream->topic,
             stream->partition, message->offset);
    ps_count(state->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_port_discard(state->port, &(struct ps_discard){
                                     .why = why != NULL ? why : NOT_AN_EVENT,
                                     .where = where,
                                     .bytes = message->value,
                                     .length = message->value_length,
                                     .letter = true,
                                 });
    return state->skipped_bytes >= CALL_BYTES_MAX ? PS_KAFKA_TAKEN_LAST : PS_KAFKA_TAKEN;
}

/* Returns why no batch can ever hold the record, or NULL. */
static const char *too_large(const struct ps_kafka_record_state *state,
                             const struct ps_kafka_message *message, const struct ps_avro_datum *datum)
{
    uint64_t bytes = (uint64_t)message->value_length + message->key_length;
    const char *why = ps_header_sizes_refusal(&datum->headers);
    if (why != NULL)
        return why;
    if (bytes > PS_BODY_BYTES_MAX)
        return "it is longer than 896 MiB";
    if (bytes > PS_BLOCK_BYTES && bytes + SPARE_BYTES > ps_batch_budget_bytes(state->batch))
        return "it is larger than the memory budget (penstock.memory.budget)";
    return NULL;
}

static enum ps_kafka_take took(struct ps_kafka_record_state *state, const struct ps_kafka_message *message,
                               uint32_t body_length)
{
    struct ps_batch *batch = state->batch;
    state->streams->items[message->stream].taken = message->offset;
    state->taken_bytes += body_length;
    if (batch->count >= state->plan->batch_events_max)
        batch->full = true;
    return batch->full || state->taken_bytes >= CALL_BYTES_MAX ? PS_KAFKA_TAKEN_LAST : PS_KAFKA_TAKEN;
}

static enum ps_kafka_take take(struct ps_kafka_record_state *state, const struct ps_kafka_message *message)
{
    struct ps_batch *batch = state->batch;
    struct ps_avro_datum datum = {0};
    if (state->plan->flume_event_format &&
        (message->value == NULL || !ps_avro_event_read(message->value, message->value_length, &datum)))
        return skip(state, message, NULL);
    const char *why = too_large(state, message, &datum);
    if (PS_UNLIKELY(why != NULL))
        return skip(state, message, why);
    if (batch->full || batch->count >= state->plan->batch_events_max || !begin_batch(state)) {
        batch->full = batch->count > 0;
        return PS_KAFKA_NOT_TAKEN;
    }
    const struct ps_batch_point point = ps_batch_point(batch);
    struct ps_event *event = add_event(state, message, &datum);
    if (event == NULL || !add_headers(state, event, message) || !add_origin(state, message) ||
        !add_span(state, message)) { /* the span is added last, because it cannot be withdrawn */
        bool full = batch->full;
        state->runs = false;
        ps_event_withdraw(&state->headers, batch, &point);
        batch->full |= full;
        return PS_KAFKA_NOT_TAKEN;
    }
    return took(state, message, event->body_length);
}

/* ---- runs ---- */

/* Returns whether the record follows the last one of this call: then only a row, its headers, and the ends of the
 * last span and origin are written. */
static bool goes_on(const struct ps_kafka_record_state *state, const struct ps_kafka_message *message)
{
    const struct ps_batch *batch = state->batch;
    return state->runs && message->stream == state->run_stream && message->offset == state->offset + 1 &&
           message->block != NULL && message->block_number == state->referred_block && message->key == NULL &&
           message->value != NULL && message->value_length <= PS_BLOCK_BYTES && !batch->full &&
           batch->count < state->plan->batch_events_max &&
           batch->spans[batch->span_count - 1].pass == state->streams->items[message->stream].pass &&
           batch->spans[batch->span_count - 1].epoch == message->epoch;
}

/* Copies the last `room` bytes of the offset's text, which ends at `end`. */
static void put_offset(char *end, const struct ps_kafka_record_state *state, uint32_t room)
{
    const char *text_end = state->offset_text + TEXT_MAX;
    if (PS_LIKELY(room == 8))
        memcpy(end - 8, text_end - 8, 8);
    else if (room == 16)
        memcpy(end - 16, text_end - 16, 16);
    else
        memcpy(end - TEXT_MAX, text_end - TEXT_MAX, TEXT_MAX);
}

/* Adds a record that follows the last one. Its headers and the offset's text share one piece of memory. Returns false if
 * there is no room: no row was added then, and take() removes the rest. */
static bool add_next(struct ps_kafka_record_state *state, const struct ps_kafka_message *message)
{
    struct ps_batch *batch = state->batch;
    struct ps_header *run = state->run_headers;
    const uint32_t count = state->run_count, last = count - 1;
    if (state->plan->timestamp != NULL && message->timestamp_ms != state->timestamp_ms) {
        struct pending pending = {.count = 0};
        if (!note_timestamp(state, &pending, message->timestamp_ms))
            return false;
        run[0] = pending.items[0];
    }
    print_offset(state, message->offset);
    const uint32_t length = state->offset_length, room = (length + 7U) & ~7U;
    struct ps_header *headers = ps_batch_headers_room(batch, count, room);
    struct ps_event *event =
        headers != NULL ? ps_batch_add(batch, (char *)(uintptr_t)message->value, message->value_length)
                        : NULL;
    if (event == NULL)
        return false;
    char *text_end = (char *)&headers[count] + room;
    put_offset(text_end, state, room);
    for (uint32_t i = 0; i < count; i++) {
        headers[i] = run[i];
        headers[i].next = i > 0 ? &headers[i - 1] : NULL;
    }
    headers[last].value = text_end - length;
    headers[last].value_length = length;
    event->headers = &headers[last];
    event->mask = state->run_mask;
    batch->spans[batch->span_count - 1].position = message->offset;
    batch->spans[batch->span_count - 1].epoch = message->epoch;
    if (state->run_identity)
        batch->origins[batch->origin_count - 1].count++;
    return true;
}

enum ps_kafka_take ps_kafka_record_take(struct ps_kafka_record_state *state,
                                        const struct ps_kafka_message *message)
{
    if (PS_LIKELY(goes_on(state, message)) && PS_LIKELY(add_next(state, message)))
        return took(state, message, message->value_length);
    state->runs = false;
    return take(state, message);
}

void ps_kafka_record_skip(struct ps_kafka_record_state *state, uint32_t index, int64_t offset, int32_t epoch)
{
    struct ps_kafka_stream *stream = &state->streams->items[index];
    /* The span may be one of an earlier call: this batch is the newest one, so all records of the stream before the offset
     * are in it, in earlier batches, or skipped; after a restart the stream has another pass. If the assignment is
     * lost, the positions that are dropped with the batch have no records. */
    if (ps_batch_span_extend(state->batch, index, stream->pass, offset, epoch)) {
        stream->taken = offset;
        state->runs = false;
    } else if (state->membership == NULL) {
        ps_kafka_streams_skip(state->streams, index, offset, epoch);
    }
}
