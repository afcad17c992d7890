/* One connection of a client to one host: connects, sends a call and waits for its answer. Thread: one at a time; it
 * may wait. */
#pragma once

#include "commands/client/encoding.h"
#include "commands/client/target.h"

#define PS_RPC_CALL_BYTES_MAX (4U << 20) /* no events are added to a call beyond this size */

/* Lets the caller end a wait. */
struct ps_rpc_patience {
    int (*interrupted)(void *argument); /* NULL: not interrupted */
    void *argument;
};

struct ps_rpc_link {
    struct ps_rpc_link *next; /* next in the client's list of free connections */
    const struct ps_rpc_host *host;
    struct ps_client_plan to;
    struct ps_rpc_client client;
    bool answered;
    enum ps_rpc_status status;
};

/* Makes a connection, which does not connect yet. Returns NULL when there is no memory. */
struct ps_rpc_link *ps_rpc_link_create(const struct ps_rpc_host *host);
/* Closes the connection. */
void ps_rpc_link_destroy(struct ps_rpc_link *link);

/* Connects unless a connection exists that the other side has not closed. The functions return enum
 * penstock_client_status; when it is not OK, `err` is the reason and the connection is closed, except after REFUSED. */
int ps_rpc_link_connect(struct ps_rpc_link *link, const struct ps_rpc_patience *patience, struct ps_err *err);

/* Sends `count` events in one call over the connection, and waits for its answer. `bytes` is the sum of their
 * encoded bounds. */
int ps_rpc_link_call(struct ps_rpc_link *link, const struct penstock_client_event *events, size_t count,
                     size_t bytes, const struct ps_rpc_patience *patience, struct ps_err *err);
