/* Deserializer blob (Flume's org.apache.flume.sink.solr.morphline.BlobDeserializer): a file is one event, or several of
 * maxBlobLength bytes. The content is collected in a buffer, and copied into the batch when it is complete. Thread: the source's
 * worker. */
#include "core/stage.h"
#include "stages/lib/slab.h"

#define READ_BYTES (256U * 1024U)

struct blob_plan {
    int64_t bytes_max;
};

struct blob_state {
    struct ps_slab slab;
    struct ps_buffer buffer;
    uint64_t bytes_max; /* maxBlobLength, at most a quarter of the memory budget */
    bool whole;         /* the buffer has an event, or the rest of the file */
};

static const struct ps_option options[] = {
    PS_OPTION_ROW(
        "maxBlobLength", INT, offsetof(struct blob_plan, bytes_max),
        "maximum length of an event; a larger file becomes several events; at most a quarter of the "
        "memory budget, and 896 MiB",
        .fallback = "100000000", .min = 1, .max = INT32_MAX, .unit = "bytes"),
    PS_OPTION_END,
};

static enum ps_status blob_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *)
{
    const struct blob_plan *plan = plan_;
    struct blob_state *state = state_;
    uint64_t quarter = ps_depot_budget_bytes(port->blocks->depot) / 4;
    *state = (struct blob_state){.bytes_max = (uint64_t)plan->bytes_max};
    if (state->bytes_max > quarter)
        state->bytes_max = quarter;
    if (state->bytes_max > PS_BODY_BYTES_MAX)
        state->bytes_max = PS_BODY_BYTES_MAX;
    ps_slab_init(&state->slab, port->blocks);
    return PS_OK;
}

static void blob_close(const void *, void *state_)
{
    struct blob_state *state = state_;
    ps_buffer_free(&state->slab, &state->buffer);
    ps_slab_fini(&state->slab);
}

static void blob_begin(const void *, void *state_, struct ps_input *)
{
    struct blob_state *state = state_;
    ps_buffer_free(&state->slab, &state->buffer);
    state->whole = false;
}

/* Reads a piece. Returns false with *result set if that is not possible now, or the file ends there. */
static bool read_piece(struct blob_state *state, struct ps_input *input, struct ps_err *err,
                       enum ps_deserialized *result)
{
    struct ps_buffer *buffer = &state->buffer;
    if (buffer->room == buffer->length) {
        uint64_t at = input->position + buffer->length, left = input->size > at ? input->size - at : 0;
        uint64_t unknown = buffer->length > READ_BYTES ? buffer->length : READ_BYTES;
        uint64_t room = buffer->length + (left > 0 ? left : unknown);
        if (room > state->bytes_max)
            room = state->bytes_max;
        *result = PS_DESERIALIZED_WAITS;
        if (!ps_buffer_grow(&state->slab, buffer, (uint32_t)room))
            return false;
    }
    uint64_t room = buffer->room < state->bytes_max ? buffer->room : state->bytes_max;
    uint32_t most = (uint32_t)room - buffer->length;
    int64_t got = input->read(input, input->position + buffer->length, buffer->data + buffer->length,
                              most < READ_BYTES ? most : READ_BYTES);
    if (got < 0) {
        *result = got == PS_INPUT_NOT_NOW ? PS_DESERIALIZED_WAITS : PS_DESERIALIZED_FAILED;
        if (*result == PS_DESERIALIZED_FAILED)
            ps_err_set(err, "cannot be read at byte %llu",
                       (unsigned long long)input->position + buffer->length);
        return false;
    }
    *result = PS_DESERIALIZED_ALL;
    buffer->length += (uint32_t)got;
    state->whole = got == 0 || buffer->length == state->bytes_max;
    return buffer->length > 0;
}

static enum ps_deserialized blob_work(const void *, void *state_, struct ps_input *input,
                                      struct ps_batch *batch, struct ps_err *err)
{
    struct blob_state *state = state_;
    enum ps_deserialized result;
    if (!state->whole && !read_piece(state, input, err, &result))
        return result;
    if (!state->whole)
        return PS_DESERIALIZED_SOME;
    if (ps_batch_add_copy(batch, state->buffer.data, state->buffer.length) == NULL)
        return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;
    input->position += state->buffer.length;
    ps_buffer_free(&state->slab, &state->buffer);
    state->whole = false;
    return PS_DESERIALIZED_SOME;
}

static const struct ps_deserializer_ops deserializer = {
    .begin = blob_begin, .work = blob_work, .as_they_are = true, .continues = true};

const struct ps_stage_ops ps_deserializer_blob = {
    PS_STAGE(PS_KIND_DESERIALIZER),
    .name = "blob",
    .aliases = PS_WORDS("org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder",
                        "org.apache.flume.sink.solr.morphline.BlobDeserializer"),
    .summary = "a file is an event",
    .options = options,
    .plan_size = sizeof(struct blob_plan),
    .state_size = sizeof(struct blob_state),
    .open = blob_open,
    .close = blob_close,
    .deserializer = &deserializer,
};
