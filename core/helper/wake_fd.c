#include "core/helper/wake_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum ps_status ps_wake_fd_copy(int wake_fd, int *copy, struct ps_err *err)
{
    *copy = wake_fd >= 0 ? fcntl(wake_fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (*copy >= 0 || wake_fd < 0)
        return PS_OK;
    return ps_err_set(
        err, "cannot copy a file descriptor: %s; raise the limit of open files (LimitNOFILE, ulimit -n)",
        strerror(errno));
}

void ps_wake_fd_close(int copy)
{
    if (copy >= 0)
        close(copy);
}
