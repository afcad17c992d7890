#include "stages/lib/java/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

void ps_java_pipe_drain(const int *fd, size_t (*read_some)(void *reader), void *reader)
{
    int bytes = 0;
    size_t left = *fd >= 0 && ioctl(*fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0, got;
    while (left > 0 && *fd >= 0 && (got = read_some(reader)) > 0)
        left -= got < left ? got : left;
}

void ps_java_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Moves a descriptor above those that the process gets. */
static bool move_up(int *fd)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, PS_JAVA_LOW_FD), failed = errno;
    close(*fd);
    *fd = moved;
    errno = failed;
    return moved >= 0;
}

static bool make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    bool moved = move_up(&ends[0]);
    return move_up(&ends[1]) && moved;
}

static bool not_blocking(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

bool ps_java_make_pipes(struct ps_java_pipes *pipes)
{
    *pipes = (struct ps_java_pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    return make_pipe(pipes->input) && make_pipe(pipes->output) && make_pipe(pipes->log) &&
           not_blocking(pipes->input[1]) && not_blocking(pipes->output[0]) && not_blocking(pipes->log[0]);
}

void ps_java_close_pipes(struct ps_java_pipes *pipes)
{
    int *const all[] = {pipes->input, pipes->output, pipes->log};
    for (size_t i = 0; i < PS_COUNT_OF(all); i++) {
        ps_java_close_fd(&all[i][0]);
        ps_java_close_fd(&all[i][1]);
    }
}
