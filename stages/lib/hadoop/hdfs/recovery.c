/* Recovers a pipeline (DataStreamer.setupPipelineForAppendOrRecovery). The failed datanode is left out, or replaced by another one to
 * which the block's bytes are copied first. The namenode gives the block a new generation stamp, which marks replicas that were left
 * behind as old. Then the pipeline is set up again, the namenode is informed, and unacknowledged packets are sent again. */
#include "stages/lib/hadoop/hdfs/internal.h"

#include "core/log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENTS_MAX 3U
#define RESTART_STEP_NS (4 * PS_NS_PER_S) /* interval of tries while a datanode restarts */

static void prepare(struct ps_hdfs_stream *stream);
static void update_block(struct ps_hdfs_stream *stream);
static void ask_replacement(struct ps_hdfs_stream *stream);

/* With replication 3 or more, a replacement is needed if at most half of the datanodes are left, or if bytes of the block were
 * promised (ReplaceDatanodeOnFailure). */
bool ps_replace_is_wanted(const struct ps_replace_rules *rules, unsigned replication, size_t nodes,
                          bool hflushed)
{
    if (nodes == 0 || nodes >= replication)
        return false;
    switch (rules->policy) {
    case PS_REPLACE_NEVER:
        return false;
    case PS_REPLACE_ALWAYS:
        return true;
    case PS_REPLACE_DEFAULT:
        break;
    }
    return replication >= 3 && (nodes <= replication / 2 || hflushed);
}

/* ---- memory of a recovery ---- */

static void watch_transfer(struct ps_hdfs_stream *stream)
{
    struct ps_hadoop_loop *loop = stream->hdfs->loop;
    ps_hadoop_loop_set(loop, &stream->recovery->timer,
                       ps_hadoop_loop_now(loop).mono_ns + stream->hdfs->datanodes.silence_ns);
}

static const struct ps_datanode_link_ops transfer_ops;

static struct ps_hdfs_stream *stream_of_timer(struct ps_hadoop_timer *timer)
{
    return ((struct ps_hdfs_recovery *)(void *)((char *)timer - offsetof(struct ps_hdfs_recovery, timer)))
        ->stream;
}

/* Ends a wait for a datanode that restarts. During a copy to a replacement, asks the datanodes of the copy whether
 * they answer. */
static void on_time(struct ps_hadoop_timer *timer)
{
    struct ps_hdfs_stream *stream = stream_of_timer(timer);
    if (stream->recovery->candidate == NULL) {
        prepare(stream);
        return;
    }
    watch_transfer(stream);
    ps_hdfs_suspect(stream);
}

static void begin(struct ps_hdfs_stream *stream)
{
    if (stream->recovery == NULL) {
        stream->recovery = ps_must_alloc(1, sizeof *stream->recovery, "a recovery of a pipeline");
        ps_datanode_link_init(&stream->recovery->transfer, &transfer_ops, &stream->hdfs->datanodes);
        stream->recovery->timer.fire = on_time;
        stream->recovery->stream = stream;
    }
    stream->recovery->bad = stream->recovery->restarting = -1;
    stream->phase = PS_STREAM_RECOVERING;
}

void ps_hdfs_recovery_free(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    if (recovery == NULL)
        return;
    ps_datanode_link_close(&recovery->transfer);
    ps_hadoop_loop_unset(stream->hdfs->loop, &recovery->timer);
    ps_hdfs_nodes_clear(&recovery->not_again);
    if (recovery->candidate != NULL)
        ps_hadoop__located_block__free_unpacked(recovery->candidate, NULL);
    free(recovery);
    stream->recovery = NULL;
}

/* ---- the failure ---- */

/* Removes a datanode from the pipeline. */
static void remove_node(PsHadoop__LocatedBlock *located, size_t at)
{
    size_t behind = located->n_locs - at - 1;
    ps_hadoop__datanode_info__free_unpacked(located->locs[at], NULL);
    memmove(located->locs + at, located->locs + at + 1, behind * sizeof *located->locs);
    if (located->n_storage_types == located->n_locs) {
        memmove(located->storage_types + at, located->storage_types + at + 1,
                behind * sizeof *located->storage_types);
        located->n_storage_types--;
    }
    if (located->n_storage_ids == located->n_locs) {
        free(located->storage_ids[at]);
        memmove(located->storage_ids + at, located->storage_ids + at + 1,
                behind * sizeof *located->storage_ids);
        located->n_storage_ids--;
    }
    located->n_locs--;
}

/* Notes which datanode failed, and whether to wait for its restart. */
static void note_failure(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    uint64_t now_ns = ps_hadoop_loop_now(stream->hdfs->loop).mono_ns;
    snprintf(recovery->reason, sizeof recovery->reason, "%s", failure->reason);
    recovery->bad = (int)failure->bad;
    if (!failure->restarting || recovery->restarting >= 0)
        return;
    recovery->restarting = (int)failure->bad;
    recovery->wait_for_restart = failure->local;
    recovery->restart_until_ns = now_ns + stream->hdfs->limits.restart_ns;
    if (failure->local)
        recovery->bad = -1;
}

static void drop(struct ps_hdfs_stream *stream, size_t at)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    ps_hdfs_nodes_add(&stream->failed, stream->block.located.block->locs[at]);
    remove_node(stream->block.located.block, at);
    if (recovery->restarting <= (int)at)
        recovery->restarting = -1;
    else
        recovery->restarting--;
}

/* Called after the bad datanode was removed: removes the silent ones too, except the last datanode, because the
 * next pipeline would wait for each of them. */
static void leave_out_dead(struct ps_hdfs_stream *stream)
{
    const PsHadoop__LocatedBlock *located = stream->block.located.block;
    char name[80];
    for (size_t i = located->n_locs; i-- > 0 && located->n_locs > 1;) {
        if (!ps_hdfs_node_is_dead(stream->hdfs, located->locs[i]->id))
            continue;
        ps_datanode_name(located->locs[i]->id, name, sizeof name);
        ps_log(PS_LOG_WARN, stream->hdfs->component,
               "%s: the pipeline is also set up without datanode %s, which is excluded for now", stream->path,
               name);
        drop(stream, i);
    }
}

/* Removes the bad datanode. Returns false when none is left; the stream has failed then. */
static bool leave_out(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    PsHadoop__LocatedBlock *located = ps_hdfs_stream_located(stream);
    char name[80];
    if (located == NULL)
        return false;
    if (recovery->bad < 0 || (size_t)recovery->bad >= located->n_locs)
        return true;
    size_t bad = (size_t)recovery->bad;
    ps_datanode_name(located->locs[bad]->id, name, sizeof name);
    if (located->n_locs == 1) {
        ps_hdfs_stream_fail(stream, PS_FILE_UNAVAILABLE, "%s: the last datanode of the pipeline is lost: %s",
                            stream->path, recovery->reason);
        return false;
    }
    ps_log(PS_LOG_WARN, stream->hdfs->component, "%s: %s; the pipeline is set up again without datanode %s",
           stream->path, recovery->reason, name);
    drop(stream, bad);
    recovery->bad = -1;
    leave_out_dead(stream);
    return true;
}

/* ---- a replacement ---- */

static void give_up_replacement(struct ps_hdfs_stream *stream, const char *reason)
{
    const struct ps_replace_rules *rules = &stream->hdfs->limits.replace;
    bool enough = rules->replication_min > 0 && stream->block.located.block->n_locs >= rules->replication_min;
    if (!rules->best_effort && !enough) {
        ps_hdfs_stream_fail(stream, PS_FILE_UNAVAILABLE,
                            "%s: no datanode can replace the one that failed "
                            "(dfs.client.block.write.replace-datanode-on-failure.policy): %s",
                            stream->path, reason);
        return;
    }
    ps_log(PS_LOG_WARN, stream->hdfs->component, "%s: the pipeline continues with %zu datanodes: %s",
           stream->path, stream->block.located.block->n_locs, reason);
    update_block(stream);
}

/* Returns the index of the datanode that the old pipeline does not have; -1 if there is none. */
static int find_new(const PsHadoop__LocatedBlock *old, const PsHadoop__LocatedBlock *proposed)
{
    for (size_t i = 0; i < proposed->n_locs; i++) {
        size_t j = 0;
        while (j < old->n_locs &&
               strcmp(proposed->locs[i]->id->datanode_uuid, old->locs[j]->id->datanode_uuid) != 0)
            j++;
        if (j == old->n_locs)
            return (int)i;
    }
    return -1;
}

static void end_transfer(struct ps_hdfs_recovery *recovery)
{
    ps_datanode_link_close(&recovery->transfer);
    ps_hadoop_loop_unset(recovery->stream->hdfs->loop, &recovery->timer);
}

static void take_candidate(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    int added = find_new(stream->block.located.block, recovery->candidate);
    char name[80] = "";
    if (added >= 0)
        ps_datanode_name(recovery->candidate->locs[added]->id, name, sizeof name);
    ps_log(PS_LOG_INFO, stream->hdfs->component, "%s: datanode %s replaces the failed one", stream->path,
           name);
    end_transfer(recovery);
    ps_hdfs_located_replace(&stream->block.located, recovery->candidate);
    recovery->candidate = NULL;
    update_block(stream);
}

void ps_hdfs_recovery_transfer_failed(struct ps_hdfs_stream *stream, const char *reason)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    int added = find_new(stream->block.located.block, recovery->candidate);
    end_transfer(recovery);
    if (added >= 0)
        ps_hdfs_nodes_add(&recovery->not_again, recovery->candidate->locs[added]);
    ps_hadoop__located_block__free_unpacked(recovery->candidate, NULL);
    recovery->candidate = NULL;
    if (++recovery->replacements_tried < REPLACEMENTS_MAX)
        ask_replacement(stream);
    else
        give_up_replacement(stream, reason);
}

static struct ps_hdfs_stream *stream_of_link(struct ps_datanode_link *link)
{
    return ((struct ps_hdfs_recovery *)(void *)((char *)link - offsetof(struct ps_hdfs_recovery, transfer)))
        ->stream;
}

static void transfer_ready(struct ps_datanode_link *link)
{
    struct ps_hdfs_stream *stream = stream_of_link(link);
    char reason[PS_DATANODE_REASON_BYTES];
    struct ps_block_response response;
    size_t consumed;
    if (ps_datanode_link_receive(link, PS_TRANSFER_MESSAGE_BYTES_MAX, reason) < 0) {
        ps_hdfs_recovery_transfer_failed(stream, reason);
        return;
    }
    enum ps_message_part part = ps_block_response_take(link->in, link->in_length, &response, &consumed);
    if (part == PS_MESSAGE_MORE)
        return;
    if (part == PS_MESSAGE_BAD)
        ps_hdfs_recovery_transfer_failed(stream, "the answer of a datanode is not valid");
    else if (response.status == PS_TRANSFER_SUCCESS)
        take_candidate(stream);
    else {
        snprintf(reason, sizeof reason, "datanode %s does not copy the block: %s %.200s", link->name,
                 ps_transfer_status_name(response.status), response.message);
        ps_hdfs_recovery_transfer_failed(stream, reason);
    }
}

static void transfer_lost(struct ps_datanode_link *link, const char *reason)
{
    ps_hdfs_recovery_transfer_failed(stream_of_link(link), reason);
}

static const struct ps_datanode_link_ops transfer_ops = {.ready = transfer_ready, .lost = transfer_lost};

/* Makes one of the datanodes copy the acknowledged part of the block to the new one (OP_TRANSFER_BLOCK). */
static void transfer(struct ps_hdfs_stream *stream, size_t added)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    PsHadoop__LocatedBlock *candidate = recovery->candidate;
    PsHadoop__ExtendedBlock block = *stream->block.located.block->b;
    PsHadoop__BaseHeader base = PS_HADOOP__BASE_HEADER__INIT;
    PsHadoop__ClientOperationHeader header = PS_HADOOP__CLIENT_OPERATION_HEADER__INIT;
    PsHadoop__OpTransferBlock operation = PS_HADOOP__OP_TRANSFER_BLOCK__INIT;
    size_t length = 0, source = recovery->replacements_tried % stream->block.located.block->n_locs;
    block.has_num_bytes = true;
    block.num_bytes = stream->block.acknowledged;
    base.block = &block;
    base.token = candidate->block_token;
    header.base_header = &base;
    header.client_name = (char *)(uintptr_t)ps_namenode_client(stream->hdfs->namenode);
    operation.header = &header;
    operation.n_targets = 1;
    operation.targets = candidate->locs + added;
    if (candidate->n_storage_types == candidate->n_locs) {
        operation.n_target_storage_types = 1;
        operation.target_storage_types = candidate->storage_types + added;
    }
    if (candidate->n_storage_ids == candidate->n_locs) {
        operation.n_target_storage_ids = 1;
        operation.target_storage_ids = candidate->storage_ids + added;
    }
    char *bytes = ps_operation_encode(PS_OPERATION_TRANSFER_BLOCK, &operation.base, &length);
    ps_datanode_link_open(&recovery->transfer, stream->block.located.block->locs[source]->id,
                          candidate->block_token, bytes, length);
    watch_transfer(stream);
}

static void replacement_found(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    if (answer->error != PS_FILE_OK) {
        give_up_replacement(stream, answer->reason);
        return;
    }
    const PsHadoop__LocatedBlock *proposed = answer->block;
    int added = proposed == NULL || proposed->n_locs != stream->block.located.block->n_locs + 1 ||
                        proposed->n_locs > PS_PIPELINE_NODES_MAX
                    ? -1
                    : find_new(stream->block.located.block, proposed);
    if (added < 0) {
        give_up_replacement(stream, "the namenode knows no other datanode");
        return;
    }
    stream->recovery->candidate = ps_hdfs_copy_message(&proposed->base);
    if (stream->recovery->candidate == NULL)
        ps_hdfs_stream_fail(stream, PS_FILE_NO_MEMORY, "%s: no memory", stream->path);
    else
        transfer(stream, (size_t)added);
}

static void ask_replacement(struct ps_hdfs_stream *stream)
{
    const PsHadoop__LocatedBlock *located = stream->block.located.block;
    const struct ps_hdfs_nodes existing = {.nodes = located->locs, .count = located->n_locs};
    struct ps_hdfs_nodes all = {0};
    for (size_t i = 0; i < stream->failed.count; i++)
        ps_hdfs_nodes_add(&all, stream->failed.nodes[i]);
    for (size_t i = 0; i < stream->recovery->not_again.count; i++)
        ps_hdfs_nodes_add(&all, stream->recovery->not_again.nodes[i]);
    ps_hdfs_add_dead_nodes(stream->hdfs, &all);
    ps_namenode_get_additional_datanode(
        stream->hdfs->namenode, &stream->call, stream->path, stream->file_id, located->b, &existing,
        located->n_storage_ids == located->n_locs ? located->storage_ids : NULL, &all, replacement_found);
    ps_hdfs_nodes_clear(&all);
}

/* ---- setting the pipeline up again ---- */

static void block_updated(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    struct ps_hdfs_recovery *recovery = stream->recovery;
    if (answer->error != PS_FILE_OK || answer->block == NULL) {
        ps_hdfs_stream_fail(stream, answer->error != PS_FILE_OK ? answer->error : PS_FILE_FAILED, "%s",
                            answer->error != PS_FILE_OK ? answer->reason : "the answer has no block");
        return;
    }
    recovery->generation_new = answer->block->b->generation_stamp;
    PsHadoop__LocatedBlock located = *stream->block.located.block;
    uint64_t sent_bytes = stream->pipeline.sent_bytes;
    located.block_token = answer->block->block_token;
    struct ps_pipeline_setup setup = {
        .located = &located,
        .client = ps_namenode_client(stream->hdfs->namenode),
        .stage = recovery->closes ? PS_STAGE_CLOSE_RECOVERY : PS_STAGE_SETUP_STREAMING_RECOVERY,
        .block_size_bytes = stream->block_size_bytes,
        .acknowledged_bytes = stream->block.acknowledged,
        .sent_bytes = sent_bytes > stream->block.acknowledged ? sent_bytes : stream->block.acknowledged,
        .generation_new = recovery->generation_new,
        .lazy_persist = stream->lazy_persist,
    };
    stream->pipeline.held = true;
    ps_pipeline_open(&stream->pipeline, &setup);
}

static void update_block(struct ps_hdfs_stream *stream)
{
    ps_namenode_update_block_for_pipeline(stream->hdfs->namenode, &stream->call,
                                          stream->block.located.block->b, block_updated);
}

/* Begins a try: waits for a restart, leaves a datanode out, or looks for a replacement. */
static void prepare(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    const struct ps_hdfs_limits *limits = &stream->hdfs->limits;
    recovery->replacements_tried = 0;
    if (!leave_out(stream))
        return;
    if (ps_replace_is_wanted(&limits->replace, stream->replication, stream->block.located.block->n_locs,
                             stream->hflushed))
        ask_replacement(stream);
    else
        update_block(stream);
}

static void try_again(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    struct ps_hadoop_loop *loop = stream->hdfs->loop;
    if (recovery->restarting >= 0 && recovery->wait_for_restart) {
        uint64_t step_ns = stream->hdfs->limits.restart_ns < RESTART_STEP_NS ? stream->hdfs->limits.restart_ns
                                                                             : RESTART_STEP_NS;
        ps_hadoop_loop_set(loop, &recovery->timer, ps_hadoop_loop_now(loop).mono_ns + step_ns);
        return;
    }
    prepare(stream);
}

void ps_hdfs_recover(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure)
{
    begin(stream);
    struct ps_hdfs_recovery *recovery = stream->recovery;
    stream->packets.queue.unsent = stream->packets.queue.first;
    if (ps_hdfs_stream_located(stream) == NULL)
        return;
    recovery->closes = stream->packets.queue.first != NULL && stream->packets.queue.first->last;
    note_failure(stream, failure);
    if (!failure->restarting && ++stream->recoveries > stream->hdfs->limits.recoveries_max) {
        ps_hdfs_stream_fail(stream, PS_FILE_UNAVAILABLE, "%s: the pipeline failed %u times in a row: %s",
                            stream->path, stream->recoveries, failure->reason);
        return;
    }
    try_again(stream);
}

/* While the client waits for a datanode that restarts, a refused connection does not exclude this datanode. After the wait
 * it does. */
void ps_hdfs_recovery_failed(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    ps_namenode_cancel(&stream->call); /* the pipeline was lost before the namenode was informed */
    int waited_for = recovery->wait_for_restart ? recovery->restarting : -1;
    note_failure(stream, failure);
    if (waited_for >= 0 && (int)failure->bad == waited_for) {
        recovery->bad = -1;
        if (ps_hadoop_loop_now(stream->hdfs->loop).mono_ns >= recovery->restart_until_ns) {
            recovery->bad = waited_for;
            recovery->restarting = -1;
        }
    }
    try_again(stream);
}

static void pipeline_updated(struct ps_namenode_call *call, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs_stream *stream = call->argument;
    struct ps_hdfs_recovery *recovery = stream->recovery;
    if (answer->error != PS_FILE_OK) {
        ps_hdfs_stream_fail(stream, answer->error, "%s", answer->reason);
        return;
    }
    stream->block.located.block->b->generation_stamp = recovery->generation_new;
    bool closed = recovery->closes;
    ps_hdfs_recovery_free(stream);
    if (!closed) {
        stream->block.must_persist = true;
        ps_hdfs_stream_go_on(stream);
        return;
    }
    /* The datanodes finalized the block while the pipeline was set up, so the last packet is not sent. */
    struct ps_packet *last = ps_packet_queue_remove(&stream->packets.queue);
    stream->packets.number_acknowledged = last->number;
    ps_packet_free(&stream->hdfs->pool, last);
    ps_hdfs_stream_end_block(stream);
}

void ps_hdfs_recovery_ready(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs_recovery *recovery = stream->recovery;
    const PsHadoop__LocatedBlock *located = stream->block.located.block;
    const struct ps_hdfs_nodes nodes = {.nodes = located->locs, .count = located->n_locs};
    PsHadoop__ExtendedBlock old_block = *located->b, new_block = *located->b;
    if (recovery->closes)
        ps_pipeline_close(&stream->pipeline);
    old_block.has_num_bytes = new_block.has_num_bytes = true;
    old_block.num_bytes = new_block.num_bytes = stream->block.acknowledged;
    new_block.generation_stamp = recovery->generation_new;
    ps_namenode_update_pipeline(stream->hdfs->namenode, &stream->call, &old_block, &new_block, &nodes,
                                located->n_storage_ids == located->n_locs ? located->storage_ids : NULL,
                                pipeline_updated);
}
