/* The plain transport of a stream: uses the socket directly. */
#include "stages/lib/tls/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct plain {
    int fd;
    bool begun; /* something was read */
};

bool ps_transport_is_tls(const char *bytes, size_t length)
{
    return length >= 3 && (bytes[0] == 0x15 || bytes[0] == 0x16) && bytes[1] == 3 && bytes[2] >= 0 &&
           bytes[2] <= 4;
}

/* ---- for other transports ---- */

int ps_transport_lose(char *reason, const char *why)
{
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%.255s", why);
    return -1;
}

/* Handles a failed call of the socket: the call is not possible now, or never again. */
static ssize_t explain(int error, short events, short *wants, char *reason)
{
    if (error != EAGAIN && error != EINTR && error != ENOBUFS)
        return ps_transport_lose(reason, strerror(error));
    *wants = events;
    return 0;
}

ssize_t ps_transport_send(int fd, const struct iovec *parts, int count, short *wants, char *reason)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0 ? sent : explain(errno, POLLOUT, wants, reason);
}

ssize_t ps_transport_receive(int fd, void *to, size_t room, short *wants, char *reason)
{
    ssize_t length = recv(fd, to, room, MSG_DONTWAIT);
    if (length > 0)
        return length;
    return length == 0 ? ps_transport_lose(reason, "the other side closed the connection")
                       : explain(errno, POLLIN, wants, reason);
}

/* ---- the plain transport ---- */

static void *plain_open(const void *, int fd, char *reason)
{
    struct plain *plain = malloc(sizeof *plain);
    if (plain == NULL)
        (void)ps_transport_lose(reason, "no memory");
    else
        *plain = (struct plain){.fd = fd};
    return plain;
}

static ssize_t plain_write(void *session, const struct iovec *parts, int count, short *wants, char *reason)
{
    const struct plain *plain = session;
    return ps_transport_send(plain->fd, parts, count, wants, reason);
}

static ssize_t plain_read(void *session, char *to, size_t room, short *wants, char *reason)
{
    struct plain *plain = session;
    ssize_t length = ps_transport_receive(plain->fd, to, room, wants, reason);
    if (length <= 0 || plain->begun)
        return length;
    plain->begun = true;
    return ps_transport_is_tls(to, (size_t)length) ? ps_transport_lose(reason, PS_TRANSPORT_SAYS_TLS)
                                                   : length;
}

static void plain_end(void *session)
{
    const struct plain *plain = session;
    shutdown(plain->fd, SHUT_WR);
}

/* First reads the bytes that came back: unread bytes would make the kernel reset the connection and discard
 * data that is still in flight. */
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
