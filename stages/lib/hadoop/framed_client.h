/* The common part of a client that writes batches to several framed servers (framed.h): its servers, the batches that are open, and its turns.
 * A client begins with a struct ps_framed_client, and each of its batches with a struct ps_framed_batch.
 *
 * Thread: the worker of the loop. Never blocks. */
#pragma once

#include "stages/lib/hadoop/framed.h"

#define PS_FRAMED_REASONS 8U /* different reasons of a batch; further ones count as the last */
#define PS_FRAMED_REASON_BYTES 256U

struct ps_framed_batch {
    void *owner;
    char reasons[PS_FRAMED_REASONS][PS_FRAMED_REASON_BYTES];
    unsigned reason_count;
    bool reached; /* a server may have a part of it */
    /* The client's: */
    bool open, changed;
    struct ps_framed_batch *next;
};

struct ps_framed_client {
    struct ps_framed_server_settings server_settings;
    uint64_t rest_max_ns; /* longest rest of a server */
    struct ps_hadoop_loop *loop;
    struct ps_framed_server *servers;
    struct ps_framed_batch *batches;
    bool changed;
    /* Goes on with a batch that has changed. It may end it, and its owner may submit it again. */
    void (*push)(struct ps_framed_client *client, struct ps_framed_batch *batch);
    /* Goes on with what is looked up. */
    void (*ask)(struct ps_framed_client *client);
};

/* Notes why a part of the batch is not delivered. Returns the reason's number. */
uint8_t ps_framed_batch_note(struct ps_framed_batch *batch, const char *reason);

/* Opens the loop. The client has set the other members. */
enum ps_status ps_framed_client_open(struct ps_framed_client *client, struct ps_port *port,
                                     struct ps_err *err);
/* Closes and frees all servers, and the loop. `leave`: frees what the client added to a server; NULL: nothing. */
void ps_framed_client_close(struct ps_framed_client *client,
                            void (*leave)(struct ps_framed_client *client, struct ps_framed_server *server));

/* Adds a batch that is not open. */
void ps_framed_client_submit(struct ps_framed_client *client, struct ps_framed_batch *batch);
/* Forgets a batch. One that is not open is allowed. */
void ps_framed_client_withdraw(struct ps_framed_client *client, struct ps_framed_batch *batch);
/* Goes on. Returns the mono_ns at which it must be called again at the latest, or PS_NEVER. */
uint64_t ps_framed_client_turn(struct ps_framed_client *client, const struct ps_now *now);

static inline uint64_t ps_framed_client_now_ns(const struct ps_framed_client *client)
{
    return ps_hadoop_loop_now(client->loop).mono_ns;
}

static inline void ps_framed_client_change(struct ps_framed_client *client, struct ps_framed_batch *batch)
{
    batch->changed = true;
    client->changed = true;
}

/* Each open batch is to be pushed, and look-ups go on. */
static inline void ps_framed_client_change_all(struct ps_framed_client *client)
{
    client->changed = true;
    for (struct ps_framed_batch *batch = client->batches; batch != NULL; batch = batch->next)
        batch->changed = true;
}

/* The server has failed: it gets nothing for a while. */
static inline void ps_framed_client_pause(struct ps_framed_client *client, struct ps_framed_server *server)
{
    server->pause_ns =
        ps_framed_client_now_ns(client) + ps_framed_rest_ns(server->failures++, client->rest_max_ns);
}

static inline bool ps_framed_client_rests(const struct ps_framed_client *client,
                                          const struct ps_framed_server *server)
{
    return ps_framed_client_now_ns(client) < server->pause_ns;
}

/* Returns the server of this name; NULL: there is no memory, or there are too many. */
static inline struct ps_framed_server *ps_framed_client_server(struct ps_framed_client *client,
                                                               const char *host, size_t length, unsigned port)
{
    return ps_framed_server_of(&client->servers, &client->server_settings, client, host, length, port);
}
