/* Addresses of sources that listen: makes a bound socket from Flume's `host`, `bind` and `port`, and prints a
 * peer's address as Java does. Thread: any; no state. */
#pragma once

#include <sys/socket.h>

#include "core/status.h"

#define PS_ADDRESS_TEXT_BYTES 64

struct ps_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

struct ps_lookup;

struct ps_bind_options {
    /* A name or an address, also "[::1]". NULL, "0.0.0.0" and "::" mean every address of both families, as in
     * a JVM. */
    const char *host;
    /* The address of a host that is a name (stages/lib/net/lookup.h). NULL: ps_address_bind asks the name
     * server for the address and waits for the answer, which a worker must not do. */
    struct ps_lookup *lookup;
    unsigned port;  /* 0: any free port */
    bool datagrams; /* UDP */
    bool share;     /* several workers listen (SO_REUSEPORT) */
    /* TCP: only tests whether the port is free; does not listen, so that no client can connect */
    bool only_try;
    int receive_buffer_bytes; /* UDP: wanted SO_RCVBUF; 0: the system's default */
};

/* Returns a non-blocking socket, listening (TCP) or bound (UDP), and sets `bound` to its address. -1: `err`
 * has host:port, the reason and a remedy, and errno is the system's error; 0: the host has no address. */
int ps_address_bind(const struct ps_bind_options *options, struct ps_address *bound, struct ps_err *err);

/* Returns whether no name server is needed, because the host is NULL or an address in digits. */
bool ps_address_is_literal(const char *host);

/* Returns whether two addresses belong to one host, whatever their ports and scopes are. */
bool ps_address_is_same_host(const struct ps_address *a, const struct ps_address *b);

/* Prints what InetAddress.getHostAddress() returns: IPv4 dotted (also IPv4-mapped IPv6), IPv6 in eight groups
 * without "::", with %scope if it has one. Returns the length in bytes, below PS_ADDRESS_TEXT_BYTES. */
uint32_t ps_address_ip(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES]);
/* Returns the port in the byte order of the machine. Allowed for addresses of IPv4 and IPv6. */
unsigned ps_address_port(const struct ps_address *address);

/* Prints what InetSocketAddress.toString() returns for a peer without a host name: "/127.0.0.1:514",
 * "/[0:0:0:0:0:0:0:1]:514". */
uint32_t ps_address_java(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES]);

/* Prints "127.0.0.1:514" or "[::1]:514", for logs. */
void ps_address_print(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES]);
