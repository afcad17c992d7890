/* A sink: sends each event as a datagram to a Unix socket, such as /dev/log.
 *
 *   a1.sinks.k1.type = unix_datagram
 *   a1.sinks.k1.path = /dev/log
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct plan {
    const char *path;
};

struct state {
    struct ps_port *port;
    int fd;
    /* number of the dead letter that is being written for the event at the cursor; 0: none */
    uint64_t letter;
    const struct ps_lease *lettered;
};

static const struct ps_option options[] = {
    {.key = "path",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct plan, path),
     .flags = PS_OPTION_REQUIRED,
     .help = "the socket of the receiver"},
    PS_OPTION_END,
};

/* Also part of `penstock check`: finds what the option rows cannot express. */
static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct plan *plan = plan_;
    struct sockaddr_un address;
    if (strlen(plan->path) < sizeof address.sun_path)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "path", "the path of a socket has at most %zu bytes",
              sizeof address.sun_path - 1);
    return PS_FAIL;
}

static enum ps_status open_socket(const void *, void *state_, struct ps_port *port, struct ps_err *err)
{
    struct state *state = state_;
    state->port = port;
    state->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return state->fd >= 0 ? PS_OK : ps_err_set(err, "cannot make a socket: %s", strerror(errno));
}

static void close_socket(const void *, void *state_)
{
    close(((struct state *)state_)->fd);
}

/* Returns 0, or the errno of the failed attempt. */
static int send_event(const struct plan *plan, const struct state *state, const struct ps_event *event)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, plan->path, strlen(plan->path));
    ssize_t sent = sendto(state->fd, event->body, event->body_length, 0, (const struct sockaddr *)&address,
                          sizeof address);
    return sent < 0 ? errno : 0;
}

/* Writes a dead letter for an event that no datagram can carry. Returns true when it is settled: the letter is on
 * disk. */
static bool give_up(struct state *state, struct ps_lease *lease, const struct ps_event *event)
{
    static const struct ps_dead_letter_reason reason = {
        .code = "too-large", .text = "the event is larger than a datagram of this socket", .attempts = 1};
    if (state->letter == 0 || state->lettered != lease)
        state->letter = ps_port_deadletter(state->port, lease->batch, event, &reason);
    state->lettered = lease;
    if (state->letter == 0 || ps_port_deadletter_written(state->port) < state->letter)
        return false;
    state->letter = 0;
    ps_lease_settle_dead(lease, lease->cursor);
    return true;
}

/* Handles the events from the cursor on. The lease keeps the cursor and the outcomes for the next call. */
static enum ps_result work(const void *plan_, void *state_, struct ps_lease **lease_, const struct ps_now *)
{
    const struct plan *plan = plan_;
    struct state *state = state_;
    struct ps_lease *lease = *lease_;
    for (; lease->cursor < lease->count; lease->cursor++) {
        if (ps_lease_is_settled(lease, lease->cursor))
            continue;
        const struct ps_event *event = ps_lease_event(lease, lease->cursor);
        int error = send_event(plan, state, event);
        if (error == EAGAIN || error == ENOBUFS)
            return PS_LATER; /* the receiver is slow: the events are offered again within 10 ms */
        if (error == EMSGSIZE && ps_port_has_deadletter(state->port)) {
            if (!give_up(state, lease, event))
                return PS_LATER;
            continue;
        }
        if (error != 0) {
            ps_log(PS_LOG_WARN, state->port->component, "cannot send to %s: %s", plan->path, strerror(error));
            return PS_RETRY; /* backs off for 1 s, 2 s and so on, then the events are offered again */
        }
        ps_lease_settle(lease, lease->cursor);
    }
    return PS_DONE;
}

static const struct ps_sink_ops sink = {.work = work};

static const struct ps_stage_ops unix_datagram = {
    PS_STAGE(PS_KIND_SINK),
    .name = "unix_datagram",
    .summary = "sends each event as a datagram to a Unix socket",
    .options = options,
    .plan_size = sizeof(struct plan),
    .state_size = sizeof(struct state),
    .check = check,
    .open = open_socket,
    .close = close_socket,
    .sink = &sink,
};

PS_PLUGIN(&unix_datagram);
