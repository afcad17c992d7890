/* Flume's Avro protocol for sinks and clients (stages/lib/rpc/). */
#pragma once

#include "stages/lib/rpc/protocol.h"

extern const struct ps_rpc_protocol ps_avro_rpc;
