/* The server that a sink connects to over one socket: its address, and the socket's registration with the sink's
 * epoll. */
#pragma once

#include "core/stage.h"
#include "stages/lib/net/client.h"
#include "stages/lib/net/lookup.h"

/* Shared by all workers and constant. */
struct ps_remote_target {
    const char *host;
    unsigned port;
    struct ps_lookup *lookup;  /* look-up of the host; NULL: `address` is used */
    struct ps_address address; /* used without a lookup */
};

/* Begins to look up the host if it is a name. An error names the key `hostname`. `host` must live as long as
 * the target. Thread: control. */
enum ps_status ps_remote_target_build(struct ps_remote_target *target, const char *host, unsigned port,
                                      struct ps_err *err);
void ps_remote_target_teardown(struct ps_remote_target *target);

/* Sets the present address of the host, with the port. Returns PS_FAIL if the address is not known. Does not
 * wait. Thread: any. */
enum ps_status ps_remote_target_aim(const struct ps_remote_target *target, struct ps_client_plan *to,
                                    struct ps_err *err);

/* Sets the reason "HOST:PORT: reason". */
void ps_remote_target_reason(const struct ps_remote_target *target, const char *reason, struct ps_err *err);

/* The socket that is registered with the epoll. */
struct ps_remote_watch {
    int fd; /* -1: no socket. Closing a socket removes it from the epoll: then set `fd` to -1 */
    uint32_t events;
};

/* Registers the socket for `events` (of poll) with the port's epoll; fd -1 is ignored. Thread: the sink's worker. */
void ps_remote_watch(struct ps_remote_watch *watch, struct ps_port *port, int fd, short events);
