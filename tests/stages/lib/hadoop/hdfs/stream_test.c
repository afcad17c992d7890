/* Output streams of HDFS (stream.c, stream_blocks.c, recovery.c) against a scripted namenode and a datanode that this
 * test plays, between turns. Nothing depends on time except the patience of a failing test. */
#include "tests/support/hdfs_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the tests ---- */

static void test_blocks_follow_one_another(void **state)
{
    struct ps_test_stream *bench = *state;
    char bytes[1500], first[PS_TEST_BLOCK_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31);
    ps_test_stream_create(bench);
    assert_true(ps_file_write(bench->stream, bytes, 10)); /* before the file is created */
    ps_test_stream_write_and_flush(bench, bytes + 10, sizeof bytes - 10);
    assert_int_equal(bench->filesystem->held_bytes, sizeof bytes);
    ps_test_stream_answer_defaults(bench);
    ps_test_stream_answer_create(bench);
    ps_test_stream_answer_block(bench, "addBlock", 1, 1001, 2);
    ps_test_stream_pump(bench, &bench->ended, 1);
    memcpy(first, bench->block, sizeof first);
    assert_memory_equal(first, bytes, sizeof first);
    ps_test_stream_expect(bench, "addBlock");
    PsHadoop__AddBlockRequest *request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->previous->block_id, 1);
    assert_int_equal(request->previous->num_bytes, PS_TEST_BLOCK_BYTES);
    assert_int_equal(request->file_id, 77);
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
    bench->namenode.method[0] = 0;
    /* answer_block expects the request itself: refuse this one as the namenode does while it waits for reports. */
    ps_test_namenode_refuse(&bench->namenode, bench->namenode.id,
                            "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException", "not yet");
    ps_test_stream_pump(bench, &((const struct ps_hdfs_stream *)bench->stream)->call.rpc.rests, 1);
    bench->client.now.mono_ns += PS_NS_PER_S;
    ps_test_stream_answer_block(bench, "addBlock", 2, 1002, 2);
    ps_test_stream_expect(bench, "fsync");
    PsHadoop__FsyncRequest *fsync =
        ps_hadoop__fsync_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(fsync->last_block_length, sizeof bytes - PS_TEST_BLOCK_BYTES);
    ps_hadoop__fsync_request__free_unpacked(fsync, NULL);
    assert_int_equal(bench->flushed.calls, 0);
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_pump(bench, &bench->flushed.calls, 1);
    assert_int_equal(ps_file_replicas(bench->stream), 2);
    assert_memory_equal(bench->block, bytes + PS_TEST_BLOCK_BYTES, sizeof bytes - PS_TEST_BLOCK_BYTES);
    ps_file_close(bench->stream, ps_test_stream_noted, &bench->closed);
    ps_test_stream_expect(bench, "complete");
    PsHadoop__CompleteRequest *complete =
        ps_hadoop__complete_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(complete->last->block_id, 2);
    assert_int_equal(complete->last->num_bytes, sizeof bytes - PS_TEST_BLOCK_BYTES);
    ps_hadoop__complete_request__free_unpacked(complete, NULL);
    PsHadoop__BooleanResponse response = PS_HADOOP__BOOLEAN_RESPONSE__INIT;
    response.result = true;
    ps_test_stream_answer(bench, &response.base);
    ps_test_stream_pump(bench, &bench->closed.calls, 1);
    assert_int_equal(bench->closed.error, PS_FILE_OK);
    assert_int_equal(bench->filesystem->under_way, 0);
}

/* 10 bytes, then 5 more: the second packet begins at the chunk's beginning again. */
static void test_a_chunk_that_was_flushed_is_repeated(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_begin_file(bench, "0123456789", 2);
    ps_test_stream_write_and_flush(bench, "abcde", 5);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2); /* without the namenode: it knows the block */
    assert_int_equal(bench->block_length, 15);
    assert_memory_equal(bench->block, "0123456789abcde", 15);
    assert_int_equal(bench->stream->acknowledged_bytes, 15);
    unsigned packets = bench->packets;
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, ps_test_stream_noted,
                  &bench->flushed); /* no new bytes: no packet */
    ps_test_stream_pump(bench, &bench->flushed.calls, 3);
    assert_int_equal(bench->packets, packets);
    ps_file_flush(bench->stream, PS_FILE_HSYNC, ps_test_stream_noted,
                  &bench->flushed); /* an empty packet that syncs */
    ps_test_stream_pump(bench, &bench->flushed.calls, 4);
    assert_int_equal(bench->packets, packets + 1);
    assert_int_equal(bench->block_length, 15);
}

/* Bytes that are put into the stream's packet alternate with bytes that are written: they stay in order, also across chunks. */
static void test_bytes_are_put_into_the_packet(void **state)
{
    struct ps_test_stream *bench = *state;
    char text[PS_TEST_BLOCK_BYTES - 24];
    uint64_t seed = ps_test_seed();
    size_t room, done = 1, put = 0;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    ps_test_stream_begin_file(bench, "a", 1);
    assert_null(ps_file_reserve(bench->stream, &room)); /* between two packets */
    assert_int_equal(room, 0);
    while (done < sizeof text) {
        size_t length = 1 + ps_test_random(&seed) % 60;
        length = length < sizeof text - done ? length : sizeof text - done;
        char *at = ps_file_reserve(bench->stream, &room);
        if (length < room && ps_test_random(&seed) % 4 != 0) {
            memcpy(at, text + done, length);
            ps_file_commit(bench->stream, length);
            put += length;
        } else {
            assert_true(ps_file_write(bench->stream, text + done, length));
        }
        done += length;
        assert_int_equal(bench->stream->written_bytes, done);
        assert_int_equal(bench->filesystem->held_bytes, done - 1);
    }
    assert_true(put > 0);
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, ps_test_stream_noted, &bench->flushed);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->block_length, sizeof text);
    assert_memory_equal(bench->block, text, sizeof text);
    assert_int_equal(bench->filesystem->held_bytes, 0);
}

static void test_a_lost_datanode_is_left_out(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_begin_file(bench, "before ", 2);
    bench->silent = true;
    unsigned packets = bench->packets;
    ps_test_stream_write_and_flush(bench, "after", 5);
    ps_test_stream_pump(bench, &bench->packets, packets + 1);
    ps_test_stream_hang_up(bench);
    bench->silent = false;
    ps_test_stream_answer_block(bench, "updateBlockForPipeline", 1, 1005, 1);
    packets = bench->packets;
    ps_test_stream_expect(bench, "updatePipeline");
    assert_int_equal(bench->operation->stage, PS_STAGE_SETUP_STREAMING_RECOVERY);
    assert_int_equal(bench->operation->latest_generation_stamp, 1005);
    assert_int_equal(bench->operation->header->base_header->block->generation_stamp, 1001);
    assert_int_equal(bench->operation->min_bytes_rcvd, 7);
    assert_int_equal(bench->operation->max_bytes_rcvd, 12);
    assert_int_equal(bench->operation->pipeline_size, 1);
    assert_int_equal(bench->packets, packets); /* nothing is sent before the namenode knows */
    PsHadoop__UpdatePipelineRequest *request = ps_hadoop__update_pipeline_request__unpack(
        NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->new_block->generation_stamp, 1005);
    assert_int_equal(request->n_new_nodes, 1);
    assert_string_equal(request->new_nodes[0]->datanode_uuid, "b");
    assert_string_equal(request->storage_ids[0], "b");
    ps_hadoop__update_pipeline_request__free_unpacked(request, NULL);
    assert_int_equal(bench->flushed.calls, 1);
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_expect(bench, "fsync");
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_OK);
    assert_memory_equal(bench->block, "before after", 12);
    assert_int_equal(ps_file_replicas(bench->stream), 1);
}

/* The first datanode of the pipeline hangs up before it acknowledges `text`; `left` datanodes remain, and acknowledge it. */
static void lose_first(struct ps_test_stream *bench, const char *text, uint64_t generation, unsigned left)
{
    unsigned packets = bench->packets, flushes = bench->flushed.calls;
    bench->silent = true;
    ps_test_stream_write_and_flush(bench, text, strlen(text));
    ps_test_stream_pump(bench, &bench->packets, packets + 1);
    ps_test_stream_hang_up(bench);
    bench->silent = false;
    ps_test_stream_answer_block(bench, "updateBlockForPipeline", 1, generation, left);
    ps_test_stream_expect(bench, "updatePipeline");
    const PsHadoop__OpWriteBlock *operation = bench->operation;
    assert_int_equal(operation->pipeline_size, left);
    assert_int_equal(operation->n_targets, left - 1);
    assert_true(operation->has_storage_type); /* one kind of storage and one id for each datanode */
    assert_int_equal(operation->n_target_storage_types, left - 1);
    assert_int_equal(operation->n_target_storage_ids, left - 1);
    for (unsigned i = 0; i < left; i++) { /* the remaining datanodes are the last of the three */
        const char name[2] = {(char)('c' - left + 1 + i), '\0'};
        assert_int_equal(i == 0 ? operation->storage_type : operation->target_storage_types[i - 1],
                         4 - left + i);
        assert_string_equal(i == 0 ? operation->storage_id : operation->target_storage_ids[i - 1], name);
        if (i > 0)
            assert_string_equal(operation->targets[i - 1]->id->datanode_uuid, name);
    }
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_expect(bench, "fsync");
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_pump(bench, &bench->flushed.calls, flushes + 1);
    assert_int_equal(bench->flushed.error, PS_FILE_OK);
    assert_int_equal(ps_file_replicas(bench->stream), left);
}

/* dfs.client.pipeline.recovery.max-retries counts recoveries without an acknowledgement in between. */
static void test_datanodes_are_lost_one_after_another(void **state)
{
    struct ps_test_stream *bench = *state;
    ((struct ps_hdfs *)bench->filesystem)->limits.recoveries_max = 1;
    ps_test_stream_begin_file(bench, "one ", 3);
    lose_first(bench, "two ", 1005, 2);
    lose_first(bench, "three", 1006, 1);
    assert_memory_equal(bench->block, "one two three", 13);
}

/* dfs.data.transfer.client.tcpnodelay is true: a flush does not wait for a TCP acknowledgement. */
static void test_packets_are_sent_at_once(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_hdfs_stream *stream;
    short events;
    int on = 0;
    socklen_t length = sizeof on;
    ps_test_stream_begin_file(bench, "bytes", 1);
    stream = (struct ps_hdfs_stream *)bench->stream;
    int fd = ps_client_descriptor(&stream->pipeline.link.client, false, &events);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    assert_true(on);
}

/* The connection is lost after the last packet of a block: the datanodes make the block final while the pipeline is set up. */
static void test_an_end_that_was_not_acknowledged_is_recovered(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_begin_file(bench, "bytes", 2);
    bench->silent = true;
    ps_file_close(bench->stream, ps_test_stream_noted, &bench->closed);
    ps_test_stream_pump(bench, &bench->ended, 1);
    ps_test_stream_hang_up(bench);
    ps_test_stream_answer_block(bench, "updateBlockForPipeline", 1, 1006, 1);
    ps_test_stream_expect(bench, "updatePipeline");
    assert_int_equal(bench->operation->stage, PS_STAGE_CLOSE_RECOVERY);
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_answer_true(bench, "complete");
    ps_test_stream_pump(bench, &bench->closed.calls, 1);
    assert_int_equal(bench->closed.error, PS_FILE_OK);
    assert_int_equal(bench->ended, 1);
}

static void test_without_datanodes_the_stream_fails(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_begin_file(bench, "bytes", 1);
    bench->silent = true;
    ps_test_stream_write_and_flush(bench, "more", 4);
    unsigned packets = bench->packets;
    ps_test_stream_pump(bench, &bench->packets, packets + 1);
    ps_test_stream_hang_up(bench);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(bench->flushed.reason, "/d/f"));
    assert_false(ps_file_write(bench->stream, "x", 1));
    assert_int_equal(bench->filesystem->held_bytes, 0);
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, ps_test_stream_noted,
                  &bench->flushed); /* reports the failure again, later */
    assert_int_equal(bench->flushed.calls, 2);
    bench->flushed.abandon = bench->stream;
    ps_test_stream_pump(bench, &bench->flushed.calls, 3);
    assert_int_equal(bench->filesystem->under_way, 0);
}

static void refuse_block(struct ps_test_stream *bench)
{
    ps_test_namenode_refuse(&bench->namenode, bench->namenode.id, "java.io.IOException",
                            "File /d/f could only be written to 0 of the 1 minReplication nodes.");
}

static void test_a_block_that_cannot_be_set_up_is_abandoned(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_create(bench);
    ps_test_stream_write_and_flush(bench, "bytes", 5);
    ps_test_stream_answer_defaults(bench);
    ps_test_stream_answer_create(bench);
    unsigned port = bench->port;
    bench->port = bench->namenode.port; /* not a datanode: it hangs up */
    int listener = bench->listener;
    bench->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(bench->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(bench->listener, (struct sockaddr *)&address, &length), 0);
    bench->port = ntohs(address.sin_port); /* bound, and nobody listens: connections are refused */
    ps_test_stream_answer_block(bench, "addBlock", 1, 1001, 2);
    ps_test_stream_expect(bench, "abandonBlock");
    close(bench->listener);
    bench->listener = listener;
    bench->port = port;
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_expect(bench, "addBlock");
    PsHadoop__AddBlockRequest *request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->n_exclude_nodes, 1);
    assert_string_equal(request->exclude_nodes[0]->id->datanode_uuid, "a");
    assert_null(request->previous);
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
    /* For a moment there may be too few datanodes: the stream asks again, without exclusions, until the call time-out ends. */
    refuse_block(bench);
    const struct ps_hdfs_stream *stream = (const struct ps_hdfs_stream *)bench->stream;
    for (unsigned waited = 0; !stream->again.set; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        ps_test_stream_turn(bench);
        usleep(1000);
    }
    bench->client.now.mono_ns += 29 * PS_NS_PER_S + PS_NS_PER_S / 2;
    ps_test_stream_expect(bench, "addBlock");
    request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->n_exclude_nodes, 0);
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
    refuse_block(bench);
    ps_test_stream_pump(bench, &bench->flushed.calls, 1);
    assert_int_equal(bench->flushed.error, PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(bench->flushed.reason, "0 of the 1 minReplication nodes"));
}

static void test_the_call_time_out_ends_a_flush(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_begin_file(bench, "bytes", 2);
    bench->silent = true;
    ps_test_stream_write_and_flush(bench, "more", 4);
    unsigned packets = bench->packets;
    ps_test_stream_pump(bench, &bench->packets, packets + 1);
    bench->client.now.mono_ns += 29 * PS_NS_PER_S;
    ps_test_stream_turn(bench);
    assert_int_equal(bench->flushed.calls, 1);
    bench->client.now.mono_ns += 2 * PS_NS_PER_S;
    ps_test_stream_turn(bench);
    assert_int_equal(bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_TIMEOUT);
    ps_file_abandon(bench->stream);
}

/* After a flush the namenode persists the next block while its pipeline is set up; a flush waits for that. */
static void test_a_block_is_persisted_early(void **state)
{
    struct ps_test_stream *bench = *state;
    static const char bytes[PS_TEST_BLOCK_BYTES];
    ps_test_stream_begin_file(bench, "bytes", 1);
    ps_test_stream_write_and_flush(bench, bytes, sizeof bytes);
    ps_test_stream_answer_block(bench, "addBlock", 2, 1002, 1);
    ps_test_stream_expect(bench, "fsync");
    PsHadoop__FsyncRequest *fsync =
        ps_hadoop__fsync_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(fsync->last_block_length, -1);
    ps_hadoop__fsync_request__free_unpacked(fsync, NULL);
    const struct ps_hdfs_stream *stream = (const struct ps_hdfs_stream *)bench->stream;
    uint64_t until_ns = ps_test_patience_end_ns();
    while (stream->block.acknowledged != 5) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_stream_turn(bench);
        usleep(1000);
    }
    assert_int_equal(bench->flushed.calls, 1);
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_OK);
}

/* There is no file at the path any more: a call to the namenode shows whether this client still writes it. */
static void path_is_empty(struct ps_test_stream *bench)
{
    PsHadoop__StatusResponse none = PS_HADOOP__STATUS_RESPONSE__INIT;
    unsigned calls = bench->flushed.calls;
    bench->client.now.mono_ns += 10 * PS_NS_PER_S;
    ps_test_stream_write_and_flush(bench, "more", 4);
    ps_test_stream_pump(bench, &bench->flushed.calls, calls + 1);
    ps_test_stream_expect(bench, "getFileInfo");
    ps_test_stream_answer(bench, &none.base);
    ps_test_stream_expect(bench, "fsync");
}

static void test_a_deleted_file_is_noticed(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_begin_file(bench, "bytes", 2);
    path_is_empty(bench);
    ps_test_stream_answer(bench, NULL); /* the file was renamed */
    const struct ps_hdfs_stream *stream = (const struct ps_hdfs_stream *)bench->stream;
    for (unsigned waited = 0; stream->existence.look != NULL; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        ps_test_stream_turn(bench);
        usleep(1000);
    }
    path_is_empty(bench);
    ps_test_namenode_refuse(&bench->namenode, bench->namenode.id, "java.io.FileNotFoundException",
                            "File for given inode path does not exist");
    for (unsigned waited = 0; stream->phase != PS_STREAM_FAILED; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        ps_test_stream_turn(bench);
        usleep(1000);
    }
    assert_false(ps_file_write(bench->stream, "x", 1));
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, ps_test_stream_noted, &bench->flushed);
    ps_test_stream_pump(bench, &bench->flushed.calls, 4);
    assert_int_equal(bench->flushed.error, PS_FILE_MISSING);
    assert_non_null(strstr(bench->flushed.reason, "4 bytes that were acknowledged"));
}

/* Sends the namenode's answer to the request for a block: one with `nodes` datanodes. */
static void answer_block(struct ps_test_stream *bench, size_t nodes)
{
    static char pool[] = "BP-1", address[] = "127.0.0.1", empty[] = "";
    static PsHadoop__DatanodeInfo *list[PS_PIPELINE_NODES_MAX + 1];
    PsHadoop__ExtendedBlock block = PS_HADOOP__EXTENDED_BLOCK__INIT;
    PsHadoop__Token token = PS_HADOOP__TOKEN__INIT;
    PsHadoop__DatanodeId id = PS_HADOOP__DATANODE_ID__INIT;
    PsHadoop__DatanodeInfo node = PS_HADOOP__DATANODE_INFO__INIT;
    PsHadoop__LocatedBlock located = PS_HADOOP__LOCATED_BLOCK__INIT;
    PsHadoop__BlockResponse response = PS_HADOOP__BLOCK_RESPONSE__INIT;
    ps_test_stream_expect(bench, "addBlock");
    block.pool_id = pool;
    token.kind = token.service = empty;
    id.ip_addr = id.host_name = id.datanode_uuid = address;
    node.id = &id;
    for (size_t i = 0; i < nodes; i++)
        list[i] = &node;
    located.b = &block;
    located.block_token = &token;
    located.locs = list;
    located.n_locs = nodes;
    response.block = &located;
    ps_test_stream_answer(bench, &response.base);
}

/* The block has no datanode, or more than a pipeline can have: no pipeline is made. */
static void test_a_block_without_datanodes_fails(void **state)
{
    static const size_t counts[] = {0, PS_PIPELINE_NODES_MAX + 1};
    struct ps_test_stream *bench = *state;
    for (unsigned i = 0; i < PS_COUNT_OF(counts); i++) {
        char reason[32];
        ps_test_stream_create(bench);
        ps_test_stream_write_and_flush(bench, "x", 1);
        if (i == 0)
            ps_test_stream_answer_defaults(bench);
        ps_test_stream_answer_create(bench);
        answer_block(bench, counts[i]);
        ps_test_stream_pump(bench, &bench->flushed.calls, i + 1);
        assert_int_equal(bench->flushed.error, PS_FILE_UNAVAILABLE);
        snprintf(reason, sizeof reason, "a block of %zu datanodes", counts[i]);
        assert_non_null(strstr(bench->flushed.reason, reason));
        ps_file_abandon(bench->stream);
    }
}

/* The maximum number of datanodes in a pipeline is accepted. */
static void test_a_block_with_the_most_datanodes(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_create(bench);
    ps_test_stream_write_and_flush(bench, "x", 1);
    ps_test_stream_answer_defaults(bench);
    ps_test_stream_answer_create(bench);
    answer_block(bench, PS_PIPELINE_NODES_MAX);
    for (unsigned i = 0; i < 5; i++)
        ps_test_stream_turn(bench);
    assert_int_equal(bench->flushed.calls, 0);
    ps_file_abandon(bench->stream);
}

/* A file system is closed whatever is under way: no callback follows. */
static void test_a_file_system_is_closed_at_any_time(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_create(bench);
    ps_test_stream_write_and_flush(bench, "bytes", 5);
    ps_test_stream_answer_defaults(bench);
    ps_test_stream_answer_create(bench);
    ps_test_stream_expect(bench, "addBlock");
    ps_file_create(bench->filesystem, "/d/g", ps_test_stream_noted, &bench->closed);
    ps_file_stat(bench->filesystem, "/d", ps_test_stream_noted, &bench->closed);
    ps_file_read(bench->filesystem, "/d/h", 100, ps_test_stream_noted, &bench->closed);
    ps_test_stream_turn(bench);
    assert_int_equal(bench->closed.calls, 0);
}

/* While the file is being created, 2 GiB are kept; more is refused, and what is kept stays intact. */
static void test_too_much_before_the_file_is_there(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_create(bench);
    assert_true(ps_file_write(bench->stream, "0123456789", 10));
    assert_false(ps_file_write(bench->stream, "x", (size_t)2 << 30)); /* of which no byte is read */
    assert_false(ps_file_write(bench->stream, "x", 1));
    ps_test_stream_pump(bench, &bench->created.calls, 1);
    assert_int_equal(bench->created.error, PS_FILE_FAILED);
    ps_file_abandon(bench->stream);
}

/* All operations that one acknowledgement ends are answered in the same turn. */
static void test_flushes_of_the_same_bytes_end_together(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_test_outcome same[3] = {{0}};
    ps_test_stream_begin_file(bench, "0123456789", 2);
    for (unsigned round = 0; round < 2; round++) {
        ps_test_stream_write_and_flush(bench, "abcde", 5);
        for (size_t i = 0; i < PS_COUNT_OF(same); i++)
            ps_file_flush(bench->stream, PS_FILE_HFLUSH, ps_test_stream_noted, &same[i]);
        assert_int_equal(bench->flushed.calls, round + 1);
        ps_test_stream_pump(bench, &bench->flushed.calls, round + 2);
        for (size_t i = 0; i < PS_COUNT_OF(same); i++) {
            assert_int_equal(same[i].calls, round + 1);
            assert_int_equal(same[i].error, PS_FILE_OK);
        }
    }
    ps_file_abandon(bench->stream);
    assert_int_equal(bench->filesystem->under_way, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_stream_set_up, ps_test_stream_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_flushes_of_the_same_bytes_end_together),
        TEST(test_blocks_follow_one_another),
        TEST(test_too_much_before_the_file_is_there),
        TEST(test_a_chunk_that_was_flushed_is_repeated),
        TEST(test_bytes_are_put_into_the_packet),
        TEST(test_datanodes_are_lost_one_after_another),
        TEST(test_packets_are_sent_at_once),
        TEST(test_a_lost_datanode_is_left_out),
        TEST(test_an_end_that_was_not_acknowledged_is_recovered),
        TEST(test_without_datanodes_the_stream_fails),
        TEST(test_a_block_that_cannot_be_set_up_is_abandoned),
        TEST(test_the_call_time_out_ends_a_flush),
        TEST(test_a_deleted_file_is_noticed),
        TEST(test_a_block_is_persisted_early),
        TEST(test_a_block_without_datanodes_fails),
        TEST(test_a_block_with_the_most_datanodes),
        TEST(test_a_file_system_is_closed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
