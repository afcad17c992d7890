/* The descriptor that a thread writes to wake a worker: a duplicate of the worker's eventfd, because the worker may close its own before
 * the thread has ended. Thread: any. */
#pragma once

#include "core/status.h"

/* Sets *copy to a duplicate of `wake_fd`, close-on-exec; wake_fd -1: *copy is -1, too. On failure *copy is -1: without the duplicate the
 * worker would hear of the thread's news only when something else wakes it. */
enum ps_status ps_wake_fd_copy(int wake_fd, int *copy, struct ps_err *err);

/* -1 is allowed. */
void ps_wake_fd_close(int copy);
