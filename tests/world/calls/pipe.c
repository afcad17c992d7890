/* Pipes and pairs of sockets, inside of the process. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/world/descriptor.h"
#include "tests/world/turn.h"

#define PIPE_BYTES 65536U

/* Bytes in one direction. */
struct pipe {
    struct description *reader, *writer; /* NULL: closed */
    size_t length;
    char bytes[PIPE_BYTES];
};

/* The state of a description: what it reads, what it writes; one is NULL for the ends of a pipe. */
struct pipe_ends {
    struct pipe *in, *out;
};

static ssize_t pipe_read(struct description *open, void *to, size_t length)
{
    struct pipe *pipe = ((struct pipe_ends *)open->state)->in;
    if (pipe == NULL)
        return -EBADF;
    if (pipe->length == 0)
        return pipe->writer == NULL ? 0 : -EAGAIN;
    size_t got = length < pipe->length ? length : pipe->length;
    memcpy(to, pipe->bytes, got);
    memmove(pipe->bytes, pipe->bytes + got, pipe->length -= got);
    if (pipe->writer != NULL)
        descriptor_changed(pipe->writer);
    return (ssize_t)got;
}

static ssize_t pipe_write(struct description *open, const void *from, size_t length)
{
    struct pipe *pipe = ((struct pipe_ends *)open->state)->out;
    if (pipe == NULL || pipe->reader == NULL)
        return pipe == NULL ? -EBADF : -EPIPE;
    size_t room = PIPE_BYTES - pipe->length, part = length < room ? length : room;
    if (part == 0)
        return -EAGAIN;
    memcpy(pipe->bytes + pipe->length, from, part);
    pipe->length += part;
    descriptor_changed(pipe->reader);
    return (ssize_t)part;
}

static short pipe_ready(struct description *open)
{
    const struct pipe_ends *ends = open->state;
    short ready = 0;
    if (ends->in != NULL)
        ready |=
            (short)((ends->in->length > 0 ? POLLIN : 0) | (ends->in->writer == NULL ? POLLIN | POLLHUP : 0));
    if (ends->out != NULL)
        ready |= (short)((ends->out->length < PIPE_BYTES ? POLLOUT : 0) |
                         (ends->out->reader == NULL ? POLLERR : 0));
    return ready;
}

/* `end` is gone; `other` is told, or the pipe goes with the second of them. */
static void leave(struct pipe *pipe, struct description **end, struct description *other)
{
    if (pipe == NULL)
        return;
    *end = NULL;
    if (other != NULL)
        descriptor_changed(other);
    else
        free(pipe);
}

static void pipe_close(struct description *open)
{
    struct pipe_ends *ends = open->state;
    if (ends->in != NULL)
        leave(ends->in, &ends->in->reader, ends->in->writer);
    if (ends->out != NULL)
        leave(ends->out, &ends->out->writer, ends->out->reader);
    free(ends);
}

static const struct description_kind kind_pipe = {"pipe",     pipe_read,  pipe_write,
                                                  pipe_ready, pipe_close, S_IFIFO | 0600};

static int open_end(struct pipe *in, struct pipe *out, int flags, bool close_on_exec)
{
    struct pipe_ends *ends = malloc(sizeof *ends);
    *ends = (struct pipe_ends){in, out};
    struct description *open = NULL;
    int fd = descriptor_open(&kind_pipe, ends, flags, close_on_exec, &open);
    if (in != NULL)
        in->reader = open;
    if (out != NULL)
        out->writer = open;
    return fd;
}

int pipe2(int fds[2], int flags)
{
    call_enter("pipe2", (uint64_t)flags, 0);
    struct pipe *pipe = calloc(1, sizeof *pipe);
    bool close_on_exec = (flags & O_CLOEXEC) != 0;
    fds[0] = open_end(pipe, NULL, O_RDONLY | (flags & O_NONBLOCK), close_on_exec);
    fds[1] = open_end(NULL, pipe, O_WRONLY | (flags & O_NONBLOCK), close_on_exec);
    return (int)call_leave(0);
}

int pipe(int fds[2])
{
    return pipe2(fds, 0);
}

int socketpair(int family, int type, int protocol, int fds[2])
{
    call_enter("socketpair", (uint64_t)type, 0);
    struct pipe *there = calloc(1, sizeof *there), *back = calloc(1, sizeof *back);
    int flags = O_RDWR | ((type & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0);
    fds[0] = open_end(back, there, flags, (type & SOCK_CLOEXEC) != 0);
    fds[1] = open_end(there, back, flags, (type & SOCK_CLOEXEC) != 0);
    return (int)call_leave(0);
}

long pair_shutdown(struct description *open)
{
    if (open->kind != &kind_pipe)
        return -ENOTSOCK;
    struct pipe_ends *ends = open->state;
    if (ends->out != NULL)
        leave(ends->out, &ends->out->writer, ends->out->reader);
    ends->out = NULL;
    return 0;
}
