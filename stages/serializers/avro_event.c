/* Serializer avro_event (Flume's FlumeEventAvroEventSerializer): writes an Avro object container file of
 * records Event {headers: map<string>, body: bytes} (Avro 1.11 specification, "Object Container Files"). A
 * block ends at syncIntervalBytes and at the end of every transaction. Thread: the sink's worker. */
#include "core/stage.h"
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/blocks_stage.h"
#include "stages/lib/text/java/map.h"

#include <string.h>

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"headers\",\"type\":{"
    "\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}";

struct avro_event_state {
    struct ps_avro_blocks_state file;
    struct ps_java_map map;
};

static const struct ps_option options[] = {PS_AVRO_BLOCKS_OPTION_ROWS, PS_OPTION_END};

static enum ps_status avro_event_open(const void *plan, void *state_, struct ps_port *port,
                                      struct ps_err *err)
{
    struct avro_event_state *state = state_;
    ps_java_map_init(&state->map);
    return ps_avro_blocks_open(plan, &state->file, port, err);
}

static void avro_event_close(const void *plan, void *state_)
{
    struct avro_event_state *state = state_;
    ps_avro_blocks_close(plan, &state->file);
    ps_java_map_fini(&state->map);
}

static void put_bytes(struct ps_byte_buffer *block, const char *data, size_t length)
{
    block->length += ps_avro_put_long(block->data + block->length, (int64_t)length);
    if (length > 0)
        memcpy(block->data + block->length, data, length);
    block->length += length;
}

static bool avro_event_begin(const void *, void *state_, struct ps_output *output)
{
    struct avro_event_state *state = state_;
    return ps_avro_blocks_begin(&state->file.blocks, schema, sizeof schema - 1, output);
}

static bool avro_event_event(const void *, void *state_, const struct ps_batch *batch,
                             const struct ps_event *event, struct ps_output *output)
{
    struct avro_event_state *state = state_;
    if (!ps_java_map_order(&state->map, batch, event))
        return false;
    size_t most = 3 * PS_AVRO_LONG_BYTES_MAX + event->body_length;
    for (size_t i = 0; i < state->map.count; i++) {
        const struct ps_header *header = state->map.entries[i].header;
        most += 2 * PS_AVRO_LONG_BYTES_MAX + header->name->length + header->value_length;
    }
    struct ps_byte_buffer *block = &state->file.blocks.block;
    if (!ps_avro_blocks_reserve(&state->file.blocks, most))
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
    return ps_avro_blocks_added(&state->file.blocks, output);
}

static const struct ps_serializer_ops serializer = {
    .extension = "avro",
    .begin = avro_event_begin,
    .event = avro_event_event,
    .flush = ps_avro_blocks_end,
    .end = ps_avro_blocks_end,
};

const struct ps_stage_ops ps_serializer_avro_event = {
    PS_STAGE(PS_KIND_SERIALIZER),
    .name = "avro_event",
    .aliases = PS_WORDS("org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder"),
    .summary = "an Avro file of headers and bodies",
    .options = options,
    .plan_size = sizeof(struct ps_avro_blocks_plan),
    .state_size = sizeof(struct avro_event_state),
    .check = ps_avro_blocks_check,
    .build = ps_avro_blocks_build,
    .open = avro_event_open,
    .close = avro_event_close,
    .serializer = &serializer,
};
