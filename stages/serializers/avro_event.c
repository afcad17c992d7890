/* Serializer avro_event (Flume's FlumeEventAvroEventSerializer): writes an Avro object container file of
 * records Event {headers: map<string>, body: bytes} (Avro 1.11 specification, "Object Container Files"). A
 * block ends at syncIntervalBytes and at the end of every transaction. Thread: the sink's worker. */
#include "core/stage.h"
#include "stages/avro/binary.h"
#include "stages/avro/blocks.h"
#include "stages/text/java_map.h"

#include <string.h>

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"headers\",\"type\":{"
    "\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}";

struct avro_event_plan {
    int64_t sync_interval;
    const char *codec_name;
    enum ps_avro_codec codec;
};

struct avro_event_state {
    struct ps_port *port;
    struct ps_java_map map;
    struct ps_avro_blocks blocks;
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
    const struct avro_event_plan *plan = plan_;
    struct avro_event_state *state = state_;
    state->port = port;
    state->blocks.share = ps_avro_share_open(port);
    if (state->blocks.share == NULL || (plan->codec != PS_AVRO_CODEC_NULL &&
                                        ps_avro_share_packer(state->blocks.share, plan->codec) == NULL)) {
        ps_avro_share_close(state->blocks.share, port);
        return ps_err_set(err, "no memory for Avro files");
    }
    state->blocks.codec = plan->codec;
    state->blocks.interval_bytes = (uint64_t)plan->sync_interval;
    ps_java_map_init(&state->map);
    return PS_OK;
}

static void avro_event_close(const void *plan, void *state_)
{
    (void)plan;
    struct avro_event_state *state = state_;
    ps_avro_blocks_fini(&state->blocks);
    ps_avro_share_close(state->blocks.share, state->port);
    ps_java_map_fini(&state->map);
}

static void put_bytes(struct ps_byte_buffer *block, const char *data, size_t length)
{
    block->length += ps_avro_put_long(block->data + block->length, (int64_t)length);
    if (length > 0)
        memcpy(block->data + block->length, data, length);
    block->length += length;
}

static bool avro_event_begin(const void *plan, void *state_, struct ps_output *output)
{
    (void)plan;
    struct avro_event_state *state = state_;
    return ps_avro_blocks_begin(&state->blocks, schema, sizeof schema - 1, output);
}

static bool avro_event_event(const void *plan, void *state_, const struct ps_batch *batch,
                             const struct ps_event *event, struct ps_output *output)
{
    (void)plan;
    struct avro_event_state *state = state_;
    if (!ps_java_map_order(&state->map, batch, event))
        return false;
    size_t most = 3 * PS_AVRO_LONG_BYTES_MAX + event->body_length;
    for (size_t i = 0; i < state->map.count; i++) {
        const struct ps_header *header = state->map.entries[i].header;
        most += 2 * PS_AVRO_LONG_BYTES_MAX + header->name->length + header->value_length;
    }
    struct ps_byte_buffer *block = &state->blocks.block;
    if (!ps_avro_blocks_reserve(&state->blocks, most))
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
    return ps_avro_blocks_added(&state->blocks, output);
}

static bool avro_event_flush(const void *plan, void *state_, struct ps_output *output)
{
    (void)plan;
    struct avro_event_state *state = state_;
    return ps_avro_blocks_flush(&state->blocks, output);
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
