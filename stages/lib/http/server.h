/* The server side of HTTP/1.1 over stages/lib/stream/stream.h. It gives each request to a handler, which makes
 * events of it, and answers the request when every required channel has promised these events. The requests of a
 * connection are handled and answered in order.
 *
 * A request is one transaction: its events are in one batch, all or none. If a handler reports more events than
 * fit into a batch, they are in several batches, and the request is answered when the last one is accepted.
 * Pipelined requests are read while earlier ones wait for their answers. A request is copied only when it is
 * longer than a read, or chunked.
 *
 * The state of the source that uses it begins with its struct ps_http_server. Thread: the worker's. */
#pragma once

#include "stages/lib/http/message.h"
#include "stages/lib/stream/calls.h"
#include "stages/lib/stream/stream.h"

/* What a handler has made of a request's body so far; the request's next part or try uses it. The server drops
 * it at the request's end. */
struct ps_http_text {
    struct ps_block *block; /* NULL: none */
    uint32_t length;
    uint32_t lines; /* this member and the following ones belong to the handler */
    bool is_lines;
    bool decoded; /* the block has the text in well-formed UTF-8 */
    bool counted; /* the block's memory is counted as a batch's */
};

/* A request from which a handler makes events. */
struct ps_http_exchange {
    const struct ps_http_message *message;
    const char *head; /* the first byte of the request: the parts of the message begin there */
    char *body;       /* in a block of the batch; may be changed */
    uint32_t body_length;
    uint64_t origin; /* the request's origin, for ps_batch_ticket */
    /* Offset in the body at which the handler continues after PS_HTTP_TAKEN_PART; 0 at first. The bytes before it
     * may have changed. */
    uint32_t rest_at;
    struct ps_http_text *text;
    bool plain; /* set if rest_at is not 0: the handler has seen that the body needs no decoding */
    /* The handler's results. */
    /* with PS_HTTP_TAKEN and the first PS_HTTP_TAKEN_PART: number of events of the whole request */
    uint64_t events;
    /* PS_HTTP_TAKEN, .._PART: the number of rows just added of which the request's text is thrown away, and the first */
    uint32_t lost_count;
    struct ps_slice lost;
    const char *lost_why;
    uint16_t status;    /* PS_HTTP_REFUSED */
    const char *intro;  /* with PS_HTTP_REFUSED: the text before the reason in the answer; NULL: none */
    const char *reason; /* with PS_HTTP_REFUSED: one line, static */
};

#define PS_HTTP_DONE_BYTES_MAX 64U

/* The texts that Flume's servlet writes before the message of the exception. */
#define PS_HTTP_BAD_REQUEST "Bad request from client. "
#define PS_HTTP_UNEXPECTED "Deserializer threw unexpected exception. "

enum ps_http_taken {
    PS_HTTP_TAKEN, /* the request's rows are in the batch, with a ticket */
    /* the rows of some of its events are in the batch, with a ticket: call again with the next batch */
    PS_HTTP_TAKEN_PART,
    /* After the other results the server removes the handler's rows from the batch. */
    PS_HTTP_FULL,    /* again with the next batch */
    PS_HTTP_MEMORY,  /* there is no memory: call again later */
    PS_HTTP_REFUSED, /* answer `status` */
};

struct ps_http_server_options {
    enum ps_http_taken (*take)(void *owner, struct ps_batch *batch, struct ps_http_exchange *exchange);
    void *owner;
    struct ps_http_limits limits;
    uint64_t request_ns;      /* how long a request may take from its first byte; then it is answered 408 */
    uint64_t idle_ns;         /* as ps_stream_options */
    uint32_t connections_max; /* as ps_stream_options */
    const struct ps_tls_server *tls;
    bool sends_server, sends_date, sends_powered_by; /* header fields of every answer */
    /* Content type and body of an answer 200, static; type NULL: the answer has no body. */
    const char *done_type, *done_body;
    uint32_t done_length; /* at most PS_HTTP_DONE_BYTES_MAX */
};

struct ps_http_connection;

struct ps_http_server {
    struct ps_stream stream; /* must be first (stages/lib/stream/stream.h) */
    struct ps_http_server_options options;
    struct ps_port *port;
    struct ps_calls calls;              /* requests, while their events are in batches */
    struct ps_http_connection **chunks; /* one for each slot of the stream's connections */
    uint32_t chunk_count;
    uint64_t sweep_ns;    /* time of the next search for slow requests */
    uint64_t swept_ns;    /* time of the last search */
    uint64_t date_second; /* of `date` */
    char date[48];        /* "Date: ..\r\n" */
};

/* Listens on the address of its source. Thread: the worker's, in `open`. */
enum ps_status ps_http_server_open(struct ps_http_server *server,
                                   const struct ps_http_server_options *options,
                                   const struct ps_listen *listen, struct ps_port *port, struct ps_err *err);
void ps_http_server_fini(struct ps_http_server *server);

/* Functions for a stage whose state begins with the server. */
extern const struct ps_source_ops ps_http_source_ops;

/* For handlers: returns `length` bytes of the batch's memory, in the meta block if `length` is at most
 * `meta_bytes_max`, else in a block of their own; NULL: there is no memory. The rows are in the meta block: in
 * an empty batch it has room for the maximum number of rows and 24 KiB. */
char *ps_http_alloc(struct ps_batch *batch, uint32_t length, uint32_t meta_bytes_max);
/* For handlers: makes the text's block the body of this try, and adds the block to those that the batch holds.
 * Returns PS_HTTP_TAKEN, or PS_HTTP_FULL: the batch holds as many blocks as it may. */
enum ps_http_taken ps_http_text_use(struct ps_http_exchange *exchange, struct ps_batch *batch);
#define PS_HTTP_HEADERS_META_BYTES_MAX (12U * 1024)
#define PS_HTTP_TEXT_META_BYTES_MAX (4U * 1024)
