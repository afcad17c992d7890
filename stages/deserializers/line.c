/* Deserializer line (Flume's LineDeserializer): each line of a file is an event.
 *
 * A line ends only with \n: a \r before it stays. A line of maxLineLength Java chars ends there, and the rest is the next
 * line; so a line of exactly that length is followed by an empty event, as in Flume. A character beyond the basic plane is not
 * split (Flume splits it, and both halves become "?").
 *
 * The file is read into the batch's block, and bodies are slices of it: nothing is copied if the file's charset and
 * outputCharset are the same and all bytes are valid. The beginning of an incomplete last line is read again with the next
 * piece. A line longer than a block is read into a buffer of its own. Thread: the source's worker. */
#include "core/stage.h"
#include "core/text/utf8.h"
#include "stages/lib/slab.h"
#include "stages/lib/text/charset.h"
#include "stages/lib/text/line_text.h"

#include <string.h>

#define READ_BYTES (128U * 1024U) /* bytes that one call of `work` reads */
#define FIRST_NEED_BYTES 4096U

struct line_plan {
    int64_t chars_max;
    const char *charset_name;
    struct ps_charset charset; /* outputCharset; set by build */
};

struct line_state {
    struct ps_line_text text;
    struct ps_slab slab;
    struct ps_buffer large; /* a line that does not fit into a block, from input->position on */
    uint32_t need;          /* room that the next line needs at least */
    uint32_t line_bytes;    /* average length of recent lines */
    uint64_t bytes_max;     /* maximum length of one line: a quarter of the memory budget */
    bool fresh;             /* a file begins */
};

#define FIELD(name) offsetof(struct line_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW(
        "maxLineLength", INT, FIELD(chars_max),
        "maximum number of Java characters (UTF-16 units) in a line; a longer line becomes several events",
        .fallback = "2048", .min = INT32_MIN, .max = INT32_MAX, .unit = "chars"),
    PS_OPTION_ROW("outputCharset", TEXT, FIELD(charset_name),
                  "character set of the events' bodies; what it does not have becomes ?",
                  .fallback = "UTF-8"),
    PS_OPTION_END,
};

static enum ps_status line_check(const void *plan_, const struct ps_context *context)
{
    const struct line_plan *plan = plan_;
    struct ps_charset charset;
    struct ps_err err = {.length = 0};
    if (ps_charset_find(plan->charset_name, &charset, &err) == PS_OK)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "outputCharset", "%s", err.text);
    return PS_FAIL;
}

static enum ps_status line_build(void *plan_, struct ps_context *, struct ps_err *err)
{
    struct line_plan *plan = plan_;
    return ps_charset_find(plan->charset_name, &plan->charset, err);
}

static enum ps_status line_open(const void *, void *state_, struct ps_port *port, struct ps_err *)
{
    struct line_state *state = state_;
    *state = (struct line_state){.need = FIRST_NEED_BYTES, .line_bytes = 256};
    state->bytes_max = ps_depot_budget_bytes(port->blocks->depot) / 4;
    ps_slab_init(&state->slab, port->blocks);
    return PS_OK;
}

static void line_close(const void *, void *state_)
{
    struct line_state *state = state_;
    ps_line_text_fini(&state->text);
    ps_buffer_free(&state->slab, &state->large);
    ps_slab_fini(&state->slab);
}

static void line_begin(const void *plan_, void *state_, struct ps_input *input)
{
    const struct line_plan *plan = plan_;
    struct line_state *state = state_;
    ps_buffer_free(&state->slab, &state->large);
    state->need = FIRST_NEED_BYTES;
    state->fresh = true;
    ps_line_text_begin(&state->text, &state->slab, input, &plan->charset, plan->chars_max, state->bytes_max);
}

/* ---- reading ---- */

/* Returns how much to read: about the bytes of the rows for which the batch has room. */
static uint32_t wanted_bytes(const struct line_state *state, const struct ps_batch *batch, uint32_t room)
{
    uint64_t rows = batch->capacity - batch->count, bytes = rows * (state->line_bytes + 1) + 1024;
    if (bytes > READ_BYTES)
        bytes = READ_BYTES;
    if (bytes < state->need)
        bytes = state->need;
    return bytes < room ? (uint32_t)bytes : room;
}

static enum ps_deserialized read_failed(const struct ps_input *input, int64_t got, struct ps_err *err)
{
    if (got == PS_INPUT_NOT_NOW)
        return PS_DESERIALIZED_WAITS;
    ps_err_set(err, "cannot be read at byte %llu", (unsigned long long)input->position);
    return PS_DESERIALIZED_FAILED;
}

/* Takes the lines of the `length` bytes at `bytes`, which begin at input->position. */
static enum ps_deserialized take(struct line_state *state, struct ps_input *input, struct ps_batch *batch,
                                 struct ps_line_bytes *lines, struct ps_err *err)
{
    uint32_t before = batch->count;
    uint64_t cuts = state->text.cuts;
    enum ps_line_take result = ps_line_text_take(&state->text, batch, lines, err);
    uint32_t events = batch->count - before;
    input->position += lines->taken;
    input->cuts += state->text.cuts - cuts;
    if (events > 0)
        state->line_bytes = (3 * state->line_bytes + lines->taken / events) / 4;
    switch (result) {
    case PS_LINE_TAKE_FULL:
        return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;
    case PS_LINE_TAKE_BAD:
        return PS_DESERIALIZED_FAILED;
    case PS_LINE_TAKE_ALL:
        break;
    }
    return PS_DESERIALIZED_SOME;
}

/* Handles a first line that does not end within a block: reads into a buffer until the line ends, reaches its maximal
 * length, or the file ends. */
static enum ps_deserialized large_work(struct line_state *state, struct ps_input *input,
                                       struct ps_batch *batch, struct ps_err *err)
{
    struct ps_buffer *large = &state->large;
    uint64_t most = state->text.line_bytes_max + READ_BYTES;
    if (large->room - large->length < READ_BYTES && large->room < most) {
        uint64_t room = large->room == 0 ? 2 * PS_BLOCK_BYTES : 2 * (uint64_t)large->room;
        if (!ps_buffer_grow(&state->slab, large, (uint32_t)(room < most ? room : most)))
            return PS_DESERIALIZED_WAITS;
    }
    uint32_t known = large->length, room = large->room - known;
    int64_t got = 0;
    if (room > 0) {
        got = input->read(input, input->position + known, large->data + known,
                          room < READ_BYTES ? room : READ_BYTES);
        if (got < 0)
            return read_failed(input, got, err);
        large->length += (uint32_t)got;
    }
    bool last = room > 0 && got == 0;
    if (!last && room > 0 && !ps_line_text_ends(&state->text, large->data, known, large->length))
        return PS_DESERIALIZED_SOME;
    struct ps_line_bytes lines = {
        .bytes = large->data, .length = large->length, .ends = last, .copy = true, .one = true};
    enum ps_deserialized result = take(state, input, batch, &lines, err);
    if (lines.taken > 0) {
        ps_buffer_free(&state->slab, large);
        state->need = FIRST_NEED_BYTES;
    }
    return result;
}

/* Handles bytes without a complete line: finds out whether they are the last line, or more follows. */
static enum ps_deserialized partial(struct line_state *state, struct ps_input *input, struct ps_batch *batch,
                                    struct ps_line_bytes *lines, uint32_t room, struct ps_err *err)
{
    if (lines->length < room) {
        int64_t got = input->read(input, input->position + lines->length, lines->bytes + lines->length,
                                  room - lines->length);
        if (got == PS_INPUT_NOT_NOW)
            ps_batch_leave(batch, lines->length); /* the next call reads after them */
        if (got < 0)
            return read_failed(input, got, err);
        lines->length += (uint32_t)got;
        lines->ends = got == 0;
        enum ps_deserialized result = take(state, input, batch, lines, err);
        if (lines->taken > 0 || lines->ends || result != PS_DESERIALIZED_SOME)
            return result;
    }
    state->need = lines->length < PS_BLOCK_BYTES / 2 ? 2 * lines->length : PS_BLOCK_BYTES;
    if (lines->length == PS_BLOCK_BYTES)
        state->need = PS_BLOCK_BYTES + 1;
    return PS_DESERIALIZED_SOME;
}

/* Drops bytes that an earlier call left, if they belong to an earlier file. */
static void left_drop(struct line_state *state, struct ps_batch *batch)
{
    uint32_t room;
    if (state->fresh && ps_batch_left(batch) > 0 && ps_batch_reserve(batch, 1, &room) != NULL)
        ps_batch_commit(batch, 0);
    state->fresh = state->fresh && ps_batch_left(batch) > 0;
}

static enum ps_deserialized line_work(const void *, void *state_, struct ps_input *input,
                                      struct ps_batch *batch, struct ps_err *err)
{
    struct line_state *state = state_;
    if (ps_line_text_prepare(&state->text, input, err) != PS_OK)
        return PS_DESERIALIZED_FAILED;
    left_drop(state, batch);
    if (state->text.waits || state->fresh)
        return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;
    if (state->need > PS_BLOCK_BYTES)
        return large_work(state, input, batch, err);
    uint32_t room, left = ps_batch_left(batch), need = state->need > left ? state->need : left + 1;
    char *bytes = ps_batch_reserve(batch, need < PS_BLOCK_BYTES ? need : PS_BLOCK_BYTES, &room);
    if (bytes == NULL)
        return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;
    int64_t got =
        input->read(input, input->position + left, bytes + left, wanted_bytes(state, batch, room - left));
    if (got == PS_INPUT_END && left == 0)
        return PS_DESERIALIZED_ALL;
    if (got < 0)
        return read_failed(input, got, err);
    struct ps_line_bytes lines = {
        .bytes = bytes, .length = left + (uint32_t)got, .ends = got == PS_INPUT_END};
    enum ps_deserialized result = take(state, input, batch, &lines, err);
    if (result == PS_DESERIALIZED_SOME && lines.taken == 0 && !lines.ends)
        result = partial(state, input, batch, &lines, room, err);
    if (lines.taken > 0)
        state->need = FIRST_NEED_BYTES;
    if (result != PS_DESERIALIZED_WAITS || lines.taken > 0 || batch->full)
        ps_batch_commit(batch, lines.kept ? lines.taken : 0);
    return result;
}

static const struct ps_deserializer_ops deserializer = {
    .begin = line_begin, .work = line_work, .continues = true};

const struct ps_stage_ops ps_deserializer_line = {
    PS_STAGE(PS_KIND_DESERIALIZER),
    .name = "line",
    .aliases = PS_WORDS("org.apache.flume.serialization.LineDeserializer$Builder",
                        "org.apache.flume.serialization.LineDeserializer"),
    .summary = "a line of a file is an event",
    .options = options,
    .plan_size = sizeof(struct line_plan),
    .state_size = sizeof(struct line_state),
    .check = line_check,
    .build = line_build,
    .open = line_open,
    .close = line_close,
    .deserializer = &deserializer,
};
