#include "stages/lib/http/message.h"

#include "stages/lib/http/message_rules.h"

#include <string.h>
#include <strings.h>

#define FAILED (-1)    /* 1 and 2 mean something else to the parser */
#define CHUNK_SHARE 4U /* the marks of chunks may have body_bytes_max / CHUNK_SHARE bytes */
#define CHUNK_MARKS_MIN (64U * 1024)
#define LINE_END_BYTES 2U /* CR LF */

/* State for the parser's callbacks. */
struct reading {
    struct ps_http_message *message;
    const struct ps_http_limits *limits;
    const char *data, *end; /* the bytes of the request that are there */
};

/* Notes the first reason. Always returns false. A callback that returns FAILED ends the parser's work. */
static bool refuse(struct ps_http_message *message, uint16_t status, const char *reason)
{
    if (message->status == 0) {
        message->status = status;
        message->reason = reason;
    }
    return false;
}

/* Adds a piece to a part; the pieces of one part are contiguous, except in folded header fields. */
static int extend(struct ps_http_part *part, const struct reading *reading, const char *at, size_t length)
{
    uint32_t from = (uint32_t)(at - reading->data);
    if (part->length == 0)
        part->at = from;
    part->length = from + (uint32_t)length - part->at;
    return 0;
}

static bool is_field(const struct reading *reading, const char *name)
{
    const struct ps_http_part *field = &reading->message->field;
    return field->length == strlen(name) && strncasecmp(reading->data + field->at, name, field->length) == 0;
}

/* Returns the field's value without the blanks after it, which do not belong to it (RFC 9110, 5.5). */
static struct ps_http_part trimmed_value(const struct reading *reading)
{
    struct ps_http_part value = reading->message->value;
    const char *text = reading->data + value.at;
    while (value.length > 0 && (text[value.length - 1] == ' ' || text[value.length - 1] == '\t'))
        value.length--;
    return value;
}

/* Returns whether the field's value is this text; case does not matter. */
static bool is_value(const struct reading *reading, const char *text)
{
    struct ps_http_part value = trimmed_value(reading);
    return value.length == strlen(text) && strncasecmp(reading->data + value.at, text, value.length) == 0;
}

/* RFC 9112, 3.2: more than one Host gets status 400, because a proxy on the way may have used a different one. */
static void end_host(const struct reading *reading)
{
    struct ps_http_message *message = reading->message;
    struct ps_http_part host = trimmed_value(reading);
    if (message->has_host)
        refuse(message, 400, "the request has two Host fields");
    else if (!ps_http_host_is_good(reading->data + host.at, host.length))
        refuse(message, 400, "the field Host has a blank in it, or a port that is not a number");
    message->has_host = true;
}

/* RFC 9110, 10.1.1; HTTP/1.0 does not know the field. */
static void end_expect(const struct reading *reading)
{
    struct ps_http_message *message = reading->message;
    bool is_1_0 = message->parser.http_major == 1 && message->parser.http_minor == 0;
    message->continues = is_value(reading, "100-continue");
    if (!message->continues && message->value.length > 0 && !is_1_0)
        refuse(message, 417, "Expect: only 100-continue is supported");
}

/* RFC 9112, 6.1: an unknown coding is answered 501; chunked may be applied only once. */
static void end_transfer_encoding(const struct reading *reading)
{
    struct ps_http_message *message = reading->message;
    if (!is_value(reading, "chunked"))
        refuse(message, 501, "Transfer-Encoding: only chunked is supported");
    else if (message->has_transfer_encoding)
        refuse(message, 400, "the request has two Transfer-Encoding fields");
    message->has_transfer_encoding = true;
}

/* Refuses several codings of one body, which may be named in one field or in several: no handler supports them. */
static void end_content_encoding(struct ps_http_message *message)
{
    if (message->content_encoding.length > 0)
        refuse(message, 415, "the request has two Content-Encoding fields");
    message->content_encoding = message->value;
}

/* Interprets a header field of the request. */
static void use_field(const struct reading *reading)
{
    struct ps_http_message *message = reading->message;
    if (is_field(reading, "content-type"))
        message->content_type = trimmed_value(reading);
    else if (is_field(reading, "content-encoding"))
        end_content_encoding(message);
    else if (is_field(reading, "host"))
        end_host(reading);
    else if (is_field(reading, "expect"))
        end_expect(reading);
    else if (is_field(reading, "transfer-encoding"))
        end_transfer_encoding(reading);
}

/* Called when a header field or a trailer field is complete. Trailer fields are ignored. */
static void end_field(const struct reading *reading)
{
    struct ps_http_message *message = reading->message;
    const char *field = reading->data + message->field.at;
    if (!ps_http_name_is_token(field, message->field.length))
        refuse(message, 400, "the name of a header field has a blank in it or before the colon");
    else if (ps_http_field_is_folded(field, reading->end))
        refuse(message, 400, "a header field is folded: it goes on in a second line");
    else if (!message->head_complete)
        use_field(reading);
    message->field.length = message->value.length = 0;
    message->in_value = false;
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct reading *reading = parser->data;
    return extend(&reading->message->url, reading, at, length);
}

static int on_field(http_parser *parser, const char *at, size_t length)
{
    struct reading *reading = parser->data;
    if (reading->message->in_value)
        end_field(reading);
    return extend(&reading->message->field, reading, at, length);
}

static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct reading *reading = parser->data;
    reading->message->in_value = true;
    return extend(&reading->message->value, reading, at, length);
}

/* Returns whether the line that ends the head is CR LF, or LF. The parser accepts any byte after the CR, and
 * has read that byte. */
static bool empty_line_is_good(const struct reading *reading)
{
    const char *field = reading->data + reading->message->field.at;
    const char *end = memchr(field, '\n', (size_t)(reading->end - field));
    return end[1] != '\r' || end[2] == '\n';
}

static bool head_is_good(const http_parser *parser, struct reading *reading)
{
    struct ps_http_message *message = reading->message;
    bool is_1_1 = parser->http_major == 1 && parser->http_minor >= 1;
    if (message->status != 0) /* a field was refused */
        return false;
    if (!empty_line_is_good(reading))
        return refuse(message, 400, "the line that ends the head is not empty");
    if (parser->http_major != 1)
        return refuse(message, 505, "only HTTP/1.0 and HTTP/1.1 are supported");
    const char *wrong = ps_http_target_wrong(reading->data + message->url.at, message->url.length,
                                             parser->method == HTTP_OPTIONS);
    if (wrong != NULL)
        return refuse(message, 400, wrong);
    if (is_1_1 && !message->has_host)
        return refuse(message, 400, "the request has no Host field");
    if (!message->chunked && parser->content_length != UINT64_MAX &&
        parser->content_length > reading->limits->body_bytes_max)
        return refuse(message, 413, "the body is too long");
    message->continues &= is_1_1;
    return true;
}

/* Returns whether a proxy may interpret the bytes after the head differently; then the connection ends with this request. The
 * parser reads no body after CONNECT, and HTTP/1.0 has no chunks (RFC 9112, 6.1). */
static bool is_last(const http_parser *parser, const struct ps_http_message *message)
{
    return parser->method == HTTP_CONNECT || (message->chunked && parser->http_minor == 0);
}

static int on_head(http_parser *parser)
{
    struct reading *reading = parser->data;
    struct ps_http_message *message = reading->message;
    if (message->in_value)
        end_field(reading);
    message->head_complete = true;
    message->chunked = (parser->flags & F_CHUNKED) != 0;
    message->keep_alive = http_should_keep_alive(parser) != 0 && !is_last(parser, message);
    return head_is_good(parser, reading) ? 0 : FAILED;
}

/* Called when the length of a chunk is known. Pauses the parser, because it then reports where the chunk's line
 * ends. */
static int on_chunk(http_parser *parser)
{
    struct reading *reading = parser->data;
    struct ps_http_message *message = reading->message;
    if (parser->content_length > reading->limits->body_bytes_max - message->body_length)
        return refuse(message, 413, "the body is too long") ? 0 : FAILED;
    message->at_chunk = true;
    http_parser_pause(parser, 1);
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
    struct reading *reading = parser->data;
    struct ps_http_message *message = reading->message;
    if (message->body_length == 0)
        message->body_at = (uint32_t)(at - reading->data);
    if (length > reading->limits->body_bytes_max - message->body_length)
        return refuse(message, 413, "the body is too long") ? 0 : FAILED;
    message->body_length += (uint32_t)length;
    return 0;
}

static int on_complete(http_parser *parser)
{
    http_parser_pause(parser, 1);
    return 0;
}

static int on_end(http_parser *parser)
{
    struct reading *reading = parser->data;
    if (reading->message->in_value) /* of a trailer field */
        end_field(reading);
    return reading->message->status != 0 ? FAILED : on_complete(parser);
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_chunk_header = on_chunk,
    .on_body = on_body,
    .on_message_complete = on_end,
};

void ps_http_message_init(struct ps_http_message *message)
{
    *message = (struct ps_http_message){.keep_alive = true};
    http_parser_init(&message->parser, HTTP_REQUEST);
}

static uint32_t chunked_bytes_max(const struct ps_http_limits *limits)
{
    uint32_t marks = limits->body_bytes_max / CHUNK_SHARE;
    return limits->body_bytes_max + (marks > CHUNK_MARKS_MIN ? marks : CHUNK_MARKS_MIN);
}

uint32_t ps_http_message_bytes_max(const struct ps_http_limits *limits)
{
    return limits->head_bytes_max + chunked_bytes_max(limits) + 1;
}

/* Maps the parser's error to a status and a reason. */
static enum ps_http_read bad(struct ps_http_message *message)
{
    if (message->status != 0)
        return PS_HTTP_BAD;
    enum http_errno error = HTTP_PARSER_ERRNO(&message->parser);
    if (error == HPE_INVALID_METHOD)
        refuse(message, 501, "the method is not known");
    else if (error == HPE_INVALID_VERSION)
        refuse(message, 505, "only HTTP/1.0 and HTTP/1.1 are supported");
    else if (error == HPE_HEADER_OVERFLOW)
        refuse(message, 431, "the header fields are too long");
    else
        refuse(message, 400, http_errno_description(error));
    return PS_HTTP_BAD;
}

/* Returns where the first chunk's line begins: after the empty line that ends the head. The last field, which is not folded, ends
 * with its line. */
static uint32_t end_of_head(const struct ps_http_message *message, const char *data)
{
    const char *field = data + message->field.at;
    const char *end = memchr(field, '\n', message->scanned - message->field.at);
    return (uint32_t)(end - data) + (end[1] == '\r' ? 3U : 2U);
}

/* Called when the parser has read a chunk's line to its end. Checks what the parser does not check: it accepts any
 * byte but CR after the chunk's size (also LF and NUL), any byte in place of the line's LF, and any two bytes in
 * place of the CR LF that ends the previous chunk. */
static void end_chunk_line(struct ps_http_message *message, const char *data)
{
    uint32_t at = message->chunk_line_at > 0 ? message->chunk_line_at : end_of_head(message, data);
    message->at_chunk = false;
    http_parser_pause(&message->parser, 0);
    if (message->chunk_line_at > 0 && memcmp(data + at - LINE_END_BYTES, "\r\n", LINE_END_BYTES) != 0)
        refuse(message, 400, "a chunk is not followed by a line end");
    else if (data[message->scanned - 1] != '\n' ||
             !ps_http_chunk_line_is_good(data + at, message->scanned - LINE_END_BYTES - at))
        refuse(message, 400, "the line of a chunk is not a size and an extension");
    message->chunk_line_at = message->scanned + (uint32_t)message->parser.content_length + LINE_END_BYTES;
}

/* Reads up to `end`. */
static enum ps_http_read read_to(struct ps_http_message *message, const char *data, uint32_t end)
{
    while (message->scanned < end && message->status == 0) {
        uint32_t from = message->scanned;
        message->scanned +=
            (uint32_t)http_parser_execute(&message->parser, &settings, data + from, end - from);
        if (!message->at_chunk)
            break;
        end_chunk_line(message, data);
    }
    enum http_errno error = HTTP_PARSER_ERRNO(&message->parser);
    if (error == HPE_PAUSED && message->chunked && data[message->scanned - 1] != '\n')
        refuse(message, 400, "the empty line after the last chunk does not end");
    if (error == HPE_PAUSED && message->status == 0) {
        message->length = message->scanned;
        return PS_HTTP_COMPLETE;
    }
    return error != HPE_OK || message->status != 0 ? bad(message) : PS_HTTP_PART;
}

enum ps_http_read ps_http_message_read(struct ps_http_message *message, const struct ps_http_limits *limits,
                                       const char *data, uint32_t length)
{
    if (message->status != 0)
        return PS_HTTP_BAD;
    if (message->length > 0)
        return PS_HTTP_COMPLETE;
    PS_ASSERT(length >= message->scanned);
    struct reading reading = {.message = message, .limits = limits, .data = data, .end = data + length};
    enum ps_http_read read = PS_HTTP_PART;
    uint32_t bytes_max = ps_http_message_bytes_max(limits), end;
    message->parser.data = &reading;
    do { /* reads up to a limit first, so that the result does not depend on the pieces in which the bytes come */
        uint32_t limit = message->head_complete ? bytes_max : limits->head_bytes_max;
        end = length < limit ? length : limit;
        read = read_to(message, data, end);
    } while (read == PS_HTTP_PART && message->head_complete && end < length && end < bytes_max);
    message->parser.data = NULL;
    if (read != PS_HTTP_PART)
        return read;
    if (message->head_complete ? message->scanned >= bytes_max : message->scanned >= limits->head_bytes_max) {
        if (message->head_complete)
            refuse(message, 413, "the body is too long");
        else if (message->url.at + message->url.length >= message->scanned)
            refuse(message, 414, "the URI is too long");
        else
            refuse(message, 431, "the header fields are too long");
        return PS_HTTP_BAD;
    }
    return PS_HTTP_PART;
}

/* ---- chunks ---- */

static int copy_piece(http_parser *parser, const char *at, size_t length)
{
    char **to = parser->data;
    memmove(*to, at, length);
    *to += length;
    return 0;
}

void ps_http_message_unchunk(const struct ps_http_message *message, const char *data, char *out)
{
    static const http_parser_settings copy = {.on_body = copy_piece, .on_message_complete = on_complete};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &out;
    (void)http_parser_execute(&parser, &copy, data, message->length);
}

const char *ps_http_status_text(unsigned status)
{
    switch (status) {
#define PS_HTTP_STATUS_CASE(number, name, text)                                                              \
    case number:                                                                                             \
        return #text;
        HTTP_STATUS_MAP(PS_HTTP_STATUS_CASE)
#undef PS_HTTP_STATUS_CASE
    default:
        return "Unknown";
    }
}
