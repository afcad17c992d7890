/* The blocks of an output stream (the inner part of DataStreamer.java): asks the namenode for a block, sets up its pipeline,
 * takes acknowledgements, ends the block, and completes the file. Also has the turn of a stream. */
#include "stages/lib/hadoop/hdfs/internal.h"

#include "core/log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_NS (500 * PS_NS_PER_MS)

static struct ps_hdfs_stream *stream_of(struct ps_pipeline *pipeline)
{
    return (struct ps_hdfs_stream *)(void *)((char *)pipeline - offsetof(struct ps_hdfs_stream, pipeline));
}

/* ---- copies of datanodes ---- */

void ps_hdfs_nodes_add(struct ps_hdfs_nodes *nodes, const PsHadoop__DatanodeInfo *node)
{
    PsHadoop__DatanodeInfo **grown = realloc(nodes->nodes, (nodes->count + 1) * sizeof *grown);
    if (grown == NULL)
        return;
    nodes->nodes = grown;
    grown[nodes->count] = ps_hdfs_copy_message(&node->base);
    nodes->count += grown[nodes->count] != NULL;
}

void ps_hdfs_nodes_clear(struct ps_hdfs_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        ps_hadoop__datanode_info__free_unpacked(nodes->nodes[i], NULL);
    free(nodes->nodes);
    *nodes = (struct ps_hdfs_nodes){0};
}

/* ---- a new block ---- */

static void persisted(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    stream->fsync = NULL;
    if (answer->error != PS_FILE_OK) {
        ps_hdfs_stream_fail(stream, answer->error, "%s", answer->reason);
    } else {
        ps_hdfs_stream_is_there(stream);
        ps_hdfs_stream_attend(stream);
    }
    free(call); /* answer->reason points into the call */
}

/* Makes the namenode record the block durably. `length`: of the block, for users who list the file; -1: not reported. */
static void persist(struct ps_hdfs_stream *stream, int64_t length)
{
    stream->block.must_persist = false;
    stream->fsync = ps_must_alloc(1, sizeof *stream->fsync, "a call to the namenode");
    stream->fsync->argument = stream;
    ps_namenode_fsync(stream->hdfs->namenode, stream->fsync, stream->path, stream->file_id, length,
                      persisted);
}

static void set_up(struct ps_hdfs_stream *stream)
{
    stream->phase = PS_STREAM_SETTING_UP;
    stream->block.acknowledged = 0;
    struct ps_pipeline_setup setup = {
        .located = stream->block.located.block,
        .client = ps_namenode_client(stream->hdfs->namenode),
        .stage = PS_STAGE_SETUP_CREATE,
        .block_size_bytes = stream->block_size_bytes,
        .lazy_persist = stream->lazy_persist,
    };
    ps_pipeline_open(&stream->pipeline, &setup);
}

/* Returns the end of repeated requests for a block: shortly before the deadline of the operation that waits for it,
 * so that the operation fails with the namenode's reason. */
static uint64_t ask_until(const struct ps_hdfs_stream *stream, uint64_t now_ns)
{
    const struct ps_hdfs_operation *operation = stream->first;
    return operation != NULL && operation->deadline_ns > 0 ? operation->deadline_ns - 2 * AGAIN_NS
                                                           : now_ns + stream->hdfs->call_timeout_ns;
}

/* Returns whether there is time to ask for a block again, without exclusions. A namenode that was just started knows no
 * datanodes yet, and refuses a block if all datanodes are excluded. */
static bool may_ask_again(struct ps_hdfs_stream *stream, const char *reason)
{
    struct ps_hdfs *hdfs = stream->hdfs;
    uint64_t now_ns = ps_hadoop_loop_now(hdfs->loop).mono_ns;
    if (stream->again_until_ns == 0)
        stream->again_until_ns = ask_until(stream, now_ns);
    if (now_ns >= stream->again_until_ns)
        return false;
    if (!hdfs->refuses_blocks)
        ps_log(PS_LOG_WARN, hdfs->component, "%s: %s; asks again until the call time-out is over",
               stream->path, reason);
    hdfs->refuses_blocks = true;
    ps_hdfs_nodes_clear(&stream->excluded);
    ps_hadoop_loop_set(hdfs->loop, &stream->again, now_ns + AGAIN_NS);
    return true;
}

/* Takes the block of the namenode's answer; NULL: the answer has none. Otherwise fails the stream: the datanodes cannot form a
 * pipeline, or there is no memory. */
static bool take_block(struct ps_hdfs_stream *stream, const PsHadoop__LocatedBlock *block)
{
    size_t count = block != NULL ? block->n_locs : 0;
    if (count == 0 || count > PS_PIPELINE_NODES_MAX)
        ps_hdfs_stream_fail(stream, PS_FILE_UNAVAILABLE, "%s: a block of %zu datanodes", stream->path, count);
    else if (!ps_hdfs_located_set(&stream->block.located, block))
        ps_hdfs_stream_fail(stream, PS_FILE_NO_MEMORY, "%s: no memory", stream->path);
    else
        stream->block.is_known = true;
    return stream->phase != PS_STREAM_FAILED && ps_hdfs_stream_located(stream) != NULL;
}

static void block_allocated(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    if (answer->error == PS_FILE_UNAVAILABLE && may_ask_again(stream, answer->reason))
        return;
    if (answer->error != PS_FILE_OK) {
        ps_hdfs_stream_fail(stream, answer->error, "%s", answer->reason);
        return;
    }
    if (!take_block(stream, answer->block))
        return;
    stream->again_until_ns = 0;
    stream->hdfs->refuses_blocks = false;
    stream->block.must_persist = true;
    /* sent now, in parallel, because the next flush will wait for the answer */
    if (stream->hflushed && stream->fsync == NULL)
        persist(stream, -1);
    set_up(stream);
}

static void allocate(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs_nodes excluded = {0};
    for (size_t i = 0; i < stream->excluded.count; i++)
        ps_hdfs_nodes_add(&excluded, stream->excluded.nodes[i]);
    if (stream->again_until_ns == 0)
        ps_hdfs_add_dead_nodes(stream->hdfs, &excluded);
    stream->phase = PS_STREAM_ALLOCATING;
    ps_namenode_add_block(stream->hdfs->namenode, &stream->call, stream->path, stream->file_id,
                          stream->block.prior.pool_id != NULL ? &stream->block.prior : NULL, &excluded,
                          block_allocated);
    ps_hdfs_nodes_clear(&excluded);
}

void ps_hdfs_stream_allocate_again(struct ps_hadoop_timer *timer)
{
    allocate((struct ps_hdfs_stream *)(void *)((char *)timer - offsetof(struct ps_hdfs_stream, again)));
}

static void block_abandoned(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    if (answer->error != PS_FILE_OK)
        ps_hdfs_stream_fail(stream, answer->error, "%s", answer->reason);
    else
        allocate(stream);
}

static void setup_failed(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure)
{
    struct ps_hdfs *hdfs = stream->hdfs;
    const PsHadoop__LocatedBlock *located = ps_hdfs_stream_located(stream);
    if (located == NULL)
        return;
    if (++stream->block.tries > hdfs->limits.block_retries) {
        ps_hdfs_stream_fail(stream, PS_FILE_UNAVAILABLE, "%s: no block can be set up: %s", stream->path,
                            failure->reason);
        return;
    }
    ps_log(PS_LOG_WARN, hdfs->component, "%s: %s; asks for another block, without that datanode",
           stream->path, failure->reason);
    if (failure->bad < located->n_locs)
        ps_hdfs_nodes_add(&stream->excluded, located->locs[failure->bad]);
    stream->phase = PS_STREAM_ALLOCATING;
    stream->block.is_known = false;
    ps_namenode_abandon_block(hdfs->namenode, &stream->call, stream->path, stream->file_id, located->b,
                              block_abandoned);
}

/* ---- the pipeline ---- */

void ps_hdfs_stream_go_on(struct ps_hdfs_stream *stream)
{
    stream->phase = PS_STREAM_STREAMING;
    stream->pipeline.held = false;
    stream->block.tries = 0;
    ps_hdfs_located_pack(&stream->block.located);
    ps_hdfs_stream_attend(stream);
}

static void pipeline_ready(struct ps_pipeline *pipeline)
{
    struct ps_hdfs_stream *stream = stream_of(pipeline);
    if (stream->phase == PS_STREAM_RECOVERING)
        ps_hdfs_recovery_ready(stream);
    else
        ps_hdfs_stream_go_on(stream);
}

void ps_hdfs_stream_end_block(struct ps_hdfs_stream *stream)
{
    const PsHadoop__LocatedBlock *located = ps_hdfs_stream_located(stream);
    if (located == NULL)
        return;
    free(stream->block.prior.pool_id);
    stream->block.prior = *located->b;
    stream->block.prior.pool_id = ps_must_copy_text(located->b->pool_id, "a block pool's name");
    stream->block.prior.has_num_bytes = true;
    stream->block.prior.num_bytes = stream->block.acknowledged;
    ps_hdfs_located_replace(&stream->block.located, NULL);
    stream->block.is_known = false;
    stream->phase = PS_STREAM_RESTING;
    ps_hdfs_stream_attend(stream);
}

static void packet_acknowledged(struct ps_pipeline *pipeline, struct ps_packet *packet)
{
    struct ps_hdfs_stream *stream = stream_of(pipeline);
    uint64_t fresh = packet->length - packet->repeated;
    stream->stream.acknowledged_bytes += fresh;
    stream->hdfs->filesystem.held_bytes -= fresh;
    stream->packets.number_acknowledged = packet->number;
    stream->recoveries = 0;
    if (!packet->last)
        stream->block.acknowledged = packet->offset + packet->length;
    bool last = packet->last;
    ps_packet_free(&stream->hdfs->pool, packet);
    if (last) {
        ps_pipeline_close(pipeline);
        ps_hdfs_stream_end_block(stream);
        return;
    }
    ps_hdfs_stream_attend(stream);
}

static void pipeline_failed(struct ps_pipeline *pipeline, const struct ps_pipeline_failure *failure)
{
    struct ps_hdfs_stream *stream = stream_of(pipeline);
    if (stream->phase == PS_STREAM_RECOVERING)
        ps_hdfs_recovery_failed(stream, failure);
    else if (stream->phase == PS_STREAM_SETTING_UP)
        setup_failed(stream, failure);
    else
        ps_hdfs_recover(stream, failure);
}

static void pipeline_silent(struct ps_pipeline *pipeline)
{
    ps_hdfs_suspect(stream_of(pipeline));
}

const struct ps_pipeline_ops ps_hdfs_pipeline_ops = {
    .ready = pipeline_ready,
    .acknowledged = packet_acknowledged,
    .failed = pipeline_failed,
    .silent = pipeline_silent,
};

/* ---- a turn of a stream ---- */

static void watch_time(struct ps_hdfs_stream *stream)
{
    const struct ps_hdfs *hdfs = stream->hdfs;
    uint64_t deadline_ns = ps_hadoop_loop_now(hdfs->loop).mono_ns + hdfs->call_timeout_ns;
    for (struct ps_hdfs_operation *one = stream->first; one != NULL; one = one->next) {
        if (one->deadline_ns == 0)
            one->deadline_ns = deadline_ns;
    }
    if (stream->phase != PS_STREAM_FAILED)
        ps_hadoop_loop_set(hdfs->loop, &stream->timer,
                           stream->first != NULL ? stream->first->deadline_ns : PS_NEVER);
}

/* Removes the first operation from the list and calls its callback. Returns false when the stream was freed or abandoned by the callback. */
static bool answer_first(struct ps_hdfs_stream *stream, const struct ps_file_answer *answer)
{
    struct ps_hdfs *hdfs = stream->hdfs;
    struct ps_hdfs_operation operation = *stream->first;
    free(stream->first);
    stream->first = operation.next;
    hdfs->filesystem.under_way--;
    if (operation.kind == PS_OPERATION_CLOSE)
        ps_hdfs_stream_destroy(stream);
    else
        watch_time(stream);
    operation.done(operation.argument, answer);
    return operation.kind != PS_OPERATION_CLOSE && hdfs->current == stream;
}

static void answer_failed(struct ps_hdfs_stream *stream)
{
    char reason[PS_FILE_REASON_BYTES];
    snprintf(reason, sizeof reason, "%s", stream->reason != NULL ? stream->reason : "no memory");
    struct ps_file_answer answer = {.error = stream->error, .reason = reason};
    while (stream->first != NULL) {
        if (!answer_first(stream, &answer))
            return;
    }
}

/* Returns whether the namenode has recorded the block durably, which the first flush of a block waits for. */
static bool is_persisted(struct ps_hdfs_stream *stream)
{
    if (stream->fsync == NULL && stream->block.must_persist)
        persist(stream, stream->block.is_known ? (int64_t)stream->block.acknowledged : -1);
    return stream->fsync == NULL;
}

static void completed(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    if (answer->error != PS_FILE_OK) {
        ps_hdfs_stream_fail(stream, answer->error, "%s", answer->reason);
        return;
    }
    stream->packets.number_acknowledged = INT64_MAX;
    ps_hdfs_stream_attend(stream);
}

static void complete(struct ps_hdfs_stream *stream)
{
    const PsHadoop__ExtendedBlock *last = stream->block.prior.pool_id != NULL ? &stream->block.prior : NULL;
    stream->phase = PS_STREAM_COMPLETING;
    ps_namenode_complete(stream->hdfs->namenode, &stream->call, stream->path, stream->file_id, last,
                         completed);
}

/* Returns whether the first operation has succeeded. */
static bool is_done(struct ps_hdfs_stream *stream)
{
    const struct ps_hdfs_operation *operation = stream->first;
    switch (operation->kind) {
    case PS_OPERATION_CREATE:
        return stream->phase > PS_STREAM_OPENING;
    case PS_OPERATION_FLUSH:
        if (stream->phase == PS_STREAM_OPENING || stream->packets.number_acknowledged < operation->number)
            return false;
        if (operation->number >= 0 && !is_persisted(stream))
            return false;
        stream->hflushed = true;
        ps_hdfs_stream_look(stream);
        return true;
    case PS_OPERATION_CLOSE:
        if (stream->phase == PS_STREAM_RESTING && stream->packets.queue.first == NULL)
            complete(stream);
        return stream->phase == PS_STREAM_COMPLETING && stream->packets.number_acknowledged == INT64_MAX;
    }
    return false;
}

void ps_hdfs_stream_advance(struct ps_hdfs_stream *stream)
{
    static const struct ps_file_answer good = {.error = PS_FILE_OK, .reason = ""};
    watch_time(stream);
    if (stream->phase == PS_STREAM_RESTING && stream->packets.queue.first != NULL)
        allocate(stream);
    ps_pipeline_send(&stream->pipeline);
    while (stream->phase != PS_STREAM_FAILED && stream->first != NULL && is_done(stream)) {
        if (!answer_first(stream, &good))
            return;
    }
    if (stream->phase == PS_STREAM_FAILED)
        answer_failed(stream);
}
