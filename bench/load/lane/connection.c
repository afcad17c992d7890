#include "bench/load/lane/connection.h"

#include "core/clock.h"

#define DOUBLINGS_MAX 3       /* how often the limit for connecting and handshake is doubled */
#define STEADY_NS PS_NS_PER_S /* a connection that was up for so long was good: the failures are reset */

void ps_load_connection_init(struct ps_load_connection *connection, const struct ps_client_plan *plan,
                             struct ps_lane *lane)
{
    *connection = (struct ps_load_connection){.lane = lane};
    ps_client_init(&connection->client, plan);
}

void ps_load_connection_lose(struct ps_load_connection *connection, uint64_t now_ns, const char *reason)
{
    bool was_up = ps_load_connection_is_up(connection);
    ps_client_close(&connection->client);
    if (was_up && now_ns - connection->up_ns >= STEADY_NS)
        connection->failures = 0;
    ps_lane_down(connection->lane, now_ns, reason);
    connection->deadline_ns = ps_lane_retry_at(connection->lane, connection->failures++, now_ns);
}

void ps_load_connection_work(struct ps_load_connection *connection, uint64_t now_ns)
{
    struct ps_client *client = &connection->client;
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    bool good;
    if (client->phase == PS_CLIENT_UP ||
        (client->phase == PS_CLIENT_CLOSED && now_ns < connection->deadline_ns))
        return;
    if (client->phase == PS_CLIENT_CLOSED) {
        good = ps_client_connect(client, now_ns, reason);
        ps_lane_descriptor_changed(connection->lane);
        /* Each attempt has more time than the last one, or a server that needs longer would never finish a
         * handshake. */
        client->limit_ns <<= connection->failures < DOUBLINGS_MAX ? connection->failures : DOUBLINGS_MAX;
        client->deadline_ns = now_ns + client->limit_ns;
        connection->deadline_ns = client->deadline_ns;
    } else {
        good = ps_client_work(client, now_ns, reason);
    }
    if (!good) {
        ps_load_connection_lose(connection, now_ns, reason);
    } else if (client->phase == PS_CLIENT_UP) {
        connection->up_ns = now_ns;
        ps_lane_up(connection->lane, now_ns);
    }
}
