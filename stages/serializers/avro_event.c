/* Serializer avro_event (Flume's FlumeEventAvroEventSerializer): writes an Avro object container file of
 * records Event {headers: map<string>, body: bytes} (Avro 1.11 specification, "Object Container Files"). A
 * block ends at syncIntervalBytes and at the end of every transaction. The state owns the memory of the
 * current block, which grows to syncIntervalBytes plus one event and keeps that size. Thread: the sink's
 * worker. */
#include "core/stage.h"
#include "stages/avro/binary.h"
#include "stages/avro/codec.h"
#include "stages/text/java_map.h"
#include "stages/random.h"

#include <stdlib.h>
#include <string.h>

#define SYNC_BYTES 16U

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"headers\",\"type\":{"
    "\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}";

struct avro_event_plan {
    int64_t sync_interval;
    const char *codec_name;
    enum ps_avro_codec codec;
};

struct buffer {
    char *data;
    size_t length, room;
};

struct avro_event_state {
    struct ps_java_map map;
    struct ps_random random;
    struct buffer block, packed;
    uint64_t count;                /* records in the block */
    struct ps_avro_packer *packer; /* NULL: the blocks are not compressed */
    char sync[SYNC_BYTES];
};

#define FIELD(name) offsetof(struct avro_event_plan, name)

static const struct ps_option options[] = {
    {.key = "syncIntervalBytes",
     .type = PS_OPTION_INT,
     .offset = FIELD(sync_interval),
     .fallback = "2048000",
     .min = 32,
     .max = 1 << 30,
     .unit = "bytes",
     .help = "size at which a block ends"},
    {.key = "compressionCodec",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(codec_name),
     .fallback = "null",
     .help = "null, deflate, snappy, bzip2, xz or zstandard"},
    PS_OPTION_END,
};

static enum ps_avro_codec codec_of(const struct avro_event_plan *plan)
{
    enum ps_avro_codec codec = PS_AVRO_CODEC_NULL;
    (void)ps_avro_codec_find(plan->codec_name, strlen(plan->codec_name), &codec);
    return codec;
}

static enum ps_status avro_event_check(const void *plan_, const struct ps_context *context)
{
    const struct avro_event_plan *plan = plan_;
    enum ps_avro_codec codec;
    if (!ps_avro_codec_find(plan->codec_name, strlen(plan->codec_name), &codec))
        ps_report(context, PS_LOG_WARN, "compressionCodec",
                  "%s is not a codec of Avro: files are not compressed, as in Flume", plan->codec_name);
    return PS_OK;
}

static enum ps_status avro_event_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    (void)context;
    (void)err;
    struct avro_event_plan *plan = plan_;
    plan->codec = codec_of(plan);
    return PS_OK;
}

static enum ps_status avro_event_open(const void *plan_, void *state_, struct ps_port *port,
                                      struct ps_err *err)
{
    (void)port;
    const struct avro_event_plan *plan = plan_;
    struct avro_event_state *state = state_;
    ps_java_map_init(&state->map);
    ps_random_init(&state->random);
    if (plan->codec != PS_AVRO_CODEC_NULL && (state->packer = ps_avro_packer_open(plan->codec)) == NULL)
        return ps_err_set(err, "no memory to compress");
    return PS_OK;
}

static void avro_event_close(const void *plan, void *state_)
{
    (void)plan;
    struct avro_event_state *state = state_;
    ps_avro_packer_close(state->packer);
    free(state->block.data);
    free(state->packed.data);
    ps_java_map_fini(&state->map);
}

/* ---- encoding ---- */

static bool buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->room - buffer->length >= more)
        return true;
    size_t room = buffer->room == 0 ? 65536 : buffer->room;
    while (room - buffer->length < more)
        room *= 2;
    char *data = realloc(buffer->data, room);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->room = room;
    return true;
}

static void put_bytes(struct buffer *block, const char *data, size_t length)
{
    block->length += ps_avro_put_long(block->data + block->length, (int64_t)length);
    if (length > 0)
        memcpy(block->data + block->length, data, length);
    block->length += length;
}

static bool output_bytes(struct ps_output *output, const char *data, size_t length)
{
    char head[PS_AVRO_LONG_BYTES_MAX];
    return output->write(output, head, ps_avro_put_long(head, (int64_t)length)) &&
           output->write(output, data, length);
}

static bool avro_event_begin(const void *plan_, void *state_, struct ps_output *output)
{
    const struct avro_event_plan *plan = plan_;
    struct avro_event_state *state = state_;
    state->count = 0;
    state->block.length = 0;
    for (size_t i = 0; i < SYNC_BYTES; i += sizeof(uint64_t)) {
        uint64_t word = ps_random_next(&state->random);
        memcpy(state->sync + i, &word, sizeof word);
    }
    const char *codec = ps_avro_codec_names[plan->codec];
    return output->write(output, "Obj\x01\x04", 5) && output_bytes(output, "avro.schema", 11) &&
           output_bytes(output, schema, sizeof schema - 1) && output_bytes(output, "avro.codec", 10) &&
           output_bytes(output, codec, strlen(codec)) && output->write(output, "\0", 1) &&
           output->write(output, state->sync, SYNC_BYTES);
}

/* ---- blocks ---- */

static bool packed_grow(struct ps_avro_plain *plain, size_t room)
{
    struct buffer *packed = plain->owner;
    packed->length = 0;
    if (!buffer_reserve(packed, room))
        return false;
    plain->data = packed->data;
    plain->room = packed->room;
    return true;
}

static bool block_pack(struct avro_event_state *state)
{
    struct buffer *packed = &state->packed;
    struct ps_avro_plain into = {
        .data = packed->data, .room = packed->room, .grow = packed_grow, .owner = packed};
    bool good = ps_avro_pack(state->packer, state->block.data, state->block.length, &into);
    packed->length = into.length;
    return good;
}

static bool block_write(struct avro_event_state *state, struct ps_output *output)
{
    if (state->count == 0)
        return true;
    const struct buffer *body = &state->block;
    if (state->packer != NULL) {
        if (!block_pack(state))
            return false;
        body = &state->packed;
    }
    char head[PS_AVRO_LONG_BYTES_MAX];
    bool good = output->write(output, head, ps_avro_put_long(head, (int64_t)state->count)) &&
                output_bytes(output, body->data, body->length) &&
                output->write(output, state->sync, SYNC_BYTES);
    state->count = 0;
    state->block.length = 0;
    return good;
}

static bool avro_event_event(const void *plan_, void *state_, const struct ps_batch *batch,
                             const struct ps_event *event, struct ps_output *output)
{
    const struct avro_event_plan *plan = plan_;
    struct avro_event_state *state = state_;
    if (!ps_java_map_order(&state->map, batch, event))
        return false;
    size_t most = 3 * PS_AVRO_LONG_BYTES_MAX + event->body_length;
    for (size_t i = 0; i < state->map.count; i++) {
        const struct ps_header *header = state->map.entries[i].header;
        most += 2 * PS_AVRO_LONG_BYTES_MAX + header->name->length + header->value_length;
    }
    struct buffer *block = &state->block;
    if (!buffer_reserve(block, most))
        return false;
    if (state->map.count > 0)
        block->length += ps_avro_put_long(block->data + block->length, (int64_t)state->map.count);
    for (size_t i = 0; i < state->map.count; i++) {
        const struct ps_header *header = state->map.entries[i].header;
        put_bytes(block, header->name->text, header->name->length);
        put_bytes(block, header->value, header->value_length);
    }
    block->data[block->length++] = 0; /* end of the map's blocks */
    put_bytes(block, event->body, event->body_length);
    state->count++;
    return block->length < (uint64_t)plan->sync_interval || block_write(state, output);
}

static bool avro_event_flush(const void *plan, void *state, struct ps_output *output)
{
    (void)plan;
    return block_write(state, output);
}

static const struct ps_serializer_ops serializer = {
    .extension = "avro",
    .begin = avro_event_begin,
    .event = avro_event_event,
    .flush = avro_event_flush,
    .end = avro_event_flush,
};

const struct ps_stage_ops ps_serializer_avro_event = {
    PS_STAGE(PS_KIND_SERIALIZER),
    .name = "avro_event",
    .aliases = PS_WORDS("org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder"),
    .summary = "an Avro file of headers and bodies",
    .options = options,
    .plan_size = sizeof(struct avro_event_plan),
    .state_size = sizeof(struct avro_event_state),
    .check = avro_event_check,
    .build = avro_event_build,
    .open = avro_event_open,
    .close = avro_event_close,
    .serializer = &serializer,
};
