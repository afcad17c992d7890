/* What lies between a client's bytes and its socket: nothing, or TLS. A client (client.h) opens a session of a
 * transport over a connected, non-blocking socket and reads and writes through it.
 *
 * Results of functions: > 0 done (bytes), 0 not now (`*wants` holds the events to poll for), -1 the connection
 * is lost (`reason`, of PS_TRANSPORT_REASON_BYTES, says why).
 *
 * Thread: the session's owner. Never blocks. */
#pragma once

#include "core/base.h"

#include <sys/types.h>
#include <sys/uio.h>

#define PS_TRANSPORT_REASON_BYTES 256U

struct ps_transport {
    /* A session over a connected socket, which stays the caller's. NULL: `reason`. */
    void *(*open)(const void *settings, int fd, char *reason);
    /* NULL: there is none. > 0: done. */
    int (*handshake)(void *session, short *wants, char *reason);
    /* Writes some of the parts. After 0 the caller calls again with the same bytes, which may have moved. */
    ssize_t (*write)(void *session, const struct iovec *parts, int count, short *wants, char *reason);
    ssize_t (*read)(void *session, char *to, size_t room, short *wants, char *reason);
    /* No more is written: half-close. */
    void (*end)(void *session);
    /* Frees the session. */
    void (*close)(void *session);
};

/* The socket itself. `settings`: NULL. TLS: tls_client.h. */
extern const struct ps_transport ps_transport_plain;
