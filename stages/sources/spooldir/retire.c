/* The end of the files of a spooling directory: their positions are written, they are retired in order, and
 * files that break the rules are left alone or end the source. Thread: the worker. */
#include "stages/sources/spooldir/internal.h"

#define LOOK_NS PS_NS_PER_S

/* Ends the source as in Flume: nothing more is read. */
static void stop(struct ps_spooldir *state, const char *reason)
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

void ps_spooldir_file_failed(struct ps_spooldir *state, const char *reason)
{
    if (state->plan->on_error == PS_SPOOL_ERROR_STOP) {
        stop(state, reason);
        return;
    }
    ps_count(state->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_log(PS_LOG_ERROR, state->port->component,
           "%s. The file is left alone until the agent is restarted (penstock.onFileError = skip)", reason);
}

static void looked(void *owner, struct ps_tail_job *job)
{
    struct ps_spooldir *state = owner;
    const struct ps_spool_grown *grown = (const struct ps_spool_grown *)(const void *)job;
    state->looking = false;
    state->watches = grown->watches;
    ps_count(state->port->counters, (enum ps_counter)PS_SPOOLDIR_LOST_BYTES, grown->bytes);
}

uint64_t ps_spooldir_look_at_finished(struct ps_spooldir *state, uint64_t now_ns)
{
    if (!state->watches || state->looking || state->draining)
        return PS_NEVER;
    if (now_ns < state->look_ns)
        return state->look_ns;
    state->look_ns = now_ns + LOOK_NS;
    state->looking = true;
    ps_tail_thread_ask(&state->thread, &ps_spool_grown_prepare(state->spool, now_ns, looked)->job);
    return PS_NEVER;
}

static void marked(void *owner, struct ps_tail_job *job)
{
    struct ps_spooldir *state = owner;
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
    struct ps_spooldir *state = owner;
    struct ps_spool_file *file = (struct ps_spool_file *)(void *)job;
    state->retires--;
    if (file->again) {
        if (file->last) /* those before it were retired */
            ps_spool_sink_positions_synced(&state->sink, file->synced);
        state->waits = true;
        return;
    }
    struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, state->oldest);
    PS_ASSERT(reading->file == file); /* jobs are answered in order */
    state->retire_failures = 0;
    state->trouble = (struct ps_log_backoff){.tries = 0};
    if (file->end != PS_SPOOL_RETIRED && !reading->failed)
        ps_spooldir_file_failed(state, file->reason);
    if (file->end == PS_SPOOL_RETIRED) {
        ps_spool_sink_positions_gone(&state->sink, file);
        state->watches |= !state->plan->deletes;
    }
    if (file->last)
        ps_spool_sink_positions_synced(&state->sink, file->synced);
    file->taken = false;
    reading->file = NULL;
    state->oldest++;
}

/* Asks the thread to retire the file; `last` of those that are retired together. */
static void retire(struct ps_spooldir *state, struct ps_spooldir_reading *reading, bool last)
{
    state->retires++;
    reading->file->stop = reading->end;
    reading->file->last = last;
    ps_spool_retire_prepare(reading->file, retired);
    ps_tail_thread_ask(&state->thread, &reading->file->job);
}

/* Returns whether the files that wait are to be retired again. Begins their rest if the oldest one has just failed. */
static bool is_time_to_retire(struct ps_spooldir *state, uint64_t now_ns)
{
    char tries[PS_LOG_BACKOFF_BYTES];
    if (!state->waits)
        return false;
    if (state->retry_ns == 0) {
        const char *reason = ps_spooldir_reading_at(state, state->oldest)->file->reason;
        state->retry_ns = now_ns + ps_port_rest_ns(state->port, ++state->retire_failures);
        if (ps_log_backoff_says(&state->trouble, reason, now_ns))
            ps_log(PS_LOG_ERROR, state->port->component, "%s: it is tried again%s", reason,
                   ps_log_backoff_text(&state->trouble, now_ns, tries));
    }
    return state->retires == 0 && now_ns >= state->retry_ns;
}

/* Retires the files that are delivered, as a group whose directories are synced once. Returns the number of the first file that is
 * not delivered. */
static uint32_t retire_delivered(struct ps_spooldir *state, uint64_t now_ns)
{
    uint32_t number = state->oldest;
    struct ps_spooldir_reading *before = NULL;
    bool again = is_time_to_retire(state, now_ns);
    if (again) {
        state->waits = false;
        state->retry_ns = 0;
    }
    for (; number != state->opened; number++) {
        struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, number);
        if (reading->retiring && !again)
            continue;
        if (!reading->retiring && (!reading->complete || reading->delivered <= reading->end))
            break;
        reading->retiring = true;
        if (before != NULL)
            retire(state, before, false);
        before = reading;
    }
    if (before != NULL)
        retire(state, before, true);
    return number;
}

void ps_spooldir_settle(struct ps_spooldir *state, uint64_t now_ns, bool at_once)
{
    uint32_t number = retire_delivered(state, now_ns);
    if (number == state->opened || state->marking)
        return;
    const struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, number);
    uint64_t position = reading->delivered;
    bool known = reading->stream == state->marked_stream && position == state->marked_position;
    if (known || position == reading->file->start ||
        (!at_once && now_ns - state->marked_ns < PS_SPOOLDIR_MARK_NS))
        return;
    struct ps_spool_mark *mark = ps_spool_mark_of(state->spool);
    mark->file = reading->file;
    mark->position = position;
    mark->events = reading->delivered_events;
    mark->counted = reading->file->number != 0 && !reading->uncounted;
    state->marked_ns = now_ns;
    state->marked_stream = reading->stream;
    state->marked_position = position;
    state->marking = true;
    ps_spool_mark_prepare(mark, state->spool, marked);
    ps_tail_thread_ask(&state->thread, &mark->job);
}

bool ps_spooldir_has_unmarked(struct ps_spooldir *state)
{
    uint32_t number = state->oldest;
    while (number != state->opened && ps_spooldir_reading_at(state, number)->retiring)
        number++;
    if (number == state->opened)
        return false;
    const struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, number);
    return reading->delivered != reading->file->start &&
           (reading->stream != state->marked_stream || reading->delivered != state->marked_position);
}
