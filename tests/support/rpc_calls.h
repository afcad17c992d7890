/* How many calls the sources avro and thrift keep. */
#pragma once

#include "tests/support/stage.h"

/* Returns the number of calls that a source avro or thrift keeps at present. */
uint32_t ps_test_rpc_calls_in_use(const struct ps_test_stage *stage);
