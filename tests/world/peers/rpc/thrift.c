/* Thrift's RPC in frames, in the compact and the binary protocol (thrift-compact-protocol.md and thrift-binary-protocol.md of Thrift's
 * specification). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/rpc/rpc.h"

enum { CALL = 1, REPLY = 2, EXCEPTION = 3 };

/* The types that Flume's calls need: a number of each protocol. */
enum type { I32, BINARY, MAP, LIST, STRUCT, TYPES };
static const uint8_t numbers[2][TYPES] = {{8, 11, 13, 15, 12}, {5, 8, 11, 9, 12}};

struct thrift_in {
    struct kafka_in in;
    bool compact;
};

struct thrift_out {
    struct kafka_out out;
    bool compact;
};

/* ---- reading ---- */

static uint64_t get_varint(struct kafka_in *in)
{
    int64_t zigzag = kafka_get_varint(in);
    return (uint64_t)zigzag << 1 ^ (uint64_t)(zigzag >> 63);
}

static int32_t get_i32(struct thrift_in *in)
{
    return (int32_t)(in->compact ? kafka_get_varint(&in->in) : kafka_get(&in->in, 4));
}

static int64_t get_size(struct thrift_in *in)
{
    return in->compact ? (int64_t)get_varint(&in->in) : kafka_get(&in->in, 4);
}

static const char *get_text(struct thrift_in *in, size_t *length)
{
    int64_t size = get_size(in);
    const char *text = (const char *)kafka_get_bytes(&in->in, size);
    *length = text == NULL ? 0 : (size_t)size;
    return text;
}

/* Skips a value of a type that Flume's calls do not have. */
static void skip(struct thrift_in *in, unsigned number)
{
    static const uint8_t binary_bytes[16] = {[2] = 1, [3] = 1, [4] = 8, [6] = 2, [8] = 4, [10] = 8};
    size_t length;
    if (number == numbers[in->compact][BINARY])
        get_text(in, &length);
    else if (in->compact && number >= 4 && number <= 6)
        get_varint(&in->in);
    else if (in->compact ? number == 3 || number == 7 : number < 16 && binary_bytes[number] > 0)
        kafka_get_bytes(&in->in, !in->compact ? binary_bytes[number] : number == 3 ? 1 : 8);
    else if (!in->compact || number > 2)
        world_fatal("a field of Thrift's type %u", number);
}

/* Reads the head of the next field; *id is that of the one before. Returns the number of its type; 0 at the end. */
static unsigned get_field(struct thrift_in *in, int16_t *id)
{
    unsigned byte = (uint8_t)kafka_get(&in->in, 1);
    if (!in->compact) {
        if (byte != 0)
            *id = (int16_t)kafka_get(&in->in, 2);
        return byte;
    }
    if (byte >> 4 != 0)
        *id = (int16_t)(*id + (int16_t)(byte >> 4));
    else if (byte != 0)
        *id = (int16_t)kafka_get_varint(&in->in);
    return byte & 15;
}

static void get_headers(struct thrift_in *in, struct ledger_event *event)
{
    int64_t count;
    if (in->compact) {
        count = get_size(in);
        if (count > 0)
            kafka_get(&in->in, 1);
    } else {
        kafka_get(&in->in, 2);
        count = get_size(in);
    }
    for (event->count = 0; count > 0 && !in->in.bad; count--) {
        struct ledger_pair pair;
        pair.name = get_text(in, &pair.name_length);
        pair.value = get_text(in, &pair.value_length);
        if (event->count == LEDGER_HEADERS_MAX)
            world_fatal("an event has more than %u headers", LEDGER_HEADERS_MAX);
        event->headers[event->count++] = pair;
    }
}

static void get_event(struct thrift_in *in, struct ledger_event *event)
{
    const uint8_t *types = numbers[in->compact];
    int16_t id = 0;
    *event = (struct ledger_event){0};
    for (unsigned type = get_field(in, &id); type != 0 && !in->in.bad; type = get_field(in, &id)) {
        if (id == 1 && type == types[MAP])
            get_headers(in, event);
        else if (id == 2 && type == types[BINARY])
            event->body = get_text(in, &event->length);
        else
            skip(in, type);
    }
}

static int64_t get_list(struct thrift_in *in)
{
    unsigned byte = (uint8_t)kafka_get(&in->in, 1);
    if (!in->compact)
        return kafka_get(&in->in, 4);
    return byte >> 4 == 15 ? get_size(in) : (int64_t)(byte >> 4);
}

/* Reads the head of a message. Returns its kind. */
static unsigned get_message(struct thrift_in *in, char name[32], int32_t *serial)
{
    unsigned first = (uint8_t)kafka_get(&in->in, 1), kind;
    size_t length;
    in->compact = first == 0x82;
    if (in->compact) {
        kind = (unsigned)kafka_get(&in->in, 1) >> 5 & 7;
        *serial = (int32_t)get_varint(&in->in);
    } else {
        kafka_get(&in->in, 2);
        kind = (uint8_t)kafka_get(&in->in, 1);
    }
    const char *text = get_text(in, &length);
    snprintf(name, 32, "%.*s", (int)length, text == NULL ? "" : text);
    if (!in->compact)
        *serial = (int32_t)kafka_get(&in->in, 4);
    return kind;
}

/* ---- writing ---- */

static void put_varint(struct kafka_out *out, uint64_t value)
{
    for (; value > 127; value >>= 7)
        kafka_put(out, (int64_t)(value & 127) | 128, 1);
    kafka_put(out, (int64_t)value, 1);
}

static void put_size(struct thrift_out *out, size_t size)
{
    if (out->compact)
        put_varint(&out->out, size);
    else
        kafka_put(&out->out, (int64_t)size, 4);
}

static void put_i32(struct thrift_out *out, int32_t value)
{
    if (out->compact)
        put_varint(&out->out, (uint32_t)value << 1 ^ (uint32_t)(value >> 31));
    else
        kafka_put(&out->out, value, 4);
}

static void put_text(struct thrift_out *out, const char *text, size_t length)
{
    put_size(out, length);
    kafka_put_bytes(&out->out, text, length);
}

/* Fields of Flume's structs have the numbers 0, 1, 2, so a step is at most one. */
static void put_field(struct thrift_out *out, enum type type, int id, int before)
{
    unsigned number = numbers[out->compact][type];
    if (!out->compact) {
        kafka_put(&out->out, number, 1);
        kafka_put(&out->out, id, 2);
    } else if (id > before) {
        kafka_put(&out->out, (id - before) << 4 | (int)number, 1);
    } else { /* the field 0 of an answer */
        kafka_put(&out->out, number, 1);
        put_varint(&out->out, 0);
    }
}

static void put_stop(struct thrift_out *out)
{
    kafka_put(&out->out, 0, 1);
}

static void put_message(struct thrift_out *out, unsigned kind, const char *name, int32_t serial)
{
    if (out->compact) {
        kafka_put(&out->out, 0x82, 1);
        kafka_put(&out->out, (int64_t)(kind << 5 | 1), 1);
        put_varint(&out->out, (uint32_t)serial);
    } else {
        kafka_put(&out->out, (int64_t)(0x80010000U | kind), 4);
    }
    put_text(out, name, strlen(name));
    if (!out->compact)
        kafka_put(&out->out, serial, 4);
}

/* Returns where the frame's length is. */
static size_t begin_frame(struct thrift_out *out)
{
    kafka_put(&out->out, 0, 4);
    return out->out.length;
}

static void end_frame(struct thrift_out *out, size_t begin)
{
    kafka_patch(&out->out, begin - 4, (int64_t)(out->out.length - begin), 4);
}

/* ---- the server ---- */

static void take_events(struct thrift_in in, bool is_batch)
{
    struct ledger_event event;
    int16_t id = 0;
    for (unsigned type = get_field(&in, &id); type != 0; type = get_field(&in, &id)) {
        if (id != 1 || type != numbers[in.compact][is_batch ? LIST : STRUCT]) {
            skip(&in, type);
            continue;
        }
        for (int64_t count = is_batch ? get_list(&in) : 1; count > 0 && !in.in.bad; count--) {
            get_event(&in, &event);
            ledger_arrived_event(&event);
        }
    }
    if (in.in.bad || in.in.at != in.in.end)
        world_fatal("the sink's call is not whole");
}

static void answer(struct thrift_out *out, const char *name, int32_t serial, enum server_fate fate)
{
    bool is_error = fate == SERVER_REFUSE && world_below(2) == 0;
    put_message(out, is_error ? EXCEPTION : REPLY, name, serial);
    if (is_error) { /* TApplicationException */
        put_field(out, BINARY, 1, 0);
        put_text(out, "no", 2);
        put_field(out, I32, 2, 1);
        put_i32(out, 6);
    } else {
        put_field(out, I32, 0, 0);
        put_i32(out, fate == SERVER_REFUSE ? RPC_FAILED + (int)world_below(2) : RPC_OK);
    }
    put_stop(out);
}

/* Returns the whole length of the first frame, 0 if it is not there. */
static size_t whole_frame(const char *bytes, size_t length, struct thrift_in *message)
{
    struct kafka_in in = {(const unsigned char *)bytes, (const unsigned char *)bytes + length, false};
    int64_t size = kafka_get(&in, 4);
    const unsigned char *at = kafka_get_bytes(&in, size);
    if (in.bad)
        return 0;
    message->in = (struct kafka_in){at, at + size, false};
    return (size_t)size + 4;
}

bool rpc_thrift_take(void *argument, struct connection *connection)
{
    struct thrift_in in;
    size_t length = whole_frame(connection->in, connection->in_length, &in);
    if (length == 0)
        return true;
    char name[32];
    int32_t serial;
    if (get_message(&in, name, &serial) != CALL)
        world_fatal("the sink sends no call");
    enum server_fate fate = rpc_fate(argument);
    if (fate == SERVER_BREAK_BEFORE)
        return false;
    if (fate != SERVER_REFUSE)
        take_events(in, strcmp(name, "appendBatch") == 0);
    if (fate == SERVER_BREAK_AFTER)
        return false;
    struct thrift_out out = {{(unsigned char *)connection->out, 0, RPC_ROOM_BYTES, false}, in.compact};
    size_t begin = begin_frame(&out);
    answer(&out, name, serial, fate);
    end_frame(&out, begin);
    connection->out_length = out.out.length;
    connection->answers_ns = server_draw_answer_ns();
    connection_taken(connection, length);
    return true;
}

/* ---- the client ---- */

struct thrift_client {
    int32_t serial;
    bool compact;
};

static void put_event(struct thrift_out *out, const struct ledger_event *event)
{
    put_field(out, MAP, 1, 0);
    unsigned binary = numbers[out->compact][BINARY];
    if (out->compact)
        put_size(out, event->count);
    if (out->compact && event->count > 0)
        kafka_put(&out->out, (int64_t)(binary << 4 | binary), 1);
    else if (!out->compact)
        kafka_put(&out->out, (int64_t)(binary << 8 | binary), 2);
    if (!out->compact)
        put_size(out, event->count);
    for (unsigned i = 0; i < event->count; i++) {
        put_text(out, event->headers[i].name, event->headers[i].name_length);
        put_text(out, event->headers[i].value, event->headers[i].value_length);
    }
    put_field(out, BINARY, 2, 1);
    put_text(out, event->body, event->length);
    put_stop(out);
}

static void put_list(struct thrift_out *out, uint32_t count)
{
    unsigned type = numbers[out->compact][STRUCT];
    if (!out->compact) {
        kafka_put(&out->out, type, 1);
        kafka_put(&out->out, count, 4);
    } else if (count < 15) {
        kafka_put(&out->out, (int64_t)(count << 4 | type), 1);
    } else {
        kafka_put(&out->out, (int64_t)(0xf0 | type), 1);
        put_varint(&out->out, count);
    }
}

static void put_call(struct client *client, struct thrift_out *out, int32_t serial)
{
    size_t begin = begin_frame(out);
    uint32_t events = rpc_next_call(client);
    bool is_batch = events > 1 || world_below(2) == 0;
    put_message(out, CALL, is_batch ? "appendBatch" : "append", serial);
    put_field(out, is_batch ? LIST : STRUCT, 1, 0);
    if (is_batch)
        put_list(out, events);
    struct rpc_event event;
    for (; events > 0; events--) {
        rpc_make_event(client->window[client->written++], &event);
        put_event(out, &event.event);
    }
    put_stop(out);
    end_frame(out, begin);
}

static void thrift_write(struct client *client)
{
    struct thrift_client *thrift = client->state;
    struct thrift_out out = {{(unsigned char *)client->out, 0, CLIENT_OUT_BYTES, false}, thrift->compact};
    while (client->written < client->count)
        put_call(client, &out, ++thrift->serial);
    if (out.out.full)
        world_fatal("calls of more than %zu bytes", (size_t)CLIENT_OUT_BYTES);
    client->out_length = out.out.length;
}

static int read_status(struct thrift_in *in, unsigned kind)
{
    int16_t id = 0;
    if (kind == EXCEPTION)
        return RPC_ERROR;
    if (get_field(in, &id) != numbers[in->compact][I32] || id != 0)
        world_fatal("the source answers without a status");
    return get_i32(in);
}

static int thrift_read(struct client *client)
{
    struct thrift_client *thrift = client->state;
    int done = 0;
    while (!client->refused) {
        struct thrift_in in;
        size_t length = whole_frame(client->in, client->in_length, &in);
        if (length == 0)
            break;
        char name[32];
        int32_t serial;
        unsigned kind = get_message(&in, name, &serial);
        if (serial != thrift->serial - (int32_t)client->calls + 1 || in.compact != thrift->compact)
            world_fatal("the answer %d to call %d", serial, thrift->serial);
        int status = read_status(&in, kind);
        if (in.in.bad)
            world_fatal("the source's answer is too short");
        done += rpc_call_answered(client, status);
        client->in_length -= length;
        memmove(client->in, client->in + length, client->in_length);
    }
    return done;
}

/* ---- a call of a scenario ---- */

void rpc_thrift_call(struct kafka_out *to, const struct ledger_event *events, uint32_t count, bool compact)
{
    struct thrift_out out = {*to, compact};
    size_t begin = begin_frame(&out);
    put_message(&out, CALL, count != 1 ? "appendBatch" : "append", 7);
    put_field(&out, count != 1 ? LIST : STRUCT, 1, 0);
    if (count != 1)
        put_list(&out, count);
    for (uint32_t i = 0; i < count; i++)
        put_event(&out, &events[i]);
    put_stop(&out);
    end_frame(&out, begin);
    *to = out.out;
}

int rpc_thrift_answer(char *bytes, size_t length)
{
    struct thrift_in in;
    char name[32];
    int32_t serial;
    if (whole_frame(bytes, length, &in) == 0)
        return RPC_ANSWER_LATER;
    unsigned kind = get_message(&in, name, &serial);
    if (serial != 7)
        world_fatal("the answer %d to call 7", serial);
    return read_status(&in, kind);
}

void rpc_thrift_client_add(uint16_t port)
{
    rpc_expect_headers();
    struct thrift_client *thrift = world_allocate(sizeof *thrift);
    thrift->compact = world_below(2) == 0;
    client_add(port, thrift_write, thrift_read)->state = thrift;
}
