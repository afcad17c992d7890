/* Mutations that are sent together, each with a result. A batch keeps its bytes until all mutations are delivered: what is sent again is the
 * same cell, and the same increment with the same nonce.
 *
 * Source: HBase's Client.proto (MutationProto). Thread: the worker of the client. Buffers grow to the size of a batch and stay. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/hadoop/framed_client.h"
#include "stages/lib/hbase/exception.h"
#include "stages/lib/remote/parts.h"

#define PS_HBASE_ROW_BYTES_MAX 32767U /* HConstants.MAX_ROW_LENGTH */

struct ps_hbase_mutation {
    uint32_t event;                          /* the caller's number; PS_HBASE_EVERY_EVENT */
    uint32_t key_at, key_length, at, length; /* in `bytes` */
    enum ps_remote_part_state state;
    bool alone;      /* it was refused, perhaps for others: it has an action list of its own */
    uint8_t reason;  /* number of its reason */
    uint32_t action; /* number of the list of its region in the request */
    uint32_t call;
    uint32_t next; /* of its region, while they are sorted */
    const struct ps_framed_server *server;
    uint64_t refused_ns; /* alone: since then */
};

#define PS_HBASE_EVERY_EVENT UINT32_MAX /* the mutation is of all events of the batch */

struct ps_hbase_cell {
    const char *qualifier, *value;
    size_t qualifier_length, value_length;
};

struct ps_hbase_batch {
    struct ps_framed_batch framed; /* must be first */
    const char *family;
    bool skips_log; /* Durability.SKIP_WAL */
    struct ps_byte_buffer bytes;
    struct ps_hbase_mutation *mutations;
    uint32_t count, room;
    bool busy; /* a server was too busy for one */
};

/* Empties the batch. */
void ps_hbase_batch_clear(struct ps_hbase_batch *batch);
void ps_hbase_batch_free(struct ps_hbase_batch *batch);

/* Adds a put. `timestamp`: of its cells, in ms; negative: the server's clock. Returns false if there is no memory. */
bool ps_hbase_batch_put(struct ps_hbase_batch *batch, uint32_t event, const char *key, size_t key_length,
                        const struct ps_hbase_cell *cells, unsigned count, int64_t timestamp);
/* Returns the longest form of a put, without its key and the cells' bytes, in bytes. */
size_t ps_hbase_put_overhead(const char *family, unsigned cells);
/* Adds an increment. `nonce`: by which the server recognizes it; not 0. */
bool ps_hbase_batch_increment(struct ps_hbase_batch *batch, uint32_t event, const char *key,
                              size_t key_length, const char *qualifier, size_t qualifier_length,
                              int64_t amount, uint64_t nonce);

/* Sets the state and the reason of a mutation. */
void ps_hbase_batch_set(struct ps_hbase_batch *batch, struct ps_hbase_mutation *mutation,
                        enum ps_remote_part_state state, const char *reason);
