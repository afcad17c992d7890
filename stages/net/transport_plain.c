/* The plain transport of a stream: uses the socket directly. */
#include "stages/net/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct plain {
    int fd;
};

static void *plain_open(const void *settings, int fd, char *reason)
{
    struct plain *plain = malloc(sizeof *plain);
    (void)settings;
    if (plain == NULL)
        snprintf(reason, PS_TRANSPORT_REASON_BYTES, "no memory");
    else
        plain->fd = fd;
    return plain;
}

static bool later(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOBUFS;
}

static ssize_t plain_write(void *session, const struct iovec *parts, int count, short *wants, char *reason)
{
    const struct plain *plain = session;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    ssize_t written = sendmsg(plain->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written >= 0)
        return written;
    if (later(errno)) {
        *wants = POLLOUT;
        return 0;
    }
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s", strerror(errno));
    return -1;
}

static ssize_t plain_read(void *session, char *to, size_t room, short *wants, char *reason)
{
    const struct plain *plain = session;
    ssize_t length = recv(plain->fd, to, room, MSG_DONTWAIT);
    if (length > 0)
        return length;
    if (length < 0 && later(errno)) {
        *wants = POLLIN;
        return 0;
    }
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s",
             length == 0 ? "the other side closed the connection" : strerror(errno));
    return -1;
}

static void plain_end(void *session)
{
    const struct plain *plain = session;
    shutdown(plain->fd, SHUT_WR);
}

/* Reads what came back first: unread bytes would make the kernel reset the connection and discard data that
 * is still in flight. */
static void plain_close(void *session)
{
    const struct plain *plain = session;
    char bin[4096];
    for (int i = 0; i < 64 && recv(plain->fd, bin, sizeof bin, MSG_DONTWAIT) > 0; i++)
        ;
    free(session);
}

const struct ps_transport ps_transport_plain = {
    .open = plain_open,
    .write = plain_write,
    .read = plain_read,
    .end = plain_end,
    .close = plain_close,
};
