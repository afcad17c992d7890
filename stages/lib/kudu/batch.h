/* Rows that are written together, each with a result. The rows of one tablet go in a write of their own, which has a number by which the
 * servers recognize it: sent again, it is the same bytes under the same number, and is carried out once.
 *
 * Source: Kudu's tserver.proto (WriteRequestPB), row_operations.proto. Thread: the worker of the client. Buffers grow to the size of a batch
 * and stay. */
#pragma once

#include "stages/lib/hadoop/framed_client.h"
#include "stages/lib/kudu/message.h"
#include "stages/lib/kudu/table.h"
#include "stages/lib/remote/parts.h"

#define PS_KUDU_NONE UINT32_MAX
/* A server takes requests of 50 MiB (rpc_max_message_size), and cells of 64 KiB (max_cell_size_bytes). */
#define PS_KUDU_ROW_BYTES_MAX (16U << 20)

/* RowOperationsPB.Type. */
enum ps_kudu_operation { PS_KUDU_INSERT = 1, PS_KUDU_UPSERT = 5 };

struct ps_kudu_row {
    uint32_t event;                /* the caller's number */
    uint32_t at;                   /* in `bytes`: the partition key, the row, its bytes */
    uint32_t key, fixed, indirect; /* their lengths */
    enum ps_remote_part_state state;
    bool alone;     /* its write was refused as a whole: it has one of its own */
    uint8_t reason; /* number of its reason */
    uint32_t write; /* number of its write; PS_KUDU_NONE: none yet */
    uint32_t next;  /* row of the same write */
};

/* Rows of one tablet. `rows` of 0: a place for another one. */
struct ps_kudu_write {
    uint64_t number; /* of the request; 0: not sent yet */
    uint32_t after;  /* the write of the same tablet before which it is not sent; PS_KUDU_NONE: none */
    uint64_t tablet; /* a hash of its id */
    unsigned attempt;
    uint32_t first, last, rows;
    size_t fixed, indirect; /* bytes of its rows */
    enum ps_remote_part_state state;
    struct ps_framed_server *server;
    uint32_t call;
};

struct ps_kudu_batch {
    struct ps_framed_batch framed; /* must be first */
    struct ps_kudu_table *table;   /* for which the rows were made; NULL: none yet */
    struct ps_byte_buffer bytes;
    struct ps_kudu_row *rows;
    uint32_t count, room;
    struct ps_kudu_write *writes;
    uint32_t write_count, write_room;
    bool is_refused; /* no row can be written before the table is opened again */
    /* The client's: */
    struct ps_kudu_batch *next_known;
};

/* Empties the batch. */
void ps_kudu_batch_clear(struct ps_kudu_batch *batch);
void ps_kudu_batch_free(struct ps_kudu_batch *batch);

enum ps_kudu_added {
    PS_KUDU_ADDED,
    PS_KUDU_LATER, /* not now: no memory, or (sink/producer.h) the table has not what the configuration names */
    PS_KUDU_UNWRITABLE
};

/* Adds a row of batch->table, with a cell for each column. UNWRITABLE: the table cannot have it, and `reason` says why. */
enum ps_kudu_added ps_kudu_batch_add(struct ps_kudu_batch *batch, uint32_t event,
                                     enum ps_kudu_operation operation, const struct ps_kudu_cell *cells,
                                     char reason[PS_KUDU_REASON_BYTES]);

static inline const char *ps_kudu_row_key(const struct ps_kudu_batch *batch, const struct ps_kudu_row *row)
{
    return batch->bytes.data + row->at;
}

/* Sets the state and the reason of a row. */
void ps_kudu_batch_set(struct ps_kudu_batch *batch, struct ps_kudu_row *row, enum ps_remote_part_state state,
                       const char *reason);
/* Sets those of all rows of a write that are not decided, and the write's state. */
void ps_kudu_batch_set_write(struct ps_kudu_batch *batch, struct ps_kudu_write *write,
                             enum ps_remote_part_state state, const char *reason);

/* Begins a write. Returns its number; PS_KUDU_NONE: no memory. */
uint32_t ps_kudu_batch_new_write(struct ps_kudu_batch *batch);
/* Adds a row to a write. */
void ps_kudu_batch_join(struct ps_kudu_batch *batch, uint32_t write, uint32_t row);
/* Ends a write: its rows have none any more. Unless all are decided, it also ends the writes behind it, which were not sent, with the outcome of
 * its rows. */
void ps_kudu_batch_dissolve(struct ps_kudu_batch *batch, struct ps_kudu_write *write);

/* Appends the request of a write to server->out. Returns its bytes; 0: no memory. */
size_t ps_kudu_put_write(struct ps_kudu_batch *batch, const struct ps_kudu_write *write,
                         struct ps_framed_server *server, uint32_t call, uint64_t timeout_ms,
                         const struct ps_kudu_request_id *id, const char *tablet, size_t tablet_length,
                         const struct ps_byte_buffer *token);

/* ---- the answer ---- */

struct ps_kudu_written {
    unsigned error; /* TabletServerErrorPB.Code; 0: none */
    struct ps_kudu_status status;
};

/* Reads a WriteResponsePB; calls `each` for each row that has an error, by its place in the write. Returns false if it is none, or is
 * about a place beyond the `rows` of the write. */
bool ps_kudu_parse_written(const uint8_t *bytes, size_t length, uint32_t rows,
                           struct ps_kudu_written *written,
                           void (*each)(void *owner, uint32_t place, const struct ps_kudu_status *status),
                           void *owner);
