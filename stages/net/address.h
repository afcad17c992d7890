/* Addresses of sources that listen: from Flume's `host`, `bind` and `port` to a bound socket, and the texts
 * Java makes of a peer's address. Binding may ask the resolver: `open` only. */
#pragma once

#include <sys/socket.h>

#include "core/status.h"

#define PS_ADDRESS_TEXT_BYTES 64

struct ps_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

struct ps_bind_options {
    const char *host; /* a name or an address, "[::1]" as well; NULL, "0.0.0.0", "::" = every address, both
                         families, as a JVM does */
    unsigned port;    /* 0 = any free one */
    bool datagrams;   /* UDP */
    bool share;       /* several workers listen (SO_REUSEPORT) */
    int receive_buffer_bytes; /* UDP: SO_RCVBUF wanted; 0 = the system's */
};

/* A non-blocking socket, listening (TCP) or bound (UDP), and in `bound` the address it got. -1: `err` names
 * host:port, the reason and a cure. */
int ps_address_bind(const struct ps_bind_options *options, struct ps_address *bound, struct ps_err *err);

/* InetAddress.getHostAddress(): IPv4 dotted (IPv4-mapped IPv6 as well), IPv6 in eight groups without "::",
 * with %scope when it has one. Returns the length, below PS_ADDRESS_TEXT_BYTES. */
uint32_t ps_address_ip(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES]);
unsigned ps_address_port(const struct ps_address *address);

/* InetSocketAddress.toString() of an unresolved-by-name peer: "/127.0.0.1:514", "/[0:0:0:0:0:0:0:1]:514". */
uint32_t ps_address_java(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES]);

/* "127.0.0.1:514", "[::1]:514": for logs. */
void ps_address_print(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES]);
