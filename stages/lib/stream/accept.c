/* Listening sockets of the TCP sources: binding, accepting, lack of descriptors. Thread: the worker's. */
#include "stages/lib/stream/internal.h"
#include "core/quantity.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_MAX 64 /* per event of one listener */
/* At the limit of connections: */
#define SILENT_NS PS_NS_PER_S /* a connection that has just been made must have time to send */
/* with this number of silent connections, the longest silent one makes room */
#define SILENT_MAX 64U
#define SEARCH_MAX 4096U                /* slots looked at for one new connection */
#define WAIT_NS (100 * PS_NS_PER_MS)    /* wait before the next look when all slots are in use */
#define OUTAGE_NS (20 * PS_NS_PER_S)    /* a failure to accept so long after the last one is a new outage */
#define LIMIT_LOG_NS (60 * PS_NS_PER_S) /* interval between two reports of the limit */

enum ps_status ps_stream_listen(struct ps_stream *stream, const struct ps_bind_options *options,
                                struct ps_err *err)
{
    PS_ASSERT(stream->listener_count < PS_STREAM_LISTENERS_MAX);
    struct ps_listener *listeners =
        ps_must_realloc(stream->listeners, (stream->listener_count + 1U) * sizeof *listeners, "listeners");
    stream->listeners = listeners;
    struct ps_listener *listener = &listeners[stream->listener_count];
    *listener = (struct ps_listener){.armed = true};
    listener->fd = ps_address_bind(options, &listener->bound, err);
    if (listener->fd < 0)
        return PS_FAIL;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = PS_LISTENER_TAG | stream->listener_count};
    if (epoll_ctl(stream->port->epoll_fd, EPOLL_CTL_ADD, listener->fd, &event) != 0) {
        ps_err_set(err, "cannot watch the listening socket: %s", strerror(errno));
        close(listener->fd);
        return PS_FAIL;
    }
    stream->listener_count++;
    char text[PS_ADDRESS_TEXT_BYTES];
    ps_address_print(&listener->bound, text);
    ps_log(PS_LOG_INFO, stream->port->component, "listening on %s", text);
    return PS_OK;
}

unsigned ps_stream_port(const struct ps_stream *stream, uint16_t listener)
{
    PS_ASSERT(listener < stream->listener_count);
    return ps_address_port(&stream->listeners[listener].bound);
}

bool ps_listeners_arm(struct ps_stream *stream, bool armed)
{
    bool all = true;
    for (uint16_t i = 0; i < stream->listener_count; i++) {
        struct ps_listener *listener = &stream->listeners[i];
        if (listener->fd < 0 || listener->armed == armed)
            continue;
        struct epoll_event event = {.events = armed ? EPOLLIN : 0, .data.u64 = PS_LISTENER_TAG | i};
        if (epoll_ctl(stream->port->epoll_fd, EPOLL_CTL_MOD, listener->fd, &event) == 0) {
            listener->armed = armed;
            continue;
        }
        ps_log(PS_LOG_ERROR, stream->port->component, "cannot %s accepting connections: %s",
               armed ? "resume" : "pause", strerror(errno));
        all = false;
    }
    return all;
}

static const char *cure_of(int error)
{
    return error == EMFILE   ? " (raise ulimit -n, systemd: LimitNOFILE=)"
           : error == ENFILE ? " (raise fs.file-max)"
           : error == ENOSPC ? " (raise fs.epoll.max_user_watches)" /* of epoll_ctl */
                             : "";
}

static void pause_accepting(struct ps_stream *stream, const struct ps_now *now, int error)
{
    char tries[PS_LOG_BACKOFF_BYTES];
    bool says = ps_log_backoff_says_outage(&stream->paused_by, strerror(error), now->mono_ns, OUTAGE_NS);
    ps_log(says ? PS_LOG_ERROR : PS_LOG_DEBUG, stream->port->component,
           "cannot accept connections: %s; retrying every second%s%s", strerror(error), cure_of(error),
           ps_log_backoff_text(&stream->paused_by, now->mono_ns, tries));
    stream->accept_after_ns = now->mono_ns + PS_ACCEPT_PAUSE_NS;
    /* no connection is accepted before that time, also from a listener that stays armed */
    (void)ps_listeners_arm(stream, false);
}

/* ---- the limit of connections ---- */

static void report_limit(struct ps_stream *stream, const struct ps_now *now)
{
    if (stream->limit_logged_ns != 0 && now->mono_ns - stream->limit_logged_ns < LIMIT_LOG_NS)
        return;
    stream->limit_logged_ns = now->mono_ns;
    ps_log(PS_LOG_WARN, stream->port->component,
           "%s %s open, as many as penstock.connections.max allows: new ones take the places of "
           "silent ones, or wait",
           ps_quantity_print_count(stream->open_count).text,
           ps_quantity_word(stream->open_count, "connection is", "connections are"));
}

/* Closes a silent connection. `hand` goes round the slots, so that each search begins where the last one ended,
 * and no search looks at all of them. Returns false if there is none. */
static bool close_silent(struct ps_stream *stream, const struct ps_now *now)
{
    uint32_t slots = stream->chunk_count * PS_CONNECTION_CHUNK, silent = 0;
    struct ps_connection *longest = NULL;
    for (uint32_t i = 0; i < slots && i < SEARCH_MAX && silent < SILENT_MAX; i++) {
        struct ps_connection *connection = ps_connection_at(stream, stream->hand++ % slots);
        if (!ps_connection_is_silent(stream, connection, SILENT_NS, now))
            continue;
        silent++;
        if (longest == NULL || connection->active_ns < longest->active_ns)
            longest = connection;
    }
    if (longest == NULL)
        return false;
    ps_connection_close(stream, longest);
    return true;
}

/* Returns whether a connection that waits at the listener may be accepted. At the limit it first makes room, or
 * stops accepting for WAIT_NS: the kernel keeps connections that wait. */
static bool has_room(struct ps_stream *stream, const struct ps_listener *listener, const struct ps_now *now)
{
    if (stream->connections_max == 0 || stream->open_count < stream->connections_max)
        return true;
    struct pollfd waiting = {.fd = listener->fd, .events = POLLIN};
    if (poll(&waiting, 1, 0) <= 0)
        return false;
    report_limit(stream, now);
    if (close_silent(stream, now))
        return true;
    stream->accept_after_ns = now->mono_ns + WAIT_NS;
    (void)ps_listeners_arm(stream, false);
    return false;
}

void ps_listener_accept(struct ps_stream *stream, uint16_t index, const struct ps_now *now)
{
    const struct ps_listener *listener = &stream->listeners[index];
    if (listener->fd < 0 || !listener->armed || now->mono_ns < stream->accept_after_ns)
        return;
    for (int i = 0; i < ACCEPTS_MAX && has_room(stream, listener, now); i++) {
        struct ps_address peer = {.length = sizeof peer.storage};
        int fd = accept4(listener->fd, (struct sockaddr *)&peer.storage, &peer.length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (ps_is_shortage(errno) || errno == ENOBUFS) /* ENOBUFS: the memory of sockets */
                pause_accepting(stream, now, errno);
            else if (errno != EAGAIN && errno != EWOULDBLOCK)
                /* the accepted connection is gone already (ECONNABORTED, network errors: accept(2)) */
                continue;
            return;
        }
        struct ps_buffer memory = {.data = NULL};
        if (stream->options.session != NULL && !ps_stream_reserve_session(stream, &memory)) {
            close(fd);
            continue;
        }
        if (ps_connection_open(stream, fd, index, &peer, &memory, now) == NULL) {
            int error = errno;
            ps_buffer_free(&stream->session_slab, &memory);
            close(fd);
            pause_accepting(stream, now, error);
            return;
        }
    }
}
