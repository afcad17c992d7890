/* Avro's RPC over a connection: messages of several buffers with a serial number, and a handshake before the first one (Avro 1.11,
 * "Protocol Wire Format"). The frame is that of Avro's Netty transport. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/rpc/rpc.h"

#define HASH_BYTES 16
enum { MATCH_BOTH, MATCH_CLIENT, MATCH_NONE };

static const char protocol[] =
    "{\"protocol\":\"AvroSourceProtocol\",\"namespace\":\"org.apache.flume.source.avro\",\"types\":[{"
    "\"type\":\"enum\","
    "\"name\":\"Status\",\"symbols\":[\"OK\",\"FAILED\",\"UNKNOWN\"]},{\"type\":\"record\",\"name\":"
    "\"AvroFlumeEvent\","
    "\"fields\":[{\"name\":\"headers\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\","
    "\"type\":"
    "\"bytes\"}]}],\"messages\":{\"append\":{\"request\":[{\"name\":\"event\",\"type\":\"AvroFlumeEvent\"}],"
    "\"response\":"
    "\"Status\"},\"appendBatch\":{\"request\":[{\"name\":\"events\",\"type\":{\"type\":\"array\",\"items\":"
    "\"AvroFlumeEvent\"}}],\"response\":\"Status\"}}}";
/* MD5 of the text above */
static const unsigned char hash[HASH_BYTES] = {0x30, 0xda, 0x54, 0x05, 0x9d, 0xf7, 0x2d, 0x95,
                                               0x84, 0xb8, 0x67, 0xd5, 0x20, 0x2e, 0x20, 0x69};

static void put_long(struct kafka_out *out, int64_t value)
{
    uint64_t left = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; left > 127; left >>= 7)
        kafka_put(out, (int64_t)(left & 127) | 128, 1);
    kafka_put(out, (int64_t)left, 1);
}

static void put_text(struct kafka_out *out, const char *text, size_t length)
{
    put_long(out, (int64_t)length);
    kafka_put_bytes(out, text, length);
}

static const char *get_text(struct kafka_in *in, size_t *length)
{
    int64_t bytes = kafka_get_varint(in);
    const unsigned char *at = kafka_get_bytes(in, bytes);
    *length = at == NULL ? 0 : (size_t)bytes;
    return (const char *)at;
}

/* Reads the number of the next block of a map or an array. */
static int64_t get_block(struct kafka_in *in)
{
    int64_t count = kafka_get_varint(in);
    if (count >= 0)
        return count;
    kafka_get_varint(in); /* its bytes */
    return -count;
}

static void skip_map(struct kafka_in *in)
{
    size_t length;
    for (int64_t count = get_block(in); count > 0 && !in->bad; count = get_block(in))
        for (; count > 0 && !in->bad; count--) {
            get_text(in, &length);
            get_text(in, &length);
        }
}

static void get_event(struct kafka_in *in, struct ledger_event *event)
{
    event->count = 0;
    for (int64_t count = get_block(in); count > 0 && !in->bad; count = get_block(in))
        for (; count > 0 && !in->bad; count--) {
            struct ledger_pair pair;
            pair.name = get_text(in, &pair.name_length);
            pair.value = get_text(in, &pair.value_length);
            if (event->count == LEDGER_HEADERS_MAX)
                world_fatal("an event has more than %u headers", LEDGER_HEADERS_MAX);
            event->headers[event->count++] = pair;
        }
    event->body = get_text(in, &event->length);
}

/* ---- frames ---- */

/* Begins a message; its buffers are one. Returns where its length is. */
static size_t begin_frame(struct kafka_out *out, int64_t serial)
{
    kafka_put(out, serial, 4);
    kafka_put(out, 1, 4);
    kafka_put(out, 0, 4);
    return out->length;
}

static void end_frame(struct kafka_out *out, size_t begin)
{
    kafka_patch(out, begin - 4, (int64_t)(out->length - begin), 4);
}

/* Joins the buffers of the first message in place. Returns its whole length, 0 if it is not there. */
static size_t join_frame(char *bytes, size_t length, int64_t *serial, struct kafka_in *message)
{
    struct kafka_in in = {(unsigned char *)bytes, (unsigned char *)bytes + length, false};
    *serial = kafka_get(&in, 4);
    int64_t buffers = kafka_get(&in, 4);
    for (int64_t i = 0; i < buffers && !in.bad; i++)
        kafka_get_bytes(&in, kafka_get(&in, 4));
    if (in.bad)
        return 0;
    size_t whole = length - (size_t)(in.end - in.at);
    in = (struct kafka_in){(unsigned char *)bytes + 8, (unsigned char *)bytes + whole, false};
    unsigned char *to = (unsigned char *)bytes + 8;
    for (int64_t i = 0; i < buffers; i++) {
        int64_t part = kafka_get(&in, 4);
        memmove(to, kafka_get_bytes(&in, part), (size_t)part);
        to += part;
    }
    *message = (struct kafka_in){(unsigned char *)bytes + 8, to, false};
    return whole;
}

/* ---- the server ---- */

/* Answers the handshake. Returns whether the call is carried out. */
static bool shake_hands(struct connection *connection, struct kafka_in *in, struct kafka_out *out)
{
    kafka_get_bytes(in, HASH_BYTES);
    size_t length;
    bool has_text = kafka_get_varint(in) == 1;
    if (has_text)
        get_text(in, &length);
    const unsigned char *theirs = kafka_get_bytes(in, HASH_BYTES);
    if (kafka_get_varint(in) == 1)
        skip_map(in);
    bool same = theirs != NULL && memcmp(theirs, hash, HASH_BYTES) == 0;
    int match = has_text || world_below(2) == 0 ? same ? MATCH_BOTH : MATCH_CLIENT : MATCH_NONE;
    put_long(out, match);
    put_long(out, !same);
    if (!same)
        put_text(out, protocol, sizeof protocol - 1);
    put_long(out, !same);
    if (!same)
        kafka_put_bytes(out, hash, HASH_BYTES);
    put_long(out, 0);
    if (match != MATCH_NONE)
        connection->state = 1;
    return match != MATCH_NONE;
}

static void take_events(struct kafka_in in, bool is_batch)
{
    struct ledger_event event;
    if (!is_batch) {
        get_event(&in, &event);
        ledger_arrived_event(&event);
        return;
    }
    for (int64_t count = get_block(&in); count > 0 && !in.bad; count = get_block(&in))
        for (; count > 0 && !in.bad; count--) {
            get_event(&in, &event);
            ledger_arrived_event(&event);
        }
    if (in.bad || in.at != in.end)
        world_fatal("the sink's call is not whole");
}

/* Returns a number above 1 for the first event of a call. */
static unsigned first_event(struct kafka_in in, bool is_batch)
{
    struct ledger_event event = {0};
    if (!is_batch || get_block(&in) > 0)
        get_event(&in, &event);
    return 2 + (unsigned)(event.length > 6 ? strtoul(event.body + 6, NULL, 10) : 0);
}

/* Carries out a call behind the handshake. Returns false when the connection is to be closed. Its protocol makes the server a penstock, which
 * refuses the calls behind a refused one until that comes again. */
static bool carry_out(const struct rpc_fates *fates, struct connection *connection, struct kafka_in *in,
                      struct kafka_out *out)
{
    skip_map(in);
    size_t length;
    const char *name = get_text(in, &length);
    if (length == 0)
        return true; /* a ping: the handshake is all */
    enum server_fate fate = rpc_fate(fates);
    if (fate == SERVER_BREAK_BEFORE)
        return false;
    bool is_batch = length == 11 && memcmp(name, "appendBatch", 11) == 0;
    unsigned first = first_event(*in, is_batch);
    if (connection->state > 1 && connection->state != first)
        fate = SERVER_REFUSE;
    else
        connection->state = fate == SERVER_REFUSE ? first : 1;
    if (fate != SERVER_REFUSE)
        take_events(*in, is_batch);
    bool is_error = fate == SERVER_REFUSE && world_below(2) == 0;
    put_long(out, 0);
    kafka_put(out, is_error, 1);
    put_long(out, is_error ? 0 : fate == SERVER_REFUSE ? RPC_FAILED : RPC_OK);
    if (is_error)
        put_text(out, "no", 2);
    return fate != SERVER_BREAK_AFTER;
}

bool rpc_avro_take(void *argument, struct connection *connection)
{
    int64_t serial;
    struct kafka_in in;
    size_t length = join_frame(connection->in, connection->in_length, &serial, &in);
    if (length == 0)
        return true;
    struct kafka_out out = {(unsigned char *)connection->out, 0, RPC_ROOM_BYTES, false};
    size_t begin = begin_frame(&out, serial);
    if ((connection->state >= 1 || shake_hands(connection, &in, &out)) &&
        !carry_out(argument, connection, &in, &out))
        return false;
    end_frame(&out, begin);
    connection->out_length = out.length;
    connection->answers_ns = server_draw_answer_ns();
    connection_taken(connection, length);
    return true;
}

/* ---- the client ---- */

struct avro_client {
    uint32_t connection; /* client->connections at the handshake */
    bool shook, sends_text;
    int64_t serial;
};

static void put_event(struct kafka_out *out, const struct ledger_event *event)
{
    if (event->count > 0)
        put_long(out, event->count);
    for (unsigned i = 0; i < event->count; i++) {
        put_text(out, event->headers[i].name, event->headers[i].name_length);
        put_text(out, event->headers[i].value, event->headers[i].value_length);
    }
    put_long(out, 0);
    put_text(out, event->body, event->length);
}

static void put_handshake(struct kafka_out *out, bool sends_text)
{
    kafka_put_bytes(out, hash, HASH_BYTES);
    put_long(out, sends_text);
    if (sends_text)
        put_text(out, protocol, sizeof protocol - 1);
    kafka_put_bytes(out, hash, HASH_BYTES);
    put_long(out, 0);
}

static void put_call(struct client *client, struct avro_client *avro, struct kafka_out *out)
{
    size_t begin = begin_frame(out, ++avro->serial);
    if (!avro->shook)
        put_handshake(out, avro->sends_text);
    put_long(out, 0);
    uint32_t events = rpc_next_call(client);
    bool is_batch = events > 1 || world_below(2) == 0;
    put_text(out, "appendBatch", is_batch ? 11 : 6);
    if (is_batch)
        put_long(out, events);
    struct rpc_event event;
    for (; events > 0; events--) {
        rpc_make_event(client->window[client->written++], &event);
        put_event(out, &event.event);
    }
    if (is_batch)
        put_long(out, 0);
    end_frame(out, begin);
}

/* Nothing follows the first call of a connection before its answer: the handshake is in it. */
static void avro_write(struct client *client)
{
    struct avro_client *avro = client->state;
    if (avro->connection != client->connections) {
        *avro = (struct avro_client){.connection = client->connections,
                                     .sends_text = avro->sends_text || world_below(2) == 0};
        avro->serial = (int64_t)world_below(1000);
    }
    struct kafka_out out = {(unsigned char *)client->out, 0, CLIENT_OUT_BYTES, false};
    while (client->written < client->count && (avro->shook || client->calls == 0)) {
        put_call(client, avro, &out);
    }
    if (out.full)
        world_fatal("calls of more than %zu bytes", (size_t)CLIENT_OUT_BYTES);
    client->out_length = out.length;
}

/* Returns whether the call was carried out. */
static bool read_handshake(struct avro_client *avro, struct kafka_in *in)
{
    size_t length;
    int64_t match = kafka_get_varint(in);
    if (kafka_get_varint(in) == 1)
        get_text(in, &length);
    if (kafka_get_varint(in) == 1)
        kafka_get_bytes(in, HASH_BYTES);
    if (kafka_get_varint(in) == 1)
        skip_map(in);
    avro->shook = match != MATCH_NONE;
    avro->sends_text |= match == MATCH_NONE;
    return avro->shook;
}

/* What was not carried out for want of the protocol's text is sent again over a new connection. */
static int avro_read(struct client *client)
{
    struct avro_client *avro = client->state;
    int done = 0;
    while (!client->refused) {
        int64_t serial;
        struct kafka_in in;
        size_t length = join_frame(client->in, client->in_length, &serial, &in);
        if (length == 0)
            break;
        if (serial <= avro->serial - client->calls || serial > avro->serial)
            world_fatal("the answer %lld to call %lld", (long long)serial, (long long)avro->serial);
        if (serial != avro->serial - client->calls + 1) {
            rpc_order_lost(client);
            return -1;
        }
        if (!avro->shook && !read_handshake(avro, &in))
            return -1;
        skip_map(&in);
        bool is_error = kafka_get(&in, 1) != 0;
        int status = is_error ? RPC_ERROR : (int)kafka_get_varint(&in);
        if (in.bad)
            world_fatal("the source's answer is too short");
        done += rpc_call_answered(client, status);
        client->in_length -= length;
        memmove(client->in, client->in + length, client->in_length);
    }
    return done;
}

/* ---- a call of a scenario ---- */

void rpc_avro_call(struct kafka_out *out, const struct ledger_event *events, uint32_t count)
{
    size_t begin = begin_frame(out, 7);
    put_handshake(out, true);
    put_long(out, 0);
    put_text(out, "appendBatch", count != 1 ? 11 : 6);
    if (count > 1)
        put_long(out, count);
    for (uint32_t i = 0; i < count; i++)
        put_event(out, &events[i]);
    if (count != 1)
        put_long(out, 0);
    end_frame(out, begin);
}

int rpc_avro_answer(char *bytes, size_t length)
{
    int64_t serial;
    struct kafka_in in;
    struct avro_client avro = {0};
    if (join_frame(bytes, length, &serial, &in) == 0)
        return RPC_ANSWER_LATER;
    if (serial != 7 || !read_handshake(&avro, &in))
        world_fatal("the answer %lld to call 7", (long long)serial);
    skip_map(&in);
    return kafka_get(&in, 1) != 0 ? RPC_ERROR : (int)kafka_get_varint(&in);
}

void rpc_avro_client_add(uint16_t port)
{
    rpc_expect_headers();
    client_add(port, avro_write, avro_read)->state = world_allocate(sizeof(struct avro_client));
}
