/* Finds dead datanodes, as Hadoop's DeadNodeDetector calls them: those that are silent.
 *
 * When no bytes come from a pipeline, it is not clear which datanode is the cause: each one waits for the next, for about a minute (dfs.client.socket-timeout of the datanodes). So this client opens a
 * connection to each datanode and requests a read of zero bytes of the block. Any answer counts, even a refusal. A
 * stopped process, a lost machine and a hanging disk do not answer. (A datanode waits 3 s for the first byte of an
 * empty block, BlockSender's waitForMinLength, and would look silent itself.) Hadoop's client instead waits longer
 * than its datanodes, and believes their reports.
 *
 * A silent datanode is left out of new blocks for `exclude_ns`, or until it answers one of the repeated requests. Hadoop's client does the
 * same with datanodes with which no pipeline could be set up (DFSClient, DataStreamer.excludedNodes).
 *
 * Each datanode has one inquiry, even if several streams suspect it. */
#include "stages/lib/hadoop/hdfs/internal.h"

#include "core/log/log.h"
#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_NS (5 * PS_NS_PER_S) /* interval of questions to a silent datanode */
#define FORGET_NS (60 * PS_NS_PER_S)
#define NAME_BYTES 80

struct ps_hdfs_inquiry {
    struct ps_hdfs *hdfs;
    struct ps_hdfs_inquiry *next;
    PsHadoop__LocatedBlock *located; /* a block that is on the datanode */
    size_t at;                       /* index of the datanode in `located` */
    char name[NAME_BYTES];
    struct ps_datanode_link link;
    struct ps_hadoop_timer timer; /* time-out of the question, or time of the next one */
    bool asks;
    bool silent;         /* result of the last question */
    uint64_t asked_ns;   /* time of the last question with a result */
    uint64_t exclude_ns; /* the datanode is left out until then */
};

static void judge_all(struct ps_hdfs *hdfs);

static uint64_t now_of(const struct ps_hdfs *hdfs)
{
    return ps_hadoop_loop_now(hdfs->loop).mono_ns;
}

static const PsHadoop__DatanodeId *id_of(const struct ps_hdfs_inquiry *inquiry)
{
    return inquiry->located->locs[inquiry->at]->id;
}

static struct ps_hdfs_inquiry *find(const struct ps_hdfs *hdfs, const PsHadoop__DatanodeId *id)
{
    struct ps_hdfs_inquiry *inquiry = hdfs->inquiries;
    while (inquiry != NULL && strcmp(id_of(inquiry)->datanode_uuid, id->datanode_uuid) != 0)
        inquiry = inquiry->next;
    return inquiry;
}

/* ---- one question ---- */

static void finish(struct ps_hdfs_inquiry *inquiry, const char *silent)
{
    struct ps_hdfs *hdfs = inquiry->hdfs;
    uint64_t now_ns = now_of(hdfs);
    bool excluded = inquiry->exclude_ns > now_ns;
    ps_datanode_link_close(&inquiry->link);
    inquiry->asks = false;
    inquiry->silent = silent != NULL;
    inquiry->exclude_ns = silent == NULL ? 0
                          : excluded     ? inquiry->exclude_ns
                                         : now_ns + hdfs->limits.exclude_ns;
    ps_hadoop_loop_set(hdfs->loop, &inquiry->timer, silent != NULL ? now_ns + AGAIN_NS : PS_NEVER);
    if (silent != NULL && !excluded)
        ps_log(PS_LOG_WARN, hdfs->component,
               "datanode %s: %s; it gets no new blocks for %s "
               "(dfs.client.write.exclude.nodes.cache.expiry.interval.millis), or until it answers",
               inquiry->name, silent, ps_quantity_print_ns(hdfs->limits.exclude_ns).text);
    else if (silent == NULL && excluded)
        ps_log(PS_LOG_INFO, hdfs->component, "datanode %s answers again", inquiry->name);
    judge_all(hdfs);
}

static struct ps_hdfs_inquiry *inquiry_of_link(struct ps_datanode_link *link)
{
    return (struct ps_hdfs_inquiry *)(void *)((char *)link - offsetof(struct ps_hdfs_inquiry, link));
}

/* Any bytes, or the end of the connection, count as an answer. */
static void link_ready(struct ps_datanode_link *link)
{
    char reason[PS_DATANODE_REASON_BYTES];
    if (ps_datanode_link_receive(link, PS_TRANSFER_MESSAGE_BYTES_MAX, reason) != 0)
        finish(inquiry_of_link(link), NULL);
}

static void link_lost(struct ps_datanode_link *link, const char *reason)
{
    struct ps_hdfs_inquiry *inquiry = inquiry_of_link(link);
    size_t named = strlen("datanode ") + strlen(inquiry->name) + strlen(": ");
    finish(inquiry, strlen(reason) > named ? reason + named : reason);
}

static const struct ps_datanode_link_ops link_ops = {.ready = link_ready, .lost = link_lost};

static void ask(struct ps_hdfs_inquiry *inquiry)
{
    size_t length = 0;
    uint64_t now_ns = now_of(inquiry->hdfs);
    char *operation =
        ps_operation_encode_read(inquiry->located, ps_namenode_client(inquiry->hdfs->namenode), 0, &length);
    inquiry->asks = true;
    inquiry->asked_ns = now_ns;
    ps_hadoop_loop_set(inquiry->hdfs->loop, &inquiry->timer, now_ns + inquiry->hdfs->datanodes.probe_ns);
    ps_datanode_link_open(&inquiry->link, id_of(inquiry), inquiry->located->block_token, operation, length);
}

static void on_time(struct ps_hadoop_timer *timer)
{
    struct ps_hdfs_inquiry *inquiry =
        (struct ps_hdfs_inquiry *)(void *)((char *)timer - offsetof(struct ps_hdfs_inquiry, timer));
    char silent[64];
    if (inquiry->asks) {
        snprintf(silent, sizeof silent, "no answer within %s",
                 ps_quantity_print_ns(inquiry->hdfs->datanodes.probe_ns).text);
        finish(inquiry, silent);
    } else if (inquiry->exclude_ns > now_of(inquiry->hdfs)) {
        ask(inquiry);
    }
}

/* ---- the inquiries ---- */

static void free_inquiry(struct ps_hdfs_inquiry *inquiry)
{
    ps_datanode_link_close(&inquiry->link);
    ps_hadoop_loop_unset(inquiry->hdfs->loop, &inquiry->timer);
    if (inquiry->located != NULL)
        ps_hadoop__located_block__free_unpacked(inquiry->located, NULL);
    free(inquiry);
}

void ps_hdfs_free_inquiries(struct ps_hdfs *hdfs)
{
    while (hdfs->inquiries != NULL) {
        struct ps_hdfs_inquiry *inquiry = hdfs->inquiries;
        hdfs->inquiries = inquiry->next;
        free_inquiry(inquiry);
    }
}

static void forget_old(struct ps_hdfs *hdfs)
{
    uint64_t now_ns = now_of(hdfs);
    for (struct ps_hdfs_inquiry **at = &hdfs->inquiries; *at != NULL;) {
        struct ps_hdfs_inquiry *inquiry = *at;
        if (inquiry->asks || inquiry->exclude_ns > now_ns || now_ns < inquiry->asked_ns + FORGET_NS) {
            at = &inquiry->next;
            continue;
        }
        *at = inquiry->next;
        free_inquiry(inquiry);
    }
}

/* Returns the inquiry about a datanode, or NULL if there is no memory for a new one. */
static struct ps_hdfs_inquiry *inquiry_about(struct ps_hdfs *hdfs, const PsHadoop__LocatedBlock *located,
                                             size_t at)
{
    struct ps_hdfs_inquiry *inquiry = find(hdfs, located->locs[at]->id);
    PsHadoop__LocatedBlock *copy =
        inquiry == NULL || !inquiry->asks ? ps_hdfs_copy_message(&located->base) : NULL;
    if (copy == NULL)
        return inquiry;
    if (inquiry == NULL) {
        inquiry = ps_must_alloc(1, sizeof *inquiry, "a datanode's inquiry");
        inquiry->hdfs = hdfs;
        ps_datanode_link_init(&inquiry->link, &link_ops, &hdfs->datanodes);
        inquiry->timer.fire = on_time;
        ps_datanode_name(located->locs[at]->id, inquiry->name, sizeof inquiry->name);
        inquiry->next = hdfs->inquiries;
        hdfs->inquiries = inquiry;
    } else {
        ps_hadoop__located_block__free_unpacked(inquiry->located, NULL);
    }
    inquiry->located = copy; /* the current block, with its token */
    inquiry->at = at;
    return inquiry;
}

bool ps_hdfs_node_is_dead(const struct ps_hdfs *hdfs, const PsHadoop__DatanodeId *id)
{
    const struct ps_hdfs_inquiry *inquiry = find(hdfs, id);
    return inquiry != NULL && inquiry->exclude_ns > now_of(hdfs);
}

void ps_hdfs_add_dead_nodes(const struct ps_hdfs *hdfs, struct ps_hdfs_nodes *nodes)
{
    for (const struct ps_hdfs_inquiry *inquiry = hdfs->inquiries; inquiry != NULL; inquiry = inquiry->next) {
        if (inquiry->exclude_ns > now_of(hdfs))
            ps_hdfs_nodes_add(nodes, inquiry->located->locs[inquiry->at]);
    }
}

/* ---- streams that suspect datanodes ---- */

/* Returns the datanodes that the stream waits for: those of its pipeline or of a copy. Returns NULL if it waits for none, or has failed. */
static const PsHadoop__LocatedBlock *suspects_of(struct ps_hdfs_stream *stream)
{
    if (stream->recovery != NULL && stream->recovery->candidate != NULL)
        return stream->recovery->candidate;
    if (stream->pipeline.phase == PS_PIPELINE_CLOSED || !stream->block.is_known)
        return NULL;
    return ps_hdfs_stream_located(stream);
}

static bool has_outcome(const struct ps_hdfs_stream *stream, const struct ps_hdfs_inquiry *inquiry)
{
    return inquiry != NULL && !inquiry->asks &&
           inquiry->asked_ns + stream->hdfs->datanodes.probe_ns >= stream->suspects_ns;
}

/* Returns whether the suspicion is over: bytes were received since it began, or the stream waits for other datanodes. */
static bool is_cleared(const struct ps_hdfs_stream *stream)
{
    uint64_t since_ns = ps_pipeline_silent_since(&stream->pipeline);
    bool copies = stream->recovery != NULL && stream->recovery->candidate != NULL;
    return !copies && (since_ns == 0 || since_ns > stream->suspects_ns);
}

static void end_suspicion(struct ps_hdfs_stream *stream)
{
    stream->suspects_ns = 0;
    if (stream->phase == PS_STREAM_STREAMING)
        ps_hdfs_located_pack(&stream->block.located);
}

/* Decides when all datanodes have answered or timed out. If all of them are silent, the network may be down and no pipeline can be
 * made: the call time-out ends the operation. */
static void judge(struct ps_hdfs_stream *stream)
{
    const PsHadoop__LocatedBlock *located = is_cleared(stream) ? NULL : suspects_of(stream);
    char reason[PS_DATANODE_REASON_BYTES];
    size_t silent_count = 0, first = 0;
    if (located == NULL) {
        end_suspicion(stream);
        return;
    }
    for (size_t i = located->n_locs; i-- > 0;) {
        const struct ps_hdfs_inquiry *inquiry = find(stream->hdfs, located->locs[i]->id);
        if (!has_outcome(stream, inquiry))
            return;
        silent_count += inquiry->silent;
        first = inquiry->silent ? i : first;
    }
    bool others = silent_count < located->n_locs || stream->phase == PS_STREAM_SETTING_UP;
    const struct ps_hdfs_inquiry *bad = find(stream->hdfs, located->locs[first]->id);
    snprintf(reason, sizeof reason, "datanode %s does not answer", bad->name);
    end_suspicion(stream);
    if (silent_count == 0 || !others)
        return;
    if (stream->recovery != NULL && stream->recovery->candidate != NULL)
        ps_hdfs_recovery_transfer_failed(stream, reason);
    else
        ps_pipeline_blame(&stream->pipeline, (unsigned)first, reason);
}

static void judge_all(struct ps_hdfs *hdfs)
{
    struct ps_hdfs_stream *stream;
    LIST_FOREACH(stream, &hdfs->streams, all)
    {
        if (stream->suspects_ns != 0)
            judge(stream);
    }
}

void ps_hdfs_suspect(struct ps_hdfs_stream *stream)
{
    struct ps_hdfs *hdfs = stream->hdfs;
    const PsHadoop__LocatedBlock *located = suspects_of(stream);
    if (stream->suspects_ns != 0 || located == NULL)
        return;
    stream->suspects_ns = now_of(hdfs);
    forget_old(hdfs);
    for (size_t i = 0; i < located->n_locs; i++) {
        struct ps_hdfs_inquiry *inquiry = find(hdfs, located->locs[i]->id);
        if (has_outcome(stream, inquiry) || (inquiry != NULL && inquiry->asks))
            continue;
        inquiry = inquiry_about(hdfs, located, i);
        if (inquiry != NULL)
            ask(inquiry);
    }
    judge(stream);
}

void ps_hdfs_describe_wait(struct ps_hdfs_stream *stream, char *out, size_t room)
{
    const PsHadoop__LocatedBlock *located = suspects_of(stream);
    size_t length = 0, silent_count = 0;
    char name[NAME_BYTES];
    out[0] = 0;
    const struct ps_namenode_call *calls[] = {&stream->call, &stream->hdfs->defaults_call};
    for (size_t i = 0; i < PS_COUNT_OF(calls); i++)
        if (ps_namenode_call_is_busy(calls[i]) && calls[i]->rpc.reason[0] != '\0') {
            snprintf(out, room, "; %s", calls[i]->rpc.reason); /* for example safe mode, or no connection */
            return;
        }
    for (size_t i = 0; located != NULL && i < located->n_locs; i++)
        silent_count += ps_hdfs_node_is_dead(stream->hdfs, located->locs[i]->id);
    for (size_t i = 0; located != NULL && i < located->n_locs && length < room; i++) {
        if (silent_count > 0 && !ps_hdfs_node_is_dead(stream->hdfs, located->locs[i]->id))
            continue;
        ps_datanode_name(located->locs[i]->id, name, sizeof name);
        length +=
            (size_t)snprintf(out + length, room - length, "%s %s", length == 0 ? "; datanode" : ",", name);
    }
    if (length > 0 && length < room)
        snprintf(out + length, room - length,
                 silent_count > 0 ? ": no answer" : ": no acknowledgement, although they answer");
}
