/* What probes of clients that are turned by a worker share: a port for the client, and its turns. Thread: control. */
#pragma once

#include "core/probe.h"
#include "core/stage.h"

/* Opens a port with an epoll and a wake_fd for a client that is only probed. Returns false, after a report, if no
 * descriptor is left. */
bool ps_probe_port_open(struct ps_port *port, const struct ps_probe *probe);
void ps_probe_port_close(struct ps_port *port);
/* Calls `turn` of a client whose sockets are in epoll_fd until *done, or until the probe's time is over: calls have time-outs of their own, of
 * ps_probe_left_ms. `turn` returns the mono_ns at which it must be called again at the latest. */
void ps_probe_turns(const struct ps_probe *probe, int epoll_fd,
                    uint64_t (*turn)(void *client, const struct ps_now *now), void *client, const bool *done);
