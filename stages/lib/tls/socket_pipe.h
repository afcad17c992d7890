/* A struct ps_tls_pipe that reads and writes a socket directly, for a session that has no TLS below it. `argument` points to
 * the file descriptor. Thread: the connection's owner; never waits. */
#pragma once

#include "stages/lib/tls/tls.h"

/* Reads some bytes, at most `room`. */
enum ps_tls_result ps_socket_pipe_read(void *fd, void *buffer, size_t room, size_t *length);
/* Writes some of the `length` bytes; *written is their number. */
enum ps_tls_result ps_socket_pipe_write(void *fd, const void *data, size_t length, size_t *written);
