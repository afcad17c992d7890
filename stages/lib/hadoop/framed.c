#include "stages/lib/hadoop/framed.h"

#include "core/big_endian.h"
#include "core/quantity.h"
#include "core/text/printable.h"
#include "stages/lib/least.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define READ_BYTES 16384U /* minimal room for one read */
#define SERVERS_MAX 4096U
#define REST_NS (100 * PS_NS_PER_MS)
#define KEPT_BYTES (256U * 1024)     /* a larger buffer is freed when it is empty */
#define HELPER_NS (2 * PS_NS_PER_MS) /* interval of calls of a handshake that waits for a helper thread */

static uint64_t now_ns(const struct ps_framed_server *server)
{
    return ps_hadoop_loop_now(server->settings->loop).mono_ns;
}

/* ---- closing ---- */

void ps_framed_server_close(struct ps_framed_server *server)
{
    struct ps_hadoop_loop *loop = server->settings->loop;
    ps_hadoop_loop_forget(loop, &server->lookup);
    ps_hadoop_loop_unset(loop, &server->timer);
    ps_hadoop_loop_unwatch(loop, &server->watch);
    if (server->client.plan != NULL)
        ps_client_close(&server->client);
    server->phase = PS_FRAMED_CLOSED;
    server->writing = false;
    server->out_at = 0;
    server->sent_bytes = server->written_bytes = 0;
    server->call_count = 0;
    ps_byte_buffer_clear(&server->out, KEPT_BYTES);
    ps_byte_buffer_clear(&server->in, KEPT_BYTES);
}

/* The callbacks may open it again only after `lost`. */
void ps_framed_server_fail(struct ps_framed_server *server, const char *what)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    void *calls[PS_FRAMED_CALLS_MAX];
    uint32_t ids[PS_FRAMED_CALLS_MAX];
    bool reached[PS_FRAMED_CALLS_MAX];
    unsigned count = server->call_count;
    int at = snprintf(reason, sizeof reason, "%.100s:%u: ", server->host, server->port);
    (void)ps_printable_copy(reason + at, sizeof reason - (size_t)at, what, strlen(what));
    for (unsigned i = 0; i < count; i++) {
        calls[i] = server->calls[i].call;
        ids[i] = server->calls[i].id;
        reached[i] = server->written_bytes > server->calls[i].begin;
    }
    ps_framed_server_close(server);
    for (unsigned i = 0; i < count; i++)
        server->settings->ops->unanswered(server, calls[i], ids[i], reached[i], reason);
    server->settings->ops->lost(server, reason);
}

static void set_timer(struct ps_framed_server *server)
{
    uint64_t due_ns = PS_NEVER;
    if (server->phase == PS_FRAMED_LOOKING_UP)
        due_ns = server->begun_ns + server->settings->connect_ns;
    else if (server->phase == PS_FRAMED_CONNECTING || server->phase == PS_FRAMED_NEGOTIATING)
        due_ns = server->client.deadline_ns;
    else if (server->phase == PS_FRAMED_UP && server->call_count > 0)
        due_ns = server->calls[0].sent_ns + server->settings->call_ns;
    ps_hadoop_loop_set(server->settings->loop, &server->timer, due_ns);
}

/* ---- sending ---- */

/* Sends what is possible. Returns false if the connection is lost. */
static bool flush(struct ps_framed_server *server)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    bool writing = false;
    while (server->out_at < server->out.length && !writing) {
        struct iovec part = {.iov_base = server->out.data + server->out_at,
                             .iov_len = server->out.length - server->out_at};
        ssize_t sent = ps_client_write(&server->client, &part, 1, reason);
        if (sent < 0) {
            ps_framed_server_fail(server, reason);
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

void ps_framed_server_called(struct ps_framed_server *server, void *call, uint32_t id, size_t bytes)
{
    PS_ASSERT(ps_framed_server_has_room(server));
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

/* The timer sends what `introduce` appended. */
static void introduce(struct ps_framed_server *server)
{
    if (!server->settings->ops->introduce(server)) {
        ps_framed_server_fail(server, "no memory");
        return;
    }
    server->sent_bytes = server->out.length;
    server->phase = PS_FRAMED_NEGOTIATING;
    ps_hadoop_loop_set(server->settings->loop, &server->timer, now_ns(server));
    if (!server->settings->negotiates)
        ps_framed_server_up(server);
}

void ps_framed_server_up(struct ps_framed_server *server)
{
    PS_ASSERT(server->phase == PS_FRAMED_NEGOTIATING);
    server->phase = PS_FRAMED_UP;
    server->sent_bytes = server->written_bytes + (server->out.length - server->out_at);
    ps_hadoop_loop_set(server->settings->loop, &server->timer, now_ns(server));
    server->settings->ops->up(server);
}

static void go_on_connecting(struct ps_framed_server *server)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    short events;
    if (!ps_client_work(&server->client, now_ns(server), reason)) {
        ps_framed_server_fail(server, reason);
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
    struct ps_framed_server *server =
        (struct ps_framed_server *)((char *)lookup - offsetof(struct ps_framed_server, lookup));
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (error != 0) {
        (void)snprintf(reason, sizeof reason, "the name cannot be resolved: %s", gai_strerror(error));
        ps_framed_server_fail(server, reason);
        return;
    }
    const struct ps_transport *transport = server->settings->transport;
    server->plan = (struct ps_client_plan){.address = address->storage,
                                           .address_bytes = address->length,
                                           .connect_ns = server->settings->connect_ns,
                                           .transport = transport != NULL ? transport : &ps_transport_plain,
                                           .transport_settings = server->transport_settings};
    ps_client_init(&server->client, &server->plan);
    server->phase = PS_FRAMED_CONNECTING;
    if (!ps_client_connect(&server->client, now_ns(server), reason))
        ps_framed_server_fail(server, reason);
    else
        go_on_connecting(server);
}

void ps_framed_server_open(struct ps_framed_server *server)
{
    PS_ASSERT(server->phase == PS_FRAMED_CLOSED);
    server->phase = PS_FRAMED_LOOKING_UP;
    server->begun_ns = now_ns(server);
    ps_hadoop_loop_look_up(server->settings->loop, &server->lookup, server->host, server->port);
    set_timer(server);
}

/* ---- receiving ---- */

void *ps_framed_server_take(struct ps_framed_server *server, uint32_t id)
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

/* Handles the complete frames at the beginning of the buffer. Returns false if the connection is closed. `*wanted`: bytes that are missing
 * of the next one. */
static bool take_frames(struct ps_framed_server *server, size_t *wanted)
{
    struct ps_byte_buffer *in = &server->in;
    size_t at = 0;
    uint32_t length = 0;
    *wanted = 0;
    while (in->length - at >= 4) {
        length = ps_big_endian_get_32(in->data + at);
        if (length > PS_FRAMED_BYTES_MAX) {
            char reason[PS_TRANSPORT_REASON_BYTES];
            (void)snprintf(reason, sizeof reason, "an answer is too long, or it is none of %s",
                           server->settings->protocol);
            ps_framed_server_fail(server, reason);
            return false;
        }
        if (in->length - at - 4 < length) {
            *wanted = length - (in->length - at - 4);
            break;
        }
        server->settings->ops->frame(server, (const uint8_t *)in->data + at + 4, length);
        if (server->phase < PS_FRAMED_NEGOTIATING)
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

/* Reads and handles frames. Returns false if the connection is closed. */
static bool receive(struct ps_framed_server *server)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    size_t wanted = 0;
    for (;;) {
        /* At most twice the received bytes, so that a length alone does not allocate memory. */
        size_t room = wanted < READ_BYTES + server->in.length ? wanted : READ_BYTES + server->in.length;
        if (room < READ_BYTES)
            room = READ_BYTES;
        if (!ps_byte_buffer_reserve(&server->in, room)) {
            ps_framed_server_fail(server, "no memory for an answer");
            return false;
        }
        ssize_t got = ps_client_read(&server->client, server->in.data + server->in.length, room, reason);
        if (got < 0) {
            ps_framed_server_fail(server, reason);
            return false;
        }
        if (got == 0)
            return true;
        server->in.length += (size_t)got;
        if (!take_frames(server, &wanted))
            return false;
    }
}

/* ---- the loop ---- */

static void ready(struct ps_hadoop_watch *watch, uint32_t events)
{
    struct ps_framed_server *server =
        (struct ps_framed_server *)((char *)watch - offsetof(struct ps_framed_server, watch));
    if (server->phase == PS_FRAMED_CONNECTING) {
        go_on_connecting(server);
        return;
    }
    if (server->writing && (events & EPOLLOUT) != 0 && !flush(server))
        return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || !receive(server))
        return;
    if (server->phase == PS_FRAMED_NEGOTIATING && server->out.length > 0 && !flush(server))
        return;
    if (!server->timer.set)
        set_timer(server);
}

static void fire(struct ps_hadoop_timer *timer)
{
    struct ps_framed_server *server =
        (struct ps_framed_server *)((char *)timer - offsetof(struct ps_framed_server, timer));
    char reason[PS_TRANSPORT_REASON_BYTES];
    uint64_t limit_ns = server->settings->call_ns;
    if (server->phase == PS_FRAMED_LOOKING_UP) {
        ps_framed_server_fail(server, "the name server does not answer");
    } else if (server->phase == PS_FRAMED_CONNECTING) {
        go_on_connecting(server);
    } else if (server->phase == PS_FRAMED_NEGOTIATING && now_ns(server) >= server->client.deadline_ns) {
        ps_framed_server_fail(server, "the server does not answer");
    } else if (server->call_count > 0 && now_ns(server) >= server->calls[0].sent_ns + limit_ns) {
        (void)snprintf(reason, sizeof reason, "no answer within %s", ps_quantity_print_ns(limit_ns).text);
        ps_framed_server_fail(server, reason);
    } else if (flush(server)) {
        set_timer(server);
    }
}

void ps_framed_server_init(struct ps_framed_server *server, const struct ps_framed_server_settings *settings)
{
    server->settings = settings;
    server->phase = PS_FRAMED_CLOSED;
    server->watch = (struct ps_hadoop_watch){.fd = -1, .ready = ready};
    server->timer = (struct ps_hadoop_timer){.fire = fire};
    server->lookup = (struct ps_hadoop_lookup){.found = found};
}

void ps_framed_server_fini(struct ps_framed_server *server)
{
    ps_framed_server_close(server);
    ps_byte_buffer_clear(&server->in, 0);
    ps_byte_buffer_clear(&server->out, 0);
}

/* ---- the owner's servers ---- */

struct ps_framed_server *ps_framed_server_of(struct ps_framed_server **list,
                                             const struct ps_framed_server_settings *settings, void *owner,
                                             const char *host, size_t length, unsigned port)
{
    unsigned count = 0;
    for (struct ps_framed_server *server = *list; server != NULL; server = server->next, count++)
        if (server->port == port && strlen(server->host) == length && memcmp(server->host, host, length) == 0)
            return server;
    struct ps_framed_server *server = NULL;
    if (length < sizeof server->host && count < SERVERS_MAX)
        server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    memcpy(server->host, host, length);
    server->port = port;
    server->owner = owner;
    ps_framed_server_init(server, settings);
    server->next = *list;
    *list = server;
    return server;
}

uint64_t ps_framed_rest_ns(unsigned failures, uint64_t max_ns)
{
    return ps_least(REST_NS << (failures < 10 ? failures : 10), max_ns);
}
