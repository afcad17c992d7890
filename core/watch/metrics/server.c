#include "core/watch/metrics/server.h"
#include "core/clock.h"
#include "core/log/log.h"
#include "core/text/list.h"
#include "core/watch/metrics/accept.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

/* A connection is closed when it was idle for this time, or for the time for a request if that is longer. */
#define TIMEOUT_S 10U
#define CONNECTION_BYTES (16U * 1024U)
#define TAIL_STEP_US 20000U
#define TAIL_PAGE_MAX (4U << 20)

struct ps_metrics_server {
    struct MHD_Daemon *daemon;
    struct ps_acceptor *acceptor;
    const struct ps_metrics_source *source;
    struct ps_metrics_access access; /* copies of the settings' texts */
    bool prometheus;
    struct ps_flag stopping;
    pthread_mutex_t tail; /* guards `lookers` and the readers' side of all taps */
    unsigned lookers;     /* bit n: a /tail request uses reader number n */
};

static const char json_type[] = "application/json;charset=utf-8";
static const char text_type[] = "text/plain;charset=utf-8";

/* Queues the page as the response. Takes ownership of the page's text. `header` and `value`: one more header, or
 * NULL. */
static enum MHD_Result answer_with(struct MHD_Connection *connection, unsigned status, const char *type,
                                   struct ps_page *page, const char *header, const char *value)
{
    size_t length = page->length;
    char *text = page->text;
    *page = (struct ps_page){0};
    if (length == 0) {
        free(text);
        text = NULL;
    }
    struct MHD_Response *response = length > 0
                                        ? MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE)
                                        : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    if (type != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (header != NULL)
        MHD_add_response_header(response, header, value);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              struct ps_page *page)
{
    return answer_with(connection, status, type, page, NULL, NULL);
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *type,
                                   const char *text)
{
    struct ps_page page = {0};
    ps_page_text(&page, text);
    return answer(connection, status, type, &page);
}

static enum MHD_Result serve_root(struct ps_metrics_server *, struct MHD_Connection *connection)
{
    return answer_text(connection, MHD_HTTP_OK, "text/html;charset=utf-8",
                       "For Flume metrics please click <a href = \"./metrics\"> here</a>.");
}

static enum MHD_Result serve_page(struct ps_metrics_server *server, struct MHD_Connection *connection,
                                  bool prometheus)
{
    struct ps_metrics metrics;
    struct ps_page page = {0};
    ps_metrics_take(&metrics, server->source);
    if (prometheus)
        ps_metrics_prometheus(&metrics, &page);
    else
        ps_metrics_json(&metrics, &page);
    ps_metrics_fini(&metrics);
    return answer(connection, MHD_HTTP_OK,
                  prometheus ? "text/plain; version=0.0.4; charset=utf-8" : json_type, &page);
}

static enum MHD_Result serve_metrics(struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    return serve_page(server, connection, server->prometheus);
}

static enum MHD_Result serve_prometheus(struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    return serve_page(server, connection, true);
}

/* Answers 200 and "ok", or 503 and a line for each problem. */
static enum MHD_Result serve_health(struct ps_metrics_server *server, struct MHD_Connection *connection,
                                    bool (*good)(const struct ps_metrics *metrics, uint64_t mono_ns,
                                                 struct ps_page *page))
{
    struct ps_metrics metrics;
    struct ps_page page = {0};
    ps_metrics_take(&metrics, server->source);
    bool healthy = good(&metrics, ps_clock_now().mono_ns, &page);
    ps_metrics_fini(&metrics);
    if (healthy)
        ps_page_text(&page, "ok\n");
    return answer(connection, healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, text_type, &page);
}

static enum MHD_Result serve_live(struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    return serve_health(server, connection, ps_metrics_live);
}

static enum MHD_Result serve_ready(struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    return serve_health(server, connection, ps_metrics_ready);
}

/* ---- /tail ---- */

struct look {
    unsigned looker; /* number of this reader at the taps */
    struct ps_page page;
    unsigned left;
};

static void look_start(void *argument, struct ps_tap *tap)
{
    const struct look *look = argument;
    ps_tap_start(tap, look->looker);
}

static void look_stop(void *argument, struct ps_tap *tap)
{
    const struct look *look = argument;
    ps_tap_stop(tap, look->looker);
}

static void look_take(void *argument, struct ps_tap *tap)
{
    struct look *look = argument;
    if (!ps_tap_is_looking(tap, look->looker))
        ps_tap_start(tap, look->looker); /* the component was opened again since look_start */
    if (look->page.length < TAIL_PAGE_MAX)
        look->left -= ps_tap_take(tap, look->looker, look->left, &look->page);
}

/* Calls `step` for the taps of the component `name` while no other thread uses them; returns how many there are. */
static unsigned look_step(struct ps_metrics_server *server, const char *name, struct look *look,
                          void (*step)(void *argument, struct ps_tap *tap))
{
    pthread_mutex_lock(&server->tail);
    unsigned taps = server->source->taps(server->source->argument, name, step, look);
    pthread_mutex_unlock(&server->tail);
    return taps;
}

/* Takes a free number of a reader. Returns false when all are in use. */
static bool looker_take(struct ps_metrics_server *server, unsigned *looker)
{
    pthread_mutex_lock(&server->tail);
    for (*looker = 0; *looker < PS_TAP_LOOKERS && (server->lookers & 1U << *looker) != 0;)
        ++*looker;
    bool taken = *looker < PS_TAP_LOOKERS;
    if (taken)
        server->lookers |= 1U << *looker;
    pthread_mutex_unlock(&server->tail);
    return taken;
}

static void looker_give(struct ps_metrics_server *server, unsigned looker)
{
    pthread_mutex_lock(&server->tail);
    server->lookers &= ~(1U << looker);
    pthread_mutex_unlock(&server->tail);
}

/* Returns the number in this query argument, at most `max`; `fallback` if there is none. */
static unsigned query_number(struct MHD_Connection *connection, const char *name, unsigned fallback,
                             unsigned max)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return fallback;
    unsigned long value = strtoul(text, NULL, 10);
    return value > max ? max : (unsigned)value;
}

static int socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Returns whether the client closed the connection, or its sending half. */
static bool client_is_gone(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* Waits until enough events passed, the time is over, the client left or the server stops. */
static void look_for(struct ps_metrics_server *server, const char *name, struct look *look, unsigned wait_s,
                     int fd)
{
    uint64_t end_ns = ps_clock_now().mono_ns + wait_s * PS_NS_PER_S;
    for (;;) {
        look_step(server, name, look, look_take);
        if (look->left == 0 || look->page.length >= TAIL_PAGE_MAX || client_is_gone(fd) ||
            ps_flag_get(&server->stopping) || ps_clock_now().mono_ns >= end_ns)
            return;
        usleep(TAIL_STEP_US);
    }
}

static enum MHD_Result look_and_answer(struct ps_metrics_server *server, struct MHD_Connection *connection,
                                       const char *name, struct look *look)
{
    unsigned wait_s = query_number(connection, "wait", 10, PS_METRICS_SERVER_TAIL_WAIT_S_MAX);
    if (server->source->taps == NULL || look_step(server, name, look, look_start) == 0) {
        ps_page_format(&look->page, "no channel, sink, source or interceptor (SOURCE.INTERCEPTOR) %s\n",
                       name);
        return answer(connection, MHD_HTTP_NOT_FOUND, text_type, &look->page);
    }
    look_for(server, name, look, wait_s, socket_of(connection));
    look_step(server, name, look, look_stop);
    return answer(connection, MHD_HTTP_OK, "application/x-ndjson;charset=utf-8", &look->page);
}

static enum MHD_Result serve_tail(struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    const char *name = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "component");
    struct look look = {.left = query_number(connection, "count", 10, PS_METRICS_SERVER_TAIL_EVENTS_MAX)};
    if (name == NULL)
        return answer_text(connection, MHD_HTTP_BAD_REQUEST, text_type, "component=NAME is missing\n");
    if (!looker_take(server, &look.looker)) {
        ps_page_format(&look.page, "%u clients view live events already; try again later\n", PS_TAP_LOOKERS);
        return answer_with(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text_type, &look.page,
                           MHD_HTTP_HEADER_RETRY_AFTER, "10");
    }
    enum MHD_Result result = look_and_answer(server, connection, name, &look);
    looker_give(server, look.looker);
    return result;
}

/* ---- who may read ---- */

static enum MHD_Result refuse(struct MHD_Connection *connection, const char *why)
{
    return answer_text(connection, MHD_HTTP_FORBIDDEN, text_type, why);
}

static bool host_is_own(const struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return ps_metrics_host_is_own(host, server->access.hosts);
}

static enum MHD_Result refuse_host(struct MHD_Connection *connection)
{
    return refuse(connection, "the Host header is not a name of this machine; use its address, or start the "
                              "agent with -Dpenstock.monitoring.hosts=NAME,...\n");
}

static bool token_matches(const struct ps_metrics_server *server, const char *header)
{
    struct ps_err err = {0};
    char token[PS_ACCESS_TOKEN_BYTES];
    if (server->access.token_path == NULL)
        return ps_metrics_token_matches(header, server->access.token);
    if (ps_metrics_token_read(server->access.token_path, token, &err) == PS_OK)
        return ps_metrics_token_matches(header, token);
    ps_log(PS_LOG_WARN, "metrics", "/tail refuses everybody: %s", err.text);
    return false;
}

/* Checks a request of /tail. Returns false after answering with an error; `*result` is then what the handler must
 * return to the library. */
static bool may_tail(struct ps_metrics_server *server, struct MHD_Connection *connection,
                     enum MHD_Result *result)
{
    const struct sockaddr *peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    if (server->access.token != NULL || server->access.token_path != NULL) {
        const char *header =
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
        if (token_matches(server, header))
            return true;
        struct ps_page page = {0};
        ps_page_text(&page, "/tail wants the header Authorization: Bearer TOKEN, with the token of "
                            "-Dpenstock.monitoring.token\n");
        *result = answer_with(connection, MHD_HTTP_UNAUTHORIZED, text_type, &page,
                              MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"penstock\"");
        return false;
    }
    if (!ps_metrics_peer_is_local(peer))
        *result = refuse(connection, "/tail shows events, and only to clients of this machine (127.0.0.1, "
                                     "::1); others need a token: -Dpenstock.monitoring.token.file=FILE\n");
    else if (!host_is_own(server, connection))
        *result = refuse_host(connection);
    else
        return true;
    return false;
}

static enum MHD_Result serve_tail_if_allowed(struct ps_metrics_server *server,
                                             struct MHD_Connection *connection)
{
    enum MHD_Result result;
    return may_tail(server, connection, &result) ? serve_tail(server, connection) : result;
}

/* ---- paths and methods ---- */

static const struct route {
    const char *path;
    bool any_case;       /* Flume compares /metrics without regard to case */
    const char *methods; /* for the header Allow */
    enum MHD_Result (*serve)(struct ps_metrics_server *server, struct MHD_Connection *connection);
} routes[] = {
    {"/", false, "GET, HEAD, POST", serve_root},
    {"/metrics", true, "GET, HEAD, POST", serve_metrics},
    {"/metrics/prometheus", false, "GET, HEAD", serve_prometheus},
    {"/livez", false, "GET, HEAD", serve_live},
    {"/readyz", false, "GET, HEAD", serve_ready},
    {"/healthz", false, "GET, HEAD", serve_ready},
    {"/tail", false, "GET", serve_tail_if_allowed},
};

static const struct route *route_of(const char *url)
{
    for (size_t i = 0; i < PS_COUNT_OF(routes); i++) {
        if ((routes[i].any_case ? strcasecmp(url, routes[i].path) : strcmp(url, routes[i].path)) == 0)
            return &routes[i];
    }
    return NULL;
}

/* Returns whether "GET, HEAD, POST" has this method. */
static bool method_is_in(const char *method, const char *methods)
{
    struct ps_slice item;
    while (ps_list_next(&methods, ", ", &item))
        if (item.length == strlen(method) && memcmp(method, item.data, item.length) == 0)
            return true;
    return false;
}

static enum MHD_Result route(struct ps_metrics_server *server, struct MHD_Connection *connection,
                             const char *url, const char *method)
{
    if (strcmp(method, MHD_HTTP_METHOD_TRACE) == 0 || strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0)
        return answer_text(connection, MHD_HTTP_FORBIDDEN, NULL, "");
    if (server->access.hosts != NULL && !host_is_own(server, connection))
        return refuse_host(connection);
    const struct route *to = route_of(url);
    if (to == NULL)
        return answer_text(connection, MHD_HTTP_NOT_FOUND, text_type, "Not Found\n");
    if (method_is_in(method, to->methods))
        return to->serve(server, connection);
    struct ps_page page = {0};
    ps_page_text(&page, "Method Not Allowed\n");
    return answer_with(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text_type, &page, MHD_HTTP_HEADER_ALLOW,
                       to->methods);
}

/* Answers without reading a body, so the library closes the connection after the response: a connection has one
 * request. Thread: the connection's. */
static enum MHD_Result serve(void *argument, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload, size_t *upload_size,
                             void **request)
{
    struct ps_metrics_server *server = argument;
    (void)version, (void)upload, (void)upload_size, (void)request;
    ps_acceptor_moved(server->acceptor, socket_of(connection), PS_ACCEPT_ANSWERING);
    enum MHD_Result result = route(server, connection, url, method);
    ps_acceptor_moved(server->acceptor, socket_of(connection), PS_ACCEPT_TAKING);
    return result;
}

/* ---- connections ---- */

/* Thread: the library's. */
static void on_connection(void *argument, struct MHD_Connection *connection, void **,
                          enum MHD_ConnectionNotificationCode code)
{
    struct ps_metrics_server *server = argument;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        ps_acceptor_opened(
            server->acceptor, socket_of(connection),
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    else
        ps_acceptor_closed(server->acceptor, socket_of(connection));
}

/* Thread: the acceptor's. */
static bool on_accept(void *argument, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    struct ps_metrics_server *server = argument;
    return MHD_add_connection(server->daemon, fd, peer, peer_size) == MHD_YES;
}

static void on_listen(void *argument, const char *address)
{
    const struct ps_metrics_server *server = argument;
    bool token = server->access.token != NULL || server->access.token_path != NULL;
    ps_log(PS_LOG_INFO, "metrics",
           "listening on %s: /metrics, /metrics/prometheus, /livez, /readyz; /tail %s", address,
           token ? "with the token" : "for clients of this machine");
}

/* ---- start and stop ---- */

static char *copy_text(const char *text)
{
    return text != NULL ? ps_must_copy_text(text, "the metrics server") : NULL;
}

static void server_free(struct ps_metrics_server *server)
{
    if (server->acceptor != NULL)
        ps_acceptor_destroy(server->acceptor);
    pthread_mutex_destroy(&server->tail);
    free((char *)server->access.token);
    free((char *)server->access.token_path);
    free((char *)server->access.hosts);
    free(server);
}

static struct MHD_Daemon *daemon_start(struct ps_metrics_server *server, unsigned request_ms)
{
    unsigned idle_s = request_ms / 1000 > TIMEOUT_S ? request_ms / 1000 : TIMEOUT_S;
    return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                                MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET,
                            0, NULL, NULL, serve, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
                            MHD_OPTION_CONNECTION_LIMIT, PS_ACCEPT_CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_BYTES, MHD_OPTION_END);
}

struct ps_metrics_server *ps_metrics_server_start(const struct ps_metrics_server_settings *settings,
                                                  const struct ps_metrics_source *source, struct ps_err *err)
{
    struct ps_metrics_server *server = ps_must_alloc(1, sizeof *server, "the metrics server");
    server->source = source;
    server->prometheus = settings->prometheus;
    server->access = (struct ps_metrics_access){.token = copy_text(settings->access.token),
                                                .token_path = copy_text(settings->access.token_path),
                                                .hosts = copy_text(settings->access.hosts)};
    pthread_mutex_init(&server->tail, NULL);
    server->acceptor = ps_acceptor_create(&(struct ps_accept_settings){.host = settings->host,
                                                                       .port = settings->port,
                                                                       .retry_ms = settings->retry_ms,
                                                                       .request_ms = settings->request_ms,
                                                                       .argument = server,
                                                                       .add = on_accept,
                                                                       .listens = on_listen},
                                          err);
    if (server->acceptor == NULL) {
        server_free(server);
        return NULL;
    }
    sigset_t all, before; /* the server's threads inherit a mask of all signals: control handles them */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    server->daemon = daemon_start(server, settings->request_ms);
    enum ps_status status = server->daemon != NULL
                                ? ps_acceptor_start(server->acceptor, err)
                                : ps_err_set(err, "metrics server: cannot start: %s", strerror(errno));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status == PS_OK)
        return server;
    ps_acceptor_stop(server->acceptor);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    server_free(server);
    return NULL;
}

void ps_metrics_server_stop(struct ps_metrics_server *server)
{
    if (server == NULL)
        return;
    ps_flag_set(&server->stopping, true);
    ps_acceptor_stop(server->acceptor);
    MHD_stop_daemon(server->daemon);
    server_free(server);
}

uint16_t ps_metrics_server_port(const struct ps_metrics_server *server)
{
    return ps_acceptor_port(server->acceptor);
}
