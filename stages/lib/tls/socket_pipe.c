#include "stages/lib/tls/socket_pipe.h"

#include <errno.h>
#include <sys/socket.h>

static bool is_retried(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

enum ps_tls_result ps_socket_pipe_read(void *fd, void *buffer, size_t room, size_t *length)
{
    ssize_t n = recv(*(int *)fd, buffer, room, MSG_DONTWAIT);
    *length = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return PS_TLS_OK;
    return n < 0 && is_retried(errno) ? PS_TLS_WANT_READ : PS_TLS_CLOSED;
}

enum ps_tls_result ps_socket_pipe_write(void *fd, const void *data, size_t length, size_t *written)
{
    ssize_t n = send(*(int *)fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    *written = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return PS_TLS_OK;
    return is_retried(errno) ? PS_TLS_WANT_WRITE : PS_TLS_CLOSED;
}
