/* The pipes between the agent and one run of its Java host. */
#pragma once

#include "core/base.h"

#define PS_JAVA_LOW_FD 16 /* descriptors of the host's process have lower numbers */

/* Reading end, writing end; -1: closed. */
struct ps_java_pipes {
    int input[2], output[2], log[2]; /* of the host: messages to it, messages from it, its output */
};

/* Makes them; the agent's ends do not block. Returns false with errno; then close them as well. */
bool ps_java_make_pipes(struct ps_java_pipes *pipes);
void ps_java_close_pipes(struct ps_java_pipes *pipes);
/* Calls `read_some`, which returns how many bytes it has read, until the bytes that wait in the pipe now are read, or the pipe is closed. Called
 * when the process has ended. Bytes that come later are not read: a child of the process writes them, perhaps without end. */
void ps_java_pipe_drain(const int *fd, size_t (*read_some)(void *reader), void *reader);
/* Closes it if it is open, and notes that. */
void ps_java_close_fd(int *fd);
