#include "stages/lib/hadoop/rpc/connection.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/quantity.h"

#define READ_BYTES 16384U            /* minimal room for one read */
#define KEPT_BYTES (256U * 1024)     /* a larger buffer is freed when it is empty */
#define HELPER_NS (2 * PS_NS_PER_MS) /* interval of calls of a handshake that waits for a helper thread */

static struct ps_hadoop_rpc_connection *of_watch(struct ps_hadoop_watch *watch)
{
    return (struct ps_hadoop_rpc_connection *)((char *)watch -
                                               offsetof(struct ps_hadoop_rpc_connection, watch));
}

static uint64_t now_ns(const struct ps_hadoop_rpc_connection *connection)
{
    return ps_hadoop_loop_now(connection->loop).mono_ns;
}

/* ---- closing ---- */

void ps_hadoop_rpc_connection_close(struct ps_hadoop_rpc_connection *connection)
{
    ps_hadoop_loop_forget(connection->loop, &connection->lookup);
    ps_hadoop_loop_unset(connection->loop, &connection->timer);
    ps_hadoop_loop_unwatch(connection->loop, &connection->watch);
    if (connection->client.plan != NULL)
        ps_client_close(&connection->client);
    connection->phase = PS_HADOOP_RPC_CLOSED;
    connection->out.length = connection->out_at = 0;
    connection->writing = false;
    ps_byte_buffer_clear(&connection->in, KEPT_BYTES);
}

static void lose_by(struct ps_hadoop_rpc_connection *connection, const char *what,
                    const struct ps_hadoop_rpc_response *exception)
{
    char reason[PS_HADOOP_RPC_REASON_BYTES + PS_HOST_NAME_BYTES];
    snprintf(reason, sizeof reason, "%s:%u: %s", connection->host, connection->port, what);
    ps_hadoop_rpc_connection_close(connection);
    connection->ops->lost(connection, reason, exception);
}

static void lose(struct ps_hadoop_rpc_connection *connection, const char *what)
{
    lose_by(connection, what, NULL);
}

/* ---- time ---- */

/* Sets the timer to the next time at which the connection needs work. */
static void set_timer(struct ps_hadoop_rpc_connection *connection)
{
    const struct ps_hadoop_rpc_limits *limits = connection->limits;
    uint64_t due_ns = PS_NEVER;
    if (connection->phase == PS_HADOOP_RPC_CONNECTING)
        due_ns = connection->client.deadline_ns;
    else if (connection->phase == PS_HADOOP_RPC_LOOKING_UP)
        due_ns = connection->begun_ns + limits->connect_ns;
    else if (connection->phase == PS_HADOOP_RPC_UP && connection->in_flight == 0)
        due_ns = connection->active_ns + limits->idle_ns;
    else if (connection->phase == PS_HADOOP_RPC_UP)
        due_ns = connection->active_ns + limits->ping_ns;
    if (connection->phase == PS_HADOOP_RPC_UP && connection->in_flight > 0 && limits->silence_ns > 0 &&
        connection->heard_ns + limits->silence_ns < due_ns)
        due_ns = connection->heard_ns + limits->silence_ns;
    ps_hadoop_loop_set(connection->loop, &connection->timer, due_ns);
}

/* ---- sending ---- */

static bool receive(struct ps_hadoop_rpc_connection *connection);

/* Reads bytes that the server may have sent before it closed the connection, because no more can be sent. */
static bool receive_last(struct ps_hadoop_rpc_connection *connection, const char *reason)
{
    if (receive(connection))
        lose(connection, reason);
    return false;
}

/* Sends what is possible, and watches for further events. Returns false if the connection is lost; `lost` was called then. */
static bool flush(struct ps_hadoop_rpc_connection *connection)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    bool writing = false;
    while (connection->out_at < connection->out.length && !writing) {
        struct iovec part = {.iov_base = connection->out.data + connection->out_at,
                             .iov_len = connection->out.length - connection->out_at};
        ssize_t sent = ps_client_write(&connection->client, &part, 1, reason);
        if (sent < 0)
            return receive_last(connection, reason);
        writing = sent == 0;
        connection->out_at += (size_t)sent;
    }
    if (!writing)
        connection->out_at = connection->out.length = 0;
    connection->writing = writing;
    short events;
    int fd = ps_client_descriptor(&connection->client, writing, &events);
    ps_hadoop_loop_watch(connection->loop, &connection->watch, fd, (uint32_t)events);
    return true;
}

bool ps_hadoop_rpc_connection_send(struct ps_hadoop_rpc_connection *connection, int32_t call_id,
                                   int32_t retry_count, const uint8_t *request, size_t length)
{
    PS_ASSERT(connection->phase == PS_HADOOP_RPC_UP);
    if (!ps_hadoop_rpc_put_request(&connection->out, call_id, retry_count, connection->client_id, request,
                                   length))
        return false;
    if (connection->in_flight == 0)
        connection->heard_ns = now_ns(connection); /* the server had no request to answer before */
    connection->active_ns = now_ns(connection);
    /* The timer sends in this turn: the caller must not get an error, and requests of one turn are sent in one write. */
    ps_hadoop_loop_set(connection->loop, &connection->timer, now_ns(connection));
    return true;
}

static bool ping(struct ps_hadoop_rpc_connection *connection)
{
    connection->active_ns = now_ns(connection);
    if (ps_hadoop_rpc_put_request(&connection->out, PS_HADOOP_RPC_CALL_PING, -1, connection->client_id, NULL,
                                  0))
        return true;
    lose(connection, "no memory");
    return false;
}

/* ---- connecting ---- */

/* Sends the connection context after the handshake. */
static bool introduce(struct ps_hadoop_rpc_connection *connection)
{
    const char *user = connection->user, *real_user = connection->real_user;
    bool simple = connection->auth == NULL;
    enum ps_hadoop_rpc_method method =
        simple ? PS_HADOOP_RPC_SIMPLE : connection->auth->method(connection->client.session);
    if (method == PS_HADOOP_RPC_KERBEROS) {
        if (real_user == NULL)
            user = connection->auth->principal;
        real_user = NULL;
    } else if (method == PS_HADOOP_RPC_TOKEN) {
        user = real_user = NULL;
    }
    if (simple &&
        !ps_byte_buffer_append(&connection->out, ps_hadoop_rpc_greeting, PS_HADOOP_RPC_GREETING_BYTES))
        return false;
    return ps_hadoop_rpc_put_context(&connection->out, connection->client_id, connection->protocol, user,
                                     real_user);
}

static void go_on_connecting(struct ps_hadoop_rpc_connection *connection)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    short events;
    if (!ps_client_work(&connection->client, now_ns(connection), reason)) {
        lose(connection, reason);
        return;
    }
    if (connection->client.phase != PS_CLIENT_UP) {
        int fd = ps_client_descriptor(&connection->client, false, &events);
        set_timer(connection);
        if (events != 0) {
            ps_hadoop_loop_watch(connection->loop, &connection->watch, fd, (uint32_t)events);
        } else { /* a helper thread is working */
            ps_hadoop_loop_unwatch(connection->loop, &connection->watch);
            ps_hadoop_loop_set(connection->loop, &connection->timer, now_ns(connection) + HELPER_NS);
        }
        return;
    }
    connection->heard_ns = connection->active_ns = now_ns(connection);
    if (!introduce(connection)) {
        lose(connection, "no memory");
        return;
    }
    connection->phase = PS_HADOOP_RPC_UP;
    connection->ops->up(connection);
    /* `up` may have closed the connection; otherwise the timer sends the context with the first requests. */
    if (connection->phase == PS_HADOOP_RPC_UP)
        ps_hadoop_loop_set(connection->loop, &connection->timer, now_ns(connection));
}

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error)
{
    struct ps_hadoop_rpc_connection *connection =
        (struct ps_hadoop_rpc_connection *)((char *)lookup -
                                            offsetof(struct ps_hadoop_rpc_connection, lookup));
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (error != 0) {
        snprintf(reason, sizeof reason, "the name cannot be resolved: %s", gai_strerror(error));
        lose(connection, reason);
        return;
    }
    const struct ps_hadoop_rpc_auth *auth = connection->auth;
    connection->plan =
        (struct ps_client_plan){.address = address->storage,
                                .address_bytes = address->length,
                                .connect_ns = connection->limits->connect_ns,
                                .nagle = connection->limits->nagle,
                                .transport = auth != NULL ? &auth->transport : &ps_transport_plain,
                                .transport_settings = connection->auth_server};
    ps_client_init(&connection->client, &connection->plan);
    connection->phase = PS_HADOOP_RPC_CONNECTING;
    if (!ps_client_connect(&connection->client, now_ns(connection), reason))
        lose(connection, reason);
    else
        go_on_connecting(connection);
}

void ps_hadoop_rpc_connection_open(struct ps_hadoop_rpc_connection *connection)
{
    PS_ASSERT(connection->phase == PS_HADOOP_RPC_CLOSED);
    connection->phase = PS_HADOOP_RPC_LOOKING_UP;
    connection->begun_ns = now_ns(connection);
    ps_hadoop_loop_look_up(connection->loop, &connection->lookup, connection->host, connection->port);
    set_timer(connection);
}

/* ---- receiving ---- */

/* Delivers the complete responses at the beginning of the buffer. Returns false if the connection is closed. */
static bool take_responses(struct ps_hadoop_rpc_connection *connection, size_t *wanted)
{
    struct ps_byte_buffer *in = &connection->in;
    size_t at = 0, length = 0;
    const char *reason = NULL;
    struct ps_hadoop_rpc_response response;
    enum ps_hadoop_rpc_parse parse;
    while ((parse = ps_hadoop_rpc_parse_response((const uint8_t *)in->data + at, in->length - at,
                                                 connection->limits->response_bytes_max, &response, &length,
                                                 &reason)) == PS_HADOOP_RPC_PARSE_WHOLE) {
        at += length;
        if (response.status > 1 || response.call_id < 0) {
            char text[PS_HADOOP_RPC_REASON_BYTES];
            snprintf(text, sizeof text, "%s%s%.180s", response.exception,
                     response.exception[0] != '\0' ? ": " : "", response.message);
            lose_by(connection, text, &response);
            return false;
        }
        connection->ops->response(connection, &response);
        if (connection->phase != PS_HADOOP_RPC_UP)
            return false;
    }
    if (parse == PS_HADOOP_RPC_PARSE_INVALID) {
        lose(connection, reason);
        return false;
    }
    memmove(in->data, in->data + at, in->length - at);
    in->length -= at;
    *wanted = length > in->length ? length - in->length : 0;
    if (in->length == 0)
        ps_byte_buffer_clear(in, KEPT_BYTES);
    return true;
}

/* Reads and handles responses. Returns false if the connection is closed. */
static bool receive(struct ps_hadoop_rpc_connection *connection)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    size_t wanted = 0;
    for (;;) {
        /* At most twice the received bytes, so that a length alone does not allocate memory. */
        size_t room =
            wanted < READ_BYTES + connection->in.length ? wanted : READ_BYTES + connection->in.length;
        if (room < READ_BYTES)
            room = READ_BYTES;
        if (!ps_byte_buffer_reserve(&connection->in, room)) {
            lose(connection, "no memory for a response");
            return false;
        }
        ssize_t got =
            ps_client_read(&connection->client, connection->in.data + connection->in.length, room, reason);
        if (got == 0)
            return true;
        if (got < 0) {
            lose(connection, reason);
            return false;
        }
        connection->in.length += (size_t)got;
        connection->heard_ns = connection->active_ns = now_ns(connection);
        if (!take_responses(connection, &wanted))
            return false;
    }
}

/* ---- the loop ---- */

static void ready(struct ps_hadoop_watch *watch, uint32_t events)
{
    struct ps_hadoop_rpc_connection *connection = of_watch(watch);
    if (connection->phase == PS_HADOOP_RPC_CONNECTING) {
        go_on_connecting(connection);
        return;
    }
    if (connection->writing && (events & EPOLLOUT) != 0 && !flush(connection))
        return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && receive(connection))
        set_timer(connection);
}

static void run_out_of_silence(struct ps_hadoop_rpc_connection *connection)
{
    char reason[PS_HADOOP_RPC_REASON_BYTES];
    snprintf(reason, sizeof reason, "nothing was heard for %s, and %u %s",
             ps_quantity_print_ns(connection->limits->silence_ns).text, connection->in_flight,
             ps_quantity_word(connection->in_flight, "call waits", "calls wait"));
    lose(connection, reason);
}

static void fire(struct ps_hadoop_timer *timer)
{
    struct ps_hadoop_rpc_connection *connection =
        (struct ps_hadoop_rpc_connection *)((char *)timer - offsetof(struct ps_hadoop_rpc_connection, timer));
    const struct ps_hadoop_rpc_limits *limits = connection->limits;
    uint64_t now = now_ns(connection);
    if (connection->phase == PS_HADOOP_RPC_LOOKING_UP) {
        lose(connection, "the name server does not answer");
    } else if (connection->phase == PS_HADOOP_RPC_CONNECTING) {
        go_on_connecting(connection);
    } else if (connection->phase == PS_HADOOP_RPC_UP) {
        bool busy = connection->in_flight > 0, waits = connection->out_at < connection->out.length;
        if (!busy && !waits && now >= connection->active_ns + limits->idle_ns) {
            ps_hadoop_rpc_connection_close(connection);
            return;
        }
        if (busy && limits->silence_ns > 0 && now >= connection->heard_ns + limits->silence_ns) {
            run_out_of_silence(connection);
            return;
        }
        if (busy && now >= connection->active_ns + limits->ping_ns && !ping(connection))
            return;
        if (flush(connection))
            set_timer(connection);
    }
}

void ps_hadoop_rpc_connection_init(struct ps_hadoop_rpc_connection *connection)
{
    connection->phase = PS_HADOOP_RPC_CLOSED;
    connection->watch = (struct ps_hadoop_watch){.fd = -1, .ready = ready};
    connection->timer = (struct ps_hadoop_timer){.fire = fire};
    connection->lookup = (struct ps_hadoop_lookup){.found = found};
    if (connection->auth != NULL)
        connection->auth_server =
            connection->auth->enter_server(connection->auth->argument, connection->host, connection->port);
}

void ps_hadoop_rpc_connection_fini(struct ps_hadoop_rpc_connection *connection)
{
    ps_hadoop_rpc_connection_close(connection);
    if (connection->auth != NULL && connection->auth_server != NULL)
        connection->auth->leave_server(connection->auth->argument, connection->auth_server);
    connection->auth_server = NULL;
    ps_byte_buffer_clear(&connection->in, 0);
    ps_byte_buffer_clear(&connection->out, 0);
}
