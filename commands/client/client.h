/* libpenstock-client: sends events to the avro and thrift sources of penstock and of Apache Flume, as Flume's Java SDK
 * does (org.apache.flume.api.RpcClient). Installed as <penstock/client.h>. C89 and C++ compilers accept it.
 *
 *   struct penstock_client_error error;
 *   struct penstock_client *client = penstock_client_open("collector", 4141, NULL, &error);
 *   struct penstock_client_event event = {NULL, 0, "hello", 5};
 *   if (client == NULL || penstock_client_append(client, &event, &error) != PENSTOCK_CLIENT_OK)
 *       fprintf(stderr, "%s\n", error.text);
 *   penstock_client_close(client);
 *
 * Calls block until the source has answered, for a limited time. PENSTOCK_CLIENT_OK means that the source has put the
 * events into its channels: the promise depends on these channels.
 *
 * Threads: any number of threads may use one client at the same time, except in penstock_client_close. Each call waits
 * for its own answer on a connection of its own. The client opens up to maxConnections (5) to each host; further calls
 * wait until one becomes free. Calls that one thread makes one after the other keep their order. Threads that need more
 * connections at the same time have a client each. Between calls a client has no thread; a thread that looks up the
 * name of a host ends afterwards.
 *
 * fork: a child must not use the clients of its parent. Signals: the library installs no handler, and SIGPIPE does
 * not reach the program because of it. Memory: if there is no memory for a batch, a call returns
 * PENSTOCK_CLIENT_MEMORY; if opening a client cannot get the few kilobytes that it needs, the process ends. */
#ifndef PENSTOCK_CLIENT_H
#define PENSTOCK_CLIENT_H
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows with each addition. The name of the shared library changes when something is removed or changed. */
#define PENSTOCK_CLIENT_API_VERSION 1

#define PENSTOCK_CLIENT_ERROR_BYTES 1024

enum penstock_client_status {
    PENSTOCK_CLIENT_OK = 0,
    /* A property or an argument is wrong, or a file cannot be read: nothing was sent. */
    PENSTOCK_CLIENT_INVALID,
    /* No host accepts a connection: the hosts do not exist or do not answer in time, TLS fails, or all are left out
     * after failures. The events did not arrive. */
    PENSTOCK_CLIENT_UNREACHABLE,
    /* The source has refused the events, in most cases because its channel is full. Later the same call may succeed. */
    PENSTOCK_CLIENT_REFUSED,
    /* No answer in time, or the connection was lost after the call was sent: it is unknown whether the events
     * arrived. If they are sent again, they may arrive twice. */
    PENSTOCK_CLIENT_UNCERTAIN,
    /* No connection became free in time; nothing was sent. */
    PENSTOCK_CLIENT_BUSY,
    /* The program asked to stop (struct penstock_client_options); otherwise as PENSTOCK_CLIENT_UNCERTAIN. */
    PENSTOCK_CLIENT_INTERRUPTED,
    /* There is no memory for the batch: nothing was sent. */
    PENSTOCK_CLIENT_MEMORY
};

/* The reason of a failed call. A call that succeeds does not touch it. */
struct penstock_client_error {
    int status;                             /* enum penstock_client_status */
    char text[PENSTOCK_CLIENT_ERROR_BYTES]; /* one line, without a newline */
};

struct penstock_client_header {
    const char *name;  /* UTF-8 */
    const char *value; /* UTF-8 */
};

struct penstock_client_event {
    const struct penstock_client_header *headers;
    size_t header_count;
    const void *body; /* any bytes */
    size_t body_length;
};

/* Further settings of a client. Set all to 0, then `size`, then the members needed; pointers must stay valid as long
 * as the client exists. */
struct penstock_client_options {
    size_t size; /* sizeof(struct penstock_client_options) */
    void *argument;
    /* Called for events that do not fail a call: an unknown property, a failed host while another one works. One
     * line. The calling thread calls it, and several threads at the same time if they use the client. NULL:
     * not called. */
    void (*message)(void *argument, const char *text);
    /* Called every 0.2 s while a call waits. When the result is not 0, the call gives up. NULL: not called. */
    int (*interrupted)(void *argument);
    /* Returns the value of a property of Java, such as javax.net.ssl.trustStore; NULL: not set. Called while the
     * client is opened. */
    const char *(*system_property)(void *argument, const char *name);
    /* Maximum number of events of one call; 0: 100, as in Flume. Only for penstock_client_open: properties set
     * batch-size. */
    size_t batch_events_max;
};

struct penstock_client;

#if defined(__GNUC__)
#define PENSTOCK_CLIENT_PUBLIC __attribute__((visibility("default")))
#else
#define PENSTOCK_CLIENT_PUBLIC
#endif

/* Three functions make a client; `options` and `error` may be NULL. They return NULL on failure, with `error`, and do
 * not connect: the first call does. Close the client with penstock_client_close.
 *
 * This one makes a client of one host: a name, an IPv4 or an IPv6 address; port 1 to 65535. */
PENSTOCK_CLIENT_PUBLIC struct penstock_client *
penstock_client_open(const char *host, unsigned port, const struct penstock_client_options *options,
                     struct penstock_client_error *error);
/* Opens a client by Flume's RPC client properties, in a file in the syntax of java.util.Properties;
 * penstock-client(3) lists them. */
PENSTOCK_CLIENT_PUBLIC struct penstock_client *
penstock_client_open_file(const char *path, const struct penstock_client_options *options,
                          struct penstock_client_error *error);
/* The same with the properties in memory: "hosts = h1\nhosts.h1 = collector:4141\n". */
PENSTOCK_CLIENT_PUBLIC struct penstock_client *
penstock_client_open_properties(const char *text, size_t length,
                                const struct penstock_client_options *options,
                                struct penstock_client_error *error);

/* Connects to a host unless a connection is free: shows immediately whether the source is there. Returns an
 * enum penstock_client_status, as the next two do. */
PENSTOCK_CLIENT_PUBLIC int penstock_client_connect(struct penstock_client *client,
                                                   struct penstock_client_error *error);

/* Sends one event, and waits for its acknowledgement. The client may be used after a failure: it connects again. */
PENSTOCK_CLIENT_PUBLIC int penstock_client_append(struct penstock_client *client,
                                                  const struct penstock_client_event *event,
                                                  struct penstock_client_error *error);
/* Sends `count` events in their order, in calls of at most batch-size events (and about 4 MiB), and waits for the
 * acknowledgement of each call before the next is sent. A source takes the events of a call together or not at all
 * while they fit into one of its transactions (1,024 events at most, and a quarter of a channel); of a longer call
 * that failed, some events may be in the channel. `acknowledged`: set to the number of the first events that are
 * acknowledged, even when the function fails; may be NULL. */
PENSTOCK_CLIENT_PUBLIC int penstock_client_append_batch(struct penstock_client *client,
                                                        const struct penstock_client_event *events,
                                                        size_t count, size_t *acknowledged,
                                                        struct penstock_client_error *error);

/* Returns whether the client is usable: with failover and load balancing always; else whether its last call, or
 * penstock_client_connect, succeeded. True for a client that was only opened. */
PENSTOCK_CLIENT_PUBLIC int penstock_client_is_active(struct penstock_client *client);

/* Returns the maximum number of events of one call. */
PENSTOCK_CLIENT_PUBLIC size_t penstock_client_batch_events_max(const struct penstock_client *client);

/* Closes the client's connections and frees the client. No other thread may be in a call, or call it later. NULL
 * is allowed. */
PENSTOCK_CLIENT_PUBLIC void penstock_client_close(struct penstock_client *client);

/* Returns the version of penstock to which the library belongs. */
PENSTOCK_CLIENT_PUBLIC const char *penstock_client_version(void);

#ifdef __cplusplus
}
#endif
#endif
