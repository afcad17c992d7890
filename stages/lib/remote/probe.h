/* What `penstock check --probe` tries of a server to which a sink connects over one socket. Thread: control. */
#pragma once

#include "core/probe.h"
#include "stages/lib/remote/target.h"

/* Waits for the look-up of the target's host, and sets the address in `to`. Returns false after it reported that the name is not known.
 * `shown`: HOST:PORT. */
bool ps_remote_probe_address(const struct ps_probe *probe, const struct ps_remote_target *target,
                             const char *shown, struct ps_client_plan *to);

/* Connects, with the handshake of the transport, closes the connection, and reports the outcome. `what`: the server. */
void ps_remote_probe_connection(const struct ps_probe *probe, const struct ps_client_plan *to,
                                const char *what);
