#include "stages/lib/hadoop/framed_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 32U /* of one turn; the next turn goes on with the rest */

uint8_t ps_framed_batch_note(struct ps_framed_batch *batch, const char *reason)
{
    unsigned number = 0;
    while (number < batch->reason_count && strcmp(batch->reasons[number], reason) != 0)
        number++;
    if (number == PS_FRAMED_REASONS)
        number--;
    if (number == batch->reason_count) {
        (void)snprintf(batch->reasons[number], PS_FRAMED_REASON_BYTES, "%s", reason);
        batch->reason_count++;
    }
    return (uint8_t)number;
}

enum ps_status ps_framed_client_open(struct ps_framed_client *client, struct ps_port *port,
                                     struct ps_err *err)
{
    if (ps_hadoop_loop_open(&client->loop, port, err) != PS_OK)
        return PS_FAIL;
    client->server_settings.loop = client->loop;
    return PS_OK;
}

void ps_framed_client_close(struct ps_framed_client *client,
                            void (*leave)(struct ps_framed_client *client, struct ps_framed_server *server))
{
    while (client->servers != NULL) {
        struct ps_framed_server *server = client->servers;
        client->servers = server->next;
        ps_framed_server_fini(server);
        if (leave != NULL)
            leave(client, server);
        free(server);
    }
    ps_hadoop_loop_close(client->loop);
}

void ps_framed_client_submit(struct ps_framed_client *client, struct ps_framed_batch *batch)
{
    PS_ASSERT(!batch->open);
    batch->open = true;
    batch->reached = false;
    batch->reason_count = 0;
    batch->next = client->batches;
    client->batches = batch;
    ps_framed_client_change(client, batch);
}

void ps_framed_client_withdraw(struct ps_framed_client *client, struct ps_framed_batch *batch)
{
    struct ps_framed_batch **at = &client->batches;
    while (*at != NULL && *at != batch)
        at = &(*at)->next;
    if (*at != NULL)
        *at = batch->next;
    batch->open = false;
}

/* Pushes the batches that changed. A push may end one, which the owner may submit again. */
static void push_changed(struct ps_framed_client *client)
{
    struct ps_framed_batch *batch = client->batches;
    client->changed = false;
    while (batch != NULL) {
        if (batch->changed) {
            batch->changed = false;
            client->push(client, batch);
            batch = client->batches; /* the list may have changed */
        } else {
            batch = batch->next;
        }
    }
    client->ask(client);
}

uint64_t ps_framed_client_turn(struct ps_framed_client *client, const struct ps_now *now)
{
    uint64_t due_ns = ps_hadoop_loop_turn(client->loop, now);
    for (unsigned i = 0; client->changed && i < ROUNDS_MAX; i++) {
        push_changed(client);
        due_ns = ps_hadoop_loop_turn(client->loop, now);
    }
    return client->changed ? now->mono_ns : due_ns;
}
