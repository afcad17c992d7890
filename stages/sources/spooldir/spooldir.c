/* Source spooldir (Flume's SpoolDirectorySource): reads the files that are put into a directory, one after the
 * other, and renames, deletes or marks each when all of it is promised.
 *
 * A thread opens files, lists the directory and writes positions (stages/lib/spool/). The worker reads bytes
 * that are in the page cache (stages/lib/tail/reader.h), and a deserializer makes events of them. Files are
 * opened ahead, so that thousands of small ones fill batches. Files are retired in order, each when it is
 * delivered to its end; the meta file has the position of the oldest file that is not delivered. A batch has
 * one span for each of its files: the position after the file's last event, plus one if that is the end of the
 * file, so that a file without events also has an end.
 *
 * A file that breaks the rules of a spooling directory (it changes, its name was used before, its bytes do not
 * fit the charset) stops the source as in Flume; with penstock.onFileError = skip the file is left alone.
 * Thread: the worker. */
#include "core/flow/engine_source.h"
#include "stages/lib/least.h"
#include "stages/sources/spooldir/internal.h"

#include <stdlib.h>
#include <unistd.h>

#define MEMORY_RETRY_NS (2 * PS_NS_PER_MS)
#define STOP_MS 2000U /* time limit of the wait for the thread when the source closes */

/* Returns the number of delivered events that the next start reads again. */
static uint64_t come_again(struct ps_spooldir *state)
{
    uint64_t events = 0;
    for (uint32_t i = state->oldest; i != state->opened; i++) {
        const struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, i);
        if (!reading->complete || reading->delivered <= reading->end)
            events += reading->delivered_inside;
    }
    return events;
}

static void spooldir_close(const void *plan_, void *state_)
{
    const struct ps_spool_plan *plan = plan_;
    struct ps_spooldir *state = state_;
    ps_count(state->port->counters, PS_COUNTER_duplicated, come_again(state));
    for (uint32_t i = state->oldest; i != state->opened; i++) {
        struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, i);
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
    ps_spool_sink_positions_close(&state->sink);
    free(state->working_directory);
}

static enum ps_status spooldir_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_spool_plan *plan = plan_;
    struct ps_spooldir *state = state_;
    *state = (struct ps_spooldir){.port = port, .plan = plan, .sink = {.lock = -1}};
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX; i++)
        ps_tail_file_set(&state->files[i].tail, -1, PS_TAIL_CACHE);
    state->input = (struct ps_input){.read = ps_spooldir_input_read,
                                     .charset = &plan->charset,
                                     .policy = (enum ps_decode_policy)plan->decode_policy};
    if (plan->directory[0] != '/')
        state->working_directory = getcwd(NULL, 0);
    const struct ps_spool_settings settings = ps_spool_plan_settings(plan, port->component);
    state->spool = ps_spool_create(&settings, err);
    if (state->spool != NULL &&
        ps_spool_sink_positions_open(&state->sink, state->spool, plan->sink_keeps, err) == PS_OK &&
        (state->deserializer = ps_spool_deserializer_open(plan, port, err)) != NULL &&
        ps_tail_thread_start(&state->thread, "spooldir", port->wake_fd, state, err) == PS_OK) {
        ps_tail_reader_init(&state->reader, &state->thread);
        state->dirty = true;
        return PS_OK;
    }
    spooldir_close(plan, state);
    return PS_FAIL;
}

static uint64_t spooldir_tick(const void *, void *state_, const struct ps_now *now)
{
    struct ps_spooldir *state = state_;
    (void)ps_tail_thread_answers(&state->thread);
    ps_spooldir_settle(state, now->mono_ns, false);
    ps_spooldir_fetch_if_due(state, now->mono_ns);
    uint64_t next_ns = ps_spooldir_look_at_finished(state, now->mono_ns);
    if (!state->stopped && !state->draining && !state->paused && !state->fetching)
        next_ns = ps_least(next_ns, state->next_list_ns > now->mono_ns
                                        ? state->next_list_ns
                                        : now->mono_ns + (uint64_t)state->plan->poll_delay_ms * PS_NS_PER_MS);
    if (ps_spooldir_has_unmarked(state) && !state->marking)
        next_ns = ps_least(next_ns, state->marked_ns + PS_SPOOLDIR_MARK_NS);
    if (state->waits && state->retires == 0)
        next_ns = ps_least(next_ns, state->retry_ns);
    if (state->starved && !state->paused)
        next_ns = ps_least(next_ns, now->mono_ns + MEMORY_RETRY_NS);
    return next_ns;
}

static void spooldir_delivered(const void *, void *state_, const struct ps_batch *batch,
                               const struct ps_now *now)
{
    struct ps_spooldir *state = state_;
    for (uint32_t i = 0; i < batch->span_count; i++) {
        const struct ps_span *span = &batch->spans[i];
        if (ps_spool_sink_positions_answered(&state->sink, span, state->port))
            ps_spooldir_fetch_if_due(state, now->mono_ns);
        if (span->pass > PS_SPOOLDIR_EVENTS || span->stream - state->oldest >= state->opened - state->oldest)
            continue;
        struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, span->stream);
        if (span->pass == PS_SPOOLDIR_INSIDE)
            reading->delivered_inside = (uint32_t)span->position;
        else if (span->pass == PS_SPOOLDIR_EVENTS)
            reading->delivered_events = (uint64_t)span->position;
        else if ((uint64_t)span->position > reading->delivered)
            reading->delivered = (uint64_t)span->position;
    }
}

static void spooldir_paused(const void *, void *state_, bool paused, const struct ps_now *)
{
    ((struct ps_spooldir *)state_)->paused = paused;
}

/* Stops reading; waits until the events that were read are delivered, and the position is written. */
static bool spooldir_drain(const void *, void *state_, const struct ps_now *now)
{
    struct ps_spooldir *state = state_;
    state->draining = true;
    (void)ps_tail_thread_answers(&state->thread);
    ps_spooldir_settle(state, now->mono_ns,
                       !state->mark_failed); /* a failed write is not repeated immediately */
    for (uint32_t i = state->oldest; i != state->opened; i++) {
        const struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, i);
        if (reading->begun && reading->delivered < reading->noted)
            return false;
    }
    return state->retires == 0 && !state->marking &&
           (state->mark_failed || !ps_spooldir_has_unmarked(state)) && !ps_spooldir_is_inside(state);
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_DELIVERED,
    .when_full = PS_WAIT,
    .work = ps_spooldir_work,
    .tick = spooldir_tick,
    .delivered = spooldir_delivered,
    .paused = spooldir_paused,
    .drain = spooldir_drain,
    .yields_positions = ps_spool_yields_positions,
    .engine = &(const struct ps_engine_source_ops){.starts_from_records = true,
                                                   .gives_identities = ps_spool_gives_identities},
};

static const char *const counters[] = {"lines_cut", "lost_bytes", NULL};

const struct ps_stage_ops ps_source_spooldir = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "spooldir",
    .aliases = PS_WORDS("org.apache.flume.source.SpoolDirectorySource",
                        "org.apache.flume.rpc.avro.source.SpoolDirectorySource"),
    .summary = "reads the files that are put into a directory, and renames each when it is acknowledged",
    .options = ps_spool_options,
    .plan_size = sizeof(struct ps_spool_plan),
    .state_size = sizeof(struct ps_spooldir),
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
