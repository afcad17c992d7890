/* Far end http: listens and takes the bodies of POST (and PUT) requests. Each element of a JSON array (the
 * format of Flume's HTTP sink and its JSONHandler: objects with headers and body) is one record, unchanged;
 * any other body has one record per line. A connection is a stream.
 *
 * libmicrohttpd runs inside `read`, in its thread: records are handed over only during `read`, and a request is
 * answered (200) after all its records were handed over.
 *
 * Thread: the reader's. */
#include "bench/verify/far/ends.h"
#include "bench/verify/far/listen/listen.h"
#include "core/clock.h"
#include "core/watch/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <microhttpd.h>
#include <zlib.h>

#define BODY_BYTES_MAX (64U << 20)
#define PLAIN_BYTES_MAX (256U << 20) /* bytes of a decompressed body */
#define UNPACK_BYTES 65536U
#define CONNECTIONS_MAX 16384U
#define CONNECTION_BYTES (64U * 1024U)
#define TIMEOUT_S 120U

struct request {
    struct ps_page body;
    bool too_large, handed;
};

struct far_http {
    struct MHD_Daemon *daemon;
    char address[PS_FAR_ADDRESS_BYTES];
    uint64_t next_stream, unanswered, malformed;
    struct ps_far_hand *hand; /* valid during the current call of read */
    struct ps_far_notes notes;
    char first[256];
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value != NULL ? value : "";
}

/* Decompresses gzip and deflate (zlib format). Returns false when the data is damaged or too large. */
static bool body_unpack(struct ps_page *body)
{
    struct ps_page plain = {.text = NULL};
    char out[UNPACK_BYTES];
    z_stream stream = {.next_in = (unsigned char *)body->text, .avail_in = (uInt)body->length};
    PS_ASSERT(inflateInit2(&stream, 15 + 32) == Z_OK);
    int result = Z_OK;
    while (result == Z_OK && plain.length <= PLAIN_BYTES_MAX) {
        stream.next_out = (unsigned char *)out;
        stream.avail_out = sizeof out;
        result = inflate(&stream, Z_NO_FLUSH);
        ps_page_append(&plain, out, sizeof out - stream.avail_out);
    }
    inflateEnd(&stream);
    ps_page_fini(body);
    *body = plain;
    return result == Z_STREAM_END;
}

static void hand_lines(struct far_http *far, const struct ps_page *body)
{
    struct ps_far_text text;
    ps_far_text_init(&text, PS_FAR_LINES);
    ps_far_text_feed(&text, body->text, body->length, far->hand);
    ps_far_text_end(&text, far->hand);
    if (text.cut_count > 0)
        ps_far_note(&far->notes, true, "lines of more than 1 MiB were cut");
    ps_far_text_fini(&text);
}

/* Handles a complete body. Like Flume's handler, answers 400 only for JSON that cannot be read. */
static enum MHD_Result serve_body(struct far_http *far, struct MHD_Connection *connection,
                                  struct request *request)
{
    struct ps_page *body = &request->body;
    const char *encoding = header(connection, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (request->too_large) {
        ps_far_note(&far->notes, false, "requests of more than 64 MiB were refused (413)");
        return answer(connection, MHD_HTTP_CONTENT_TOO_LARGE, "more than 64 MiB\n");
    }
    if (*encoding != '\0' && strcasecmp(encoding, "identity") != 0) {
        if (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "deflate") != 0) {
            ps_far_note(&far->notes, false, "requests with Content-Encoding %.40s were refused (415)",
                        encoding);
            return answer(connection, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "gzip and deflate are supported\n");
        }
        if (body->length > 0 && !body_unpack(body)) {
            far->malformed++;
            return answer(connection, MHD_HTTP_BAD_REQUEST, "the compressed body is damaged or too large\n");
        }
    }
    far->hand->stream =
        (uint64_t)(uintptr_t)MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
            ->socket_context;
    far->hand->arrival_ns = ps_clock_now().mono_ns;
    bool is_json = strncasecmp(header(connection, MHD_HTTP_HEADER_CONTENT_TYPE), "application/json", 16) == 0;
    size_t at = 0;
    while (at < body->length && strchr(" \t\r\n", body->text[at]) != NULL)
        at++;
    if (at < body->length && body->text[at] == '[' &&
        ps_far_json_array(body->text, body->length, far->hand)) {
        request->handed = true;
    } else if (at < body->length && body->text[at] == '[' && is_json) {
        far->malformed++;
        return answer(connection, MHD_HTTP_BAD_REQUEST,
                      "Bad request from client. Request has invalid JSON Syntax.\n");
    } else if (body->length > 0) {
        hand_lines(far, body);
        request->handed = true;
    }
    return answer(connection, MHD_HTTP_OK, "");
}

/* libmicrohttpd calls this function after a request's header, for each piece of the request's body, and at the
 * request's end. */
static enum MHD_Result serve(void *far_, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_bytes, void **request_)
{
    struct far_http *far = far_;
    struct request *request = *request_;
    (void)url, (void)version;
    if (request == NULL) {
        *request_ = request = calloc(1, sizeof *request);
        return request != NULL ? MHD_YES : MHD_NO;
    }
    if (*upload_bytes > 0) {
        request->too_large |= *upload_bytes > BODY_BYTES_MAX - request->body.length;
        if (!request->too_large)
            ps_page_append(&request->body, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0 || strcmp(method, MHD_HTTP_METHOD_PUT) == 0)
        return serve_body(far, connection, request);
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
        return answer(connection, MHD_HTTP_OK, "penstock verify: POST events here\n");
    return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "POST events here\n");
}

static void on_completed(void *far_, struct MHD_Connection *, void **request_,
                         enum MHD_RequestTerminationCode code)
{
    struct far_http *far = far_;
    struct request *request = *request_;
    if (request == NULL)
        return;
    far->unanswered += request->handed && code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    ps_page_fini(&request->body);
    free(request);
    *request_ = NULL;
}

static void on_connection(void *far_, struct MHD_Connection *, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct far_http *far = far_;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *context = (void *)(uintptr_t)(far->next_stream++ % PS_FAR_STREAMS_MAX);
}

static void far_http_close(void *state)
{
    struct far_http *far = state;
    MHD_stop_daemon(far->daemon); /* also closes the listening socket */
    free(far);
}

static enum ps_status far_http_open(void **state, struct ps_url *url, uint64_t, struct ps_err *err)
{
    struct ps_bind_options options;
    struct ps_address bound;
    *state = NULL;
    if (ps_url_check(url, err) != PS_OK)
        return PS_FAIL;
    const char *path = url->path;
    url->path = ""; /* requests to any path are accepted */
    enum ps_status status = ps_far_bind_options(url, false, &options, err);
    url->path = path;
    int fd = status == PS_OK ? ps_address_bind(&options, &bound, err) : -1;
    if (fd < 0)
        return PS_FAIL;
    struct far_http *far = ps_must_alloc(1, sizeof *far, "the HTTP listener");
    ps_address_print(&bound, far->address);
    far->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, serve, far, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, far,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, far, MHD_OPTION_END);
    if (far->daemon == NULL) {
        close(fd);
        free(far);
        return ps_err_set(err, "%s: the HTTP server cannot start", url->text);
    }
    *state = far;
    return PS_OK;
}

static enum ps_far_read far_http_read(void *state, int timeout_ms, ps_far_record_taker *taker, void *argument,
                                      struct ps_err *err)
{
    struct far_http *far = state;
    struct ps_far_hand hand = {.taker = taker, .argument = argument};
    uint64_t now_ns = ps_clock_now().mono_ns, end_ns = now_ns + (uint64_t)timeout_ms * PS_NS_PER_MS;
    far->hand = &hand;
    do {
        int wait_ms = now_ns < end_ns ? (int)((end_ns - now_ns) / PS_NS_PER_MS) + 1 : 0;
        if (MHD_run_wait(far->daemon, wait_ms) != MHD_YES) {
            ps_err_set(err, "http: the server failed");
            return PS_FAR_FAILED;
        }
        now_ns = ps_clock_now().mono_ns;
    } while (hand.count == 0 && now_ns < end_ns);
    far->hand = NULL;
    return hand.count > 0 ? PS_FAR_SOME : PS_FAR_IDLE;
}

static const char *far_http_remark(void *state, bool *lossy)
{
    struct far_http *far = state;
    int length = 0;
    *lossy = far->notes.lossy;
    far->first[0] = '\0';
    if (far->unanswered > 0)
        length = snprintf(far->first, sizeof far->first,
                          "%llu requests could not be answered: their senders may send them again",
                          (unsigned long long)far->unanswered);
    if (far->malformed > 0)
        snprintf(far->first + length, sizeof far->first - (size_t)length,
                 "%s%llu requests could not be understood (400)", length > 0 ? "; " : "",
                 (unsigned long long)far->malformed);
    return ps_far_notes_text(&far->notes, far->first);
}

static const char *far_http_address(void *state)
{
    const struct far_http *far = state;
    return far->address;
}

const struct ps_far_end_ops ps_far_http = {
    .scheme = "http",
    .summary = "http://HOST:PORT (listens; POST of Flume's JSON arrays, or of lines)",
    .open = far_http_open,
    .read = far_http_read,
    .remark = far_http_remark,
    .address = far_http_address,
    .close = far_http_close,
};
