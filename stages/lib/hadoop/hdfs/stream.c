/* An output stream of HDFS (DFSOutputStream.java and the outer part of DataStreamer.java). Bytes become packets, packets go through
 * the pipeline of a block, and one block follows another. */
#include "stages/lib/hadoop/hdfs/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_BYTES_MAX (UINT32_C(2) << 30) /* bytes written before the file is created */
#define STREAM_OF(member, pointer)                                                                           \
    ((struct ps_hdfs_stream *)(void *)((char *)(pointer)-offsetof(struct ps_hdfs_stream, member)))

void ps_hdfs_stream_attend(struct ps_hdfs_stream *stream)
{
    if (stream->attended)
        return;
    stream->attended = true;
    LIST_INSERT_HEAD(&stream->hdfs->attended, stream, attended_entry);
}

/* ---- the end of a stream ---- */

static void drop_packets(struct ps_hdfs_stream *stream)
{
    struct ps_packet_pool *pool = &stream->hdfs->pool;
    while (stream->packets.queue.first != NULL)
        ps_packet_free(pool, ps_packet_queue_remove(&stream->packets.queue));
    if (stream->packets.open != NULL)
        ps_packet_free(pool, stream->packets.open);
    stream->packets.open = NULL;
    stream->hdfs->filesystem.held_bytes -= stream->stream.written_bytes - stream->stream.acknowledged_bytes;
    stream->stream.written_bytes = stream->stream.acknowledged_bytes;
}

static void stop_call(struct ps_namenode_call **call)
{
    if (*call != NULL)
        ps_namenode_cancel(*call);
    free(*call);
    *call = NULL;
}

static void stop(struct ps_hdfs_stream *stream)
{
    ps_pipeline_close(&stream->pipeline);
    ps_hdfs_recovery_free(stream);
    ps_namenode_cancel(&stream->call);
    stop_call(&stream->fsync);
    stop_call(&stream->existence.look);
    ps_hadoop_loop_unset(stream->hdfs->loop, &stream->timer);
    ps_hadoop_loop_unset(stream->hdfs->loop, &stream->again);
    drop_packets(stream);
}

void ps_hdfs_stream_fail(struct ps_hdfs_stream *stream, enum ps_file_error error, const char *format, ...)
{
    char reason[PS_FILE_REASON_BYTES];
    va_list arguments;
    if (stream->phase == PS_STREAM_FAILED)
        return;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    stop(stream);
    stream->phase = PS_STREAM_FAILED;
    stream->error = error;
    stream->reason = strdup(reason);
    ps_hdfs_stream_attend(stream);
}

static void unlink_stream(struct ps_hdfs_stream *stream)
{
    if (stream->attended)
        LIST_REMOVE(stream, attended_entry);
    LIST_REMOVE(stream, all);
    if (stream->hdfs->current == stream)
        stream->hdfs->current = NULL;
}

void ps_hdfs_stream_destroy(struct ps_hdfs_stream *stream)
{
    stop(stream);
    unlink_stream(stream);
    if (stream->leased)
        ps_namenode_release_lease(stream->hdfs->namenode);
    while (stream->first != NULL) {
        struct ps_hdfs_operation *operation = stream->first;
        stream->first = operation->next;
        stream->hdfs->filesystem.under_way--;
        free(operation);
    }
    ps_hdfs_located_free(&stream->block.located);
    ps_hdfs_nodes_clear(&stream->excluded);
    ps_hdfs_nodes_clear(&stream->failed);
    free(stream->block.prior.pool_id);
    free(stream->packets.tail);
    free(stream->reason);
    free(stream->path);
    free(stream);
}

void ps_hdfs_stream_abandon(struct ps_file_stream *stream)
{
    ps_hdfs_stream_destroy((struct ps_hdfs_stream *)stream);
}

/* ---- the located block ---- */

PsHadoop__LocatedBlock *ps_hdfs_stream_located(struct ps_hdfs_stream *stream)
{
    PsHadoop__LocatedBlock *block = ps_hdfs_located_get(&stream->block.located);
    if (block == NULL)
        ps_hdfs_stream_fail(stream, PS_FILE_NO_MEMORY, "%s: no memory", stream->path);
    return block;
}

/* ---- bytes become packets ---- */

/* Returns the length of the packet that begins at `begin`. */
static uint32_t packet_limit(const struct ps_hdfs_stream *stream, uint64_t begin)
{
    uint64_t left = stream->block_size_bytes - begin;
    uint32_t data_max = stream->hdfs->pool.data_max;
    return left < data_max ? (uint32_t)left : data_max;
}

static bool begin_packet(struct ps_hdfs_stream *stream)
{
    struct ps_packet_pool *pool = &stream->hdfs->pool;
    uint64_t begin = stream->block.written - stream->packets.tail_length;
    uint32_t limit = packet_limit(stream, begin);
    struct ps_packet *packet = ps_packet_begin(pool, begin, stream->packets.number_next, limit);
    if (packet == NULL)
        return false;
    if (ps_packet_add(pool, packet, stream->packets.tail, stream->packets.tail_length) <
        stream->packets.tail_length) {
        ps_packet_free(pool, packet);
        return false;
    }
    packet->repeated = stream->packets.tail_length;
    stream->packets.tail_length = 0;
    stream->packets.open = packet;
    stream->packets.number_next++;
    return true;
}

/* Adds the packet to the queue. Keeps the bytes of a chunk that is not full, because the next packet repeats them.
 * Returns false if there is no memory for them. */
static bool finish_packet(struct ps_hdfs_stream *stream, bool sync)
{
    struct ps_packet_pool *pool = &stream->hdfs->pool;
    struct ps_packet *packet = stream->packets.open;
    packet->sync = sync;
    ps_packet_seal(pool, packet);
    if (packet->length < packet->limit && packet->sum_bytes > 0) {
        if (stream->packets.tail == NULL)
            stream->packets.tail = malloc(pool->chunk_bytes);
        if (stream->packets.tail == NULL)
            return false;
        stream->packets.tail_length = ps_packet_copy_tail(packet, stream->packets.tail);
    }
    stream->packets.open = NULL;
    ps_packet_queue_add(&stream->packets.queue, packet);
    return true;
}

/* Adds an empty packet, which ends the block or requests a sync. */
static bool empty_packet(struct ps_hdfs_stream *stream, bool last, bool sync)
{
    struct ps_packet *packet =
        ps_packet_begin(&stream->hdfs->pool, stream->block.written, stream->packets.number_next, 0);
    if (packet == NULL)
        return false;
    stream->packets.number_next++;
    packet->last = last;
    packet->sync = sync;
    ps_packet_seal(&stream->hdfs->pool, packet);
    ps_packet_queue_add(&stream->packets.queue, packet);
    return true;
}

static bool close_block(struct ps_hdfs_stream *stream)
{
    if (!empty_packet(stream, true, stream->sync))
        return false;
    stream->block.written = 0;
    stream->packets.tail_length = 0;
    return true;
}

static bool no_memory(struct ps_hdfs_stream *stream)
{
    ps_hdfs_stream_fail(stream, PS_FILE_NO_MEMORY, "%s: no memory", stream->path);
    return false;
}

/* Keeps bytes that are written while the file is being created, because block size and checksum are not known yet. */
static bool keep_early(struct ps_hdfs_stream *stream, const void *bytes, size_t length)
{
    if (length > EARLY_BYTES_MAX - stream->packets.tail_length) {
        ps_hdfs_stream_fail(stream, PS_FILE_FAILED,
                            "%s: more than 2 GiB were written before the file was created", stream->path);
        return false;
    }
    char *tail = realloc(stream->packets.tail, stream->packets.tail_length + length);
    if (tail == NULL)
        return no_memory(stream);
    memcpy(tail + stream->packets.tail_length, bytes, length);
    stream->packets.tail = tail;
    stream->packets.tail_length += (uint32_t)length;
    return true;
}

static bool put_bytes(struct ps_hdfs_stream *stream, const char *bytes, size_t length)
{
    while (length > 0) {
        if (stream->packets.open == NULL && !begin_packet(stream))
            return no_memory(stream);
        size_t now = ps_packet_add(&stream->hdfs->pool, stream->packets.open, bytes, length);
        stream->block.written += now;
        bytes += now;
        length -= now;
        if (stream->packets.open->length == stream->packets.open->limit) {
            if (!finish_packet(stream, false) ||
                (stream->block.written == stream->block_size_bytes && !close_block(stream)))
                return no_memory(stream);
            ps_hdfs_stream_attend(stream);
        } else if (length > 0) {
            return no_memory(stream);
        }
    }
    return true;
}

bool ps_hdfs_stream_write(struct ps_file_stream *file_stream, const void *bytes, size_t length)
{
    struct ps_hdfs_stream *stream = (struct ps_hdfs_stream *)file_stream;
    if (stream->phase == PS_STREAM_FAILED)
        return false;
    stream->stream.written_bytes += length;
    stream->hdfs->filesystem.held_bytes += length;
    if (PS_LIKELY(stream->packets.open != NULL &&
                  length < stream->packets.open->limit - stream->packets.open->length) &&
        ps_packet_put(stream->packets.open, bytes, length)) {
        stream->block.written += length;
        return true;
    }
    return stream->phase == PS_STREAM_OPENING ? keep_early(stream, bytes, length)
                                              : put_bytes(stream, bytes, length);
}

/* Returns the free part of the current packet. Only a write finishes a full packet: a commit does not fill it. */
char *ps_hdfs_stream_reserve(struct ps_file_stream *file_stream, size_t *room)
{
    const struct ps_packet *packet = ((const struct ps_hdfs_stream *)file_stream)->packets.open;
    if (packet == NULL)
        return NULL;
    *room = packet->room;
    return packet->at;
}

void ps_hdfs_stream_commit(struct ps_file_stream *file_stream, size_t length)
{
    struct ps_hdfs_stream *stream = (struct ps_hdfs_stream *)file_stream;
    ps_packet_take(stream->packets.open, length);
    stream->stream.written_bytes += length;
    stream->hdfs->filesystem.held_bytes += length;
    stream->block.written += length;
}

/* ---- operations ---- */

/* Called at the deadline of the first operation. The time-out of the operation began in the first turn that saw
 * it. */
static void too_late(struct ps_hadoop_timer *timer)
{
    struct ps_hdfs_stream *stream = STREAM_OF(timer, timer);
    char who[PS_FILE_REASON_BYTES];
    ps_hdfs_describe_wait(stream, who, sizeof who);
    ps_hdfs_stream_fail(stream, PS_FILE_TIMEOUT, "%s: no answer within %llu ms%s", stream->path,
                        (unsigned long long)(stream->hdfs->call_timeout_ns / PS_NS_PER_MS), who);
}

static void add_operation(struct ps_hdfs_stream *stream, enum ps_operation_kind kind, ps_file_done *done,
                          void *argument)
{
    struct ps_hdfs *hdfs = stream->hdfs;
    struct ps_hdfs_operation *operation = ps_must_alloc(1, sizeof *operation, "an operation of a stream");
    *operation = (struct ps_hdfs_operation){
        .kind = kind,
        .done = done,
        .argument = argument,
        .number = stream->packets.number_next - 1,
    };
    *(stream->first == NULL ? &stream->first : &stream->last->next) = operation;
    stream->last = operation;
    hdfs->filesystem.under_way++;
    ps_hdfs_stream_attend(stream);
}

/* Finishes the packet that has the last written byte, so that it can be sent. */
static void seal_written(struct ps_hdfs_stream *stream, bool sync)
{
    bool good = true;
    if (stream->phase == PS_STREAM_FAILED || stream->phase == PS_STREAM_OPENING)
        return;
    if (stream->packets.open != NULL)
        good = finish_packet(stream, sync);
    else if (sync && stream->block.written > 0)
        good = empty_packet(stream, false, true);
    if (!good)
        no_memory(stream);
}

void ps_hdfs_stream_flush(struct ps_file_stream *file_stream, enum ps_file_flush how, ps_file_done *done,
                          void *argument)
{
    struct ps_hdfs_stream *stream = (struct ps_hdfs_stream *)file_stream;
    stream->sync |= how == PS_FILE_HSYNC;
    seal_written(stream, how == PS_FILE_HSYNC);
    add_operation(stream, PS_OPERATION_FLUSH, done, argument);
}

static void end_file(struct ps_hdfs_stream *stream)
{
    seal_written(stream, stream->sync);
    if (stream->phase != PS_STREAM_FAILED && stream->phase != PS_STREAM_OPENING &&
        stream->block.written > 0 && !close_block(stream))
        no_memory(stream);
}

void ps_hdfs_stream_close(struct ps_file_stream *file_stream, ps_file_done *done, void *argument)
{
    struct ps_hdfs_stream *stream = (struct ps_hdfs_stream *)file_stream;
    end_file(stream);
    add_operation(stream, PS_OPERATION_CLOSE, done, argument);
}

unsigned ps_hdfs_stream_replicas(const struct ps_file_stream *file_stream)
{
    const struct ps_hdfs_stream *stream = (const struct ps_hdfs_stream *)file_stream;
    return stream->phase == PS_STREAM_STREAMING ? stream->pipeline.node_count : 0;
}

/* ---- create ---- */

/* Turns bytes that were written before the file was created into packets, and assigns packets to the flushes and the
 * close that came meanwhile. */
static void put_early(struct ps_hdfs_stream *stream)
{
    char *early = stream->packets.tail;
    uint32_t length = stream->packets.tail_length;
    struct ps_hdfs_operation *flush = stream->first != NULL ? stream->first->next : NULL;
    stream->packets.tail = NULL;
    stream->packets.tail_length = 0;
    if (length == 0 || put_bytes(stream, early, length)) {
        if (flush != NULL)
            seal_written(stream, stream->sync);
        if (stream->last != NULL && stream->last->kind == PS_OPERATION_CLOSE)
            end_file(stream);
    }
    for (; flush != NULL; flush = flush->next)
        flush->number = stream->packets.number_next - 1;
    free(early);
}

static void use_status(struct ps_hdfs_stream *stream, const PsHadoop__HdfsFileStatus *status)
{
    if (status == NULL)
        return; /* Hadoop before 2.2 */
    stream->file_id = status->file_id;
    if (status->block_size > 0)
        stream->block_size_bytes = status->block_size;
    if (status->block_replication > 0)
        stream->replication = status->block_replication;
    stream->lazy_persist = status->storage_policy == 15;
    if (status->encryption != NULL)
        ps_hdfs_stream_fail(stream, PS_FILE_UNSUPPORTED,
                            "%s: the directory is an encryption zone (transparent encryption)", stream->path);
    else if (status->has_erasure_coding_policy)
        ps_hdfs_stream_fail(stream, PS_FILE_UNSUPPORTED, "%s: the directory is erasure coded", stream->path);
    else if (stream->block_size_bytes % stream->hdfs->pool.chunk_bytes != 0)
        ps_hdfs_stream_fail(stream, PS_FILE_FAILED, "%s: the block size %llu is not a multiple of %u",
                            stream->path, (unsigned long long)stream->block_size_bytes,
                            stream->hdfs->pool.chunk_bytes);
}

static void opened(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    if (answer->error != PS_FILE_OK) {
        ps_hdfs_stream_fail(stream, answer->error, "%s", answer->reason);
        return;
    }
    stream->leased = true;
    ps_hdfs_stream_is_there(stream);
    ps_namenode_hold_lease(stream->hdfs->namenode);
    use_status(stream, answer->status);
    if (stream->phase == PS_STREAM_FAILED)
        return;
    stream->phase = PS_STREAM_RESTING;
    put_early(stream);
    ps_hdfs_stream_attend(stream);
}

void ps_hdfs_stream_open(struct ps_hdfs_stream *stream, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs *hdfs = stream->hdfs;
    if (answer->error != PS_FILE_OK) {
        ps_hdfs_stream_fail(stream, answer->error, "%s", answer->reason);
        return;
    }
    stream->replication = hdfs->replication;
    stream->block_size_bytes = hdfs->block_size_bytes;
    stream->call.argument = stream;
    const struct ps_namenode_creation creation = {
        .path = stream->path,
        .create_parent = true,
        .replication = stream->replication,
        .block_size_bytes = stream->block_size_bytes,
    };
    ps_namenode_create(hdfs->namenode, &stream->call, &creation, opened);
}

struct ps_file_stream *ps_hdfs_stream_create(struct ps_filesystem *filesystem, const char *path,
                                             ps_file_done *done, void *argument)
{
    struct ps_hdfs *hdfs = (struct ps_hdfs *)filesystem;
    struct ps_hdfs_stream *stream = ps_must_alloc(1, sizeof *stream, "a stream of HDFS");
    stream->stream.filesystem = filesystem;
    stream->hdfs = hdfs;
    stream->path = ps_must_copy_text(path, "a path");
    stream->packets.number_acknowledged = -1;
    stream->timer.fire = too_late;
    stream->again.fire = ps_hdfs_stream_allocate_again;
    stream->pipeline.ops = &ps_hdfs_pipeline_ops;
    stream->pipeline.queue = &stream->packets.queue;
    stream->pipeline.pool = &hdfs->pool;
    ps_pipeline_init(&stream->pipeline, &hdfs->datanodes);
    LIST_INSERT_HEAD(&hdfs->streams, stream, all);
    add_operation(stream, PS_OPERATION_CREATE, done, argument);
    return &stream->stream;
}
