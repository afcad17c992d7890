/* A client's connection to a server over a byte stream: connects, does the transport's handshake, then reads
 * and writes through the transport. The owner decides when to connect again after a failure.
 *
 * Thread: the connection's owner. Never blocks. A function with the parameter `reason` writes at most
 * PS_TRANSPORT_REASON_BYTES to it when it fails; the owner then closes the connection (ps_client_close). */
#pragma once

#include "stages/lib/tls/transport.h"

#include <sys/socket.h>

#define PS_CLIENT_CONNECT_NS (5 * PS_NS_PER_S) /* limit for connecting and handshake, if the plan has none */

/* Shared by all connections to one server; const. */
struct ps_client_plan {
    struct sockaddr_storage address;
    unsigned address_bytes;
    uint64_t send_buffer_bytes, receive_buffer_bytes; /* 0: the kernel's default */
    uint64_t connect_ns; /* limit for connecting and handshake together; 0: PS_CLIENT_CONNECT_NS */
    bool nagle;          /* the kernel holds small segments back (Nagle's algorithm) */
    const struct ps_transport *transport;
    const void *transport_settings;
};

enum ps_client_phase {
    PS_CLIENT_CLOSED,
    PS_CLIENT_CONNECTING,
    PS_CLIENT_SHAKING,
    PS_CLIENT_UP,
};

struct ps_client {
    const struct ps_client_plan *plan;
    enum ps_client_phase phase;
    int fd; /* -1: closed */
    void *session;
    short wants;       /* the events of poll(2) that the transport needs */
    uint64_t limit_ns; /* for connecting and handshake together */
    /* when connecting and handshake must have ended; the owner may set this and limit_ns after
     * ps_client_connect */
    uint64_t deadline_ns;
};

/* Makes a closed connection of the plan, which must live as long as the connection. */
void ps_client_init(struct ps_client *client, const struct ps_client_plan *plan);
/* Begins to connect; on return the phase may be any later one. Returns false after writing `reason`. */
bool ps_client_connect(struct ps_client *client, uint64_t now_ns, char *reason);
/* Continues connecting and handshake; does nothing in the other phases. Returns false after writing `reason`. */
bool ps_client_work(struct ps_client *client, uint64_t now_ns, char *reason);
/* Allowed only while the connection is up. Results as in transport.h. */
ssize_t ps_client_write(struct ps_client *client, const struct iovec *parts, int count, char *reason);
ssize_t ps_client_read(struct ps_client *client, void *to, size_t room, char *reason);
/* Ends the connection's sending side: nothing more can be written. Allowed only while the connection is up. */
void ps_client_end(struct ps_client *client);
/* Returns the socket, and sets the events of poll(2) to wait for. `writing`: the last write returned 0. */
int ps_client_descriptor(const struct ps_client *client, bool writing, short *events);
/* May be called in any phase. */
void ps_client_close(struct ps_client *client);
