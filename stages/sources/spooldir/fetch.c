/* The files of a spooling directory that are opened ahead: requests for them and for listings, and what the thread found.
 * Thread: the worker. */
#include "stages/lib/tail/notify.h"
#include "stages/sources/spooldir/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* time between listings of the directory while inotify reports no change */
#define LOOK_NS (10 * PS_NS_PER_S)

void ps_spooldir_next_unread(struct ps_spooldir *state)
{
    while (state->current != state->opened && ps_spooldir_reading_at(state, state->current)->complete)
        state->current++;
}

/* Retires a file that an earlier run delivered in full, but did not retire. */
static void file_skip(struct ps_spooldir *state, struct ps_spooldir_reading *reading)
{
    ps_tail_file_close(&state->reader, &reading->tail);
    reading->end = reading->file->start;
    reading->delivered = reading->noted = reading->end + 1;
    reading->begun = reading->complete = true;
}

/* Reports a directory that is gone, or cannot be read. The thread has logged it. */
static void note_directory(struct ps_spooldir *state, const struct ps_spool_fetch *fetch)
{
    char why[512];
    if (!fetch->looked)
        return;
    snprintf(why, sizeof why, "%.300s: %s; create the directory, or correct spoolDir", state->plan->directory,
             strerror(fetch->error));
    ps_port_lacks(state->port, fetch->error != 0 ? PS_LACK_GONE : PS_LACK_NONE, why, PS_LOG_DEBUG);
}

static void fetched(void *owner, struct ps_tail_job *job)
{
    struct ps_spooldir *state = owner;
    struct ps_spool_fetch *fetch = (struct ps_spool_fetch *)(void *)job;
    state->fetching = false;
    state->more = fetch->more;
    ps_spool_sink_positions_take(&state->sink, fetch);
    if (fetch->failed) { /* the file will be opened again after a while */
        struct ps_err err = {.length = 0};
        ps_err_set(&err, "%s", fetch->reason);
        ps_port_failed(state->port, &err);
    }
    note_directory(state, fetch);
    for (unsigned i = 0; i < fetch->found; i++) {
        struct ps_spool_file *file = fetch->files[i];
        struct ps_spooldir_reading *reading = ps_spooldir_reading_at(state, state->opened);
        char *absolute = reading->absolute;
        *reading = (struct ps_spooldir_reading){.file = file,
                                                .stream = state->opened,
                                                .delivered = file->start,
                                                .events = file->events,
                                                .delivered_events = file->events};
        free(absolute);
        ps_tail_file_set(&reading->tail, file->fd, file->way);
        file->fd = -1;
        file->taken = true;
        if (file->finished)
            file_skip(state, reading);
        state->opened++;
    }
    ps_spooldir_next_unread(state);
}

static void fetch_ask(struct ps_spooldir *state, bool list, uint64_t now_ns)
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
    ps_spool_sink_positions_give(&state->sink, fetch);
    ps_spool_fetch_prepare(fetch, state->spool, fetched);
    ps_tail_thread_ask(&state->thread, &fetch->job);
}

static void happened(void *argument, int, unsigned what, const char *name, const char *)
{
    struct ps_spooldir *state = argument;
    if ((what & (PS_TAIL_MISSED | PS_TAIL_GONE_AWAY)) != 0 ||
        ((what & PS_TAIL_NAMES) != 0 && (name == NULL || ps_spool_wants(state->spool, name))))
        state->dirty = true;
}

bool ps_spooldir_has_room(const struct ps_spooldir *state)
{
    uint32_t max = state->sink.keeps ? PS_SPOOL_FILES_MAX : PS_SPOOL_FILES_UNKEPT_MAX;
    return state->opened - state->oldest <= max - PS_SPOOL_FETCH_MAX;
}

void ps_spooldir_fetch_if_due(struct ps_spooldir *state, uint64_t now_ns)
{
    uint32_t ahead = state->opened - state->current;
    if (state->fetching || state->stopped || state->draining || state->paused ||
        !ps_spooldir_has_room(state) || ahead >= PS_SPOOL_FETCH_MAX ||
        !ps_spool_sink_positions_is_known(&state->sink))
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
