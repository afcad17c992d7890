/* Implements pipeline.h. */
#include "stages/lib/hadoop/transfer/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"

#define PARTS_MAX 128
#define HEARTBEAT_NS_MAX (30 * PS_NS_PER_S) /* half of a datanode's own time-out, whatever this client's is */
#define SLOW_MAX 10U                        /* dfs.client.mark.slownode.as.badnode.threshold */
#define CONGESTION_REST_MS 5000U            /* dfs.client.congestion.backoff.mean.time */
#define CONGESTION_REST_MAX_MS 50000U       /* dfs.client.congestion.backoff.max.time */
#define IN_BYTES_MAX (PS_TRANSFER_MESSAGE_BYTES_MAX + 8U)

#define PIPELINE_OF(member, pointer)                                                                         \
    ((struct ps_pipeline *)(void *)((char *)(pointer)-offsetof(struct ps_pipeline, member)))

void ps_packet_queue_add(struct ps_packet_queue *queue, struct ps_packet *packet)
{
    packet->next = NULL;
    *(queue->last == NULL ? &queue->first : &queue->last->next) = packet;
    queue->last = packet;
    if (queue->unsent == NULL)
        queue->unsent = packet;
}

struct ps_packet *ps_packet_queue_remove(struct ps_packet_queue *queue)
{
    struct ps_packet *packet = queue->first;
    if (queue->unsent == packet)
        queue->unsent = packet->next;
    queue->first = packet->next;
    if (queue->first == NULL)
        queue->last = NULL;
    packet->next = NULL;
    return packet;
}

static uint64_t now_of(const struct ps_pipeline *pipeline)
{
    return ps_hadoop_loop_now(pipeline->link.settings->loop).mono_ns;
}

static uint64_t read_timeout_ns(const struct ps_pipeline *pipeline)
{
    const struct ps_datanode_settings *settings = pipeline->link.settings;
    return settings->read_timeout_ns + pipeline->node_count * settings->read_timeout_per_node_ns;
}

/* Returns when `silent` is due; PS_NEVER when no answer is awaited. */
static uint64_t silence_due_ns(const struct ps_pipeline *pipeline)
{
    uint64_t silence_ns = pipeline->link.settings->silence_ns;
    if (pipeline->waits_ns == 0 || silence_ns == 0)
        return PS_NEVER;
    return (pipeline->told_ns > pipeline->waits_ns ? pipeline->told_ns : pipeline->waits_ns) + silence_ns;
}

static uint64_t heartbeat_ns(const struct ps_pipeline *pipeline)
{
    uint64_t half_ns = pipeline->link.settings->read_timeout_ns / 2;
    return half_ns < HEARTBEAT_NS_MAX ? half_ns : HEARTBEAT_NS_MAX;
}

void ps_pipeline_close(struct ps_pipeline *pipeline)
{
    ps_datanode_link_close(&pipeline->link);
    ps_hadoop_loop_unset(pipeline->link.settings->loop, &pipeline->timer);
    free(pipeline->names);
    pipeline->names = NULL;
    pipeline->phase = PS_PIPELINE_CLOSED;
}

/* ---- failures ---- */

static void fail(struct ps_pipeline *pipeline, struct ps_pipeline_failure failure, const char *reason)
{
    char copy[PS_DATANODE_REASON_BYTES];
    snprintf(copy, sizeof copy, "%s", reason);
    failure.reason = copy;
    failure.setup = pipeline->phase == PS_PIPELINE_SETTING_UP;
    ps_pipeline_close(pipeline);
    pipeline->ops->failed(pipeline, &failure);
}

/* If the failed datanode is unknown, blames the first one (ErrorState.markFirstNodeIfNotMarked). */
static void fail_first(struct ps_pipeline *pipeline, const char *reason)
{
    fail(pipeline, (struct ps_pipeline_failure){0}, reason);
}

uint64_t ps_pipeline_silent_since(const struct ps_pipeline *pipeline)
{
    return pipeline->phase != PS_PIPELINE_CLOSED ? pipeline->waits_ns : 0;
}

void ps_pipeline_blame(struct ps_pipeline *pipeline, unsigned bad, const char *reason)
{
    PS_ASSERT(pipeline->phase != PS_PIPELINE_CLOSED);
    fail(pipeline, (struct ps_pipeline_failure){.bad = bad}, reason);
}

/* ---- sending ---- */

/* Returns whether this packet may be sent: the last one of a block only after all before it are acknowledged;
 * packets after it never, because they belong to the next block. */
static bool may_go(const struct ps_pipeline *pipeline, const struct ps_packet *packet)
{
    const struct ps_packet *first = pipeline->queue->first;
    return !pipeline->held && (packet == first || (!packet->last && !first->last));
}

static int gather(const struct ps_pipeline *pipeline, struct iovec *parts)
{
    size_t skip = pipeline->packet_sent;
    int count = 0;
    for (const struct ps_packet *one = pipeline->queue->unsent; one != NULL && count < PARTS_MAX;
         one = one->next) {
        if (!may_go(pipeline, one))
            break;
        count += ps_packet_parts(one, skip, parts + count, PARTS_MAX - count);
        skip = 0;
    }
    return count;
}

static void advance(struct ps_pipeline *pipeline, size_t written)
{
    struct ps_packet_queue *queue = pipeline->queue;
    while (written > 0) {
        struct ps_packet *packet = queue->unsent;
        size_t left = ps_packet_wire_length(pipeline->pool, packet) - pipeline->packet_sent;
        if (written < left) {
            pipeline->packet_sent += written;
            return;
        }
        written -= left;
        pipeline->packet_sent = 0;
        queue->unsent = packet->next;
        if (packet->offset + packet->length > pipeline->sent_bytes)
            pipeline->sent_bytes = packet->offset + packet->length;
    }
}

/* Describes the unsent bytes of the heartbeat, which is sent between two packets. Returns the number of parts: 0 or
 * 1. */
static int heartbeat_part(const struct ps_pipeline *pipeline, unsigned char *head, struct iovec *part)
{
    struct ps_packet heartbeat = {.number = PS_PACKET_HEARTBEAT};
    if (pipeline->heartbeat_left == 0)
        return 0;
    ps_packet_seal((struct ps_packet_pool *)(uintptr_t)pipeline->pool, &heartbeat);
    memcpy(head, heartbeat.head, heartbeat.head_length);
    *part = (struct iovec){.iov_base = head + heartbeat.head_length - pipeline->heartbeat_left,
                           .iov_len = pipeline->heartbeat_left};
    return 1;
}

static size_t heartbeat_length(void)
{
    return 6U + 9 + 9 + 2 + 5; /* lengths; two fixed64, a bool and a fixed32, each with its key */
}

/* Notes that an answer is awaited. Does not set the timer for each packet: the timer fires once in `silence_ns`
 * while packets and acknowledgements flow. */
static void begin_waiting(struct ps_pipeline *pipeline, uint64_t now_ns)
{
    pipeline->waits_ns = now_ns;
    uint64_t due_ns = silence_due_ns(pipeline);
    if (due_ns < pipeline->timer.due_ns)
        ps_hadoop_loop_set(pipeline->link.settings->loop, &pipeline->timer, due_ns);
}

/* Returns false with reason when the connection is lost. */
static bool send_packets(struct ps_pipeline *pipeline, char *reason)
{
    struct iovec parts[PARTS_MAX];
    unsigned char head[PS_PACKET_HEAD_BYTES];
    for (;;) {
        uint64_t now_ns = now_of(pipeline);
        int count = pipeline->packet_sent == 0 ? heartbeat_part(pipeline, head, parts) : 0;
        bool heartbeat = count > 0;
        if (!heartbeat &&
            (now_ns >= pipeline->rest_until_ns || pipeline->packet_sent > 0 || pipeline->link.writing))
            count = gather(pipeline, parts);
        if (count == 0 && !pipeline->link.writing)
            return true;
        if (count == 0) { /* an encrypted connection may hold bytes of its own */
            parts[0] = (struct iovec){0};
            return ps_datanode_link_write(&pipeline->link, parts, 0, reason) >= 0;
        }
        ssize_t written = ps_datanode_link_write(&pipeline->link, parts, count, reason);
        if (written <= 0)
            return written == 0;
        pipeline->wrote_ns = now_ns;
        if (pipeline->waits_ns == 0)
            begin_waiting(pipeline, now_ns);
        if (heartbeat)
            pipeline->heartbeat_left -= (size_t)written;
        else
            advance(pipeline, (size_t)written);
    }
}

void ps_pipeline_send(struct ps_pipeline *pipeline)
{
    char reason[PS_DATANODE_REASON_BYTES];
    if (pipeline->phase == PS_PIPELINE_STREAMING && !pipeline->link.writing)
        /* errors are ignored: a lost connection is readable, so the next turn notices it */
        (void)send_packets(pipeline, reason);
}

/* ---- receiving ---- */

static bool is_slow(struct ps_pipeline *pipeline, unsigned node, bool slow)
{
    pipeline->slow[node] = slow ? (uint8_t)(pipeline->slow[node] + 1) : 0;
    return pipeline->slow[node] >= SLOW_MAX;
}

static void rest(struct ps_pipeline *pipeline)
{
    pipeline->rest_ms =
        (uint32_t)ps_backoff_next(pipeline->rest_ms, CONGESTION_REST_MS, CONGESTION_REST_MAX_MS);
    pipeline->rest_until_ns = now_of(pipeline) + pipeline->rest_ms * PS_NS_PER_MS;
}

/* Finds the datanode that failed, searching from the end of the pipeline (ResponseProcessor.run). Returns
 * false after reporting the failure. */
static bool check_nodes(struct ps_pipeline *pipeline, const struct ps_pipeline_ack *ack)
{
    char text[PS_DATANODE_REASON_BYTES];
    bool congested = false;
    for (unsigned i = ack->count; i-- > 0;) {
        const struct ps_node_ack *node = &ack->nodes[i];
        struct ps_pipeline_failure failure = {.bad = i};
        congested |= node->congestion == PS_ACK_CONGESTED;
        if (node->status == PS_TRANSFER_SUCCESS && !is_slow(pipeline, i, node->slow))
            continue;
        failure.restarting = node->status == PS_TRANSFER_OOB_RESTART;
        failure.local = pipeline->node_count == 1 || (pipeline->local_nodes >> i & 1) != 0;
        snprintf(text, sizeof text, "datanode %u of the pipeline from %s: %s", i + 1, pipeline->link.name,
                 node->status == PS_TRANSFER_SUCCESS ? "it is slow" : ps_transfer_status_name(node->status));
        fail(pipeline, failure, text);
        return false;
    }
    if (congested)
        rest(pipeline);
    else
        pipeline->rest_ms = 0;
    return true;
}

/* Returns false after reporting a failure, or when a callback has closed the pipeline. */
static bool take_ack(struct ps_pipeline *pipeline, const struct ps_slice *message)
{
    struct ps_pipeline_ack ack;
    if (!ps_pipeline_ack_parse(message, &ack) || ack.count > pipeline->node_count) {
        fail_first(pipeline, "the acknowledgement of a datanode is not valid");
        return false;
    }
    if (!check_nodes(pipeline, &ack))
        return false;
    if (ack.number == PS_PACKET_HEARTBEAT)
        return true;
    const struct ps_packet *first = pipeline->queue->first;
    if (first == NULL || first == pipeline->queue->unsent || first->number != ack.number || ack.count == 0) {
        fail_first(pipeline, "a datanode acknowledges a packet that was not sent");
        return false;
    }
    pipeline->ops->acknowledged(pipeline, ps_packet_queue_remove(pipeline->queue));
    return pipeline->phase == PS_PIPELINE_STREAMING;
}

static unsigned find_node(const struct ps_pipeline *pipeline, const char *name)
{
    for (unsigned i = 0; pipeline->names != NULL && i < pipeline->node_count; i++) {
        if (strcmp(pipeline->names[i], name) == 0)
            return i;
    }
    return 0;
}

static void find_local_nodes(struct ps_pipeline *pipeline)
{
    char address[sizeof *pipeline->names];
    pipeline->local_nodes = 0;
    for (unsigned i = 0; pipeline->names != NULL && i < pipeline->node_count; i++) {
        snprintf(address, sizeof address, "%s", pipeline->names[i]);
        char *port = strrchr(address, ':');
        if (port != NULL) /* the namenode may send a name without a port */
            *port = 0;
        pipeline->local_nodes |= (uint64_t)ps_datanode_link_is_local(&pipeline->link, address) << i;
    }
}

static bool take_response(struct ps_pipeline *pipeline, const struct ps_slice *message)
{
    struct ps_block_response response;
    char text[PS_DATANODE_REASON_BYTES];
    if (!ps_block_response_parse(message, &response)) {
        fail_first(pipeline, "the answer of a datanode is not valid");
        return false;
    }
    find_local_nodes(pipeline);
    if (response.status == PS_TRANSFER_SUCCESS) {
        free(pipeline->names);
        pipeline->names = NULL;
        pipeline->phase = PS_PIPELINE_STREAMING;
        pipeline->wrote_ns = now_of(pipeline);
        ps_hadoop_loop_set(pipeline->link.settings->loop, &pipeline->timer,
                           pipeline->wrote_ns + heartbeat_ns(pipeline));
        pipeline->ops->ready(pipeline);
        return pipeline->phase == PS_PIPELINE_STREAMING;
    }
    struct ps_pipeline_failure failure = {
        .bad = find_node(pipeline, response.first_bad_link),
        .restarting = response.status == PS_TRANSFER_OOB_RESTART,
        .token = response.status == PS_TRANSFER_ERROR_ACCESS_TOKEN,
    };
    failure.local = pipeline->node_count == 1 || (pipeline->local_nodes >> failure.bad & 1) != 0;
    snprintf(text, sizeof text, "datanode %s: %s%s%.60s%s%.200s", pipeline->link.name,
             ps_transfer_status_name(response.status), response.first_bad_link[0] != 0 ? ", of " : "",
             response.first_bad_link, response.message[0] != 0 ? ": " : "", response.message);
    fail(pipeline, failure, text);
    return false;
}

/* Takes the complete messages. Returns false when the caller must no longer use the pipeline. */
static bool take_messages(struct ps_pipeline *pipeline)
{
    struct ps_datanode_link *link = &pipeline->link;
    struct ps_slice message;
    size_t consumed;
    for (;;) {
        switch (ps_message_find(link->in, link->in_length, &message, &consumed)) {
        case PS_MESSAGE_MORE:
            return true;
        case PS_MESSAGE_BAD:
            fail_first(pipeline, "the answer of a datanode is not valid");
            return false;
        case PS_MESSAGE_WHOLE:
            break;
        }
        bool under_way = pipeline->queue->first != pipeline->queue->unsent || pipeline->packet_sent > 0;
        pipeline->waits_ns = under_way ? now_of(pipeline) : 0;
        bool setting_up = pipeline->phase == PS_PIPELINE_SETTING_UP;
        if (!(setting_up ? take_response(pipeline, &message) : take_ack(pipeline, &message)))
            return false;
        ps_datanode_link_consume(link, consumed);
    }
}

/* Reads all received bytes. Returns false when the caller must no longer use the pipeline. */
static bool receive(struct ps_pipeline *pipeline)
{
    char reason[PS_DATANODE_REASON_BYTES];
    for (;;) {
        size_t room = pipeline->link.in_room - pipeline->link.in_length;
        int got = ps_datanode_link_receive(&pipeline->link, IN_BYTES_MAX, reason);
        if (got < 0) {
            fail_first(pipeline, reason);
            return false;
        }
        if (got == 0)
            return true;
        bool all = pipeline->link.in_length < pipeline->link.in_room && room > 0;
        if (!take_messages(pipeline))
            return false;
        if (all)
            return true; /* the epoll is level-triggered */
    }
}

static void link_ready(struct ps_datanode_link *link)
{
    struct ps_pipeline *pipeline = PIPELINE_OF(link, link);
    char reason[PS_DATANODE_REASON_BYTES];
    if (!receive(pipeline))
        return;
    if (pipeline->phase == PS_PIPELINE_STREAMING && !send_packets(pipeline, reason)) {
        /* Reads the datanode's last message first, because it is a better reason than the lost connection. */
        if (receive(pipeline))
            fail_first(pipeline, reason);
    }
}

static void link_lost(struct ps_datanode_link *link, const char *reason)
{
    fail_first(PIPELINE_OF(link, link), reason);
}

static const struct ps_datanode_link_ops link_ops = {.ready = link_ready, .lost = link_lost};

/* ---- time ---- */

static void on_time(struct ps_hadoop_timer *timer)
{
    struct ps_pipeline *pipeline = PIPELINE_OF(timer, timer);
    uint64_t now_ns = now_of(pipeline);
    char reason[PS_DATANODE_REASON_BYTES];
    if (pipeline->waits_ns > 0 && now_ns >= pipeline->waits_ns + read_timeout_ns(pipeline)) {
        snprintf(reason, sizeof reason, "datanode %s: it has sent nothing for %llu s", pipeline->link.name,
                 (unsigned long long)(read_timeout_ns(pipeline) / PS_NS_PER_S));
        fail_first(pipeline, reason);
        return;
    }
    uint64_t next_ns = (pipeline->waits_ns > 0 ? pipeline->waits_ns : now_ns) + read_timeout_ns(pipeline);
    if (pipeline->phase == PS_PIPELINE_STREAMING) {
        if (now_ns >= pipeline->wrote_ns + heartbeat_ns(pipeline)) {
            if (pipeline->heartbeat_left == 0 && !pipeline->link.writing) /* otherwise bytes are being sent
                                                                           * anyway */
                pipeline->heartbeat_left = heartbeat_length();
            pipeline->wrote_ns = now_ns;
        }
        if (!pipeline->link.writing)
            (void)send_packets(pipeline, reason); /* a lost connection is readable */
        uint64_t beat_ns = pipeline->wrote_ns + heartbeat_ns(pipeline);
        next_ns = beat_ns < next_ns ? beat_ns : next_ns;
        if (pipeline->rest_until_ns > now_ns && pipeline->rest_until_ns < next_ns)
            next_ns = pipeline->rest_until_ns;
    }
    bool silent = now_ns >= silence_due_ns(pipeline);
    if (silent)
        pipeline->told_ns = now_ns;
    if (silence_due_ns(pipeline) < next_ns)
        next_ns = silence_due_ns(pipeline);
    ps_hadoop_loop_set(pipeline->link.settings->loop, timer, next_ns);
    if (silent)
        pipeline->ops->silent(pipeline); /* the callback may close the pipeline */
}

/* ---- set-up ---- */

void ps_pipeline_init(struct ps_pipeline *pipeline, const struct ps_datanode_settings *settings)
{
    ps_datanode_link_init(&pipeline->link, &link_ops, settings);
    pipeline->timer.fire = on_time;
}

static void remember_names(struct ps_pipeline *pipeline, const PsHadoop__LocatedBlock *located)
{
    pipeline->names = calloc(located->n_locs, sizeof *pipeline->names);
    for (size_t i = 0; pipeline->names != NULL && i < located->n_locs; i++)
        ps_datanode_name(located->locs[i]->id, pipeline->names[i], sizeof pipeline->names[i]);
}

static char *encode_setup(const struct ps_pipeline *pipeline, const struct ps_pipeline_setup *setup,
                          size_t *length)
{
    const PsHadoop__LocatedBlock *located = setup->located;
    PsHadoop__ExtendedBlock block = *located->b;
    PsHadoop__BaseHeader base = PS_HADOOP__BASE_HEADER__INIT;
    PsHadoop__ClientOperationHeader header = PS_HADOOP__CLIENT_OPERATION_HEADER__INIT;
    PsHadoop__Checksum checksum = PS_HADOOP__CHECKSUM__INIT;
    PsHadoop__CachingStrategy caching = PS_HADOOP__CACHING_STRATEGY__INIT;
    PsHadoop__OpWriteBlock write = PS_HADOOP__OP_WRITE_BLOCK__INIT;
    block.has_num_bytes = true;
    /* the limit to which the block may grow, as Hadoop's client sends it */
    block.num_bytes = setup->block_size_bytes;
    base.block = &block;
    base.token = located->block_token;
    header.base_header = &base;
    header.client_name = (char *)(uintptr_t)setup->client;
    checksum.type = pipeline->pool->checksum;
    checksum.bytes_per_checksum = pipeline->pool->chunk_bytes;
    write.header = &header;
    write.n_targets = located->n_locs - 1;
    write.targets = located->locs + 1;
    write.stage = setup->stage;
    write.pipeline_size = (uint32_t)located->n_locs;
    write.min_bytes_rcvd = setup->acknowledged_bytes;
    write.max_bytes_rcvd = setup->sent_bytes;
    write.latest_generation_stamp = setup->generation_new;
    write.requested_checksum = &checksum;
    write.caching_strategy = &caching;
    write.has_allow_lazy_persist = setup->lazy_persist;
    write.allow_lazy_persist = setup->lazy_persist;
    if (located->n_storage_types == located->n_locs) {
        write.has_storage_type = true;
        write.storage_type = located->storage_types[0];
        write.n_target_storage_types = located->n_locs - 1;
        write.target_storage_types = located->storage_types + 1;
    }
    if (located->n_storage_ids == located->n_locs) {
        write.storage_id = located->storage_ids[0];
        write.n_target_storage_ids = located->n_locs - 1;
        write.target_storage_ids = located->storage_ids + 1;
    }
    return ps_operation_encode(PS_OPERATION_WRITE_BLOCK, &write.base, length);
}

void ps_pipeline_open(struct ps_pipeline *pipeline, const struct ps_pipeline_setup *setup)
{
    const PsHadoop__LocatedBlock *located = setup->located;
    size_t length = 0;
    PS_ASSERT(pipeline->phase == PS_PIPELINE_CLOSED && located->n_locs > 0 &&
              located->n_locs <= PS_PIPELINE_NODES_MAX);
    char *operation = encode_setup(pipeline, setup, &length);
    pipeline->phase = PS_PIPELINE_SETTING_UP;
    pipeline->node_count = (uint8_t)located->n_locs;
    pipeline->packet_sent = pipeline->heartbeat_left = 0;
    pipeline->sent_bytes = setup->sent_bytes;
    pipeline->queue->unsent = pipeline->queue->first;
    pipeline->waits_ns = now_of(pipeline);
    pipeline->rest_until_ns = pipeline->rest_ms = 0;
    memset(pipeline->slow, 0, sizeof pipeline->slow);
    remember_names(pipeline, located);
    ps_datanode_link_open(&pipeline->link, located->locs[0]->id, located->block_token, operation, length);
    uint64_t due_ns = pipeline->waits_ns + read_timeout_ns(pipeline);
    ps_hadoop_loop_set(pipeline->link.settings->loop, &pipeline->timer,
                       due_ns < silence_due_ns(pipeline) ? due_ns : silence_due_ns(pipeline));
}
