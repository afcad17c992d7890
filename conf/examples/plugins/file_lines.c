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
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 65536U
#define POSITION_BYTES 20
#define REST_MS 250U /* new bytes of a regular file wake no worker: the file is read again after this time */
#define OPEN_FLAGS                                                                                           \
    (O_CLOEXEC | O_NONBLOCK) /* O_NONBLOCK: the worker would wait for the other end of a pipe */

struct plan {
    const char *path, *position_path;
};

struct state {
    struct ps_port *port;
    int fd, position_fd;
    /* Offsets in the file: of the next byte to read, of the first one whose line is not delivered, and the one that
     * the position file has. saved_to <= delivered_to <= read_to. */
    int64_t read_to, delivered_to, saved_to;
    struct ps_log_backoff unsaved; /* the position cannot be saved, and since when */
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

/* Reads the saved position. An empty file is a new one. Anything else than a position in the file that is read is
 * an error: to begin anywhere would lose lines, or repeat all of them. */
static enum ps_status read_position(const struct plan *plan, struct state *state, int64_t size,
                                    struct ps_err *err)
{
    char text[POSITION_BYTES + 1] = "", *end;
    ssize_t got = pread(state->position_fd, text, POSITION_BYTES, 0);
    if (got < 0)
        return ps_err_set(err, "cannot read %s: %s", plan->position_path, strerror(errno));
    errno = 0;
    int64_t position = got > 0 ? strtoll(text, &end, 10) : 0;
    if (got > 0 && (end == text || (*end != '\0' && *end != '\n') || position < 0 || errno != 0))
        return ps_err_set(err, "%s has no position; remove it to read %s from its start", plan->position_path,
                          plan->path);
    if (position > size)
        return ps_err_set(err,
                          "%s has the position %" PRId64 ", and %s has %" PRId64
                          " bytes: it was cut or replaced; remove the position to read it from its start",
                          plan->position_path, position, plan->path, size);
    state->read_to = state->delivered_to = state->saved_to = position;
    return PS_OK;
}

static enum ps_status open_both(const struct plan *plan, struct state *state, struct ps_err *err)
{
    struct stat status;
    state->fd = open(plan->path, O_RDONLY | OPEN_FLAGS);
    if (state->fd < 0 || fstat(state->fd, &status) != 0)
        return ps_err_set(err, "cannot read %s: %s", plan->path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return ps_err_set(err, "cannot read %s: it is not a regular file", plan->path);
    state->position_fd = open(plan->position_path, O_RDWR | O_CREAT | OPEN_FLAGS, 0600);
    if (state->position_fd < 0)
        return ps_err_set(err, "cannot use %s: %s", plan->position_path, strerror(errno));
    return read_position(plan, state, status.st_size, err);
}

static void close_both(const struct state *state)
{
    if (state->position_fd >= 0)
        close(state->position_fd);
    if (state->fd >= 0)
        close(state->fd);
}

/* Continues at the saved position. Also called after a failure while the agent runs: lines that were read and not
 * delivered are read again. `close` is not called after an `open` that failed. */
static enum ps_status open_file(const void *plan, void *state_, struct ps_port *port, struct ps_err *err)
{
    struct state *state = state_;
    state->port = port;
    state->fd = state->position_fd = -1;
    if (open_both(plan, state, err) == PS_OK)
        return PS_OK;
    close_both(state);
    return PS_FAIL;
}

/* Writes the position of the first line that is not delivered. A failure does not end the source: it would read, and
 * the sink would get, the same lines again each time. `tick` tries again, and the log has the reason once, then less
 * and less often. */
static void save_position(const struct plan *plan, struct state *state, const struct ps_now *now)
{
    char text[POSITION_BYTES + 1], tries[PS_LOG_BACKOFF_BYTES];
    snprintf(text, sizeof text, "%0*" PRId64, POSITION_BYTES, state->delivered_to);
    errno = 0; /* a write that is cut short leaves it */
    if (pwrite(state->position_fd, text, POSITION_BYTES, 0) == POSITION_BYTES) {
        if (state->unsaved.tries > 0)
            ps_log(PS_LOG_INFO, state->port->component, "%s is written again%s", plan->position_path,
                   ps_log_backoff_text(&state->unsaved, now->mono_ns, tries));
        state->unsaved = (struct ps_log_backoff){0};
        state->saved_to = state->delivered_to;
        return;
    }
    const char *reason = errno != 0 ? strerror(errno) : "only a part was written";
    if (ps_log_backoff_says(&state->unsaved, reason, now->mono_ns))
        ps_log(PS_LOG_ERROR, state->port->component,
               "cannot write %s: %s; after a restart lines come again%s", plan->position_path, reason,
               ps_log_backoff_text(&state->unsaved, now->mono_ns, tries));
}

static void close_file(const void *plan, void *state_)
{
    struct state *state = state_;
    struct ps_now now = {.mono_ns = state->unsaved.last_ns};
    if (state->saved_to != state->delivered_to) /* the last try */
        save_position(plan, state, &now);
    close_both(state);
}

/* Adds the whole lines of these bytes. Returns how many bytes are handled: all except a line without end, and
 * lines for which the batch has no room. Bytes that are not handled are read again. A line of more than
 * LINE_BYTES_MAX bytes gives several events. One of exactly so many gives one, so the byte after it is needed: what
 * the events are must not depend on how many bytes a read returns. */
static uint32_t add_lines(struct ps_batch *batch, char *bytes, uint32_t length)
{
    uint32_t handled = 0;
    while (handled < length) {
        char *line = bytes + handled;
        uint32_t seen = length - handled <= LINE_BYTES_MAX ? length - handled : LINE_BYTES_MAX + 1;
        char *newline = memchr(line, '\n', seen);
        if (newline == NULL && seen <= LINE_BYTES_MAX)
            return handled;
        uint32_t taken = newline != NULL ? (uint32_t)(newline - line) : LINE_BYTES_MAX;
        if (ps_batch_add(batch, line, taken) == NULL)
            return handled;
        handled += taken + (newline != NULL);
    }
    return handled;
}

/* The engine logs the reason, shows it in /readyz, and opens the source again 3 s later. */
static void read_failed(const struct plan *plan, struct state *state)
{
    struct ps_err reason = {.length = 0};
    ps_err_set(&reason, "cannot read %s: %s", plan->path, strerror(errno));
    ps_port_failed(state->port, &reason);
}

/* Reads straight into the batch, and notes in the batch's span how far its lines reach. The engine passes the span
 * to `delivered`. */
static enum ps_result work(const void *plan, void *state_, struct ps_batch *batch, const struct ps_now *)
{
    struct state *state = state_;
    uint32_t room, before = batch->count;
    struct ps_batch_point point = ps_batch_point(batch);
    char *bytes = ps_batch_reserve(batch, 2 * LINE_BYTES_MAX, &room);
    if (bytes == NULL)
        return batch->full ? PS_DONE : PS_IDLE;
    ssize_t got = pread(state->fd, bytes, room, state->read_to);
    if (got < 0)
        read_failed(plan, state);
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

static uint64_t tick(const void *plan, void *state_, const struct ps_now *now)
{
    struct state *state = state_;
    if (state->saved_to != state->delivered_to)
        save_position(plan, state, now);
    return now->mono_ns + REST_MS * PS_NS_PER_MS;
}

/* Called in order, when every event of the batch and of all batches before it has been delivered: the position
 * moves only now. The worker writes 20 bytes to the kernel's memory and does not wait for the disk, so a position
 * survives a kill of the agent, but perhaps not a power cut (a helper thread could sync it, core/helper/helper.h).
 * The only effect of a lost position is that lines come again after a restart. */
static void delivered(const void *plan, void *state_, const struct ps_batch *batch, const struct ps_now *now)
{
    struct state *state = state_;
    if (batch->span_count == 0)
        return;
    state->delivered_to = batch->spans[batch->span_count - 1].position;
    if (state->unsaved.tries == 0) /* else `tick` tries */
        save_position(plan, state, now);
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
