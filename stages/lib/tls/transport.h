/* The layer between a client's bytes and its socket: none, or TLS. A client (stages/lib/net/client.h) opens a session of a
 * transport over a connected, non-blocking socket and reads and writes through it.
 *
 * Results of functions:
 *   > 0   done (bytes)
 *   0     not possible now; `*wants` has the events to poll for
 *   < 0   the connection is lost; `reason` (PS_TRANSPORT_REASON_BYTES long) has the reason: -1, or
 *         PS_TRANSPORT_NO_MEMORY if a write found no memory for its bytes, which are not sent as a whole
 *
 * Thread: the session's owner. Never blocks. */
#pragma once

#include "core/base.h"

#include <sys/types.h>
#include <sys/uio.h>

#define PS_TRANSPORT_REASON_BYTES 256U
#define PS_TRANSPORT_NO_MEMORY (-2)

struct ps_transport {
    /* Makes a session over a connected socket, which the caller continues to own. Returns NULL after writing
     * `reason`. */
    void *(*open)(const void *settings, int fd, char *reason);
    /* Continues the handshake; returns > 0 when it is complete. NULL: the transport has no handshake. */
    int (*handshake)(void *session, short *wants, char *reason);
    /* Writes some of the parts. After 0 the caller calls again with the same bytes, which may have moved. */
    ssize_t (*write)(void *session, const struct iovec *parts, int count, short *wants, char *reason);
    ssize_t (*read)(void *session, char *to, size_t room, short *wants, char *reason);
    /* Ends the sending side: nothing more can be written. */
    void (*end)(void *session);
    /* Frees the session. */
    void (*close)(void *session);
};

/* The socket without TLS; its `settings` are NULL. client.h has the transport for TLS. */
extern const struct ps_transport ps_transport_plain;

/* ---- for other transports over a socket; results as above ---- */

/* Writes some of the parts to the socket; reads from it. */
ssize_t ps_transport_send(int fd, const struct iovec *parts, int count, short *wants, char *reason);
/* `room` > 0. */
ssize_t ps_transport_receive(int fd, void *to, size_t room, short *wants, char *reason);
/* Returns whether a connection that begins with these bytes speaks TLS: an alert or a handshake. No protocol of ours
 * begins so. */
bool ps_transport_is_tls(const char *bytes, size_t length);
#define PS_TRANSPORT_SAYS_TLS "the other side speaks TLS, and this one does not"
/* Copies `why` to `reason`. Returns -1. */
int ps_transport_lose(char *reason, const char *why);
