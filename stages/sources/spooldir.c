/* Source spooldir (Flume's SpoolDirectorySource): reads the files that are put into a directory, one after the other, and
 * renames, deletes or marks each when all of it is promised.
 *
 * A thread opens files, lists the directory and writes positions (stages/lib/spool/). The worker reads bytes that are
 * in the page cache (stages/lib/tail/reader.h), and a deserializer makes events of them. Files are opened ahead, so
 * that thousands of small ones fill batches. Files are retired in order, each when it is delivered to its end; the
 * meta file has the position of the oldest file that is not. A batch has one span for each of its files: the position
 * after the file's last event, plus one if that is the end of the file, so that a file without events also has an
 * end.
 *
 * A file that breaks the rules of a spooling directory (it changes, its name was used before, its bytes do not fit
 * the charset) stops the source as in Flume; with penstock.onFileError = skip the file is left alone. Thread: the
 * worker. */
#include "core/flow/engine_source.h"
#include "core/stage.h"
#include "stages/lib/spool/headers.h"
#include "stages/lib/spool/plan.h"
#include "stages/lib/spool/sink_positions.h"
#include "stages/lib/spool/spool.h"
#include "stages/lib/tail/unpacked.h"
#include "stages/lib/tail/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* time between writes of the position; after a crash these events come twice */
#define MARK_NS (50 * PS_NS_PER_MS)
/* time between listings of the directory while inotify reports no change */
#define LOOK_NS (10 * PS_NS_PER_S)
#define MEMORY_RETRY_NS (2 * PS_NS_PER_MS)
#define STEPS_MAX 64 /* files, or pieces of one, in one call of `work` */
#define WORK_BYTES (512U * 1024U)
#define STOP_MS 2000U /* time limit of the wait for the thread when the source closes */

/* A file from its opening until it is retired. */
struct reading {
    struct ps_spool_file *file;
    struct ps_tail_file tail;
    uint32_t stream;                /* number of its stream in spans */
    uint64_t delivered, noted, end; /* positions; `noted`: the last one in a span */
    bool begun, complete, failed, retiring, any;
    char *absolute; /* for the header; NULL: it is file->path */
};

/* The source's own counter: events that end at deserializer.maxLineLength although their line continues. */
enum { COUNTER_lines_cut = PS_COUNTER_extra };

struct spooldir_state {
    struct ps_port *port;
    const struct ps_spool_plan *plan;
    struct ps_spool *spool;
    struct ps_spool_sink_positions sink;
    struct ps_tail_thread thread;
    struct ps_tail_reader reader;
    struct ps_unpacked unpacked; /* the file that is read, if it is compressed */
    void *deserializer;
    struct ps_input input;
    char *working_directory; /* put before paths in headers if spoolDir is relative; NULL: it is absolute */
    /* A ring by file number. `oldest`, `current` (being read), `opened` (one after the last opened): numbers. */
    struct reading files[PS_SPOOL_FILES_MAX];
    uint32_t oldest, current, opened;
    bool fetching, marking, more, stopped, draining, starved, dirty, paused, mark_failed, cut_is_noted;
    uint64_t next_list_ns, listed_ns, marked_ns;
    uint32_t marked_stream;
    uint64_t marked_position;
};

/* ---- open and close ---- */

static struct reading *reading_at(struct spooldir_state *state, uint32_t number)
{
    return &state->files[number % PS_SPOOL_FILES_MAX];
}

static int64_t input_read(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    struct spooldir_state *state =
        (struct spooldir_state *)(void *)((char *)input - offsetof(struct spooldir_state, input));
    struct reading *reading = reading_at(state, state->current);
    if (reading->file->compression != PS_COMPRESSION_NONE)
        return ps_unpacked_read(&state->unpacked, offset, to, room);
    ssize_t got = ps_tail_read(&state->reader, &reading->tail, to, room, offset);
    return got >= 0 ? got : errno == EAGAIN ? PS_INPUT_NOT_NOW : PS_INPUT_UNREADABLE;
}

static void spooldir_close(const void *plan_, void *state_)
{
    const struct ps_spool_plan *plan = plan_;
    struct spooldir_state *state = state_;
    for (uint32_t i = state->oldest; i != state->opened; i++) {
        struct reading *reading = reading_at(state, i);
        if (reading->tail.fd >= 0)
            ps_tail_file_close(&state->reader, &reading->tail);
    }
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX; i++)
        free(state->files[i].absolute);
    if (state->spool != NULL)
        ps_spool_leave(state->spool, &state->thread);
    if (state->thread.helper != NULL)
        ps_tail_thread_stop(&state->thread, STOP_MS);
    if (state->deserializer != NULL && plan->deserializer->close != NULL)
        plan->deserializer->close(plan->deserializer_plan, state->deserializer);
    free(state->deserializer);
    ps_unpacked_fini(&state->unpacked);
    ps_spool_keep_close(&state->sink);
    free(state->working_directory);
}

static enum ps_status spooldir_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_spool_plan *plan = plan_;
    struct spooldir_state *state = state_;
    *state = (struct spooldir_state){.port = port, .plan = plan, .sink = {.lock = -1}};
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX; i++)
        ps_tail_file_set(&state->files[i].tail, -1, PS_TAIL_CACHE);
    state->input = (struct ps_input){
        .read = input_read, .charset = &plan->charset, .policy = (enum ps_decode_policy)plan->decode_policy};
    if (plan->directory[0] != '/')
        state->working_directory = getcwd(NULL, 0);
    const struct ps_spool_settings settings = ps_spool_plan_settings(plan, port->component);
    state->spool = ps_spool_create(&settings, err);
    if (state->spool != NULL &&
        ps_spool_keep_open(&state->sink, state->spool, plan->sink_keeps, err) == PS_OK &&
        (state->deserializer = ps_spool_deserializer_open(plan, port, err)) != NULL &&
        ps_tail_thread_start(&state->thread, "spooldir", port->wake_fd, state, err) == PS_OK) {
        ps_tail_reader_init(&state->reader, &state->thread);
        state->dirty = true;
        return PS_OK;
    }
    spooldir_close(plan, state);
    return PS_FAIL;
}

/* ---- the thread's answers ---- */

/* Ends the source as in Flume: nothing more is read. */
static void stop(struct spooldir_state *state, const char *reason)
{
    if (state->stopped)
        return;
    state->stopped = true;
    ps_count(state->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_port_halted(state->port, reason);
    ps_log(PS_LOG_ERROR, state->port->component,
           "FATAL: Spool Directory source %s: { spoolDir: %s }: %s. Restart or reconfigure the agent to "
           "continue processing (penstock.onFileError = skip leaves such a file alone)",
           state->port->name, state->plan->directory, reason);
}

static void file_failed(struct spooldir_state *state, const char *reason)
{
    if (state->plan->on_error == PS_SPOOL_ERROR_STOP) {
        stop(state, reason);
        return;
    }
    ps_count(state->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_log(PS_LOG_ERROR, state->port->component,
           "%s. The file is left alone until the agent is restarted (penstock.onFileError = skip)", reason);
}

/* Moves on to the next file that is not read yet. */
static void next_unread(struct spooldir_state *state)
{
    while (state->current != state->opened && reading_at(state, state->current)->complete)
        state->current++;
}

/* Retires a file that a former run delivered in full, but did not retire. */
static void file_skip(struct spooldir_state *state, struct reading *reading)
{
    ps_tail_file_close(&state->reader, &reading->tail);
    reading->end = reading->file->start;
    reading->delivered = reading->noted = reading->end + 1;
    reading->begun = reading->complete = true;
}

static void fetched(void *owner, struct ps_tail_job *job)
{
    struct spooldir_state *state = owner;
    struct ps_spool_fetch *fetch = (struct ps_spool_fetch *)(void *)job;
    state->fetching = false;
    state->more = fetch->more;
    ps_spool_keep_take(&state->sink, fetch);
    if (fetch->failed) { /* the file will be opened again after a while */
        struct ps_err err = {.length = 0};
        ps_err_set(&err, "%s", fetch->reason);
        ps_port_failed(state->port, &err);
    }
    for (unsigned i = 0; i < fetch->found; i++) {
        struct ps_spool_file *file = fetch->files[i];
        struct reading *reading = reading_at(state, state->opened);
        char *absolute = reading->absolute;
        *reading = (struct reading){.file = file, .stream = state->opened, .delivered = file->start};
        free(absolute);
        ps_tail_file_set(&reading->tail, file->fd, file->way);
        file->fd = -1;
        file->taken = true;
        if (file->finished)
            file_skip(state, reading);
        state->opened++;
    }
    next_unread(state);
}

static void marked(void *owner, struct ps_tail_job *job)
{
    struct spooldir_state *state = owner;
    const struct ps_spool_mark *mark = (const struct ps_spool_mark *)(const void *)job;
    state->marking = false;
    state->mark_failed = mark->failed;
    if (mark->failed) {
        state->marked_position = UINT64_MAX; /* try again */
        ps_log(PS_LOG_ERROR, state->port->component,
               "the position cannot be written: %s; events of %s come again after a crash", mark->reason,
               mark->file->path);
    }
}

static void retired(void *owner, struct ps_tail_job *job)
{
    struct spooldir_state *state = owner;
    struct ps_spool_file *file = (struct ps_spool_file *)(void *)job;
    struct reading *reading = reading_at(state, state->oldest);
    PS_ASSERT(reading->file == file); /* jobs are answered in order */
    if (file->end != PS_SPOOL_RETIRED && !reading->failed)
        file_failed(state, file->reason);
    if (file->end == PS_SPOOL_RETIRED)
        ps_spool_keep_gone(&state->sink, file);
    file->taken = false;
    reading->file = NULL;
    state->oldest++;
}

/* ---- requests to the thread ---- */

static void fetch_ask(struct spooldir_state *state, bool list, uint64_t now_ns)
{
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(state->spool);
    struct ps_spool_file *files = ps_spool_files(state->spool);
    fetch->wanted = 0;
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX && fetch->wanted < PS_SPOOL_FETCH_MAX; i++) {
        if (!files[i].taken)
            fetch->files[fetch->wanted++] = &files[i];
    }
    fetch->list = list;
    if (list) {
        state->dirty = false;
        state->listed_ns = now_ns;
        state->next_list_ns = now_ns + (uint64_t)state->plan->poll_delay_ms * PS_NS_PER_MS;
    }
    state->fetching = true;
    ps_spool_keep_give(&state->sink, fetch);
    ps_spool_fetch_prepare(fetch, state->spool, fetched);
    ps_tail_thread_ask(&state->thread, &fetch->job);
}

static void happened(void *argument, int, unsigned what, const char *name, const char *)
{
    struct spooldir_state *state = argument;
    if ((what & (PS_TAIL_MISSED | PS_TAIL_GONE_AWAY)) != 0 ||
        ((what & PS_TAIL_NAMES) != 0 && (name == NULL || ps_spool_wants(state->spool, name))))
        state->dirty = true;
}

/* Returns whether a fetch has room for its files: the number of files that are opened and not retired is limited. */
static bool has_room(const struct spooldir_state *state)
{
    uint32_t max = state->sink.keeps ? PS_SPOOL_FILES_MAX : PS_SPOOL_FILES_UNKEPT_MAX;
    return state->opened - state->oldest <= max - PS_SPOOL_FETCH_MAX;
}

/* Opens files ahead, and looks for new ones at each pollDelay. */
static void fetch_if_due(struct spooldir_state *state, uint64_t now_ns)
{
    uint32_t ahead = state->opened - state->current;
    if (state->fetching || state->stopped || state->draining || state->paused || !has_room(state) ||
        ahead >= PS_SPOOL_FETCH_MAX || !ps_spool_keep_is_known(&state->sink))
        return;
    bool list = false;
    if (now_ns >= state->next_list_ns) {
        int notify_fd = ps_spool_notify_fd(state->spool);
        if (notify_fd >= 0)
            (void)ps_tail_notify_read(notify_fd, happened, state);
        list = state->dirty || notify_fd < 0 || now_ns - state->listed_ns >= LOOK_NS;
        if (!list)
            state->next_list_ns = now_ns + (uint64_t)state->plan->poll_delay_ms * PS_NS_PER_MS;
    }
    if (list || state->more)
        fetch_ask(state, list, now_ns);
}

/* Retires the files that are delivered, oldest first; writes the position of the oldest one that is not. */
static void settle(struct spooldir_state *state, uint64_t now_ns, bool at_once)
{
    uint32_t number = state->oldest;
    for (; number != state->opened; number++) {
        struct reading *reading = reading_at(state, number);
        if (reading->retiring)
            continue;
        if (!reading->complete || reading->delivered <= reading->end)
            break;
        reading->retiring = true;
        reading->file->stop = reading->end;
        ps_spool_retire_prepare(reading->file, retired);
        ps_tail_thread_ask(&state->thread, &reading->file->job);
    }
    if (number == state->opened || state->marking)
        return;
    const struct reading *reading = reading_at(state, number);
    uint64_t position = reading->delivered;
    bool known = reading->stream == state->marked_stream && position == state->marked_position;
    if (known || position == reading->file->start || (!at_once && now_ns - state->marked_ns < MARK_NS))
        return;
    struct ps_spool_mark *mark = ps_spool_mark_of(state->spool);
    mark->file = reading->file;
    mark->position = position;
    state->marked_ns = now_ns;
    state->marked_stream = reading->stream;
    state->marked_position = position;
    state->marking = true;
    ps_spool_mark_prepare(mark, state->spool, marked);
    ps_tail_thread_ask(&state->thread, &mark->job);
}

static bool has_unmarked(struct spooldir_state *state)
{
    if (state->oldest == state->opened)
        return false;
    const struct reading *reading = reading_at(state, state->oldest);
    return !reading->retiring && reading->delivered != reading->file->start &&
           (reading->stream != state->marked_stream || reading->delivered != state->marked_position);
}

static uint64_t spooldir_tick(const void *, void *state_, const struct ps_now *now)
{
    struct spooldir_state *state = state_;
    (void)ps_tail_thread_answers(&state->thread);
    settle(state, now->mono_ns, false);
    fetch_if_due(state, now->mono_ns);
    uint64_t next_ns = PS_NEVER;
    if (!state->stopped && !state->draining && !state->paused && !state->fetching)
        next_ns = state->next_list_ns > now->mono_ns
                      ? state->next_list_ns
                      : now->mono_ns + (uint64_t)state->plan->poll_delay_ms * PS_NS_PER_MS;
    if (has_unmarked(state) && !state->marking && state->marked_ns + MARK_NS < next_ns)
        next_ns = state->marked_ns + MARK_NS;
    if (state->starved && !state->paused && now->mono_ns + MEMORY_RETRY_NS < next_ns)
        next_ns = now->mono_ns + MEMORY_RETRY_NS;
    return next_ns;
}

/* ---- reading ---- */

/* Makes the headers and the span of the file before its events are added; then moving the span cannot fail. */
static bool batch_ready(struct spooldir_state *state, struct reading *reading, struct ps_batch *batch)
{
    const struct ps_spool_plan *plan = state->plan;
    const char *path = plan->header_name != NULL ? ps_spool_absolute_path(state->working_directory,
                                                                          reading->file, &reading->absolute)
                                                 : NULL;
    return ps_spool_header_ready(batch, plan->header_name, path) &&
           ps_spool_header_ready(batch, plan->basename_name, reading->file->name) &&
           ps_spool_keep_span(&state->sink, batch, reading->stream, reading->noted, reading->file);
}

static void span_move(struct spooldir_state *state, struct ps_batch *batch, struct reading *reading,
                      uint64_t position)
{
    bool moved = ps_batch_span(batch, reading->stream, 0, (int64_t)position, NULL);
    PS_ASSERT(moved); /* batch_ready has made it */
    reading->noted = position;
    ps_spool_keep_record(&state->sink, batch, reading->stream, reading->file, state->input.inside,
                         !reading->complete ? PS_SPOOL_KEPT_OPEN
                         : reading->failed  ? PS_SPOOL_KEPT_BROKEN
                                            : PS_SPOOL_KEPT_FINISHED);
}

/* Returns whether events after the position are in batches: a stop reads on to the next position, so that they do not come again. */
static bool is_inside(const struct spooldir_state *state)
{
    return state->input.inside > 0 && !state->sink.keeps && !state->stopped;
}

/* Called when reading the file has ended. */
static void file_over(struct spooldir_state *state, struct reading *reading, struct ps_batch *batch)
{
    reading->end = state->input.position;
    reading->complete = true;
    span_move(state, batch, reading, reading->end + 1);
    state->input.inside = 0;
    ps_tail_file_close(&state->reader, &reading->tail);
    next_unread(state);
}

/* Called when the rest of the file cannot be read. */
static void file_broken(struct spooldir_state *state, struct reading *reading, struct ps_batch *batch,
                        struct ps_err *err)
{
    char reason[PS_SPOOL_REASON_BYTES];
    if (reading->file->compression != PS_COMPRESSION_NONE && state->unpacked.damage != NULL)
        snprintf(reason, sizeof reason, "%.500s: %s at byte %llu; its text is read up to byte %llu",
                 reading->file->path, state->unpacked.damage, (unsigned long long)state->unpacked.damaged_at,
                 (unsigned long long)state->input.position);
    else
        snprintf(reason, sizeof reason, "%.500s %.500s", reading->file->path, ps_err_join(err));
    file_failed(state, reason);
    if (state->stopped)
        return; /* its position stays before the unreadable part */
    reading->failed = true;
    reading->file->end = PS_SPOOL_VIOLATED;
    file_over(state, reading, batch);
}

/* Called when all of the file was read. Flume makes one empty event of a file without events. */
static bool file_read(struct spooldir_state *state, struct reading *reading, struct ps_batch *batch)
{
    if (!reading->any) {
        if (ps_batch_add_copy(batch, "", 0) == NULL)
            return false;
        ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, 1);
    }
    file_over(state, reading, batch);
    return true;
}

static void file_begin(struct spooldir_state *state, struct reading *reading)
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
static void cuts_note(struct spooldir_state *state, const struct reading *reading, uint64_t position)
{
    if (state->input.cuts == 0)
        return;
    ps_count(state->port->counters, (enum ps_counter)COUNTER_lines_cut, state->input.cuts);
    if (!state->cut_is_noted)
        ps_log(PS_LOG_WARN, state->port->component,
               "%s has a line after byte %llu that is longer than deserializer.maxLineLength: it becomes "
               "several events (lines_cut counts them all; this message appears once for each file)",
               reading->file->path, (unsigned long long)position);
    state->cut_is_noted = true;
    state->input.cuts = 0;
}

/* Reads one piece of the current file. Returns PS_DONE when the caller may continue with this batch. */
static enum ps_result piece_read(struct spooldir_state *state, struct ps_batch *batch)
{
    const struct ps_stage_ops *ops = state->plan->deserializer;
    struct reading *reading = reading_at(state, state->current);
    struct ps_err err;
    if (!reading->begun)
        file_begin(state, reading);
    if (!batch_ready(state, reading, batch)) {
        state->starved = !batch->full;
        return PS_IDLE;
    }
    uint32_t before = batch->count;
    uint64_t position = state->input.position;
    enum ps_deserialized result = ops->deserializer->work(state->plan->deserializer_plan, state->deserializer,
                                                          &state->input, batch, &err);
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

static enum ps_result spooldir_work(const void *, void *state_, struct ps_batch *batch,
                                    const struct ps_now *now)
{
    struct spooldir_state *state = state_;
    uint32_t before = batch->count;
    uint64_t bytes = batch->body_bytes;
    bool moved = false;
    state->starved = false;
    if (!ps_spool_keep_tell(&state->sink, batch, state->draining, &moved))
        return moved ? PS_DONE : PS_IDLE;
    for (unsigned step = 0; step < STEPS_MAX && batch->body_bytes - bytes < WORK_BYTES; step++) {
        if (state->current == state->opened) {
            (void)ps_tail_thread_answers(&state->thread);
            fetch_if_due(state, now->mono_ns);
        }
        if (state->current == state->opened || state->stopped || (state->draining && !is_inside(state)))
            break;
        enum ps_result result = piece_read(state, batch);
        moved |= result == PS_DONE || batch->full;
        if (result != PS_DONE)
            break;
    }
    /* Closes the batch soon, because no further file is opened before these files are delivered. */
    batch->flush |= state->current == state->opened && !has_room(state) && !ps_batch_is_empty(batch);
    if (before == 0 && batch->count > 0)
        ps_count(state->port->counters, PS_COUNTER_AppendBatchReceivedCount, 1);
    return moved || batch->count > before ? PS_DONE : PS_IDLE;
}

static void spooldir_delivered(const void *, void *state_, const struct ps_batch *batch,
                               const struct ps_now *now)
{
    struct spooldir_state *state = state_;
    for (uint32_t i = 0; i < batch->span_count; i++) {
        const struct ps_span *span = &batch->spans[i];
        if (ps_spool_keep_answered(&state->sink, span, state->port))
            fetch_if_due(state, now->mono_ns);
        if (span->generation != 0 || span->stream - state->oldest >= state->opened - state->oldest)
            continue;
        struct reading *reading = reading_at(state, span->stream);
        if ((uint64_t)span->position > reading->delivered)
            reading->delivered = (uint64_t)span->position;
    }
}

static void spooldir_paused(const void *, void *state_, bool paused, const struct ps_now *)
{
    ((struct spooldir_state *)state_)->paused = paused;
}

/* Stops reading; waits until the events that were read are delivered, and the position is written. */
static bool spooldir_drain(const void *, void *state_, const struct ps_now *now)
{
    struct spooldir_state *state = state_;
    state->draining = true;
    (void)ps_tail_thread_answers(&state->thread);
    settle(state, now->mono_ns, !state->mark_failed); /* a failed write is not repeated immediately */
    for (uint32_t i = state->oldest; i != state->opened; i++) {
        const struct reading *reading = reading_at(state, i);
        if (reading->retiring || (reading->begun && reading->delivered < reading->noted))
            return false;
    }
    return !state->marking && (state->mark_failed || !has_unmarked(state)) && !is_inside(state);
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_DELIVERED,
    .when_full = PS_WAIT,
    .work = spooldir_work,
    .tick = spooldir_tick,
    .delivered = spooldir_delivered,
    .paused = spooldir_paused,
    .drain = spooldir_drain,
    .yields_positions = ps_spool_yields_positions,
    .engine = &(const struct ps_engine_source_ops){.starts_from_records = true},
};

static const char *const counters[] = {"lines_cut", NULL};

const struct ps_stage_ops ps_source_spooldir = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "spooldir",
    .aliases = PS_WORDS("org.apache.flume.source.SpoolDirectorySource",
                        "org.apache.flume.rpc.avro.source.SpoolDirectorySource"),
    .summary = "reads the files that are put into a directory, and renames each when it is acknowledged",
    .options = ps_spool_options,
    .plan_size = sizeof(struct ps_spool_plan),
    .state_size = sizeof(struct spooldir_state),
    .counters = counters,
    .exclusive = true,
    .check = ps_spool_check,
    .claims = ps_spool_claims,
    .build = ps_spool_build,
    .open = spooldir_open,
    .close = spooldir_close,
    .outline = ps_spool_outline,
    .probe = ps_spool_probe,
    .source = &source,
};
