/* A lane's connection over a byte stream: connects with back-off and reports up and down to the lane. The code that
 * uses the connection reads and writes the protocol (stream.h, avro.h).
 *
 * Thread: the lane's sender. Never blocks. */
#pragma once

#include "bench/load/target/target.h"
#include "stages/lib/net/client.h"

struct ps_load_connection {
    struct ps_client client;
    struct ps_lane *lane;
    unsigned failures;    /* consecutive failures */
    uint64_t deadline_ns; /* closed: when to connect; connecting and shaking: at most until then */
    uint64_t up_ns;       /* the connection is up since this time */
};

void ps_load_connection_init(struct ps_load_connection *connection, const struct ps_client_plan *plan,
                             struct ps_lane *lane);
/* Goes on connecting; does nothing when the connection is up. While it is not up, `deadline_ns` is the latest time of
 * the next call. */
void ps_load_connection_work(struct ps_load_connection *connection, uint64_t now_ns);
/* Closes a connection that failed; it is made again after a delay. */
void ps_load_connection_lose(struct ps_load_connection *connection, uint64_t now_ns, const char *reason);
static inline bool ps_load_connection_is_up(const struct ps_load_connection *connection)
{
    return connection->client.phase == PS_CLIENT_UP;
}
