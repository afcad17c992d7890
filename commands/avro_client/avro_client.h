/* The parts of penstock avro-client. Thread of all functions: main, which may wait. */
#pragma once

#include "core/base.h"
#include "commands/client/client.h"
#include "commands/interrupts.h"
#include "core/status.h"

/* ---- batch.c: the events of one call ---- */

struct ps_rpc_batch {
    const struct penstock_client_header *headers; /* of every event */
    size_t header_count;
    char *bytes; /* of the bodies, one behind the other */
    size_t length, room;
    struct penstock_client_event *events; /* made by ps_rpc_batch_events */
    size_t *lengths;                      /* of the bodies */
    size_t count, count_max;
};
void ps_rpc_batch_init(struct ps_rpc_batch *batch, const struct penstock_client_header *headers,
                       size_t header_count, size_t count_max);
void ps_rpc_batch_fini(struct ps_rpc_batch *batch);
/* Copies the body. Only while there are fewer than count_max. */
void ps_rpc_batch_add(struct ps_rpc_batch *batch, const struct ps_slice *body);
/* The events, valid until one is added. */
const struct penstock_client_event *ps_rpc_batch_events(struct ps_rpc_batch *batch);
/* Empties it. */
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
    uint64_t offset; /* of bytes[at] in the file */
    uint64_t line;   /* how many lines of this file were given out */
    uint64_t acknowledged_offset, acknowledged_line, marked_offset;
    bool ended, skip_newline;
    /* A directory; NULL: one file, or standard input. */
    struct ps_spool *spool;
    struct ps_spool_file *file; /* NULL: none is open */
};

enum ps_rpc_line {
    PS_RPC_LINE,
    PS_RPC_LINE_PAUSE, /* no more is there at present; only if asked for */
    PS_RPC_LINE_END,   /* of a file of a directory: ps_rpc_input_next follows */
    PS_RPC_LINE_FAILED,
};

/* `path` NULL: standard input. */
enum ps_status ps_rpc_input_open(struct ps_rpc_input *input, const char *path, struct ps_err *err);
/* Flume's spooling directory, with the defaults of the source spooldir. */
enum ps_status ps_rpc_input_open_directory(struct ps_rpc_input *input, const char *path, struct ps_err *err);
void ps_rpc_input_close(struct ps_rpc_input *input);
/* The next line, valid until the next call. `wait` false: does not wait for one. */
enum ps_rpc_line ps_rpc_input_line(struct ps_rpc_input *input, bool wait, struct ps_slice *line,
                                   struct ps_err *err);
/* All lines of the file are acknowledged: renames it, and opens the next one. `*more` false: there is none. */
enum ps_status ps_rpc_input_next(struct ps_rpc_input *input, bool *more, struct ps_err *err);
/* All lines that were given out are acknowledged. */
void ps_rpc_input_acknowledge(struct ps_rpc_input *input);
/* Writes how far the file of a directory is acknowledged, so that another run goes on there. */
enum ps_status ps_rpc_input_mark(struct ps_rpc_input *input, struct ps_err *err);
