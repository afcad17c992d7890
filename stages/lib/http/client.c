/* See client.h. */
#include "stages/lib/http/client.h"

#include "core/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONNECT_MS 5000L
#define READY_MAX 16
#define BODY_BYTES_MIN 1024U
#define FINAL_STATUS 200 /* after a lower status another answer follows */

/* ---- libcurl's sockets and timer ---- */

static int on_socket(CURL *, curl_socket_t fd, int what, void *argument, void *)
{
    const struct ps_http_client *client = argument;
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(client->poll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (epoll_ctl(client->poll_fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
        epoll_ctl(client->poll_fd, EPOLL_CTL_ADD, fd, &event);
    return 0;
}

static int on_timer(CURLM *, long timeout_ms, void *argument)
{
    struct ps_http_client *client = argument;
    client->timer_ns = timeout_ms < 0 ? PS_NEVER : client->now_ns + (uint64_t)timeout_ms * PS_NS_PER_MS;
    return 0;
}

/* Called when the request has a connection. */
static int on_connection(void *argument, char *, char *, int, int)
{
    struct ps_http_request *request = argument;
    request->begun_ns = request->client->now_ns;
    return CURL_PREREQFUNC_OK;
}

/* Keeps a piece of an order's answer. Returns false if the body is longer than the order allows, or there is no
 * memory. */
static bool keep_body(struct ps_http_request *request, const char *data, size_t length)
{
    size_t needed = request->body_length + length;
    if (needed > request->body_max) {
        request->too_long = true;
        return false;
    }
    if (needed >= request->body_room) {
        size_t room = needed * 2 > BODY_BYTES_MIN ? needed * 2 : BODY_BYTES_MIN;
        char *body = realloc(request->body, room);
        if (body == NULL)
            return false;
        request->body = body;
        request->body_room = room;
    }
    memcpy(request->body + request->body_length, data, length);
    request->body_length = needed;
    request->body[needed] = '\0';
    return true;
}

/* Keeps the beginning of an answer for error messages; of an order's answer, the whole body. */
static size_t on_answer(char *data, size_t size, size_t count, void *argument)
{
    struct ps_http_request *request = argument;
    size_t length = size * count, room = sizeof request->answer - request->answer_length;
    size_t kept = length < room ? length : room;
    memcpy(request->answer + request->answer_length, data, kept);
    request->answer_length += kept;
    return request->body_max == 0 || keep_body(request, data, length) ? length : 0;
}

/* ---- the client ---- */

enum ps_status ps_http_client_open(struct ps_http_client *client, unsigned connections, struct ps_err *err)
{
    client->timer_ns = PS_NEVER;
    client->now_ns = 0;
    client->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->multi = curl_multi_init();
    if (client->poll_fd < 0 || client->multi == NULL) {
        ps_http_client_close(client);
        return ps_err_set(err, "cannot create an HTTP client: not enough memory or file descriptors");
    }
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    return PS_OK;
}

void ps_http_client_close(struct ps_http_client *client)
{
    curl_multi_cleanup(client->multi);
    if (client->poll_fd >= 0)
        close(client->poll_fd);
    client->multi = NULL;
    client->poll_fd = -1;
}

void ps_http_client_work(struct ps_http_client *client, uint64_t now_ns)
{
    struct epoll_event ready[READY_MAX];
    int running;
    client->now_ns = now_ns;
    int count = epoll_wait(client->poll_fd, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++) {
        int what = (ready[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (ready[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(client->multi, ready[i].data.fd, what, &running);
    }
    if (client->now_ns >= client->timer_ns) {
        client->timer_ns = PS_NEVER;
        curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

/* Handles the end of a request. `failure`: NULL, or the reason why its answer is incomplete. */
static void take_status(struct ps_http_request *request, const char *failure)
{
    request->status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->status);
    bool answered = failure == NULL || request->status >= FINAL_STATUS;
    request->failure = answered ? NULL : failure;
    request->cut = failure != NULL && !request->too_long;
    if (!answered)
        request->status = 0;
}

/* Of a certificate, the general text does not say whether its authority, its name or its time is wrong. */
static const char *reason_of(struct ps_http_request *request, CURLcode result)
{
    static const char cure[] = ": name its authority in penstock.ssl.ca (opensearch: tls.ca_file)";
    char *text = request->distrust;
    size_t length = strlen(text);
    if (result == CURLE_PEER_FAILED_VERIFICATION && length > 0) {
        if (strstr(text, "issuer") != NULL || strstr(text, "self-signed") != NULL)
            (void)snprintf(text + length, sizeof request->distrust - length, "%s", cure);
        return text;
    }
    return result == CURLE_OK ? NULL : curl_easy_strerror(result);
}

struct ps_http_request *ps_http_client_next(struct ps_http_client *client)
{
    int left;
    for (const CURLMsg *message; (message = curl_multi_info_read(client->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        struct ps_http_request *request = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
        curl_multi_remove_handle(client->multi, easy);
        request->busy = false;
        take_status(request, reason_of(request, result));
        return request;
    }
    return NULL;
}

/* ---- requests ---- */

static void set_text(CURL *easy, CURLoption option, const char *text)
{
    struct curl_blob blob = {
        .data = (void *)(uintptr_t)text, .len = text != NULL ? strlen(text) : 0, .flags = CURL_BLOB_COPY};
    if (text != NULL)
        curl_easy_setopt(easy, option, &blob);
}

static void set_certificates(CURL *easy, const struct ps_http_settings *settings)
{
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    if (settings->ca != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca);
    /* libcurl would also trust the authorities of the directory that it was built with */
    if (settings->ca != NULL || settings->ca_text != NULL)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (settings->cert != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->cert);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->key != NULL ? settings->key : settings->cert);
    }
    set_text(easy, CURLOPT_CAINFO_BLOB, settings->ca_text);
    set_text(easy, CURLOPT_SSLCERT_BLOB, settings->cert_text);
    set_text(easy, CURLOPT_SSLKEY_BLOB, settings->key_text);
}

bool ps_http_request_open(struct ps_http_request *request, const struct ps_http_settings *settings)
{
    CURL *easy = request->easy = curl_easy_init();
    if (easy == NULL)
        return false;
    curl_easy_setopt(easy, CURLOPT_URL, settings->url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->distrust);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, settings->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connection);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, request);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     settings->connect_ns > 0 ? (long)(settings->connect_ns / PS_NS_PER_MS) : CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(settings->timeout_ns / PS_NS_PER_MS));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                     1L); /* do not wait for the look-up of a name after the request was given up */
    set_certificates(easy, settings);
    return true;
}

void ps_http_request_cancel(struct ps_http_request *request, struct ps_http_client *client)
{
    if (request->busy)
        curl_multi_remove_handle(client->multi, request->easy);
    request->busy = false;
}

void ps_http_request_cut(struct ps_http_request *request, struct ps_http_client *client, const char *failure)
{
    ps_http_request_cancel(request, client);
    take_status(request, failure);
}

void ps_http_request_close(struct ps_http_request *request, struct ps_http_client *client)
{
    ps_http_request_cancel(request, client);
    curl_easy_cleanup(request->easy);
    free(request->body);
    *request = (struct ps_http_request){0};
}

static void begin(struct ps_http_request *request, struct ps_http_client *client, uint64_t now_ns)
{
    client->now_ns = now_ns;
    request->client = client;
    request->begun_ns = 0;
    request->busy = true;
    request->answer_length = request->body_length = 0;
    request->too_long = request->cut = false;
    if (request->body != NULL)
        request->body[0] = '\0';
}

void ps_http_request_send(struct ps_http_request *request, struct ps_http_client *client, const char *body,
                          size_t length, uint64_t now_ns)
{
    begin(request, client, now_ns);
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_multi_add_handle(client->multi, request->easy);
}

void ps_http_request_order(struct ps_http_request *request, struct ps_http_client *client,
                           const struct ps_http_order *order, uint64_t now_ns)
{
    CURL *easy = request->easy;
    bool sends = strcmp(order->method, "PUT") == 0 || strcmp(order->method, "POST") == 0;
    begin(request, client, now_ns);
    request->body_max = order->answer_max;
    if (sends) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, order->length > 0 ? order->body : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)order->length);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, order->method);
    curl_easy_setopt(easy, CURLOPT_URL, order->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, order->headers);
    curl_easy_setopt(easy, CURLOPT_COOKIE, order->cookie);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, order->fresh ? 1L : 0L);
    curl_multi_add_handle(client->multi, easy);
}

const char *ps_http_request_redirect(const struct ps_http_request *request)
{
    char *url = NULL;
    curl_easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &url);
    return url;
}

const char *ps_http_request_header(const struct ps_http_request *request, const char *name, size_t index)
{
    struct curl_header *header;
    CURLHcode code = curl_easy_header(request->easy, name, index, CURLH_HEADER, -1, &header);
    return code == CURLHE_OK ? header->value : NULL;
}

void ps_http_request_connect(struct ps_http_request *request, struct ps_http_client *client, uint64_t now_ns)
{
    begin(request, client, now_ns);
    curl_easy_setopt(request->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_multi_add_handle(client->multi, request->easy);
}

void ps_http_request_reason(const struct ps_http_request *request, char *reason, size_t room)
{
    size_t length = 0; /* the first line of the answer */
    while (length < request->answer_length && request->answer[length] >= ' ')
        length++;
    snprintf(reason, room, "HTTP %ld%s%.*s", request->status, length > 0 ? ": " : "", (int)length,
             request->answer);
}

bool ps_http_url_is_usable(const char *url, char *reason, size_t room)
{
    char *port = NULL;
    CURLU *parsed = curl_url();
    CURLUcode code = parsed != NULL ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code != CURLUE_OK)
        snprintf(reason, room, "no request can be sent to it: %s", curl_url_strerror(code));
    else if (curl_url_get(parsed, CURLUPART_PORT, &port, 0) == CURLUE_OK && strcmp(port, "0") == 0)
        snprintf(reason, room, "no request can be sent to it: its port is 0, and ports begin with 1");
    else
        reason[0] = '\0';
    curl_free(port);
    curl_url_cleanup(parsed);
    return reason[0] == '\0';
}

void ps_http_print_url(const char *url, char *out, size_t room)
{
    const char *host = strstr(url, "//") + 2;
    const char *at = memrchr(host, '@', strcspn(host, "/?#")); /* a password may have this letter, too */
    snprintf(out, room, "%.*s%s", (int)(host - url), url, at != NULL ? at + 1 : host);
}
