/* Deserializer avro (Flume's AvroEventDeserializer): each record of an Avro container file is an event. Its
 * body is the datum as it is in the file; a header has the schema, or its fingerprint.
 *
 * A file can only be read again from a sync marker, so the position moves when all records of a block are in
 * batches: to the marker before the next block, where Flume's deserializer looks for it. Blocks are collected
 * in a buffer, decompressed into another, and cut by walking through the schema (stages/lib/avro/schema.h).
 * Records of a block that an earlier run has delivered (input->inside) are left out. Thread: the source's
 * worker. */
#include "core/stage.h"
#include "core/text/hex.h"
#include "stages/lib/avro/codec/codec.h"
#include "stages/lib/avro/container.h"
#include "stages/lib/avro/schema.h"
#include "stages/lib/slab.h"

#include <stdlib.h>
#include <string.h>

#define READ_BYTES (256U * 1024U)
#define OUT_BYTES (256U * 1024U)   /* bytes of events in one call of `work` */
#define HEAD_BYTES 4096U           /* bytes that are read first for a header */
#define WINDOW_BYTES (64U * 1024U) /* size of the pieces that are searched for a marker */

struct avro_plan {
    int literal;
    const struct ps_name *name;
};

enum phase { PHASE_HEAD, PHASE_SEEK, PHASE_BLOCK, PHASE_RECORDS };

struct avro_state {
    struct ps_slab slab;
    struct ps_buffer head, raw, plain; /* the file's header; a block as in the file; the decompressed block */
    struct ps_avro_container container; /* points into `head` */
    struct ps_avro_schema *schema;      /* schema of the last file, because most files have the same schema */
    char *schema_text;
    size_t schema_length;
    char fingerprint[17];
    enum ps_avro_codec codec;
    struct ps_avro_unpacker unpacker;
    enum phase phase;
    uint64_t block_at; /* where the block in `raw` begins, or the search for a marker continues */
    struct ps_avro_block block;
    const uint8_t *record, *records_end;
    int64_t records_left;
    uint64_t known; /* number of records at the start of the first block that an earlier run has delivered */
    uint64_t bytes_max; /* limit of a block */
};

static const struct ps_option options[] = {
    PS_OPTION_ROW("schemaType", ENUM, offsetof(struct avro_plan, literal),
                  "HASH: header flume.avro.schema.hash has the schema's fingerprint (CRC-64-AVRO, in hex); "
                  "LITERAL: header flume.avro.schema.literal has the schema",
                  .fallback = "HASH", .words = PS_WORDS("HASH", "LITERAL")),
    PS_OPTION_END,
};

static enum ps_status avro_build(void *plan_, struct ps_context *, struct ps_err *)
{
    struct avro_plan *plan = plan_;
    plan->name = ps_name_intern(plan->literal ? "flume.avro.schema.literal" : "flume.avro.schema.hash");
    return PS_OK;
}

static enum ps_status avro_open(const void *, void *state_, struct ps_port *port, struct ps_err *)
{
    struct avro_state *state = state_;
    *state = (struct avro_state){.bytes_max = ps_depot_budget_bytes(port->blocks->depot) / 8};
    if (state->bytes_max > PS_BODY_BYTES_MAX)
        state->bytes_max = PS_BODY_BYTES_MAX;
    ps_slab_init(&state->slab, port->blocks);
    return PS_OK;
}

static void avro_close(const void *, void *state_)
{
    struct avro_state *state = state_;
    ps_buffer_free(&state->slab, &state->head);
    ps_buffer_free(&state->slab, &state->raw);
    ps_buffer_free(&state->slab, &state->plain);
    ps_slab_fini(&state->slab);
    ps_avro_schema_destroy(state->schema);
    free(state->schema_text);
    ps_avro_unpacker_close(&state->unpacker);
}

static void avro_begin(const void *, void *state_, struct ps_input *input)
{
    struct avro_state *state = state_;
    ps_buffer_free(&state->slab, &state->head);
    state->raw.length = state->plain.length = 0;
    state->known = input->inside;
    state->phase = PHASE_HEAD;
}

/* ---- reading ---- */

/* Appends up to `room` bytes of the file from `offset` on to a buffer. SOME: bytes were added, or the file ends (*end). */
static enum ps_deserialized append(struct avro_state *state, struct ps_input *input, struct ps_buffer *buffer,
                                   uint64_t offset, uint32_t room, bool *end, struct ps_err *err)
{
    if (buffer->room - buffer->length < room && !ps_buffer_grow(&state->slab, buffer, buffer->length + room))
        return PS_DESERIALIZED_WAITS;
    int64_t got = input->read(input, offset, buffer->data + buffer->length, room);
    if (got == PS_INPUT_NOT_NOW)
        return PS_DESERIALIZED_WAITS;
    if (got < 0) {
        ps_err_set(err, "cannot be read at byte %llu", (unsigned long long)offset);
        return PS_DESERIALIZED_FAILED;
    }
    buffer->length += (uint32_t)got;
    *end = got == 0;
    return PS_DESERIALIZED_SOME;
}

static enum ps_deserialized damaged(const struct avro_state *state, const char *what, struct ps_err *err)
{
    ps_err_set(err, "is damaged in the block at byte %llu: %s", (unsigned long long)state->block_at, what);
    return PS_DESERIALIZED_FAILED;
}

static bool codec_take(struct avro_state *state, struct ps_err *err)
{
    struct ps_slice codec = {"null", 4};
    (void)ps_avro_container_meta(&state->container, "avro.codec", &codec);
    if (ps_avro_codec_find(codec.data, codec.length, &state->codec))
        return true;
    ps_err_set(err, "is compressed with %.*s; null, deflate, snappy, bzip2, xz and zstandard can be read",
               codec.length > 64 ? 64 : (int)codec.length, codec.data);
    return false;
}

/* Takes the schema. Parses and allocates nothing if the file has the schema of the last one. */
static bool schema_take(struct avro_state *state, struct ps_err *err)
{
    struct ps_slice text;
    if (!ps_avro_container_meta(&state->container, "avro.schema", &text)) {
        ps_err_set(err, "has no schema");
        return false;
    }
    if (state->schema != NULL && text.length == state->schema_length &&
        memcmp(text.data, state->schema_text, text.length) == 0)
        return true;
    ps_avro_schema_destroy(state->schema);
    state->schema = ps_avro_schema_create(text.data, text.length, err);
    if (state->schema == NULL)
        return false;
    state->schema_text = ps_must_realloc(state->schema_text, text.length + 1, "an Avro schema");
    memcpy(state->schema_text, text.data, text.length);
    state->schema_length = text.length;
    uint64_t print = htole64(ps_avro_schema_fingerprint(state->schema)); /* lowest byte first, as in Java */
    ps_hex_write(state->fingerprint, &print, sizeof print);
    return true;
}

static enum ps_deserialized head_work(struct avro_state *state, struct ps_input *input, struct ps_err *err)
{
    bool end = false;
    uint32_t room = state->head.length < HEAD_BYTES ? HEAD_BYTES : READ_BYTES;
    enum ps_deserialized result = append(state, input, &state->head, state->head.length, room, &end, err);
    if (result != PS_DESERIALIZED_SOME)
        return result;
    enum ps_avro_container_result opened =
        ps_avro_container_open((const uint8_t *)state->head.data, state->head.length, &state->container);
    if (opened == PS_AVRO_CONTAINER_SHORT && !end)
        return PS_DESERIALIZED_SOME;
    if (opened != PS_AVRO_CONTAINER_OK) {
        ps_err_set(err, "is no Avro container file%s",
                   opened == PS_AVRO_CONTAINER_SHORT ? ", or ends in its header" : "");
        return PS_DESERIALIZED_FAILED;
    }
    if (!codec_take(state, err) || !schema_take(state, err))
        return PS_DESERIALIZED_FAILED;
    bool again = input->position > 0;
    state->phase = again ? PHASE_SEEK : PHASE_BLOCK;
    state->block_at = again ? input->position : state->container.length;
    return PS_DESERIALIZED_SOME;
}

/* Looks for the first marker after the position, like Java's DataFileReader.sync. */
static enum ps_deserialized seek_work(struct avro_state *state, struct ps_input *input, struct ps_err *err)
{
    bool end;
    struct ps_buffer *raw = &state->raw;
    uint64_t from = state->block_at;
    enum ps_deserialized result = append(state, input, raw, from + raw->length, WINDOW_BYTES, &end, err);
    if (result != PS_DESERIALIZED_SOME)
        return result;
    const uint8_t *bytes = (const uint8_t *)raw->data;
    const uint8_t *found = ps_avro_container_sync(&state->container, bytes, raw->length);
    if (found != NULL || end) {
        state->block_at = from + (found != NULL ? (uint64_t)(found - bytes) : raw->length);
        raw->length = 0;
        state->phase = PHASE_BLOCK;
        return PS_DESERIALIZED_SOME;
    }
    uint32_t drop = raw->length >= PS_AVRO_SYNC_BYTES ? raw->length - (PS_AVRO_SYNC_BYTES - 1) : 0;
    memmove(raw->data, raw->data + drop, raw->length - drop);
    raw->length -= drop;
    state->block_at += drop;
    return PS_DESERIALIZED_SOME;
}

/* ---- blocks ---- */

static bool plain_grow(struct ps_avro_plain *plain, size_t room)
{
    struct avro_state *state = plain->owner;
    if (!ps_buffer_grow(&state->slab, &state->plain, (uint32_t)room))
        return false;
    plain->data = state->plain.data;
    plain->room = state->plain.room;
    return true;
}

static enum ps_deserialized unpack_block(struct avro_state *state, struct ps_err *err)
{
    struct ps_avro_plain plain = {.data = state->plain.data,
                                  .room = state->plain.room,
                                  .length_max = state->bytes_max,
                                  .grow = plain_grow,
                                  .owner = state};
    state->plain.length = 0;
    switch (
        ps_avro_unpack(&state->unpacker, state->codec, state->block.data, state->block.data_length, &plain)) {
    case PS_AVRO_UNPACKED:
        break;
    case PS_AVRO_UNPACK_LATER:
        return PS_DESERIALIZED_WAITS;
    case PS_AVRO_UNPACK_LONG:
        return damaged(state, "it is larger than an eighth of the memory budget", err);
    case PS_AVRO_UNPACK_CHECKSUM:
        return damaged(state, "its checksum is wrong", err);
    case PS_AVRO_UNPACK_DAMAGED:
        return damaged(state, "it cannot be decompressed", err);
    }
    state->plain.length = (uint32_t)plain.length;
    return PS_DESERIALIZED_SOME;
}

static enum ps_deserialized block_open(struct avro_state *state, struct ps_err *err)
{
    enum ps_deserialized result = PS_DESERIALIZED_SOME;
    state->record = state->block.data;
    state->records_end = state->block.data + state->block.data_length;
    if (state->codec != PS_AVRO_CODEC_NULL) {
        result = unpack_block(state, err);
        state->record = (const uint8_t *)state->plain.data;
        state->records_end = state->record + state->plain.length;
    }
    if (result != PS_DESERIALIZED_SOME)
        return result;
    state->records_left = state->block.record_count;
    state->phase = PHASE_RECORDS;
    return PS_DESERIALIZED_SOME;
}

static enum ps_deserialized block_work(struct avro_state *state, struct ps_input *input, struct ps_err *err)
{
    struct ps_buffer *raw = &state->raw;
    enum ps_avro_container_result known = ps_avro_container_block(
        &state->container, (const uint8_t *)raw->data, raw->length, state->bytes_max, &state->block);
    if (known == PS_AVRO_CONTAINER_SHORT) {
        bool end;
        size_t missing = state->block.length > raw->length ? state->block.length - raw->length : HEAD_BYTES;
        enum ps_deserialized result =
            append(state, input, raw, state->block_at + raw->length,
                   missing < READ_BYTES ? (uint32_t)missing : READ_BYTES, &end, err);
        if (result != PS_DESERIALIZED_SOME || !end)
            return result;
        if (raw->length > 0)
            return damaged(state, "the file ends in it", err);
        input->position = state->block_at;
        return PS_DESERIALIZED_ALL;
    }
    if (known == PS_AVRO_CONTAINER_BAD)
        return damaged(
            state, "its lengths or its marker are wrong, or it is larger than an eighth of the memory budget",
            err);
    return block_open(state, err);
}

/* ---- records ---- */

/* Sets the header, which all events of a batch share. Returns false if there is no memory, or the batch has events of another
 * schema; then it sets `full` of the batch. */
static bool header_ready(const struct avro_plan *plan, const struct avro_state *state, struct ps_batch *batch)
{
    const char *value = plan->literal ? state->schema_text : state->fingerprint;
    uint32_t length = plan->literal ? (uint32_t)state->schema_length : 16;
    if (batch->count == 0)
        return ps_batch_shared_set(batch, plan->name, value, length, true);
    const struct ps_header *header = ps_header_find(batch->shared, plan->name);
    if (header != NULL && header->value_length == length && memcmp(header->value, value, length) == 0)
        return true;
    batch->full = true;
    return false;
}

/* Keeps the bytes after the block, which were mostly read with it. */
static void block_close(struct avro_state *state, struct ps_input *input)
{
    struct ps_buffer *raw = &state->raw;
    uint32_t length = (uint32_t)state->block.length;
    memmove(raw->data, raw->data + length, raw->length - length);
    raw->length -= length;
    state->block_at += length;
    input->position = state->block_at - PS_AVRO_SYNC_BYTES;
    input->inside = state->known = 0;
    state->phase = PHASE_BLOCK;
}

/* Returns false if the records are not what the schema says. */
static bool leave_out_known(struct avro_state *state)
{
    for (; state->known > 0 && state->records_left > 0; state->known--, state->records_left--)
        if (!ps_avro_schema_skip(state->schema, &state->record, state->records_end))
            return false;
    return true;
}

static enum ps_deserialized records_work(const struct avro_plan *plan, struct avro_state *state,
                                         struct ps_input *input, struct ps_batch *batch, struct ps_err *err)
{
    if (!header_ready(plan, state, batch))
        return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;
    if (!leave_out_known(state))
        return damaged(state, "a record is not what the schema says", err);
    for (uint64_t before = batch->body_bytes; state->records_left > 0; state->records_left--) {
        const uint8_t *end = state->record;
        if (batch->body_bytes - before > OUT_BYTES)
            return PS_DESERIALIZED_SOME;
        if (!ps_avro_schema_skip(state->schema, &end, state->records_end))
            return damaged(state, "a record is not what the schema says", err);
        if (ps_batch_add_copy(batch, (const char *)state->record, (uint32_t)(end - state->record)) == NULL)
            return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;
        state->record = end;
        input->inside++;
    }
    if (state->record != state->records_end)
        return damaged(state, "it has more bytes than its records", err);
    block_close(state, input);
    return PS_DESERIALIZED_SOME;
}

static enum ps_deserialized avro_work(const void *plan, void *state_, struct ps_input *input,
                                      struct ps_batch *batch, struct ps_err *err)
{
    struct avro_state *state = state_;
    switch (state->phase) {
    case PHASE_HEAD:
        return head_work(state, input, err);
    case PHASE_SEEK:
        return seek_work(state, input, err);
    case PHASE_BLOCK:
        return block_work(state, input, err);
    case PHASE_RECORDS:
        break;
    }
    return records_work(plan, state, input, batch, err);
}

static const struct ps_deserializer_ops deserializer = {
    .begin = avro_begin, .work = avro_work, .continues = true};

const struct ps_stage_ops ps_deserializer_avro = {
    PS_STAGE(PS_KIND_DESERIALIZER),
    .name = "avro",
    .aliases = PS_WORDS("org.apache.flume.serialization.AvroEventDeserializer$Builder",
                        "org.apache.flume.serialization.AvroEventDeserializer"),
    .summary = "a record of an Avro container file is an event",
    .options = options,
    .plan_size = sizeof(struct avro_plan),
    .state_size = sizeof(struct avro_state),
    .build = avro_build,
    .open = avro_open,
    .close = avro_close,
    .deserializer = &deserializer,
};
