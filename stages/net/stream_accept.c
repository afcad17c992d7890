/* Listening sockets of the TCP sources: binding, accepting, lack of descriptors. Thread: the worker's. */
#include "stages/net/stream_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_MAX 64 /* per event of one listener */

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

static void pause_accepting(struct ps_stream *stream, const struct ps_now *now, int error)
{
    ps_log(PS_LOG_ERROR, stream->port->component,
           "cannot accept connections: %s; retrying every second (raise ulimit -n, systemd: LimitNOFILE=)",
           strerror(error));
    stream->accept_after_ns = now->mono_ns + PS_ACCEPT_PAUSE_NS;
    (void)ps_listeners_arm(stream, false); /* one that stays armed is not accepted from until then either */
}

void ps_listener_accept(struct ps_stream *stream, uint16_t index, const struct ps_now *now)
{
    const struct ps_listener *listener = &stream->listeners[index];
    if (listener->fd < 0 || !listener->armed || now->mono_ns < stream->accept_after_ns)
        return;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct ps_address peer = {.length = sizeof peer.storage};
        int fd = accept4(listener->fd, (struct sockaddr *)&peer.storage, &peer.length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(stream, now, errno);
            else if (errno != EAGAIN && errno != EWOULDBLOCK)
                continue; /* that connection is gone already (ECONNABORTED, network errors: accept(2)) */
            return;
        }
        struct ps_buffer memory = {.data = NULL};
        if (stream->options.session != NULL && !ps_stream_reserve_session(stream, &memory)) {
            close(fd);
            continue;
        }
        if (ps_connection_open(stream, fd, index, &peer, &memory, now) == NULL) {
            ps_buffer_free(&stream->session_slab, &memory);
            close(fd);
            pause_accepting(stream, now, ENOMEM);
            return;
        }
    }
}
