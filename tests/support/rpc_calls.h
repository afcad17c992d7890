/* Parts that the tests of avro and thrift share. The far end of the sinks: reads their calls, and writes answers of each
 * status. */
#pragma once

#include "tests/support/stage.h"

enum ps_test_rpc_status { PS_TEST_STATUS_OK, PS_TEST_STATUS_FAILED, PS_TEST_STATUS_UNKNOWN };

struct ps_test_rpc_call {
    uint32_t serial;
    uint64_t events;
    unsigned round;
    bool compact; /* thrift */
};

#define PS_TEST_RPC_ANSWER_BYTES_MAX 1024U

struct ps_test_rpc_protocol {
    const char *name;
    const struct ps_stage_ops *sink;
    /* Reads the call at `bytes`; the first call of a connection has a different head. Returns its length in
     * bytes; 0: it is not complete. */
    size_t (*read)(uint8_t *bytes, size_t length, bool first, struct ps_test_rpc_call *call);
    /* Each returns the length in bytes, at most PS_TEST_RPC_ANSWER_BYTES_MAX. `penstock`: the first answer says that
     * the server is a penstock. */
    size_t (*write)(uint8_t *to, bool first, bool penstock, const struct ps_test_rpc_call *call,
                    enum ps_test_rpc_status status);
    size_t (*write_error)(uint8_t *to, bool first, const struct ps_test_rpc_call *call);
};

/* avro, thrift */
extern const struct ps_test_rpc_protocol ps_test_rpc_protocols[2];

/* Returns the number of calls that a source avro or thrift keeps at present. */
uint32_t ps_test_rpc_calls_in_use(const struct ps_test_stage *stage);

/* Returns a listening socket at 127.0.0.1, which does not block; `*port` 0: any, and it is set. */
int ps_test_rpc_listen(unsigned *port);
