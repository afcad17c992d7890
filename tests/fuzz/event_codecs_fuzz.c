/* Any batch that a source can make, through every codec of events: written, read, compared. The input is a program: shared headers,
 * then events, whose lengths and counts are often near the limits of core/flow/limits.h, of a frame and of a block.
 *
 *   segment    the frames of the durable channels
 *   rows       the tables of the jdbc channel, in SQLite
 *   avro       Flume's events in Avro: the avro sink, and Kafka with useFlumeEventFormat
 *   container  the files of the serializer avro_event
 *   sequence   SequenceFiles, which have only the bodies
 *   thrift     both encodings
 *   letter     a line of JSON */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/deadletter/dead_letter.h"
#include "core/flow/bump.h"
#include "stages/lib/avro/blocks_stage.h"
#include "stages/lib/avro/event.h"
#include "stages/lib/queue/database/store.h"
#include "stages/lib/hadoop/file/writer.h"
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/thrift/event.h"
#include "tests/support/hadoop_file.h"

#define TEXT_BYTES (UINT32_C(1) << 20)
#define EVENTS_MAX 40U
#define HEADERS_MAX (PS_EVENT_HEADERS_MAX + 8U) /* the limit of an event refuses the last ones */
#define JSON_BYTES_MAX (UINT32_C(2) << 20) /* longer events are not made JSON here: that takes too long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct ps_stage_ops ps_serializer_avro_event;

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump, reading;
static struct ps_event_headers headers;
static char *text; /* bodies, values and names are parts of it */

struct program {
    const uint8_t *data;
    size_t size, at;
    uint32_t names;
};

static uint32_t byte(struct program *program)
{
    return program->at < program->size ? program->data[program->at++] : 0;
}

/* Returns 0 .. 127, or a length at which something changes. */
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
        251, /* of a header's name or value, and of a body: where the tables begin another row */
        252,
        16384,
        16385,
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
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){.mono_ns = 1});
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

/* Returns the batch that a frame has. */
static struct ps_batch *decoded(const char *payload, size_t bytes_length)
{
    uint32_t room;
    struct ps_batch *read = ps_batch_take(&reading, (struct ps_now){.mono_ns = 1});
    PS_ASSERT(read != NULL);
    bool own = bytes_length > PS_BLOCK_BYTES;
    char *bytes = own ? ps_batch_alloc(read, (uint32_t)bytes_length)
                      : ps_batch_reserve(read, (uint32_t)bytes_length, &room);
    PS_ASSERT(bytes != NULL);
    memcpy(bytes, payload, bytes_length);
    if (!own)
        ps_batch_commit(read, (uint32_t)bytes_length);
    PS_ASSERT(ps_events_decode(read, bytes, bytes_length) == PS_EVENTS_OK);
    return read;
}

static void through_segment(const struct ps_batch *batch)
{
    struct ps_events_encoder encoder = {0};
    uint32_t position = 0;
    while (position < batch->count) {
        uint32_t first = position;
        const char *payload = ps_events_encode(&encoder, ps_batch_chain(batch), &position);
        PS_ASSERT(position > first && encoder.cut == 0);
        PS_ASSERT(encoder.length <= PS_EVENTS_PAYLOAD_BYTES || encoder.count == 1);
        struct ps_batch *read = decoded(payload, encoder.length);
        PS_ASSERT(read->count == position - first);
        for (uint32_t i = 0; i < read->count; i++)
            same_event(batch, &batch->events[first + i], read, &read->events[i]);
        ps_batch_give(read);
    }
    ps_events_encoder_fini(&encoder);
}

/* ---- headers in any order ---- */

struct pair {
    struct ps_slice name, value;
};

struct pairs {
    struct pair items[HEADERS_MAX];
    uint32_t count;
};

static void add_pair(struct pairs *pairs, struct ps_slice name, struct ps_slice value)
{
    PS_ASSERT(pairs->count < HEADERS_MAX);
    pairs->items[pairs->count++] = (struct pair){name, value};
}

static int by_name(const void *a, const void *b)
{
    const struct ps_slice *one = &((const struct pair *)a)->name, *two = &((const struct pair *)b)->name;
    size_t common = one->length < two->length ? one->length : two->length;
    int order = common > 0 ? memcmp(one->data, two->data, common) : 0;
    return order != 0 ? order : (one->length > two->length) - (one->length < two->length);
}

/* Asserts that these are the headers of an event, including those of its batch. */
static void same_headers(const struct ps_batch *batch, const struct ps_event *event, struct pairs *read)
{
    static struct pairs pairs;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    pairs.count = 0;
    while ((header = ps_headers_next(&cursor)) != NULL)
        add_pair(&pairs, (struct ps_slice){header->name->text, header->name->length},
                 (struct ps_slice){header->value, header->value_length});
    PS_ASSERT(pairs.count == read->count);
    if (pairs.count == 0)
        return;
    qsort(pairs.items, pairs.count, sizeof pairs.items[0], by_name);
    qsort(read->items, read->count, sizeof read->items[0], by_name);
    for (uint32_t i = 0; i < pairs.count; i++) {
        const struct pair *one = &pairs.items[i], *two = &read->items[i];
        same_bytes(one->name.data, one->name.length, two->name.data, two->name.length);
        same_bytes(one->value.data, one->value.length, two->value.data, two->value.length);
    }
}

/* ---- rows ---- */

static void *tables;
static struct ps_block_cache payloads;

static char directory[] = "/tmp/event_codecs_XXXXXX";

static void close_tables(void)
{
    char command[80];
    ps_block_cache_fini(&payloads);
    ps_database_store.close(tables);
    snprintf(command, sizeof command, "rm -r %s", directory);
    PS_ASSERT(system(command) == 0);
}

static void open_tables(void)
{
    static char path[64], lock[80];
    static struct ps_database_store_settings settings;
    struct ps_err err = {0};
    PS_ASSERT(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/db", directory);
    snprintf(lock, sizeof lock, "%s.lock", path);
    settings = (struct ps_database_store_settings){
        .database = {.kind = PS_DATABASE_SQLITE, .label = path, .path = path, .create = true},
        .channel = "c1",
        .schema = {.create = true, .index = true, .foreign_keys = true},
        .lock = lock};
    tables = ps_database_store.open(&settings, "channel c1", &err);
    PS_ASSERT(tables != NULL);
    ps_block_cache_init(&payloads, depot);
    PS_ASSERT(atexit(close_tables) == 0);
}

/* Commits everything of one batch, reads it in frames of the store's own, and removes it. */
static void through_rows(const struct ps_batch *batch)
{
    struct ps_events_encoder encoder = {0};
    struct ps_store_frame frame = {.blocks = &payloads};
    struct ps_segment_fill left;
    struct ps_err err = {0};
    uint64_t number;
    for (uint32_t position = 0; position < batch->count;) {
        const char *payload = ps_events_encode(&encoder, ps_batch_chain(batch), &position);
        PS_ASSERT(ps_database_store.append(tables, payload, (uint32_t)encoder.length, encoder.count,
                                           encoder.body_bytes, &number, &err) == PS_OK);
    }
    ps_events_encoder_fini(&encoder);
    PS_ASSERT(ps_database_store.sync(tables, &err) == PS_OK);
    for (uint32_t at = 0; at < batch->count;) {
        PS_ASSERT(ps_database_store.feed(tables, &frame, &err) == PS_STORE_FED);
        struct ps_batch *read = decoded(frame.rows.payload->base, frame.length);
        PS_ASSERT(read->count == frame.count && at + read->count <= batch->count);
        for (uint32_t i = 0; i < read->count; i++, at++) {
            static struct pairs pairs;
            const struct ps_event *event = &batch->events[at], *other = &read->events[i];
            struct ps_header_cursor cursor = ps_headers_begin(read, other);
            const struct ps_header *header;
            pairs.count = 0;
            while ((header = ps_headers_next(&cursor)) != NULL)
                add_pair(&pairs, (struct ps_slice){header->name->text, header->name->length},
                         (struct ps_slice){header->value, header->value_length});
            same_bytes(event->body, event->body_length, other->body, other->body_length);
            same_headers(batch, event, &pairs);
        }
        ps_batch_give(read);
        ps_database_store.release(&frame);
        ps_database_store.take(tables, &frame);
    }
    PS_ASSERT(ps_database_store.feed(tables, &frame, &err) == PS_STORE_EMPTY);
    PS_ASSERT(ps_database_store.sync(tables, &err) == PS_OK);
    ps_database_store.fill(tables, &left);
    PS_ASSERT(left.events == 0 && left.bytes == 0);
}

/* ---- files ---- */

struct collected {
    struct ps_output output;
    struct ps_byte_buffer bytes;
};

static bool collect(struct ps_output *output, const void *data, size_t length)
{
    return ps_byte_buffer_append(&((struct collected *)(void *)output)->bytes, data, length);
}

/* Writes a file of the serializer avro_event, with blocks of one event and of many. */
static void through_container(const struct ps_batch *batch, int64_t sync_interval)
{
    const struct ps_stage_ops *ops = &ps_serializer_avro_event;
    const struct ps_avro_blocks_plan blocks = {.sync_interval = sync_interval, .codec = PS_AVRO_CODEC_NULL};
    static struct pairs pairs;
    struct ps_port port = {.wake_fd = -1};
    struct ps_err err = {0};
    struct collected file = {.output.write = collect};
    struct ps_avro_container container;
    struct ps_avro_block block;
    void *state = calloc(1, ops->state_size);
    PS_ASSERT(state != NULL && ops->open(&blocks, state, &port, &err) == PS_OK);
    PS_ASSERT(ops->serializer->begin(&blocks, state, &file.output));
    for (uint32_t i = 0; i < batch->count; i++)
        PS_ASSERT(ops->serializer->event(&blocks, state, batch, &batch->events[i], &file.output));
    PS_ASSERT(ops->serializer->end(&blocks, state, &file.output));
    ops->close(&blocks, state);
    free(state);
    const uint8_t *at = (const uint8_t *)file.bytes.data, *end = at + file.bytes.length;
    PS_ASSERT(ps_avro_container_open(at, file.bytes.length, &container) == PS_AVRO_CONTAINER_OK);
    at += container.length;
    for (uint32_t i = 0; at < end; at += block.length) {
        PS_ASSERT(ps_avro_container_block(&container, at, (size_t)(end - at), SIZE_MAX, &block) ==
                  PS_AVRO_CONTAINER_OK);
        struct ps_avro_event_reader reader;
        ps_avro_event_reader_init(&reader, block.data, block.data_length);
        for (int64_t record = 0; record < block.record_count; record++, i++) {
            struct ps_slice name, value;
            pairs.count = 0;
            PS_ASSERT(i < batch->count);
            while (ps_avro_event_reader_next(&reader, &name, &value) == PS_AVRO_EVENT_HEADER)
                add_pair(&pairs, name, value);
            same_bytes(batch->events[i].body, batch->events[i].body_length, value.data, value.length);
            same_headers(batch, &batch->events[i], &pairs);
            ps_avro_event_reader_init(&reader, reader.next, (size_t)(reader.end - reader.next));
        }
        PS_ASSERT(reader.next == reader.end && (at + block.length < end || i == batch->count));
    }
    ps_byte_buffer_clear(&file.bytes, 0);
}

static void through_sequence(const struct ps_batch *batch, bool blocks)
{
    const struct ps_hadoop_format format = {
        .blocks = blocks, .codec = PS_HADOOP_CODEC_SNAPPY, .text = batch->count % 2 == 0};
    struct ps_port port = {.wake_fd = -1};
    struct ps_err err = {0};
    struct collected file = {.output.write = collect};
    struct ps_test_sequence read;
    struct ps_hadoop_writers *writers = ps_hadoop_writers_open(&format, &port, &err);
    struct ps_hadoop_writer *writer = ps_hadoop_writer_open(writers, &err);
    PS_ASSERT(ps_hadoop_writer_begin(writer, &file.output));
    for (uint32_t i = 0; i < batch->count; i++)
        PS_ASSERT(ps_hadoop_writer_event(writer, batch, &batch->events[i], (int64_t)i, &file.output, &err) ==
                  PS_HADOOP_WRITTEN);
    PS_ASSERT(ps_hadoop_writer_end(writer, &file.output));
    ps_hadoop_writer_close(writer);
    ps_hadoop_writers_close(writers);
    ps_test_sequence_read(&read, file.bytes.data, file.bytes.length);
    PS_ASSERT(read.record_count == batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        PS_ASSERT(read.records[i].key == (int64_t)i);
        same_bytes(batch->events[i].body, batch->events[i].body_length, read.records[i].value,
                   read.records[i].length);
    }
    ps_test_sequence_free(&read);
    ps_byte_buffer_clear(&file.bytes, 0);
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
    struct ps_dead_letter letter = {
        .agent = "a", .component = "c", .reason = {.code = "r", .text = "t"}, .batch = batch, .event = event};
    size_t used, count = 0;
    char *line = ps_dead_letter_encode(&letter, 0, &used);
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
        depot = ps_depot_create(UINT64_C(512) << 20, &err);
        pool = ps_pool_create(depot, 0);
        ps_bump_init(&bump, pool);
        ps_bump_init(&reading, pool);
        text = malloc(TEXT_BYTES);
        PS_ASSERT(text != NULL);
        for (uint32_t i = 0; i < TEXT_BYTES; i++)
            text[i] = (char)('a' + i % 23);
        open_tables();
    }
    struct program program = {.data = data, .size = size};
    struct ps_batch *batch = make_batch(&program);
    through_segment(batch);
    through_rows(batch);
    through_container(batch, 32);
    through_container(batch, 2048000);
    through_sequence(batch, false);
    through_sequence(batch, true);
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
