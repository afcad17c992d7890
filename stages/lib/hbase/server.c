#include "stages/lib/hbase/server.h"

#include "core/big_endian.h"
#include "core/quantity.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define READ_BYTES 16384U            /* minimal room for one read */
#define KEPT_BYTES (256U * 1024)     /* a larger buffer is freed when it is empty */
#define HELPER_NS (2 * PS_NS_PER_MS) /* interval of calls of a handshake that waits for a helper thread */

static uint64_t now_ns(const struct ps_hbase_server *server)
{
    return ps_hadoop_loop_now(server->settings->loop).mono_ns;
}

/* ---- closing ---- */

void ps_hbase_server_close(struct ps_hbase_server *server)
{
    struct ps_hadoop_loop *loop = server->settings->loop;
    ps_hadoop_loop_forget(loop, &server->lookup);
    ps_hadoop_loop_unset(loop, &server->timer);
    ps_hadoop_loop_unwatch(loop, &server->watch);
    if (server->client.plan != NULL)
        ps_client_close(&server->client);
    server->phase = PS_HBASE_CLOSED;
    server->writing = false;
    server->out_at = 0;
    server->sent_bytes = server->written_bytes = 0;
    server->call_count = 0;
    ps_byte_buffer_clear(&server->out, KEPT_BYTES);
    ps_byte_buffer_clear(&server->in, KEPT_BYTES);
}

/* Ends the connection: the callbacks may open it again only after `lost`. */
static void lose(struct ps_hbase_server *server, const char *what)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    void *calls[PS_HBASE_CALLS_MAX];
    bool reached[PS_HBASE_CALLS_MAX];
    unsigned count = server->call_count;
    (void)snprintf(reason, sizeof reason, "%.120s:%u: %.120s", server->host, server->port, what);
    for (unsigned i = 0; i < count; i++) {
        calls[i] = server->calls[i].call;
        reached[i] = server->written_bytes > server->calls[i].begin;
    }
    ps_hbase_server_close(server);
    for (unsigned i = 0; i < count; i++)
        server->settings->ops->unanswered(server, calls[i], reached[i], reason);
    server->settings->ops->lost(server, reason);
}

static void set_timer(struct ps_hbase_server *server)
{
    uint64_t due_ns = PS_NEVER;
    if (server->phase == PS_HBASE_LOOKING_UP)
        due_ns = server->begun_ns + server->settings->connect_ns;
    else if (server->phase == PS_HBASE_CONNECTING)
        due_ns = server->client.deadline_ns;
    else if (server->phase == PS_HBASE_UP && server->call_count > 0)
        due_ns = server->calls[0].sent_ns + server->settings->call_ns;
    ps_hadoop_loop_set(server->settings->loop, &server->timer, due_ns);
}

/* ---- sending ---- */

/* Sends what is possible. Returns false if the connection is lost. */
static bool flush(struct ps_hbase_server *server)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    bool writing = false;
    while (server->out_at < server->out.length && !writing) {
        struct iovec part = {.iov_base = server->out.data + server->out_at,
                             .iov_len = server->out.length - server->out_at};
        ssize_t sent = ps_client_write(&server->client, &part, 1, reason);
        if (sent < 0) {
            lose(server, reason);
            return false;
        }
        writing = sent == 0;
        server->out_at += (size_t)sent;
        server->written_bytes += (size_t)sent;
    }
    if (!writing) {
        server->out_at = 0;
        ps_byte_buffer_clear(&server->out, KEPT_BYTES);
    }
    server->writing = writing;
    short events;
    int fd = ps_client_descriptor(&server->client, writing, &events);
    ps_hadoop_loop_watch(server->settings->loop, &server->watch, fd, (uint32_t)events);
    return true;
}

void ps_hbase_server_called(struct ps_hbase_server *server, void *call, uint32_t id, size_t bytes)
{
    PS_ASSERT(ps_hbase_server_has_room(server));
    unsigned at = server->call_count++;
    server->calls[at].call = call;
    server->calls[at].id = id;
    server->calls[at].sent_ns = now_ns(server);
    server->calls[at].begin = server->sent_bytes;
    server->sent_bytes += bytes;
    /* The timer sends in this turn: the caller must not get an error here. */
    ps_hadoop_loop_set(server->settings->loop, &server->timer, now_ns(server));
}

/* ---- connecting ---- */

static void introduce(struct ps_hbase_server *server)
{
    uint8_t preamble[PS_HBASE_PREAMBLE_BYTES];
    ps_hbase_put_preamble(preamble, PS_HBASE_AUTH_SIMPLE);
    if ((server->settings->transport == NULL &&
         !ps_byte_buffer_append(&server->out, preamble, sizeof preamble)) ||
        !ps_hbase_put_connection_header(&server->out, server->settings->user)) {
        lose(server, "no memory");
        return;
    }
    server->sent_bytes = server->out.length;
    server->phase = PS_HBASE_UP;
    ps_hadoop_loop_set(server->settings->loop, &server->timer, now_ns(server));
    server->settings->ops->up(server);
}

static void go_on_connecting(struct ps_hbase_server *server)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    short events;
    if (!ps_client_work(&server->client, now_ns(server), reason)) {
        lose(server, reason);
        return;
    }
    if (server->client.phase == PS_CLIENT_UP) {
        introduce(server);
        return;
    }
    int fd = ps_client_descriptor(&server->client, false, &events);
    set_timer(server);
    if (events != 0) {
        ps_hadoop_loop_watch(server->settings->loop, &server->watch, fd, (uint32_t)events);
        return;
    }
    ps_hadoop_loop_unwatch(server->settings->loop, &server->watch); /* a helper thread is working */
    ps_hadoop_loop_set(server->settings->loop, &server->timer, now_ns(server) + HELPER_NS);
}

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error)
{
    struct ps_hbase_server *server =
        (struct ps_hbase_server *)((char *)lookup - offsetof(struct ps_hbase_server, lookup));
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (error != 0) {
        (void)snprintf(reason, sizeof reason, "the name cannot be resolved: %s", gai_strerror(error));
        lose(server, reason);
        return;
    }
    const struct ps_transport *transport = server->settings->transport;
    server->plan = (struct ps_client_plan){.address = address->storage,
                                           .address_bytes = address->length,
                                           .connect_ns = server->settings->connect_ns,
                                           .transport = transport != NULL ? transport : &ps_transport_plain,
                                           .transport_settings = server->transport_settings};
    ps_client_init(&server->client, &server->plan);
    server->phase = PS_HBASE_CONNECTING;
    if (!ps_client_connect(&server->client, now_ns(server), reason))
        lose(server, reason);
    else
        go_on_connecting(server);
}

void ps_hbase_server_open(struct ps_hbase_server *server)
{
    PS_ASSERT(server->phase == PS_HBASE_CLOSED);
    server->phase = PS_HBASE_LOOKING_UP;
    server->begun_ns = now_ns(server);
    ps_hadoop_loop_look_up(server->settings->loop, &server->lookup, server->host, server->port);
    set_timer(server);
}

/* ---- receiving ---- */

/* Takes the call with this id out of the list. Returns NULL if there is none. */
static void *take_call(struct ps_hbase_server *server, uint32_t id)
{
    for (unsigned i = 0; i < server->call_count; i++) {
        if (server->calls[i].id != id)
            continue;
        void *call = server->calls[i].call;
        memmove(server->calls + i, server->calls + i + 1,
                (--server->call_count - i) * sizeof server->calls[0]);
        return call;
    }
    return NULL;
}

/* Handles one answer after its length. Returns false if the connection is closed. */
static bool take_answer(struct ps_hbase_server *server, const uint8_t *bytes, size_t length)
{
    struct ps_hbase_answer answer;
    char reason[PS_HBASE_REASON_BYTES];
    if (!ps_hbase_parse_answer(bytes, length, &answer)) {
        lose(server, "the answer is not one of HBase's RPC");
        return false;
    }
    void *call = take_call(server, answer.call_id);
    if (call == NULL && answer.class != NULL)
        ps_hbase_exception_print(reason, answer.class, answer.class_length, answer.text, answer.text_length);
    if (call == NULL) {
        lose(server, answer.class != NULL ? reason : "an answer to a call that was not made");
        return false;
    }
    server->settings->ops->answered(server, call, &answer);
    return server->phase == PS_HBASE_UP;
}

/* Handles the complete answers at the beginning of the buffer. Returns false if the connection is closed. `*wanted`: bytes that are missing
 * of the next one. */
static bool take_answers(struct ps_hbase_server *server, size_t *wanted)
{
    struct ps_byte_buffer *in = &server->in;
    size_t at = 0;
    uint32_t length = 0;
    *wanted = 0;
    while (in->length - at >= 4) {
        length = ps_big_endian_get_32(in->data + at);
        if (length > PS_HBASE_ANSWER_BYTES_MAX) {
            lose(server, "an answer is too long, or it is none of HBase's RPC");
            return false;
        }
        if (in->length - at - 4 < length) {
            *wanted = length - (in->length - at - 4);
            break;
        }
        if (!take_answer(server, (const uint8_t *)in->data + at + 4, length))
            return false;
        at += 4 + length;
    }
    if (at > 0)
        memmove(in->data, in->data + at, in->length - at);
    in->length -= at;
    if (in->length == 0)
        ps_byte_buffer_clear(in, KEPT_BYTES);
    return true;
}

/* Reads and handles answers. Returns false if the connection is closed. */
static bool receive(struct ps_hbase_server *server)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    size_t wanted = 0;
    for (;;) {
        /* At most twice the received bytes, so that a length alone does not allocate memory. */
        size_t room = wanted < READ_BYTES + server->in.length ? wanted : READ_BYTES + server->in.length;
        if (room < READ_BYTES)
            room = READ_BYTES;
        if (!ps_byte_buffer_reserve(&server->in, room)) {
            lose(server, "no memory for an answer");
            return false;
        }
        ssize_t got = ps_client_read(&server->client, server->in.data + server->in.length, room, reason);
        if (got < 0) {
            lose(server, reason);
            return false;
        }
        if (got == 0)
            return true;
        server->in.length += (size_t)got;
        if (!take_answers(server, &wanted))
            return false;
    }
}

/* ---- the loop ---- */

static void ready(struct ps_hadoop_watch *watch, uint32_t events)
{
    struct ps_hbase_server *server =
        (struct ps_hbase_server *)((char *)watch - offsetof(struct ps_hbase_server, watch));
    if (server->phase == PS_HBASE_CONNECTING) {
        go_on_connecting(server);
        return;
    }
    if (server->writing && (events & EPOLLOUT) != 0 && !flush(server))
        return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && receive(server) && !server->timer.set)
        set_timer(server);
}

static void fire(struct ps_hadoop_timer *timer)
{
    struct ps_hbase_server *server =
        (struct ps_hbase_server *)((char *)timer - offsetof(struct ps_hbase_server, timer));
    char reason[PS_TRANSPORT_REASON_BYTES];
    uint64_t limit_ns = server->settings->call_ns;
    if (server->phase == PS_HBASE_LOOKING_UP) {
        lose(server, "the name server does not answer");
    } else if (server->phase == PS_HBASE_CONNECTING) {
        go_on_connecting(server);
    } else if (server->call_count > 0 && now_ns(server) >= server->calls[0].sent_ns + limit_ns) {
        (void)snprintf(reason, sizeof reason, "no answer within %s", ps_quantity_print_ns(limit_ns).text);
        lose(server, reason);
    } else if (flush(server)) {
        set_timer(server);
    }
}

void ps_hbase_server_init(struct ps_hbase_server *server, const struct ps_hbase_server_settings *settings)
{
    server->settings = settings;
    server->phase = PS_HBASE_CLOSED;
    server->watch = (struct ps_hadoop_watch){.fd = -1, .ready = ready};
    server->timer = (struct ps_hadoop_timer){.fire = fire};
    server->lookup = (struct ps_hadoop_lookup){.found = found};
}

void ps_hbase_server_fini(struct ps_hbase_server *server)
{
    ps_hbase_server_close(server);
    ps_byte_buffer_clear(&server->in, 0);
    ps_byte_buffer_clear(&server->out, 0);
}
