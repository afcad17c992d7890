/* The parts of penstock avro-client. Thread of all functions: main, which may wait. */
#pragma once

#include "core/arena.h"
#include "core/commands/interrupts.h"
#include "stages/avro/client.h"
#include "stages/avro/transport.h"
#include "stages/net/tls_stage.h"

/* ---- avro_client_target.c: where the events go ---- */

struct ps_rpc_host {
    const char *name;
    unsigned port;
};

/* Flume's RPC client properties (org.apache.flume.api.RpcClientConfigurationConstants), or --host and --port. Const once it
 * is made. */
struct ps_rpc_target {
    /* As bound. */
    const char *type, *compression, *attempts;
    struct ps_texts names;
    struct ps_pairs addresses;
    int64_t batch_events, connect_ms, request_ms, level, workers;
    bool tls_outside;
    struct ps_tls_client_options tls;
    /* As made. */
    struct ps_rpc_host *hosts; /* in the order in which they are tried */
    size_t host_count;
    uint64_t attempts_max; /* of one batch */
    struct ps_tls_client *tls_client;
    struct ps_avro_transport_settings deflate;
    struct ps_client_plan plan; /* without an address */
    struct ps_avro_client_settings settings;
};

/* The JVM properties of the command line: -Djavax.net.ssl.trustStore=FILE. */
struct ps_rpc_properties {
    size_t count;
    const char *const *items; /* KEY=VALUE */
};

/* One host, with the defaults of all else and Flume's batches of the command line. */
void ps_rpc_target_of_host(struct ps_rpc_target *target, struct ps_arena *arena, const char *host,
                           unsigned port);
/* The properties file at `path`. Warnings go to standard error. An error says what to do. */
enum ps_status ps_rpc_target_read(struct ps_rpc_target *target, struct ps_arena *arena, const char *path,
                                  const struct ps_rpc_properties *properties, struct ps_err *err);
void ps_rpc_target_fini(struct ps_rpc_target *target);

/* ---- avro_client_send.c: one batch at a time, as Flume's client ---- */

/* Encoded events. */
struct ps_rpc_batch {
    uint8_t *bytes;
    size_t length, room;
    uint32_t count;
};
/* Adds an event: `headers` is a whole map as Avro encodes it. */
void ps_rpc_batch_add(struct ps_rpc_batch *batch, const struct ps_slice *headers,
                      const struct ps_slice *body);

struct ps_rpc_sender {
    const struct ps_rpc_target *target;
    const volatile sig_atomic_t *interrupts;
    struct ps_client_plan to;
    struct ps_avro_client client;
    size_t host; /* that is connected, or was last */
    bool answered;
    enum ps_avro_status status;
    char reason[PS_ERR_BYTES];
};

void ps_rpc_sender_init(struct ps_rpc_sender *sender, const struct ps_rpc_target *target,
                        const volatile sig_atomic_t *interrupts);
void ps_rpc_sender_fini(struct ps_rpc_sender *sender);
/* Connects to the next host that takes connections, unless there is a connection. Returns false with sender->reason. */
bool ps_rpc_sender_connect(struct ps_rpc_sender *sender);
/* Sends the batch and waits for its OK; with failover, up to attempts_max times. Returns false with sender->reason: the
 * events may have arrived all the same. */
bool ps_rpc_sender_send(struct ps_rpc_sender *sender, const struct ps_rpc_batch *batch);

/* ---- avro_client_input.c: lines ---- */

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
