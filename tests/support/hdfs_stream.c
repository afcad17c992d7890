/* Implements hdfs_stream.h. */
#include "tests/support/hdfs_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void ps_test_stream_noted(void *argument, const struct ps_file_answer *answer)
{
    struct ps_test_outcome *outcome = argument;
    outcome->calls++;
    outcome->error = answer->error;
    snprintf(outcome->reason, sizeof outcome->reason, "%s", answer->reason);
    if (outcome->abandon != NULL)
        ps_file_abandon(outcome->abandon);
}

/* ---- the datanode ---- */

static void reply(struct ps_test_stream *bench, const ProtobufCMessage *message)
{
    size_t length;
    char *bytes = ps_message_encode(message, &length);
    assert_int_equal(send(bench->peer, bytes, length, MSG_NOSIGNAL), length);
    free(bytes);
}

static void take(struct ps_test_stream *bench, size_t length)
{
    bench->in_length -= length;
    memmove(bench->in, bench->in + length, bench->in_length);
}

/* A datanode sets a pipeline up again only for the replica that it has (FsDatasetImpl.recoverCheck): its generation stamp, at least the bytes
 * that were acknowledged, at most those that were sent; and the replica becomes the one that the namenode expects. */
static void check_operation(const struct ps_test_stream *bench)
{
    const PsHadoop__OpWriteBlock *operation = bench->operation;
    if (bench->block_id == 0 || operation->stage == PS_STAGE_SETUP_CREATE)
        return;
    assert_int_equal(operation->header->base_header->block->block_id, bench->block_id);
    assert_int_equal(operation->header->base_header->block->generation_stamp, bench->generation);
    assert_int_equal(operation->latest_generation_stamp, bench->generation_next);
    assert_in_range(bench->block_length, operation->min_bytes_rcvd, operation->max_bytes_rcvd);
}

static bool serve_operation(struct ps_test_stream *bench)
{
    PsHadoop__BlockOpResponse response = PS_HADOOP__BLOCK_OP_RESPONSE__INIT;
    struct ps_slice message;
    size_t consumed;
    if (bench->in_length < 4 ||
        ps_message_find(bench->in + 3, bench->in_length - 3, &message, &consumed) != PS_MESSAGE_WHOLE)
        return false;
    if (bench->operation != NULL)
        ps_hadoop__op_write_block__free_unpacked(bench->operation, NULL);
    bench->operation = ps_hadoop__op_write_block__unpack(NULL, message.length, (const uint8_t *)message.data);
    assert_non_null(bench->operation);
    check_operation(bench);
    if (bench->operation->stage == PS_STAGE_SETUP_CREATE)
        bench->block_length = 0;
    bench->operations++;
    bench->streaming = true;
    take(bench, 3 + consumed);
    reply(bench, &response.base);
    return true;
}

static bool serve_packet(struct ps_test_stream *bench)
{
    uint32_t body, length;
    uint16_t head;
    uint64_t offset;
    bool last;
    if (bench->in_length < 6)
        return false;
    memcpy(&body, bench->in, 4);
    memcpy(&head, bench->in + 4, 2);
    body = ntohl(body);
    head = ntohs(head);
    if (bench->in_length < 6U + head + body - 4)
        return false;
    struct ps_slice header = {.data = bench->in + 6, .length = head};
    assert_true(ps_packet_header_parse(&header, PS_TEST_BLOCK_BYTES, &offset, &length, &last));
    assert_true(offset <= bench->block_length && offset + length <= PS_TEST_BLOCK_BYTES);
    memcpy(bench->block + offset, bench->in + 2 + head + body - length, length);
    bench->block_length = offset + length;
    bench->packets++;
    bench->ended += last;
    PsHadoop__PacketHeader *parsed =
        ps_hadoop__packet_header__unpack(NULL, head, (const uint8_t *)bench->in + 6);
    PsHadoop__PipelineAck ack = PS_HADOOP__PIPELINE_ACK__INIT;
    uint32_t replies[8] = {0};
    ack.seqno = parsed->seqno;
    ack.n_reply = bench->operation->pipeline_size;
    ack.reply = replies;
    take(bench, 2U + head + body);
    if (!bench->silent)
        reply(bench, &ack.base);
    ps_hadoop__packet_header__free_unpacked(parsed, NULL);
    return true;
}

void ps_test_stream_hang_up(struct ps_test_stream *bench)
{
    if (bench->peer >= 0)
        close(bench->peer);
    bench->peer = -1;
    bench->in_length = 0;
    bench->streaming = false;
}

/* Answers clients that only check whether the datanode is up. */
static void serve_others(struct ps_test_stream *bench)
{
    static const char refusal[] = {4, 8, PS_TRANSFER_ERROR, 0x12, 0};
    int other = bench->deaf ? -1 : accept4(bench->listener, NULL, NULL, SOCK_CLOEXEC);
    if (other < 0)
        return;
    assert_int_equal(send(other, refusal, sizeof refusal, MSG_NOSIGNAL), sizeof refusal);
    close(other);
    bench->probes++;
}

static void serve(struct ps_test_stream *bench)
{
    if (bench->peer < 0)
        bench->peer = accept4(bench->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (bench->peer < 0)
        return;
    ssize_t got = recv(bench->peer, bench->in + bench->in_length, sizeof bench->in - bench->in_length, 0);
    if (got == 0) {
        ps_test_stream_hang_up(bench);
        return;
    }
    bench->in_length += got > 0 ? (size_t)got : 0;
    serve_others(bench);
    while (bench->streaming ? serve_packet(bench) : serve_operation(bench))
        ;
}

/* ---- the bench ---- */

void ps_test_stream_turn(struct ps_test_stream *bench)
{
    ps_filesystem_turn(bench->filesystem, &bench->client.now);
    serve(bench);
}

void ps_test_stream_pump(struct ps_test_stream *bench, const unsigned *count, unsigned wanted)
{
    for (unsigned waited = 0; *count < wanted; waited++) {
        if (waited > PS_TEST_PATIENCE_MS)
            fail_msg("nothing happens any more");
        ps_test_stream_turn(bench);
        struct pollfd ready = {.fd = bench->client.port.epoll_fd, .events = POLLIN};
        if (*count < wanted)
            poll(&ready, 1, 1);
    }
}

/* The calls with a block of the file, and the member that has it. */
static const struct {
    const char *method;
    const ProtobufCMessageDescriptor *message;
    size_t block;
    bool is_final; /* the call has the block's length */
} calls[] = {
    {"addBlock", &ps_hadoop__add_block_request__descriptor, offsetof(PsHadoop__AddBlockRequest, previous),
     true},
    {"complete", &ps_hadoop__complete_request__descriptor, offsetof(PsHadoop__CompleteRequest, last), true},
    {"abandonBlock", &ps_hadoop__abandon_block_request__descriptor,
     offsetof(PsHadoop__AbandonBlockRequest, b), false},
    {"getAdditionalDatanode", &ps_hadoop__get_additional_datanode_request__descriptor,
     offsetof(PsHadoop__GetAdditionalDatanodeRequest, blk), false},
    {"updateBlockForPipeline", &ps_hadoop__update_block_for_pipeline_request__descriptor,
     offsetof(PsHadoop__UpdateBlockForPipelineRequest, block), false},
    {"updatePipeline", &ps_hadoop__update_pipeline_request__descriptor,
     offsetof(PsHadoop__UpdatePipelineRequest, old_block), false},
};

/* A namenode accepts only its last block, with the block's generation stamp (FSNamesystem.checkUCBlock, FSDirWriteFileOp.analyzeFileState). */
static void check_call(struct ps_test_stream *bench)
{
    const struct ps_test_namenode *namenode = &bench->namenode;
    size_t i = 0;
    while (i < PS_COUNT_OF(calls) && strcmp(calls[i].method, namenode->method) != 0)
        i++;
    if (i == PS_COUNT_OF(calls) || bench->block_id == 0)
        return;
    ProtobufCMessage *call =
        protobuf_c_message_unpack(calls[i].message, NULL, namenode->message_length, namenode->message);
    assert_non_null(call);
    const PsHadoop__ExtendedBlock *block =
        *(PsHadoop__ExtendedBlock **)(void *)((char *)call + calls[i].block);
    assert_non_null(block);
    assert_int_equal(block->block_id, bench->block_id);
    assert_int_equal(block->generation_stamp, bench->generation);
    if (calls[i].is_final)
        assert_int_equal(block->num_bytes, bench->block_length);
    if (strcmp(calls[i].method, "updatePipeline") == 0) {
        block = ((const PsHadoop__UpdatePipelineRequest *)call)->new_block;
        assert_int_equal(block->block_id, bench->block_id);
        assert_int_equal(block->generation_stamp, bench->generation_next);
        assert_int_equal(block->num_bytes, bench->operation->min_bytes_rcvd);
        bench->generation = bench->generation_next;
    } else if (strcmp(calls[i].method, "abandonBlock") == 0) {
        bench->block_id = 0;
    }
    protobuf_c_message_free_unpacked(call, NULL);
}

/* Turns until the client has called the namenode. */
void ps_test_stream_expect(struct ps_test_stream *bench, const char *method)
{
    for (unsigned waited = 0;; waited++) {
        if (waited > PS_TEST_PATIENCE_MS)
            fail_msg("no call of %s", method);
        ps_test_stream_turn(bench);
        struct pollfd ready = {.fd = bench->namenode.fd >= 0 ? bench->namenode.fd : bench->namenode.listener,
                               .events = POLLIN};
        if (bench->namenode.in.length > 0 || poll(&ready, 1, 1) > 0)
            break;
    }
    ps_test_namenode_expect(&bench->namenode, method);
    check_call(bench);
}

void ps_test_stream_answer(struct ps_test_stream *bench, const ProtobufCMessage *message)
{
    ps_test_namenode_answer(&bench->namenode, bench->namenode.id, message);
}

int ps_test_stream_set_up(void **state)
{
    struct ps_test_stream *bench = calloc(1, sizeof *bench);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    char url[64];
    struct ps_err err;
    ps_test_hdfs_init(&bench->client);
    ps_test_namenode_init(&bench->namenode, &bench->client);
    snprintf(url, sizeof url, "hdfs://127.0.0.1:%u", bench->namenode.port);
    struct ps_hadoop_settings settings = {
        .url = url, .call_timeout_ns = 30 * PS_NS_PER_S, .port = &bench->client.port};
    assert_int_equal(ps_hdfs_open(&settings, &bench->filesystem, &err), PS_OK);
    /* The test's namenode now turns the loop of the file system. */
    ps_hadoop_loop_close(bench->client.loop);
    bench->client.loop = ((struct ps_hdfs *)bench->filesystem)->loop;
    bench->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(bench->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(bench->listener, 4), 0);
    assert_int_equal(getsockname(bench->listener, (struct sockaddr *)&address, &length), 0);
    bench->port = ntohs(address.sin_port);
    bench->peer = -1;
    *state = bench;
    return 0;
}

int ps_test_stream_tear_down(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_filesystem_close(bench->filesystem);
    bench->client.loop = NULL;
    ps_test_namenode_fini(&bench->namenode);
    ps_test_hdfs_fini(&bench->client);
    ps_test_stream_hang_up(bench);
    close(bench->listener);
    if (bench->operation != NULL)
        ps_hadoop__op_write_block__free_unpacked(bench->operation, NULL);
    free(bench);
    return 0;
}

/* ---- the namenode's answers ---- */

void ps_test_stream_answer_defaults(struct ps_test_stream *bench)
{
    PsHadoop__FsServerDefaults defaults = PS_HADOOP__FS_SERVER_DEFAULTS__INIT;
    PsHadoop__GetServerDefaultsResponse response = PS_HADOOP__GET_SERVER_DEFAULTS_RESPONSE__INIT;
    ps_test_stream_expect(bench, "getServerDefaults");
    defaults.block_size = PS_TEST_BLOCK_BYTES;
    defaults.bytes_per_checksum = 512;
    defaults.write_packet_size = 65536;
    defaults.replication = 2;
    defaults.has_checksum_type = true;
    defaults.checksum_type = PS_CHECKSUM_CRC32C;
    response.server_defaults = &defaults;
    ps_test_stream_answer(bench, &response.base);
}

void ps_test_stream_answer_create(struct ps_test_stream *bench)
{
    static char empty[] = "";
    PsHadoop__Permission permission = PS_HADOOP__PERMISSION__INIT;
    PsHadoop__HdfsFileStatus status = PS_HADOOP__HDFS_FILE_STATUS__INIT;
    PsHadoop__StatusResponse response = PS_HADOOP__STATUS_RESPONSE__INIT;
    ps_test_stream_expect(bench, "create");
    status.type = 2;
    status.permission = &permission;
    status.owner = status.group = empty;
    status.has_file_id = status.has_block_size = status.has_block_replication = true;
    status.file_id = 77;
    status.block_size = PS_TEST_BLOCK_BYTES;
    status.block_replication = 2;
    response.fs = &status;
    ps_test_stream_answer(bench, &response.base);
}

/* Answers with a block on this number of datanodes, all of them the test's. */
void ps_test_stream_answer_block(struct ps_test_stream *bench, const char *method, uint64_t id,
                                 uint64_t generation, unsigned nodes)
{
    static char pool[] = "BP-1", address[] = "127.0.0.1", empty[] = "";
    static char a[] = "a", b[] = "b", c[] = "c", *uuids[] = {a, b, c};
    PsHadoop__ExtendedBlock block = PS_HADOOP__EXTENDED_BLOCK__INIT;
    PsHadoop__Token token = PS_HADOOP__TOKEN__INIT;
    PsHadoop__DatanodeId ids[3];
    PsHadoop__DatanodeInfo infos[3], *list[3];
    uint32_t types[3] = {1, 2, 3}; /* storage types of HDFS: DISK, SSD, ARCHIVE */
    PsHadoop__LocatedBlock located = PS_HADOOP__LOCATED_BLOCK__INIT;
    PsHadoop__BlockResponse response = PS_HADOOP__BLOCK_RESPONSE__INIT;
    ps_test_stream_expect(bench, method);
    block.pool_id = pool;
    block.block_id = id;
    block.generation_stamp = generation;
    token.kind = token.service = empty;
    for (unsigned i = 0; i < nodes; i++) {
        ids[i] = (PsHadoop__DatanodeId)PS_HADOOP__DATANODE_ID__INIT;
        ids[i].ip_addr = ids[i].host_name = address;
        ids[i].datanode_uuid = uuids[i];
        ids[i].xfer_port = bench->node_ports[i] != 0 ? bench->node_ports[i] : bench->port;
        infos[i] = (PsHadoop__DatanodeInfo)PS_HADOOP__DATANODE_INFO__INIT;
        infos[i].id = &ids[i];
        list[i] = &infos[i];
    }
    located.b = &block;
    located.block_token = &token;
    located.locs = list;
    located.storage_types = types;
    located.storage_ids = uuids;
    located.n_locs = located.n_storage_types = located.n_storage_ids = nodes;
    response.block = &located;
    ps_test_stream_answer(bench, &response.base);
    if (strcmp(method, "updateBlockForPipeline") == 0)
        bench->generation_next = generation;
    else if (strcmp(method, "addBlock") == 0) {
        bench->block_id = id;
        bench->generation = generation;
    }
}

void ps_test_stream_answer_true(struct ps_test_stream *bench, const char *method)
{
    PsHadoop__BooleanResponse response = PS_HADOOP__BOOLEAN_RESPONSE__INIT;
    ps_test_stream_expect(bench, method);
    response.result = true;
    ps_test_stream_answer(bench, &response.base);
}

/* Opens a file, and keeps the bytes written to it before. */
void ps_test_stream_create(struct ps_test_stream *bench)
{
    bench->stream = ps_file_create(bench->filesystem, "/d/f", ps_test_stream_noted, &bench->created);
}

void ps_test_stream_write_and_flush(struct ps_test_stream *bench, const char *bytes, size_t length)
{
    assert_true(ps_file_write(bench->stream, bytes, length));
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, ps_test_stream_noted, &bench->flushed);
}

/* Creates a file and flushes `text` into it. */
void ps_test_stream_begin_file(struct ps_test_stream *bench, const char *text, unsigned nodes)
{
    ps_test_stream_create(bench);
    ps_test_stream_write_and_flush(bench, text, strlen(text));
    ps_test_stream_answer_defaults(bench);
    ps_test_stream_answer_create(bench);
    ps_test_stream_answer_block(bench, "addBlock", 1, 1001, nodes);
    ps_test_stream_expect(bench, "fsync");
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_pump(bench, &bench->flushed.calls, 1);
    assert_int_equal(bench->created.calls, 1);
    assert_int_equal(bench->flushed.error, PS_FILE_OK);
    assert_int_equal(bench->filesystem->held_bytes, 0);
}
