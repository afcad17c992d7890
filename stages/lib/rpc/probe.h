/* Probes a server for `penstock check --probe` of a sink that sends by RPC: connects as the sink does, and sends one
 * call without events. Thread: control. */
#pragma once

#include "core/probe.h"
#include "stages/lib/rpc/client.h"

/* `advice`: what to check if the server does not answer. `to`: has the server's address. `shown`:
 * "collector:4141". Waits at most as long as the probe allows. */
void ps_rpc_probe(const struct ps_probe *probe, const struct ps_rpc_protocol *protocol,
                  const struct ps_client_plan *to, const char *shown, const char *advice);
