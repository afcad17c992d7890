/* Implements datanode.h. */
#include "stages/lib/hadoop/transfer/datanode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define IN_BYTES 512U /* an acknowledgement has a few dozen bytes */
#define BLIND_HANDSHAKE_NS (5 * PS_NS_PER_MS)

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT, "events of poll and of epoll");

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error);
static void socket_ready(struct ps_hadoop_watch *watch, uint32_t events);
static void too_late(struct ps_hadoop_timer *timer);

#define LINK_OF(member, pointer)                                                                             \
    ((struct ps_datanode_link *)(void *)((char *)(pointer)-offsetof(struct ps_datanode_link, member)))

void ps_datanode_link_init(struct ps_datanode_link *link, const struct ps_datanode_link_ops *ops,
                           const struct ps_datanode_settings *settings)
{
    link->ops = ops;
    link->settings = settings;
    link->watch.ready = socket_ready;
    link->watch.fd = -1;
    link->timer.fire = too_late;
    link->lookup.found = found;
    ps_client_init(&link->client, &link->plan);
}

void ps_datanode_name(const PsHadoop__DatanodeId *node, char *out, size_t room)
{
    snprintf(out, room, "%s:%u", node->ip_addr, node->xfer_port);
}

void ps_datanode_link_close(struct ps_datanode_link *link)
{
    struct ps_hadoop_loop *loop = link->settings->loop;
    ps_hadoop_loop_forget(loop, &link->lookup);
    ps_hadoop_loop_unset(loop, &link->timer);
    ps_hadoop_loop_unwatch(loop, &link->watch);
    ps_client_close(&link->client);
    if (link->security_settings != NULL)
        link->settings->security->leave(link->settings->security->argument, link->security_settings);
    link->security_settings = NULL;
    free(link->operation);
    free(link->in);
    link->operation = link->in = NULL;
    link->operation_length = link->operation_sent = link->in_length = link->in_room = 0;
    link->writing = false;
    link->name[0] = 0;
}

static void lose(struct ps_datanode_link *link, const char *what)
{
    char reason[PS_DATANODE_REASON_BYTES];
    snprintf(reason, sizeof reason, "datanode %s: %s", link->name, what);
    ps_datanode_link_close(link);
    link->ops->lost(link, reason);
}

/* Returns whether the operation was sent. */
static bool link_is_up(const struct ps_datanode_link *link)
{
    return link->client.phase == PS_CLIENT_UP && link->operation == NULL;
}

static void watch(struct ps_datanode_link *link)
{
    short events = 0;
    int fd = ps_client_descriptor(&link->client, link->writing, &events);
    if (link->client.phase == PS_CLIENT_UP)
        events |= POLLIN; /* a datanode that closes the connection is noticed at once */
    if (events == 0) {
        ps_hadoop_loop_unwatch(link->settings->loop, &link->watch);
        ps_hadoop_loop_set(link->settings->loop, &link->timer,
                           ps_hadoop_loop_now(link->settings->loop).mono_ns + BLIND_HANDSHAKE_NS);
        return;
    }
    ps_hadoop_loop_watch(link->settings->loop, &link->watch, fd, (uint32_t)events);
}

static bool send_operation(struct ps_datanode_link *link, char *reason)
{
    while (link->operation_sent < link->operation_length) {
        struct iovec rest = {.iov_base = link->operation + link->operation_sent,
                             .iov_len = link->operation_length - link->operation_sent};
        ssize_t count = ps_client_write(&link->client, &rest, 1, reason);
        link->writing = count == 0;
        if (count <= 0)
            return count == 0;
        link->operation_sent += (size_t)count;
    }
    free(link->operation);
    link->operation = NULL;
    ps_hadoop_loop_unset(link->settings->loop, &link->timer);
    return true;
}

/* Connects, shakes hands and sends the operation, as far as possible without blocking. */
static void go_on(struct ps_datanode_link *link)
{
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    uint64_t now_ns = ps_hadoop_loop_now(link->settings->loop).mono_ns;
    if (!ps_client_work(&link->client, now_ns, reason) ||
        (link->client.phase == PS_CLIENT_UP && !send_operation(link, reason))) {
        lose(link, reason);
        return;
    }
    watch(link);
}

static void socket_ready(struct ps_hadoop_watch *ready, uint32_t)
{
    struct ps_datanode_link *link = LINK_OF(watch, ready);
    if (link_is_up(link)) {
        link->ops->ready(link);
        return;
    }
    go_on(link);
}

static void too_late(struct ps_hadoop_timer *timer)
{
    struct ps_datanode_link *link = LINK_OF(timer, timer);
    uint64_t now_ns = ps_hadoop_loop_now(link->settings->loop).mono_ns;
    if (link->client.phase != PS_CLIENT_CLOSED && now_ns < link->client.deadline_ns) {
        ps_hadoop_loop_set(link->settings->loop, timer, link->client.deadline_ns);
        go_on(link);
        return;
    }
    lose(link, link->client.phase == PS_CLIENT_UP ? "does not take the operation" : "connecting timed out");
}

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error)
{
    struct ps_datanode_link *link = LINK_OF(lookup, lookup);
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    struct ps_hadoop_loop *loop = link->settings->loop;
    if (link->operation == NULL) {
        lose(link, "no memory");
        return;
    }
    if (error != 0) {
        lose(link, gai_strerror(error));
        return;
    }
    link->plan.address = address->storage;
    link->plan.address_bytes = address->length;
    ps_client_init(&link->client, &link->plan);
    if (!ps_client_connect(&link->client, ps_hadoop_loop_now(loop).mono_ns, reason)) {
        lose(link, reason);
        return;
    }
    ps_hadoop_loop_set(loop, &link->timer, link->client.deadline_ns);
    go_on(link);
}

void ps_datanode_link_open(struct ps_datanode_link *link, const PsHadoop__DatanodeId *node,
                           const PsHadoop__Token *token, char *operation, size_t length)
{
    const struct ps_datanode_settings *settings = link->settings;
    PS_ASSERT(ps_datanode_link_is_closed(link));
    ps_datanode_name(node, link->name, sizeof link->name);
    link->plan = (struct ps_client_plan){
        .send_buffer_bytes = settings->send_buffer_bytes,
        .connect_ns = settings->connect_ns,
        .nagle = settings->nagle,
        .transport = &ps_transport_plain,
    };
    link->operation = operation;
    link->operation_length = length;
    link->operation_sent = 0;
    if (settings->security != NULL && operation != NULL) {
        link->plan.transport = settings->security->transport;
        link->security_settings = settings->security->enter(settings->security->argument, node, token);
        link->plan.transport_settings = link->security_settings;
        if (link->security_settings == NULL) {
            free(link->operation);
            link->operation = NULL; /* `found` reports the failure */
        }
    }
    ps_hadoop_loop_set(settings->loop, &link->timer,
                       ps_hadoop_loop_now(settings->loop).mono_ns + settings->connect_ns);
    ps_hadoop_loop_look_up(settings->loop, &link->lookup,
                           settings->use_host_name ? node->host_name : node->ip_addr, node->xfer_port);
}

bool ps_datanode_link_is_local(const struct ps_datanode_link *link, const char *address)
{
    struct ps_address own = {.length = sizeof own.storage}, other = {0};
    return link->client.fd >= 0 &&
           getsockname(link->client.fd, (struct sockaddr *)&own.storage, &own.length) == 0 &&
           ps_address_is_literal(address) && ps_resolve(address, &other) == 0 &&
           ps_address_is_same_host(&own, &other);
}

static int lost(const struct ps_datanode_link *link, const char *what, char *reason)
{
    snprintf(reason, PS_DATANODE_REASON_BYTES, "datanode %s: %s", link->name, what);
    return -1;
}

ssize_t ps_datanode_link_write(struct ps_datanode_link *link, const struct iovec *parts, int count,
                               char *reason)
{
    char what[PS_TRANSPORT_REASON_BYTES] = "";
    ssize_t written = ps_client_write(&link->client, parts, count, what);
    if (written < 0)
        return lost(link, what, reason);
    if (link->writing != (written == 0)) {
        link->writing = written == 0;
        watch(link);
    }
    return written;
}

int ps_datanode_link_receive(struct ps_datanode_link *link, size_t in_max, char *reason)
{
    char what[PS_TRANSPORT_REASON_BYTES] = "";
    if (link->in_length == link->in_room) {
        size_t room = link->in_room == 0 ? IN_BYTES : link->in_room * 2;
        if (room > in_max && link->in_room < in_max)
            room = in_max;
        char *in = room > in_max && link->in_room > 0 ? NULL : realloc(link->in, room);
        if (in == NULL)
            return lost(link, "a message is too long", reason);
        link->in = in;
        link->in_room = room;
    }
    ssize_t count =
        ps_client_read(&link->client, link->in + link->in_length, link->in_room - link->in_length, what);
    if (count < 0)
        return lost(link, what, reason);
    link->in_length += (size_t)count;
    return count > 0;
}

void ps_datanode_link_consume(struct ps_datanode_link *link, size_t length)
{
    link->in_length -= length;
    if (link->in_length > 0) {
        memmove(link->in, link->in + length, link->in_length);
    } else if (link->in_room > IN_BYTES) {
        free(link->in);
        link->in = NULL;
        link->in_room = 0;
    }
}
