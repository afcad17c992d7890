/* Flume's Avro protocol for sinks and clients (stages/rpc/). */
#pragma once

#include "stages/rpc/protocol.h"

extern const struct ps_rpc_protocol ps_avro_rpc;
