/* Parses one HTTP/1.x request at a time as bytes arrive: finds its end, and reads its head (RFC 9112). The
 * parser that it uses is http_parser ([decision 55](docs/decisions/0055-input-from-outside.md));
 * no other file includes it.
 *
 * The caller keeps all bytes of a request together, and calls ps_http_message_read each time that more bytes
 * have arrived. The parser reads each byte once; in between, the caller may move the bytes to other memory.
 * Offsets count from the first byte of the request.
 *
 * Thread: the owner's. Nothing is allocated. */
#pragma once

#include "core/base.h"

#include <http_parser.h>

struct ps_http_limits {
    uint32_t head_bytes_max; /* request line and header fields */
    uint32_t body_bytes_max; /* of the content, without the chunks' marks (size lines and line ends) */
};

enum ps_http_read {
    PS_HTTP_PART,     /* more bytes are needed */
    PS_HTTP_COMPLETE, /* `length` bytes are the request */
    PS_HTTP_BAD,      /* nothing more can be read from this connection: `status` and `reason` say why */
};

struct ps_http_part {
    uint32_t at, length; /* length 0: not there */
};

struct ps_http_message {
    http_parser parser;
    uint32_t scanned; /* bytes that the parser has read */
    uint32_t length;  /* of the whole request, once it is complete */
    struct ps_http_part url, content_type, content_encoding;
    struct ps_http_part field, value; /* of the header field that is being read */
    uint32_t chunk_line_at;           /* where the line of the next chunk begins: its size and extension */
    uint32_t body_at, body_length;    /* the content so far; with `chunked`, marks lie between its pieces */
    uint16_t status;                  /* of PS_HTTP_BAD: 400, 413, 414, 415, 417, 431, 501, 505 */
    bool head_complete;
    bool chunked;
    bool continues; /* Expect: 100-continue */
    bool has_host;  /* the field Host */
    bool has_transfer_encoding;
    bool keep_alive;    /* the connection stays open after the answer */
    bool in_value;      /* the parser is in the value of a header field */
    bool at_chunk;      /* the parser has read a chunk's line and nothing after it */
    const char *reason; /* of PS_HTTP_BAD; one line, static */
};

/* Begins a request. */
void ps_http_message_init(struct ps_http_message *message);

/* Reads the new bytes of the request, `length` of which have arrived. The caller calls it again, with more
 * bytes, while it returns PS_HTTP_PART. */
enum ps_http_read ps_http_message_read(struct ps_http_message *message, const struct ps_http_limits *limits,
                                       const char *data, uint32_t length);

/* Returns the maximum number of bytes that a request within the limits has. */
uint32_t ps_http_message_bytes_max(const struct ps_http_limits *limits);

/* Copies the content of a complete chunked request, without the marks, to `out`, which has room for body_length
 * bytes; `out` may be the content's own place, data + body_at. */
void ps_http_message_unchunk(const struct ps_http_message *message, const char *data, char *out);

/* Returns "OK", "Bad Request", ..; for statuses that the source answers. */
const char *ps_http_status_text(unsigned status);
