/* A sink that sends to a source of the same protocol (avro, thrift), both on the test's thread. */
#pragma once

#include "tests/support/stage.h"

struct ps_test_rpc_pair {
    struct ps_test_stage source, sink;
    char port[8]; /* of the source, for the sink's key `port` */
};

/* Starts the source, which has `port = 0` among its keys, and notes its port. */
void ps_test_rpc_pair_listen(struct ps_test_rpc_pair *pair, const struct ps_stage_ops *source,
                             const char *const *keys);

void ps_test_rpc_pair_fini(struct ps_test_rpc_pair *pair);

/* Runs one turn of both, in which a millisecond of theirs passes. */
void ps_test_rpc_pair_turn(struct ps_test_rpc_pair *pair);

/* Gives the sink a lease that it has to take. */
void ps_test_rpc_pair_offer(struct ps_test_rpc_pair *pair, struct ps_lease *lease);

/* Turns until the sink has settled `leases` leases since its start. */
void ps_test_rpc_pair_await(struct ps_test_rpc_pair *pair, size_t leases);

/* Turns until the source has `events` events in a batch, and refuses the batch as a full channel does. */
void ps_test_rpc_pair_refuse(struct ps_test_rpc_pair *pair, uint32_t events);

/* Makes a lease for the sink, of at most 1024 events "event <first>", "event <first + 1>", ... */
struct ps_lease *ps_test_rpc_pair_numbered(struct ps_test_rpc_pair *pair, unsigned first, unsigned count);

/* Asserts that the source has received the events "event 0" to "event <count - 1>", in order, and no others. */
void ps_test_rpc_pair_expect(const struct ps_test_rpc_pair *pair, unsigned count);
