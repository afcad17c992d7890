/* A lane's connection over a byte stream: connecting with back-off, shaking hands, telling the lane up and
 * down. What is written and read over it is its user's (stream.h, avro_lane.h).
 *
 * Thread: the lane's sender. Never blocks. */
#pragma once

#include "bench/load/stream.h"

enum ps_load_connection_phase {
    PS_LOAD_CONNECTION_RESTING, /* until `deadline_ns`, then it tries again */
    PS_LOAD_CONNECTION_CONNECTING,
    PS_LOAD_CONNECTION_SHAKING,
    PS_LOAD_CONNECTION_UP,
};

struct ps_load_connection {
    const struct ps_load_stream_plan *plan;
    struct ps_lane *lane;
    enum ps_load_connection_phase phase;
    int fd;
    void *session;
    short wants;          /* what the transport waits for */
    unsigned failures;    /* in a row */
    uint64_t deadline_ns; /* resting: until then; connecting and shaking: at most until then */
    uint64_t up_ns;       /* since when */
};

void ps_load_connection_init(struct ps_load_connection *connection, const struct ps_load_stream_plan *plan,
                             struct ps_lane *lane);
/* Goes on with what is to be done to be up; nothing when it is. While it is not: `deadline_ns` says when to
 * call again at the latest. */
void ps_load_connection_work(struct ps_load_connection *connection, uint64_t now_ns);
/* It is of no use any more. */
void ps_load_connection_lose(struct ps_load_connection *connection, uint64_t now_ns, const char *reason);
/* What to poll for; `writing`: also when it can be written to. */
int ps_load_connection_descriptor(const struct ps_load_connection *connection, bool writing, short *events);
void ps_load_connection_close(struct ps_load_connection *connection);
