/* Datanodes that hang (dead_nodes.c): a stream finds out which datanodes of its pipeline are silent, and continues without them. The
 * datanode "a" is the test's; "b" accepts connections, as the kernel does for a stopped process, and does nothing else. */
#include "tests/support/hdfs_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENCE_NS (30 * PS_NS_PER_S / 4) /* of the call time-out of 30 s */
#define PROBE_NS (30 * PS_NS_PER_S / 8)

struct frozen {
    struct ps_test_stream *bench;
    int listener; /* of "b" */
    unsigned port;
};

static int set_up(void **state)
{
    struct frozen *frozen = calloc(1, sizeof *frozen);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    void *bench;
    ps_test_stream_set_up(&bench);
    frozen->bench = bench;
    frozen->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(frozen->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(frozen->listener, 4), 0);
    assert_int_equal(getsockname(frozen->listener, (struct sockaddr *)&address, &length), 0);
    frozen->port = ntohs(address.sin_port);
    frozen->bench->node_ports[1] = frozen->port;
    *state = frozen;
    return 0;
}

static int tear_down(void **state)
{
    struct frozen *frozen = *state;
    void *bench = frozen->bench;
    ps_test_stream_tear_down(&bench);
    close(frozen->listener);
    free(frozen);
    return 0;
}

static void pass(struct ps_test_stream *bench, uint64_t ns)
{
    bench->client.now.mono_ns += ns;
    ps_test_stream_turn(bench);
}

/* Some turns are enough to connect, to ask and to read the answer: loopback is synchronous unless the kernel is busy. */
static void take_answers(struct ps_test_stream *bench)
{
    const uint64_t until = ps_test_patient_ns() + 50 * PS_NS_PER_MS;
    for (unsigned i = 0; i < 50 || ps_test_patient_ns() < until; i++) {
        ps_test_stream_turn(bench);
        usleep(1000);
    }
}

/* Flushes bytes without acknowledgement until the datanodes are probed. */
static void fall_silent(struct ps_test_stream *bench)
{
    unsigned packets = bench->packets;
    bench->silent = true;
    ps_test_stream_write_and_flush(bench, "after", 5);
    ps_test_stream_pump(bench, &bench->packets, packets + 1);
    pass(bench, SILENCE_NS - 1);
    assert_int_equal(bench->probes, 0);
    pass(bench, 1);
}

/* "a" answers, "b" does not: the pipeline is set up without it. */
static void lose_b(struct ps_test_stream *bench)
{
    ps_test_stream_begin_file(bench, "before ", 2);
    fall_silent(bench);
    ps_test_stream_pump(bench, &bench->probes, 1);
    take_answers(bench);
    pass(bench, PROBE_NS);
    bench->silent = false;
    ps_test_stream_answer_block(bench, "updateBlockForPipeline", 1, 1005, 1);
    ps_test_stream_expect(bench, "updatePipeline");
    assert_int_equal(bench->operation->pipeline_size, 1);
    PsHadoop__UpdatePipelineRequest *request = ps_hadoop__update_pipeline_request__unpack(
        NULL, bench->namenode.message_length, bench->namenode.message);
    assert_int_equal(request->n_new_nodes, 1);
    assert_string_equal(request->new_nodes[0]->datanode_uuid, "a");
    ps_hadoop__update_pipeline_request__free_unpacked(request, NULL);
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_expect(bench, "fsync");
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_OK);
    assert_memory_equal(bench->block, "before after", 12);
}

/* Returns the number of datanodes that the next addBlock, not answered yet, excludes. */
static size_t next_block_excludes(struct ps_test_stream *bench)
{
    ps_test_stream_expect(bench, "addBlock");
    PsHadoop__AddBlockRequest *request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    size_t count = request->n_exclude_nodes;
    if (count > 0)
        assert_string_equal(request->exclude_nodes[0]->id->datanode_uuid, "b");
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
    return count;
}

static void test_a_silent_datanode_is_left_out(void **state)
{
    struct frozen *frozen = *state;
    struct ps_test_stream *bench = frozen->bench;
    char bytes[PS_TEST_BLOCK_BYTES] = {0};
    lose_b(bench);
    /* The writer asks for the next block without that datanode, until the namenode has no other. */
    ps_test_stream_write_and_flush(bench, bytes, sizeof bytes);
    assert_int_equal(next_block_excludes(bench), 1);
    ps_test_namenode_refuse(&bench->namenode, bench->namenode.id, "java.io.IOException",
                            "File /d/f could only be written to 0 of the 1 minReplication nodes.");
    const struct ps_hdfs_stream *stream = (const struct ps_hdfs_stream *)bench->stream;
    for (unsigned waited = 0; !stream->again.set; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        ps_test_stream_turn(bench);
        usleep(1000);
    }
    pass(bench, PS_NS_PER_S);
    assert_int_equal(next_block_excludes(bench), 0);
}

static void test_it_is_used_again_when_it_answers(void **state)
{
    struct frozen *frozen = *state;
    struct ps_test_stream *bench = frozen->bench;
    struct ps_hdfs *hdfs = (struct ps_hdfs *)bench->filesystem;
    PsHadoop__DatanodeId id = PS_HADOOP__DATANODE_ID__INIT;
    char bytes[PS_TEST_BLOCK_BYTES] = {0}, b[] = "b";
    lose_b(bench);
    id.datanode_uuid = b;
    assert_true(ps_hdfs_node_is_dead(hdfs, &id));
    close(accept(frozen->listener, NULL, NULL)); /* the connection of the last probe */
    pass(bench, 5 * PS_NS_PER_S);
    for (unsigned waited = 0; ps_hdfs_node_is_dead(hdfs, &id); waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        int peer = accept4(frozen->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer >= 0)
            close(peer); /* a datanode that reacts at all is alive */
        ps_test_stream_turn(bench);
        usleep(1000);
    }
    ps_test_stream_write_and_flush(bench, bytes, sizeof bytes);
    assert_int_equal(next_block_excludes(bench), 0);
}

/* The only datanode is silent: the stream waits for it until the call time-out. */
static void test_the_only_datanode_is_waited_for(void **state)
{
    struct frozen *frozen = *state;
    struct ps_test_stream *bench = frozen->bench;
    char named[64];
    ps_test_stream_begin_file(bench, "before ", 1);
    bench->deaf = true;
    fall_silent(bench);
    take_answers(bench);
    pass(bench, PROBE_NS);
    assert_int_equal(bench->flushed.calls, 1);
    pass(bench, 30 * PS_NS_PER_S - SILENCE_NS - PROBE_NS);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_TIMEOUT);
    snprintf(named, sizeof named, "; datanode 127.0.0.1:%u: no answer", bench->port);
    assert_non_null(strstr(bench->flushed.reason, named));
    ps_file_abandon(bench->stream);
}

/* The datanodes are slow, but none of them is silent. */
static void test_datanodes_that_answer_are_waited_for(void **state)
{
    struct frozen *frozen = *state;
    struct ps_test_stream *bench = frozen->bench;
    ps_test_stream_begin_file(bench, "before ", 1);
    fall_silent(bench);
    ps_test_stream_pump(bench, &bench->probes, 1);
    take_answers(bench);
    pass(bench, PROBE_NS);
    pass(bench, SILENCE_NS);
    ps_test_stream_pump(bench, &bench->probes, 2); /* the datanodes are probed again */
    assert_int_equal(bench->flushed.calls, 1);
    pass(bench, 30 * PS_NS_PER_S - 2 * SILENCE_NS - PROBE_NS);
    ps_test_stream_pump(bench, &bench->flushed.calls, 2);
    assert_int_equal(bench->flushed.error, PS_FILE_TIMEOUT);
    assert_non_null(strstr(bench->flushed.reason, "although they answer"));
    ps_file_abandon(bench->stream);
}

/* A block that is set up for the first time has no bytes to lose: it is given up at once. */
static void test_a_new_block_is_not_set_up_with_silent_ones(void **state)
{
    struct frozen *frozen = *state;
    struct ps_test_stream *bench = frozen->bench;
    ps_test_stream_create(bench);
    ps_test_stream_write_and_flush(bench, "bytes", 5);
    ps_test_stream_answer_defaults(bench);
    ps_test_stream_answer_create(bench);
    bench->node_ports[0] = frozen->port;
    ps_test_stream_answer_block(bench, "addBlock", 1, 1001, 1);
    const struct ps_hdfs_stream *stream = (const struct ps_hdfs_stream *)bench->stream;
    for (unsigned waited = 0; stream->phase != PS_STREAM_SETTING_UP; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        ps_test_stream_turn(bench);
        usleep(1000);
    }
    pass(bench, SILENCE_NS);
    take_answers(bench);
    pass(bench, PROBE_NS);
    ps_test_stream_expect(bench, "abandonBlock");
    ps_test_stream_answer(bench, NULL);
    ps_test_stream_expect(bench, "addBlock");
    PsHadoop__AddBlockRequest *request =
        ps_hadoop__add_block_request__unpack(NULL, bench->namenode.message_length, bench->namenode.message);
    assert_true(request->n_exclude_nodes >= 1);
    assert_string_equal(request->exclude_nodes[0]->id->datanode_uuid, "a");
    ps_hadoop__add_block_request__free_unpacked(request, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_silent_datanode_is_left_out),
        TEST(test_it_is_used_again_when_it_answers),
        TEST(test_the_only_datanode_is_waited_for),
        TEST(test_datanodes_that_answer_are_waited_for),
        TEST(test_a_new_block_is_not_set_up_with_silent_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
