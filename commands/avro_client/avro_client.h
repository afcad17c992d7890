/* The parts of penstock avro-client. Thread of all functions: main, which may wait. */
#pragma once

#include "core/base.h"
#include "commands/client/client.h"
#include "commands/interrupts.h"
#include "core/status.h"

/* ---- batch.c: the events of one call ---- */

struct ps_rpc_batch {
    const struct penstock_client_header *headers; /* headers that every event has */
    size_t header_count;
    char *bytes; /* the bodies, one after the other */
    size_t length, room;
    struct penstock_client_event *events; /* made by ps_rpc_batch_events */
    size_t *lengths;                      /* of the bodies */
    size_t count, count_max;
};
void ps_rpc_batch_init(struct ps_rpc_batch *batch, const struct penstock_client_header *headers,
                       size_t header_count, size_t count_max);
void ps_rpc_batch_fini(struct ps_rpc_batch *batch);
/* Adds an event and copies its body. Call it only while the batch has fewer than count_max events. */
void ps_rpc_batch_add(struct ps_rpc_batch *batch, const struct ps_slice *body);
/* Returns the events, valid until the next one is added. */
const struct penstock_client_event *ps_rpc_batch_events(struct ps_rpc_batch *batch);
/* Empties the batch. */
void ps_rpc_batch_begin(struct ps_rpc_batch *batch);

/* ---- input.c: lines ---- */

#define PS_RPC_LINE_BYTES_MAX (32U << 20) /* a longer line is an error */

struct ps_spool;
struct ps_spool_file;

struct ps_rpc_input {
    const char *path; /* in messages */
    int fd;
    const volatile sig_atomic_t *interrupts;
    char *bytes;
    size_t at, end, room;
    uint64_t offset; /* place of bytes[at] in the file */
    uint64_t line;   /* number of lines of this file that were returned */
    uint64_t acknowledged_offset, acknowledged_line, marked_offset;
    bool ended, skip_newline;
    /* A directory; NULL: one file, or standard input. */
    struct ps_spool *spool;
    struct ps_spool_file *file; /* NULL: none is open */
};

enum ps_rpc_line {
    PS_RPC_LINE,
    PS_RPC_LINE_PAUSE, /* no line is available now; only if the caller does not wait */
    PS_RPC_LINE_END,   /* end of a file of a directory: the caller calls ps_rpc_input_next */
    PS_RPC_LINE_FAILED,
};

/* Opens the input; with `path` NULL standard input. */
enum ps_status ps_rpc_input_open(struct ps_rpc_input *input, const char *path, struct ps_err *err);
/* Opens a directory as Flume's spooling directory, with the defaults of the source spooldir. */
enum ps_status ps_rpc_input_open_directory(struct ps_rpc_input *input, const char *path, struct ps_err *err);
void ps_rpc_input_close(struct ps_rpc_input *input);
/* Reads the next line, which is valid until the next call. With `wait` false the function does not wait for a line. */
enum ps_rpc_line ps_rpc_input_line(struct ps_rpc_input *input, bool wait, struct ps_slice *line,
                                   struct ps_err *err);
/* Renames the file, all lines of which are acknowledged, and opens the next one. Sets `*more` to false when
 * no file is left. */
enum ps_status ps_rpc_input_next(struct ps_rpc_input *input, bool *more, struct ps_err *err);
/* Notes that all lines returned so far are acknowledged. */
void ps_rpc_input_acknowledge(struct ps_rpc_input *input);
/* Writes to disk the position up to which the file of a directory is acknowledged: the next run continues there. */
enum ps_status ps_rpc_input_mark(struct ps_rpc_input *input, struct ps_err *err);
