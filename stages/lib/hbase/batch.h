/* Mutations that are sent together, each with a result. A batch keeps its bytes until all mutations are delivered: what is sent again is the
 * same cell, and the same increment with the same nonce.
 *
 * Source: HBase's Client.proto (MutationProto). Thread: the worker of the client. Buffers grow to the size of a batch and stay. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/hbase/exception.h"

#define PS_HBASE_ROW_BYTES_MAX 32767U /* HConstants.MAX_ROW_LENGTH */
#define PS_HBASE_REASONS 8U           /* different reasons of a batch; further ones count as the last */

enum ps_hbase_state {
    PS_HBASE_WAITING, /* for the place of its region, or a connection */
    PS_HBASE_SENT,
    PS_HBASE_DELIVERED,
    PS_HBASE_AGAIN,   /* it did not reach the table */
    PS_HBASE_UNKNOWN, /* no answer came */
    PS_HBASE_REJECTED /* the server will never take it */
};

struct ps_framed_server;

struct ps_hbase_mutation {
    uint32_t event;                          /* the caller's number; PS_HBASE_EVERY_EVENT */
    uint32_t key_at, key_length, at, length; /* in `bytes` */
    enum ps_hbase_state state;
    bool alone;      /* its region refused it among others: it has an action list of its own */
    uint8_t reason;  /* number of its reason */
    uint32_t action; /* number of the list of its region in the request */
    uint32_t call;
    uint32_t next; /* of its region, while they are sorted */
    const struct ps_framed_server *server;
};

#define PS_HBASE_EVERY_EVENT UINT32_MAX /* the mutation is of all events of the batch */

struct ps_hbase_cell {
    const char *qualifier, *value;
    size_t qualifier_length, value_length;
};

struct ps_hbase_batch {
    const char *family;
    bool skips_log; /* Durability.SKIP_WAL */
    void *owner;
    struct ps_byte_buffer bytes;
    struct ps_hbase_mutation *mutations;
    uint32_t count, room;
    char reasons[PS_HBASE_REASONS][PS_HBASE_REASON_BYTES];
    unsigned reason_count;
    bool reached; /* a server may have one of the mutations */
    bool busy;    /* a server was too busy for one */
    /* The client's: */
    bool open, changed;
    struct ps_hbase_batch *next;
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
                        enum ps_hbase_state state, const char *reason);
