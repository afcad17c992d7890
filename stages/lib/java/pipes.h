/* The pipes between the agent and one run of its Java host. */
#pragma once

#include "core/base.h"

#define PS_JAVA_LOW_FD 16 /* descriptors of the host's process have lower numbers */

/* Reading end, writing end; -1: closed. */
struct ps_java_pipes {
    int input[2], output[2], log[2]; /* messages to the host, messages from the host, the host's output */
};

/* Makes the pipes; the agent's ends do not block. Returns false with errno; then the caller must also close the
 * pipes that were made. */
bool ps_java_make_pipes(struct ps_java_pipes *pipes);
void ps_java_close_pipes(struct ps_java_pipes *pipes);
/* Calls `read_some`, which returns the number of bytes that it has read, until all bytes that are in the pipe
 * now are read, or the pipe is closed. Called when the process has ended. Bytes that come later are not read: a
 * child of the process writes them, perhaps without end. */
void ps_java_pipe_drain(const int *fd, size_t (*read_some)(void *reader), void *reader);
/* Closes the descriptor if it is open, and sets it to -1. */
void ps_java_close_fd(int *fd);
