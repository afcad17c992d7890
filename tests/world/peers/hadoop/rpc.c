/* Hadoop's RPC, version 9: the connection's beginning, calls and answers (hadoop-common, ipc/Server.java). */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/hadoop/cluster.h"

enum { GREETS, SPEAKS }; /* connection->state */
enum { CALL_CONTEXT = -3, CALL_PING = -4 };

#define GREETING_BYTES 7U
#define MS UINT64_C(1000000)

/* The calls that are carried out once, however often they come (@AtMostOnce). */
static bool is_carried_out_once(const char *method)
{
    static const char *const methods[] = {"create", "rename2", "delete", "updatePipeline"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i], method) == 0)
            return true;
    return false;
}

static struct hdfs_carried *carried(struct hdfs_cluster *cluster, const unsigned char *client, int64_t call)
{
    for (unsigned i = 0; i < HDFS_CARRIED; i++)
        if (cluster->carried[i].length > 0 && cluster->carried[i].call == call &&
            memcmp(cluster->carried[i].client, client, 16) == 0)
            return &cluster->carried[i];
    return NULL;
}

static void keep(struct hdfs_cluster *cluster, const unsigned char *client, int64_t call,
                 const struct proto_out *out)
{
    struct hdfs_carried *one = &cluster->carried[cluster->carried_at++ % HDFS_CARRIED];
    if (out->length > sizeof one->answer)
        world_fatal("an answer of the namenode is too long to be kept");
    *one = (struct hdfs_carried){.call = call, .length = out->length};
    memcpy(one->client, client, 16);
    memcpy(one->answer, out->bytes, out->length);
}

static void put_header(struct proto_out *out, int64_t call, const struct hdfs_error *error)
{
    size_t header = proto_begin(out, 0);
    proto_put_number(out, 1, (uint32_t)call);
    proto_put_number(out, 2, error->class == NULL ? 0 : 1);
    proto_put_number(out, 3, 9);
    if (error->class != NULL) {
        char text[640]; /* as the server: the message, and a trace of its own behind it */
        snprintf(text, sizeof text, "%s\n\tat org.apache.hadoop.ipc.Server$Handler.run(Server.java:3198)\n",
                 error->message);
        proto_put_text(out, 4, error->class);
        proto_put_text(out, 5, text);
        proto_put_number(out, 6, 1);
    }
    proto_end(out, header);
}

/* Writes the answer to a call. Returns false: it gets none. */
static bool answer_call(struct hdfs_cluster *cluster, int server, struct proto_in header, struct proto_in in,
                        struct proto_out *out)
{
    char method[64], protocol[96];
    int64_t call = proto_signed(proto_find(header, 3).value);
    struct proto_in client = proto_find(header, 4).in, name = proto_get_message(&in);
    struct proto_in message = proto_get_message(&in);
    proto_text(proto_find(name, 1).in, method, sizeof method);
    proto_text(proto_find(name, 2).in, protocol, sizeof protocol);
    if (client.end - client.at != 16 || message.bad || in.at != in.end ||
        strcmp(protocol, "org.apache.hadoop.hdfs.protocol.ClientProtocol") != 0)
        world_fatal("the agent's call %s of %s is not valid", method, protocol);
    const struct hdfs_carried *before = carried(cluster, client.at, call);
    if (before != NULL) {
        proto_put(out, before->answer, before->length);
        return true;
    }
    struct hdfs_error error = {0};
    struct proto_out body = {.bytes = world_allocate(HDFS_ROOM_BYTES), .room = HDFS_ROOM_BYTES};
    if (server != cluster->active)
        hdfs_refuse(&error, "org.apache.hadoop.ipc.StandbyException",
                    "Operation category WRITE is not supported in state standby");
    else
        hdfs_call(cluster, method, message, &body, &error);
    bool is_silent = error.class != NULL && error.class[0] == 0; /* a rule says so */
    if (!is_silent) {
        put_header(out, call, &error);
        if (error.class == NULL) {
            proto_put_varint(out, body.length);
            proto_put(out, body.bytes, body.length);
        }
        if (error.class == NULL && is_carried_out_once(method))
            keep(cluster, client.at, call, out);
    }
    world_free(body.bytes, HDFS_ROOM_BYTES);
    return !is_silent;
}

/* Whether a call breaks the connection before or after it is carried out, or is answered late. */
enum fate { BREAKS_BEFORE, BREAKS_AFTER, IS_LATE, IS_SERVED };

/* Takes one call. Returns false when the connection is to be closed; *goes_on: it had no answer, and another one may be there. */
static bool take_one(void *argument, struct connection *connection, bool *goes_on)
{
    struct hdfs_cluster *cluster = argument;
    const unsigned char *bytes = (const unsigned char *)connection->in;
    if (connection->state == GREETS) {
        if (connection->in_length < GREETING_BYTES)
            return true;
        if (memcmp(bytes, "hrpc\x09\x00\x00", GREETING_BYTES) != 0)
            world_fatal("the agent greets the namenode otherwise than version 9 without authentication");
        connection->state = SPEAKS;
        connection_taken(connection, GREETING_BYTES);
    }
    if (connection->in_length < 4)
        return true;
    size_t length = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
    if (length > HDFS_ROOM_BYTES - 4)
        world_fatal("the agent sent a call of %zu bytes", length);
    if (connection->in_length < 4 + length)
        return true;
    struct proto_in in = {.at = bytes + 4, .end = bytes + 4 + length}, header = proto_get_message(&in);
    int64_t call = proto_signed(proto_find(header, 3).value);
    uint64_t fate = world->server_faults && call >= 0 ? world_below(80) : IS_SERVED;
    if (fate == BREAKS_BEFORE)
        return false;
    struct proto_out out = {.bytes = (unsigned char *)connection->out + 4, .room = HDFS_ROOM_BYTES - 4};
    bool has_answer = call >= 0 && answer_call(cluster, connection->server, header, in, &out);
    connection_taken(connection, 4 + length);
    if (fate == BREAKS_AFTER)
        return false;
    *goes_on = !has_answer;
    if (!has_answer)
        return true;
    for (unsigned i = 0; i < 4; i++)
        connection->out[i] = (char)(out.length >> (24 - 8 * i));
    connection->out_length = 4 + out.length;
    connection->answers_ns = world->now_ns + (fate == IS_LATE ? world_below(20000 * MS) : world_below(MS));
    return true;
}

bool hdfs_take_call(void *argument, struct connection *connection)
{
    bool goes_on = true, is_good = true;
    while (goes_on && is_good) {
        goes_on = false;
        is_good = take_one(argument, connection, &goes_on);
    }
    return is_good;
}
