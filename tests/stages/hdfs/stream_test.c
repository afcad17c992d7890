/* Output streams of HDFS (stream.c, stream_blocks.c, recovery.c) against a scripted namenode and a datanode that this test plays,
 * between turns. Nothing depends on time but the patience of a failing test. */
#include "stages/hdfs/hdfs.h"
#include "stages/hdfs/parts.h"
#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES 1024U

struct outcome {
    unsigned calls;
    enum ps_file_error error;
    char reason[PS_FILE_REASON_BYTES];
    struct ps_file_stream *abandon; /* in the callback */
};

struct bench {
    struct ps_test_hdfs client;
    struct ps_test_namenode namenode;
    struct ps_filesystem *filesystem;
    struct ps_file_stream *stream;
    struct outcome created, flushed, closed;
    /* The datanode: one connection at a time. */
    int listener, peer;
    unsigned port;
    bool silent;    /* it takes packets and says nothing */
    bool streaming; /* the operation was answered */
    char in[200000];
    size_t in_length;
    PsHadoop__OpWriteBlock *operation; /* the last one */
    unsigned operations, packets, ended;
    char block[BLOCK_BYTES + 1]; /* what it has of the block */
    size_t block_length;
};

static void noted(void *argument, const struct ps_file_answer *answer)
{
    struct outcome *outcome = argument;
    outcome->calls++;
    outcome->error = answer->error;
    snprintf(outcome->reason, sizeof outcome->reason, "%s", answer->reason);
    if (outcome->abandon != NULL)
        ps_file_abandon(outcome->abandon);
}

/* ---- the datanode ---- */

static void reply(struct bench *bench, const ProtobufCMessage *message)
{
    size_t length;
    char *bytes = ps_message_encode(message, &length);
    assert_int_equal(send(bench->peer, bytes, length, MSG_NOSIGNAL), length);
    free(bytes);
}

static void take(struct bench *bench, size_t length)
{
    bench->in_length -= length;
    memmove(bench->in, bench->in + length, bench->in_length);
}

static bool serve_operation(struct bench *bench)
{
    PsHadoop__BlockOpResponse response = PS_HADOOP__BLOCK_OP_RESPONSE__INIT;
    struct ps_slice message;
    size_t consumed;
    if (bench->in_length < 4 ||
        ps_message_find(bench->in + 3, bench->in_length - 3, 4096, &message, &consumed) != PS_MESSAGE_WHOLE)
        return false;
    if (bench->operation != NULL)
        ps_hadoop__op_write_block__free_unpacked(bench->operation, NULL);
    bench->operation = ps_hadoop__op_write_block__unpack(NULL, message.length, (const uint8_t *)message.data);
    assert_non_null(bench->operation);
    if (bench->operation->stage == PS_STAGE_SETUP_CREATE)
        bench->block_length = 0;
    bench->operations++;
    bench->streaming = true;
    take(bench, 3 + consumed);
    reply(bench, &response.base);
    return true;
}

static bool serve_packet(struct bench *bench)
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
    assert_true(ps_packet_header_parse(&header, BLOCK_BYTES, &offset, &length, &last));
    assert_true(offset <= bench->block_length && offset + length <= BLOCK_BYTES);
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

static void hang_up(struct bench *bench)
{
    if (bench->peer >= 0)
        close(bench->peer);
    bench->peer = -1;
    bench->in_length = 0;
    bench->streaming = false;
}

static void serve(struct bench *bench)
{
    if (bench->peer < 0)
        bench->peer = accept4(bench->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (bench->peer < 0)
        return;
    ssize_t got = recv(bench->peer, bench->in + bench->in_length, sizeof bench->in - bench->in_length, 0);
    if (got == 0) {
        hang_up(bench);
        return;
    }
    bench->in_length += got > 0 ? (size_t)got : 0;
    while (bench->streaming ? serve_packet(bench) : serve_operation(bench))
        ;
}

/* ---- the bench ---- */

static void turn(struct bench *bench)
{
    ps_filesystem_turn(bench->filesystem, &bench->client.now);
    serve(bench);
}

static void pump(struct bench *bench, const unsigned *count, unsigned wanted)
{
    for (unsigned waited = 0; *count < wanted; waited++) {
        if (waited > PS_TEST_PATIENCE_MS)
            fail_msg("nothing happens any more");
        turn(bench);
        struct pollfd ready = {.fd = bench->client.port.epoll_fd, .events = POLLIN};
        if (*count < wanted)
            poll(&ready, 1, 1);
    }
}

/* Until the client has called the namenode. */
static void expect(struct bench *bench, const char *method)
{
    for (unsigned waited = 0;; waited++) {
        if (waited > PS_TEST_PATIENCE_MS)
            fail_msg("no call of %s", method);
        turn(bench);
        struct pollfd ready = {.fd = bench->namenode.fd >= 0 ? bench->namenode.fd : bench->namenode.listener,
                               .events = POLLIN};
        if (bench->namenode.in.length > 0 || poll(&ready, 1, 1) > 0)
            break;
    }
    ps_test_namenode_expect(&bench->namenode, method);
}

static void answer(struct bench *bench, const ProtobufCMessage *message)
{
    ps_test_namenode_answer(&bench->namenode, bench->namenode.id, message);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
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
    /* The namenode of the test turns the file system's loop. */
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

static int tear_down(void **state)
{
    struct bench *bench = *state;
    ps_filesystem_close(bench->filesystem);
    bench->client.loop = NULL;
    ps_test_namenode_fini(&bench->namenode);
    ps_test_hdfs_fini(&bench->client);
    hang_up(bench);
    close(bench->listener);
    if (bench->operation != NULL)
        ps_hadoop__op_write_block__free_unpacked(bench->operation, NULL);
    free(bench);
    return 0;
}

/* ---- the namenode's answers ---- */

static void answer_defaults(struct bench *bench)
{
    PsHadoop__FsServerDefaults defaults = PS_HADOOP__FS_SERVER_DEFAULTS__INIT;
    PsHadoop__GetServerDefaultsResponse response = PS_HADOOP__GET_SERVER_DEFAULTS_RESPONSE__INIT;
    expect(bench, "getServerDefaults");
    defaults.block_size = BLOCK_BYTES;
    defaults.bytes_per_checksum = 512;
    defaults.write_packet_size = 65536;
    defaults.replication = 2;
    defaults.has_checksum_type = true;
    defaults.checksum_type = PS_CHECKSUM_CRC32C;
    response.server_defaults = &defaults;
    answer(bench, &response.base);
}

static void answer_create(struct bench *bench)
{
    static char empty[] = "";
    PsHadoop__Permission permission = PS_HADOOP__PERMISSION__INIT;
    PsHadoop__HdfsFileStatus status = PS_HADOOP__HDFS_FILE_STATUS__INIT;
    PsHadoop__StatusResponse response = PS_HADOOP__STATUS_RESPONSE__INIT;
    expect(bench, "create");
    status.type = 2;
    status.permission = &permission;
    status.owner = status.group = empty;
    status.has_file_id = status.has_block_size = status.has_block_replication = true;
    status.file_id = 77;
    status.block_size = BLOCK_BYTES;
    status.block_replication = 2;
    response.fs = &status;
    answer(bench, &response.base);
}

/* A block with so many datanodes, all of them the test's. */
static void answer_block(struct bench *bench, const char *method, uint64_t id, uint64_t generation,
                         unsigned nodes)
{
    static char pool[] = "BP-1", address[] = "127.0.0.1", empty[] = "";
    static char a[] = "a", b[] = "b", c[] = "c", *uuids[] = {a, b, c};
    PsHadoop__ExtendedBlock block = PS_HADOOP__EXTENDED_BLOCK__INIT;
    PsHadoop__Token token = PS_HADOOP__TOKEN__INIT;
    PsHadoop__DatanodeId ids[3];
    PsHadoop__DatanodeInfo infos[3], *list[3];
    uint32_t types[3] = {1, 1, 1};
    PsHadoop__LocatedBlock located = PS_HADOOP__LOCATED_BLOCK__INIT;
    PsHadoop__BlockResponse response = PS_HADOOP__BLOCK_RESPONSE__INIT;
    expect(bench, method);
    block.pool_id = pool;
    block.block_id = id;
    block.generation_stamp = generation;
    token.kind = token.service = empty;
    for (unsigned i = 0; i < nodes; i++) {
        ids[i] = (PsHadoop__DatanodeId)PS_HADOOP__DATANODE_ID__INIT;
        ids[i].ip_addr = ids[i].host_name = address;
        ids[i].datanode_uuid = uuids[i];
        ids[i].xfer_port = bench->port;
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
    answer(bench, &response.base);
}

static void answer_true(struct bench *bench, const char *method)
{
    PsHadoop__BooleanResponse response = PS_HADOOP__BOOLEAN_RESPONSE__INIT;
    expect(bench, method);
    response.result = true;
    answer(bench, &response.base);
}

/* Opens a file; what is written before is kept. */
static void create(struct bench *bench)
{
    struct ps_file_creation creation = {0};
    bench->stream = ps_file_create(bench->filesystem, "/d/f", &creation, noted, &bench->created);
}

static void write_and_flush(struct bench *bench, const char *bytes, size_t length)
{
    assert_true(ps_file_write(bench->stream, bytes, length));
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, noted, &bench->flushed);
}

/* A file with `text` flushed. */
static void begin_file(struct bench *bench, const char *text, unsigned nodes)
{
    create(bench);
    write_and_flush(bench, text, strlen(text));
    answer_defaults(bench);
    answer_create(bench);
    answer_block(bench, "addBlock", 1, 1001, nodes);
    expect(bench, "fsync");
    answer(bench, NULL);
    pump(bench, &bench->flushed.calls, 1);
    assert_int_equal(bench->created.calls, 1);
    assert_int_equal(bench->flushed.error, PS_FILE_OK);
    assert_int_equal(bench->filesystem->held_bytes, 0);
}

/* ---- the tests ---- */

static void blocks_follow_one_another(void **state)
{
    struct bench *bench = *state;
    char bytes[1500], first[BLOCK_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31);
    create(bench);
    assert_true(ps_file_write(bench->stream, bytes, 10)); /* before the file is there */
    write_and_flush(bench, bytes + 10, sizeof bytes - 10);
    assert_int_equal(bench->filesystem->held_bytes, sizeof bytes);
    answer_defaults(bench);
    answer_create(bench);
    answer_block(bench, "addBlock", 1, 1001, 2);
    pump(bench, &bench->ended, 1);
    memcpy(first, bench->block, sizeof first);
    assert_memory_equal(first, bytes, sizeof first);
    expect(bench, "addBlock");
    PsHadoop__AddBlockRequest *request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->previous->block_id, 1);
    assert_int_equal(request->previous->num_bytes, BLOCK_BYTES);
    assert_int_equal(request->file_id, 77);
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
    bench->namenode.method[0] = 0;
    /* answer_block expects the request itself: refuse this one as the namenode does while it waits for reports. */
    ps_test_namenode_refuse(&bench->namenode, bench->namenode.id,
                            "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException", "not yet");
    bench->client.now.mono_ns += PS_NS_PER_S;
    for (unsigned i = 0; i < 3; i++)
        turn(bench);
    bench->client.now.mono_ns += PS_NS_PER_S;
    answer_block(bench, "addBlock", 2, 1002, 2);
    expect(bench, "fsync");
    PsHadoop__FsyncRequest *fsync =
        ps_hadoop__fsync_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(fsync->last_block_length, sizeof bytes - BLOCK_BYTES);
    ps_hadoop__fsync_request__free_unpacked(fsync, NULL);
    assert_int_equal(bench->flushed.calls, 0);
    answer(bench, NULL);
    pump(bench, &bench->flushed.calls, 1);
    assert_int_equal(ps_file_replicas(bench->stream), 2);
    assert_memory_equal(bench->block, bytes + BLOCK_BYTES, sizeof bytes - BLOCK_BYTES);
    ps_file_close(bench->stream, noted, &bench->closed);
    expect(bench, "complete");
    PsHadoop__CompleteRequest *complete =
        ps_hadoop__complete_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(complete->last->block_id, 2);
    assert_int_equal(complete->last->num_bytes, sizeof bytes - BLOCK_BYTES);
    ps_hadoop__complete_request__free_unpacked(complete, NULL);
    PsHadoop__BooleanResponse response = PS_HADOOP__BOOLEAN_RESPONSE__INIT;
    response.result = true;
    answer(bench, &response.base);
    pump(bench, &bench->closed.calls, 1);
    assert_int_equal(bench->closed.error, PS_FILE_OK);
    assert_int_equal(bench->filesystem->under_way, 0);
}

/* 10 bytes, then 5 more: the second packet begins at the chunk's beginning again. */
static void a_chunk_that_was_flushed_is_repeated(void **state)
{
    struct bench *bench = *state;
    begin_file(bench, "0123456789", 2);
    write_and_flush(bench, "abcde", 5);
    pump(bench, &bench->flushed.calls, 2); /* without the namenode: it knows the block */
    assert_int_equal(bench->block_length, 15);
    assert_memory_equal(bench->block, "0123456789abcde", 15);
    assert_int_equal(bench->stream->acknowledged_bytes, 15);
    unsigned packets = bench->packets;
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, noted, &bench->flushed); /* nothing new: no packet */
    pump(bench, &bench->flushed.calls, 3);
    assert_int_equal(bench->packets, packets);
    ps_file_flush(bench->stream, PS_FILE_HSYNC, noted, &bench->flushed); /* an empty one that syncs */
    pump(bench, &bench->flushed.calls, 4);
    assert_int_equal(bench->packets, packets + 1);
    assert_int_equal(bench->block_length, 15);
}

static void a_lost_datanode_is_left_out(void **state)
{
    struct bench *bench = *state;
    begin_file(bench, "before ", 2);
    bench->silent = true;
    unsigned packets = bench->packets;
    write_and_flush(bench, "after", 5);
    pump(bench, &bench->packets, packets + 1);
    hang_up(bench);
    bench->silent = false;
    answer_block(bench, "updateBlockForPipeline", 1, 1005, 1);
    packets = bench->packets;
    expect(bench, "updatePipeline");
    assert_int_equal(bench->operation->stage, PS_STAGE_SETUP_STREAMING_RECOVERY);
    assert_int_equal(bench->operation->latest_generation_stamp, 1005);
    assert_int_equal(bench->operation->header->base_header->block->generation_stamp, 1001);
    assert_int_equal(bench->operation->min_bytes_rcvd, 7);
    assert_int_equal(bench->operation->max_bytes_rcvd, 12);
    assert_int_equal(bench->operation->pipeline_size, 1);
    assert_int_equal(bench->packets, packets); /* nothing before the namenode knows */
    PsHadoop__UpdatePipelineRequest *request = ps_hadoop__update_pipeline_request__unpack(
        NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->new_block->generation_stamp, 1005);
    assert_int_equal(request->n_new_nodes, 1);
    assert_string_equal(request->new_nodes[0]->datanode_uuid, "b");
    assert_string_equal(request->storage_ids[0], "b");
    ps_hadoop__update_pipeline_request__free_unpacked(request, NULL);
    assert_int_equal(bench->flushed.calls, 1);
    answer(bench, NULL);
    expect(bench, "fsync");
    answer(bench, NULL);
    pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_OK);
    assert_memory_equal(bench->block, "before after", 12);
    assert_int_equal(ps_file_replicas(bench->stream), 1);
}

/* The connection is lost behind the last packet of a block: the datanodes make the block final while the pipeline is set up. */
static void an_end_that_was_not_acknowledged_is_recovered(void **state)
{
    struct bench *bench = *state;
    begin_file(bench, "bytes", 2);
    bench->silent = true;
    ps_file_close(bench->stream, noted, &bench->closed);
    pump(bench, &bench->ended, 1);
    hang_up(bench);
    answer_block(bench, "updateBlockForPipeline", 1, 1006, 1);
    expect(bench, "updatePipeline");
    assert_int_equal(bench->operation->stage, PS_STAGE_CLOSE_RECOVERY);
    answer(bench, NULL);
    answer_true(bench, "complete");
    pump(bench, &bench->closed.calls, 1);
    assert_int_equal(bench->closed.error, PS_FILE_OK);
    assert_int_equal(bench->ended, 1);
}

static void without_datanodes_the_stream_fails(void **state)
{
    struct bench *bench = *state;
    begin_file(bench, "bytes", 1);
    bench->silent = true;
    write_and_flush(bench, "more", 4);
    unsigned packets = bench->packets;
    pump(bench, &bench->packets, packets + 1);
    hang_up(bench);
    pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(bench->flushed.reason, "/d/f"));
    assert_false(ps_file_write(bench->stream, "x", 1));
    assert_int_equal(bench->filesystem->held_bytes, 0);
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, noted, &bench->flushed); /* says so again, later */
    assert_int_equal(bench->flushed.calls, 2);
    bench->flushed.abandon = bench->stream;
    pump(bench, &bench->flushed.calls, 3);
    assert_int_equal(bench->filesystem->under_way, 0);
}

static void refuse_block(struct bench *bench)
{
    ps_test_namenode_refuse(&bench->namenode, bench->namenode.id, "java.io.IOException",
                            "File /d/f could only be written to 0 of the 1 minReplication nodes.");
}

static void a_block_that_cannot_be_set_up_is_abandoned(void **state)
{
    struct bench *bench = *state;
    create(bench);
    write_and_flush(bench, "bytes", 5);
    answer_defaults(bench);
    answer_create(bench);
    unsigned port = bench->port;
    bench->port = bench->namenode.port; /* which is no datanode: it hangs up */
    int listener = bench->listener;
    bench->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(bench->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(bench->listener, (struct sockaddr *)&address, &length), 0);
    bench->port = ntohs(address.sin_port); /* bound, and nobody listens: connections are refused */
    answer_block(bench, "addBlock", 1, 1001, 2);
    expect(bench, "abandonBlock");
    close(bench->listener);
    bench->listener = listener;
    bench->port = port;
    answer(bench, NULL);
    expect(bench, "addBlock");
    PsHadoop__AddBlockRequest *request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->n_exclude_nodes, 1);
    assert_string_equal(request->exclude_nodes[0]->id->datanode_uuid, "a");
    assert_null(request->previous);
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
    /* It may have too few datanodes for a moment: asked again, without exclusions, for a third of the call time-out. */
    refuse_block(bench);
    const struct ps_hdfs_stream *stream = (const struct ps_hdfs_stream *)bench->stream;
    for (unsigned waited = 0; !stream->again.set; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        turn(bench);
        usleep(1000);
    }
    bench->client.now.mono_ns += 11 * PS_NS_PER_S;
    expect(bench, "addBlock");
    request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->n_exclude_nodes, 0);
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
    refuse_block(bench);
    pump(bench, &bench->flushed.calls, 1);
    assert_int_equal(bench->flushed.error, PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(bench->flushed.reason, "0 of the 1 minReplication nodes"));
}

static void the_call_time_out_ends_a_flush(void **state)
{
    struct bench *bench = *state;
    begin_file(bench, "bytes", 2);
    bench->silent = true;
    write_and_flush(bench, "more", 4);
    unsigned packets = bench->packets;
    pump(bench, &bench->packets, packets + 1);
    bench->client.now.mono_ns += 29 * PS_NS_PER_S;
    turn(bench);
    assert_int_equal(bench->flushed.calls, 1);
    bench->client.now.mono_ns += 2 * PS_NS_PER_S;
    turn(bench);
    assert_int_equal(bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_TIMEOUT);
    ps_file_abandon(bench->stream);
}

/* Whatever is under way, nothing is called any more. */
static void a_file_system_is_closed_at_any_time(void **state)
{
    struct bench *bench = *state;
    create(bench);
    write_and_flush(bench, "bytes", 5);
    answer_defaults(bench);
    answer_create(bench);
    expect(bench, "addBlock");
    struct ps_file_creation creation = {0};
    ps_file_create(bench->filesystem, "/d/g", &creation, noted, &bench->closed);
    ps_file_stat(bench->filesystem, "/d", noted, &bench->closed);
    ps_file_read(bench->filesystem, "/d/h", 100, noted, &bench->closed);
    turn(bench);
    assert_int_equal(bench->closed.calls, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(blocks_follow_one_another),          TEST(a_chunk_that_was_flushed_is_repeated),
        TEST(a_lost_datanode_is_left_out),        TEST(an_end_that_was_not_acknowledged_is_recovered),
        TEST(without_datanodes_the_stream_fails), TEST(a_block_that_cannot_be_set_up_is_abandoned),
        TEST(the_call_time_out_ends_a_flush),     TEST(a_file_system_is_closed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
