/* Any batch that a source can make, through every codec of events: written, read, compared. The input is a program: shared headers,
 * then events, whose lengths and counts are drawn around the limits of core/flow/limits.h, of a frame and of a block.
 *
 *   segment   the frames of the durable channels (the jdbc channel makes rows of them)
 *   avro      Flume's events in Avro: the avro sink, and Kafka with useFlumeEventFormat
 *   thrift    both encodings
 *   letter    a line of JSON */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/deadletter/letter.h"
#include "core/flow/carver.h"
#include "stages/avro/event.h"
#include "stages/segment/events.h"
#include "stages/thrift/event.h"

#define TEXT_BYTES (UINT32_C(1) << 20)
#define EVENTS_MAX 40U
#define HEADERS_MAX (PS_EVENT_HEADERS_MAX + 8U) /* drawn; the limit refuses the last ones */
#define JSON_BYTES_MAX (UINT32_C(2) << 20) /* longer events are not made JSON here: that takes too long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ps_pool *pool;
static struct ps_carver carver, reading;
static struct ps_event_headers headers;
static char *text; /* what bodies, values and names are parts of */

struct program {
    const uint8_t *data;
    size_t size, at;
    uint32_t names;
};

static uint32_t byte(struct program *program)
{
    return program->at < program->size ? program->data[program->at++] : 0;
}

/* 0 .. 127, or a length at which something changes. */
static uint32_t length(struct program *program)
{
    static const uint32_t edges[] = {
        128,
        255,
        256,
        4096,
        32767,
        32768,
        65534,
        PS_HEADER_NAME_BYTES_MAX,
        65536,
        PS_EVENTS_PAYLOAD_BYTES - 24U,
        PS_EVENTS_PAYLOAD_BYTES - 23U,
        PS_EVENTS_PAYLOAD_BYTES,
        PS_BLOCK_BYTES / 2,
        PS_BLOCK_BYTES / 2 + 1,
        PS_BLOCK_BYTES - 1,
        PS_BLOCK_BYTES,
        PS_BLOCK_BYTES + 1,
        TEXT_BYTES / 2,
    };
    uint32_t code = byte(program);
    return code < 128 ? code : edges[(code - 128) % PS_COUNT_OF(edges)];
}

static uint32_t header_count(struct program *program)
{
    static const uint32_t edges[] = {15, 16, 17, 255, 256, 257, 1024, 4095, PS_EVENT_HEADERS_MAX, 4097};
    uint32_t code = byte(program);
    return code < 200 ? code % 8 : edges[(code - 200) % PS_COUNT_OF(edges)];
}

static struct ps_slice part(struct program *program, uint32_t bytes)
{
    return (struct ps_slice){text + byte(program) * 97U, bytes};
}

/* Writes a name of `bytes` bytes to `to`; one in four has been there before. */
static struct ps_slice draw_name(struct program *program, uint32_t bytes, char *to)
{
    uint32_t number = byte(program) % 4 == 0 ? program->names / 2 : program->names++;
    char digits[16];
    int used = snprintf(digits, sizeof digits, "%u.", number);
    memset(to, 'n', bytes);
    memcpy(to, digits, (uint32_t)used < bytes ? (uint32_t)used : bytes);
    return (struct ps_slice){to, bytes};
}

/* Adds an event as a source does: not at all, if its headers are beyond the limits. Returns whether the batch has room for more. */
static bool add_event(struct program *program, struct ps_batch *batch)
{
    static char name_text[PS_BLOCK_BYTES * 4];
    struct ps_slice body = part(program, length(program));
    uint32_t count = header_count(program), name_length = length(program), value_length = length(program);
    struct ps_header_sizes sizes = {.count = 0};
    for (uint32_t i = 0; i < count; i++)
        ps_header_sizes_add(&sizes, name_length, value_length);
    if (ps_header_sizes_refusal(&sizes) != NULL)
        return true;
    PS_ASSERT(count <= PS_EVENT_HEADERS_MAX && (count == 0 || name_length <= PS_HEADER_NAME_BYTES_MAX));
    const struct ps_batch_point point = ps_batch_point(batch);
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)body.data, body.length);
    if (event == NULL)
        return false;
    ps_event_headers_expect(&headers, count);
    for (uint32_t i = 0; i < count; i++) {
        struct ps_slice name = draw_name(program, name_length, name_text),
                        value = part(program, value_length);
        if (!ps_event_headers_add(&headers, batch, event, &name, &value)) {
            ps_event_withdraw(&headers, batch, &point);
            return false;
        }
    }
    return true;
}

static struct ps_batch *make_batch(struct program *program)
{
    struct ps_batch *batch = ps_batch_take(&carver, (struct ps_now){.mono_ns = 1});
    static char name_text[PS_BLOCK_BYTES * 4];
    PS_ASSERT(batch != NULL);
    ps_event_headers_begin(&headers);
    uint32_t events = 1 + byte(program) % EVENTS_MAX, shared = byte(program) % 4;
    while (events-- > 0 && add_event(program, batch)) {
    }
    while (shared-- > 0) {
        struct ps_slice text_of = draw_name(program, length(program) % 200, name_text);
        const struct ps_name *name = ps_batch_name(batch, text_of.data, text_of.length);
        struct ps_slice value = part(program, length(program) % 5000);
        if (name != NULL)
            (void)ps_batch_shared_set(batch, name, value.data, value.length, byte(program) % 2 == 0);
    }
    ps_batch_close(batch);
    return batch;
}

/* ---- codecs ---- */

static void same_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    PS_ASSERT(a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0));
}

static void same_event(const struct ps_batch *batch, const struct ps_event *event,
                       const struct ps_batch *other_batch, const struct ps_event *other)
{
    const struct ps_header *one = event->headers, *two = other->headers;
    same_bytes(event->body, event->body_length, other->body, other->body_length);
    for (; one != NULL && two != NULL; one = one->next, two = two->next) {
        same_bytes(one->name->text, one->name->length, two->name->text, two->name->length);
        same_bytes(one->value, one->value_length, two->value, two->value_length);
    }
    PS_ASSERT(one == NULL && two == NULL);
    uint32_t count = 0;
    for (one = batch->shared; one != NULL; one = one->next, count++) { /* in any order */
        two = ps_header_find(other_batch->shared, one->name);
        PS_ASSERT(two != NULL);
        same_bytes(one->value, one->value_length, two->value, two->value_length);
    }
    for (two = other_batch->shared; two != NULL; two = two->next)
        count--;
    PS_ASSERT(count == 0);
}

static void through_segment(const struct ps_batch *batch)
{
    struct ps_events_encoder encoder = {0};
    uint32_t position = 0;
    while (position < batch->count) {
        uint32_t first = position, room;
        const char *payload = ps_events_encode(&encoder, ps_batch_chain(batch), &position);
        PS_ASSERT(position > first && encoder.cut == 0);
        PS_ASSERT(encoder.length <= PS_EVENTS_PAYLOAD_BYTES || encoder.count == 1);
        struct ps_batch *read = ps_batch_take(&reading, (struct ps_now){.mono_ns = 1});
        PS_ASSERT(read != NULL);
        bool own = encoder.length > PS_BLOCK_BYTES;
        char *bytes = own ? ps_batch_alloc(read, (uint32_t)encoder.length)
                          : ps_batch_reserve(read, (uint32_t)encoder.length, &room);
        PS_ASSERT(bytes != NULL);
        memcpy(bytes, payload, encoder.length);
        if (!own)
            ps_batch_commit(read, (uint32_t)encoder.length);
        PS_ASSERT(ps_events_decode(read, bytes, encoder.length) == PS_EVENTS_OK);
        PS_ASSERT(read->count == position - first);
        for (uint32_t i = 0; i < read->count; i++)
            same_event(batch, &batch->events[first + i], read, &read->events[i]);
        ps_batch_give(read);
    }
    ps_events_encoder_fini(&encoder);
}

static void through_avro(const struct ps_batch *batch, const struct ps_event *event)
{
    char *bytes = malloc(ps_avro_event_bound(batch, event));
    PS_ASSERT(bytes != NULL);
    size_t used = ps_avro_event_encode(batch, event, bytes);
    PS_ASSERT(used <= ps_avro_event_bound(batch, event));
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    struct ps_avro_event_reader reader;
    struct ps_slice name, value;
    ps_avro_event_reader_init(&reader, bytes, used);
    while ((header = ps_headers_next(&cursor)) != NULL) {
        PS_ASSERT(ps_avro_event_reader_next(&reader, &name, &value) == PS_AVRO_EVENT_HEADER);
        same_bytes(header->name->text, header->name->length, name.data, name.length);
        same_bytes(header->value, header->value_length, value.data, value.length);
    }
    PS_ASSERT(ps_avro_event_reader_next(&reader, &name, &value) == PS_AVRO_EVENT_BODY);
    same_bytes(event->body, event->body_length, value.data, value.length);
    free(bytes);
}

static void through_thrift(const struct ps_batch *batch, const struct ps_event *event, bool compact)
{
    uint8_t *bytes = malloc(ps_thrift_event_bound(batch, event));
    PS_ASSERT(bytes != NULL);
    struct ps_thrift_writer out = {.at = bytes, .compact = compact};
    ps_thrift_event_put(&out, batch, event);
    PS_ASSERT((size_t)(out.at - bytes) <= ps_thrift_event_bound(batch, event));
    struct ps_thrift_reader in = {.at = bytes, .end = out.at, .compact = compact};
    struct ps_thrift_datum datum;
    const char *why = ps_thrift_event_read(&in, &datum);
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    struct ps_thrift_reader map = {.at = datum.headers, .end = out.at, .compact = compact};
    PS_ASSERT(in.at == out.at && (why == NULL) == (ps_header_sizes_refusal(&datum.sizes) == NULL));
    while ((header = ps_headers_next(&cursor)) != NULL) {
        struct ps_slice name = ps_thrift_read_text(&map), value = ps_thrift_read_text(&map);
        same_bytes(header->name->text, header->name->length, name.data, name.length);
        same_bytes(header->value, header->value_length, value.data, value.length);
    }
    same_bytes(event->body, event->body_length, datum.body.data, datum.body.length);
    free(bytes);
}

static void through_letter(const struct ps_batch *batch, const struct ps_event *event)
{
    struct ps_letter letter = {
        .agent = "a", .component = "c", .reason = {.code = "r", .text = "t"}, .batch = batch, .event = event};
    size_t used, count = 0;
    char *line = ps_letter_encode(&letter, 0, &used);
    PS_ASSERT(line != NULL && line[used - 1] == '\n');
    json_error_t error;
    json_t *document = json_loadb(line, used, JSON_ALLOW_NUL, &error);
    PS_ASSERT(document != NULL);
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    while (ps_headers_next(&cursor) != NULL)
        count++;
    const json_t *body = json_object_get(document, "body");
    PS_ASSERT(json_object_size(json_object_get(document, "headers")) == count && body != NULL);
    same_bytes(event->body, event->body_length, json_string_value(body), json_string_length(body));
    json_decref(document);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_err err = {0};
    if (pool == NULL) {
        pool = ps_pool_create(ps_depot_create(UINT64_C(512) << 20, &err), 0);
        ps_carver_init(&carver, pool);
        ps_carver_init(&reading, pool);
        text = malloc(TEXT_BYTES);
        PS_ASSERT(text != NULL);
        for (uint32_t i = 0; i < TEXT_BYTES; i++)
            text[i] = (char)('a' + i % 23);
    }
    struct program program = {.data = data, .size = size};
    struct ps_batch *batch = make_batch(&program);
    through_segment(batch);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct ps_event *event = &batch->events[i];
        through_avro(batch, event);
        through_thrift(batch, event, false);
        through_thrift(batch, event, true);
        if (ps_avro_event_bound(batch, event) <= JSON_BYTES_MAX)
            through_letter(batch, event);
    }
    ps_batch_give(batch);
    return 0;
}
