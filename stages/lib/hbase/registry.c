#include "stages/lib/hbase/registry.h"

#include "core/big_endian.h"
#include "core/log/log.h"
#include "core/text/printable.h"
#include "stages/lib/protobuf.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <zookeeper/zookeeper.h>

#define NODE "meta-region-server"
#define TURN_NS (10 * PS_NS_PER_MS) /* longest time until the client of ZooKeeper is called again */

struct server {
    struct ps_hadoop_lookup lookup;
    struct ps_hbase_registry *registry;
};

struct ps_hbase_registry {
    struct ps_hbase_registry_settings settings;
    struct ps_hadoop_watch watch;
    struct ps_hadoop_timer timer;
    struct server servers[PS_HBASE_QUORUM_MAX];
    unsigned looking_up; /* names that are not answered */
    zhandle_t *client;
    bool busy, asked, has_answer;
    uint64_t deadline_ns;
    size_t length;
    char addresses[PS_HBASE_QUORUM_MAX * (INET6_ADDRSTRLEN + 9U)]; /* what ZooKeeper's client gets */
    char path[512];
    struct ps_hbase_registry_answer answer;
};

/* ---- the value ---- */

static bool parse_server(struct ps_protobuf_reader name, struct ps_hbase_registry_answer *answer)
{
    answer->host[0] = '\0';
    answer->port = 0;
    while (ps_protobuf_next(&name)) {
        if (ps_protobuf_is_bytes(&name, 1) && name.length > 0 && name.length < sizeof answer->host &&
            memchr(name.bytes, '\0', name.length) == NULL) {
            memcpy(answer->host, name.bytes, name.length);
            answer->host[name.length] = '\0';
        } else if (ps_protobuf_is_number(&name, 2) && name.number <= UINT16_MAX) {
            answer->port = (unsigned)name.number;
        }
    }
    return !name.invalid && answer->host[0] != '\0' && answer->port > 0;
}

bool ps_hbase_registry_parse(const uint8_t *bytes, size_t length, struct ps_hbase_registry_answer *answer)
{
    bool found = false;
    if (length >= 5 && bytes[0] == 0xff) {
        size_t skip = 5 + (size_t)ps_big_endian_get_32(bytes + 1);
        if (skip > length)
            return false;
        bytes += skip;
        length -= skip;
    }
    if (length < 4 || memcmp(bytes, "PBUF", 4) != 0)
        return false;
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes + 4, length - 4);
    while (ps_protobuf_next(&reader))
        if (ps_protobuf_is_bytes(&reader, 1))
            found = parse_server(ps_protobuf_inner(&reader), answer);
    return found && !reader.invalid;
}

/* ---- the end ---- */

static void stop(struct ps_hbase_registry *registry)
{
    for (unsigned i = 0; i < registry->settings.quorum->count; i++)
        ps_hadoop_loop_forget(registry->settings.loop, &registry->servers[i].lookup);
    ps_hadoop_loop_unset(registry->settings.loop, &registry->timer);
    ps_hadoop_loop_unwatch(registry->settings.loop, &registry->watch);
    if (registry->client != NULL)
        zookeeper_close(registry->client);
    registry->client = NULL;
    registry->busy = registry->asked = registry->has_answer = false;
    registry->looking_up = 0;
}

static void finish(struct ps_hbase_registry *registry)
{
    struct ps_hbase_registry_answer answer = registry->answer;
    stop(registry);
    registry->settings.answered(registry->settings.owner, &answer);
}

static void fail(struct ps_hbase_registry *registry, const char *reason)
{
    registry->answer.found = false;
    (void)snprintf(registry->answer.reason, sizeof registry->answer.reason, "%s", reason);
    finish(registry);
}

/* ---- the session ---- */

/* ZooKeeper's client calls this while it handles an answer: it must not be closed here. */
static void got(int result, const char *value, int length, const struct Stat *, const void *data)
{
    struct ps_hbase_registry *registry = (struct ps_hbase_registry *)(uintptr_t)data;
    struct ps_hbase_registry_answer *answer = &registry->answer;
    if (result == ZCLOSING)
        return;
    registry->has_answer = true;
    if (result == ZNONODE)
        (void)snprintf(answer->reason, sizeof answer->reason,
                       "ZooKeeper has no node %.180s: is HBase up, and is znodeParent right?",
                       registry->path);
    else if (result == ZNOAUTH || result == ZSESSIONCLOSEDREQUIRESASLAUTH)
        (void)snprintf(answer->reason, sizeof answer->reason,
                       "ZooKeeper lets nobody read %.150s without a login, which is not supported: make it "
                       "readable by all",
                       registry->path);
    else if (result != ZOK)
        (void)snprintf(answer->reason, sizeof answer->reason, "ZooKeeper: %s", zerror(result));
    else if (length < 0 || !ps_hbase_registry_parse((const uint8_t *)value, (size_t)length, answer))
        (void)snprintf(answer->reason, sizeof answer->reason, "the node %.180s names no region server",
                       registry->path);
    else
        answer->found = true;
}

static void watched(zhandle_t *, int, int, const char *, void *)
{
}

/* Its texts of connections that fail are in the reason that the sink reports. */
static void say_nothing(const char *)
{
}

static void turn(struct ps_hbase_registry *registry);

/* Watches the socket that ZooKeeper's client wants to be watched. A descriptor that it has closed leaves the epoll by itself; the number may
 * be in use again, so the watch begins anew when the client may have connected again. */
static void wait(struct ps_hbase_registry *registry)
{
    int fd = -1, interest = 0;
    struct timeval time = {.tv_sec = 0};
    uint64_t now = ps_hadoop_loop_now(registry->settings.loop).mono_ns, due = now + TURN_NS;
    (void)zookeeper_interest(registry->client, &fd, &interest, &time);
    ps_hadoop_loop_unwatch(registry->settings.loop, &registry->watch);
    uint32_t events =
        (interest & ZOOKEEPER_READ ? EPOLLIN : 0U) | (interest & ZOOKEEPER_WRITE ? EPOLLOUT : 0U);
    if (fd >= 0 && events != 0)
        ps_hadoop_loop_watch(registry->settings.loop, &registry->watch, fd, events);
    ps_hadoop_loop_set(registry->settings.loop, &registry->timer,
                       due < registry->deadline_ns ? due : registry->deadline_ns);
}

static void process(struct ps_hbase_registry *registry, int events)
{
    (void)zookeeper_process(registry->client, events);
    turn(registry);
}

static void turn(struct ps_hbase_registry *registry)
{
    if (registry->has_answer) {
        finish(registry);
        return;
    }
    if (ps_hadoop_loop_now(registry->settings.loop).mono_ns >= registry->deadline_ns) {
        char reason[200];
        (void)snprintf(reason, sizeof reason, "no server of ZooKeeper answers (%.150s)",
                       registry->addresses[0] != '\0' ? registry->addresses : "its names are not resolved");
        fail(registry, reason);
        return;
    }
    if (registry->client == NULL)
        return;
    if (!registry->asked && zoo_state(registry->client) == ZOO_CONNECTED_STATE)
        registry->asked = zoo_aget(registry->client, registry->path, 0, got, registry) == ZOK;
    wait(registry);
}

static void ready(struct ps_hadoop_watch *watch, uint32_t events)
{
    struct ps_hbase_registry *registry =
        (struct ps_hbase_registry *)((char *)watch - offsetof(struct ps_hbase_registry, watch));
    process(registry, ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 ? ZOOKEEPER_READ : 0) |
                          ((events & EPOLLOUT) != 0 ? ZOOKEEPER_WRITE : 0));
}

static void fire(struct ps_hadoop_timer *timer)
{
    struct ps_hbase_registry *registry =
        (struct ps_hbase_registry *)((char *)timer - offsetof(struct ps_hbase_registry, timer));
    turn(registry);
}

/* ---- the question ---- */

static void connect_client(struct ps_hbase_registry *registry)
{
    if (registry->length == 0) {
        fail(registry, "the names of the servers of ZooKeeper cannot be resolved");
        return;
    }
    registry->client =
        zookeeper_init2(registry->addresses, watched, (int)(registry->settings.timeout_ns / PS_NS_PER_MS),
                        NULL, registry, 0, say_nothing);
    if (registry->client == NULL)
        fail(registry, "ZooKeeper's client cannot be made: no memory, or a bad address");
    else
        turn(registry);
}

static void add(struct ps_hbase_registry *registry, const struct ps_address *address)
{
    char digits[INET6_ADDRSTRLEN + 1], port[8];
    if (getnameinfo((const struct sockaddr *)&address->storage, address->length, digits, sizeof digits, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool six = address->storage.ss_family == AF_INET6;
    int length = snprintf(registry->addresses + registry->length,
                          sizeof registry->addresses - registry->length, "%s%s%s%s:%s",
                          registry->length > 0 ? "," : "", six ? "[" : "", digits, six ? "]" : "", port);
    registry->length += (size_t)length;
}

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error)
{
    struct ps_hbase_registry *registry =
        ((struct server *)((char *)lookup - offsetof(struct server, lookup)))->registry;
    if (error == 0)
        add(registry, address);
    if (--registry->looking_up == 0)
        connect_client(registry);
}

void ps_hbase_registry_ask(struct ps_hbase_registry *registry)
{
    const struct ps_hbase_registry_settings *settings = &registry->settings;
    if (registry->busy)
        return;
    registry->busy = true;
    registry->length = 0;
    registry->addresses[0] = '\0';
    registry->answer = (struct ps_hbase_registry_answer){.found = false};
    registry->deadline_ns = ps_hadoop_loop_now(settings->loop).mono_ns + settings->timeout_ns;
    registry->looking_up = settings->quorum->count;
    ps_hadoop_loop_set(settings->loop, &registry->timer, registry->deadline_ns);
    for (unsigned i = 0; i < settings->quorum->count; i++)
        ps_hadoop_loop_look_up(settings->loop, &registry->servers[i].lookup,
                               settings->quorum->servers[i].host, settings->quorum->servers[i].port);
}

struct ps_hbase_registry *ps_hbase_registry_open(const struct ps_hbase_registry_settings *settings)
{
    struct ps_hbase_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL)
        return NULL;
    registry->settings = *settings;
    registry->watch = (struct ps_hadoop_watch){.fd = -1, .ready = ready};
    registry->timer.fire = fire;
    for (unsigned i = 0; i < PS_HBASE_QUORUM_MAX; i++)
        registry->servers[i] = (struct server){.lookup.found = found, .registry = registry};
    (void)snprintf(registry->path, sizeof registry->path, "%s/" NODE, settings->znode);
    zoo_set_debug_level((ZooLogLevel)0);
    return registry;
}

void ps_hbase_registry_close(struct ps_hbase_registry *registry)
{
    if (registry == NULL)
        return;
    stop(registry);
    free(registry);
}
