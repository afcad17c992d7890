#include "core/watch/metrics_server.h"
#include "core/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#define TIMEOUT_S 10U /* idle time after which a connection is closed */
#define CONNECTION_BYTES (16U * 1024U)
#define TAIL_STEP_US 20000U
#define TAIL_PAGE_MAX (4U << 20)

struct ps_metrics_server {
    struct MHD_Daemon *daemon;
    const struct ps_metrics_source *source;
    uint16_t port;
    bool prometheus;
    struct ps_flag stopping;
    pthread_mutex_t tail; /* held by the one /tail request that may run */
};

static const char json_type[] = "application/json;charset=utf-8";
static const char text_type[] = "text/plain;charset=utf-8";

/* Queues the page as the response. Takes ownership of its text. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              struct ps_page *page)
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
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *type,
                                   const char *text)
{
    struct ps_page page = {0};
    ps_page_text(&page, text);
    return answer(connection, status, type, &page);
}

static enum MHD_Result serve_metrics(struct ps_metrics_server *server, struct MHD_Connection *connection,
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

static enum MHD_Result serve_health(struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    struct ps_metrics metrics;
    struct ps_page page = {0};
    ps_metrics_take(&metrics, server->source);
    bool healthy = ps_metrics_healthy(&metrics, ps_clock_now().mono_ns, &page);
    ps_metrics_fini(&metrics);
    if (healthy)
        ps_page_text(&page, "ok\n");
    return answer(connection, healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, text_type, &page);
}

/* ---- /tail ---- */

struct look {
    struct ps_page page;
    unsigned left;
};

static void look_start(void *argument, struct ps_tap *tap)
{
    (void)argument;
    ps_tap_start(tap);
}

static void look_stop(void *argument, struct ps_tap *tap)
{
    (void)argument;
    ps_tap_stop(tap);
}

static void look_take(void *argument, struct ps_tap *tap)
{
    struct look *look = argument;
    if (!ps_flag_get(&tap->wanted))
        ps_tap_start(tap); /* the component was opened again since look_start */
    if (look->page.length < TAIL_PAGE_MAX)
        look->left -= ps_tap_take(tap, look->left, &look->page);
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

static enum MHD_Result serve_tail(struct ps_metrics_server *server, struct MHD_Connection *connection)
{
    const struct ps_metrics_source *source = server->source;
    const char *name = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "component");
    struct look look = {.left = query_number(connection, "count", 10, PS_METRICS_SERVER_TAIL_EVENTS_MAX)};
    unsigned wait_s = query_number(connection, "wait", 10, PS_METRICS_SERVER_TAIL_WAIT_S_MAX);
    if (name == NULL)
        return answer_text(connection, MHD_HTTP_BAD_REQUEST, text_type, "component=NAME is missing\n");
    if (pthread_mutex_trylock(&server->tail) != 0)
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text_type,
                           "another /tail request is running\n");
    if (source->taps == NULL || source->taps(source->argument, name, look_start, NULL) == 0) {
        pthread_mutex_unlock(&server->tail);
        ps_page_format(&look.page, "no channel or sink %s\n", name);
        return answer(connection, MHD_HTTP_NOT_FOUND, text_type, &look.page);
    }
    uint64_t end_ns = ps_clock_now().mono_ns + wait_s * PS_NS_PER_S;
    do {
        source->taps(source->argument, name, look_take, &look);
        if (look.left == 0)
            break;
        usleep(TAIL_STEP_US);
    } while (!ps_flag_get(&server->stopping) && ps_clock_now().mono_ns < end_ns);
    source->taps(source->argument, name, look_stop, NULL);
    pthread_mutex_unlock(&server->tail);
    return answer(connection, MHD_HTTP_OK, "application/x-ndjson;charset=utf-8", &look.page);
}

/* Answers one request. Thread: the connection's (one per connection, of libmicrohttpd). */
static enum MHD_Result serve(void *argument, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload, size_t *upload_size,
                             void **request)
{
    struct ps_metrics_server *server = argument;
    (void)version, (void)upload, (void)upload_size, (void)request;
    if (strcmp(method, MHD_HTTP_METHOD_TRACE) == 0 || strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0)
        return answer_text(connection, MHD_HTTP_FORBIDDEN, NULL, "");
    if (strcmp(url, "/") == 0)
        return answer_text(connection, MHD_HTTP_OK, "text/html;charset=utf-8",
                           "For Flume metrics please click <a href = \"./metrics\"> here</a>.");
    if (strcasecmp(url, "/metrics") == 0)
        return serve_metrics(server, connection, server->prometheus);
    if (strcmp(url, "/metrics/prometheus") == 0)
        return serve_metrics(server, connection, true);
    if (strcmp(url, "/healthz") == 0)
        return serve_health(server, connection);
    if (strcmp(url, "/tail") == 0)
        return serve_tail(server, connection);
    return answer_text(connection, MHD_HTTP_NOT_FOUND, text_type, "Not Found\n");
}

/* ---- start and stop ---- */

static int listen_at(const struct addrinfo *address)
{
    int yes = 1, no = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 16) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

/* Listens on the first address that works. Without a host: on all addresses, of IPv6 and IPv4 where there is
 * IPv6, else of IPv4. */
static int server_listen(const struct ps_metrics_server_settings *settings, struct ps_err *err)
{
    char port[16];
    snprintf(port, sizeof port, "%u", settings->port);
    const char *hosts[] = {settings->host != NULL ? settings->host : "::",
                           settings->host != NULL ? NULL : "0.0.0.0"};
    int fd = -1;
    for (size_t i = 0; i < PS_COUNT_OF(hosts) && hosts[i] != NULL && fd < 0; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list;
        int failed = getaddrinfo(hosts[i], port, &hints, &list);
        if (failed != 0) {
            ps_err_set(err, "metrics server: cannot resolve the address %s: %s", hosts[i],
                       gai_strerror(failed));
            continue;
        }
        for (const struct addrinfo *address = list; address != NULL && fd < 0; address = address->ai_next)
            fd = listen_at(address);
        if (fd < 0)
            ps_err_set(err, "metrics server: cannot listen on %s port %u (flume.monitoring.port): %s",
                       settings->host != NULL ? settings->host : "any address,", settings->port,
                       strerror(errno));
        freeaddrinfo(list);
        if (fd < 0 && errno == EADDRINUSE)
            break; /* the port is in use: do not listen on the other family alone */
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

struct ps_metrics_server *ps_metrics_server_start(const struct ps_metrics_server_settings *settings,
                                                  const struct ps_metrics_source *source, struct ps_err *err)
{
    int fd = server_listen(settings, err);
    if (fd < 0)
        return NULL;
    struct ps_metrics_server *server = ps_must_alloc(1, sizeof *server, "the metrics server");
    server->source = source;
    server->port = port_of(fd);
    server->prometheus = settings->prometheus;
    pthread_mutex_init(&server->tail, NULL);

    sigset_t all, before; /* the library's threads inherit this mask: the control thread handles signals */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL,
        NULL, serve, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        PS_METRICS_SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (server->daemon == NULL) {
        ps_err_set(err, "metrics server: cannot start: %s", strerror(errno));
        close(fd);
        pthread_mutex_destroy(&server->tail);
        free(server);
        return NULL;
    }
    return server;
}

void ps_metrics_server_stop(struct ps_metrics_server *server)
{
    if (server == NULL)
        return;
    ps_flag_set(&server->stopping, true);
    MHD_stop_daemon(server->daemon); /* also closes the listening socket */
    pthread_mutex_destroy(&server->tail);
    free(server);
}

uint16_t ps_metrics_server_port(const struct ps_metrics_server *server)
{
    return server->port;
}
