/* A source: each line of a file that grows is an event. It remembers in a second file which lines were delivered,
 * and continues after them when it is restarted.
 *
 *   a1.sources.r1.type = file_lines
 *   a1.sources.r1.path = /var/log/app.log
 *   a1.sources.r1.positionFile = /var/lib/app/log.position
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 65536U
#define POSITION_BYTES 20
#define REST_MS 250U /* new bytes of a regular file wake no worker: the file is read again after this time */

struct plan {
    const char *path, *position_path;
};

struct state {
    struct ps_port *port;
    int fd, position_fd;
    int64_t read_to; /* offset of the next byte to read; at or after the saved position */
};

static const struct ps_option options[] = {
    {.key = "path",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, path),
     .flags = PS_OPTION_REQUIRED,
     .help = "the file; it must not be cut or replaced"},
    {.key = "positionFile",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, position_path),
     .flags = PS_OPTION_REQUIRED,
     .help = "file that remembers up to where lines were delivered; it is made when it does not exist"},
    PS_OPTION_END,
};

/* Continues at the saved position. Also called after a failure while the agent runs: lines that were read and not
 * delivered are read again. */
static enum ps_status open_file(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct plan *plan = plan_;
    struct state *state = state_;
    char text[POSITION_BYTES + 1] = "";
    state->port = port;
    state->fd = open(plan->path, O_RDONLY | O_CLOEXEC);
    if (state->fd < 0)
        return ps_err_set(err, "cannot read %s: %s", plan->path, strerror(errno));
    state->position_fd = open(plan->position_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (state->position_fd < 0 || pread(state->position_fd, text, POSITION_BYTES, 0) < 0) {
        ps_err_set(err, "cannot use %s: %s", plan->position_path, strerror(errno));
        if (state->position_fd >= 0)
            close(state->position_fd);
        close(state->fd);
        return PS_FAIL;
    }
    state->read_to = strtoll(text, NULL, 10); /* 0 for an empty file */
    return PS_OK;
}

static void close_file(const void *, void *state_)
{
    struct state *state = state_;
    close(state->position_fd);
    close(state->fd);
}

/* Adds the whole lines of these bytes. Returns how many bytes are handled: all except a line without end, and
 * lines for which the batch has no room. Bytes that are not handled are read again. */
static uint32_t add_lines(struct ps_batch *batch, char *bytes, uint32_t length)
{
    uint32_t handled = 0;
    while (handled < length) {
        char *line = bytes + handled, *newline = memchr(line, '\n', length - handled);
        if (newline == NULL && length - handled < LINE_BYTES_MAX)
            return handled;
        uint32_t taken = newline != NULL ? (uint32_t)(newline - line) : LINE_BYTES_MAX;
        if (ps_batch_add(batch, line, taken) == NULL)
            return handled;
        handled += taken + (newline != NULL);
    }
    return handled;
}

/* Reads straight into the batch, and notes in the batch's span how far its lines reach. The engine passes the span
 * to `delivered`. */
static enum ps_result work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *)
{
    struct state *state = state_;
    uint32_t room, before = batch->count;
    struct ps_batch_point point = ps_batch_point(batch);
    char *bytes = ps_batch_reserve(batch, 2 * LINE_BYTES_MAX, &room);
    if (bytes == NULL)
        return batch->full ? PS_DONE : PS_IDLE;
    ssize_t got = pread(state->fd, bytes, room, state->read_to);
    if (got <= 0)
        return PS_IDLE;
    uint32_t handled = add_lines(batch, bytes, (uint32_t)got);
    if (handled > 0 && !ps_batch_span(batch, 0, 0, state->read_to + handled, NULL)) {
        ps_batch_rewind(batch, &point); /* lines without a position would come again for ever */
        return batch->full ? PS_DONE : PS_IDLE;
    }
    ps_batch_commit(batch, handled);
    state->read_to += handled;
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, batch->count - before);
    return handled > 0 || batch->full ? PS_DONE : PS_IDLE;
}

static uint64_t tick(const void *, void *, const struct ps_now *now)
{
    return now->mono_ns + REST_MS * PS_NS_PER_MS;
}

/* Called in order, when every event of the batch and of all batches before it has been delivered: the position
 * moves only now. The worker writes 20 bytes to the kernel's memory and does not wait for the disk, so a position
 * survives a kill of the agent, but perhaps not a power cut (a helper thread could sync it, core/helper/helper.h).
 * The only effect of a lost position is that lines come again after a restart. */
static void delivered(const void *plan_, void *state_, const struct ps_batch *batch, const struct ps_now *)
{
    const struct plan *plan = plan_;
    struct state *state = state_;
    char text[POSITION_BYTES + 1];
    if (batch->span_count == 0)
        return;
    snprintf(text, sizeof text, "%0*" PRId64, POSITION_BYTES, batch->spans[batch->span_count - 1].position);
    if (pwrite(state->position_fd, text, POSITION_BYTES, 0) != POSITION_BYTES) {
        struct ps_err reason = {.length = 0};
        ps_err_set(&reason, "cannot write %s: %s", plan->position_path, strerror(errno));
        ps_port_failed(state->port, &reason);
    }
}

/* PS_LEVEL_DELIVERED: the engine calls `delivered`. When a channel is full, the source waits, because the file
 * keeps its lines. */
static const struct ps_source_ops source = {
    .needs = PS_LEVEL_DELIVERED,
    .when_full = PS_WAIT,
    .work = work,
    .tick = tick,
    .delivered = delivered,
};

static const struct ps_stage_ops file_lines = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "file_lines",
    .summary = "the lines of a file that grows, each delivered at least once",
    .options = options,
    .plan_size = sizeof(struct plan),
    .state_size = sizeof(struct state),
    .exclusive = true,
    .open = open_file,
    .close = close_file,
    .source = &source,
};

PS_PLUGIN(&file_lines);
