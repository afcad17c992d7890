/* pipeline.c against a scripted datanode: a listening socket of this test, which the test reads and answers between turns of the loop. So nothing
 * depends on time except the patience of a failing test; the pipeline's clock is the test's. */
#include "stages/lib/hadoop/transfer/pipeline.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NODES_MAX 3U
#define READ_TIMEOUT_NS (75 * PS_NS_PER_S)

struct bench {
    struct ps_port port;
    struct ps_hadoop_loop *loop;
    struct ps_now now;
    struct ps_datanode_settings settings;
    struct ps_packet_pool pool;
    struct ps_packet_queue queue;
    struct ps_pipeline pipeline;
    PsHadoop__LocatedBlock located;
    PsHadoop__DatanodeInfo nodes[NODES_MAX], *node_list[NODES_MAX];
    PsHadoop__DatanodeId ids[NODES_MAX];
    PsHadoop__ExtendedBlock block;
    PsHadoop__Token token;
    /* The callbacks that the pipeline called. */
    unsigned ready, acknowledged, failed, silent;
    int64_t last_number;
    struct ps_pipeline_failure failure;
    char reason[PS_DATANODE_REASON_BYTES];
    bool close_in_callback;
    /* The datanode. */
    int listener, peer;
    unsigned port_number;
    char in[400000];
    size_t in_length;
};

static struct bench *bench_of(struct ps_pipeline *pipeline)
{
    return (struct bench *)(void *)((char *)pipeline - offsetof(struct bench, pipeline));
}

static void on_ready(struct ps_pipeline *pipeline)
{
    bench_of(pipeline)->ready++;
}

static void on_acknowledged(struct ps_pipeline *pipeline, struct ps_packet *packet)
{
    struct bench *bench = bench_of(pipeline);
    bench->acknowledged++;
    bench->last_number = packet->number;
    ps_packet_free(&bench->pool, packet);
    if (bench->close_in_callback)
        ps_pipeline_close(pipeline);
}

static void on_failed(struct ps_pipeline *pipeline, const struct ps_pipeline_failure *failure)
{
    struct bench *bench = bench_of(pipeline);
    bench->failed++;
    bench->failure = *failure;
    snprintf(bench->reason, sizeof bench->reason, "%s", failure->reason);
    assert_int_equal(pipeline->phase, PS_PIPELINE_CLOSED);
}

static void on_silent(struct ps_pipeline *pipeline)
{
    bench_of(pipeline)->silent++;
}

static const struct ps_pipeline_ops ops = {
    .ready = on_ready, .acknowledged = on_acknowledged, .failed = on_failed, .silent = on_silent};

/* ---- the bench ---- */

static void turn(struct bench *bench)
{
    ps_hadoop_loop_turn(bench->loop, &bench->now);
}

static void open_listener(struct bench *bench)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    bench->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bench->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(bench->listener, 4), 0);
    assert_int_equal(getsockname(bench->listener, (struct sockaddr *)&address, &length), 0);
    bench->port_number = ntohs(address.sin_port);
}

static void locate(struct bench *bench)
{
    static char name[] = "127.0.0.1", away[] = "192.0.2.1", uuid[] = "u", pool[] = "BP-1", empty[] = "";
    bench->block = (PsHadoop__ExtendedBlock)PS_HADOOP__EXTENDED_BLOCK__INIT;
    bench->block.pool_id = pool;
    bench->block.block_id = 42;
    bench->block.generation_stamp = 1001;
    bench->token = (PsHadoop__Token)PS_HADOOP__TOKEN__INIT;
    bench->token.kind = bench->token.service = empty;
    bench->located = (PsHadoop__LocatedBlock)PS_HADOOP__LOCATED_BLOCK__INIT;
    bench->located.b = &bench->block;
    bench->located.block_token = &bench->token;
    for (unsigned i = 0; i < NODES_MAX; i++) {
        bench->ids[i] = (PsHadoop__DatanodeId)PS_HADOOP__DATANODE_ID__INIT;
        bench->ids[i].ip_addr = bench->ids[i].host_name = i == 2 ? away : name;
        bench->ids[i].datanode_uuid = uuid;
        bench->ids[i].xfer_port = bench->port_number + i;
        bench->nodes[i] = (PsHadoop__DatanodeInfo)PS_HADOOP__DATANODE_INFO__INIT;
        bench->nodes[i].id = &bench->ids[i];
        bench->node_list[i] = &bench->nodes[i];
    }
    bench->located.locs = bench->node_list;
    bench->located.n_locs = NODES_MAX;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->port = (struct ps_port){.component = "test", .name = "test", .wake_fd = -1};
    bench->port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bench->now.mono_ns = PS_NS_PER_S;
    assert_int_equal(ps_hadoop_loop_open(&bench->loop, &bench->port, NULL), PS_OK);
    turn(bench);
    bench->settings = (struct ps_datanode_settings){.loop = bench->loop,
                                                    .connect_ns = 10 * PS_NS_PER_S,
                                                    .read_timeout_ns = READ_TIMEOUT_NS,
                                                    .read_timeout_per_node_ns = 5 * PS_NS_PER_S};
    assert_true(ps_packet_pool_init(&bench->pool, PS_CHECKSUM_CRC32C, 512, 65536));
    bench->pipeline.ops = &ops;
    bench->pipeline.queue = &bench->queue;
    bench->pipeline.pool = &bench->pool;
    ps_pipeline_init(&bench->pipeline, &bench->settings);
    open_listener(bench);
    locate(bench);
    bench->peer = -1;
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    ps_pipeline_close(&bench->pipeline);
    while (bench->queue.first != NULL)
        ps_packet_free(&bench->pool, ps_packet_queue_remove(&bench->queue));
    ps_packet_pool_clear(&bench->pool);
    ps_hadoop_loop_close(bench->loop);
    close(bench->port.epoll_fd);
    close(bench->listener);
    if (bench->peer >= 0)
        close(bench->peer);
    free(bench);
    return 0;
}

static bool wait_readable(int fd, int timeout_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, timeout_ms) > 0;
}

/* Turns until *count is `wanted`. */
static void turn_until(struct bench *bench, const unsigned *count, unsigned wanted)
{
    for (unsigned waited = 0; *count < wanted; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        turn(bench);
        if (*count < wanted)
            wait_readable(bench->port.epoll_fd, 1);
    }
}

/* Reads, as the datanode, until it has this many bytes. */
static void peer_read(struct bench *bench, size_t length)
{
    for (unsigned waited = 0; bench->in_length < length; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        turn(bench);
        if (!wait_readable(bench->peer, 1))
            continue;
        ssize_t got = recv(bench->peer, bench->in + bench->in_length, sizeof bench->in - bench->in_length, 0);
        assert_true(got > 0);
        bench->in_length += (size_t)got;
    }
}

static void peer_accept(struct bench *bench)
{
    for (unsigned waited = 0; !wait_readable(bench->listener, 1); waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        turn(bench);
    }
    bench->peer = accept(bench->listener, NULL, NULL);
    assert_true(bench->peer >= 0);
}

static void peer_send(struct bench *bench, const void *bytes, size_t length)
{
    assert_int_equal(send(bench->peer, bytes, length, MSG_NOSIGNAL), length);
}

static void pipeline_open(struct bench *bench)
{
    struct ps_pipeline_setup setup = {.located = &bench->located,
                                      .client = "DFSClient_test",
                                      .stage = PS_STAGE_SETUP_CREATE,
                                      .block_size_bytes = 1U << 20};
    ps_pipeline_open(&bench->pipeline, &setup);
}

/* Reads, as the datanode, the operation. Caller frees. */
static PsHadoop__OpWriteBlock *take_operation(struct bench *bench)
{
    struct ps_slice message;
    size_t consumed;
    peer_accept(bench);
    peer_read(bench, 4);
    assert_memory_equal(bench->in, "\x00\x1c\x50", 3);
    while (ps_message_find(bench->in + 3, bench->in_length - 3, &message, &consumed) != PS_MESSAGE_WHOLE)
        peer_read(bench, bench->in_length + 1);
    assert_int_equal(bench->in_length, 3 + consumed);
    bench->in_length = 0;
    PsHadoop__OpWriteBlock *operation =
        ps_hadoop__op_write_block__unpack(NULL, message.length, (const uint8_t *)message.data);
    assert_non_null(operation);
    return operation;
}

static void set_up_pipeline(struct bench *bench)
{
    pipeline_open(bench);
    ps_hadoop__op_write_block__free_unpacked(take_operation(bench), NULL);
    peer_send(bench, "\x04\x08\x00\x12\x00", 5); /* SUCCESS, firstBadLink "" */
    turn_until(bench, &bench->ready, 1);
    assert_int_equal(bench->pipeline.phase, PS_PIPELINE_STREAMING);
}

static struct ps_packet *queue_packet(struct bench *bench, int64_t number, const char *bytes, bool last)
{
    struct ps_packet *packet = ps_packet_begin(&bench->pool, 0, number, 60000);
    assert_int_equal(ps_packet_add(&bench->pool, packet, bytes, strlen(bytes)), strlen(bytes));
    packet->last = last;
    ps_packet_seal(&bench->pool, packet);
    ps_packet_queue_add(&bench->queue, packet);
    return packet;
}

/* Writes the acknowledgement of all three datanodes with these statuses. Returns its length. */
static size_t ack(char *out, int64_t number, unsigned first, unsigned second, unsigned third)
{
    PsHadoop__PipelineAck message = PS_HADOOP__PIPELINE_ACK__INIT;
    uint32_t replies[NODES_MAX] = {first & 0xf, second & 0xf, third & 0xf},
             flags[NODES_MAX] = {first, second, third};
    size_t length;
    message.seqno = number;
    message.n_reply = message.n_flag = NODES_MAX;
    message.reply = replies;
    message.flag = flags;
    char *bytes = ps_message_encode(&message.base, &length);
    memcpy(out, bytes, length);
    free(bytes);
    return length;
}

static void send_ack(struct bench *bench, int64_t number, unsigned first, unsigned second, unsigned third)
{
    char bytes[64];
    size_t length = ack(bytes, number, first, second, third);
    peer_send(bench, bytes, length);
}

/* ---- the tests ---- */

static void test_the_operation_names_block_and_targets(void **state)
{
    struct bench *bench = *state;
    pipeline_open(bench);
    PsHadoop__OpWriteBlock *operation = take_operation(bench);
    assert_int_equal(operation->header->base_header->block->block_id, 42);
    assert_int_equal(operation->header->base_header->block->num_bytes, 1U << 20);
    assert_string_equal(operation->header->client_name, "DFSClient_test");
    assert_int_equal(operation->n_targets, 2);
    assert_int_equal(operation->targets[0]->id->xfer_port, bench->port_number + 1);
    assert_int_equal(operation->stage, PS_STAGE_SETUP_CREATE);
    assert_int_equal(operation->pipeline_size, 3);
    assert_int_equal(operation->requested_checksum->bytes_per_checksum, 512);
    ps_hadoop__op_write_block__free_unpacked(operation, NULL);
}

static void test_packets_are_acknowledged_in_order(void **state)
{
    struct bench *bench = *state;
    char acks[256];
    size_t length = 0;
    queue_packet(bench, 0, "first", false); /* before the pipeline is set up */
    set_up_pipeline(bench);
    queue_packet(bench, 1, "second", false);
    ps_pipeline_send(&bench->pipeline);
    peer_read(bench, 2 * (6 + 25 + 4) + 5 + 6);
    assert_null(bench->queue.unsent);
    length = ack(acks, 0, 0, 0, 0);
    length += ack(acks + length, 1, 0, 0, 0);
    for (size_t i = 0; i < length; i++) {
        peer_send(bench, acks + i, 1);
        turn(bench);
    }
    turn_until(bench, &bench->acknowledged, 2);
    assert_int_equal(bench->last_number, 1);
    assert_null(bench->queue.first);
    assert_int_equal(bench->failed, 0);
}

static void test_the_last_packet_waits_for_all_others(void **state)
{
    struct bench *bench = *state;
    struct ps_packet *last;
    set_up_pipeline(bench);
    queue_packet(bench, 0, "bytes", false);
    last = queue_packet(bench, 1, "", true);
    queue_packet(bench, 2, "of the next block", false);
    ps_pipeline_send(&bench->pipeline);
    peer_read(bench, 6 + 25 + 4 + 5);
    assert_ptr_equal(bench->queue.unsent, last);
    send_ack(bench, 0, 0, 0, 0);
    turn_until(bench, &bench->acknowledged, 1);
    peer_read(bench, 6 + 25 + 4 + 5 + 6 + 25);
    assert_int_equal(bench->queue.unsent->number, 2);
    bench->close_in_callback = true; /* as a stream does at the end of a block */
    send_ack(bench, 1, 0, 0, 0);
    turn_until(bench, &bench->acknowledged, 2);
    assert_int_equal(bench->pipeline.phase, PS_PIPELINE_CLOSED);
    assert_int_equal(bench->failed, 0);
}

static void test_the_furthest_datanode_that_failed_is_to_blame(void **state)
{
    struct bench *bench = *state;
    set_up_pipeline(bench);
    queue_packet(bench, 0, "bytes", false);
    ps_pipeline_send(&bench->pipeline);
    turn(bench);
    send_ack(bench, 0, PS_TRANSFER_SUCCESS, PS_TRANSFER_ERROR, PS_TRANSFER_ERROR_CHECKSUM);
    turn_until(bench, &bench->failed, 1);
    assert_int_equal(bench->failure.bad, 2);
    assert_false(bench->failure.restarting);
    assert_false(bench->failure.setup);
    assert_true(strncmp(bench->reason, "datanode 3 ", 11) == 0 && strstr(bench->reason, "ERROR_CHECKSUM"));
    assert_int_equal(bench->queue.first->number, 0); /* it is to be sent again */
}

/* Each status of an acknowledgement, and of the answer to the operation, whose first bad link is found: only a restart and a refused token are
 * told apart from an error of the datanode. The third datanode is not on this machine: its restart is not waited for. */
static void test_each_status(void **state)
{
    struct bench *bench = *state;
    for (unsigned i = 2; i < 32; i++) {
        unsigned status = i / 2, bad = i % 3;
        bool setup = i % 2 == 1;
        bench->failed = bench->ready = 0;
        bench->in_length = 0;
        if (setup) {
            PsHadoop__BlockOpResponse response = PS_HADOOP__BLOCK_OP_RESPONSE__INIT;
            size_t length;
            pipeline_open(bench);
            ps_hadoop__op_write_block__free_unpacked(take_operation(bench), NULL);
            response.status = status;
            response.first_bad_link = bench->pipeline.names[bad];
            char *bytes = ps_message_encode(&response.base, &length);
            peer_send(bench, bytes, length);
            free(bytes);
        } else {
            set_up_pipeline(bench);
            send_ack(bench, -2, bad == 0 ? status : 0, bad == 1 ? status : 0, bad == 2 ? status : 0);
        }
        turn_until(bench, &bench->failed, 1);
        assert_int_equal(bench->failure.bad, bad);
        assert_int_equal(bench->failure.setup, setup);
        assert_int_equal(bench->failure.restarting, status == PS_TRANSFER_OOB_RESTART);
        assert_int_equal(bench->failure.token, setup && status == PS_TRANSFER_ERROR_ACCESS_TOKEN);
        assert_int_equal(bench->failure.local, bad != 2);
        assert_non_null(strstr(bench->reason, ps_transfer_status_name(status)));
        close(bench->peer);
    }
    bench->peer = -1;
}

static void test_nobody_listens(void **state)
{
    struct bench *bench = *state;
    close(bench->listener);
    bench->listener = -1;
    pipeline_open(bench);
    turn_until(bench, &bench->failed, 1);
    assert_int_equal(bench->failure.bad, 0);
    assert_true(bench->failure.setup);
    open_listener(bench); /* for tear_down */
}

/* The datanode closes the connection after any number of bytes: always a failure of the first datanode, and the packet
 * stays. */
static void test_the_connection_may_be_cut_anywhere(void **state)
{
    struct bench *bench = *state;
    for (size_t cut = 1; cut <= 40; cut++) {
        bench->failed = bench->ready = 0;
        bench->in_length = 0;
        set_up_pipeline(bench);
        struct ps_packet *packet = queue_packet(bench, 0, "bytes", false);
        ps_pipeline_send(&bench->pipeline);
        peer_read(bench, 40);
        struct linger now = {.l_onoff = 1};
        if (cut % 2 == 0)
            setsockopt(bench->peer, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* a reset */
        char bytes[64];
        size_t length = ack(bytes, 0, 0, 0, 0);
        if (cut < length)
            peer_send(bench, bytes, cut); /* a part of an acknowledgement */
        close(bench->peer);
        bench->peer = -1;
        turn_until(bench, &bench->failed, 1);
        assert_int_equal(bench->failure.bad, 0);
        assert_ptr_equal(bench->queue.first, packet);
        ps_packet_free(&bench->pool, ps_packet_queue_remove(&bench->queue));
    }
    assert_int_equal(bench->acknowledged, 0);
}

static void test_what_is_left_is_sent_again(void **state)
{
    struct bench *bench = *state;
    set_up_pipeline(bench);
    queue_packet(bench, 0, "one", false);
    queue_packet(bench, 1, "two", false);
    ps_pipeline_send(&bench->pipeline);
    peer_read(bench, 2 * (6 + 25 + 4) + 6);
    send_ack(bench, 0, 0, 0, 0);
    turn_until(bench, &bench->acknowledged, 1);
    close(bench->peer);
    turn_until(bench, &bench->failed, 1);
    bench->ready = 0;
    bench->in_length = 0;
    set_up_pipeline(bench);
    peer_read(bench, 6 + 25 + 4 + 3);
    assert_memory_equal(bench->in + 6 + 25 + 4, "two", 3);
    send_ack(bench, 1, 0, 0, 0);
    turn_until(bench, &bench->acknowledged, 2);
}

static void test_a_wrong_acknowledgement_is_a_failure(void **state)
{
    struct bench *bench = *state;
    set_up_pipeline(bench);
    queue_packet(bench, 0, "bytes", false);
    ps_pipeline_send(&bench->pipeline);
    peer_read(bench, 40);
    send_ack(bench, 5, 0, 0, 0);
    turn_until(bench, &bench->failed, 1);
    assert_int_equal(bench->acknowledged, 0);
}

static void test_a_held_pipeline_sends_nothing(void **state)
{
    struct bench *bench = *state;
    bench->pipeline.held = true;
    queue_packet(bench, 0, "bytes", false);
    set_up_pipeline(bench);
    for (unsigned i = 0; i < 5; i++)
        turn(bench);
    assert_false(wait_readable(bench->peer, 0));
    bench->pipeline.held = false;
    ps_pipeline_send(&bench->pipeline);
    peer_read(bench, 40);
}

static void test_silence_is_told_each_time(void **state)
{
    struct bench *bench = *state;
    const unsigned long long passes_ns[] = {20 * PS_NS_PER_S, 8 * PS_NS_PER_S - 1, 1, 8 * PS_NS_PER_S};
    bench->settings.silence_ns = 8 * PS_NS_PER_S;
    set_up_pipeline(bench);
    for (unsigned i = 0; i < 4; i++) {
        bench->now.mono_ns += passes_ns[i];
        turn(bench);
        assert_int_equal(bench->silent, i < 2 ? 0 : i - 1);
        if (i == 0) /* the pipeline has not waited for an answer yet */
            queue_packet(bench, 0, "bytes", false);
        ps_pipeline_send(&bench->pipeline);
    }
}

static void test_a_heartbeat_goes_after_half_a_minute(void **state)
{
    static const unsigned char expected[] = {
        0,    0,    0,    4,    0,    25,   0x09, 0,    0,    0, 0,    0, 0, 0, 0, 0x11,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x18, 0, 0x25, 0, 0, 0, 0,
    };
    struct bench *bench = *state;
    set_up_pipeline(bench);
    bench->now.mono_ns += 29 * PS_NS_PER_S;
    turn(bench);
    assert_false(wait_readable(bench->peer, 0));
    bench->now.mono_ns += 2 * PS_NS_PER_S;
    turn(bench);
    peer_read(bench, sizeof expected);
    assert_int_equal(bench->in_length, sizeof expected);
    assert_memory_equal(bench->in, expected, sizeof expected);
    send_ack(bench, -1, 0, 0, 0);
    /* The heartbeat is answered, and the pipeline continues. The next one is not answered. */
    for (unsigned i = 0; bench->pipeline.waits_ns > 0; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        turn(bench);
        wait_readable(bench->port.epoll_fd, 1);
    }
    bench->now.mono_ns += 31 * PS_NS_PER_S;
    turn(bench);
    bench->now.mono_ns += 89 * PS_NS_PER_S;
    turn(bench);
    assert_int_equal(bench->failed, 0);
    bench->now.mono_ns += 2 * PS_NS_PER_S;
    turn(bench);
    assert_int_equal(bench->failed, 1);
    assert_int_equal(bench->failure.bad, 0);
}

static void test_a_datanode_that_stays_slow_is_left_out(void **state)
{
    struct bench *bench = *state;
    queue_packet(bench, 0, "bytes", false);
    set_up_pipeline(bench);
    for (unsigned i = 0; i < 20; i++) /* nine times slow, once not */
        send_ack(bench, -1, 0, i % 10 == 9 ? 0 : 1U << 7, 0);
    send_ack(bench, 0, 0, 0, 0);
    turn_until(bench, &bench->acknowledged, 1);
    for (unsigned i = 0; i < 10; i++)
        send_ack(bench, -1, 0, 1U << 7, 0);
    turn_until(bench, &bench->failed, 1);
    assert_int_equal(bench->failure.bad, 1);
    assert_true(strncmp(bench->reason, "datanode 2 ", 11) == 0 && strstr(bench->reason, "slow"));
}

/* The socket does not accept all bytes at once: the rest is sent when the datanode reads. */
static void test_a_slow_reader_gets_every_byte(void **state)
{
    struct bench *bench = *state;
    enum { PACKETS = 400 };
    char *bytes = malloc(60001);
    memset(bytes, 'x', 60000);
    bytes[60000] = 0;
    set_up_pipeline(bench);
    for (int64_t i = 0; i < PACKETS; i++)
        queue_packet(bench, i, bytes, false);
    ps_pipeline_send(&bench->pipeline);
    assert_non_null(bench->queue.unsent);
    size_t wire = ps_packet_wire_length(&bench->pool, bench->queue.first);
    for (int64_t i = 0; i < PACKETS; i++) {
        peer_read(bench, wire);
        assert_memory_equal(bench->in + 6 + 25 + (60000 + 511) / 512 * 4, bytes, 60000);
        bench->in_length -= wire;
        memmove(bench->in, bench->in + wire, bench->in_length);
    }
    assert_null(bench->queue.unsent);
    assert_int_equal(bench->failed, 0);
    free(bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_operation_names_block_and_targets),
        TEST(test_packets_are_acknowledged_in_order),
        TEST(test_the_last_packet_waits_for_all_others),
        TEST(test_the_furthest_datanode_that_failed_is_to_blame),
        TEST(test_each_status),
        TEST(test_nobody_listens),
        TEST(test_the_connection_may_be_cut_anywhere),
        TEST(test_what_is_left_is_sent_again),
        TEST(test_a_wrong_acknowledgement_is_a_failure),
        TEST(test_a_held_pipeline_sends_nothing),
        TEST(test_silence_is_told_each_time),
        TEST(test_a_heartbeat_goes_after_half_a_minute),
        TEST(test_a_datanode_that_stays_slow_is_left_out),
        TEST(test_a_slow_reader_gets_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
