/* A process with clients of a source that answers "OK" for every line (netcat with ack-every-event). Each client has a
 * limited number of lines in flight. The process measures how long an answer takes. Thread: the bench's main one. */
#pragma once

#include "core/base.h"

struct ps_clients {
    unsigned port;        /* port of 127.0.0.1 on which an agent will soon listen */
    unsigned connections; /* at most 1,000 */
    unsigned window;      /* maximum number of unanswered lines of a client */
    unsigned body_bytes;  /* of a line */
    double per_second;    /* lines of all clients together in a second; 0: as many as the source answers */
    double warm_s, seconds;
};

struct ps_clients_result {
    double per_second; /* answers */
    /* time from when a line was due (or was sent, without a rate) to its answer */
    double p50_ms, p99_ms, max_ms;
};

/* Runs the clients. Ends the program with a message when an answer is not "OK". */
struct ps_clients_result ps_clients_run(const struct ps_clients *clients);
