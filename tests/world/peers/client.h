/* A client of a source that answers. It has some events under way, and repeats those that were not acknowledged over a new connection. */
#pragma once

#include "tests/world/ledger.h"
#include "tests/world/net.h"

#define CLIENT_WINDOW 16U /* events under way */
#define CLIENT_OUT_BYTES (CLIENT_WINDOW * (LEDGER_TEXT_MAX * 2 + 256))

struct client {
    struct net_end *end;
    uint16_t port, stream;                 /* in which its events are */
    uint32_t window[CLIENT_WINDOW], count; /* events that are not acknowledged, in order */
    uint32_t written; /* of them, how many are in `out` or were sent over this connection */
    bool finished;
    uint64_t since_ns, next_ns; /* of the last progress; of the next events at the earliest */
    bool refused;               /* an answer says so: the connection is given up behind it */
    uint32_t connections;       /* that were given up */
    uint32_t call[CLIENT_WINDOW],
        calls;   /* for protocols of calls: the events of each that has no answer, in order */
    void *state; /* of the protocol */
    char out[CLIENT_OUT_BYTES], in[4096];
    size_t out_length, out_at, in_length;
    /* Adds the events from `written` on to `out`, all or some of them. */
    void (*write)(struct client *client);
    /* Takes answers from `in`. Returns how many events they acknowledge; -1: give the connection up. */
    int (*read)(struct client *client);
};

struct client *client_add(uint16_t port, void (*write)(struct client *), int (*read)(struct client *));
