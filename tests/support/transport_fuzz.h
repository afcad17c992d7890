/* A transport of a client (stages/lib/tls/transport.h) in a fuzz target: the other side sends the input and closes.
 * Whatever the input is, the session ends with a reason. */
#pragma once

#include "stages/lib/tls/transport.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PS_TEST_TRANSPORT_INPUT_BYTES_MAX 16384U /* a socket buffer has room for this number */

static inline void ps_test_transport_fuzz(const struct ps_transport *transport, const void *settings,
                                          const uint8_t *data, size_t size)
{
    char reason[PS_TRANSPORT_REASON_BYTES] = "", bytes[256];
    short wants;
    int ends[2];
    ssize_t done;
    if (size > PS_TEST_TRANSPORT_INPUT_BYTES_MAX ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return;
    PS_ASSERT(send(ends[1], data, size, 0) == (ssize_t)size);
    (void)shutdown(ends[1], SHUT_WR);
    void *session = transport->open(settings, ends[0], reason);
    while ((done = transport->handshake(session, &wants, reason)) == 0)
        ;
    while (done > 0)
        done = transport->read(session, bytes, sizeof bytes, &wants, reason);
    PS_ASSERT(done < 0 && reason[0] != '\0' && memchr(reason, 0, sizeof reason) != NULL);
    transport->close(session);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
