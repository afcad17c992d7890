/* Makes events of the files of a spooling directory: pieces of the current file become rows, and its span moves with them.
 * Thread: the worker. */
#include "core/flow/origins.h"
#include "stages/lib/spool/headers.h"
#include "stages/sources/spooldir/internal.h"

#include <errno.h>
#include <string.h>

#define STEPS_MAX 64 /* files, or pieces of a file, in one call of `work` */
#define WORK_BYTES (512U * 1024U)

int64_t ps_spooldir_input_read(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    struct ps_spooldir *state =
        (struct ps_spooldir *)(void *)((char *)input - offsetof(struct ps_spooldir, input));
    struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, state->current);
    if (reading->file->compression != PS_COMPRESSION_NONE)
        return ps_unpacked_read(&state->unpacked, offset, to, room);
    ssize_t got = ps_tail_read(&state->reader, &reading->tail, to, room, offset);
    return got >= 0 ? got : errno == EAGAIN ? PS_INPUT_NOT_NOW : PS_INPUT_UNREADABLE;
}

/* Makes the headers and the span of the file before its events are added; then moving the span cannot fail. */
static bool batch_ready(struct ps_spooldir *state, struct ps_spooldir_reading *reading,
                        struct ps_batch *batch)
{
    const struct ps_spool_plan *plan = state->plan;
    const char *path = plan->header_name != NULL ? ps_spool_absolute_path(state->working_directory,
                                                                          reading->file, &reading->absolute)
                                                 : NULL;
    return ps_spool_header_ready(batch, plan->header_name, path) &&
           ps_spool_header_ready(batch, plan->basename_name, reading->file->name) &&
           ps_spool_sink_positions_span(&state->sink, batch, reading->stream, reading->noted, reading->file);
}

/* Notes in the batch how many events of the file are behind its position, for the account of a stop. Without
 * room for that the account has fewer events. */
static void inside_note(const struct ps_spooldir *state, struct ps_batch *batch,
                        struct ps_spooldir_reading *reading)
{
    uint64_t inside = reading->complete || state->sink.keeps ? 0 : state->input.inside;
    reading->blocks |= inside > 0;
    if (reading->blocks)
        (void)ps_batch_span(batch, reading->stream, PS_SPOOLDIR_INSIDE,
                            ps_spooldir_inside(reading->moves, inside), NULL);
}

/* Returns the identity of the file's next event. */
static struct ps_identity next_identity(const struct ps_spooldir_reading *reading)
{
    return (struct ps_identity){
        .system = "spooldir", .store = reading->file->number, .part = -1, .position = reading->events};
}

/* Makes room for the identities of the next events. Returns false when there is no memory. */
static bool identities_ready(const struct ps_spooldir_reading *reading, struct ps_batch *batch)
{
    const struct ps_identity next = next_identity(reading);
    return next.store == 0 || ps_batch_origin_begin(batch, &next);
}

/* Gives the `count` events added last their identities. identities_ready has made room. */
static void identities_add(struct ps_spooldir_reading *reading, struct ps_batch *batch, uint32_t count)
{
    const struct ps_identity first = next_identity(reading);
    bool noted = first.store == 0 || ps_batch_origin(batch, &first, count);
    PS_ASSERT(noted);
    reading->events += count;
}

/* Notes in the batch how many events of the file are before its position. Without room for that, the next run gives the rest of the
 * file another random number. */
static void events_note(const struct ps_spooldir *state, struct ps_batch *batch,
                        struct ps_spooldir_reading *reading)
{
    if (reading->file->number == 0 || reading->complete)
        return;
    reading->uncounted |= !ps_batch_span(batch, reading->stream, PS_SPOOLDIR_EVENTS,
                                         (int64_t)(reading->events - state->input.inside), NULL);
}

static void span_move(struct ps_spooldir *state, struct ps_batch *batch, struct ps_spooldir_reading *reading,
                      uint64_t position)
{
    bool moved = ps_batch_span(batch, reading->stream, PS_SPOOLDIR_POSITION, (int64_t)position, NULL);
    PS_ASSERT(moved); /* batch_ready has made the span */
    reading->moves += position != reading->noted;
    reading->noted = position;
    inside_note(state, batch, reading);
    events_note(state, batch, reading);
    /* Nothing of the file is in the batch: its record stays, which may say that the event of an empty file is delivered. */
    if (!reading->complete && position == reading->file->start &&
        state->input.inside == reading->file->inside)
        return;
    ps_spool_sink_positions_record(&state->sink, batch, reading->stream, reading->file, state->input.inside,
                                   !reading->complete ? PS_SPOOL_KEPT_OPEN
                                   : reading->failed  ? PS_SPOOL_KEPT_BROKEN
                                                      : PS_SPOOL_KEPT_FINISHED);
}

bool ps_spooldir_is_inside(const struct ps_spooldir *state)
{
    return state->input.inside > 0 && !state->sink.keeps && !state->stopped;
}

/* Called when reading the file has ended. */
static void file_over(struct ps_spooldir *state, struct ps_spooldir_reading *reading, struct ps_batch *batch)
{
    reading->end = state->input.position;
    reading->complete = true;
    span_move(state, batch, reading, reading->end + 1);
    state->input.inside = 0;
    ps_tail_file_close(&state->reader, &reading->tail);
    ps_spooldir_next_unread(state);
}

/* Called when the rest of the file cannot be read. */
static void file_broken(struct ps_spooldir *state, struct ps_spooldir_reading *reading,
                        struct ps_batch *batch, struct ps_err *err)
{
    char reason[PS_SPOOL_REASON_BYTES];
    if (reading->file->compression != PS_COMPRESSION_NONE && state->unpacked.damage != NULL)
        snprintf(reason, sizeof reason, "%.500s: %s at byte %llu; its text is read up to byte %llu",
                 reading->file->path, state->unpacked.damage, (unsigned long long)state->unpacked.damaged_at,
                 (unsigned long long)state->input.position);
    else
        snprintf(reason, sizeof reason, "%.500s %.500s", reading->file->path, ps_err_join(err));
    ps_spooldir_file_failed(state, reason);
    if (state->stopped)
        return; /* the file's position stays before the unreadable part */
    reading->failed = true;
    reading->file->end = PS_SPOOL_VIOLATED;
    file_over(state, reading, batch);
}

/* Called when all of the file was read. Flume makes one empty event of a file without events. */
static bool file_read(struct ps_spooldir *state, struct ps_spooldir_reading *reading, struct ps_batch *batch)
{
    if (!reading->any) {
        if (ps_batch_add_copy(batch, "", 0) == NULL)
            return false;
        identities_add(reading, batch, 1);
        ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, 1);
    }
    file_over(state, reading, batch);
    return true;
}

static void file_begin(struct ps_spooldir *state, struct ps_spooldir_reading *reading)
{
    const struct ps_spool_plan *plan = state->plan;
    state->input.position = reading->noted = reading->file->start;
    state->input.size = reading->file->size;
    state->input.inside = reading->file->inside;
    reading->any = reading->file->begun;
    if (reading->file->compression != PS_COMPRESSION_NONE) {
        state->input.size = 0;
        ps_unpacked_begin(&state->unpacked, reading->file->compression, &state->reader, &reading->tail,
                          PS_UNPACKED_BLOCK_BYTES);
    }
    plan->deserializer->deserializer->begin(plan->deserializer_plan, state->deserializer, &state->input);
    reading->begun = true;
    state->cut_is_noted = false;
}

/* Flume cuts such lines without a message. */
static void cuts_note(struct ps_spooldir *state, const struct ps_spooldir_reading *reading, uint64_t position)
{
    if (state->input.cuts == 0)
        return;
    ps_count(state->port->counters, (enum ps_counter)PS_SPOOLDIR_LINES_CUT, state->input.cuts);
    if (!state->cut_is_noted)
        ps_log(PS_LOG_WARN, state->port->component,
               "%s has a line after byte %llu that is longer than deserializer.maxLineLength: it becomes "
               "several events (lines_cut counts them all; this message appears once for each file)",
               reading->file->path, (unsigned long long)position);
    state->cut_is_noted = true;
    state->input.cuts = 0;
}

/* Reads one piece of the current file. Returns PS_DONE when the caller may continue with this batch. */
static enum ps_result piece_read(struct ps_spooldir *state, struct ps_batch *batch)
{
    const struct ps_stage_ops *ops = state->plan->deserializer;
    struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, state->current);
    struct ps_err err;
    if (!reading->begun)
        file_begin(state, reading);
    if (!batch_ready(state, reading, batch) || !identities_ready(reading, batch)) {
        state->starved = !batch->full;
        return PS_IDLE;
    }
    uint32_t before = batch->count;
    uint64_t position = state->input.position;
    enum ps_deserialized result = ops->deserializer->work(state->plan->deserializer_plan, state->deserializer,
                                                          &state->input, batch, &err);
    identities_add(reading, batch, batch->count - before);
    reading->any |= batch->count > before;
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, batch->count - before);
    ps_count(state->port->counters, PS_COUNTER_bytes, state->input.position - position);
    span_move(state, batch, reading, reading->any ? state->input.position : reading->file->start);
    cuts_note(state, reading, position);
    switch (result) {
    case PS_DESERIALIZED_SOME:
        return PS_DONE;
    case PS_DESERIALIZED_ALL:
        if (file_read(state, reading, batch))
            return PS_DONE;
        state->starved = !batch->full;
        return PS_IDLE;
    case PS_DESERIALIZED_WAITS:
        /* A compressed file uses few bytes of a fetch at a time; a completed fetch does not wake the worker again. */
        state->starved = reading->tail.fetch == NULL || ps_tail_file_answered(&reading->tail);
        return PS_IDLE;
    case PS_DESERIALIZED_FAILED:
        file_broken(state, reading, batch, &err);
        return PS_DONE;
    case PS_DESERIALIZED_FULL:
        break;
    }
    return PS_IDLE;
}

enum ps_result ps_spooldir_work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *now)
{
    struct ps_spooldir *state = state_;
    uint32_t before = batch->count;
    uint64_t bytes = batch->body_bytes;
    bool moved = false;
    state->starved = false;
    if (!ps_spool_sink_positions_tell(&state->sink, batch, state->draining, &moved))
        return moved ? PS_DONE : PS_IDLE;
    for (unsigned step = 0; step < STEPS_MAX && batch->body_bytes - bytes < WORK_BYTES; step++) {
        if (state->current == state->opened) {
            (void)ps_tail_thread_answers(&state->thread);
            moved |= state->sink.gone.count > 0;
            /* A file that was opened now may have the key of a file that is gone: the next call reports that one first. */
            if (state->sink.gone.count > 0)
                break;
            ps_spooldir_fetch_if_due(state, now->mono_ns);
        }
        if (state->current == state->opened || state->stopped ||
            (state->draining && !ps_spooldir_is_inside(state)))
            break;
        enum ps_result result = piece_read(state, batch);
        moved |= result == PS_DONE || batch->full;
        if (result != PS_DONE)
            break;
    }
    /* Closes the batch soon, because no further file is opened before these files are delivered. */
    batch->flush |=
        state->current == state->opened && !ps_spooldir_has_room(state) && !ps_batch_is_empty(batch);
    if (before == 0 && batch->count > 0)
        ps_count(state->port->counters, PS_COUNTER_AppendBatchReceivedCount, 1);
    return moved || batch->count > before ? PS_DONE : PS_IDLE;
}
