/* Accepts the metrics server's connections and keeps slow or silent clients from shutting others out.
 *
 * libmicrohttpd (0.9.75) has limits of its own. Each lets an attack through that tests/core/watch/metrics/server_connections_test.c makes:
 *
 *   MHD_OPTION_CONNECTION_TIMEOUT            counts from the last byte: a client that drips holds its connection for ever
 *   MHD_OPTION_CONNECTION_LIMIT              refuses the newcomer: as many silent clients shut all others out
 *   MHD_OPTION_PER_IP_CONNECTION_LIMIT       the same for the clients of one address, such as a proxy or this host
 *   its accept                               polls without a pause while no descriptor is left and nothing is open
 *
 * What it limits well stays with it (server.c): the memory of a connection. Here a thread of its own accepts:
 *
 *   - A port that cannot be bound is tried again every `retry_ms`.
 *   - One descriptor is kept in reserve, so that a client is served even if the process has no other one left. While
 *     that one is in use too, the thread waits 100 ms before it accepts again, and a request must arrive within 500
 *     ms.
 *   - A request must arrive within PS_ACCEPT_REQUEST_MS, and a response must be taken within PS_ACCEPT_RESPONSE_MS, in
 *     total.
 *   - When PS_ACCEPT_CONNECTIONS are open, a new connection replaces another one: the oldest that waits for a request,
 *     of the peer that has most of them; if none waits for a request, one that takes its response.
 *
 * A connection is ended by shutdown(2); the server then closes it. Thread: create, start, stop and destroy: control;
 * the states: the server's threads. */
#pragma once

#include "core/status.h"

#include <sys/socket.h>

#define PS_ACCEPT_CONNECTIONS 32U
#define PS_ACCEPT_CONNECTIONS_MAX 64U /* including connections that were ended and are not closed yet */
#define PS_ACCEPT_REQUEST_MS 10000U
#define PS_ACCEPT_RESPONSE_MS 30000U

struct ps_acceptor;

struct ps_accept_settings {
    const char *host;    /* address to listen on; NULL: every address */
    uint16_t port;       /* 0: any free port */
    unsigned retry_ms;   /* 0: ps_acceptor_create fails when it cannot listen */
    unsigned request_ms; /* 0: PS_ACCEPT_REQUEST_MS */
    void *argument;
    /* Owns: takes `fd` over, even when it returns false. Calls ps_acceptor_opened, later, from any thread. */
    bool (*add)(void *argument, int fd, const struct sockaddr *peer, socklen_t peer_size);
    /* Called once the acceptor listens; `address` is "0.0.0.0:41414" or "[::]:41414". Thread: control, or the
     * acceptor's. */
    void (*listens)(void *argument, const char *address);
};

/* Listens; `settings` are copied. Returns NULL on error: port in use, no such address. With retry_ms it logs
 * the error and returns an acceptor that tries again. */
struct ps_acceptor *ps_acceptor_create(const struct ps_accept_settings *settings, struct ps_err *err);
/* Starts the acceptor's thread, which calls `add` and inherits the caller's signal mask. Returns PS_FAIL if there is no
 * thread for it: then call ps_acceptor_stop, so that clients do not wait for an answer. */
enum ps_status ps_acceptor_start(struct ps_acceptor *acceptor, struct ps_err *err);
/* Ends the thread and closes the listening socket. May be called without ps_acceptor_start. */
void ps_acceptor_stop(struct ps_acceptor *acceptor);
/* Call it after ps_acceptor_stop, and after the last ps_acceptor_closed. */
void ps_acceptor_destroy(struct ps_acceptor *acceptor);

/* Returns the port, or 0 while the acceptor does not listen. Thread: any. */
uint16_t ps_acceptor_port(struct ps_acceptor *acceptor);

/* The state of a connection, which has one request. It may be ended only while it is ASKING or TAKING. */
enum ps_accept_state {
    PS_ACCEPT_ASKING,    /* its request is not complete */
    PS_ACCEPT_ANSWERING, /* the server makes the response */
    PS_ACCEPT_TAKING,    /* the response is sent */
};

/* Called when the connection begins (ASKING). The server calls ps_acceptor_closed before it closes `fd`. */
void ps_acceptor_opened(struct ps_acceptor *acceptor, int fd, const struct sockaddr *peer);
void ps_acceptor_moved(struct ps_acceptor *acceptor, int fd, enum ps_accept_state state);
void ps_acceptor_closed(struct ps_acceptor *acceptor, int fd);
