/* The connections of a server: bytes come in, requests are taken from them one after the other, and answers go out when they are due. */
#pragma once

#include "tests/world/net.h"

#define CONNECTIONS_MAX 32

struct connection {
    struct net_end *end; /* NULL: this place is free */
    int server;          /* which one of several that share these connections */
    char *in, *out;      /* with room for connections->room bytes */
    size_t in_length, out_length;
    uint64_t answers_ns; /* when `out` may go */
    unsigned state;      /* of the protocol; 0 at the beginning */
    /* A request whose answer waits: since when, and when it is looked at again at the latest; 0: none waits. */
    uint64_t since_ns, again_ns;
};

struct connections {
    size_t room;
    /* Takes one request from `in` if it is whole; its answer is put into `out`. Called while `out` is empty. Returns false when the connection
     * is to be closed. A request that it leaves in `in` is given to it again at each step, and at the time that it sets. */
    bool (*take)(void *argument, struct connection *connection);
    void *argument;
    struct connection list[CONNECTIONS_MAX];
};

/* Accepts what waits at a listener. */
void connections_accept(struct connections *connections, struct net_listener *listener, int server);
/* Reads, carries out and answers all that is possible now. Returns when the next answer is due; WORLD_NEVER: none is. */
uint64_t connections_serve(struct connections *connections);
/* Breaks off all connections of a server. */
void connections_reset(struct connections *connections, int server);
/* Removes the request that was taken. */
void connection_taken(struct connection *connection, size_t length);

/* What a server does with a request. */
enum server_fate { SERVER_TAKE, SERVER_REFUSE, SERVER_BREAK_BEFORE, SERVER_BREAK_AFTER };
/* Nearly always SERVER_TAKE, and always while world->server_faults does not hold. */
enum server_fate server_draw_fate(void);
/* Returns when an answer may go: now and then late. */
uint64_t server_draw_answer_ns(void);
