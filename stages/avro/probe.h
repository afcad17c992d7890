/* `penstock check --probe` of a sink that sends by Avro RPC: connects as the sink does, and sends one call without events.
 * Thread: control. */
#pragma once

#include "core/probe.h"
#include "stages/avro/client.h"

/* `to`: with its address. `shown`: "collector:4141". Waits at most as long as the probe allows. */
void ps_avro_probe(const struct ps_probe *probe, const struct ps_client_plan *to, const char *shown);
