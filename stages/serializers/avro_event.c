/* Serializer avro_event (Flume's FlumeEventAvroEventSerializer): writes an Avro object container file of
 * records Event {headers: map<string>, body: bytes} (Avro 1.11 specification, "Object Container Files"). A
 * block ends at syncIntervalBytes and at the end of every transaction. The state owns the memory of the
 * current block, which grows to syncIntervalBytes plus one event and keeps that size. Thread: the sink's
 * worker. */
#include "core/stage.h"
#include "stages/avro/binary.h"
#include "stages/text/java_map.h"
#include "stages/random.h"

#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define SYNC_BYTES 16U

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"headers\",\"type\":{"
    "\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}";

enum codec { CODEC_NULL, CODEC_DEFLATE, CODEC_SNAPPY };
static const char *const codec_names[] = {"null", "deflate", "snappy"};

struct avro_event_plan {
    int64_t sync_interval;
    const char *codec_name;
    enum codec codec;
};

struct buffer {
    char *data;
    size_t length, room;
};

struct avro_event_state {
    struct ps_java_map map;
    struct ps_random random;
    struct buffer block, packed;
    uint64_t count; /* records in the block */
    z_stream deflate;
    bool deflating;
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
     .help = "null, deflate or snappy"},
    PS_OPTION_END,
};

static int codec_find(const char *name)
{
    for (size_t i = 0; i < PS_COUNT_OF(codec_names); i++) {
        if (strcmp(name, codec_names[i]) == 0)
            return (int)i;
    }
    return -1;
}

static enum ps_status avro_event_check(const void *plan_, const struct ps_context *context)
{
    const struct avro_event_plan *plan = plan_;
    static const char *const elsewhere[] = {"bzip2", "xz", "zstandard"};
    for (size_t i = 0; i < PS_COUNT_OF(elsewhere); i++) {
        if (strcmp(plan->codec_name, elsewhere[i]) == 0) {
            ps_report(context, PS_LOG_ERROR, "compressionCodec",
                      "%s is not there yet; use deflate, snappy or null", plan->codec_name);
            return PS_FAIL;
        }
    }
    if (codec_find(plan->codec_name) < 0)
        ps_report(context, PS_LOG_WARN, "compressionCodec",
                  "%s is not a codec of Avro: files are not compressed, as in Flume", plan->codec_name);
    return PS_OK;
}

static enum ps_status avro_event_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    (void)context;
    (void)err;
    struct avro_event_plan *plan = plan_;
    int codec = codec_find(plan->codec_name);
    plan->codec = codec < 0 ? CODEC_NULL : (enum codec)codec;
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
    if (plan->codec == CODEC_DEFLATE) { /* raw, without zlib's frame */
        if (deflateInit2(&state->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) !=
            Z_OK)
            return ps_err_set(err, "no memory for deflate");
        state->deflating = true;
    }
    return PS_OK;
}

static void avro_event_close(const void *plan, void *state_)
{
    (void)plan;
    struct avro_event_state *state = state_;
    if (state->deflating)
        deflateEnd(&state->deflate);
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
    const char *codec = codec_names[plan->codec];
    return output->write(output, "Obj\x01\x04", 5) && output_bytes(output, "avro.schema", 11) &&
           output_bytes(output, schema, sizeof schema - 1) && output_bytes(output, "avro.codec", 10) &&
           output_bytes(output, codec, strlen(codec)) && output->write(output, "\0", 1) &&
           output->write(output, state->sync, SYNC_BYTES);
}

/* ---- blocks ---- */

static bool pack_deflate(struct avro_event_state *state)
{
    z_stream *stream = &state->deflate;
    state->packed.length = 0;
    if (deflateReset(stream) != Z_OK ||
        !buffer_reserve(&state->packed, deflateBound(stream, state->block.length)))
        return false;
    stream->next_in = (unsigned char *)state->block.data;
    stream->avail_in = (uInt)state->block.length;
    stream->next_out = (unsigned char *)state->packed.data;
    stream->avail_out = (uInt)state->packed.room;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    state->packed.length = state->packed.room - stream->avail_out;
    return true;
}

/* Snappy's block format and the CRC-32 of the plain bytes, big endian. */
static bool pack_snappy(struct avro_event_state *state)
{
    state->packed.length = 0;
    size_t length = snappy_max_compressed_length(state->block.length);
    if (!buffer_reserve(&state->packed, length + 4) ||
        snappy_compress(state->block.data, state->block.length, state->packed.data, &length) != SNAPPY_OK)
        return false;
    unsigned long crc =
        crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)state->block.data, state->block.length);
    for (int i = 0; i < 4; i++)
        state->packed.data[length + (size_t)i] = (char)(crc >> (24 - 8 * i));
    state->packed.length = length + 4;
    return true;
}

static bool block_write(const struct avro_event_plan *plan, struct avro_event_state *state,
                        struct ps_output *output)
{
    if (state->count == 0)
        return true;
    const struct buffer *body = &state->block;
    if (plan->codec != CODEC_NULL) {
        if (!(plan->codec == CODEC_DEFLATE ? pack_deflate(state) : pack_snappy(state)))
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
    return block->length < (uint64_t)plan->sync_interval || block_write(plan, state, output);
}

static bool avro_event_flush(const void *plan, void *state, struct ps_output *output)
{
    return block_write(plan, state, output);
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
