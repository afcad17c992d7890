/* The data transfer protocol, version 28: writing a block through a pipeline, copying one to a replacement, reading. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/world/peers/hadoop/cluster.h"
#include "tests/world/peers/kafka/wire.h"

enum { WRITE_BLOCK = 80, READ_BLOCK = 81, TRANSFER_BLOCK = 86 };
enum { STAGE_RECOVERY = 3, STAGE_CLOSE_RECOVERY = 5, STAGE_CREATE = 6 };
enum { NO_SUMS, CRC32, CRC32C };
enum { SUCCESS = 0, ERROR = 1, ERROR_CHECKSUM = 2 };

#define VERSION 28
#define CHUNK_BYTES 512U
#define HEARTBEAT (-1)
#define MS UINT64_C(1000000)

static struct proto_out answer_of(struct connection *connection)
{
    return (struct proto_out){.bytes = (unsigned char *)connection->out, .room = HDFS_ROOM_BYTES};
}

static void send_answer(struct connection *connection, const struct proto_out *out)
{
    bool is_slow = world->server_faults && world_below(200) == 0;
    connection->out_length = out->length;
    connection->answers_ns = world->now_ns + (is_slow ? world_below(20000 * MS) : world_below(MS));
}

/* A BlockOpResponse. `bad`: the datanode behind the first one that cannot be reached; -1: none. */
static void put_response(struct proto_out *out, unsigned status, int bad, const char *message)
{
    char name[32];
    size_t begin = proto_begin(out, 0);
    proto_put_number(out, 1, status);
    if (bad >= 0) {
        snprintf(name, sizeof name, "127.0.0.%d:%d", 31 + bad, HDFS_DATANODE_PORT);
        proto_put_text(out, 2, name);
    }
    if (message != NULL)
        proto_put_text(out, 5, message);
    proto_end(out, begin);
}

static bool respond(struct connection *connection, unsigned status, int bad, const char *message)
{
    struct proto_out out = answer_of(connection);
    put_response(&out, status, bad, message);
    send_answer(connection, &out);
    return true;
}

static int node_of(struct proto_in info)
{
    char uuid[64];
    proto_text(proto_find(proto_find(info, 1).in, 3).in, uuid, sizeof uuid);
    return atoi(uuid + 5) - 1;
}

static bool is_up(const struct hdfs_cluster *cluster, int node)
{
    return cluster->datanodes[node] != NULL && !cluster->is_silent[node];
}

/* ---- writing ---- */

/* A pipeline is set up again only for the replica that a datanode has: its generation stamp, at least the bytes that were acknowledged, at
 * most those that were sent (FsDatasetImpl.recoverCheck). Returns why not; NULL: it can. */
static const char *recover_replica(struct hdfs_replica *replica, const struct hdfs_block *block,
                                   struct proto_in operation, uint64_t generation)
{
    uint64_t least = proto_find(operation, 6).value, most = proto_find(operation, 7).value;
    if (!replica->is_there)
        return "ReplicaNotFoundException: Cannot append to a non-existent replica";
    if (replica->generation < generation)
        return "ReplicaNotFoundException: Cannot append to a replica with unexpected generation stamp";
    if (replica->bytes.size < least || replica->bytes.size > most)
        return "ReplicaNotFoundException: Unmatched length replica";
    uint64_t keeps = least > block->acknowledged ? least : block->acknowledged;
    if (replica->bytes.size > keeps)
        disk_bytes_resize(&replica->bytes, keeps); /* what was not acknowledged is sent again */
    replica->generation = proto_find(operation, 8).value;
    return NULL;
}

static const char *set_up_replica(struct hdfs_replica *replica, const struct hdfs_block *block,
                                  struct proto_in operation, uint64_t generation)
{
    uint64_t stage = proto_find(operation, 4).value;
    const char *why = NULL;
    if (stage == STAGE_CREATE) {
        disk_bytes_resize(&replica->bytes, 0);
        *replica = (struct hdfs_replica){.is_there = true, .generation = generation, .bytes = replica->bytes};
    } else {
        why = recover_replica(replica, block, operation, generation);
    }
    if (why == NULL && stage == STAGE_CLOSE_RECOVERY)
        replica->is_final = true;
    return why;
}

static bool set_up(struct hdfs_cluster *cluster, struct connection *connection,
                   struct hdfs_transfer *transfer, struct proto_in operation)
{
    struct proto_in header = proto_find(proto_find(operation, 1).in, 1).in, block = proto_find(header, 1).in,
                    list = operation;
    struct proto_field one;
    *transfer = (struct hdfs_transfer){.generation = proto_find(block, 3).value};
    transfer->block = hdfs_block_of(cluster, proto_find(block, 2).value, &transfer->file);
    transfer->nodes[transfer->count++] = connection->server;
    while (proto_next(&list, &one))
        if (one.number == 2 && transfer->count < HDFS_DATANODES)
            transfer->nodes[transfer->count++] = node_of(one.in);
    if (transfer->count != proto_find(operation, 5).value)
        world_fatal("a pipeline of %u datanodes is said to have %llu", transfer->count,
                    (unsigned long long)proto_find(operation, 5).value);
    if (transfer->block == NULL)
        return respond(connection, ERROR, -1, "there is no such block");
    for (unsigned i = 0; i < transfer->count; i++)
        if (!is_up(cluster, transfer->nodes[i]))
            return respond(connection, ERROR, transfer->nodes[i], "it cannot be reached");
    for (unsigned i = 0; i < transfer->count; i++) {
        const char *why = set_up_replica(&transfer->block->replicas[transfer->nodes[i]], transfer->block,
                                         operation, transfer->generation);
        if (why != NULL)
            return respond(connection, ERROR, i == 0 ? -1 : transfer->nodes[i], why);
    }
    transfer->writes = proto_find(operation, 4).value != STAGE_CLOSE_RECOVERY;
    return respond(connection, SUCCESS, -1, NULL);
}

static bool sums_are_right(const unsigned char *sums, const unsigned char *data, size_t length)
{
    for (size_t at = 0; at < length; at += CHUNK_BYTES, sums += 4) {
        size_t chunk = length - at < CHUNK_BYTES ? length - at : CHUNK_BYTES;
        uint32_t sum = (uint32_t)sums[0] << 24 | (uint32_t)sums[1] << 16 | (uint32_t)sums[2] << 8 | sums[3];
        if (sum != kafka_crc32c(data + at, chunk))
            return false;
    }
    return true;
}

/* Returns the place in the pipeline of the first datanode that fails this packet; -1: none. */
static int failing(struct hdfs_cluster *cluster, const struct hdfs_transfer *transfer)
{
    for (unsigned i = 0; i < transfer->count; i++) {
        int node = transfer->nodes[i];
        if (!is_up(cluster, node))
            return (int)i;
        if (cluster->fails[node] > 0) {
            cluster->fails[node]--;
            return (int)i;
        }
    }
    return -1;
}

static void acknowledge(struct hdfs_cluster *cluster, struct connection *connection,
                        struct hdfs_transfer *transfer, int64_t number, int bad)
{
    struct proto_out out = answer_of(connection);
    size_t begin = proto_begin(&out, 0);
    proto_put_number(&out, 1, (uint64_t)number << 1 ^ (uint64_t)(number >> 63));
    for (unsigned i = 0; i < transfer->count && (bad < 0 || (int)i <= bad); i++) {
        unsigned status = (int)i != bad ? SUCCESS : cluster->status != 0 ? cluster->status : ERROR;
        proto_put_number(&out, 2, status);
    }
    proto_end(&out, begin);
    send_answer(connection, &out);
}

static void take_bytes(struct hdfs_transfer *transfer, uint64_t offset, const unsigned char *data,
                       size_t length, int bad)
{
    for (unsigned i = 0; i < transfer->count && (bad < 0 || (int)i < bad); i++) {
        struct hdfs_replica *replica = &transfer->block->replicas[transfer->nodes[i]];
        if (replica->bytes.size < offset)
            world_fatal("a packet begins behind the end of its replica");
        disk_bytes_put(&replica->bytes, offset, (const char *)data, length);
        if (replica->bytes.size < offset + length)
            disk_bytes_resize(&replica->bytes, offset + length);
    }
}

/* A packet: its length with that of its sums, the length of its header, both, sums, data. */
static bool take_packet(struct hdfs_cluster *cluster, struct connection *connection,
                        struct hdfs_transfer *transfer)
{
    const unsigned char *bytes = (const unsigned char *)connection->in;
    if (connection->in_length < 6)
        return true;
    size_t body = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
    size_t head = (size_t)bytes[4] << 8 | bytes[5], whole = 6 + head + body - 4;
    if (body < 4 || whole > HDFS_ROOM_BYTES)
        world_fatal("the agent sent a packet of %zu bytes", body);
    if (connection->in_length < whole)
        return true;
    struct proto_in header = {.at = bytes + 6, .end = bytes + 6 + head};
    uint64_t offset = proto_find(header, 1).value;
    int64_t number = (int64_t)proto_find(header, 2).value;
    bool is_last = proto_find(header, 3).value != 0;
    size_t length = (size_t)proto_find(header, 4).value, sums = (length + CHUNK_BYTES - 1) / CHUNK_BYTES * 4;
    if (body != 4 + sums + length || offset + length > transfer->file->block_bytes)
        world_fatal("a packet of %zu bytes at %llu has a length of %zu", length, (unsigned long long)offset,
                    body);
    const unsigned char *data = bytes + 6 + head + sums;
    bool is_right = sums_are_right(bytes + 6 + head, data, length);
    if (!is_right)
        world_fatal("a packet has wrong checksums");
    int bad = number == HEARTBEAT ? -1 : failing(cluster, transfer);
    if (bad == 0 && cluster->status == 0)
        return false;
    if (number != HEARTBEAT)
        take_bytes(transfer, offset, data, length, bad);
    if (bad < 0 && number != HEARTBEAT && offset + length > transfer->block->acknowledged)
        transfer->block->acknowledged = offset + length;
    for (unsigned i = 0; is_last && bad < 0 && i < transfer->count; i++)
        transfer->block->replicas[transfer->nodes[i]].is_final = true;
    connection_taken(connection, whole);
    if (world->server_faults && world_below(300) == 0)
        return false;           /* behind the bytes, before their acknowledgement */
    transfer->writes = bad < 0; /* a datanode that has failed takes nothing more */
    acknowledge(cluster, connection, transfer, number, bad);
    hdfs_show(transfer->file, transfer->block);
    return true;
}

/* ---- copying and reading ---- */

static bool copy_block(struct hdfs_cluster *cluster, struct connection *connection, struct proto_in operation)
{
    struct proto_in block_message = proto_find(proto_find(proto_find(operation, 1).in, 1).in, 1).in;
    struct hdfs_file *file;
    struct hdfs_block *block = hdfs_block_of(cluster, proto_find(block_message, 2).value, &file);
    int target = node_of(proto_find(operation, 2).in);
    if (block == NULL || !block->replicas[connection->server].is_there)
        return respond(connection, ERROR, -1, "there is no such replica");
    if (!is_up(cluster, target))
        return respond(connection, ERROR, target, "the target cannot be reached");
    const struct hdfs_replica *from = &block->replicas[connection->server];
    struct hdfs_replica *to = &block->replicas[target];
    size_t length = (size_t)proto_find(block_message, 4).value; /* what was acknowledged */
    char *bytes = world_allocate(length + 1);
    length = disk_bytes_get(&from->bytes, 0, bytes, length);
    disk_bytes_resize(&to->bytes, 0);
    *to = (struct hdfs_replica){.is_there = true, .generation = from->generation, .bytes = to->bytes};
    disk_bytes_put(&to->bytes, 0, bytes, length);
    disk_bytes_resize(&to->bytes, length);
    world_free(bytes, length + 1);
    return respond(connection, SUCCESS, -1, NULL);
}

static uint32_t sum_of(unsigned type, const unsigned char *data, size_t length)
{
    return type == CRC32 ? (uint32_t)crc32(0, data, (uInt)length) : kafka_crc32c(data, length);
}

static void put_packet(struct proto_out *out, unsigned type, uint64_t offset, int64_t number, bool is_last,
                       const unsigned char *data, size_t length)
{
    unsigned char head[32];
    struct proto_out header = {.bytes = head, .room = sizeof head};
    proto_put_fixed(&header, 1, offset, 8);
    proto_put_fixed(&header, 2, (uint64_t)number, 8);
    proto_put_number(&header, 3, is_last);
    proto_put_fixed(&header, 4, length, 4);
    size_t sums = type == NO_SUMS ? 0 : (length + CHUNK_BYTES - 1) / CHUNK_BYTES * 4,
           body = 4 + sums + length;
    const unsigned char lengths[] = {(unsigned char)(body >> 24),         (unsigned char)(body >> 16),
                                     (unsigned char)(body >> 8),          (unsigned char)body,
                                     (unsigned char)(header.length >> 8), (unsigned char)header.length};
    proto_put(out, lengths, sizeof lengths);
    proto_put(out, head, header.length);
    for (size_t at = 0; at < length && sums > 0; at += CHUNK_BYTES) {
        uint32_t sum = sum_of(type, data + at, length - at < CHUNK_BYTES ? length - at : CHUNK_BYTES);
        const unsigned char text[] = {(unsigned char)(sum >> 24), (unsigned char)(sum >> 16),
                                      (unsigned char)(sum >> 8), (unsigned char)sum};
        proto_put(out, text, sizeof text);
    }
    proto_put(out, data, length);
}

/* The whole answer at once: the blocks that an agent reads are small (an Avro schema). */
static bool read_block(struct hdfs_cluster *cluster, struct connection *connection, struct proto_in operation)
{
    struct proto_in block_message = proto_find(proto_find(proto_find(operation, 1).in, 1).in, 1).in;
    struct hdfs_file *file;
    struct hdfs_block *block = hdfs_block_of(cluster, proto_find(block_message, 2).value, &file);
    struct proto_out out = answer_of(connection);
    if (block == NULL || !block->replicas[connection->server].is_there)
        return respond(connection, ERROR, -1, "there is no such replica");
    const struct hdfs_replica *replica = &block->replicas[connection->server];
    size_t length = (size_t)replica->bytes.size;
    unsigned char *bytes = world_allocate(length + 1);
    disk_bytes_get(&replica->bytes, 0, (char *)bytes, length);
    size_t begin = proto_begin(&out, 0);
    proto_put_number(&out, 1, SUCCESS);
    size_t information = proto_begin(&out, 4), checksum = proto_begin(&out, 1);
    proto_put_number(&out, 1, cluster->sum_type);
    proto_put_number(&out, 2, CHUNK_BYTES);
    proto_end(&out, checksum);
    proto_put_number(&out, 2, 0);
    proto_end(&out, information);
    proto_end(&out, begin);
    size_t half =
        length > 2 * CHUNK_BYTES ? CHUNK_BYTES : length; /* a packet has whole chunks, but for the last one */
    put_packet(&out, cluster->sum_type, 0, 0, false, bytes, half);
    if (half < length)
        put_packet(&out, cluster->sum_type, half, 1, false, bytes + half, length - half);
    if (cluster->rots[connection->server])
        out.bytes[out.length - 2] ^= 1;
    put_packet(&out, cluster->sum_type, length, 2, true, NULL, 0);
    world_free(bytes, length + 1);
    send_answer(connection, &out);
    return true;
}

/* ---- operations ---- */

bool hdfs_take_transfer(void *argument, struct connection *connection)
{
    struct hdfs_cluster *cluster = argument;
    struct hdfs_transfer *transfer = &cluster->transfer[connection - cluster->transfers.list];
    const unsigned char *bytes = (const unsigned char *)connection->in;
    if (cluster->is_silent[connection->server])
        return true;
    if (connection->state == WRITE_BLOCK && transfer->writes)
        return take_packet(cluster, connection, transfer);
    if (connection->state !=
        0) { /* what is behind a failed packet; of a reader: the status of what it read */
        connection_taken(connection, connection->in_length);
        return true;
    }
    struct proto_in in = {.at = bytes + 3, .end = bytes + connection->in_length}, operation;
    if (connection->in_length < 4 || (operation = proto_get_message(&in)).bad)
        return true;
    unsigned code = bytes[2];
    if (bytes[0] != 0 || bytes[1] != VERSION)
        world_fatal("the agent speaks version %u to a datanode", bytes[1]);
    connection->state = code;
    bool good = code == WRITE_BLOCK      ? set_up(cluster, connection, transfer, operation)
                : code == TRANSFER_BLOCK ? copy_block(cluster, connection, operation)
                : code == READ_BLOCK     ? read_block(cluster, connection, operation)
                                         : false;
    connection_taken(connection, (size_t)(in.at - bytes));
    return good;
}
