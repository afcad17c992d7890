/* The functions of libpenstock-client, and which connection a call gets. The lock of a client guards the
 * lists of free connections and the order of the hosts; a connection that was taken belongs to the thread of
 * the call. Under the lock a call waits only for a connection that is given back. */
#include "commands/client/client.h"

#include "commands/client/link.h"
#include "core/clock.h"
#include "core/order.h"
#include "version.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_NS (200 * PS_NS_PER_MS)
#define MESSAGE_BYTES 1280

struct host_links {
    struct ps_rpc_link *free; /* most recently used first */
    unsigned count;           /* number of all connections, also of those that calls are using */
};

struct penstock_client {
    struct ps_arena *arena;
    struct ps_rpc_target target;
    struct penstock_client_options options;
    struct ps_rpc_patience patience;
    size_t batch_events_max;
    pthread_mutex_t lock;
    /* Under the lock: */
    pthread_cond_t freed;     /* a connection was given back */
    struct host_links *links; /* of each host */
    size_t current;           /* failover: the current host */
    struct ps_order *order;   /* load balancing */
    bool active;
};

/* ---- messages ---- */

static void say(const struct penstock_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct penstock_client *client, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list arguments;
    if (client->options.message == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    client->options.message(client->options.argument, text);
}

static int tell(struct penstock_client_error *error, int status, struct ps_err *err)
{
    if (error == NULL)
        return status;
    error->status = status;
    snprintf(error->text, sizeof error->text, "%.*s", (int)sizeof error->text - 1, ps_err_join(err));
    return status;
}

/* ---- SIGPIPE: OpenSSL writes to sockets without MSG_NOSIGNAL ---- */

struct pipe_guard {
    bool used, was_pending;
    sigset_t before;
};

static void guard_begin(struct pipe_guard *guard, const struct penstock_client *client)
{
    sigset_t pipe, pending;
    guard->used = client->target.hosts[0].avro.tls_client != NULL;
    if (!guard->used)
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &guard->before);
}

static void guard_end(const struct pipe_guard *guard)
{
    const struct timespec at_once = {0};
    sigset_t pipe;
    if (!guard->used)
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (!guard->was_pending)
        (void)sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

/* ---- opening ---- */

static struct penstock_client *client_create(const struct penstock_client_options *options)
{
    struct penstock_client *client = ps_must_alloc(1, sizeof *client, "a client");
    pthread_condattr_t attributes;
    if (options != NULL) /* a program that was compiled with an earlier version has fewer members */
        memcpy(&client->options, options,
               options->size < sizeof client->options ? options->size : sizeof client->options);
    client->patience = (struct ps_rpc_patience){client->options.interrupted, client->options.argument};
    client->arena = ps_arena_create();
    client->active = true;
    pthread_mutex_init(&client->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    return client;
}

static void client_free(struct penstock_client *client)
{
    pthread_cond_destroy(&client->freed);
    pthread_mutex_destroy(&client->lock);
    ps_order_destroy(client->order);
    ps_rpc_target_fini(&client->target);
    ps_arena_destroy(client->arena);
    free(client->links);
    free(client);
}

static struct ps_rpc_reading reading_of(const struct penstock_client *client)
{
    return (struct ps_rpc_reading){.arena = client->arena,
                                   .warn = client->options.message,
                                   .system_property = client->options.system_property,
                                   .argument = client->options.argument};
}

/* Makes a client of a target; `status` is the result of reading the target. Returns the client, or NULL. */
static struct penstock_client *client_open(struct penstock_client *client, enum ps_status status,
                                           struct ps_err *err, struct penstock_client_error *error)
{
    const struct ps_rpc_target *target = &client->target;
    if (status != PS_OK) {
        tell(error, PENSTOCK_CLIENT_INVALID, err);
        client_free(client);
        return NULL;
    }
    client->batch_events_max = ps_rpc_batch_events_of(&target->hosts[0].avro.calls);
    client->links = ps_must_alloc(target->host_count, sizeof *client->links, "a client");
    const struct ps_order_settings order = {.count = (unsigned)target->host_count,
                                            .random = target->random,
                                            .backoff = target->backoff,
                                            .backoff_max_ms = target->backoff_max_ms};
    struct ps_now now = ps_clock_now();
    client->order = ps_order_create(&order, now.mono_ns ^ (uint64_t)(uintptr_t)client);
    return client;
}

struct penstock_client *penstock_client_open(const char *host, unsigned port,
                                             const struct penstock_client_options *options,
                                             struct penstock_client_error *error)
{
    struct penstock_client *client = client_create(options);
    struct ps_rpc_reading reading = reading_of(client);
    struct ps_err err = {.length = 0};
    enum ps_status status;
    if (host == NULL || host[0] == '\0' || port < 1 || port > 65535)
        status = ps_err_set(&err, "%s",
                            host == NULL || host[0] == '\0' ? "no host is named"
                                                            : "a port is a number from 1 to 65535");
    else
        status = ps_rpc_target_of_host(&client->target, &reading, host, port, &err);
    client = client_open(client, status, &err, error);
    if (client != NULL && client->options.batch_events_max > 0)
        client->batch_events_max = client->options.batch_events_max < PS_RPC_BATCH_EVENTS_MAX
                                       ? client->options.batch_events_max
                                       : PS_RPC_BATCH_EVENTS_MAX;
    return client;
}

struct penstock_client *penstock_client_open_file(const char *path,
                                                  const struct penstock_client_options *options,
                                                  struct penstock_client_error *error)
{
    struct penstock_client *client = client_create(options);
    struct ps_rpc_reading reading = reading_of(client);
    struct ps_err err = {.length = 0};
    enum ps_status status = path != NULL ? ps_rpc_target_read(&client->target, &reading, path, &err)
                                         : ps_err_set(&err, "no file is named");
    return client_open(client, status, &err, error);
}

struct penstock_client *penstock_client_open_properties(const char *text, size_t length,
                                                        const struct penstock_client_options *options,
                                                        struct penstock_client_error *error)
{
    struct penstock_client *client = client_create(options);
    struct ps_rpc_reading reading = reading_of(client);
    struct ps_err err = {.length = 0};
    enum ps_status status = ps_rpc_target_parse(&client->target, &reading, text != NULL ? text : "",
                                                text != NULL ? length : 0, &err);
    return client_open(client, status, &err, error);
}

void penstock_client_close(struct penstock_client *client)
{
    struct pipe_guard guard;
    if (client == NULL)
        return;
    guard_begin(&guard, client);
    for (size_t i = 0; i < client->target.host_count; i++) {
        for (struct ps_rpc_link *link = client->links[i].free, *next; link != NULL; link = next) {
            next = link->next;
            ps_rpc_link_destroy(link);
        }
    }
    guard_end(&guard);
    client_free(client);
}

/* ---- connections ---- */

/* Waits under the lock until a connection is given back, for a bounded time and at most until
 * `deadline_ns`. */
static int wait_freed(struct penstock_client *client, uint64_t deadline_ns)
{
    const struct ps_rpc_patience *patience = &client->patience;
    uint64_t now_ns = ps_clock_now().mono_ns, until_ns = deadline_ns;
    if (now_ns >= deadline_ns)
        return PENSTOCK_CLIENT_BUSY;
    if (patience->interrupted != NULL && now_ns + ASK_NS < until_ns)
        until_ns = now_ns + ASK_NS;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / PS_NS_PER_S),
                                   .tv_nsec = (long)(until_ns % PS_NS_PER_S)};
    pthread_cond_timedwait(&client->freed, &client->lock, &until);
    if (patience->interrupted == NULL)
        return PENSTOCK_CLIENT_OK;
    pthread_mutex_unlock(&client->lock);
    bool interrupted = patience->interrupted(patience->argument) != 0;
    pthread_mutex_lock(&client->lock);
    return interrupted ? PENSTOCK_CLIENT_INTERRUPTED : PENSTOCK_CLIENT_OK;
}

/* Forgets a connection that was closed or could not be opened. */
static void link_forget(struct penstock_client *client, struct host_links *links)
{
    pthread_mutex_lock(&client->lock);
    links->count--;
    pthread_cond_broadcast(&client->freed);
    pthread_mutex_unlock(&client->lock);
}

/* Takes a connection to the host, which may not be connected yet. Returns NULL with `*status` and `err`. */
static struct ps_rpc_link *link_take(struct penstock_client *client, size_t number, int *status,
                                     struct ps_err *err)
{
    const struct ps_rpc_host *host = &client->target.hosts[number];
    struct host_links *links = &client->links[number];
    uint64_t deadline_ns = ps_clock_now().mono_ns + host->settings.answer_ns;
    pthread_mutex_lock(&client->lock);
    *status = PENSTOCK_CLIENT_OK;
    while (*status == PENSTOCK_CLIENT_OK && links->free == NULL &&
           links->count >= (unsigned)client->target.connections_max)
        *status = wait_freed(client, deadline_ns);
    struct ps_rpc_link *link = *status == PENSTOCK_CLIENT_OK ? links->free : NULL;
    bool create = *status == PENSTOCK_CLIENT_OK && link == NULL;
    if (link != NULL)
        links->free = link->next;
    else if (create)
        links->count++;
    pthread_mutex_unlock(&client->lock);
    if (create && (link = ps_rpc_link_create(host)) == NULL) {
        link_forget(client, links);
        *status = PENSTOCK_CLIENT_MEMORY;
    }
    if (link == NULL)
        ps_err_set(err, "%.255s:%u: %s", host->name, host->port,
                   *status == PENSTOCK_CLIENT_MEMORY ? "no memory for a connection"
                   : *status == PENSTOCK_CLIENT_BUSY ? "all connections are in use (maxConnections)"
                                                     : "interrupted");
    return link;
}

/* Gives the connection back; closes it when `keep` is false. */
static void link_give(struct penstock_client *client, size_t number, struct ps_rpc_link *link, bool keep)
{
    struct host_links *links = &client->links[number];
    if (!keep) {
        ps_rpc_link_destroy(link);
        link_forget(client, links);
        return;
    }
    pthread_mutex_lock(&client->lock);
    link->next = links->free;
    links->free = link;
    pthread_cond_broadcast(&client->freed);
    pthread_mutex_unlock(&client->lock);
}

/* Takes a connection to the host and connects it. Returns NULL with `*status` and `err`. */
static struct ps_rpc_link *link_connected(struct penstock_client *client, size_t number, int *status,
                                          struct ps_err *err)
{
    struct ps_rpc_link *link = link_take(client, number, status, err);
    if (link == NULL)
        return NULL;
    *status = ps_rpc_link_connect(link, &client->patience, err);
    if (*status == PENSTOCK_CLIENT_OK)
        return link;
    link_give(client, number, link, false);
    return NULL;
}

/* ---- one call ---- */

struct call {
    const struct penstock_client_event *events;
    size_t count; /* 0: only connects */
    size_t bytes; /* upper bound of the bytes of all its events */
    struct ps_err err;
    bool uncertain; /* its events may have arrived already */
};

/* Returns whether the call is not repeated at another host: it succeeded, or would fail there as well. */
static bool is_final(int status)
{
    return status == PENSTOCK_CLIENT_OK || status == PENSTOCK_CLIENT_INTERRUPTED ||
           status == PENSTOCK_CLIENT_MEMORY;
}

/* Sends the call over a connection, then gives the connection back. */
static int send_over(struct penstock_client *client, size_t number, struct ps_rpc_link *link,
                     struct call *call)
{
    int status = PENSTOCK_CLIENT_OK;
    if (call->count > 0)
        status =
            ps_rpc_link_call(link, call->events, call->count, call->bytes, &client->patience, &call->err);
    call->uncertain |= status == PENSTOCK_CLIENT_UNCERTAIN;
    link_give(client, number, link, status == PENSTOCK_CLIENT_OK || status == PENSTOCK_CLIENT_REFUSED);
    return status;
}

static int send_to(struct penstock_client *client, size_t number, struct call *call)
{
    int status = PENSTOCK_CLIENT_OK;
    struct ps_rpc_link *link = link_connected(client, number, &status, &call->err);
    return link != NULL ? send_over(client, number, link, call) : status;
}

/* The host failed: the next calls go to the one after it, unless another thread has moved on already. */
static void move_on(struct penstock_client *client, size_t number)
{
    pthread_mutex_lock(&client->lock);
    if (client->current == number)
        client->current = (number + 1) % client->target.host_count;
    pthread_mutex_unlock(&client->lock);
}

static size_t current_host(struct penstock_client *client)
{
    pthread_mutex_lock(&client->lock);
    size_t current = client->current;
    pthread_mutex_unlock(&client->lock);
    return current;
}

/* Takes a connection to the first host that accepts one, beginning with the current host, as
 * FailoverRpcClient.getNextClient does. */
static struct ps_rpc_link *failover_connected(struct penstock_client *client, size_t *number, int *status,
                                              struct ps_err *err)
{
    struct ps_rpc_link *link = NULL;
    for (size_t i = 0; link == NULL && i < client->target.host_count; i++) {
        *number = current_host(client);
        link = link_connected(client, *number, status, err);
        if (link != NULL || is_final(*status) || *status == PENSTOCK_CLIENT_BUSY)
            return link;
        move_on(client, *number);
        if (client->target.host_count > 1)
            say(client, "%s", ps_err_join(err));
    }
    return link;
}

static int failover(struct penstock_client *client, struct call *call)
{
    for (uint64_t attempt = 1;; attempt++) {
        int status = PENSTOCK_CLIENT_OK;
        size_t number = 0;
        struct ps_rpc_link *link = failover_connected(client, &number, &status, &call->err);
        if (link == NULL)
            return status;
        status = send_over(client, number, link, call);
        if (is_final(status))
            return status;
        move_on(client, number);
        if (attempt >= client->target.attempts_max)
            return status;
        say(client, "%s; the client sends the batch to the next host", ps_err_join(&call->err));
    }
}

static int balance(struct penstock_client *client, struct call *call)
{
    unsigned order[PS_RPC_HOSTS_MAX];
    int64_t now_ms = (int64_t)(ps_clock_now().mono_ns / PS_NS_PER_MS);
    pthread_mutex_lock(&client->lock);
    unsigned count = ps_order_next(client->order, order, now_ms);
    pthread_mutex_unlock(&client->lock);
    int status = PENSTOCK_CLIENT_UNREACHABLE;
    if (count == 0)
        ps_err_set(&call->err, "all hosts have failed, and are left out for a while (backoff)");
    for (unsigned i = 0; i < count; i++) {
        status = send_to(client, order[i], call);
        if (is_final(status))
            return status;
        now_ms = (int64_t)(ps_clock_now().mono_ns / PS_NS_PER_MS);
        pthread_mutex_lock(&client->lock);
        if (status != PENSTOCK_CLIENT_BUSY)
            ps_order_failed(client->order, order[i], now_ms);
        pthread_mutex_unlock(&client->lock);
        if (i + 1 < count)
            say(client, "%s; the client sends the batch to the next host", ps_err_join(&call->err));
    }
    return status;
}

static int send_call(struct penstock_client *client, struct call *call)
{
    struct pipe_guard guard;
    int status = PENSTOCK_CLIENT_OK;
    guard_begin(&guard, client);
    switch (client->target.kind) {
    case PS_RPC_DEFAULT:
        status = send_to(client, 0, call);
        pthread_mutex_lock(&client->lock);
        client->active = status == PENSTOCK_CLIENT_OK;
        pthread_mutex_unlock(&client->lock);
        break;
    case PS_RPC_FAILOVER:
        status = failover(client, call);
        break;
    case PS_RPC_LOAD_BALANCE:
        status = balance(client, call);
        break;
    }
    guard_end(&guard);
    return call->uncertain && !is_final(status) ? PENSTOCK_CLIENT_UNCERTAIN : status;
}

/* ---- what programs call ---- */

int penstock_client_connect(struct penstock_client *client, struct penstock_client_error *error)
{
    struct call call = {.count = 0};
    int status = send_call(client, &call);
    return status == PENSTOCK_CLIENT_OK ? status : tell(error, status, &call.err);
}

/* Fills the call with as many of the events as one call takes. */
static bool call_fill(const struct penstock_client *client, struct call *call,
                      const struct penstock_client_event *events, size_t left)
{
    *call = (struct call){.events = events};
    while (call->count < left && call->count < client->batch_events_max &&
           call->bytes < PS_RPC_CALL_BYTES_MAX) {
        size_t bound = ps_rpc_event_bound(&events[call->count], &call->err);
        if (bound == 0)
            return false;
        if (call->count > 0 && call->bytes + bound > PS_RPC_CALL_BYTES_MAX)
            break;
        call->bytes += bound;
        call->count++;
    }
    return true;
}

int penstock_client_append_batch(struct penstock_client *client, const struct penstock_client_event *events,
                                 size_t count, size_t *acknowledged, struct penstock_client_error *error)
{
    size_t done = 0;
    int status = PENSTOCK_CLIENT_OK;
    while (status == PENSTOCK_CLIENT_OK && done < count) {
        struct call call;
        status = call_fill(client, &call, events + done, count - done) ? send_call(client, &call)
                                                                       : PENSTOCK_CLIENT_INVALID;
        if (status == PENSTOCK_CLIENT_OK)
            done += call.count;
        else
            tell(error, status, &call.err);
    }
    if (acknowledged != NULL)
        *acknowledged = done;
    return status;
}

int penstock_client_append(struct penstock_client *client, const struct penstock_client_event *event,
                           struct penstock_client_error *error)
{
    return penstock_client_append_batch(client, event, 1, NULL, error);
}

int penstock_client_is_active(struct penstock_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool active = client->active;
    pthread_mutex_unlock(&client->lock);
    return active;
}

size_t penstock_client_batch_events_max(const struct penstock_client *client)
{
    return client->batch_events_max;
}

const char *penstock_client_version(void)
{
    return PS_VERSION;
}
