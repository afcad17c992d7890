/* A source: each line that a program writes to a named pipe is an event.
 *
 *   a1.sources.r1.type = pipe_lines
 *   a1.sources.r1.path = /run/events.pipe
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 65536U

struct plan {
    const char *path;
};

/* The state of one worker. */
struct state {
    struct ps_port *port;
    int fd;
};

static const struct ps_option options[] = {
    {.key = "path",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, path),
     .flags = PS_OPTION_REQUIRED,
     .help = "the named pipe; it is made when it does not exist"},
    PS_OPTION_END,
};

/* Opens the pipe, which only one source may read. After PS_FAIL the engine logs the error and tries again every 3 s. */
static enum ps_status open_pipe(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct plan *plan = plan_;
    struct state *state = state_;
    struct stat file;
    state->port = port;
    if (mkfifo(plan->path, 0600) != 0 && errno != EEXIST)
        return ps_err_set(err, "cannot make the pipe %s: %s", plan->path, strerror(errno));
    /* Opens for writing as well, so that the pipe does not end when its last writer closes it. */
    state->fd = open(plan->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (state->fd < 0)
        return ps_err_set(err, "cannot open %s: %s", plan->path, strerror(errno));
    if (fstat(state->fd, &file) != 0 || !S_ISFIFO(file.st_mode)) {
        close(state->fd);
        return ps_err_set(err, "%s is not a named pipe; name one with the key path", plan->path);
    }
    /* The worker sleeps until the port's epoll wakes it. */
    struct epoll_event event = {.events = EPOLLIN};
    if (port->epoll_fd >= 0)
        epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, state->fd, &event);
    return PS_OK;
}

static void close_pipe(const void *, void *state_)
{
    close(((struct state *)state_)->fd);
}

/* Adds the whole lines of these bytes. Returns how many bytes are handled: all except a line without end, and
 * lines for which the batch has no room. A line of more than LINE_BYTES_MAX bytes gives several events. One of exactly
 * so many gives one, so the byte after it is needed: what the events are must not depend on how many bytes a read
 * returns. */
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
            return handled; /* the batch is full: the engine calls again with the next batch */
        handled += taken + (newline != NULL);
    }
    return handled;
}

/* Reads straight into the batch. The bytes that an earlier call left are at the start of the free room. */
static enum ps_result work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *)
{
    struct state *state = state_;
    uint32_t room, before = batch->count;
    char *bytes = ps_batch_reserve(batch, 2 * LINE_BYTES_MAX, &room);
    if (bytes == NULL)
        return batch->full ? PS_DONE : PS_IDLE;
    uint32_t length = ps_batch_left(batch);
    ssize_t got = read(state->fd, bytes + length, room - length);
    length += got > 0 ? (uint32_t)got : 0;
    uint32_t handled = add_lines(batch, bytes, length);
    ps_batch_commit(batch, handled);
    ps_batch_leave(batch, length - handled);
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, batch->count - before);
    return got > 0 || batch->count > before || batch->full ? PS_DONE : PS_IDLE;
}

/* A pipe cannot be read again, so it is enough for the source that a channel accepts the events. When a channel is
 * full, the source waits, and with it the program that writes to the pipe. */
static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = work,
};

static const struct ps_stage_ops pipe_lines = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "pipe_lines",
    .summary = "the lines that are written to a named pipe",
    .options = options,
    .plan_size = sizeof(struct plan),
    .state_size = sizeof(struct state),
    .exclusive = true,
    .open = open_pipe,
    .close = close_pipe,
    .source = &source,
};

PS_PLUGIN(&pipe_lines);
