#include "stages/lib/rpc/client.h"

#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ps_rpc_client_init(struct ps_rpc_client *client, const struct ps_rpc_client_settings *settings,
                        const struct ps_client_plan *to)
{
    PS_ASSERT(settings->window_max <= PS_RPC_CALLS_MAX && settings->window <= PS_RPC_CALLS_MAX);
    *client = (struct ps_rpc_client){.settings = settings};
    ps_client_init(&client->connection, to);
}

void ps_rpc_client_fini(struct ps_rpc_client *client)
{
    ps_rpc_client_close(client);
    free(client->out);
    client->out = NULL;
}

static bool give_up(struct ps_rpc_client *client, const char *reason)
{
    snprintf(client->reason, sizeof client->reason, "%s", reason);
    client->gave_up = true;
    return false;
}

/* ---- the connection ---- */

bool ps_rpc_client_connect(struct ps_rpc_client *client, uint64_t now_ns)
{
    return ps_client_connect(&client->connection, now_ns, client->reason);
}

void ps_rpc_client_close(struct ps_rpc_client *client)
{
    ps_client_close(&client->connection);
    client->greeted = client->greeting = client->is_penstock = client->full = client->starved =
        client->gave_up = false;
    client->call_count = 0;
    client->out_at = client->out_end = 0;
    client->in_length = 0;
}

static bool is_up(const struct ps_rpc_client *client)
{
    return client->connection.phase == PS_CLIENT_UP;
}

/* ---- calls ---- */

bool ps_rpc_client_may_send(const struct ps_rpc_client *client)
{
    const struct ps_rpc_client_settings *settings = client->settings;
    if (!is_up(client) || client->out_at < client->out_end)
        return false;
    if (!client->greeted)
        return !client->greeting; /* the answer to the first call tells which kind of server it is */
    return client->call_count < (client->is_penstock ? settings->window_max : settings->window);
}

uint8_t *ps_rpc_client_reserve(struct ps_rpc_client *client, size_t bytes)
{
    size_t head = client->settings->protocol->head_bytes_max, wanted = head + bytes;
    if (wanted > client->out_room) {
        uint8_t *out = realloc(client->out, 2 * wanted);
        if (out == NULL)
            return NULL;
        client->out = out;
        client->out_room = 2 * wanted;
    }
    return client->out + head;
}

void ps_rpc_client_send(struct ps_rpc_client *client, size_t length, uint64_t number, uint64_t now_ns)
{
    const struct ps_rpc_protocol *protocol = client->settings->protocol;
    uint8_t head[PS_RPC_HEAD_BYTES_MAX];
    size_t head_length = protocol->put_head(head, ++client->serial, !client->greeted, length);
    PS_ASSERT(client->call_count < PS_RPC_CALLS_MAX);
    client->greeting = client->greeting || !client->greeted;
    client->out_at = protocol->head_bytes_max - head_length;
    client->out_end = protocol->head_bytes_max + length;
    memcpy(client->out + client->out_at, head, head_length);
    client->calls[client->call_count++] =
        (struct ps_rpc_client_call){.serial = client->serial, .number = number, .sent_ns = now_ns};
}

/* ---- answers ---- */

/* Handles an answer. Returns false when the connection is given up. */
static bool take_answer(struct ps_rpc_client *client, const struct ps_rpc_client_answers *answers,
                        const struct ps_rpc_answer *answer)
{
    unsigned at = 0;
    while (at < client->call_count && client->calls[at].serial != answer->number)
        at++;
    if (answer->no_match)
        return give_up(client, "the server does not speak Flume's protocol");
    if (answer->failed) {
        snprintf(client->reason, sizeof client->reason, "the server answers with an error: %s",
                 answer->error);
        return false;
    }
    if (at == client->call_count)
        return give_up(client, "an answer without a matching call");
    uint64_t number = client->calls[at].number;
    client->call_count--;
    memmove(client->calls + at, client->calls + at + 1, (client->call_count - at) * sizeof *client->calls);
    if (!client->greeted)
        client->is_penstock = answer->penstock;
    client->greeted = true;
    answers->answered(answers->owner, number, answer->status);
    return true;
}

/* Handles all answers that were received. Returns false when the connection is given up. */
static bool take_answers(struct ps_rpc_client *client, const struct ps_rpc_client_answers *answers)
{
    size_t at = 0;
    for (;;) {
        struct ps_rpc_answer answer;
        size_t length = 0;
        enum ps_rpc_arrival reading = client->settings->protocol->read_answer(
            client->in + at, client->in_length - at, !client->greeted, client->scratch, &answer, &length);
        if (reading == PS_RPC_NONSENSE)
            return give_up(client, "the answer is not one of the protocol");
        if (reading == PS_RPC_MORE)
            break;
        if (!take_answer(client, answers, &answer))
            return false;
        at += length;
    }
    memmove(client->in, client->in + at, client->in_length - at);
    client->in_length -= at;
    return true;
}

static bool read_answers(struct ps_rpc_client *client, const struct ps_rpc_client_answers *answers)
{
    for (;;) {
        ssize_t length = ps_client_read(&client->connection, client->in + client->in_length,
                                        sizeof client->in - client->in_length, client->reason);
        if (length <= 0)
            return length == 0;
        client->in_length += (size_t)length;
        if (!take_answers(client, answers))
            return false;
    }
}

/* ---- the cycle ---- */

static bool write_call(struct ps_rpc_client *client)
{
    client->full = false;
    while (client->out_at < client->out_end) {
        const struct iovec part = {client->out + client->out_at, client->out_end - client->out_at};
        ssize_t length = ps_client_write(&client->connection, &part, 1, client->reason);
        client->starved = length == PS_TRANSPORT_NO_MEMORY;
        if (length < 0)
            return false;
        client->full = length == 0;
        if (client->full)
            return true;
        client->out_at += (size_t)length;
    }
    return true;
}

bool ps_rpc_client_work(struct ps_rpc_client *client, const struct ps_rpc_client_answers *answers,
                        uint64_t now_ns)
{
    if (!ps_client_work(&client->connection, now_ns, client->reason))
        return false;
    if (!is_up(client))
        return true;
    if (!read_answers(client, answers))
        return false;
    if (client->call_count > 0 && now_ns >= client->calls[0].sent_ns + client->settings->answer_ns)
        return give_up(client, "no answer in time (request-timeout)");
    return write_call(client);
}

bool ps_rpc_client_is_starved(const struct ps_rpc_client *client, uint64_t *number)
{
    if (!client->starved || client->call_count == 0)
        return false;
    const struct ps_rpc_client_call *last = &client->calls[client->call_count - 1];
    *number = last->number;
    return last->serial == client->serial; /* otherwise the server has answered it already */
}

uint64_t ps_rpc_client_deadline(const struct ps_rpc_client *client)
{
    switch (client->connection.phase) {
    case PS_CLIENT_CLOSED:
        return PS_NEVER;
    case PS_CLIENT_CONNECTING:
    case PS_CLIENT_SHAKING:
        return client->connection.deadline_ns;
    case PS_CLIENT_UP:
        break;
    }
    return client->call_count > 0 ? client->calls[0].sent_ns + client->settings->answer_ns : PS_NEVER;
}

int ps_rpc_client_descriptor(const struct ps_rpc_client *client, short *events)
{
    return ps_client_descriptor(&client->connection, client->full, events);
}
