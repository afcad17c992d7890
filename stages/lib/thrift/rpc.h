/* Flume's Thrift protocol for sinks and clients (stages/lib/rpc/): calls of appendBatch in frames, compact or binary.
 *
 * To another penstock a call has a round in a field of its own (PS_THRIFT_ROUND_ID, request.h), and the answer
 * repeats it; a Flume skips the field, as Thrift demands, and its answer has no such field. Thread: any; no state. */
#pragma once

#include "stages/lib/rpc/protocol.h"

extern const struct ps_rpc_protocol ps_thrift_rpc_compact, ps_thrift_rpc_binary;
