#include "stages/lib/hadoop/rpc/rpc.h"

#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

#include <unistd.h>

struct test {
    struct ps_test_hdfs hdfs;
    struct ps_test_namenode namenodes[2];
    struct ps_hadoop_rpc *rpc;
};

struct call {
    struct ps_hadoop_rpc_call rpc;
    struct test *test;
    bool done;
    unsigned times;
    enum ps_file_error error;
    char reason[512], exception[128], message[512];
    uint8_t body[256];
    size_t body_length;
    struct call *then; /* begun in `done` */
};

static const PsHadoop__RpcUser message = {PROTOBUF_C_MESSAGE_INIT(&ps_hadoop__rpc_user__descriptor), "u",
                                          NULL};

static void begin(struct test *test, struct call *call, const char *method);

static void done(struct ps_hadoop_rpc_call *rpc, const struct ps_hadoop_rpc_outcome *outcome)
{
    struct call *call = (struct call *)((char *)rpc - offsetof(struct call, rpc));
    call->done = true;
    call->times++;
    call->error = outcome->error;
    snprintf(call->reason, sizeof call->reason, "%s", outcome->reason);
    snprintf(call->exception, sizeof call->exception, "%s", outcome->exception);
    snprintf(call->message, sizeof call->message, "%s", outcome->message != NULL ? outcome->message : "");
    assert_true(outcome->body_length <= sizeof call->body);
    if (outcome->body_length > 0)
        memcpy(call->body, outcome->body, outcome->body_length);
    call->body_length = outcome->body_length;
    if (call->then != NULL)
        begin(call->test, call->then, "mkdirs");
    call->then = NULL;
}

static void begin(struct test *test, struct call *call, const char *method)
{
    call->test = test;
    call->done = false;
    call->rpc.done = done;
    ps_hadoop_rpc_begin(test->rpc, &call->rpc, method, &message.base);
}

static void expect_end(struct call *call, enum ps_file_error error)
{
    ps_test_hdfs_await(&call->test->hdfs, &call->done);
    if (call->error != error)
        print_message("%s\n", call->reason);
    assert_int_equal(call->error, error);
    assert_int_equal(call->times, 1);
    assert_false(ps_hadoop_rpc_call_is_busy(&call->rpc));
    if (error == PS_FILE_OK)
        assert_string_equal(call->reason, "");
    else
        assert_true(call->reason[0] != '\0');
    call->times = 0;
}

/* `servers`: 1 or 2. */
static void set_up(struct test *test, unsigned servers)
{
    static struct ps_hadoop_rpc_server list[2]; /* it outlives the service */
    *test = (struct test){0};
    ps_test_hdfs_init(&test->hdfs);
    for (unsigned i = 0; i < 2; i++) {
        ps_test_namenode_init(&test->namenodes[i], &test->hdfs);
        list[i] = (struct ps_hadoop_rpc_server){"127.0.0.1", test->namenodes[i].port};
    }
    const struct ps_hadoop_rpc_settings settings = {
        .loop = test->hdfs.loop,
        .service = "hdfs://test",
        .servers = list,
        .server_count = servers,
        .limits = {.connect_ns = 20 * PS_NS_PER_S,
                   .idle_ns = 10 * PS_NS_PER_S,
                   .ping_ns = 5 * PS_NS_PER_S,
                   .silence_ns = 12 * PS_NS_PER_S,
                   .response_bytes_max = 1 << 20},
        .protocol = "org.apache.hadoop.hdfs.protocol.ClientProtocol",
        .protocol_version = 1,
        .user = "alice",
        .real_user = "flume",
        .call_timeout_ns = 30 * PS_NS_PER_S,
        .rest_ns = PS_NS_PER_S,
        .rest_max_ns = 2 * PS_NS_PER_S,
        .component = "sink test",
    };
    test->rpc = ps_hadoop_rpc_open(&settings);
    assert_non_null(test->rpc);
}

static void tear_down(struct test *test)
{
    ps_hadoop_rpc_close(test->rpc);
    for (unsigned i = 0; i < 2; i++)
        ps_test_namenode_fini(&test->namenodes[i]);
    ps_test_hdfs_fini(&test->hdfs);
}

static void expect_body(const struct call *call)
{
    uint8_t packed[64];
    size_t length = protobuf_c_message_pack(&message.base, packed);
    assert_int_equal(call->body_length, length);
    assert_memory_equal(call->body, packed, length);
}

/* ---- one server ---- */

static void test_connection_context(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    begin(&test, &call, "mkdirs");
    ps_test_namenode_expect(namenode, "mkdirs");
    assert_string_equal(namenode->context->protocol, "org.apache.hadoop.hdfs.protocol.ClientProtocol");
    assert_string_equal(namenode->context->user->effective_user, "alice");
    assert_string_equal(namenode->context->user->real_user, "flume");
    assert_int_equal(namenode->retry_count, 0);
    ps_test_namenode_answer(namenode, namenode->id, &message.base);
    expect_end(&call, PS_FILE_OK);
    expect_body(&call);
    tear_down(&test);
}

static void test_answers_in_another_order(void **state)
{
    enum { CALLS = 151 }; /* more than there are chains of ids; a prime, so that 64 steps lead to each */
    static struct call calls[CALLS];
    int32_t ids[CALLS];
    struct test test;
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    for (unsigned i = 0; i < CALLS; i++)
        begin(&test, &calls[i], "create");
    for (unsigned i = 0; i < CALLS; i++) {
        ps_test_namenode_expect(namenode, "create");
        ids[i] = namenode->id;
    }
    assert_int_equal(namenode->accepted, 1);
    for (unsigned i = 0; i < CALLS; i++) {
        unsigned which = (i * 64 + 1) % CALLS;
        ps_test_namenode_answer(namenode, ids[which], &message.base);
        expect_end(&calls[which], PS_FILE_OK);
        for (unsigned other = 0; other < CALLS; other++)
            assert_int_equal(calls[other].done, ps_hadoop_rpc_call_is_busy(&calls[other].rpc) ? false : true);
    }
    tear_down(&test);
}

static void test_slow_answer(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    begin(&test, &call, "create");
    ps_test_namenode_expect(namenode, "create");
    struct ps_byte_buffer bytes = ps_test_namenode_success(namenode->id, &message.base);
    for (size_t i = 0; i < bytes.length; i++) {
        assert_false(call.done);
        ps_test_namenode_send(namenode, bytes.data + i, 1);
        ps_test_hdfs_turn(&test.hdfs);
    }
    ps_byte_buffer_clear(&bytes, 0);
    expect_end(&call, PS_FILE_OK);
    expect_body(&call);
    tear_down(&test);
}

/* The connection is cut after each byte of the response: the call is sent again, and the server recognizes it. */
static void test_cut_answers(void **state)
{
    struct test test;
    struct call call = {0};
    size_t length = 1;
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t client_id[PS_HADOOP_RPC_CLIENT_ID_BYTES];
        begin(&test, &call, "rename2");
        ps_test_namenode_expect(namenode, "rename2");
        int32_t id = namenode->id, retry_count = namenode->retry_count;
        memcpy(client_id, namenode->client_id, sizeof client_id);
        struct ps_byte_buffer bytes = ps_test_namenode_success(id, &message.base);
        length = bytes.length;
        if (cut > 0)
            ps_test_namenode_send(namenode, bytes.data, cut);
        ps_test_namenode_drop(namenode);
        ps_test_namenode_expect(namenode, "rename2");
        assert_int_equal(namenode->id, id);
        assert_int_equal(namenode->retry_count, retry_count + 1);
        assert_memory_equal(namenode->client_id, client_id, sizeof client_id);
        ps_test_namenode_send(namenode, bytes.data, bytes.length);
        ps_byte_buffer_clear(&bytes, 0);
        expect_end(&call, PS_FILE_OK);
    }
    assert_true(length > 8);
    tear_down(&test);
}

/* Takes turns until the client has seen the loss of the connection, and wants to send the call again. */
static void await_retry(const struct call *call, int32_t retry_count)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (call->rpc.retry_count != retry_count) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_hdfs_turn(&call->test->hdfs);
        usleep(100);
    }
}

static void test_lost_again_and_again(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    begin(&test, &call, "mkdirs");
    for (int i = 0; i < 4; i++) {
        ps_test_namenode_expect(namenode, "mkdirs");
        assert_int_equal(namenode->retry_count, i);
        ps_test_namenode_drop(namenode);
        await_retry(&call, i + 1);
        if (i > 0) /* the first time at once, then after 0.5 to 1.5 s, doubled up to 3 s */
            ps_test_hdfs_pass(&test.hdfs, 3000);
    }
    ps_test_namenode_stop_listening(namenode);
    ps_test_hdfs_pass(&test.hdfs, 30000);
    expect_end(&call, PS_FILE_TIMEOUT); /* it may have been carried out */
    tear_down(&test);
}

static void test_exceptions(void **state)
{
    static const struct {
        const char *exception, *text;
        enum ps_file_error error;
        const char *simple;
    } cases[] = {
        {"java.io.FileNotFoundException", "File does not exist: /a\n\tat x", PS_FILE_MISSING,
         "FileNotFoundException"},
        {"org.apache.hadoop.fs.FileAlreadyExistsException", "/a", PS_FILE_EXISTS,
         "FileAlreadyExistsException"},
        {"org.apache.hadoop.security.AccessControlException", "Permission denied", PS_FILE_DENIED,
         "AccessControlException"},
        {"org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", "quota", PS_FILE_NO_SPACE,
         "DSQuotaExceededException"},
        {"org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException", "No lease", PS_FILE_LEASE,
         "LeaseExpiredException"},
        {"java.io.IOException", "File /a could only be written to 0 of the 1 minReplication nodes",
         PS_FILE_UNAVAILABLE, "IOException"},
        {"java.lang.NullPointerException", "", PS_FILE_FAILED, "NullPointerException"},
        {"", "", PS_FILE_FAILED, ""},
    };
    struct test test;
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct call call = {0};
        begin(&test, &call, "create");
        ps_test_namenode_expect(namenode, "create");
        ps_test_namenode_refuse(namenode, namenode->id, cases[i].exception, cases[i].text);
        expect_end(&call, cases[i].error);
        assert_string_equal(call.exception, cases[i].simple);
        assert_null(strchr(call.reason, '\n'));
        assert_non_null(strstr(call.reason, "create: 127.0.0.1:"));
        assert_int_equal(strlen(call.message),
                         strcspn(cases[i].text, "\n")); /* callers look for words in it */
        assert_memory_equal(call.message, cases[i].text, strlen(call.message));
    }
    assert_int_equal(namenode->accepted, 1); /* the connection stays */
    tear_down(&test);
}

/* Safe mode, a namenode that starts, a block that is not reported yet: the call is sent again after a backoff, with the same id. */
static void test_refusals_that_end(void **state)
{
    static const char *const exceptions[] = {
        "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
        "org.apache.hadoop.ipc.RetriableException", "org.apache.hadoop.ipc.StandbyException",
        "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException"};
    struct test test;
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    for (size_t i = 0; i < PS_COUNT_OF(exceptions); i++) {
        struct call call = {0};
        begin(&test, &call, "addBlock");
        for (int round = 0; round < 3; round++) {
            ps_test_namenode_expect(namenode, "addBlock");
            assert_int_equal(namenode->retry_count, round);
            ps_test_namenode_refuse(namenode, namenode->id, exceptions[i], "not now");
            while (call.rpc.rests == (unsigned)round)
                ps_test_hdfs_turn(&test.hdfs);
            ps_test_hdfs_pass(&test.hdfs, 3000);
        }
        ps_test_namenode_expect(namenode, "addBlock");
        ps_test_namenode_answer(namenode, namenode->id, &message.base);
        expect_end(&call, PS_FILE_OK);
    }
    tear_down(&test);
}

static void test_safe_mode_does_not_end(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    begin(&test, &call, "create");
    ps_test_namenode_expect(namenode, "create");
    ps_test_namenode_refuse(namenode, namenode->id,
                            "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
                            "Cannot create file /a. Name node is in safe mode.");
    while (call.rpc.rests == 0)
        ps_test_hdfs_turn(&test.hdfs);
    ps_test_hdfs_pass(&test.hdfs, 40000);
    expect_end(&call, PS_FILE_UNAVAILABLE); /* it was not carried out */
    assert_non_null(strstr(call.reason, "safe mode"));
    tear_down(&test);
}

static void test_fatal_answer(void **state)
{
    struct test test;
    struct call calls[3] = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    for (unsigned i = 0; i < 3; i++)
        begin(&test, &calls[i], "mkdirs");
    calls[0].then = &calls[2]; /* begun by the first while the others are given up, after its own end */
    calls[2].then = NULL;
    ps_hadoop_rpc_cancel(&calls[2].rpc);
    ps_test_namenode_expect(namenode, "mkdirs");
    struct ps_byte_buffer bytes =
        ps_test_namenode_error(-1, 2, 15, "org.apache.hadoop.security.AccessControlException",
                               "SIMPLE authentication is not enabled.  Available:[TOKEN, KERBEROS]");
    ps_test_namenode_send(namenode, bytes.data, bytes.length);
    ps_byte_buffer_clear(&bytes, 0);
    expect_end(&calls[0], PS_FILE_DENIED);
    expect_end(&calls[1], PS_FILE_DENIED);
    assert_non_null(strstr(calls[1].reason, "SIMPLE authentication is not enabled"));
    ps_test_namenode_drop(namenode);
    ps_test_namenode_expect(namenode, "mkdirs"); /* over another connection */
    ps_test_namenode_answer(namenode, namenode->id, &message.base);
    expect_end(&calls[2], PS_FILE_OK);
    tear_down(&test);
}

static void test_other_protocols(void **state)
{
    static const char *const nonsense[] = {"HTTP/1.1 404 Not Found\r\n\r\n", "\x7f\xff\xff\xff....",
                                           "\x00\x00\x00\x02\xff\xff", "\x00\x00\x00\x00",
                                           "\x00\x00\x00\x05\x04\x08\x00\x10\x00"};
    static const size_t lengths[] = {26, 8, 6, 4, 9};
    struct test test;
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    for (size_t i = 0; i < PS_COUNT_OF(nonsense); i++) {
        struct call call = {0};
        begin(&test, &call, "mkdirs");
        ps_test_namenode_expect(namenode, "mkdirs");
        ps_test_namenode_send(namenode, nonsense[i], lengths[i]);
        ps_test_namenode_expect_end(namenode);
        ps_test_namenode_expect(namenode, "mkdirs");
        if (i == 0)
            assert_non_null(strstr(call.rpc.reason, "it speaks HTTP"));
        ps_test_namenode_answer(namenode, namenode->id, &message.base);
        expect_end(&call, PS_FILE_OK);
    }
    tear_down(&test);
}

static void test_nobody_listens(void **state)
{
    struct test test;
    struct call call = {0}, late = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    ps_test_namenode_stop_listening(namenode);
    begin(&test, &call, "mkdirs");
    for (int i = 0; i < 20; i++) {
        ps_test_hdfs_pass_to_rest(&test.hdfs, 500);
        assert_false(call.done);
    }
    begin(&test, &late, "mkdirs");
    ps_test_hdfs_turn(&test.hdfs);
    ps_test_hdfs_pass_to_rest(&test.hdfs, 21000);
    expect_end(&call, PS_FILE_UNAVAILABLE);
    assert_non_null(strstr(call.reason, "Connection refused"));
    assert_false(late.done);
    ps_test_namenode_listen(namenode);
    ps_test_hdfs_pass(&test.hdfs, 3000);
    ps_test_namenode_expect(namenode, "mkdirs");
    assert_int_equal(namenode->retry_count, 0); /* it was not sent before */
    ps_test_namenode_answer(namenode, namenode->id, &message.base);
    expect_end(&late, PS_FILE_OK);
    tear_down(&test);
}

static void test_silence_and_pings(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    begin(&test, &call, "mkdirs");
    ps_test_namenode_expect(namenode, "mkdirs");
    ps_test_hdfs_pass(&test.hdfs, 5000);
    ps_test_namenode_expect_ping(namenode);
    ps_test_hdfs_pass(&test.hdfs, 5000);
    ps_test_namenode_expect_ping(namenode);
    ps_test_hdfs_pass(&test.hdfs, 2000); /* 12 s of silence */
    ps_test_namenode_expect_end(namenode);
    ps_test_namenode_expect(namenode, "mkdirs");
    assert_int_equal(namenode->retry_count, 1);
    assert_int_equal(namenode->accepted, 2);
    ps_test_hdfs_pass(&test.hdfs, 10000);
    ps_test_hdfs_pass(&test.hdfs, 8000);
    expect_end(&call, PS_FILE_TIMEOUT);
    tear_down(&test);
}

static void test_idle_connection_is_closed(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    for (unsigned i = 1; i < 3; i++) {
        begin(&test, &call, "mkdirs");
        ps_test_namenode_expect(namenode, "mkdirs");
        assert_int_equal(namenode->accepted, i);
        ps_test_namenode_answer(namenode, namenode->id, &message.base);
        expect_end(&call, PS_FILE_OK);
        ps_test_hdfs_pass(&test.hdfs, 10000);
        ps_test_namenode_expect_end(namenode);
    }
    tear_down(&test);
}

static void test_cancel_and_close(void **state)
{
    struct test test;
    struct call calls[4] = {0};
    set_up(&test, 1);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    begin(&test, &calls[0], "mkdirs");
    begin(&test, &calls[1], "mkdirs");
    ps_test_namenode_expect(namenode, "mkdirs");
    int32_t id = namenode->id;
    ps_hadoop_rpc_cancel(&calls[0].rpc);
    ps_hadoop_rpc_cancel(&calls[0].rpc);
    ps_test_namenode_answer(namenode, id, &message.base); /* the answer to a call that has ended */
    ps_test_namenode_expect(namenode, "mkdirs");
    calls[1].then = &calls[2];
    ps_test_namenode_answer(namenode, namenode->id, &message.base);
    expect_end(&calls[1], PS_FILE_OK);
    assert_int_equal(calls[0].times, 0);
    begin(&test, &calls[3], "mkdirs");
    tear_down(&test); /* while one call was sent, and one was not */
    assert_int_equal(calls[2].times, 0);
    assert_int_equal(calls[3].times, 0);
}

/* ---- two servers ---- */

static void test_standby(void **state)
{
    struct test test;
    struct call calls[3] = {0};
    set_up(&test, 2);
    for (unsigned i = 0; i < 3; i++)
        begin(&test, &calls[i], "create");
    ps_test_namenode_expect(&test.namenodes[0], "create");
    ps_test_namenode_refuse(&test.namenodes[0], test.namenodes[0].id,
                            "org.apache.hadoop.ipc.StandbyException",
                            "Operation category WRITE is not supported in state standby");
    for (unsigned i = 0; i < 3; i++) {
        ps_test_namenode_expect(&test.namenodes[1], "create");
        assert_int_equal(test.namenodes[1].retry_count, 1);
        ps_test_namenode_answer(&test.namenodes[1], test.namenodes[1].id, &message.base);
        expect_end(&calls[i], PS_FILE_OK);
    }
    /* The client stays with this server. */
    begin(&test, &calls[0], "create");
    ps_test_namenode_expect(&test.namenodes[1], "create");
    ps_test_namenode_answer(&test.namenodes[1], test.namenodes[1].id, &message.base);
    expect_end(&calls[0], PS_FILE_OK);
    tear_down(&test);
}

/* The active namenode is killed, then both are standby for a while. */
static void test_failover(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 2);
    begin(&test, &call, "complete");
    ps_test_namenode_expect(&test.namenodes[0], "complete");
    int32_t id = test.namenodes[0].id;
    ps_test_namenode_stop_listening(&test.namenodes[0]);
    ps_test_namenode_drop(&test.namenodes[0]);
    for (unsigned round = 0; round < 3; round++) {
        ps_test_namenode_expect(&test.namenodes[1], "complete");
        assert_int_equal(test.namenodes[1].id, id);
        assert_true(test.namenodes[1].retry_count > 0);
        ps_test_namenode_refuse(&test.namenodes[1], id, "org.apache.hadoop.ipc.StandbyException", "standby");
        ps_test_namenode_expect_end(&test.namenodes[1]);
        ps_test_hdfs_pass(&test.hdfs, 3000); /* back to the first one, which does not listen */
        for (uint64_t until_ns = ps_test_patience_end_ns();
             strstr(call.rpc.reason, "Connection refused") == NULL; ps_test_hdfs_turn(&test.hdfs))
            assert_true(ps_test_patient_ns() < until_ns);
        ps_test_hdfs_pass(&test.hdfs, 3000);
    }
    ps_test_namenode_expect(&test.namenodes[1], "complete");
    ps_test_namenode_answer(&test.namenodes[1], id, &message.base);
    expect_end(&call, PS_FILE_OK);
    tear_down(&test);
}

/* A call sent to a server that is gone may have been carried out there, whatever a standby answers
 * afterwards. */
static void test_uncertain_calls(void **state)
{
    struct test test;
    struct call calls[2] = {0};
    set_up(&test, 2);
    begin(&test, &calls[0], "rename2");
    ps_test_namenode_expect(&test.namenodes[0], "rename2");
    ps_test_namenode_stop_listening(&test.namenodes[0]);
    ps_test_namenode_drop(&test.namenodes[0]);
    ps_test_namenode_expect(&test.namenodes[1], "rename2");
    begin(&test, &calls[1], "rename2"); /* only the standby gets this one */
    ps_test_namenode_expect(&test.namenodes[1], "rename2");
    for (int i = 0; i < 2; i++)
        ps_test_namenode_refuse(&test.namenodes[1], calls[i].rpc.id, "org.apache.hadoop.ipc.StandbyException",
                                "standby");
    ps_test_namenode_expect_end(&test.namenodes[1]);
    ps_test_namenode_stop_listening(&test.namenodes[1]);
    ps_test_hdfs_pass(&test.hdfs, 30000);
    expect_end(&calls[0], PS_FILE_TIMEOUT);
    tear_down(&test);
}

/* A server hangs: calls end by their time-out, later ones go to the other server. */
static void test_server_that_hangs(void **state)
{
    struct test test;
    struct call call = {0};
    set_up(&test, 2);
    begin(&test, &call, "mkdirs");
    ps_test_namenode_expect(&test.namenodes[0], "mkdirs");
    ps_test_hdfs_pass(&test.hdfs, 12000);
    ps_test_namenode_expect(&test.namenodes[1], "mkdirs");
    assert_int_equal(test.namenodes[1].retry_count, 1);
    ps_test_namenode_answer(&test.namenodes[1], test.namenodes[1].id, &message.base);
    expect_end(&call, PS_FILE_OK);
    tear_down(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_context),
        cmocka_unit_test(test_answers_in_another_order),
        cmocka_unit_test(test_slow_answer),
        cmocka_unit_test(test_cut_answers),
        cmocka_unit_test(test_lost_again_and_again),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_refusals_that_end),
        cmocka_unit_test(test_safe_mode_does_not_end),
        cmocka_unit_test(test_fatal_answer),
        cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_silence_and_pings),
        cmocka_unit_test(test_idle_connection_is_closed),
        cmocka_unit_test(test_cancel_and_close),
        cmocka_unit_test(test_standby),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_uncertain_calls),
        cmocka_unit_test(test_server_that_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
