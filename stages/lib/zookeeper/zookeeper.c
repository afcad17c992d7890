#include "stages/lib/zookeeper/zookeeper.h"

#include "core/log/log.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <zookeeper/zookeeper.h>

#define RETRY_NS (100 * PS_NS_PER_MS) /* after a connection that failed */
#define TURN_NS (10 * PS_NS_PER_MS)   /* longest time until the client of ZooKeeper is called again */

struct server {
    struct ps_hadoop_lookup lookup;
    struct ps_zookeeper *zookeeper;
};

/* One read, and its answer. */
struct reading {
    struct ps_zookeeper *zookeeper;
    char *value; /* NULL: none */
    size_t length;
    bool is_there;
};

struct ps_zookeeper {
    struct ps_zookeeper_settings settings;
    struct ps_hadoop_watch watch;
    struct ps_hadoop_timer timer;
    struct server servers[PS_ZOOKEEPER_SERVERS_MAX];
    unsigned looking_up; /* names that are not answered */
    zhandle_t *client;
    bool busy, failed;
    unsigned asked, answered; /* reads */
    uint64_t deadline_ns;
    size_t length;
    char addresses[PS_ZOOKEEPER_SERVERS_MAX * (INET6_ADDRSTRLEN + 9U)]; /* what ZooKeeper's client gets */
    char reason[256];
    struct reading readings[PS_ZOOKEEPER_READS_MAX];
};

/* ---- the end ---- */

/* Ends the session. */
static void stop(struct ps_zookeeper *zookeeper)
{
    for (unsigned i = 0; i < zookeeper->settings.quorum->count; i++)
        ps_hadoop_loop_forget(zookeeper->settings.loop, &zookeeper->servers[i].lookup);
    ps_hadoop_loop_unset(zookeeper->settings.loop, &zookeeper->timer);
    ps_hadoop_loop_unwatch(zookeeper->settings.loop, &zookeeper->watch);
    if (zookeeper->client != NULL)
        zookeeper_close(zookeeper->client);
    zookeeper->client = NULL;
    zookeeper->busy = false;
    zookeeper->looking_up = 0;
}

static void forget_values(struct ps_zookeeper *zookeeper)
{
    for (unsigned i = 0; i < PS_ZOOKEEPER_READS_MAX; i++) {
        free(zookeeper->readings[i].value);
        zookeeper->readings[i] = (struct reading){.zookeeper = zookeeper};
    }
    zookeeper->asked = zookeeper->answered = 0;
    zookeeper->failed = false;
}

static void finish(struct ps_zookeeper *zookeeper)
{
    struct ps_zookeeper_node nodes[PS_ZOOKEEPER_READS_MAX];
    for (unsigned i = 0; i < PS_ZOOKEEPER_READS_MAX; i++) {
        const struct reading *reading = &zookeeper->readings[i];
        nodes[i] = (struct ps_zookeeper_node){reading->is_there, reading->value, reading->length};
    }
    const struct ps_zookeeper_answer answer = {zookeeper->failed ? zookeeper->reason : NULL, nodes};
    stop(zookeeper);
    zookeeper->settings.answered(zookeeper->settings.owner, &answer);
}

static void fail(struct ps_zookeeper *zookeeper, const char *reason)
{
    zookeeper->failed = true;
    (void)snprintf(zookeeper->reason, sizeof zookeeper->reason, "%s", reason);
    finish(zookeeper);
}

/* ---- the session ---- */

/* Notes the end of a read. ZooKeeper's client calls this while it handles an answer: it must not be closed here. Returns whether there is a
 * value of this length to be kept, terminated. */
static bool note(struct reading *reading, int result, size_t length)
{
    struct ps_zookeeper *zookeeper = reading->zookeeper;
    if (result == ZCLOSING)
        return false;
    zookeeper->answered++;
    reading->is_there = result == ZOK;
    if (result == ZOK)
        reading->value = malloc(length + 1);
    if (result == ZNONODE || reading->value != NULL)
        return reading->value != NULL;
    zookeeper->failed = true;
    if (result == ZNOAUTH || result == ZSESSIONCLOSEDREQUIRESASLAUTH)
        (void)snprintf(zookeeper->reason, sizeof zookeeper->reason,
                       "ZooKeeper lets nobody read %.150s without a login, which is not supported: make it "
                       "readable by all",
                       zookeeper->settings.reads[reading - zookeeper->readings].path);
    else
        (void)snprintf(zookeeper->reason, sizeof zookeeper->reason, "ZooKeeper: %s",
                       result == ZOK ? "no memory for an answer" : zerror(result));
    return false;
}

static void got(int result, const char *value, int length, const struct Stat *, const void *data)
{
    struct reading *reading = (struct reading *)(uintptr_t)data;
    size_t bytes = length > 0 ? (size_t)length : 0;
    if (!note(reading, result, bytes))
        return;
    if (bytes > 0)
        memcpy(reading->value, value, bytes);
    reading->value[bytes] = '\0';
    reading->length = bytes;
}

static void got_children(int result, const struct String_vector *names, const void *data)
{
    struct reading *reading = (struct reading *)(uintptr_t)data;
    size_t bytes = 0;
    for (int32_t i = 0; names != NULL && i < names->count; i++)
        bytes += strlen(names->data[i]) + 1;
    if (!note(reading, result, bytes))
        return;
    char *at = reading->value;
    for (int32_t i = 0; names != NULL && i < names->count; i++) {
        at = stpcpy(at, names->data[i]);
        *at++ = '\n';
    }
    *at = '\0';
    reading->length = bytes;
}

static void watched(zhandle_t *, int, int, const char *, void *)
{
}

/* Its texts of connections that fail are in the reason that the owner reports. */
static void say_nothing(const char *)
{
}

static void turn(struct ps_zookeeper *zookeeper);

/* Watches the socket that ZooKeeper's client wants to be watched. A descriptor that it has closed leaves the epoll by itself; the number may
 * be in use again, so the watch begins anew when the client may have connected again. */
static void wait(struct ps_zookeeper *zookeeper)
{
    int fd = -1, interest = 0;
    struct timeval time = {.tv_sec = 0};
    uint64_t now = ps_hadoop_loop_now(zookeeper->settings.loop).mono_ns, due = now + TURN_NS;
    (void)zookeeper_interest(zookeeper->client, &fd, &interest, &time);
    ps_hadoop_loop_unwatch(zookeeper->settings.loop, &zookeeper->watch);
    uint32_t events =
        (interest & ZOOKEEPER_READ ? EPOLLIN : 0U) | (interest & ZOOKEEPER_WRITE ? EPOLLOUT : 0U);
    if (fd >= 0 && events != 0)
        ps_hadoop_loop_watch(zookeeper->settings.loop, &zookeeper->watch, fd, events);
    ps_hadoop_loop_set(zookeeper->settings.loop, &zookeeper->timer,
                       due < zookeeper->deadline_ns ? due : zookeeper->deadline_ns);
}

/* After a connection that fails ZooKeeper's client would try the next server at once, and go round without end. */
static void process(struct ps_zookeeper *zookeeper, int events)
{
    int result = zookeeper_process(zookeeper->client, events);
    uint64_t again_ns = ps_hadoop_loop_now(zookeeper->settings.loop).mono_ns + RETRY_NS;
    if (result == ZOK || result == ZNOTHING || zookeeper->failed) {
        turn(zookeeper);
        return;
    }
    ps_hadoop_loop_unwatch(zookeeper->settings.loop, &zookeeper->watch);
    ps_hadoop_loop_set(zookeeper->settings.loop, &zookeeper->timer,
                       again_ns < zookeeper->deadline_ns ? again_ns : zookeeper->deadline_ns);
}

/* Sends the reads that the client takes. */
static void read_all(struct ps_zookeeper *zookeeper)
{
    const struct ps_zookeeper_settings *settings = &zookeeper->settings;
    while (zookeeper->asked < settings->read_count) {
        const struct ps_zookeeper_read *read = &settings->reads[zookeeper->asked];
        struct reading *reading = &zookeeper->readings[zookeeper->asked];
        int result = read->children
                         ? zoo_aget_children(zookeeper->client, read->path, 0, got_children, reading)
                         : zoo_aget(zookeeper->client, read->path, 0, got, reading);
        if (result != ZOK)
            return;
        zookeeper->asked++;
    }
}

static void turn(struct ps_zookeeper *zookeeper)
{
    if (zookeeper->failed || zookeeper->answered == zookeeper->settings.read_count) {
        finish(zookeeper);
        return;
    }
    if (ps_hadoop_loop_now(zookeeper->settings.loop).mono_ns >= zookeeper->deadline_ns) {
        char reason[200];
        (void)snprintf(reason, sizeof reason, "no server of ZooKeeper answers (%.150s)",
                       zookeeper->addresses[0] != '\0' ? zookeeper->addresses : "its names are not resolved");
        fail(zookeeper, reason);
        return;
    }
    if (zookeeper->client == NULL)
        return;
    if (zoo_state(zookeeper->client) == ZOO_CONNECTED_STATE)
        read_all(zookeeper);
    wait(zookeeper);
}

static void ready(struct ps_hadoop_watch *watch, uint32_t events)
{
    struct ps_zookeeper *zookeeper =
        (struct ps_zookeeper *)((char *)watch - offsetof(struct ps_zookeeper, watch));
    process(zookeeper, ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 ? ZOOKEEPER_READ : 0) |
                           ((events & EPOLLOUT) != 0 ? ZOOKEEPER_WRITE : 0));
}

static void fire(struct ps_hadoop_timer *timer)
{
    struct ps_zookeeper *zookeeper =
        (struct ps_zookeeper *)((char *)timer - offsetof(struct ps_zookeeper, timer));
    turn(zookeeper);
}

/* ---- the question ---- */

static void connect_client(struct ps_zookeeper *zookeeper)
{
    if (zookeeper->length == 0) {
        fail(zookeeper, "the names of the servers of ZooKeeper cannot be resolved");
        return;
    }
    zookeeper->client =
        zookeeper_init2(zookeeper->addresses, watched, (int)(zookeeper->settings.timeout_ns / PS_NS_PER_MS),
                        NULL, zookeeper, 0, say_nothing);
    if (zookeeper->client == NULL)
        fail(zookeeper, "ZooKeeper's client cannot be made: no memory, or a bad address");
    else
        turn(zookeeper);
}

static void add(struct ps_zookeeper *zookeeper, const struct ps_address *address)
{
    char digits[INET6_ADDRSTRLEN + 1], port[8];
    if (getnameinfo((const struct sockaddr *)&address->storage, address->length, digits, sizeof digits, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool six = address->storage.ss_family == AF_INET6;
    int length = snprintf(zookeeper->addresses + zookeeper->length,
                          sizeof zookeeper->addresses - zookeeper->length, "%s%s%s%s:%s",
                          zookeeper->length > 0 ? "," : "", six ? "[" : "", digits, six ? "]" : "", port);
    zookeeper->length += (size_t)length;
}

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error)
{
    struct ps_zookeeper *zookeeper =
        ((struct server *)((char *)lookup - offsetof(struct server, lookup)))->zookeeper;
    if (error == 0)
        add(zookeeper, address);
    if (--zookeeper->looking_up == 0)
        connect_client(zookeeper);
}

void ps_zookeeper_ask(struct ps_zookeeper *zookeeper)
{
    const struct ps_zookeeper_settings *settings = &zookeeper->settings;
    if (zookeeper->busy)
        return;
    forget_values(zookeeper);
    zookeeper->busy = true;
    zookeeper->length = 0;
    zookeeper->addresses[0] = '\0';
    zookeeper->deadline_ns = ps_hadoop_loop_now(settings->loop).mono_ns + settings->timeout_ns;
    zookeeper->looking_up = settings->quorum->count;
    ps_hadoop_loop_set(settings->loop, &zookeeper->timer, zookeeper->deadline_ns);
    for (unsigned i = 0; i < settings->quorum->count; i++)
        ps_hadoop_loop_look_up(settings->loop, &zookeeper->servers[i].lookup,
                               settings->quorum->servers[i].host, settings->quorum->servers[i].port);
}

struct ps_zookeeper *ps_zookeeper_open(const struct ps_zookeeper_settings *settings)
{
    struct ps_zookeeper *zookeeper = calloc(1, sizeof *zookeeper);
    if (zookeeper == NULL)
        return NULL;
    zookeeper->settings = *settings;
    zookeeper->watch = (struct ps_hadoop_watch){.fd = -1, .ready = ready};
    zookeeper->timer.fire = fire;
    for (unsigned i = 0; i < PS_ZOOKEEPER_SERVERS_MAX; i++)
        zookeeper->servers[i] = (struct server){.lookup.found = found, .zookeeper = zookeeper};
    zoo_set_debug_level((ZooLogLevel)0);
    return zookeeper;
}

void ps_zookeeper_close(struct ps_zookeeper *zookeeper)
{
    if (zookeeper == NULL)
        return;
    stop(zookeeper);
    forget_values(zookeeper);
    free(zookeeper);
}
